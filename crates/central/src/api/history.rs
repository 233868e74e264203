//! The three queries behind `/api/v1/profitability`.

use super::algorithm::unit;
use super::decision::{Display, rounded};
use super::profitability::{Asked, Profit, ProfitSort, Spread, Step, Terms};
use smart_mining_wire::Algorithm;
use sqlx::{AssertSqlSafe, PgPool, Row as _, postgres::PgRow};

const NOW: &str = "SELECT coin, pool, algorithm::text AS name, computed_at AS at,
        usd_per_hash_day * (1 - fee) AS net, usd_per_hash_day AS usd, margin,
        profitability.origin, fee, scheme,
        gross_usd_per_hash_day AS gross, net_coins_per_hash_day AS coins
    FROM profitability JOIN pool_offers USING (coin, pool, algorithm)";

const RAW: &str = "SELECT coin, pool, algorithm::text AS name, at,
        net_usd_per_hash_day AS net, usd_per_hash_day AS usd, margin
    FROM profitability_history";

const HOUR: &str = "SELECT coin, pool, algorithm::text AS name, hour AS at,
        net_usd_sum / samples AS net, NULL::float8 AS usd, NULL::float8 AS margin,
        samples, net_usd_min AS min, net_usd_max AS max, net_usd_last AS last
    FROM profitability_hourly";

pub async fn read(pool: &PgPool, asked: &Asked) -> Result<Vec<Profit>, sqlx::Error> {
    let (rows, at) = match asked.step {
        Step::Now => (NOW, "computed_at"),
        Step::Raw => (RAW, "at"),
        Step::Hour => (HOUR, "hour"),
    };
    let column = match asked.sort {
        ProfitSort::Net => "net",
        ProfitSort::At => "at",
        ProfitSort::Coin => "coin",
        ProfitSort::Pool => "pool",
    };
    let order = asked.order.sql();
    // Each row has a place of its own in the order, so that no page repeats one.
    let rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT *, floor(extract(epoch FROM at))::bigint AS second FROM ({rows}
         WHERE ($1::text IS NULL OR algorithm::text = $1)
           AND ($2::text[] IS NULL OR lower(coin) = ANY($2))
           AND ($3::text[] IS NULL OR lower(pool) = ANY($3))
           AND ($4::bigint IS NULL OR {at} >= to_timestamp($4))
           AND ($5::bigint IS NULL OR {at} < to_timestamp($5))) AS found
         ORDER BY {column} {order}, at, coin, pool, name LIMIT $6 OFFSET $7"
    )))
    .bind(asked.algorithm.map(Algorithm::name))
    .bind(&asked.coins)
    .bind(&asked.pools)
    .bind(asked.from)
    .bind(asked.to)
    .bind(asked.cut.rows())
    .bind(asked.cut.skip())
    .fetch_all(pool)
    .await?;
    let profits: Result<Vec<_>, _> = rows.iter().map(|row| profit(row, asked.step)).collect();
    Ok(profits?.into_iter().flatten().collect())
}

/// `None` for an algorithm of a newer build.
fn profit(row: &PgRow, step: Step) -> Result<Option<Profit>, sqlx::Error> {
    let name: String = row.try_get("name")?;
    let Ok(algorithm) = name.parse::<Algorithm>() else {
        log::warn!("a figure for {name} cannot be shown: this build does not know it; update it");
        return Ok(None);
    };
    let net: f64 = row.try_get("net")?;
    let (unit, hashes) = unit(algorithm);
    Ok(Some(Profit {
        at: row.try_get("second")?,
        coin: row.try_get("coin")?,
        pool: row.try_get("pool")?,
        algorithm,
        net_usd_per_hash_day: net,
        display: Display {
            value: rounded(net * hashes),
            unit,
        },
        usd_per_hash_day: row.try_get("usd")?,
        margin: row.try_get("margin")?,
        now: match step {
            Step::Now => Some(terms(row)?),
            Step::Raw | Step::Hour => None,
        },
        hour: match step {
            Step::Hour => Some(spread(row)?),
            Step::Now | Step::Raw => None,
        },
    }))
}

fn terms(row: &PgRow) -> Result<Terms, sqlx::Error> {
    Ok(Terms {
        origin: row.try_get("origin")?,
        fee: row.try_get("fee")?,
        scheme: row.try_get("scheme")?,
        gross_usd_per_hash_day: row.try_get("gross")?,
        net_coins_per_hash_day: row.try_get("coins")?,
    })
}

fn spread(row: &PgRow) -> Result<Spread, sqlx::Error> {
    Ok(Spread {
        samples: row.try_get("samples")?,
        min: row.try_get("min")?,
        max: row.try_get("max")?,
        last: row.try_get("last")?,
    })
}
