//! Which of several aggregators works.
//!
//! ```text
//!   standing by --lock taken--> leading --connection lost--> standing by
//!        ^  | every 2 s: try
//!        `--'
//! ```
//!
//! The lock is an advisory one of a session, and everything is written over that very
//! session: an aggregator that lost it cannot publish by mistake. PostgreSQL frees it
//! when the session ends: at once when the process dies, within some ten seconds when
//! its machine or its network does, for which the session asks the server to watch
//! the connection closely.

use crate::db::Database;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use std::time::Duration;
use tokio::time::timeout;

const LOCK: i64 = 0x736d_6c65_6164_6572;
pub const TRY_EVERY: Duration = Duration::from_secs(2);
/// A statement that takes longer is a database that is away.
const ANSWER: Duration = Duration::from_secs(5);
/// What the server does to find out that the other side is gone.
const WATCH: &str = "SET tcp_keepalives_idle = 2; SET tcp_keepalives_interval = 2;
     SET tcp_keepalives_count = 2; SET tcp_user_timeout = 6000;
     SET statement_timeout = '20s'; SET idle_in_transaction_session_timeout = '20s'";

#[derive(Debug, thiserror::Error)]
pub enum LeaderError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("no answer within {} s", ANSWER.as_secs())]
    Slow,
}

/// The session that holds the lock; whoever has it is the one that publishes.
pub struct Lead {
    pub connection: PgConnection,
}

impl Lead {
    /// Try once: `None` when another aggregator leads.
    pub async fn try_take(database: &Database) -> Result<Option<Self>, LeaderError> {
        let options = database.pool.connect_options();
        let connecting = async {
            let mut connection = options.connect().await?;
            sqlx::raw_sql(WATCH).execute(&mut connection).await?;
            let taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
                .bind(LOCK)
                .fetch_one(&mut connection)
                .await?;
            Ok::<_, sqlx::Error>((connection, taken))
        };
        let (connection, taken) = timeout(ANSWER, connecting)
            .await
            .map_err(|_| LeaderError::Slow)??;
        if taken {
            return Ok(Some(Self { connection }));
        }
        // A session that is not needed; an error in closing it changes nothing.
        let _ = connection.close().await;
        Ok(None)
    }

    /// Is the session still there?
    pub async fn check(&mut self) -> Result<(), LeaderError> {
        let ping = self.connection.ping();
        Ok(timeout(ANSWER, ping)
            .await
            .map_err(|_| LeaderError::Slow)??)
    }

    /// Give the lock to whoever waits for it.
    pub async fn resign(self) {
        let _ = timeout(ANSWER, self.connection.close()).await;
    }
}
