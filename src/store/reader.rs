//! Reading history, on a connection of its own: a slow page never holds up the writer.

use super::Shared;
use super::open::{connect_to_read, sqlite};
use super::outbox::{self, OutboxState, Waiting};
use super::rows::{NAME, count, int};
use super::{Decision, DecisionRow, EventRow, MinuteTotal, StoreError, WorkerTotal};
use crate::counts::Counts;
use rusqlite::{Connection, OptionalExtension, Params, Row};
use smart_mining_core::share::WorkerName;
use smart_mining_wire::Algorithm;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One read-only connection; give each thread its own.
pub struct Reader {
    connection: Connection,
    path: PathBuf,
    shared: Arc<Shared>,
}

impl Reader {
    pub(super) fn open(path: &Path, shared: Arc<Shared>) -> Result<Self, StoreError> {
        Ok(Self {
            connection: connect_to_read(path)?,
            path: path.to_owned(),
            shared,
        })
    }

    fn fault(&self, source: rusqlite::Error) -> StoreError {
        sqlite(&self.path, "read it", source)
    }

    /// What is read inside stands at one moment, whatever is written meanwhile.
    pub fn at_once<T>(
        &self,
        read: impl FnOnce(&Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let transaction = self.connection.unchecked_transaction();
        let _moment = transaction.map_err(|source| self.fault(source))?;
        read(self)
    }

    /// What `row` makes of each row; `None` passes one over.
    pub(super) fn rows<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        row: impl Fn(&Row<'_>) -> rusqlite::Result<Option<T>>,
    ) -> Result<Vec<T>, StoreError> {
        let read = || -> rusqlite::Result<Vec<T>> {
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map(parameters, row)?;
            rows.filter_map(Result::transpose).collect()
        };
        read().map_err(|source| self.fault(source))
    }

    /// Newest first.
    pub fn events(&self, limit: usize) -> Result<Vec<EventRow>, StoreError> {
        self.events_before(limit, None, None)
    }

    /// Newest first.
    pub fn decisions(&self, limit: usize) -> Result<Vec<DecisionRow>, StoreError> {
        let sql = "SELECT id, at, algorithm, from_pool, to_pool, coin, rule, text, detail
                   FROM decisions ORDER BY id DESC LIMIT ?1";
        self.rows(sql, [count(limit)], decision)
    }

    /// Every minute from `since` (unix seconds) on, oldest first.
    pub fn totals(&self, since: u64) -> Result<Vec<MinuteTotal>, StoreError> {
        let sql = format!(
            "SELECT minute, algorithm, pool, {COUNTS}, usd FROM share_totals
             WHERE minute >= ?1 ORDER BY minute, algorithm, pool"
        );
        let total = |at, algorithm, of: &str, row: &Row<'_>| {
            Ok(MinuteTotal {
                minute: at,
                algorithm,
                pool: of.into(),
                counts: counts(row)?,
                usd: row.get(12)?,
            })
        };
        self.rows(&sql, [int(since)], |row| keyed(row, total))
    }

    /// Every hour from `since` (unix seconds) on, oldest first.
    pub fn workers(&self, since: u64) -> Result<Vec<WorkerTotal>, StoreError> {
        let sql = format!(
            "SELECT hour, algorithm, worker, {COUNTS} FROM worker_hours
             WHERE hour >= ?1 ORDER BY hour, algorithm, worker"
        );
        let total = |at, algorithm, of: &str, row: &Row<'_>| {
            Ok(WorkerTotal {
                hour: at,
                algorithm,
                worker: name(of),
                counts: counts(row)?,
            })
        };
        self.rows(&sql, [int(since)], |row| keyed(row, total))
    }

    /// The reports that wait for central, oldest first.
    pub fn waiting_reports(&self, limit: usize) -> Result<Vec<Waiting>, StoreError> {
        outbox::waiting(&self.connection, &self.shared.delivered, limit)
            .map_err(|source| self.fault(source))
    }

    pub fn outbox(&self) -> Result<OutboxState, StoreError> {
        outbox::state(&self.connection, &self.shared.delivered).map_err(|source| self.fault(source))
    }

    /// What people call workers, by the worker.
    pub fn names(&self) -> Result<BTreeMap<String, String>, StoreError> {
        // `;` is what comes after `:`.
        let sql = "SELECT substr(key, ?1), value FROM meta WHERE key >= 'name:' AND key < 'name;'";
        let read = || -> rusqlite::Result<BTreeMap<String, String>> {
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map([count(NAME.len()) + 1], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
            rows.collect()
        };
        read().map_err(|source| self.fault(source))
    }

    pub fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.connection
            .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| {
                row.get(0)
            })
            .optional()
            .map_err(|source| self.fault(source))
    }
}

pub(super) fn event(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow {
        id: row.get(0)?,
        at: unsigned(row, 1)?,
        code: row.get(2)?,
        subject: row.get(3)?,
        text: row.get(4)?,
    })
}

pub(super) fn unsigned(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(index)?.try_into().unwrap_or(0))
}

/// A row with an algorithm that only another release knows is passed over.
pub(super) fn decision(row: &Row<'_>) -> rusqlite::Result<Option<DecisionRow>> {
    let Ok(algorithm) = row.get::<_, String>(2)?.parse() else {
        return Ok(None);
    };
    Ok(Some(DecisionRow {
        id: row.get(0)?,
        decision: Decision {
            at: unsigned(row, 1)?,
            algorithm,
            from_pool: row.get(3)?,
            to_pool: row.get(4)?,
            coin: row.get(5)?,
            rule: row.get(6)?,
            text: row.get(7)?,
            detail: row.get(8)?,
        },
    }))
}

/// In the order of [`counts`].
pub(super) const COUNTS: &str = "accepted, local, rejected, stale, unknown, lost, refused_here,
    difficulty_accepted, work";

/// From the fourth column on.
pub(super) fn counts(row: &Row<'_>) -> rusqlite::Result<Counts> {
    Ok(Counts {
        accepted: unsigned(row, 3)?,
        local: unsigned(row, 4)?,
        rejected: unsigned(row, 5)?,
        stale: unsigned(row, 6)?,
        unknown: unsigned(row, 7)?,
        lost: unsigned(row, 8)?,
        refused_here: unsigned(row, 9)?,
        difficulty_accepted: row.get(10)?,
        work: row.get(11)?,
    })
}

/// A time, an algorithm, and whose it is. One with an algorithm that only another
/// release knows is passed over.
pub(super) fn keyed<T>(
    row: &Row<'_>,
    make: impl Fn(u64, Algorithm, &str, &Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    let Ok(algorithm) = row.get_ref(1)?.as_str()?.parse() else {
        return Ok(None);
    };
    make(unsigned(row, 0)?, algorithm, row.get_ref(2)?.as_str()?, row).map(Some)
}

/// As much of it as a name may have; this release writes none that is longer.
fn name(text: &str) -> WorkerName {
    let mut name = WorkerName::new();
    // Stops at the first character that has no room.
    let _ = text.chars().try_for_each(|character| name.push(character));
    name
}
