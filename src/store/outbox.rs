//! Reports that central does not have yet, and the shares that stand in none.
//!
//! ```text
//!   share totals --same transaction--> unreported --save: same transaction--> a row that waits
//!           delivered: no reader shows it, gone with the next transaction <--'  `--> set aside, with why
//! ```
//! A share is in `unreported` or in one report, never in both and never in
//! neither, whenever the power fails.

use super::rows::{cut, int};
use super::{Limits, Record, locked};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use smart_mining_wire::Report;
use smart_mining_wire::report::{AlgorithmReport, Shares};
use std::collections::BTreeSet;
use std::sync::Mutex;

/// How many refused reports are kept for a person to look at.
const SET_ASIDE: i64 = 50;
/// In `meta`: how many reports were dropped for want of room, ever.
const DROPPED: &str = "reports-dropped";

/// What the outbox is asked to do.
#[derive(Debug)]
pub(super) enum Change {
    Save(Report),
    SetAside {
        id: String,
        why: String,
    },
    /// The file that this one is a copy of will tell these shares.
    LeaveShares,
}

/// The ids of reports that central has, until they are deleted: a transaction of their
/// own would cost the card as much as the report did.
#[derive(Default)]
pub(super) struct Delivered(Mutex<BTreeSet<String>>);

impl Delivered {
    pub fn add(&self, ids: &[String]) {
        locked(&self.0).extend(ids.iter().cloned());
    }

    /// Written, or given up: then they are sent again.
    pub fn gone(&self, record: &Record) {
        if let Record::Delivered(ids) = record {
            let mut known = locked(&self.0);
            for id in ids {
                known.remove(id);
            }
        }
    }

    fn has(&self, id: &str) -> bool {
        locked(&self.0).contains(id)
    }
}

/// A report as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub id: String,
    /// JSON.
    pub body: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxState {
    pub waiting: u64,
    /// When the oldest that waits was made, in unix seconds on the appliance's clock.
    pub oldest_at: Option<u64>,
    /// Those that central refused, as far as they are kept.
    pub set_aside: u64,
    /// Dropped for want of room before central had them, since the store was made.
    pub dropped: u64,
}

pub(super) fn apply(
    transaction: &Transaction<'_>,
    change: &Change,
    limits: &Limits,
) -> rusqlite::Result<()> {
    match change {
        Change::Save(report) => save(transaction, report.clone(), limits),
        Change::SetAside { id, why } => set_aside(transaction, id, why),
        Change::LeaveShares => transaction.execute("DELETE FROM unreported", ()).map(drop),
    }
}

fn save(
    transaction: &Transaction<'_>,
    mut report: Report,
    limits: &Limits,
) -> rusqlite::Result<()> {
    take_shares(transaction, &mut report)?;
    // Plain data with finite numbers: serialising it cannot fail.
    let body = serde_json::to_string(&report).unwrap_or_default();
    transaction.execute(
        "INSERT INTO outbox (id, created_at, body) VALUES (?1, ?2, ?3)",
        params![report.id, int(report.created_at), body],
    )?;
    let dropped = transaction.execute(
        "DELETE FROM outbox WHERE refused IS NULL AND position <=
            (SELECT position FROM outbox WHERE refused IS NULL
             ORDER BY position DESC LIMIT 1 OFFSET ?1)",
        [i64::try_from(limits.reports.max(1)).unwrap_or(i64::MAX)],
    )?;
    if dropped > 0 {
        let add = "INSERT INTO meta (key, value) VALUES (?1, ?2)
                   ON CONFLICT (key) DO UPDATE SET value = value + excluded.value";
        transaction.execute(add, params![DROPPED, dropped.to_string()])?;
    }
    Ok(())
}

/// Move everything that no report has into this one.
fn take_shares(transaction: &Transaction<'_>, report: &mut Report) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare(
        "DELETE FROM unreported RETURNING algorithm, accepted, rejected, stale, unknown, lost",
    )?;
    let count = |row: &rusqlite::Row<'_>, index| -> rusqlite::Result<u64> {
        Ok(row.get::<_, i64>(index)?.try_into().unwrap_or(0))
    };
    let rows = statement.query_map((), |row| {
        let shares = Shares {
            accepted: count(row, 1)?,
            rejected: count(row, 2)?,
            stale: count(row, 3)?,
            unknown: count(row, 4)?,
            lost: count(row, 5)?,
        };
        Ok((row.get::<_, String>(0)?, shares))
    })?;
    for row in rows {
        let (name, shares) = row?;
        // An algorithm that only another release knows cannot be told to central.
        let Ok(algorithm) = name.parse() else {
            continue;
        };
        // Its listener may have gone since the shares were found.
        let entry = report
            .algorithms
            .entry(algorithm)
            .or_insert(AlgorithmReport {
                route: None,
                hashrate: 0.0,
                shares: Shares::default(),
                miners: 0,
            });
        entry.shares = shares;
    }
    Ok(())
}

fn set_aside(transaction: &Transaction<'_>, id: &str, why: &str) -> rusqlite::Result<()> {
    let row = params![id, cut(why)];
    transaction.execute("UPDATE outbox SET refused = ?2 WHERE id = ?1", row)?;
    let old = "DELETE FROM outbox WHERE refused IS NOT NULL AND position <=
                (SELECT position FROM outbox WHERE refused IS NOT NULL
                 ORDER BY position DESC LIMIT 1 OFFSET ?1)";
    transaction.execute(old, [SET_ASIDE]).map(drop)
}

/// Oldest first.
pub(super) fn waiting(
    db: &Connection,
    delivered: &Delivered,
    limit: usize,
) -> rusqlite::Result<Vec<Waiting>> {
    let mut statement =
        db.prepare("SELECT id, body FROM outbox WHERE refused IS NULL ORDER BY position")?;
    let rows = statement.query_map((), |row| {
        // A card that turned a bit must not keep the others from being read.
        let text = |index| -> rusqlite::Result<String> {
            Ok(String::from_utf8_lossy(row.get_ref(index)?.as_bytes()?).into_owned())
        };
        Ok(Waiting {
            id: text(0)?,
            body: text(1)?,
        })
    })?;
    let waits = |row: &rusqlite::Result<Waiting>| match row {
        Ok(report) => !delivered.has(&report.id),
        Err(_) => true,
    };
    rows.filter(waits).take(limit).collect()
}

pub(super) fn state(db: &Connection, delivered: &Delivered) -> rusqlite::Result<OutboxState> {
    let unsigned = |value: i64| u64::try_from(value).unwrap_or(0);
    let mut state = OutboxState::default();
    let mut statement =
        db.prepare("SELECT id, created_at, refused IS NULL FROM outbox ORDER BY position")?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let id = String::from_utf8_lossy(row.get_ref(0)?.as_bytes()?);
        match row.get(2)? {
            true if delivered.has(&id) => {}
            true => {
                state.waiting += 1;
                state.oldest_at.get_or_insert(unsigned(row.get(1)?));
            }
            false => state.set_aside += 1,
        }
    }
    let dropped = "SELECT CAST(value AS INTEGER) FROM meta WHERE key = ?1";
    let dropped: Option<i64> = db
        .query_row(dropped, [DROPPED], |row| row.get(0))
        .optional()?;
    state.dropped = unsigned(dropped.unwrap_or(0));
    Ok(state)
}
