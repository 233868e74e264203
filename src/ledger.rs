//! The books: what became of every share, per algorithm, worker and pool.
//!
//! [`Ledger::add`] is on the way of each share: it takes one lock, finds one row
//! and allocates nothing once the worker's row of the minute is there.
//!
//! What the store gets is in two steps, see `store/totals.rs`: the sums of each
//! pool every few seconds, and once the minute is over whose they were. While the
//! disk refuses to write, everything stays here: the books are bounded by workers
//! and pools, not by time.

use crate::clock::{Clock, unix_now};
use crate::counts::Counts;
use crate::per_algorithm::PerAlgorithm;
use crate::rate::{Rate, Window, hashes_per_difficulty};
use crate::store::{MinuteTotal, Record, Store};
use serde::Serialize;
use smart_mining_core::share::WorkerName;
use smart_mining_core::sv1::Judged;
use smart_mining_core::{Algorithm, Instant};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Rows of one record; a full queue then costs these names and no more.
const ROWS: usize = 500;

/// Hashes per second over several times.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Hashrates {
    pub hashrate_1m: f64,
    pub hashrate_10m: f64,
    pub hashrate_1h: f64,
    pub hashrate_24h: f64,
}

impl Hashrates {
    pub fn of(rate: &Rate, algorithm: Algorithm, now: Instant) -> Self {
        let over = |window| rate.per_second(window, now) * hashes_per_difficulty(algorithm);
        Self {
            hashrate_1m: over(Window::Minute),
            hashrate_10m: over(Window::TenMinutes),
            hashrate_1h: over(Window::Hour),
            hashrate_24h: over(Window::Day),
        }
    }
}

/// One algorithm's totals since the start.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Totals {
    #[serde(flatten)]
    pub counts: Counts,
    #[serde(flatten)]
    pub hashrates: Hashrates,
}

#[derive(Debug)]
pub struct Ledger {
    books: PerAlgorithm<Mutex<Book>>,
    /// Who hands over does so alone: a minute is closed after its sums, not before.
    handing_over: Mutex<()>,
    clock: Clock,
}

#[derive(Debug)]
struct Book {
    totals: Counts,
    rate: Rate,
    /// The minute that runs, in unix seconds.
    minute: u64,
    pools: Vec<PoolBook>,
    /// What each worker did in the minute, by its pool's place in `pools`. It is
    /// emptied and never given back, so that the next minute finds its room.
    workers: HashMap<(WorkerName, u16), Counts>,
}

#[derive(Debug)]
struct PoolBook {
    name: Arc<str>,
    /// Not handed to the store yet.
    fresh: Counts,
}

/// Counters stay meaningful even if a holder panicked half-way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn this_minute() -> u64 {
    unix_now() / 60 * 60
}

impl Ledger {
    pub fn new(clock: Clock) -> Self {
        let (now, minute) = (clock.now(), this_minute());
        Self {
            books: PerAlgorithm::new(|_| Mutex::new(Book::new(now, minute))),
            handing_over: Mutex::new(()),
            clock,
        }
    }

    /// A worker's name beyond the longest is cut.
    pub fn add(
        &self,
        algorithm: Algorithm,
        worker: &str,
        pool: &Arc<str>,
        judged: &Judged,
        now: Instant,
    ) {
        let worker = WorkerName::try_from(worker).unwrap_or_else(|_| shorten(worker));
        lock(self.books.of(algorithm)).add(worker, pool, judged, now);
    }

    pub fn totals(&self, algorithm: Algorithm) -> Totals {
        let now = self.clock.now();
        let book = lock(self.books.of(algorithm));
        Totals {
            counts: book.totals,
            hashrates: Hashrates::of(&book.rate, algorithm, now),
        }
    }

    /// Hand what was counted since the last call to the store, and once a minute
    /// whose it was. What the store cannot take stays here for the next time.
    pub fn write_to(&self, store: &Store) {
        self.write_at(store, this_minute());
    }

    #[doc(hidden)]
    pub fn write_at(&self, store: &Store, minute: u64) {
        if !store.is_stuck() {
            self.hand_over(store, Some(minute));
        }
    }

    /// The last call: all there is, whatever the minute and the disk.
    pub fn finish(&self, store: &Store) {
        self.hand_over(store, None);
    }

    /// `None` ends the minute whatever it is.
    fn hand_over(&self, store: &Store, minute: Option<u64>) {
        let _alone = lock(&self.handing_over);
        for (algorithm, book) in self.books.iter() {
            let rows = {
                let mut book = lock(book);
                let over = minute != Some(book.minute);
                if !book.hand_over(algorithm, store) || !over {
                    continue;
                }
                let rows = book.close(algorithm);
                book.minute = minute.unwrap_or(book.minute);
                rows
            };
            send_names(rows, store);
        }
    }
}

/// In the table's own order, so that the store fills one page after the other.
fn send_names(mut rows: Vec<MinuteTotal>, store: &Store) {
    // From the end, so that what was handed over is not kept twice.
    rows.sort_unstable_by(|a, b| (&b.worker, &b.pool).cmp(&(&a.worker, &a.pool)));
    while !rows.is_empty() {
        let mut chunk = rows.split_off(rows.len().saturating_sub(ROWS));
        rows.shrink_to_fit();
        chunk.reverse();
        // Refused ones are counted by the store; their sums are there already.
        store.record(Record::ByWorker(chunk));
    }
}

impl Book {
    fn new(now: Instant, minute: u64) -> Self {
        Self {
            totals: Counts::default(),
            rate: Rate::new(now),
            minute,
            pools: Vec::new(),
            workers: HashMap::new(),
        }
    }

    fn add(&mut self, worker: WorkerName, pool: &Arc<str>, judged: &Judged, now: Instant) {
        self.totals.add(judged);
        if judged.is_work() {
            self.rate.add(judged.difficulty, now);
        }
        let index = self.pool(pool);
        if let Some(pool) = self.pools.get_mut(usize::from(index)) {
            pool.fresh.add(judged);
        }
        let key = (worker, index);
        match self.workers.get_mut(&key) {
            Some(counts) => counts.add(judged),
            None => {
                let mut counts = Counts::default();
                counts.add(judged);
                self.workers.insert(key, counts);
            }
        }
    }

    /// Pools are few: those of one algorithm that had shares in this minute.
    fn pool(&mut self, name: &Arc<str>) -> u16 {
        let same = |known: &PoolBook| Arc::ptr_eq(&known.name, name) || known.name == *name;
        let index = self.pools.iter().position(same).unwrap_or_else(|| {
            self.pools.push(PoolBook {
                name: name.clone(),
                fresh: Counts::default(),
            });
            self.pools.len() - 1
        });
        u16::try_from(index).unwrap_or(u16::MAX)
    }

    /// `false`: the store has no room for it now.
    fn hand_over(&mut self, algorithm: Algorithm, store: &Store) -> bool {
        let minute = self.minute;
        let fresh = self.pools.iter().filter(|pool| pool.fresh.shares() > 0);
        let rows: Vec<MinuteTotal> = fresh
            .map(|pool| MinuteTotal {
                minute,
                algorithm,
                worker: WorkerName::new(),
                pool: pool.name.clone(),
                counts: pool.fresh,
            })
            .collect();
        let taken = rows.is_empty() || store.record(Record::ShareTotals(rows));
        if taken {
            for pool in &mut self.pools {
                pool.fresh = Counts::default();
            }
        }
        taken
    }

    /// The minute's rows; the book is empty and keeps its room.
    fn close(&mut self, algorithm: Algorithm) -> Vec<MinuteTotal> {
        let (minute, pools) = (self.minute, &self.pools);
        let row = |((worker, pool), counts): ((WorkerName, u16), Counts)| {
            Some(MinuteTotal {
                minute,
                algorithm,
                worker,
                pool: pools.get(usize::from(pool))?.name.clone(),
                counts,
            })
        };
        let rows = self.workers.drain().filter_map(row).collect();
        self.pools.clear();
        rows
    }
}

fn shorten(name: &str) -> WorkerName {
    let mut short = WorkerName::new();
    // Stops at the first character that has no room.
    let _ = name.chars().try_for_each(|character| short.push(character));
    short
}
