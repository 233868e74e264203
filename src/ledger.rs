//! The books: what became of every share, per algorithm, worker and pool.

use crate::clock::{Clock, unix_now};
use crate::rate::{Rate, hashes_per_difficulty};
use crate::store::{MinuteTotal, Record, Store};
use serde::Serialize;
use smart_mining_core::Algorithm;
use smart_mining_core::sv1::{Judged, Outcome};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts of answered shares. `accepted` is the pool's word, nobody else's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Counts {
    pub accepted: u64,
    /// Good for the miner's difficulty, below the pool's: sent nowhere.
    pub local: u64,
    pub rejected: u64,
    pub stale: u64,
    pub unknown: u64,
    pub lost: u64,
    pub difficulty_accepted: f64,
}

impl Counts {
    pub fn add(&mut self, judged: &Judged) {
        match judged.outcome {
            Outcome::Accepted => {
                self.accepted += 1;
                self.difficulty_accepted += judged.pool_difficulty;
            }
            Outcome::Local => self.local += 1,
            Outcome::Rejected => self.rejected += 1,
            Outcome::Stale => self.stale += 1,
            Outcome::Unknown => self.unknown += 1,
            Outcome::Lost => self.lost += 1,
        }
    }
}

#[derive(Debug)]
struct Books {
    /// Since the last time it was written to the store.
    open: BTreeMap<(Algorithm, String, String), Counts>,
    totals: BTreeMap<Algorithm, (Counts, Rate)>,
}

#[derive(Debug)]
pub struct Ledger {
    books: Mutex<Books>,
    clock: Clock,
}

/// One algorithm's totals since the start.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Totals {
    #[serde(flatten)]
    pub counts: Counts,
    /// Hashes per second over the last minute and the last ten.
    pub hashrate_1m: f64,
    pub hashrate_10m: f64,
}

impl Ledger {
    pub fn new(clock: Clock) -> Self {
        let books = Books {
            open: BTreeMap::new(),
            totals: BTreeMap::new(),
        };
        Self {
            books: Mutex::new(books),
            clock,
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Counters stay meaningful even if a holder panicked half-way.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn add(&self, algorithm: Algorithm, worker: &str, pool: &str, judged: &Judged) {
        let now = self.clock.now();
        let mut books = self.books();
        let (counts, rate) = books
            .totals
            .entry(algorithm)
            .or_insert_with(|| (Counts::default(), Rate::new(now)));
        counts.add(judged);
        if judged.outcome == Outcome::Accepted {
            rate.add(judged.difficulty, now);
        }
        let key = (algorithm, worker.to_owned(), pool.to_owned());
        books.open.entry(key).or_default().add(judged);
    }

    pub fn totals(&self, algorithm: Algorithm) -> Totals {
        let now = self.clock.now();
        let mut books = self.books();
        let (counts, rate) = books
            .totals
            .entry(algorithm)
            .or_insert_with(|| (Counts::default(), Rate::new(now)));
        let scale = hashes_per_difficulty(algorithm);
        Totals {
            counts: *counts,
            hashrate_1m: rate.per_second(60, now) * scale,
            hashrate_10m: rate.per_second(600, now) * scale,
        }
    }

    /// Hand what was counted since the last call to the store. If its queue is
    /// full the counts stay here for the next time.
    pub fn write_to(&self, store: &Store) {
        let minute = unix_now() / 60 * 60;
        let mut books = self.books();
        let rows: Vec<MinuteTotal> = books
            .open
            .iter()
            .map(|((algorithm, worker, pool), counts)| MinuteTotal {
                minute,
                algorithm: *algorithm,
                worker: worker.clone(),
                pool: pool.clone(),
                accepted: counts.accepted,
                rejected: counts.rejected,
                stale: counts.stale,
                unknown: counts.unknown,
                lost: counts.lost,
                difficulty_accepted: counts.difficulty_accepted,
            })
            .collect();
        if rows.is_empty() || store.record(Record::ShareTotals(rows)) {
            books.open.clear();
        }
    }
}
