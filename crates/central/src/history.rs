//! What was published, kept: raw rows by day, and totals by hour.
//!
//! Raw rows live in one partition a day, so that old ones go by dropping a table.
//! Hourly rows are kept up to date by each publication, in its transaction, so that
//! they are complete at any moment and survive their hours' partitions.

use crate::collect::config::History;
use sqlx::{Postgres, Transaction};

type Tx<'c> = Transaction<'c, Postgres>;

const DAY: u64 = 86_400;
/// Snapshots that farms may still ask about, and a person may look at.
const KEEP_SNAPSHOTS: u64 = 7 * DAY;
const KEEP_REJECTIONS: u64 = 30 * DAY;
/// Rows that one clean-up removes at most: it must not hold up a publication.
const AT_ONCE: i64 = 20_000;

/// Write down the ranking as it stands in the tables, under the time of its snapshot.
pub async fn record(tx: &mut Tx<'_>, at: u64) -> Result<(), sqlx::Error> {
    ensure_partition(tx, at).await?;
    // Two snapshots of one second are one point of history; totals count it once, too.
    sqlx::query(
        "WITH point AS (
             INSERT INTO profitability_history
                 (at, coin, pool, algorithm, usd_per_hash_day, net_usd_per_hash_day, margin)
             SELECT to_timestamp($1), coin, pool, algorithm, usd_per_hash_day,
                    usd_per_hash_day * (1 - fee), margin
             FROM profitability JOIN pool_offers USING (coin, pool, algorithm)
             ON CONFLICT (coin, pool, algorithm, at) DO NOTHING
             RETURNING coin, pool, algorithm, net_usd_per_hash_day AS net)
         INSERT INTO profitability_hourly AS held
             (hour, coin, pool, algorithm, samples, net_usd_sum, net_usd_min, net_usd_max, net_usd_last)
         SELECT date_trunc('hour', to_timestamp($1), 'UTC'), coin, pool, algorithm, 1,
                net, net, net, net
         FROM point
         ON CONFLICT (coin, pool, algorithm, hour) DO UPDATE SET
             samples = held.samples + 1,
             net_usd_sum = held.net_usd_sum + excluded.net_usd_sum,
             net_usd_min = least(held.net_usd_min, excluded.net_usd_min),
             net_usd_max = greatest(held.net_usd_max, excluded.net_usd_max),
             net_usd_last = excluded.net_usd_last",
    )
    .bind(at as f64)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The day's partition; making one that exists costs a look into the catalogue.
async fn ensure_partition(tx: &mut Tx<'_>, at: u64) -> Result<(), sqlx::Error> {
    let day = at / DAY * DAY;
    let name = partition(day);
    let exists: Option<String> = sqlx::query_scalar("SELECT to_regclass($1)::text")
        .bind(&name)
        .fetch_one(&mut **tx)
        .await?;
    if exists.is_some() {
        return Ok(());
    }
    // Names and bounds are numbers of ours; such a statement takes no parameters.
    let statement = format!(
        "CREATE TABLE IF NOT EXISTS {name} PARTITION OF profitability_history
         FOR VALUES FROM ('{}') TO ('{}')",
        timestamp(day),
        timestamp(day + DAY)
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Drop what is older than the operator wants to keep. For now and then.
pub async fn clean_up(tx: &mut Tx<'_>, keep: &History, now: u64) -> Result<(), sqlx::Error> {
    let oldest = now.saturating_sub(u64::from(keep.keep_days) * DAY) / DAY * DAY;
    let partitions: Vec<String> = sqlx::query_scalar(
        "SELECT inhrelid::regclass::text FROM pg_inherits
         WHERE inhparent = 'profitability_history'::regclass ORDER BY 1",
    )
    .fetch_all(&mut **tx)
    .await?;
    for name in partitions {
        if name < partition(oldest) && name.starts_with(PARTITION) {
            sqlx::raw_sql(sqlx::AssertSqlSafe(format!("DROP TABLE {name}")))
                .execute(&mut **tx)
                .await?;
            log::info!(
                "history: {name} is older than {} days and gone",
                keep.keep_days
            );
        }
    }
    for (statement, age) in [
        (
            "DELETE FROM profitability_hourly WHERE (coin, pool, algorithm, hour) IN
                 (SELECT coin, pool, algorithm, hour FROM profitability_hourly
                  WHERE hour < to_timestamp($1) ORDER BY hour LIMIT $2)",
            u64::from(keep.keep_hourly_days) * DAY,
        ),
        (
            "DELETE FROM snapshots WHERE sequence IN
                 (SELECT sequence FROM snapshots WHERE created_at < to_timestamp($1)
                  AND sequence < (SELECT max(sequence) FROM snapshots)
                  ORDER BY created_at LIMIT $2)",
            KEEP_SNAPSHOTS,
        ),
        (
            "DELETE FROM rejections WHERE id IN
                 (SELECT id FROM rejections WHERE last_at < to_timestamp($1)
                  ORDER BY last_at LIMIT $2)",
            KEEP_REJECTIONS,
        ),
    ] {
        sqlx::query(statement)
            .bind(now.saturating_sub(age) as f64)
            .bind(AT_ONCE)
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

const PARTITION: &str = "profitability_history_";

fn partition(day: u64) -> String {
    let date = timestamp(day);
    format!(
        "{PARTITION}{}",
        date.split('T').next().unwrap_or_default().replace('-', "")
    )
}

fn timestamp(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .unwrap_or(jiff::Timestamp::MAX)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_sort_by_their_day() {
        assert_eq!(partition(0), "profitability_history_19700101");
        assert_eq!(partition(1_900_000_000), "profitability_history_20300317");
        assert!(partition(1_900_000_000) < partition(1_900_000_000 + DAY));
    }
}
