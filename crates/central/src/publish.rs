//! From the tables to a signed snapshot that every API replica hears of.
//!
//! The row and its announcement are one transaction: PostgreSQL delivers the
//! NOTIFY when the row is visible and not before. Publishers take turns through
//! [`lock`], so each sees what the former one published.

use crate::history;
use crate::ranking::in_order;
use smart_mining_wire::{
    Algorithm, Entry, Envelope, PoolOffer, SecretKey, Snapshot, SnapshotError, snapshot,
};
use sqlx::{Postgres, Transaction};

/// Where a new snapshot is announced; the payload is its sequence.
pub const CHANNEL: &str = "snapshots";

const LOCK: i64 = 0x736d_7075_626c_6973;

type Tx<'c> = Transaction<'c, Postgres>;

/// What a publisher tells its operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub sequence: u64,
    pub entries: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(
        "the tables give no snapshot that a farm would accept: {0}; \
         nothing was written, import rows that mend it"
    )]
    Ranking(SnapshotError),
    #[error(
        "the table pool_offers names the algorithm {0:?}, which this build does not know; update it"
    )]
    Algorithm(String),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Wait for other publishers. Held until the transaction ends; take it first, so
/// that everything read afterwards includes what the former publisher committed.
pub async fn lock(tx: &mut Tx<'_>) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Rank, sign, store, write down and announce. The caller holds [`lock`] and commits.
/// `now` is Unix seconds, or the database's clock when absent.
pub async fn publish(
    tx: &mut Tx<'_>,
    key: &SecretKey,
    now: Option<u64>,
) -> Result<Published, PublishError> {
    let (sequence, created_at) = next_sequence(tx, now).await?;
    let snapshot = seal_ready(sequence, created_at, ranking(tx).await?)?;
    history::record(tx, created_at).await?;
    sqlx::query(
        "INSERT INTO snapshots (sequence, created_at, envelope) VALUES ($1, to_timestamp($2), $3)",
    )
    .bind(sequence.cast_signed())
    .bind(created_at as f64)
    .bind(Envelope::seal(&snapshot, key).to_json())
    .execute(&mut **tx)
    .await?;
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(CHANNEL)
        .bind(sequence.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(Published {
        sequence,
        entries: snapshot.entries.len(),
    })
}

/// Judged by the rules of the receiver: better to fail here than in every farm.
pub fn seal_ready(
    sequence: u64,
    created_at: u64,
    entries: Vec<Entry>,
) -> Result<Snapshot, PublishError> {
    let snapshot = Snapshot {
        version: snapshot::VERSION,
        sequence,
        created_at,
        entries: in_order(entries),
    };
    Snapshot::parse(&snapshot.to_bytes()).map_err(PublishError::Ranking)?;
    Ok(snapshot)
}

/// At least the time in seconds: a database that was lost and made anew goes on
/// above the sequences that farms have already seen.
async fn next_sequence(tx: &mut Tx<'_>, now: Option<u64>) -> Result<(u64, u64), sqlx::Error> {
    let (sequence, now): (i64, i64) = sqlx::query_as(
        "SELECT greatest(coalesce(max(sequence), 0) + 1, clock.now), clock.now
         FROM (SELECT coalesce($1, floor(extract(epoch FROM clock_timestamp()))::bigint) AS now)
              AS clock
         LEFT JOIN snapshots ON true GROUP BY clock.now",
    )
    .bind(now.map(u64::cast_signed))
    .fetch_one(&mut **tx)
    .await?;
    Ok((sequence.cast_unsigned(), now.cast_unsigned()))
}

type Row = (String, String, String, String, f64, String, f64, f64);

async fn ranking(tx: &mut Tx<'_>) -> Result<Vec<Entry>, PublishError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT coin, algorithm, pool, url, fee, scheme, usd_per_hash_day, margin
         FROM profitability JOIN pool_offers USING (coin, pool, algorithm)",
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(entry).collect()
}

fn entry(row: Row) -> Result<Entry, PublishError> {
    let (coin, algorithm, pool, url, fee, scheme, usd_per_hash_day, margin) = row;
    let algorithm: Algorithm = algorithm
        .parse()
        .map_err(|_| PublishError::Algorithm(algorithm.clone()))?;
    Ok(Entry {
        coin,
        algorithm,
        pool: PoolOffer {
            id: pool,
            url,
            fee,
            scheme,
        },
        usd_per_hash_day,
        margin,
    })
}
