//! What goes in and what comes out.

use super::runs::{Alive, PowerCuts};
use crate::counts::Counts;
use smart_mining_core::share::WorkerName;
use smart_mining_wire::Algorithm;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What a start finds in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The first of `candidates`.
    pub newest: Option<StoredSnapshot>,
    /// The newest few, newest first: the gate may refuse the first.
    pub candidates: Vec<StoredSnapshot>,
    /// Set when a store was moved aside: damaged, or a newer release's.
    pub recovered: Option<Recovered>,
    pub power_cuts: PowerCuts,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSnapshot {
    pub sequence: u64,
    /// Unix seconds on the appliance's clock.
    pub received_at: u64,
    /// The exact signed JSON.
    pub envelope: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    pub moved_to: PathBuf,
    pub reason: String,
    /// Snapshots that could still be read and were carried over.
    pub salvaged: usize,
}

/// Something to be written when there is time.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// Something that the operator may want to know.
    Event {
        /// Unix seconds.
        at: u64,
        /// A word that stays the same over releases.
        code: &'static str,
        /// Whom it is about: a pool, a worker, a part of the appliance.
        subject: String,
        text: String,
    },
    Decision(Decision),
    /// Counts to add to what the store has, in one transaction.
    Books(Books),
    /// Whose shares of an hour they were.
    ByWorker(Vec<WorkerTotal>),
    /// Reports that central has.
    Delivered(Vec<String>),
    /// A small fact, replacing the one of the same key.
    Meta {
        key: &'static str,
        value: String,
    },
    /// What people call a worker; `None`: nothing any more.
    Name {
        worker: String,
        name: Option<String>,
    },
}

impl Record {
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Books(books) => books.totals.len() + books.miners.len() + 1,
            Self::ByWorker(totals) => totals.len(),
            Self::Delivered(ids) => ids.len(),
            Self::Event { .. } | Self::Decision(_) | Self::Meta { .. } | Self::Name { .. } => 1,
        }
    }
}

/// Why miners of an algorithm are on a pool, or on none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Unix seconds.
    pub at: u64,
    pub algorithm: Algorithm,
    pub from_pool: Option<String>,
    pub to_pool: Option<String>,
    pub coin: Option<String>,
    /// The rule that fired.
    pub rule: String,
    pub text: String,
    /// The numbers, as JSON.
    pub detail: String,
}

/// What the ledger hands over at a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Books {
    pub totals: Vec<MinuteTotal>,
    pub miners: Vec<MinerCount>,
    pub alive: Option<Alive>,
}

impl Books {
    /// By the clock that they came with.
    pub(super) fn now(&self) -> Option<u64> {
        let newest = self.totals.iter().map(|total| total.minute).max();
        self.alive.map(|alive| alive.now).or(newest)
    }
}

/// What miners did on one pool in one minute.
#[derive(Clone, Debug, PartialEq)]
pub struct MinuteTotal {
    /// Unix seconds at which the minute starts.
    pub minute: u64,
    pub algorithm: Algorithm,
    pub pool: Arc<str>,
    pub counts: Counts,
    /// What the accepted work was worth by the ranking; `None`: the pool had no price.
    pub usd: Option<f64>,
}

/// What one worker did in one hour.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerTotal {
    /// Unix seconds at which the hour starts.
    pub hour: u64,
    pub algorithm: Algorithm,
    pub worker: WorkerName,
    pub counts: Counts,
}

/// Miners that were connected in ten minutes: `miners / counts` on the average.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinerCount {
    /// Unix seconds at which the ten minutes start.
    pub at: u64,
    pub algorithm: Algorithm,
    /// The sum of the counts.
    pub miners: u64,
    /// How many there were.
    pub counts: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    pub id: i64,
    pub at: u64,
    pub code: String,
    pub subject: String,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionRow {
    pub id: i64,
    pub decision: Decision,
}

/// Bounds, so that neither memory nor the card fills up.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Records between the callers and the writer.
    pub queue: usize,
    /// Rows that wait for a disk that refuses them.
    pub pending_rows: usize,
    /// A group is written at the latest after this time, or with this many rows.
    pub commit_every: Duration,
    /// What can wait goes with the others, or after this time.
    pub idle_commit_every: Duration,
    pub batch_rows: usize,
    /// Rows between two prunings.
    pub prune_rows: usize,
    pub snapshots: usize,
    /// Reports that wait for central; beyond it the oldest go.
    pub reports: usize,
    pub events: u64,
    pub decisions: u64,
    /// How long share totals are kept by the minute, and how many rows at most.
    pub minutes: Duration,
    pub minute_rows: u64,
    /// How long they are kept by the hour, as are the workers' and the counts of miners.
    pub hours: Duration,
    pub hour_rows: u64,
    pub worker_rows: u64,
    pub miner_rows: u64,
    /// Pages of 4 KiB that the file may have.
    pub max_pages: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue: 1024,
            pending_rows: 20_000,
            commit_every: Duration::from_secs(1),
            // As often as books and reports come.
            idle_commit_every: Duration::from_secs(300),
            batch_rows: 6000,
            prune_rows: 2000,
            snapshots: 20,
            // A week of one each 5 min, with some changes of state.
            reports: 2500,
            events: 10_000,
            decisions: 5000,
            minutes: Duration::from_secs(48 * 3600),
            // Two pools of each of ten algorithms, all the time: 6 MB.
            minute_rows: 60_000,
            hours: Duration::from_secs(366 * 24 * 3600),
            // 28 pools in every hour of a year: 25 MB.
            hour_rows: 250_000,
            // 50 hours of 5,000 workers, a year of 28: 15 MB.
            worker_rows: 250_000,
            // Four algorithms for a year: 6 MB.
            miner_rows: 220_000,
            // 128 MiB: more than all of it, so that it stands with its log below 200 MB.
            max_pages: 32_768,
        }
    }
}

impl Limits {
    /// For when there is no room: a quarter of the history.
    pub(super) fn tightened(&self) -> Self {
        Self {
            events: self.events / 4,
            decisions: self.decisions / 4,
            minute_rows: self.minute_rows / 4,
            hour_rows: self.hour_rows / 4,
            worker_rows: self.worker_rows / 4,
            miner_rows: self.miner_rows / 4,
            ..self.clone()
        }
    }
}
