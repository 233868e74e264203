//! What is old enough to go, and what has to make room.
//!
//! Rows are old by the time that the newest books bear, and never by the clock of the
//! moment: an appliance without a clock of its own must not age its history by a wrong
//! one. Should the books themselves bear a time far ahead, little is lost: of each table
//! hardly more goes at a time than came.

use super::rows::int;
use super::{Limits, Record};
use rusqlite::{OptionalExtension, Transaction};
use std::time::Duration;

/// Rows that go at a time beyond twice those that came.
const SLACK: u64 = 100;

/// Rows written since the last pruning.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Written {
    minutes: u64,
    workers: u64,
    miners: u64,
}

impl Written {
    /// Whatever is old enough goes.
    pub const ALL: Self = Self {
        minutes: u32::MAX as u64,
        workers: u32::MAX as u64,
        miners: u32::MAX as u64,
    };

    pub fn add(&mut self, record: &Record) {
        match record {
            Record::Books(books) => {
                self.minutes += books.totals.len() as u64;
                self.miners += books.miners.len() as u64;
            }
            Record::ByWorker(totals) => self.workers += totals.len() as u64,
            Record::Event { .. }
            | Record::Decision(_)
            | Record::Delivered(_)
            | Record::Meta { .. }
            | Record::Name { .. } => {}
        }
    }
}

/// One table whose rows are kept by their time.
struct Table {
    name: &'static str,
    time: &'static str,
    keep: Duration,
    rows: u64,
    written: u64,
}

pub(super) fn prune(
    transaction: &Transaction<'_>,
    limits: &Limits,
    written: Written,
    now: Option<u64>,
) -> rusqlite::Result<()> {
    let old = "DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?1";
    transaction.execute(old, [int(limits.events)])?;
    let old = "DELETE FROM decisions WHERE id <= (SELECT max(id) FROM decisions) - ?1";
    transaction.execute(old, [int(limits.decisions)])?;
    let table = |name, time, keep, rows, written| Table {
        name,
        time,
        keep,
        rows,
        written,
    };
    let (hours, minutes) = (limits.hours, limits.minutes);
    let tables = [
        table(
            "share_totals",
            "minute",
            minutes,
            limits.minute_rows,
            written.minutes,
        ),
        table(
            "share_hours",
            "hour",
            hours,
            limits.hour_rows,
            written.minutes,
        ),
        table(
            "worker_hours",
            "hour",
            hours,
            limits.worker_rows,
            written.workers,
        ),
        table(
            "miner_counts",
            "at",
            hours,
            limits.miner_rows,
            written.miners,
        ),
    ];
    for table in tables {
        table.make_room(transaction)?;
        if let Some(now) = now {
            table.let_old_go(transaction, now)?;
        }
    }
    Ok(())
}

impl Table {
    /// The oldest go, the whole of a time at once.
    fn make_room(&self, db: &Transaction<'_>) -> rusqlite::Result<()> {
        let Self { name, time, .. } = self;
        let count: i64 = db.query_row(&format!("SELECT count(*) FROM {name}"), (), |row| {
            row.get(0)
        })?;
        let over = count - int(self.rows);
        if over <= 0 {
            return Ok(());
        }
        let last = format!("SELECT {time} FROM {name} ORDER BY {time} LIMIT 1 OFFSET ?1");
        let last: i64 = db.query_row(&last, [over - 1], |row| row.get(0))?;
        let old = format!("DELETE FROM {name} WHERE {time} <= ?1");
        db.execute(&old, [last]).map(drop)
    }

    fn let_old_go(&self, db: &Transaction<'_>, now: u64) -> rusqlite::Result<()> {
        let Self { name, time, .. } = self;
        let oldest = int(now.saturating_sub(self.keep.as_secs()));
        let most = int(2 * self.written + SLACK);
        let first_kept = format!(
            "SELECT {time} FROM {name} WHERE {time} < ?1 ORDER BY {time} LIMIT 1 OFFSET ?2"
        );
        let first_kept: Option<i64> = db
            .query_row(&first_kept, [oldest, most], |row| row.get(0))
            .optional()?;
        let old = format!("DELETE FROM {name} WHERE {time} < ?1");
        db.execute(&old, [first_kept.unwrap_or(oldest)]).map(drop)
    }
}
