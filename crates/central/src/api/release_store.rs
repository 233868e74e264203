//! The queries behind the releases. A change is announced in its own transaction, so that
//! all replicas follow it.

use super::releases::Rollout;
use super::rollbacks::Counts;
use smart_mining_wire::Release;
use sqlx::{AssertSqlSafe, PgPool, Postgres, Row as _, Transaction, postgres::PgRow};
use std::sync::Arc;

/// Where a change of the releases is announced.
pub const CHANNEL: &str = "releases";
/// The newest ones; no farm is offered one that is older.
const MOST: i64 = 200;

/// Newest first.
pub type Releases = Arc<Vec<Rollout>>;

/// A replica of the former version takes up again what was halted without removing why.
/// Outcomes are those of farms of the release's board, as rollbacks.rs counts them.
const SELECT: &str =
    "SELECT version, board, url, sha256, size, rollback_index, notes, wave_percent, halted,
        CASE WHEN halted THEN floor(extract(epoch FROM halted_at))::bigint END AS halted_at,
        CASE WHEN halted THEN halted_reason END AS halted_reason,
        coalesce(kept, 0) AS kept, coalesce(rolled_back, 0) AS rolled_back,
        coalesce(refused, 0) AS refused,
        floor(extract(epoch FROM created_at))::bigint AS created_at
    FROM releases LEFT JOIN (
        SELECT version, coalesce(board, single) AS board,
            count(*) FILTER (WHERE outcome = 'kept') AS kept,
            count(*) FILTER (WHERE outcome = 'rolled-back') AS rolled_back,
            count(*) FILTER (WHERE outcome = 'refused') AS refused
        FROM release_outcomes LEFT JOIN farm_state USING (farm)
        LEFT JOIN (SELECT version, min(board) AS single FROM releases
                   GROUP BY version HAVING count(*) = 1) AS singles USING (version)
        GROUP BY 1, 2) AS outcomes USING (version, board)";

pub async fn read(pool: &PgPool) -> Result<Releases, sqlx::Error> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "{SELECT} ORDER BY releases.created_at DESC, rollback_index DESC, version DESC LIMIT $1"
    )))
    .bind(MOST)
    .fetch_all(pool)
    .await?;
    rollouts(&rows).map(Arc::new)
}

/// `None` if it is there already.
pub async fn insert(
    pool: &PgPool,
    release: &Release,
    wave_percent: u8,
) -> Result<Option<Rollout>, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let done = sqlx::query(
        "INSERT INTO releases (version, board, url, sha256, size, rollback_index, notes, wave_percent)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
    )
    .bind(&release.version)
    .bind(&release.board)
    .bind(&release.url)
    .bind(&release.sha256)
    .bind(release.size.cast_signed())
    .bind(release.rollback_index.cast_signed())
    .bind(&release.notes)
    .bind(i32::from(wave_percent))
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(None);
    }
    announce(&mut tx).await?;
    let boards = on_all_boards(&mut tx, &release.version).await?;
    tx.commit().await?;
    let mut boards = boards.into_iter();
    Ok(boards.find(|rollout| rollout.release.board == release.board))
}

/// `None` leaves a value as it is. Answers the release on each board; on none if it is
/// not known.
pub async fn update(
    pool: &PgPool,
    version: &str,
    wave_percent: Option<u8>,
    halted: Option<bool>,
) -> Result<Vec<Rollout>, sqlx::Error> {
    let mut tx = pool.begin().await?;
    lock(&mut tx, version).await?;
    sqlx::query(
        "UPDATE releases SET wave_percent = coalesce($2, wave_percent),
             halted = coalesce($3, halted),
             halted_at = CASE WHEN coalesce($3, halted) = halted THEN halted_at
                              WHEN $3 THEN now() END,
             halted_reason = CASE WHEN coalesce($3, halted) = halted THEN halted_reason END
         WHERE version = $1",
    )
    .bind(version)
    .bind(wave_percent.map(i32::from))
    .bind(halted)
    .execute(&mut *tx)
    .await?;
    announce(&mut tx).await?;
    let boards = on_all_boards(&mut tx, version).await?;
    tx.commit().await?;
    Ok(boards)
}

/// Keep others from changing a release until the end of the transaction. Its boards are
/// locked in the same order by all. Answers whether it is offered on any of them.
pub async fn lock(
    tx: &mut Transaction<'static, Postgres>,
    version: &str,
) -> Result<bool, sqlx::Error> {
    let halted: Vec<bool> = sqlx::query_scalar(
        "SELECT halted FROM releases WHERE version = $1 ORDER BY board FOR UPDATE",
    )
    .bind(version)
    .fetch_all(&mut **tx)
    .await?;
    Ok(halted.contains(&false))
}

/// For its rollbacks. Where it is halted already, that stays as it is.
pub async fn halt(
    tx: &mut Transaction<'static, Postgres>,
    version: &str,
    reason: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE releases SET halted = true, halted_at = now(), halted_reason = $2
         WHERE version = $1 AND NOT halted",
    )
    .bind(version)
    .bind(reason)
    .execute(&mut **tx)
    .await?;
    announce(tx).await
}

async fn announce(tx: &mut Transaction<'static, Postgres>) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_notify($1, '')")
        .bind(CHANNEL)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn on_all_boards(
    tx: &mut Transaction<'static, Postgres>,
    version: &str,
) -> Result<Vec<Rollout>, sqlx::Error> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "{SELECT} WHERE version = $1 ORDER BY board"
    )))
    .bind(version)
    .fetch_all(&mut **tx)
    .await?;
    rollouts(&rows)
}

fn rollouts(rows: &[PgRow]) -> Result<Vec<Rollout>, sqlx::Error> {
    rows.iter().map(rollout).collect()
}

fn rollout(row: &PgRow) -> Result<Rollout, sqlx::Error> {
    let whole = |name| row.try_get::<i64, _>(name).map(i64::cast_unsigned);
    let percent: i32 = row.try_get("wave_percent")?;
    Ok(Rollout {
        release: Release {
            version: row.try_get("version")?,
            board: row.try_get("board")?,
            url: row.try_get("url")?,
            sha256: row.try_get("sha256")?,
            size: whole("size")?,
            rollback_index: whole("rollback_index")?,
            notes: row.try_get("notes")?,
        },
        // The table bounds it.
        wave_percent: u8::try_from(percent).unwrap_or(0),
        halted: row.try_get("halted")?,
        halted_at: row.try_get("halted_at")?,
        halted_reason: row.try_get("halted_reason")?,
        outcomes: Counts {
            kept: whole("kept")?,
            rolled_back: whole("rolled_back")?,
            refused: whole("refused")?,
        },
        created_at: row.try_get("created_at")?,
    })
}
