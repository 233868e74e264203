//! The schema's history: append-only, one file a step, applied at start.

use super::StoreError;
use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};
use std::path::Path;

/// "SMIN", as the first step writes it.
const APPLICATION_ID: i64 = 1_397_573_966;

const STEPS: &[M<'static>] = &[
    M::up(include_str!("../../migrations-sqlite/0001_snapshots.sql")),
    M::up(include_str!("../../migrations-sqlite/0002_history.sql")),
    M::up(include_str!("../../migrations-sqlite/0003_outbox.sql")),
    M::up(include_str!("../../migrations-sqlite/0004_reports.sql")),
    M::up(include_str!("../../migrations-sqlite/0005_shares.sql")),
    M::up(include_str!("../../migrations-sqlite/0006_hours.sql")),
];

/// The schema version that this release writes.
pub const VERSION: i64 = STEPS.len() as i64;

/// No release will ever write a higher one: beyond it, the header is damaged.
pub(super) const PLAUSIBLE: i64 = 10_000;

pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", (), |row| row.get(0))
}

/// Whether an earlier release wrote it.
pub(super) fn is_older(connection: &Connection) -> rusqlite::Result<bool> {
    Ok((1..VERSION).contains(&version(connection)?))
}

/// Whether the file is a store of ours, or still an empty one.
pub(super) fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    let id: i64 = connection.query_row("PRAGMA application_id", (), |row| row.get(0))?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
    Ok(id == APPLICATION_ID || (id == 0 && tables == 0))
}

/// Bring a store to this release's schema; each step is one transaction.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let steps = Migrations::from_slice(STEPS);
    let Err(error) = steps.to_latest(connection) else {
        return Ok(());
    };
    if let rusqlite_migration::Error::RusqliteError { err, .. } = error {
        return Err(StoreError::Sqlite {
            path: path.to_owned(),
            what: "bring it to this release's schema",
            source: err,
        });
    }
    Err(StoreError::Schema(error.to_string()))
}

/// For tests of a store that an earlier release left behind.
#[doc(hidden)]
pub fn migrate_to(connection: &mut Connection, version: usize) -> Result<(), String> {
    let steps = Migrations::from_slice(STEPS);
    steps
        .to_version(connection, version)
        .map_err(|error| error.to_string())
}
