//! What a miner saw.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// A share that was answered `true`.
#[derive(Debug, Clone, PartialEq)]
pub struct AcceptedShare {
    /// The proof-of-work hash of its header, as in the pool's books.
    pub identity: String,
    /// What the miner was asked to meet.
    pub difficulty: f64,
    pub at: Instant,
}

/// Counters since the start of the miner; nothing is reset by a reconnect.
#[derive(Debug, Clone, Default)]
pub struct MinerStats {
    pub submitted: u64,
    pub accepted: u64,
    pub accepted_difficulty: f64,
    /// The newest `keep_shares` ones, oldest first.
    pub accepted_shares: VecDeque<AcceptedShare>,
    /// By error code; answers without a code count as 20.
    pub rejected: BTreeMap<i64, u64>,
    pub last_rejection: Option<String>,
    /// Shares whose answer never came: the connection ended first.
    pub unanswered: u64,
    /// Shares that wait for their answer now.
    pub in_flight: u64,
    pub connects: u64,
    pub connects_failed: u64,
    /// Connections that ended, whoever ended them.
    pub disconnects: u64,
    pub last_disconnect: Option<String>,
    pub connected: bool,
    /// Subscribed, authorized and with a job.
    pub working: bool,
    /// From the connect to the first job it can work on.
    pub handshake: Option<Duration>,
    pub jobs: u64,
    pub clean_jobs: u64,
    pub difficulty: f64,
    pub hashes: u64,
    pub last_accepted: Option<Instant>,
    pub last_line: Option<Instant>,
    /// What no real firmware would forgive, and what costs it hashrate.
    pub violations: Vec<String>,
    /// It was told to pause and has made its last hash.
    pub resting: bool,
}

/// Violations kept; a broken pool can make many.
const VIOLATIONS_KEPT: usize = 1000;

impl MinerStats {
    /// All rejections.
    #[must_use]
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// Rejections with this code.
    #[must_use]
    pub fn rejected_with(&self, code: i64) -> u64 {
        self.rejected.get(&code).copied().unwrap_or(0)
    }

    /// The identities of the shares answered `true`, sorted.
    #[must_use]
    pub fn identities(&self) -> Vec<String> {
        let shares = self.accepted_shares.iter();
        let mut all: Vec<_> = shares.map(|share| share.identity.clone()).collect();
        all.sort();
        all
    }

    pub(super) fn accept(&mut self, identity: String, difficulty: f64, keep: usize) {
        let at = Instant::now();
        self.accepted += 1;
        self.accepted_difficulty += difficulty;
        self.last_accepted = Some(at);
        self.accepted_shares.push_back(AcceptedShare {
            identity,
            difficulty,
            at,
        });
        while self.accepted_shares.len() > keep {
            self.accepted_shares.pop_front();
        }
    }

    pub(super) fn violation(&mut self, text: impl Into<String>) {
        if self.violations.len() < VIOLATIONS_KEPT {
            self.violations.push(text.into());
        }
    }
}
