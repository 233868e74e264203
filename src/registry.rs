//! The miners that are connected now, as the status page shows them.

use crate::clock::Clock;
use crate::ledger::Counts;
use crate::rate::{Rate, hashes_per_difficulty};
use serde::Serialize;
use smart_mining_core::sv1::{Judged, Outcome};
use smart_mining_core::{Algorithm, Instant};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub struct Registry {
    miners: Mutex<BTreeMap<u64, Arc<Miner>>>,
    next: AtomicU64,
    pub connected: AtomicU64,
    pub disconnected: AtomicU64,
    /// Connections that access rules or limits turned away.
    pub refused: AtomicU64,
    clock: Clock,
}

/// One connection. Its task writes, the page reads.
#[derive(Debug)]
pub struct Miner {
    algorithm: Algorithm,
    address: SocketAddr,
    since: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    worker: String,
    agent: String,
    difficulty: f64,
    counts: Counts,
    rate: Rate,
    last_share: Option<Instant>,
}

/// A row of the table of miners.
#[derive(Clone, Debug, Serialize)]
pub struct MinerView {
    pub algorithm: Algorithm,
    pub address: String,
    pub worker: String,
    pub agent: String,
    pub difficulty: f64,
    pub connected_seconds: u64,
    pub last_share_seconds: Option<u64>,
    pub hashrate_10m: f64,
    #[serde(flatten)]
    pub counts: Counts,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    pub fn new(clock: Clock) -> Self {
        Self {
            miners: Mutex::new(BTreeMap::new()),
            next: AtomicU64::new(0),
            connected: AtomicU64::new(0),
            disconnected: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            clock,
        }
    }

    pub fn join(&self, algorithm: Algorithm, address: SocketAddr) -> (u64, Arc<Miner>) {
        let now = self.clock.now();
        let miner = Arc::new(Miner {
            algorithm,
            address,
            since: now,
            state: Mutex::new(State {
                worker: String::new(),
                agent: String::new(),
                difficulty: 0.0,
                counts: Counts::default(),
                rate: Rate::new(now),
                last_share: None,
            }),
        });
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        self.connected.fetch_add(1, Ordering::Relaxed);
        lock(&self.miners).insert(key, miner.clone());
        (key, miner)
    }

    pub fn leave(&self, key: u64) {
        if lock(&self.miners).remove(&key).is_some() {
            self.disconnected.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn count(&self, algorithm: Algorithm) -> usize {
        let miners = lock(&self.miners);
        miners
            .values()
            .filter(|miner| miner.algorithm == algorithm)
            .count()
    }

    pub fn view(&self) -> Vec<MinerView> {
        let miners: Vec<Arc<Miner>> = lock(&self.miners).values().cloned().collect();
        miners.iter().map(|miner| miner.view(&self.clock)).collect()
    }
}

impl Miner {
    pub fn named(&self, worker: &str, agent: &str) {
        let mut state = lock(&self.state);
        worker.clone_into(&mut state.worker);
        agent.clone_into(&mut state.agent);
    }

    pub fn difficulty(&self, difficulty: f64) {
        lock(&self.state).difficulty = difficulty;
    }

    pub fn judged(&self, judged: &Judged, now: Instant) {
        let mut state = lock(&self.state);
        state.counts.add(judged);
        state.last_share = Some(now);
        if judged.outcome == Outcome::Accepted {
            state.rate.add(judged.difficulty, now);
        }
    }

    fn view(&self, clock: &Clock) -> MinerView {
        let now = clock.now();
        let mut state = lock(&self.state);
        MinerView {
            algorithm: self.algorithm,
            address: self.address.to_string(),
            worker: state.worker.clone(),
            agent: state.agent.clone(),
            difficulty: state.difficulty,
            connected_seconds: clock.seconds_since(self.since),
            last_share_seconds: state.last_share.map(|at| clock.seconds_since(at)),
            hashrate_10m: state.rate.per_second(600, now) * hashes_per_difficulty(self.algorithm),
            counts: state.counts,
        }
    }
}
