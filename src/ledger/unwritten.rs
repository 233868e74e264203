//! What is counted, and not on the card yet.
//!
//! ```text
//!   book --every 5 s: priced--> the minute's totals --every 5 min, or with a report--> store
//!                                    `--as handed over, until the next time--> charts
//! ```
//! Each transaction costs the card some pages, whatever is in it: so the books wait, and a
//! power cut costs the shares of these minutes. Charts and reports do not wait for the
//! card: the ones get what is here on top of what is there, the others make it be written.

use crate::counts::Counts;
use crate::per_algorithm::PerAlgorithm;
use crate::rate::hashes_per_difficulty;
use crate::store::{Alive, Books, MinerCount, MinuteTotal, Record, Store};
use smart_mining_core::{Algorithm, Duration, Instant};
use std::sync::Arc;

/// A report hands over too, every five minutes unless farm.toml says otherwise: this is
/// longer, so that the two are one transaction.
pub const EVERY: Duration = Duration::from_secs(310);
/// Rows that wait for a disk that refuses to write; beyond it they are added to the
/// newest of their pool.
const MOST: usize = 2000;
const TEN_MINUTES: u64 = 600;
const DAY_SECONDS: f64 = 86_400.0;

type Price = Box<dyn Fn(Algorithm, &str) -> Option<f64> + Send + Sync>;

/// What the books want to know of others: a look at a view, never a wait.
pub struct Outside {
    /// USD per hash per second and day, after fees, of a pool. `None`: it has no price.
    pub price: Price,
    /// Miners that are connected. `None`: nobody serves the algorithm.
    pub miners: Box<dyn Fn(Algorithm) -> Option<u64> + Send + Sync>,
}

/// What one pool's miners did since the last look.
pub(super) struct Fresh {
    pub pool: Arc<str>,
    pub counts: Counts,
}

pub(super) struct Unwritten {
    /// The minute that runs, in unix seconds.
    minute: u64,
    books: Books,
    /// As it went last; it may still be on its way.
    handed: Books,
    generation: u64,
    due: Instant,
}

impl Unwritten {
    pub fn new(now: Instant, minute: u64) -> Self {
        Self {
            minute,
            books: Books::default(),
            handed: Books::default(),
            generation: 0,
            due: now + EVERY,
        }
    }

    pub fn is_due(&self, now: Instant) -> bool {
        now >= self.due
    }

    /// What came since the last look belongs to the minute of then.
    pub fn collect(&mut self, fresh: &PerAlgorithm<Vec<Fresh>>, outside: Option<&Outside>) {
        for (algorithm, pools) in fresh.iter() {
            for Fresh { pool, counts } in pools {
                let price = outside.and_then(|outside| (outside.price)(algorithm, pool));
                let usd = price.filter(|price| price.is_finite()).map(|price| {
                    let hashes = counts.difficulty_accepted * hashes_per_difficulty(algorithm);
                    hashes * price / DAY_SECONDS
                });
                self.add(MinuteTotal {
                    minute: self.minute,
                    algorithm,
                    pool: pool.clone(),
                    counts: *counts,
                    usd,
                });
            }
        }
    }

    fn add(&mut self, total: MinuteTotal) {
        let totals = &mut self.books.totals;
        let room = totals.len() < MOST;
        let same = |one: &&mut MinuteTotal| {
            (one.minute == total.minute || !room)
                && one.algorithm == total.algorithm
                && one.pool == total.pool
        };
        match totals.iter_mut().rev().find(same) {
            Some(one) => {
                one.counts += &total.counts;
                one.usd = match (one.usd, total.usd) {
                    (None, usd) | (usd, None) => usd,
                    (Some(before), Some(usd)) => Some(before + usd),
                };
            }
            None => totals.push(total),
        }
    }

    /// Another minute begins, and miners are counted.
    pub fn turn(&mut self, minute: u64, outside: Option<&Outside>) {
        if minute == self.minute {
            return;
        }
        self.minute = minute;
        let Some(outside) = outside else { return };
        for algorithm in Algorithm::ALL {
            if let Some(miners) = (outside.miners)(algorithm) {
                self.count_miners(minute / TEN_MINUTES * TEN_MINUTES, algorithm, miners);
            }
        }
    }

    fn count_miners(&mut self, at: u64, algorithm: Algorithm, miners: u64) {
        let counts = &mut self.books.miners;
        let room = counts.len() < MOST;
        let same = |one: &&mut MinerCount| one.algorithm == algorithm && (one.at == at || !room);
        match counts.iter_mut().rev().find(same) {
            Some(one) => {
                one.miners += miners;
                one.counts += 1;
            }
            None => counts.push(MinerCount {
                at,
                algorithm,
                miners,
                counts: 1,
            }),
        }
    }

    /// What the store cannot take stays here for the next time.
    pub fn hand_over(&mut self, store: &Store, mut alive: Alive, now: Instant) {
        if self.books.totals.is_empty() && self.books.miners.is_empty() && !self.is_due(now) {
            return;
        }
        alive.generation = self.generation + 1;
        self.books.alive = Some(alive);
        if store.record(Record::Books(self.books.clone())) {
            self.generation = alive.generation;
            self.handed = std::mem::take(&mut self.books);
            self.due = now + EVERY;
        }
    }

    /// What is not in a store that has seen this generation of the books.
    pub fn beyond(&self, generation: u64) -> Books {
        let mut books = self.books.clone();
        if generation < self.generation {
            books.totals.extend_from_slice(&self.handed.totals);
            books.miners.extend_from_slice(&self.handed.miners);
        }
        books
    }
}
