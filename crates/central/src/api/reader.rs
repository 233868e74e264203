//! The database as requests use it: bounded in time, and known to be away at once.
//!
//! Its connections are its own, so that requests cannot starve the feed, and each
//! statement on them is ended by the server after [`STATEMENT`]. While the feed has no
//! connection nothing is tried: a request is told so without waiting.

use super::feed::View;
use super::problem::Problem;
use axum::http::StatusCode;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use std::time::Duration;
use tokio::time::timeout;

const CONNECTIONS: u32 = 8;
const ACQUIRE: Duration = Duration::from_secs(3);
const STATEMENT: &str = "SET statement_timeout = '5s'";
/// Of all that one request asks; a server that does not even answer ends here.
const WHOLE: Duration = Duration::from_secs(9);
/// PostgreSQL's `query_canceled`.
const CANCELLED: &str = "57014";

#[derive(Clone)]
pub struct Reader {
    pub pool: PgPool,
    feed: View,
}

impl Reader {
    pub fn new(pool: &PgPool, feed: View) -> Self {
        let options = (*pool.connect_options()).clone();
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    sqlx::query(STATEMENT).execute(connection).await?;
                    Ok(())
                })
            })
            .connect_lazy_with(options);
        Self { pool, feed }
    }

    /// Carry out `work` on [`Reader::pool`].
    pub async fn run<T, E: Into<Problem>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Problem> {
        if !self.feed.database_is_up() {
            return Err(Problem::database_away());
        }
        match timeout(WHOLE, work).await {
            Ok(result) => result.map_err(Into::into),
            Err(_) => Err(too_slow()),
        }
    }
}

fn too_slow() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "database-slow",
        "the database did not answer in time; ask for less at once, or ask again",
    )
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        if let Some(told) = error.as_database_error() {
            let code = told.code().unwrap_or_default();
            if code == CANCELLED {
                return too_slow();
            }
            // 08 connection, 40 a transaction to be tried again, 53 resources,
            // 57 the server is going down; 3D and 42P01 while it is being restored.
            let passing = ["08", "40", "53", "57", "3D", "42P01"];
            if !passing.iter().any(|class| code.starts_with(class)) {
                log::error!("a query failed: {error}");
                return Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal",
                    "a query failed; the log of this replica says why",
                );
            }
        }
        log::warn!("the database cannot be used: {error}");
        Self::database_away()
    }
}
