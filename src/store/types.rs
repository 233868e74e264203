//! What goes in and what comes out.

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
    /// Counts to add to what the store has for the same minute.
    ShareTotals(Vec<MinuteTotal>),
    /// Whose shares of a minute they were that were recorded without a worker before.
    ByWorker(Vec<MinuteTotal>),
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
            Self::ShareTotals(totals) | Self::ByWorker(totals) => totals.len(),
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

/// What one worker did on one pool in one minute.
#[derive(Clone, Debug, PartialEq)]
pub struct MinuteTotal {
    /// Unix seconds at which the minute starts.
    pub minute: u64,
    pub algorithm: Algorithm,
    /// Empty: of no worker in particular.
    pub worker: WorkerName,
    pub pool: Arc<str>,
    pub counts: Counts,
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
    pub batch_rows: usize,
    /// Rows between two prunings.
    pub prune_rows: usize,
    pub snapshots: usize,
    /// Reports that wait for central; beyond it the oldest go.
    pub reports: usize,
    pub events: u64,
    pub decisions: u64,
    /// How long share totals are kept.
    pub share_totals: Duration,
    /// Pages that may be in use before the oldest totals lose their workers' names.
    pub detail_pages: u32,
    /// Pages of 4 KiB that the file may have.
    pub max_pages: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue: 1024,
            pending_rows: 20_000,
            commit_every: Duration::from_secs(1),
            batch_rows: 2000,
            prune_rows: 5000,
            snapshots: 20,
            // A week of one each 5 min, with some changes of state.
            reports: 2500,
            events: 10_000,
            decisions: 5000,
            share_totals: Duration::from_secs(48 * 3600),
            detail_pages: 49_152,
            max_pages: 65_536,
        }
    }
}

impl Limits {
    /// For when there is no room: a quarter of the history.
    pub(super) fn tightened(&self) -> Self {
        Self {
            events: self.events / 4,
            decisions: self.decisions / 4,
            share_totals: self.share_totals / 4,
            detail_pages: self.detail_pages / 4,
            ..self.clone()
        }
    }
}
