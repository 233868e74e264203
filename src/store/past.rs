//! What charts are made of: sums over steps of time, and what happened in between.

use super::reader::{Reader, decision, event, unsigned};
use super::rows::{count, int};
use super::{DecisionRow, EventRow, StoreError};
use crate::counts::Counts;
use rusqlite::{Row, params};
use smart_mining_wire::Algorithm;

/// What one pool's miners did in one step of time.
#[derive(Clone, Debug, PartialEq)]
pub struct StepTotal {
    /// The start of the step, in unix seconds.
    pub at: u64,
    pub algorithm: Algorithm,
    pub pool: String,
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
        let sql = "SELECT minute / ?3 * ?3 AS step, algorithm, pool, sum(accepted), sum(local),
                          sum(rejected), sum(stale), sum(unknown), sum(lost), sum(refused_here),
                          sum(difficulty_accepted), sum(work), NULL
                   FROM share_totals WHERE minute BETWEEN ?1 AND ?2
                   GROUP BY step, algorithm, pool ORDER BY step, algorithm, pool";
        let range = params![int(from), int(to), int(step.max(1))];
        self.rows(sql, range, step_total)
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

fn step_total(row: &Row<'_>) -> rusqlite::Result<Option<StepTotal>> {
    // One that only another release knows is passed over.
    let Ok(algorithm) = row.get::<_, String>(1)?.parse() else {
        return Ok(None);
    };
    Ok(Some(StepTotal {
        at: unsigned(row, 0)?,
        algorithm,
        pool: row.get(2)?,
        counts: Counts {
            accepted: unsigned(row, 3)?,
            local: unsigned(row, 4)?,
            rejected: unsigned(row, 5)?,
            stale: unsigned(row, 6)?,
            unknown: unsigned(row, 7)?,
            lost: unsigned(row, 8)?,
            refused_here: unsigned(row, 9)?,
            difficulty_accepted: row.get(10)?,
            work: row.get(11)?,
        },
        usd: row.get(12)?,
    }))
}
