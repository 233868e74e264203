//! Share totals: by pool for each minute and hour, by worker for each hour.
//!
//! ```text
//!   a hand-over, seldom ----> share_totals, by minute, 48 h
//!        |   same          `> share_hours, a year
//!        |   transaction   `> unreported, until a report takes it
//!   the hour's end ---------> worker_hours, as many rows as there is room for
//! ```
//! What a card wears out by is pages, not bytes: each transaction writes the page of
//! every table that it touches, however little is new on it. So hand-overs are rare, and
//! a row a worker is written once an hour.

use super::rows::{cut, int};
use super::{MinerCount, MinuteTotal, WorkerTotal};
use crate::counts::{Counts, finite};
use rusqlite::{Connection, Statement, ToSql, params};
use smart_mining_wire::Algorithm;
use std::collections::BTreeMap;

const HOUR: u64 = 3600;

pub(super) struct TotalStatements<'t> {
    minute: Statement<'t>,
    hour: Statement<'t>,
    worker: Statement<'t>,
    miners: Statement<'t>,
    unreported: Statement<'t>,
}

/// Add to the row of the key, or make it.
fn add_to(table: &str, time: &str, of: &str, has_usd: bool) -> String {
    let columns = "accepted, local, rejected, stale, unknown, lost, refused_here,
        difficulty_accepted, work";
    let (more, value, usd) = match has_usd {
        true => (
            ", usd",
            ", ?13",
            // Nothing known and nothing known is nothing known.
            ", usd = iif(excluded.usd IS NULL, usd, ifnull(usd, 0.0) + excluded.usd)",
        ),
        false => ("", "", ""),
    };
    let sums: Vec<String> = columns
        .split(',')
        .map(|column| format!("{0} = {0} + excluded.{0}", column.trim()))
        .collect();
    format!(
        "INSERT INTO {table} ({time}, algorithm, {of}, {columns}{more})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12{value})
         ON CONFLICT ({time}, algorithm, {of}) DO UPDATE SET {}{usd}",
        sums.join(", ")
    )
}

impl<'t> TotalStatements<'t> {
    pub fn prepare(db: &'t Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            minute: db.prepare(&add_to("share_totals", "minute", "pool", true))?,
            hour: db.prepare(&add_to("share_hours", "hour", "pool", true))?,
            worker: db.prepare(&add_to("worker_hours", "hour", "worker", false))?,
            miners: db.prepare(
                "INSERT INTO miner_counts VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (at, algorithm) DO UPDATE SET
                    miners = miners + excluded.miners, counts = counts + excluded.counts",
            )?,
            unreported: db.prepare(
                "INSERT INTO unreported VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (algorithm) DO UPDATE SET
                    accepted = accepted + excluded.accepted,
                    rejected = rejected + excluded.rejected,
                    stale = stale + excluded.stale,
                    unknown = unknown + excluded.unknown,
                    lost = lost + excluded.lost",
            )?,
        })
    }

    /// With `reporting`, shares are counted for the next report too.
    pub fn add(&mut self, totals: &[MinuteTotal], reporting: bool) -> rusqlite::Result<()> {
        let mut sums: BTreeMap<Algorithm, Counts> = BTreeMap::new();
        for total in totals {
            let pool = cut(&total.pool);
            // NaN would be stored as NULL.
            let usd = total.usd.filter(|usd| usd.is_finite());
            let (algorithm, counts) = (total.algorithm, &total.counts);
            for (statement, at) in [
                (&mut self.minute, total.minute),
                (&mut self.hour, total.minute / HOUR * HOUR),
            ] {
                add(statement, at, algorithm, pool, counts, &[&usd])?;
            }
            *sums.entry(algorithm).or_default() += counts;
        }
        if reporting {
            for (algorithm, counts) in sums {
                self.add_unreported(algorithm, &counts)?;
            }
        }
        Ok(())
    }

    pub fn add_workers(&mut self, totals: &[WorkerTotal]) -> rusqlite::Result<()> {
        totals.iter().try_for_each(|total| {
            let (worker, counts) = (total.worker.as_str(), &total.counts);
            let at = total.hour / HOUR * HOUR;
            add(&mut self.worker, at, total.algorithm, worker, counts, &[])
        })
    }

    pub fn add_miners(&mut self, counts: &[MinerCount]) -> rusqlite::Result<()> {
        counts.iter().try_for_each(|count| {
            let (at, algorithm) = (int(count.at), count.algorithm.name());
            let row = params![at, algorithm, int(count.miners), int(count.counts)];
            self.miners.execute(row).map(drop)
        })
    }

    fn add_unreported(&mut self, algorithm: Algorithm, counts: &Counts) -> rusqlite::Result<()> {
        let row = params![
            algorithm.name(),
            int(counts.accepted),
            int(counts.rejected),
            int(counts.stale),
            int(counts.unknown),
            int(counts.lost),
        ];
        self.unreported.execute(row).map(drop)
    }
}

fn add(
    statement: &mut Statement<'_>,
    at: u64,
    algorithm: Algorithm,
    of: &str,
    counts: &Counts,
    more: &[&dyn ToSql],
) -> rusqlite::Result<()> {
    let key: [&dyn ToSql; 3] = [&int(at), &algorithm.name(), &of];
    let counts: [&dyn ToSql; 9] = [
        &int(counts.accepted),
        &int(counts.local),
        &int(counts.rejected),
        &int(counts.stale),
        &int(counts.unknown),
        &int(counts.lost),
        &int(counts.refused_here),
        // NaN would be stored as NULL, which the table refuses.
        &finite(counts.difficulty_accepted),
        &finite(counts.work),
    ];
    let row = [key.as_slice(), &counts, more].concat();
    statement.execute(row.as_slice()).map(drop)
}
