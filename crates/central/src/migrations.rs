//! The schema, embedded in the binary and applied at start.
//!
//! One transaction under one advisory lock: two processes that start at the same
//! moment apply each step once, and a step that fails leaves nothing behind. A
//! database that is *newer* than this build is accepted, so that replicas of the
//! former version go on serving while a new one rolls out.
//!
//! sqlx has a migrator of its own, which cannot be used here: its cargo feature
//! names the SQLite driver, whose C library then clashes with the appliance's.

use sha2::{Digest, Sha256};
use sqlx::{PgPool, Postgres, Transaction};

/// Any constant will do, so long as no other part of central takes the same lock.
const LOCK: i64 = 0x736d_6d69_6772_6174;

struct Step {
    version: i32,
    name: &'static str,
    sql: &'static str,
}

const STEPS: &[Step] = &[
    Step {
        version: 1,
        name: "ranking and farms",
        sql: include_str!("../migrations/0001_ranking_and_farms.sql"),
    },
    Step {
        version: 2,
        name: "what the ranking rests on",
        sql: include_str!("../migrations/0002_what_the_ranking_rests_on.sql"),
    },
    Step {
        version: 3,
        name: "reports, fleet and releases",
        sql: include_str!("../migrations/0003_reports_fleet_releases.sql"),
    },
    Step {
        version: 4,
        name: "x16r",
        sql: include_str!("../migrations/0004_x16r.sql"),
    },
    Step {
        version: 5,
        name: "outcomes of releases",
        sql: include_str!("../migrations/0005_outcomes_of_releases.sql"),
    },
    Step {
        version: 6,
        name: "fleet page",
        sql: include_str!("../migrations/0006_fleet_page.sql"),
    },
];

#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(
        "migration {version} ({name}) was applied to this database from another text; \
         use a database made by a released version, or an empty one"
    )]
    Differs { version: i32, name: &'static str },
    #[error("migration {version} ({name}) failed: {source}")]
    Failed {
        version: i32,
        name: &'static str,
        source: sqlx::Error,
    },
}

/// Bring the schema up to this build's version. Safe to call at every start.
pub async fn apply(pool: &PgPool) -> Result<(), MigrationError> {
    let mut tx = pool.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(&mut *tx)
        .await?;
    sqlx::raw_sql(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
             version    integer PRIMARY KEY,
             name       text NOT NULL,
             sha256     bytea NOT NULL,
             applied_at timestamptz NOT NULL DEFAULT now())",
    )
    .execute(&mut *tx)
    .await?;
    for step in STEPS {
        apply_step(&mut tx, step).await?;
    }
    Ok(tx.commit().await?)
}

async fn apply_step(
    tx: &mut Transaction<'static, Postgres>,
    step: &Step,
) -> Result<(), MigrationError> {
    let Step { version, name, sql } = *step;
    let hash = Sha256::digest(sql).to_vec();
    let applied: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT sha256 FROM schema_migrations WHERE version = $1")
            .bind(version)
            .fetch_optional(&mut **tx)
            .await?;
    match applied {
        Some(known) if known == hash => return Ok(()),
        Some(_) => return Err(MigrationError::Differs { version, name }),
        None => {}
    }
    sqlx::raw_sql(sql)
        .execute(&mut **tx)
        .await
        .map_err(|source| MigrationError::Failed {
            version,
            name,
            source,
        })?;
    sqlx::query("INSERT INTO schema_migrations (version, name, sha256) VALUES ($1, $2, $3)")
        .bind(version)
        .bind(name)
        .bind(hash)
        .execute(&mut **tx)
        .await?;
    log::info!("database migrated to version {version} ({name})");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_numbered_from_one_without_a_gap() {
        let versions: Vec<i32> = STEPS.iter().map(|step| step.version).collect();
        let expected: Vec<i32> = (1..).take(STEPS.len()).collect();
        assert_eq!(versions, expected);
    }
}
