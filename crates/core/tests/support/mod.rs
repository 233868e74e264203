//! A farm on a virtual wire: one lane, its links, pools and miners in memory,
//! and a clock that jumps from one deadline to the next. No threads, no sleeps,
//! no ports; the same calls always give the same run.
// Each test binary uses a part of it.
#![allow(dead_code, unused_imports)]

pub mod bare;
mod clock;
pub mod hash;
pub mod miner;
pub mod pool;

use hash::JobText;
pub use miner::{Answer, FakeMiner};
pub use pool::{FakePool, Mode, Names};
use smart_mining_core::lane::Lane;
use smart_mining_core::route::{Candidate, Decision, Policy, Rule};
use smart_mining_core::share::{Board, LinkId, Seat};
use smart_mining_core::sv1::{Failure, Login, MinerSession, Outcome, PoolSession, Step};
use smart_mining_core::{Algorithm, Duration, Instant};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A share in about sixteen hashes.
pub const EASY: f64 = 16.0 / 4_294_967_296.0;
/// One way over the WAN.
pub const LATENCY: Duration = Duration::from_millis(20);
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

pub fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

pub fn login() -> Login {
    Login {
        user: "account.{worker}".into(),
        password: "x".into(),
        farm: "barn".into(),
        agent: "test/1".into(),
        per_worker: true,
        extensions: true,
    }
}

/// `score`: what it pays; `None` is one of the farm's own pools.
pub fn candidate(pool: &str, coin: &str, score: impl Into<Option<f64>>) -> Candidate {
    Candidate {
        pool: pool.into(),
        coin: coin.into(),
        url: format!("stratum+tcp://{pool}.example:3333")
            .parse()
            .expect("url"),
        login: login(),
        score: score.into(),
    }
}

#[derive(Debug)]
enum Event {
    Connected(LinkId),
    CannotConnect(LinkId),
    ToPool(LinkId, String),
    FromPool(LinkId, String),
    Closed(LinkId),
    Mine {
        miner: usize,
        every: Duration,
    },
    Notify {
        pool: String,
        every: Duration,
    },
    /// Real pools are never silent for long.
    Heartbeat,
}

#[derive(Debug)]
pub struct Link {
    pub pool: String,
    candidate: Candidate,
    pub session: Option<PoolSession<usize>>,
}

pub struct World {
    pub now: Instant,
    pub lane: Lane,
    pub pools: BTreeMap<String, FakePool>,
    pub links: BTreeMap<LinkId, Link>,
    pub miners: Vec<FakeMiner>,
    pub board: Arc<Board>,
    pub decisions: Vec<(Instant, Decision)>,
    pub failures: Vec<(Instant, String, Failure)>,
    pub notices: Vec<String>,
    /// Every attempt to connect.
    pub opened: Vec<(Instant, String)>,
    events: BTreeMap<(Instant, u64), Event>,
    serial: u64,
    pub latency: Duration,
}

impl World {
    pub fn new(pools: &[&str]) -> Self {
        Self::with(Policy::default(), pools)
    }

    pub fn with(policy: Policy, pools: &[&str]) -> Self {
        let now = at(1_000_000);
        let pools = pools
            .iter()
            .map(|name| (name.to_string(), FakePool::new(name)));
        let mut world = Self {
            now,
            lane: Lane::new(Algorithm::Sha256d, policy, 100, now),
            pools: pools.collect(),
            links: BTreeMap::new(),
            miners: Vec::new(),
            board: Arc::default(),
            decisions: Vec::new(),
            failures: Vec::new(),
            notices: Vec::new(),
            opened: Vec::new(),
            events: BTreeMap::new(),
            serial: 0,
            latency: LATENCY,
        };
        world.later(secs(50), Event::Heartbeat);
        world
    }

    /// Pools that are ranked in this order, a percent apart, and connected.
    pub fn running(pools: &[&str]) -> Self {
        let mut world = Self::new(pools);
        let scores = (0..pools.len()).map(|i| 1.0 - i as f64 / 100.0);
        world.rank(&pools.iter().copied().zip(scores).collect::<Vec<_>>(), 1);
        world.run(secs(3));
        world
    }

    /// A snapshot that ranks these pools, all of one coin.
    pub fn rank(&mut self, ranking: &[(&str, f64)], sequence: u64) {
        let list = ranking
            .iter()
            .map(|(pool, score)| candidate(pool, "BTC", *score));
        self.candidates(list.collect(), sequence);
    }

    pub fn candidates(&mut self, list: Vec<Candidate>, sequence: u64) {
        self.lane.candidates(list, sequence, self.now);
        self.carry_out();
    }

    pub fn pool(&mut self, name: &str) -> &mut FakePool {
        self.pools.get_mut(name).expect("a pool of this world")
    }

    pub fn route(&self) -> Option<&str> {
        self.lane.route().map(|(choice, _)| &*choice.pool)
    }

    pub fn last_rule(&self) -> Rule {
        self.decisions.last().expect("a decision").1.rule
    }

    /// Names of the pools that are connected or being connected to.
    pub fn live_links(&self) -> Vec<&str> {
        self.links.values().map(|link| &*link.pool).collect()
    }

    // --- what happens out there ---

    /// The pool's host dies or comes back.
    pub fn set_mode(&mut self, pool: &str, mode: Mode) {
        self.pool(pool).mode = mode;
        if mode == Mode::Refusing {
            self.cut(pool);
        }
    }

    /// All connections to the pool break.
    pub fn cut(&mut self, pool: &str) {
        let ids = self.ids(pool);
        self.pool(pool).connections.clear();
        for id in ids {
            self.later(Duration::from_millis(1), Event::Closed(id));
        }
    }

    fn ids(&self, pool: &str) -> Vec<LinkId> {
        let of_pool = self.links.iter().filter(|(_, link)| link.pool == pool);
        of_pool.map(|(id, _)| *id).collect()
    }

    /// The pool has a new job for everyone.
    pub fn notify(&mut self, pool: &str, clean: bool) -> JobText {
        let job = self.pool(pool).make_job(clean);
        self.say(pool, &job.notify());
        job
    }

    /// The pool changes its difficulty, and has a new job for it.
    pub fn retarget(&mut self, pool: &str, difficulty: f64) {
        self.pool(pool).difficulty = difficulty;
        self.say(pool, &pool::set_difficulty(difficulty));
        self.notify(pool, false);
    }

    /// The pool sends a line on each of its connections.
    pub fn say(&mut self, pool: &str, line: &str) {
        if self.pools[pool].mode == Mode::BlackHole {
            return;
        }
        let connected: Vec<LinkId> = self.pools[pool].connections.keys().copied().collect();
        for id in connected {
            self.later(self.latency, Event::FromPool(id, line.to_string()));
        }
    }

    pub fn notify_every(&mut self, pool: &str, every: Duration) {
        let pool = pool.to_string();
        self.later(every, Event::Notify { pool, every });
    }

    // --- miners ---

    /// A miner connects and greets; answers with its number.
    pub fn miner(&mut self, user: &str) -> usize {
        let seat = Seat {
            group: 0,
            prefix: self.miners.len() as u8,
        };
        self.miner_on(seat, user, true)
    }

    pub fn miner_on(&mut self, seat: Seat, user: &str, rolls: bool) -> usize {
        let mut miner = FakeMiner::new(seat, user, self.now);
        miner.rolls = rolls;
        let greeting = miner.greeting();
        self.miners.push(miner);
        let number = self.miners.len() - 1;
        for line in greeting {
            self.send(number, &line);
        }
        number
    }

    pub fn session(&mut self, miner: usize) -> &mut MinerSession {
        &mut self.miners[miner].session
    }

    /// One line from the miner to the appliance.
    pub fn send(&mut self, miner: usize, line: &str) {
        let board = self.board.clone();
        let step = self.miners[miner]
            .session
            .line(line.as_bytes(), &board, self.now);
        self.act(miner, step);
        self.flush_miner(miner);
    }

    fn act(&mut self, miner: usize, step: Step) {
        match step {
            Step::Done | Step::Named => {}
            Step::Judged(judged) => {
                self.miners[miner].submits += 1;
                self.miners[miner].judged.push(judged);
            }
            Step::Close(why) => self.miners[miner].closed = Some(why),
            Step::Submit(submit) => {
                self.miners[miner].submits += 1;
                let (token, link) = (submit.token, submit.job.link);
                let session = self
                    .links
                    .get_mut(&link)
                    .and_then(|link| link.session.as_mut());
                let sent = match session {
                    Some(session) => session.submit(submit, miner, self.now).is_ok(),
                    None => false,
                };
                if !sent {
                    let judged = self.session(miner).undeliverable(token, "no pool");
                    self.miners[miner].judged.extend(judged);
                }
                self.link_moved(link);
            }
        }
    }

    pub(super) fn flush_miner(&mut self, miner: usize) {
        let miner = &mut self.miners[miner];
        let output = std::mem::take(miner.session.output());
        for line in String::from_utf8(output).expect("UTF-8").lines() {
            miner.hear(line);
        }
    }

    /// The miner finds a share of its newest job and submits it.
    pub fn mine(&mut self, miner: usize) -> Option<u64> {
        let (id, line) = self.miners[miner].find()?;
        self.send(miner, &line);
        Some(id)
    }

    pub fn mine_every(&mut self, miner: usize, every: Duration) {
        self.later(every, Event::Mine { miner, every });
    }

    /// Mine one share and wait for its answer.
    pub fn mine_now(&mut self, miner: usize) -> Answer {
        let id = self.mine(miner).expect("the miner has a job");
        self.run(self.latency * 2 + ms(10));
        self.miners[miner].answer(id).expect("an answer").clone()
    }

    pub fn outcomes(&self, outcome: Outcome) -> usize {
        let all = self.miners.iter().flat_map(|miner| &miner.judged);
        all.filter(|judged| judged.outcome == outcome).count()
    }

    /// What miners were told is what the pools wrote down.
    pub fn assert_books(&self) {
        let told: usize = self.miners.iter().map(FakeMiner::accepted).sum();
        let paid: u64 = self.pools.values().map(|pool| pool.accepted).sum();
        assert_eq!(told as u64, paid, "accepts told and accepts paid");
    }

    /// The same, but for verdicts that were under way when a connection ended:
    /// the pool wrote them down and could not tell. Never the other way round.
    pub fn assert_books_within(&self, untold: u64) {
        let told: usize = self.miners.iter().map(FakeMiner::accepted).sum();
        let paid: u64 = self.pools.values().map(|pool| pool.accepted).sum();
        let told = told as u64;
        assert!(
            told <= paid && paid <= told + untold,
            "told {told}, paid {paid}"
        );
    }
}
