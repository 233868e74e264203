//! The pool's own truth about what was submitted.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use serde_json::Value;

/// Answers kept.
const ANSWERS_KEPT: usize = 100;

/// One accepted share.
#[derive(Debug, Clone, PartialEq)]
pub struct AcceptedShare {
    /// The proof-of-work hash of its header, most significant byte first:
    /// no two shares have the same.
    pub identity: String,
    pub worker: String,
    /// The difficulty it was credited with.
    pub difficulty: f64,
    pub at: Instant,
    /// It also meets the block target.
    pub block: bool,
}

/// The account of one worker name, or of all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    pub accepted: u64,
    /// By error code.
    pub rejected: BTreeMap<i64, u64>,
    /// Sum of the difficulties of the accepted shares.
    pub difficulty: f64,
    pub blocks: u64,
}

impl Tally {
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

    /// Rejections as duplicate.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.rejected_with(super::DUPLICATE)
    }
}

/// Everything a pool knows.
#[derive(Debug, Clone, Default)]
pub struct Books {
    pub total: Tally,
    pub workers: BTreeMap<String, Tally>,
    /// The newest `keep_shares` ones, oldest first.
    pub accepted: VecDeque<AcceptedShare>,
    pub connections_opened: u64,
    pub connections_now: u64,
    /// Connections that are subscribed and authorized now.
    pub ready_now: u64,
    pub logins_refused: u64,
    pub sessions_resumed: u64,
    /// Lines that were not a JSON-RPC message.
    pub malformed: u64,
    /// Answers to what the pool asked ([`super::Pool::broadcast`]), newest last.
    pub answers: VecDeque<Value>,
    pub unknown_methods: BTreeMap<String, u64>,
    /// User agents seen in `mining.subscribe`.
    pub agents: BTreeMap<String, u64>,
    pub jobs: u64,
}

impl Books {
    pub(super) fn credit(&mut self, share: AcceptedShare, keep: usize) {
        for tally in [
            &mut self.total,
            self.workers.entry(share.worker.clone()).or_default(),
        ] {
            tally.accepted += 1;
            tally.difficulty += share.difficulty;
            tally.blocks += u64::from(share.block);
        }
        self.accepted.push_back(share);
        while self.accepted.len() > keep {
            self.accepted.pop_front();
        }
    }

    pub(super) fn note_answer(&mut self, answer: Value) {
        self.answers.push_back(answer);
        if self.answers.len() > ANSWERS_KEPT {
            self.answers.pop_front();
        }
    }

    pub(super) fn reject(&mut self, worker: &str, code: i64) {
        for tally in [
            &mut self.total,
            self.workers.entry(worker.to_owned()).or_default(),
        ] {
            *tally.rejected.entry(code).or_default() += 1;
        }
    }

    /// The identities of the accepted shares of a worker, in order.
    #[must_use]
    pub fn identities_of(&self, worker: &str) -> Vec<String> {
        self.accepted
            .iter()
            .filter(|share| share.worker == worker)
            .map(|share| share.identity.clone())
            .collect()
    }

    /// The identities of all accepted shares, sorted.
    #[must_use]
    pub fn identities(&self) -> Vec<String> {
        let mut all: Vec<_> = self.accepted.iter().map(|s| s.identity.clone()).collect();
        all.sort();
        all
    }
}
