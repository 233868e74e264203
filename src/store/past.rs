//! What charts are made of: sums over steps of time, and what happened in between.

use super::reader::{COUNTS, Reader, counts, decision, event, keyed, unsigned};
use super::rows::{count, int};
use super::{DecisionRow, EventRow, MinerCount, Run, StoreError};
use crate::counts::Counts;
use rusqlite::{Row, params};
use smart_mining_wire::Algorithm;
use std::sync::Arc;

/// What one pool's miners did in one step of time.
#[derive(Clone, Debug, PartialEq)]
pub struct StepTotal {
    /// The start of the step, in unix seconds.
    pub at: u64,
    pub algorithm: Algorithm,
    pub pool: Arc<str>,
    pub counts: Counts,
    /// What the accepted work was worth; `None`: the pool had no price.
    pub usd: Option<f64>,
}

const EVENTS: &str = "SELECT id, at, code, subject, text FROM events";
/// Detail is long, and charts do not show it.
const DECISIONS: &str =
    "SELECT id, at, algorithm, from_pool, to_pool, coin, rule, text, '' FROM decisions";

impl Reader {
    /// Sums of each pool over steps of `step` seconds, oldest first.
    pub fn steps(&self, from: u64, to: u64, step: u64) -> Result<Vec<StepTotal>, StoreError> {
        // Hours go back further and are fewer rows.
        let (table, time) = match step.is_multiple_of(3600) {
            true => ("share_hours", "hour"),
            false => ("share_totals", "minute"),
        };
        let sums = COUNTS.split(',').map(|column| format!("sum({column})"));
        let sums: Vec<String> = sums.collect();
        let sql = format!(
            "SELECT {time} / ?3 * ?3 AS step, algorithm, pool, {}, sum(usd) FROM {table}
             WHERE {time} BETWEEN ?1 AND ?2
             GROUP BY step, algorithm, pool ORDER BY step, algorithm, pool",
            sums.join(", ")
        );
        let total = |at, algorithm, of: &str, row: &Row<'_>| {
            Ok(StepTotal {
                at,
                algorithm,
                pool: of.into(),
                counts: counts(row)?,
                usd: row.get(12)?,
            })
        };
        let range = params![int(from), int(to), int(step.max(1))];
        self.rows(&sql, range, |row| keyed(row, total))
    }

    /// Miners that were connected, over steps of `step` seconds.
    pub fn miners(&self, from: u64, to: u64, step: u64) -> Result<Vec<MinerCount>, StoreError> {
        let sql = "SELECT at / ?3 * ?3 AS step, algorithm, '', sum(miners), sum(counts)
                   FROM miner_counts WHERE at BETWEEN ?1 AND ?2
                   GROUP BY step, algorithm ORDER BY step, algorithm";
        let count = |at, algorithm, _: &str, row: &Row<'_>| {
            Ok(MinerCount {
                at,
                algorithm,
                miners: unsigned(row, 3)?,
                counts: unsigned(row, 4)?,
            })
        };
        let range = params![int(from), int(to), int(step.max(1))];
        self.rows(sql, range, |row| keyed(row, count))
    }

    /// Oldest first: those that ended after `from`, and the one before them.
    pub fn runs(&self, from: u64) -> Result<Vec<Run>, StoreError> {
        let sql = "SELECT boot, started_at, seen_at, clean FROM runs
                   WHERE seen_at >= ?1
                      OR id = (SELECT max(id) FROM runs WHERE seen_at < ?1)
                   ORDER BY id";
        let run = |row: &Row<'_>| {
            Ok(Some(Run {
                boot: row.get(0)?,
                started_at: unsigned(row, 1)?,
                seen_at: unsigned(row, 2)?,
                clean: row.get(3)?,
            }))
        };
        self.rows(sql, [int(from)], run)
    }

    /// How often this run's books were written.
    pub fn generation(&self) -> Result<u64, StoreError> {
        let sql = "SELECT generation FROM runs ORDER BY id DESC LIMIT 1";
        let found = self.rows(sql, (), |row| unsigned(row, 0).map(Some))?;
        Ok(found.first().copied().unwrap_or(0))
    }

    /// Those from `from` on, oldest first, and before them the last one of each
    /// algorithm from before. Without their detail.
    pub fn decisions_since(&self, from: u64) -> Result<Vec<DecisionRow>, StoreError> {
        let sql = format!(
            "{DECISIONS} WHERE at >= ?1
                OR id IN (SELECT max(id) FROM decisions WHERE at < ?1 GROUP BY algorithm)
             ORDER BY id"
        );
        self.rows(&sql, [int(from)], decision)
    }

    /// Newest first.
    pub fn decisions_of(
        &self,
        algorithm: Algorithm,
        limit: usize,
    ) -> Result<Vec<DecisionRow>, StoreError> {
        let sql = "SELECT id, at, algorithm, from_pool, to_pool, coin, rule, text, detail
                   FROM decisions WHERE algorithm = ?1 ORDER BY id DESC LIMIT ?2";
        self.rows(sql, params![algorithm.name(), count(limit)], decision)
    }

    /// Newest first. `before`: older than this id.
    pub fn events_before(
        &self,
        limit: usize,
        before: Option<i64>,
        code: Option<&str>,
    ) -> Result<Vec<EventRow>, StoreError> {
        let sql = format!(
            "{EVENTS} WHERE (?1 IS NULL OR id < ?1) AND (?2 IS NULL OR code = ?2)
             ORDER BY id DESC LIMIT ?3"
        );
        let row = |row: &Row<'_>| event(row).map(Some);
        self.rows(&sql, params![before, code, count(limit)], row)
    }

    /// Those that say whether central was there, oldest first: from `from` on, and the
    /// last one before. A start is one of them: what was known before is over with it.
    pub fn events_of_central(&self, from: u64) -> Result<Vec<EventRow>, StoreError> {
        let codes = "code IN ('central-unreachable', 'central-back', 'started')";
        let sql = format!(
            "{EVENTS} WHERE {codes}
                AND (at >= ?1 OR id = (SELECT max(id) FROM events WHERE {codes} AND at < ?1))
             ORDER BY id"
        );
        let row = |row: &Row<'_>| event(row).map(Some);
        self.rows(&sql, [int(from)], row)
    }
}
