//! The connection to PostgreSQL: how it is named, opened and spoken of in errors.

mod password;

pub use password::PasswordError;

use crate::migrations::{self, MigrationError};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::str::FromStr;
use std::time::Duration;

/// Long-polls never touch the database, so a replica needs few connections.
const MAX_CONNECTIONS: u32 = 5;
/// A request that needs the database learns soon that it is away.
const ACQUIRE: Duration = Duration::from_secs(3);

#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The URL itself is not shown: it may hold a password.
    #[error(
        "the database URL is not usable: {0}; write it as \
         postgres://USER:PASSWORD@HOST:5432/NAME in --database-url or DATABASE_URL"
    )]
    Url(sqlx::Error),
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(
        "{target} cannot be used: {source}; is PostgreSQL up, and is --database-url (or DATABASE_URL) right?"
    )]
    Unusable {
        target: String,
        source: MigrationError,
    },
}

/// A pool that connects when it is first used, and what to call it in logs.
#[derive(Clone, Debug)]
pub struct Database {
    pub pool: PgPool,
    /// "database NAME at HOST:PORT", without user or password.
    pub target: String,
}

impl Database {
    /// Does no I/O, so that a service can start before its database does.
    pub fn lazy(url: &str) -> Result<Self, DatabaseError> {
        // sqlx takes any scheme, and would then try to speak PostgreSQL with a stranger.
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            let error = sqlx::Error::Configuration("it does not start with postgres://".into());
            return Err(DatabaseError::Url(error));
        }
        let mut options = PgConnectOptions::from_str(url).map_err(DatabaseError::Url)?;
        if let Some(password) = password::given()? {
            options = options.password(&password);
        }
        let place = options.get_socket().map_or_else(
            || format!("{}:{}", options.get_host(), options.get_port()),
            |socket| socket.display().to_string(),
        );
        let name = options.get_database().unwrap_or(options.get_username());
        Ok(Self {
            target: format!("database {name:?} at {place}"),
            pool: PgPoolOptions::new()
                .max_connections(MAX_CONNECTIONS)
                .acquire_timeout(ACQUIRE)
                .connect_lazy_with(options),
        })
    }

    /// For commands: connect and migrate now, or say why not.
    pub async fn ready(url: &str) -> Result<Self, DatabaseError> {
        let database = Self::lazy(url)?;
        match migrations::apply(&database.pool).await {
            Ok(()) => Ok(database),
            Err(source) => Err(DatabaseError::Unusable {
                target: database.target,
                source,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_never_part_of_a_message() {
        let url = "postgres://central:hunter2@db.example:5433/mining";
        let database = Database::lazy(url).expect("a good URL");
        assert_eq!(database.target, "database \"mining\" at db.example:5433");
        let refused = Database::lazy("http://central:hunter2@db.example/mining");
        assert!(
            !refused
                .expect_err("not PostgreSQL")
                .to_string()
                .contains("hunter2")
        );
    }
}
