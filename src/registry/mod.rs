//! The miners that are connected now, and those that left, as the status page shows them.

mod offline;
mod row;
#[cfg(test)]
mod tests;

pub use row::{MinerState, MinerView};

use crate::clock::Clock;
use crate::counts::Counts;
use crate::ledger::Hashrates;
use crate::per_algorithm::PerAlgorithm;
use crate::rate::Rate;
use offline::{Identity, Left, Offline};
use smart_mining_core::share::WorkerName;
use smart_mining_core::sv1::Judged;
use smart_mining_core::{Algorithm, Duration, Instant};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A miner that works finds six shares and more in this time: one that finds none
/// has most likely stopped.
pub const SILENT_AFTER: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Registry {
    miners: Mutex<BTreeMap<u64, Arc<Miner>>>,
    /// Those in `miners`, and the silent ones at the last look.
    here: PerAlgorithm<AtomicUsize>,
    silent: PerAlgorithm<AtomicUsize>,
    no_work: PerAlgorithm<AtomicUsize>,
    offline: Offline,
    next: AtomicU64,
    pub connected: AtomicU64,
    pub disconnected: AtomicU64,
    /// Connections that access rules or limits turned away.
    pub refused: AtomicU64,
    clock: Clock,
}

/// How many of an algorithm are in each state; `silent` and the rest at the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct States {
    pub silent: usize,
    pub offline: usize,
    pub no_work_yet: usize,
    pub works: usize,
}

/// One connection. Its task writes, the page reads. Thousands of them are kept:
/// a test holds its size.
#[derive(Debug)]
pub struct Miner {
    algorithm: Algorithm,
    address: SocketAddr,
    since: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    worker: WorkerName,
    agent: Box<str>,
    difficulty: f64,
    counts: Counts,
    rate: Rate,
    last_share: Option<Instant>,
    /// From here on a share is expected: it works, and there is work for it.
    expected_since: Instant,
    last_work: Instant,
    silent: bool,
    told: bool,
}

/// What changed for people, see [`crate::silence`].
#[derive(Debug, Default)]
pub struct Look {
    /// Silent for long, and nobody was told.
    pub silent: Vec<Arc<Miner>>,
    /// They were told to be silent, and work again.
    pub back: Vec<Arc<Miner>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    pub fn new(clock: Clock) -> Self {
        Self {
            miners: Mutex::new(BTreeMap::new()),
            here: PerAlgorithm::new(|_| AtomicUsize::new(0)),
            silent: PerAlgorithm::new(|_| AtomicUsize::new(0)),
            no_work: PerAlgorithm::new(|_| AtomicUsize::new(0)),
            offline: Offline::new(),
            next: AtomicU64::new(0),
            connected: AtomicU64::new(0),
            disconnected: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            clock,
        }
    }

    pub fn join(&self, algorithm: Algorithm, address: SocketAddr) -> (u64, Arc<Miner>) {
        let miner = Arc::new(Miner::new(algorithm, address, self.clock.now()));
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        self.connected.fetch_add(1, Ordering::Relaxed);
        self.here.of(algorithm).fetch_add(1, Ordering::Relaxed);
        lock(&self.miners).insert(key, miner.clone());
        (key, miner)
    }

    pub fn leave(&self, key: u64) {
        let gone = lock(&self.miners).remove(&key);
        if let Some(miner) = gone {
            self.disconnected.fetch_add(1, Ordering::Relaxed);
            self.here
                .of(miner.algorithm)
                .fetch_sub(1, Ordering::Relaxed);
            self.offline.leave(miner, self.clock.now());
        }
    }

    pub fn count(&self, algorithm: Algorithm) -> usize {
        self.here.of(algorithm).load(Ordering::Relaxed)
    }

    /// At the last look.
    pub fn silent(&self, algorithm: Algorithm) -> usize {
        self.silent.of(algorithm).load(Ordering::Relaxed)
    }

    pub fn states(&self, algorithm: Algorithm) -> States {
        let here = self.count(algorithm);
        let silent = self.silent(algorithm).min(here);
        let no_work_yet = self.no_work.of(algorithm).load(Ordering::Relaxed);
        let no_work_yet = no_work_yet.min(here - silent);
        States {
            silent,
            offline: self.offline.count(algorithm),
            no_work_yet,
            works: here - silent - no_work_yet,
        }
    }

    /// Those that are connected, and after them those that left, the last first.
    pub fn view(&self) -> Vec<MinerView> {
        let miners = self.connected_now();
        self.offline.settle(&miners);
        let now = self.clock.now();
        let here = miners.iter().map(|miner| miner.view(None, now));
        let left = self.offline.kept();
        let left = left.iter().map(|left| left.miner.view(Some(left), now));
        here.chain(left).collect()
    }

    fn connected_now(&self) -> Vec<Arc<Miner>> {
        lock(&self.miners).values().cloned().collect()
    }

    /// See which miners of the algorithm are silent. `has_route`: there is work
    /// for them. To be called every few seconds; `tell_after` is the quiet time
    /// from which people should know.
    pub fn look(
        &self,
        algorithm: Algorithm,
        has_route: bool,
        tell_after: Duration,
        now: Instant,
    ) -> Look {
        let mut look = Look::default();
        let (mut silent, mut no_work) = (0, 0);
        let miners = self.connected_now();
        self.offline.settle(&miners);
        for miner in miners.iter().filter(|m| m.algorithm == algorithm) {
            let mut state = lock(&miner.state);
            let quiet = state.quiet(has_route, now);
            state.silent = quiet >= SILENT_AFTER;
            silent += usize::from(state.silent);
            no_work += usize::from(state.difficulty <= 0.0);
            match (state.told, state.silent) {
                (false, true) if quiet >= tell_after => look.silent.push(miner.clone()),
                (true, false) if state.last_work > state.expected_since => {
                    look.back.push(miner.clone());
                }
                (true | false, true | false) => {}
            }
        }
        self.silent.of(algorithm).store(silent, Ordering::Relaxed);
        self.no_work.of(algorithm).store(no_work, Ordering::Relaxed);
        look
    }
}

impl State {
    /// How long it has found nothing while it should have.
    fn quiet(&mut self, has_route: bool, now: Instant) -> Duration {
        if !has_route || self.difficulty <= 0.0 {
            self.expected_since = now;
        }
        let from = self.expected_since.max(self.last_work);
        now.saturating_duration_since(from)
    }
}

impl Miner {
    fn new(algorithm: Algorithm, address: SocketAddr, now: Instant) -> Self {
        let state = State {
            worker: WorkerName::new(),
            agent: Box::default(),
            difficulty: 0.0,
            counts: Counts::default(),
            rate: Rate::new(now),
            last_share: None,
            expected_since: now,
            last_work: now,
            silent: false,
            told: false,
        };
        Self {
            algorithm,
            address,
            since: now,
            state: Mutex::new(state),
        }
    }

    pub fn named(&self, worker: &str, agent: &str) {
        let mut state = lock(&self.state);
        state.worker.clear();
        // Sessions have names of this size already; of a longer one the start is kept.
        let _ = worker
            .chars()
            .try_for_each(|character| state.worker.push(character));
        if *state.agent != *agent {
            state.agent = agent.into();
        }
    }

    /// What it works at; 0 while it has no work.
    pub fn difficulty(&self, difficulty: f64) {
        lock(&self.state).difficulty = difficulty;
    }

    pub fn judged(&self, judged: &Judged, now: Instant) {
        let mut state = lock(&self.state);
        state.counts.add(judged);
        state.last_share = Some(now);
        if judged.is_work() {
            state.rate.add(judged.difficulty, now);
            state.last_work = now;
            state.silent = false;
        }
    }

    /// People were told that it is silent, or that it works again.
    pub fn told(&self, silent: bool) {
        lock(&self.state).told = silent;
    }

    /// For a line of text.
    pub fn label(&self) -> String {
        let worker = lock(&self.state).worker.clone();
        format!("{worker} ({})", self.address)
    }

    /// Its worker's name and where it comes from.
    pub fn who(&self) -> (String, IpAddr) {
        let worker = lock(&self.state).worker.as_str().to_owned();
        (worker, self.address.ip())
    }

    /// By which it is known again; none before it said its name.
    fn identity(&self) -> Option<Identity> {
        let worker = lock(&self.state).worker.clone();
        (!worker.is_empty()).then(|| (self.algorithm, self.address.ip(), worker))
    }

    /// Go on with the books of an earlier connection, whose task has ended.
    fn inherit(&self, before: &Self) {
        let (counts, rate, last_share) = {
            let before = lock(&before.state);
            (before.counts, before.rate.clone(), before.last_share)
        };
        let mut state = lock(&self.state);
        state.counts += &counts;
        state.rate.absorb(&rate);
        state.last_share = state.last_share.max(last_share);
    }

    fn view(&self, left: Option<&Left>, now: Instant) -> MinerView {
        let state = lock(&self.state);
        let seconds_since = |then: Instant| now.saturating_duration_since(then).as_secs();
        MinerView {
            algorithm: self.algorithm,
            address: self.address.to_string(),
            worker: state.worker.as_str().to_owned(),
            name: None,
            agent: state.agent.as_ref().to_owned(),
            state: match (left, state.silent, state.difficulty > 0.0) {
                (Some(_), _, _) => MinerState::Offline,
                (None, true, _) => MinerState::Silent,
                (None, false, true) => MinerState::Works,
                (None, false, false) => MinerState::NoWorkYet,
            },
            difficulty: state.difficulty,
            connected_seconds: left.is_none().then(|| seconds_since(self.since)),
            last_seen_seconds: left.map_or(0, |left| seconds_since(left.at)),
            last_share_seconds: state.last_share.map(seconds_since),
            silent: left.is_none() && state.silent,
            reject_rate: state.counts.reject_rate(),
            hashrates: Hashrates::of(&state.rate, self.algorithm, now),
            counts: state.counts,
        }
    }
}
