//! An edition into the tables, in one transaction.
//!
//! Rows travel as one JSON text per table, so that a table takes one statement
//! however many rows it gets. What the aggregator wrote has the origin `sources`;
//! rows that were imported by hand are never touched.

use super::desk::Edition;
use crate::collect::SourceHealth;
use crate::collect::config::{Config, PoolTerms};
use crate::history;
use crate::merge::Book;
use crate::merge::book::{Question, Stored};
use crate::publish::{self, PublishError, Published};
use crate::source::Catalog;
use serde::Serialize;
use serde_json::{Value, json};
use smart_mining_wire::SecretKey;
use sqlx::{Connection as _, PgConnection, Postgres, Transaction};
use std::collections::BTreeSet;

type Tx<'c> = Transaction<'c, Postgres>;

/// A reading that changed, and all it holds now.
pub type Changed = Vec<(Question, Vec<Stored>)>;

/// Write everything and publish. Without any ranking at all nothing is published,
/// and what is known is stored nevertheless.
pub async fn write(
    connection: &mut PgConnection,
    config: &Config,
    edition: &Edition,
    changed: &Changed,
    health: &[SourceHealth],
    key: &SecretKey,
) -> Result<Option<Published>, PublishError> {
    let mut tx = connection.begin().await?;
    publish::lock(&mut tx).await?;
    coins_and_chains(&mut tx, edition, &config.pools).await?;
    offers(&mut tx, &config.pools).await?;
    profitability(&mut tx, edition).await?;
    readings(&mut tx, changed).await?;
    source_health(&mut tx, health, edition.now).await?;
    rejections(&mut tx, edition).await?;
    advertised(&mut tx, edition).await?;
    let ranked: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM profitability)")
        .fetch_one(&mut *tx)
        .await?;
    let published = match ranked {
        true => Some(publish::publish(&mut tx, key, Some(edition.now)).await?),
        false => None,
    };
    tx.commit().await?;
    Ok(published)
}

/// Drop what is too old; apart from publications, so that none waits for it.
pub async fn clean_up(
    connection: &mut PgConnection,
    config: &Config,
    now: u64,
) -> Result<(), sqlx::Error> {
    let mut tx = connection.begin().await?;
    history::clean_up(&mut tx, &config.history, now).await?;
    tx.commit().await
}

/// What a former aggregator left: the book to go on with.
pub async fn restore(connection: &mut PgConnection, book: &mut Book) -> Result<(), sqlx::Error> {
    let rows: Vec<(String, String, String, String)> =
        sqlx::query_as("SELECT source, kind, about, observations FROM readings")
            .fetch_all(connection)
            .await?;
    for (source, kind, about, text) in rows {
        match serde_json::from_str(&text) {
            Ok(stored) => book.restore(
                Question {
                    source,
                    kind,
                    about,
                },
                stored,
            ),
            // Of another version: asked again soon enough.
            Err(error) => log::warn!("the stored reading {source} {kind} is left out: {error}"),
        }
    }
    Ok(())
}

async fn with_rows(
    tx: &mut Tx<'_>,
    statement: &'static str,
    rows: Vec<Value>,
) -> Result<(), sqlx::Error> {
    sqlx::query(statement)
        .bind(Value::from(rows).to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn coins_and_chains(
    tx: &mut Tx<'_>,
    edition: &Edition,
    pools: &[PoolTerms],
) -> Result<(), sqlx::Error> {
    let picture = &edition.picture;
    let offered = pools.iter().flat_map(|pool| &pool.offers);
    let mut ids: BTreeSet<&str> = offered
        .flat_map(|offer| offer.merged.iter().chain([&offer.coin]))
        .map(String::as_str)
        .collect();
    ids.extend(picture.prices.keys().map(String::as_str));
    ids.extend(picture.chains.keys().map(|(coin, _)| coin.as_str()));
    let coins = ids.into_iter().filter_map(|id| {
        let name = &Catalog::built_in().coin(id)?.name;
        let price = picture.prices.get(id);
        Some(json!({
            "id": id, "name": name,
            "usd": price.map(|price| price.usd),
            "margin": price.map(|price| price.margin),
            "at": price.map(|price| price.observed),
            "sources": price.map_or(&[][..], |price| &price.sources),
        }))
    });
    with_rows(
        tx,
        "INSERT INTO coins (id, name, price_usd, price_margin, price_at, price_sources)
         SELECT id, name, usd, margin, to_timestamp(at), sources
         FROM json_to_recordset($1::json) AS row
             (id text, name text, usd float8, margin float8, at float8, sources text[])
         ON CONFLICT (id) DO UPDATE SET
             price_usd = excluded.price_usd, price_margin = excluded.price_margin,
             price_at = excluded.price_at, price_sources = excluded.price_sources,
             updated_at = now()",
        coins.collect(),
    )
    .await?;
    sqlx::query("DELETE FROM chains").execute(&mut **tx).await?;
    let chains = picture.chains.iter().map(|((coin, algorithm), chain)| {
        let (work, reward) = (&chain.work, &chain.reward);
        json!({
            "coin": coin, "algorithm": algorithm,
            "difficulty": work.difficulty, "hashes": work.hashes_per_block,
            "rate": chain.network_hashrate, "subsidy": reward.subsidy, "fees": reward.fees,
            "height": work.height.map(|height| height as i64),
            "coins": chain.coins_per_hash_day, "margin": chain.margin,
            "work_source": work.source, "reward_source": reward.source,
            "at": work.received.min(reward.received),
        })
    });
    with_rows(
        tx,
        "INSERT INTO chains (coin, algorithm, difficulty, hashes_per_block, network_hashrate,
                             subsidy, fees, height, coins_per_hash_day, margin,
                             work_source, reward_source, observed_at)
         SELECT coin, algorithm, difficulty, hashes, rate, subsidy, fees, height, coins, margin,
                work_source, reward_source, to_timestamp(at)
         FROM json_to_recordset($1::json) AS row
             (coin text, algorithm text, difficulty float8, hashes float8, rate float8,
              subsidy float8, fees float8, height bigint, coins float8, margin float8,
              work_source text, reward_source text, at float8)",
        chains.collect(),
    )
    .await
}

/// The configuration's pools; those that were taken out of it go with their ranking.
async fn offers(tx: &mut Tx<'_>, pools: &[PoolTerms]) -> Result<(), sqlx::Error> {
    let named = pools
        .iter()
        .map(|pool| json!({"id": pool.id, "name": pool.name}));
    with_rows(
        tx,
        "INSERT INTO pools (id, name)
         SELECT id, name FROM json_to_recordset($1::json) AS row (id text, name text)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, updated_at = now()
         WHERE pools.name <> excluded.name",
        named.collect(),
    )
    .await?;
    let offers: Vec<Value> = pools
        .iter()
        .flat_map(|pool| {
            pool.offers.iter().map(|offer| {
                json!({
                    "coin": offer.coin, "pool": pool.id, "algorithm": offer.algorithm.name(),
                    "url": offer.url, "fee": offer.fee, "scheme": offer.scheme,
                    "merged": offer.merged,
                })
            })
        })
        .collect();
    with_rows(
        tx,
        "DELETE FROM pool_offers WHERE origin = 'sources' AND (coin, pool, algorithm::text) NOT IN
             (SELECT coin, pool, algorithm FROM json_to_recordset($1::json) AS row
                  (coin text, pool text, algorithm text))",
        offers.clone(),
    )
    .await?;
    with_rows(
        tx,
        "INSERT INTO pool_offers (coin, pool, algorithm, url, fee, scheme, merged, origin)
         SELECT coin, pool, algorithm, url, fee, scheme, merged, 'sources'
         FROM json_to_recordset($1::json) AS row
             (coin text, pool text, algorithm algorithm, url text, fee float8, scheme text,
              merged text[])
         ON CONFLICT (coin, pool, algorithm) DO UPDATE SET
             url = excluded.url, fee = excluded.fee, scheme = excluded.scheme,
             merged = excluded.merged, origin = 'sources', updated_at = now()",
        offers,
    )
    .await
}

async fn profitability(tx: &mut Tx<'_>, edition: &Edition) -> Result<(), sqlx::Error> {
    let rows: Vec<Value> = edition
        .ranking
        .rows
        .iter()
        .map(|row| {
            json!({
                "coin": row.coin, "pool": row.pool, "algorithm": row.algorithm.name(),
                "usd": row.usd, "margin": row.margin, "at": edition.now, "fee": row.fee,
                "gross": row.gross_usd, "coins": row.net_coins,
            })
        })
        .collect();
    with_rows(
        tx,
        "DELETE FROM profitability WHERE origin = 'sources' AND (coin, pool, algorithm::text) NOT IN
             (SELECT coin, pool, algorithm FROM json_to_recordset($1::json) AS row
                  (coin text, pool text, algorithm text))",
        rows.clone(),
    )
    .await?;
    // The fee is the pool's own word where it gives one.
    with_rows(
        tx,
        "UPDATE pool_offers SET fee = row.fee
         FROM json_to_recordset($1::json) AS row
             (coin text, pool text, algorithm algorithm, fee float8)
         WHERE pool_offers.coin = row.coin AND pool_offers.pool = row.pool
           AND pool_offers.algorithm = row.algorithm AND pool_offers.fee <> row.fee",
        rows.clone(),
    )
    .await?;
    with_rows(
        tx,
        "INSERT INTO profitability (coin, pool, algorithm, usd_per_hash_day, margin, computed_at,
                                    origin, gross_usd_per_hash_day, net_coins_per_hash_day)
         SELECT coin, pool, algorithm, usd, margin, to_timestamp(at), 'sources', gross, coins
         FROM json_to_recordset($1::json) AS row
             (coin text, pool text, algorithm algorithm, usd float8, margin float8, at float8,
              gross float8, coins float8)
         ON CONFLICT (coin, pool, algorithm) DO UPDATE SET
             usd_per_hash_day = excluded.usd_per_hash_day, margin = excluded.margin,
             computed_at = excluded.computed_at, origin = 'sources',
             gross_usd_per_hash_day = excluded.gross_usd_per_hash_day,
             net_coins_per_hash_day = excluded.net_coins_per_hash_day",
        rows,
    )
    .await
}

async fn readings(tx: &mut Tx<'_>, changed: &Changed) -> Result<(), sqlx::Error> {
    let key = |question: &Question| json!({"source": question.source, "kind": question.kind, "about": question.about});
    let gone = changed.iter().filter(|(_, rows)| rows.is_empty());
    with_rows(
        tx,
        "DELETE FROM readings WHERE (source, kind, about) IN
             (SELECT source, kind, about FROM json_to_recordset($1::json) AS row
                  (source text, kind text, about text))",
        gone.map(|(question, _)| key(question)).collect(),
    )
    .await?;
    let there = changed.iter().filter(|(_, rows)| !rows.is_empty());
    let rows = there.map(|(question, rows)| {
        let mut row = key(question);
        row["at"] = rows.iter().map(|row| row.seen.received).max().into();
        row["observations"] = text(rows).into();
        row
    });
    with_rows(
        tx,
        "INSERT INTO readings (source, kind, about, received_at, observations)
         SELECT source, kind, about, to_timestamp(at), observations
         FROM json_to_recordset($1::json) AS row
             (source text, kind text, about text, at float8, observations text)
         ON CONFLICT (source, kind, about) DO UPDATE SET
             received_at = excluded.received_at, observations = excluded.observations",
        rows.collect(),
    )
    .await
}

/// Numbers and names of ours: they have a JSON form.
fn text(rows: &impl Serialize) -> String {
    serde_json::to_string(rows).unwrap_or_else(|_| "[]".to_owned())
}

async fn source_health(
    tx: &mut Tx<'_>,
    health: &[SourceHealth],
    now: u64,
) -> Result<(), sqlx::Error> {
    let rows: Vec<Value> = health
        .iter()
        .map(|one| {
            json!({
                "source": one.source, "state": one.state.name(), "detail": one.detail,
                "answers": one.answers, "failures": one.failures,
                "observations": one.observations, "unmapped": one.unmapped,
                "ok_at": one.last_ok_at, "error_at": one.last_error_at,
                "error": one.last_error, "at": now,
            })
        })
        .collect();
    with_rows(
        tx,
        "DELETE FROM source_health WHERE source NOT IN
             (SELECT source FROM json_to_recordset($1::json) AS row (source text))",
        rows.clone(),
    )
    .await?;
    with_rows(
        tx,
        "INSERT INTO source_health (source, state, detail, answers, failures, observations,
                                    unmapped, last_ok_at, last_error_at, last_error, updated_at)
         SELECT source, state, detail, answers, failures, observations, unmapped,
                to_timestamp(ok_at), to_timestamp(error_at), error, to_timestamp(at)
         FROM json_to_recordset($1::json) AS row
             (source text, state text, detail text, answers bigint, failures bigint,
              observations int, unmapped int, ok_at float8, error_at float8, error text, at float8)
         ON CONFLICT (source) DO UPDATE SET
             state = excluded.state, detail = excluded.detail, answers = excluded.answers,
             failures = excluded.failures, observations = excluded.observations,
             unmapped = excluded.unmapped,
             last_ok_at = coalesce(excluded.last_ok_at, source_health.last_ok_at),
             last_error_at = coalesce(excluded.last_error_at, source_health.last_error_at),
             last_error = coalesce(excluded.last_error, source_health.last_error),
             updated_at = excluded.updated_at",
        rows,
    )
    .await
}

async fn rejections(tx: &mut Tx<'_>, edition: &Edition) -> Result<(), sqlx::Error> {
    let rows = edition.rejections.iter().map(|(one, times)| {
        json!({
            "source": one.source, "coin": one.coin, "algorithm": one.algorithm, "pool": one.pool,
            "fact": one.fact, "rule": one.rule, "value": one.value, "detail": one.detail,
            "times": times, "at": edition.now,
        })
    });
    with_rows(
        tx,
        "INSERT INTO rejections AS held (day, source, coin, algorithm, pool, fact, rule, value,
                                         detail, first_at, last_at, times)
         SELECT (to_timestamp(at) AT TIME ZONE 'UTC')::date, source, coin, algorithm, pool, fact,
                rule, value, detail, to_timestamp(at), to_timestamp(at), times
         FROM json_to_recordset($1::json) AS row
             (source text, coin text, algorithm text, pool text, fact text, rule text,
              value text, detail text, times int, at float8)
         ON CONFLICT (day, source, coin, algorithm, pool, fact, rule) DO UPDATE SET
             value = excluded.value, detail = excluded.detail, last_at = excluded.last_at,
             times = held.times + excluded.times",
        rows.collect(),
    )
    .await
}

async fn advertised(tx: &mut Tx<'_>, edition: &Edition) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM advertised")
        .execute(&mut **tx)
        .await?;
    let rows = edition.picture.advertised.iter().map(|one| {
        json!({
            "source": one.source, "place": one.place, "coin": one.coin,
            "algorithm": one.algorithm, "fact": one.fact, "value": one.value, "at": one.at,
        })
    });
    with_rows(
        tx,
        "INSERT INTO advertised (source, place, coin, algorithm, fact, value, at)
         SELECT source, place, coin, algorithm, fact, value, to_timestamp(at)
         FROM json_to_recordset($1::json) AS row
             (source text, place text, coin text, algorithm text, fact text, value float8, at float8)",
        rows.collect(),
    )
    .await
}
