//! Each time that the appliance ran, and how the time before ended.
//!
//! ```text
//!   open: a row, unclean --each hand-over: seen--> ... --close: clean
//!                                                   `--nothing: the next open finds it unclean
//! ```
//! An unclean end in another boot is a power cut or a reset; in the same boot the program
//! ended by itself, or was killed.
//!
//! A board without a battery starts with a clock that is behind, and puts it right later.
//! So each sign of life says anew when the run began: by the clock of then, less the
//! time that the run has lasted.

use super::rows::int;
use rusqlite::{Connection, OptionalExtension, params};

/// In `meta`: power cuts that were found, since the store was made.
const POWER_CUTS: &str = "power-cuts";
/// Runs that are kept: a year of five starts a day.
const KEPT: i64 = 2000;

/// A sign of life that comes with the books.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alive {
    /// Unix seconds.
    pub now: u64,
    pub started_at: u64,
    /// How often the books were handed over in this run.
    pub generation: u64,
}

/// A run that is over, or the one that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub boot: String,
    pub started_at: u64,
    pub seen_at: u64,
    pub clean: bool,
}

/// The kernel's name of this boot; empty where it has none.
fn boot() -> String {
    let path = "/proc/sys/kernel/random/boot_id";
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.trim().to_owned()
}

/// What is known of power cuts as a run begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PowerCuts {
    /// Found at starts, since the store was made.
    pub all: u64,
    /// The run before ended by one: its last sign of life, in unix seconds.
    pub last_seen: Option<u64>,
}

/// A run begins.
pub(super) fn begin(db: &mut Connection, now: u64) -> rusqlite::Result<PowerCuts> {
    let boot = boot();
    let transaction = db.transaction()?;
    let last: Option<(String, bool, i64)> = transaction
        .query_row(
            "SELECT boot, clean, seen_at FROM runs ORDER BY id DESC LIMIT 1",
            (),
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let cut = last.filter(|(before, clean, _)| !clean && *before != boot);
    if cut.is_some() {
        let add = "INSERT INTO meta (key, value) VALUES (?1, '1')
                   ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1";
        transaction.execute(add, [POWER_CUTS])?;
    }
    let row = params![boot, int(now)];
    let insert = "INSERT INTO runs (boot, started_at, seen_at, clean, generation)
                  VALUES (?1, ?2, ?2, 0, 0)";
    transaction.execute(insert, row)?;
    let old = "DELETE FROM runs WHERE id <= (SELECT max(id) FROM runs) - ?1";
    transaction.execute(old, [KEPT])?;
    let all = power_cuts(&transaction)?;
    transaction.commit()?;
    Ok(PowerCuts {
        all,
        last_seen: cut.and_then(|(_, _, seen)| seen.try_into().ok()),
    })
}

fn power_cuts(db: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT CAST(value AS INTEGER) FROM meta WHERE key = ?1";
    let cuts: Option<i64> = db
        .query_row(sql, [POWER_CUTS], |row| row.get(0))
        .optional()?;
    Ok(cuts.and_then(|cuts| cuts.try_into().ok()).unwrap_or(0))
}

const SEEN: &str = "UPDATE runs SET started_at = ?1, seen_at = ?2, generation = ?3
                    WHERE id = (SELECT max(id) FROM runs)";

pub(super) fn seen<'t>(db: &'t Connection) -> rusqlite::Result<rusqlite::Statement<'t>> {
    db.prepare(SEEN)
}

pub(super) fn seen_row(alive: &Alive) -> (i64, i64, i64) {
    (int(alive.started_at), int(alive.now), int(alive.generation))
}

/// Everything is written, and nothing more will be.
pub(super) fn end(db: &Connection) -> rusqlite::Result<()> {
    let clean = "UPDATE runs SET clean = 1 WHERE id = (SELECT max(id) FROM runs)";
    db.execute(clean, ()).map(drop)
}
