//! One transaction from a data file to a published snapshot.
//!
//! Either everything in the file is stored *and* a snapshot of it is published,
//! or nothing happened: farms never see half of a file.

use crate::dataset::{Dataset, Fault, Key, Known, Named};
use crate::publish::{self, PublishError, Published};
use smart_mining_wire::SecretKey;
use sqlx::{PgPool, Postgres, Transaction};

type Tx<'c> = Transaction<'c, Postgres>;

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("{}", listed(.0))]
    Faults(Vec<Fault>),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl ImportError {
    /// Is it the file that must change?
    pub const fn is_bad_input(&self) -> bool {
        matches!(
            self,
            Self::Faults(_) | Self::Publish(PublishError::Ranking(_))
        )
    }
}

fn listed(faults: &[Fault]) -> String {
    let lines: Vec<String> = faults.iter().map(|fault| format!("  {fault}")).collect();
    format!(
        "{} in the file; nothing was written\n{}",
        match faults.len() {
            1 => "1 mistake".into(),
            n => format!("{n} mistakes"),
        },
        lines.join("\n")
    )
}

/// Store the rows of a data file and publish. With `replace`, rows that are not in
/// the file are removed; otherwise they stay, and the file may refer to them.
pub async fn import(
    pool: &PgPool,
    text: &str,
    replace: bool,
    key: &SecretKey,
) -> Result<Published, ImportError> {
    let (data, mut faults) = Dataset::parse(text);
    let mut tx = pool.begin().await?;
    publish::lock(&mut tx).await?;
    let known = if replace {
        Known::default()
    } else {
        stored(&mut tx).await?
    };
    faults.extend(data.dangling(&known));
    if !faults.is_empty() {
        return Err(ImportError::Faults(faults));
    }
    if replace {
        remove_others(&mut tx, &data).await?;
    }
    upsert(&mut tx, &data).await?;
    let published = publish::publish(&mut tx, key, None).await?;
    tx.commit().await?;
    Ok(published)
}

async fn stored(tx: &mut Tx<'_>) -> Result<Known, sqlx::Error> {
    let coins: Vec<String> = sqlx::query_scalar("SELECT id FROM coins")
        .fetch_all(&mut **tx)
        .await?;
    let pools: Vec<String> = sqlx::query_scalar("SELECT id FROM pools")
        .fetch_all(&mut **tx)
        .await?;
    let offers: Vec<(String, String, String)> =
        sqlx::query_as("SELECT coin, pool, algorithm FROM pool_offers")
            .fetch_all(&mut **tx)
            .await?;
    Ok(Known {
        coins: coins.into_iter().collect(),
        pools: pools.into_iter().collect(),
        offers: offers
            .into_iter()
            .filter_map(|(coin, pool, name)| Some((coin, pool, name.parse().ok()?)))
            .collect(),
    })
}

/// Deleting an offer takes its profitability with it, and a coin or a pool its offers.
async fn remove_others(tx: &mut Tx<'_>, data: &Dataset) -> Result<(), sqlx::Error> {
    let profits = Columns::of(data.profitability.iter().map(|row| &row.key));
    let offers = Columns::of(data.offers.iter().map(|row| &row.key));
    for (columns, statement) in [
        (
            profits,
            "DELETE FROM profitability WHERE (coin, pool, algorithm) NOT IN
                 (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]))",
        ),
        (
            offers,
            "DELETE FROM pool_offers WHERE (coin, pool, algorithm) NOT IN
                 (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]))",
        ),
    ] {
        sqlx::query(statement)
            .bind(columns.coins)
            .bind(columns.pools)
            .bind(columns.algorithms)
            .execute(&mut **tx)
            .await?;
    }
    for (rows, statement) in [
        (&data.pools, "DELETE FROM pools WHERE id <> ALL($1)"),
        (&data.coins, "DELETE FROM coins WHERE id <> ALL($1)"),
    ] {
        let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
        sqlx::query(statement).bind(ids).execute(&mut **tx).await?;
    }
    Ok(())
}

async fn upsert(tx: &mut Tx<'_>, data: &Dataset) -> Result<(), sqlx::Error> {
    upsert_named(
        tx,
        &data.coins,
        "INSERT INTO coins (id, name) SELECT * FROM unnest($1::text[], $2::text[])
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, updated_at = now()",
    )
    .await?;
    upsert_named(
        tx,
        &data.pools,
        "INSERT INTO pools (id, name) SELECT * FROM unnest($1::text[], $2::text[])
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, updated_at = now()",
    )
    .await?;
    upsert_offers(tx, data).await?;
    upsert_profitability(tx, data).await
}

async fn upsert_named(
    tx: &mut Tx<'_>,
    rows: &[Named],
    statement: &'static str,
) -> Result<(), sqlx::Error> {
    let (ids, names): (Vec<String>, Vec<String>) = rows
        .iter()
        .map(|row| (row.id.clone(), row.name.clone()))
        .unzip();
    sqlx::query(statement)
        .bind(ids)
        .bind(names)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn upsert_offers(tx: &mut Tx<'_>, data: &Dataset) -> Result<(), sqlx::Error> {
    let rows = &data.offers;
    let columns = Columns::of(rows.iter().map(|row| &row.key));
    let urls: Vec<String> = rows.iter().map(|row| row.url.clone()).collect();
    let fees: Vec<f64> = rows.iter().map(|row| row.fee).collect();
    let schemes: Vec<String> = rows.iter().map(|row| row.scheme.clone()).collect();
    sqlx::query(
        "INSERT INTO pool_offers (coin, pool, algorithm, url, fee, scheme)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[],
                              $4::text[], $5::float8[], $6::text[])
         ON CONFLICT (coin, pool, algorithm) DO UPDATE SET
             url = excluded.url, fee = excluded.fee, scheme = excluded.scheme,
             merged = '{}', origin = 'import', updated_at = now()",
    )
    .bind(columns.coins)
    .bind(columns.pools)
    .bind(columns.algorithms)
    .bind(urls)
    .bind(fees)
    .bind(schemes)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn upsert_profitability(tx: &mut Tx<'_>, data: &Dataset) -> Result<(), sqlx::Error> {
    let rows = &data.profitability;
    let columns = Columns::of(rows.iter().map(|row| &row.key));
    let usd: Vec<f64> = rows.iter().map(|row| row.usd_per_hash_day).collect();
    let margins: Vec<f64> = rows.iter().map(|row| row.margin).collect();
    let computed: Vec<Option<f64>> = rows.iter().map(|row| row.computed_at).collect();
    sqlx::query(
        "INSERT INTO profitability
             (coin, pool, algorithm, usd_per_hash_day, margin, computed_at)
         SELECT coin, pool, algorithm, usd, margin, coalesce(to_timestamp(computed), now())
         FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::float8[], $6::float8[])
             AS row (coin, pool, algorithm, usd, margin, computed)
         ON CONFLICT (coin, pool, algorithm) DO UPDATE SET
             usd_per_hash_day = excluded.usd_per_hash_day,
             margin = excluded.margin, computed_at = excluded.computed_at,
             origin = 'import', gross_usd_per_hash_day = NULL, net_coins_per_hash_day = NULL",
    )
    .bind(columns.coins)
    .bind(columns.pools)
    .bind(columns.algorithms)
    .bind(usd)
    .bind(margins)
    .bind(computed)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Keys in the form of arrays, so that a table takes one statement however many rows it gets.
#[derive(Default)]
struct Columns {
    coins: Vec<String>,
    pools: Vec<String>,
    algorithms: Vec<&'static str>,
}

impl Columns {
    fn of<'k>(keys: impl Iterator<Item = &'k Key>) -> Self {
        let mut columns = Self::default();
        for (coin, pool, algorithm) in keys {
            columns.coins.push(coin.clone());
            columns.pools.push(pool.clone());
            columns.algorithms.push(algorithm.name());
        }
        columns
    }
}
