//! The books: what became of every share, per algorithm, pool and worker.
//!
//! [`Ledger::add`] is on the way of each share: it takes one lock, finds one row
//! and allocates nothing once the worker's row of the hour is there.
//!
//! The store gets the sums of each minute and pool every few minutes (`unwritten`), and
//! once the hour is over whose they were. While the disk refuses to write, everything
//! stays here: the books are bounded by workers and pools, not by time.

mod unwritten;

pub use unwritten::{EVERY, Outside};

use crate::clock::{Clock, unix_now};
use crate::counts::Counts;
use crate::per_algorithm::PerAlgorithm;
use crate::rate::{Rate, Window, hashes_per_difficulty};
use crate::store::{Alive, Books, Record, Store, WorkerTotal};
use serde::Serialize;
use smart_mining_core::share::WorkerName;
use smart_mining_core::sv1::Judged;
use smart_mining_core::{Algorithm, Instant};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use unwritten::{Fresh, Unwritten};

/// Rows of one record; a full queue then costs these names and no more.
const ROWS: usize = 500;
/// Workers of an algorithm in an hour. Names are the miners' to choose: beyond these
/// their shares are counted for the pool alone.
const WORKERS: usize = 16_384;
const HOUR: u64 = 3600;

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

pub struct Ledger {
    books: PerAlgorithm<Mutex<Book>>,
    /// Who hands over does so alone: an hour's names go after its sums.
    unwritten: Mutex<Unwritten>,
    outside: OnceLock<Outside>,
    clock: Clock,
}

struct Book {
    totals: Counts,
    rate: Rate,
    pools: Vec<PoolBook>,
    /// The hour that `workers` are of, in unix seconds.
    hour: u64,
    /// What each worker did in the hour. It is emptied and never given back, so that the
    /// next hour finds its room.
    workers: HashMap<WorkerName, Counts>,
}

struct PoolBook {
    name: Arc<str>,
    /// Not looked at yet.
    fresh: Counts,
}

/// Counters stay meaningful even if a holder panicked half-way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger {
    pub fn new(clock: Clock) -> Self {
        let (now, wall) = (clock.now(), unix_now());
        Self {
            books: PerAlgorithm::new(|_| Mutex::new(Book::new(now, wall / HOUR * HOUR))),
            unwritten: Mutex::new(Unwritten::new(now, wall / 60 * 60)),
            outside: OnceLock::new(),
            clock,
        }
    }

    /// Where prices and numbers of miners come from; the first one stays.
    pub fn look_outside(&self, outside: Outside) {
        // A second one would be a fault of the start, and harmless.
        let _ = self.outside.set(outside);
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

    /// To be called every few seconds: hands over once it is time.
    pub fn tick(&self, store: &Store) {
        self.tick_at(store, unix_now(), self.clock.now());
    }

    /// Hand what was counted up to now to the store. What it cannot take stays here for
    /// the next time.
    pub fn write_to(&self, store: &Store) {
        self.write_at(store, unix_now());
    }

    /// What charts show and the card does not have yet.
    pub fn beyond(&self, generation: u64) -> Books {
        lock(&self.unwritten).beyond(generation)
    }

    /// `wall`: unix seconds.
    #[doc(hidden)]
    pub fn tick_at(&self, store: &Store, wall: u64, now: Instant) {
        let mut unwritten = lock(&self.unwritten);
        self.look(&mut unwritten, wall);
        if store.is_stuck() {
            return;
        }
        if unwritten.is_due(now) {
            unwritten.hand_over(store, self.alive(wall), now);
        }
        self.end_hour(store, Some(wall / HOUR * HOUR));
    }

    #[doc(hidden)]
    pub fn write_at(&self, store: &Store, wall: u64) {
        let mut unwritten = lock(&self.unwritten);
        self.look(&mut unwritten, wall);
        if store.is_stuck() {
            return;
        }
        unwritten.hand_over(store, self.alive(wall), self.clock.now());
        self.end_hour(store, Some(wall / HOUR * HOUR));
    }

    /// The last call: all there is, whatever the time and the disk.
    pub fn finish(&self, store: &Store) {
        let mut unwritten = lock(&self.unwritten);
        let wall = unix_now();
        self.look(&mut unwritten, wall);
        unwritten.hand_over(store, self.alive(wall), self.clock.now());
        self.end_hour(store, None);
    }

    fn alive(&self, wall: u64) -> Alive {
        Alive {
            now: wall,
            started_at: wall.saturating_sub(self.clock.uptime().as_secs()),
            generation: 0,
        }
    }

    /// Take what came since the last look; each book is held for as long as that takes.
    fn look(&self, unwritten: &mut Unwritten, wall: u64) {
        let fresh = PerAlgorithm::new(|algorithm| lock(self.books.of(algorithm)).take());
        let outside = self.outside.get();
        unwritten.collect(&fresh, outside);
        unwritten.turn(wall / 60 * 60, outside);
    }

    /// Once the hour is another one, whose shares they were. `None` ends it whatever it is.
    fn end_hour(&self, store: &Store, hour: Option<u64>) {
        for (algorithm, book) in self.books.iter() {
            let mut book = lock(book);
            if hour == Some(book.hour) {
                continue;
            }
            let rows = book.close(algorithm);
            book.hour = hour.unwrap_or(book.hour);
            drop(book);
            send_names(rows, store);
        }
    }
}

/// In the table's own order, so that the store fills one page after the other.
fn send_names(mut rows: Vec<WorkerTotal>, store: &Store) {
    // From the end, so that what was handed over is not kept twice.
    rows.sort_unstable_by(|a, b| b.worker.cmp(&a.worker));
    while !rows.is_empty() {
        let mut chunk = rows.split_off(rows.len().saturating_sub(ROWS));
        rows.shrink_to_fit();
        chunk.reverse();
        // Refused ones are counted by the store; their sums are there already.
        store.record(Record::ByWorker(chunk));
    }
}

impl Book {
    fn new(now: Instant, hour: u64) -> Self {
        Self {
            totals: Counts::default(),
            rate: Rate::new(now),
            pools: Vec::new(),
            hour,
            workers: HashMap::new(),
        }
    }

    fn add(&mut self, worker: WorkerName, pool: &Arc<str>, judged: &Judged, now: Instant) {
        self.totals.add(judged);
        if judged.is_work() {
            self.rate.add(judged.difficulty, now);
        }
        self.pool(pool).add(judged);
        let room = self.workers.len() < WORKERS;
        match self.workers.get_mut(&worker) {
            Some(counts) => counts.add(judged),
            None if room && !worker.is_empty() => {
                let mut counts = Counts::default();
                counts.add(judged);
                self.workers.insert(worker, counts);
            }
            None => {}
        }
    }

    /// Pools are few: those of one algorithm that had shares of late.
    fn pool(&mut self, name: &Arc<str>) -> &mut Counts {
        let same = |known: &PoolBook| Arc::ptr_eq(&known.name, name) || known.name == *name;
        let index = self.pools.iter().position(same).unwrap_or_else(|| {
            self.pools.push(PoolBook {
                name: name.clone(),
                fresh: Counts::default(),
            });
            self.pools.len() - 1
        });
        &mut self.pools[index].fresh
    }

    /// What came since the last time. Pools without any are forgotten.
    fn take(&mut self) -> Vec<Fresh> {
        self.pools.retain(|pool| pool.fresh.shares() > 0);
        let take = |pool: &mut PoolBook| Fresh {
            pool: pool.name.clone(),
            counts: std::mem::take(&mut pool.fresh),
        };
        self.pools.iter_mut().map(take).collect()
    }

    /// The hour's rows; the book is empty and keeps its room.
    fn close(&mut self, algorithm: Algorithm) -> Vec<WorkerTotal> {
        let hour = self.hour;
        let row = |(worker, counts)| WorkerTotal {
            hour,
            algorithm,
            worker,
            counts,
        };
        self.workers.drain().map(row).collect()
    }
}

fn shorten(name: &str) -> WorkerName {
    let mut short = WorkerName::new();
    // Stops at the first character that has no room.
    let _ = name.chars().try_for_each(|character| short.push(character));
    short
}
