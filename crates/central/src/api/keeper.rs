//! The task that does what no request should wait for: it writes when farms were seen,
//! forgets old reports, and lets go of what memory no longer needs.
//!
//! Each round is bounded, and none of it is lost if a round fails: the next one goes on.
//! It writes once more when the process stops.

use super::App;
use super::stopped;
use sqlx::PgPool;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// So often farms' times are written.
pub const SEEN_EVERY: Duration = Duration::from_secs(60);
/// Reports go after this.
const KEEP: &str = "30 days";
/// Rows of one statement, and statements of one round.
const ROWS: i64 = 2_000;
const STATEMENTS: usize = 20;
/// For the last write of a process that stops.
const LAST: Duration = Duration::from_secs(2);
/// Any constant will do, so long as no other part of central takes the same lock.
const LOCK: i64 = 0x736d_7072_756e_6521;

pub async fn run(app: App, every: Duration, stop: watch::Receiver<bool>) {
    tokio::select! {
        () = keep(&app, every) => {}
        () = stopped(stop) => {}
    }
    if app.feed.database_is_up() {
        let last = timeout(LAST, app.seen.write(&app.reader.pool)).await;
        if !matches!(last, Ok(Ok(()))) {
            log::warn!("when farms were last seen could not be written");
        }
    }
}

async fn keep(app: &App, every: Duration) {
    let mut rounds = interval(every);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is at once, when there is nothing to do.
    rounds.tick().await;
    loop {
        rounds.tick().await;
        app.limits.forget();
        if !app.feed.database_is_up() {
            continue;
        }
        if let Err(error) = app.seen.write(&app.reader.pool).await {
            log::warn!("when farms were last seen could not be written: {error}; trying again");
            continue;
        }
        match prune(&app.reader.pool).await {
            Ok(0) => {}
            Ok(rows) => log::info!("{rows} reports older than {KEEP} are gone"),
            Err(error) => log::warn!("old reports could not be removed: {error}; trying again"),
        }
    }
}

/// One replica at a time; another one that tries does nothing.
async fn prune(pool: &PgPool) -> Result<u64, sqlx::Error> {
    let mut rows = 0;
    for _ in 0..STATEMENTS {
        let mut tx = pool.begin().await?;
        let mine: bool = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)")
            .bind(LOCK)
            .fetch_one(&mut *tx)
            .await?;
        if !mine {
            break;
        }
        let gone = sqlx::query(
            "DELETE FROM reports WHERE (farm, id) IN
                 (SELECT farm, id FROM reports WHERE received_at < now() - $1::text::interval
                  ORDER BY received_at LIMIT $2)",
        )
        .bind(KEEP)
        .bind(ROWS)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        tx.commit().await?;
        rows += gone;
        if gone < ROWS.cast_unsigned() {
            break;
        }
    }
    Ok(rows)
}
