//! The table `share_totals`: what each worker did on each pool in each minute.
//!
//! ```text
//!   every few seconds       at the minute's end          for want of room
//!   worker '' --------------> each worker ------------------> worker ''
//! ```
//! A row a worker every few seconds would wear a card out. So the sums of each
//! pool, a row or two, are written soon, and at the end of the minute one
//! transaction puts them under the workers' names. Whatever happens in between,
//! the sums over all rows are right.

use super::rows::int;
use super::{Limits, MinuteTotal};
use crate::counts::{Counts, finite};
use rusqlite::{Connection, OptionalExtension, Statement, Transaction, params};
use smart_mining_wire::Algorithm;
use std::collections::BTreeMap;

/// Minutes that lose their names at a time: what one transaction does has a bound.
const FOLDED_AT_ONCE: usize = 16;

const INTO: &str =
    "INSERT INTO share_totals (minute, algorithm, worker, pool, accepted, local, rejected,
        stale, unknown, lost, refused_here, difficulty_accepted, work)";
const ADDED_UP: &str = "ON CONFLICT (minute, algorithm, worker, pool) DO UPDATE SET
        accepted = accepted + excluded.accepted,
        local = local + excluded.local,
        rejected = rejected + excluded.rejected,
        stale = stale + excluded.stale,
        unknown = unknown + excluded.unknown,
        lost = lost + excluded.lost,
        refused_here = refused_here + excluded.refused_here,
        difficulty_accepted = difficulty_accepted + excluded.difficulty_accepted,
        work = work + excluded.work";

pub(super) struct TotalStatements<'t> {
    add: Statement<'t>,
    take: Statement<'t>,
    drop_empty: Statement<'t>,
    unreported: Statement<'t>,
}

impl<'t> TotalStatements<'t> {
    pub fn prepare(db: &'t Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            add: db.prepare(&format!(
                "{INTO} VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) {ADDED_UP}"
            ))?,
            // Never below zero: a record that was dropped must not be missed twice.
            take: db.prepare(
                "UPDATE share_totals SET
                    accepted = max(accepted - ?5, 0),
                    local = max(local - ?6, 0),
                    rejected = max(rejected - ?7, 0),
                    stale = max(stale - ?8, 0),
                    unknown = max(unknown - ?9, 0),
                    lost = max(lost - ?10, 0),
                    refused_here = max(refused_here - ?11, 0),
                    difficulty_accepted = max(difficulty_accepted - ?12, 0.0),
                    work = max(work - ?13, 0.0)
                 WHERE minute = ?1 AND algorithm = ?2 AND worker = ?3 AND pool = ?4",
            )?,
            drop_empty: db.prepare(
                "DELETE FROM share_totals
                 WHERE minute = ?1 AND algorithm = ?2 AND worker = '' AND pool = ?3
                   AND accepted + local + rejected + stale + unknown + lost = 0",
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
        totals.iter().try_for_each(|total| {
            execute(&mut self.add, total)?;
            if reporting {
                self.add_unreported(total)?;
            }
            Ok(())
        })
    }

    /// Put what was added without a worker under the workers it came from.
    pub fn name_workers(&mut self, totals: &[MinuteTotal]) -> rusqlite::Result<()> {
        let mut sums: BTreeMap<(u64, Algorithm, &str), Counts> = BTreeMap::new();
        for total in totals.iter().filter(|total| !total.worker.is_empty()) {
            execute(&mut self.add, total)?;
            let sum = sums.entry((total.minute, total.algorithm, &total.pool));
            *sum.or_default() += &total.counts;
        }
        for ((minute, algorithm, pool), counts) in sums {
            let sum = MinuteTotal {
                minute,
                algorithm,
                worker: Default::default(),
                pool: pool.into(),
                counts,
            };
            execute(&mut self.take, &sum)?;
            self.drop_empty
                .execute(params![int(minute), algorithm.name(), pool])?;
        }
        Ok(())
    }

    fn add_unreported(&mut self, total: &MinuteTotal) -> rusqlite::Result<()> {
        let counts = &total.counts;
        let row = params![
            total.algorithm.name(),
            int(counts.accepted),
            int(counts.rejected),
            int(counts.stale),
            int(counts.unknown),
            int(counts.lost),
        ];
        self.unreported.execute(row).map(drop)
    }
}

fn execute(statement: &mut Statement<'_>, total: &MinuteTotal) -> rusqlite::Result<()> {
    let counts = &total.counts;
    let row = params![
        int(total.minute),
        total.algorithm.name(),
        total.worker.as_str(),
        super::rows::cut(&total.pool),
        int(counts.accepted),
        int(counts.local),
        int(counts.rejected),
        int(counts.stale),
        int(counts.unknown),
        int(counts.lost),
        int(counts.refused_here),
        // NaN would be stored as NULL, which the table refuses.
        finite(counts.difficulty_accepted),
        finite(counts.work),
    ];
    statement.execute(row).map(drop)
}

/// Where there is no room for every worker of every minute, the oldest minutes
/// keep their sums and lose the names.
pub(super) fn fold(transaction: &Transaction<'_>, limits: &Limits) -> rusqlite::Result<()> {
    let sums = format!(
        "{INTO} SELECT minute, algorithm, '', pool, sum(accepted), sum(local), sum(rejected),
            sum(stale), sum(unknown), sum(lost), sum(refused_here), sum(difficulty_accepted),
            sum(work)
         FROM share_totals WHERE minute = ?1 AND worker > '' GROUP BY algorithm, pool {ADDED_UP}"
    );
    let mut oldest = transaction
        .prepare("SELECT minute FROM share_totals WHERE worker > '' ORDER BY minute LIMIT 1")?;
    for _ in 0..FOLDED_AT_ONCE {
        if used_pages(transaction)? <= i64::from(limits.detail_pages) {
            break;
        }
        let minute: Option<i64> = oldest.query_row((), |row| row.get(0)).optional()?;
        let Some(minute) = minute else { break };
        transaction.execute(&sums, [minute])?;
        let named = "DELETE FROM share_totals WHERE minute = ?1 AND worker > ''";
        transaction.execute(named, [minute])?;
    }
    Ok(())
}

fn used_pages(db: &Connection) -> rusqlite::Result<i64> {
    let pragma = |name: &str| db.query_row(&format!("PRAGMA {name}"), (), |row| row.get(0));
    let (all, free): (i64, i64) = (pragma("page_count")?, pragma("freelist_count")?);
    Ok(all - free)
}
