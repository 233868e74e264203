//! The miners that are connected now, as the status page shows them.

use crate::clock::Clock;
use crate::counts::Counts;
use crate::ledger::Hashrates;
use crate::per_algorithm::PerAlgorithm;
use crate::rate::Rate;
use serde::Serialize;
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
    next: AtomicU64,
    pub connected: AtomicU64,
    pub disconnected: AtomicU64,
    /// Connections that access rules or limits turned away.
    pub refused: AtomicU64,
    clock: Clock,
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
    /// It should find shares and has found none for a while.
    pub silent: bool,
    #[serde(flatten)]
    pub hashrates: Hashrates,
    #[serde(flatten)]
    pub counts: Counts,
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
        }
    }

    pub fn count(&self, algorithm: Algorithm) -> usize {
        self.here.of(algorithm).load(Ordering::Relaxed)
    }

    /// At the last look.
    pub fn silent(&self, algorithm: Algorithm) -> usize {
        self.silent.of(algorithm).load(Ordering::Relaxed)
    }

    pub fn view(&self) -> Vec<MinerView> {
        let miners: Vec<Arc<Miner>> = lock(&self.miners).values().cloned().collect();
        let now = self.clock.now();
        miners.iter().map(|miner| miner.view(now)).collect()
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
        let mut silent = 0;
        let miners = lock(&self.miners);
        for miner in miners.values().filter(|m| m.algorithm == algorithm) {
            let mut state = lock(&miner.state);
            let quiet = state.quiet(has_route, now);
            state.silent = quiet >= SILENT_AFTER;
            silent += usize::from(state.silent);
            match (state.told, state.silent) {
                (false, true) if quiet >= tell_after => look.silent.push(miner.clone()),
                (true, false) if state.last_work > state.expected_since => {
                    look.back.push(miner.clone());
                }
                (true | false, true | false) => {}
            }
        }
        drop(miners);
        self.silent.of(algorithm).store(silent, Ordering::Relaxed);
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

    fn view(&self, now: Instant) -> MinerView {
        let state = lock(&self.state);
        let seconds_since = |then: Instant| now.saturating_duration_since(then).as_secs();
        MinerView {
            algorithm: self.algorithm,
            address: self.address.to_string(),
            worker: state.worker.as_str().to_owned(),
            agent: state.agent.as_ref().to_owned(),
            difficulty: state.difficulty,
            connected_seconds: seconds_since(self.since),
            last_share_seconds: state.last_share.map(seconds_since),
            silent: state.silent,
            hashrates: Hashrates::of(&state.rate, self.algorithm, now),
            counts: state.counts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smart_mining_core::sv1::{Judge, Outcome};

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 168, 1, 7], port))
    }

    fn share(outcome: Outcome, by: Judge) -> Judged {
        Judged {
            link: None,
            difficulty: 1000.0,
            pool_difficulty: 4000.0,
            outcome,
            by,
        }
    }

    #[test]
    fn what_is_kept_of_a_miner_has_a_size() {
        // The two counts of its Arc, its place in the table (key, pointer and what a
        // half-full node wastes), and a firmware's name of the longest kind.
        let all = size_of::<Miner>() + 16 + 32 + 48 + 16;
        assert!(all <= 600, "{all} bytes, {} in the row", size_of::<Miner>());
    }

    #[test]
    fn counting_follows_who_comes_and_goes() {
        let registry = Registry::new(Clock::start());
        let keys: Vec<u64> = (0..5000)
            .map(|port| registry.join(Algorithm::Sha256d, address(port)).0)
            .collect();
        registry.join(Algorithm::Scrypt, address(1));
        assert_eq!(registry.count(Algorithm::Sha256d), 5000);
        for key in &keys {
            registry.leave(*key);
            registry.leave(*key);
        }
        assert_eq!(registry.count(Algorithm::Sha256d), 0);
        assert_eq!(registry.count(Algorithm::Scrypt), 1);
        assert_eq!(registry.view().len(), 1);
        assert_eq!(registry.disconnected.load(Ordering::Relaxed), 5000);
    }

    #[test]
    fn a_share_below_the_pool_s_difficulty_is_work_and_not_accepted() {
        let registry = Registry::new(Clock::start());
        let (_, miner) = registry.join(Algorithm::Sha256d, address(1));
        let now = registry.clock.now();
        miner.named("rig07", "bmminer/2.0");
        miner.judged(&share(Outcome::Local, Judge::Appliance), now);
        let row = registry.view().remove(0);
        assert_eq!((row.counts.accepted, row.counts.local), (0, 1));
        assert_eq!(row.counts.difficulty_accepted, 0.0);
        assert!(row.hashrates.hashrate_1m > 0.0 && row.hashrates.hashrate_24h > 0.0);
        assert_eq!(
            (row.worker.as_str(), row.agent.as_str()),
            ("rig07", "bmminer/2.0")
        );
        // A share that was refused here is no work.
        miner.judged(&share(Outcome::Rejected, Judge::Appliance), now);
        assert_eq!(registry.view().remove(0).counts.work, 1000.0);
    }

    #[test]
    fn a_miner_is_silent_only_while_it_should_find_shares() {
        let registry = Registry::new(Clock::start());
        let (_, miner) = registry.join(Algorithm::Sha256d, address(1));
        let start = registry.clock.now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let look = |seconds, has_route| {
            let tell_after = Duration::from_secs(120);
            let look = registry.look(Algorithm::Sha256d, has_route, tell_after, at(seconds));
            let silent = registry.silent(Algorithm::Sha256d);
            (silent, look.silent.len(), look.back.len())
        };
        // It has not been given work.
        assert_eq!(look(300, true), (0, 0, 0));
        miner.difficulty(1000.0);
        assert_eq!(look(355, true), (0, 0, 0));
        assert_eq!(look(360, true), (1, 0, 0));
        // No pool: nobody can find anything, and the time starts anew.
        assert_eq!(look(365, false), (0, 0, 0));
        assert_eq!(look(420, true), (0, 0, 0));
        assert_eq!(look(425, true), (1, 0, 0));
        assert_eq!(look(485, true), (1, 1, 0));
        // Until it was told it waits to be told.
        assert_eq!(look(490, true), (1, 1, 0));
        miner.told(true);
        assert_eq!(look(495, true), (1, 0, 0));
        // Refused here: that is not work.
        miner.judged(&share(Outcome::Stale, Judge::Appliance), at(496));
        assert_eq!(look(500, true), (1, 0, 0));
        miner.judged(&share(Outcome::Rejected, Judge::Pool), at(501));
        assert!(!registry.view().remove(0).silent);
        assert_eq!(look(505, true), (0, 0, 1));
        miner.told(false);
        assert_eq!(look(510, true), (0, 0, 0));
    }
}
