//! A farm on a virtual wire: one lane, its links, pools and miners in memory,
//! and a clock that jumps from one deadline to the next. No threads, no sleeps,
//! no ports; the same calls always give the same run.
// Each test binary uses a part of it.
#![allow(dead_code, unused_imports)]

pub mod bare;
mod clock;
pub mod front;
pub mod hash;
mod links;
pub mod miner;
pub mod pool;

use front::Front;
use hash::JobText;
pub use links::{Link, WAITS_FOR};
pub use miner::{Answer, FakeMiner};
pub use pool::{FakePool, Mode, Names};
use smart_mining_core::lane::{Crowd, Lane};
use smart_mining_core::route::{Candidate, Decision, Policy, Rule, Wishes};
use smart_mining_core::share::{Board, LinkId, Manner, Seat};
use smart_mining_core::sv1::miner::Shown;
use smart_mining_core::sv1::{Failure, Login, MinerSession, Outcome, Step};
use smart_mining_core::{Algorithm, Duration, Instant};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A share in about sixteen hashes.
pub const EASY: f64 = 16.0 / 4_294_967_296.0;
/// One way over the WAN.
pub const LATENCY: Duration = Duration::from_millis(20);
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub const fn at(millis: u64) -> Instant {
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
        tls_pin: None,
        login: login(),
        score: score.into(),
    }
}

/// One connection of a link. What is under way on an older one is lost with it.
type Wire = u32;

#[derive(Debug)]
enum Event {
    Connected(LinkId, Wire),
    CannotConnect(LinkId, Wire),
    ToPool(LinkId, Wire, String),
    FromPool(LinkId, Wire, String),
    Closed(LinkId, Wire),
    Mine {
        miner: usize,
        every: Duration,
    },
    Notify {
        pool: String,
        every: Duration,
    },
    /// A miner that was asked to reconnect does so.
    ComesAgain(usize),
    /// Real pools are never silent for long.
    Heartbeat,
}

pub struct World {
    pub now: Instant,
    pub lane: Lane,
    pub pools: BTreeMap<String, FakePool>,
    pub links: BTreeMap<LinkId, Link>,
    pub miners: Vec<FakeMiner>,
    /// Those that have not come in yet.
    greeting: Vec<usize>,
    pub front: Front,
    pub board: Arc<Board>,
    pub decisions: Vec<(Instant, Decision)>,
    pub failures: Vec<(Instant, String, Failure)>,
    pub notices: Vec<String>,
    /// Connections that were up when the lane let them go.
    pub let_go: Vec<Wire>,
    /// Every attempt to connect.
    pub opened: Vec<(Instant, String)>,
    events: BTreeMap<(Instant, u64), Event>,
    serial: u64,
    moves: u64,
    wires: Wire,
    pub latency: Duration,
    /// How the port tells miners what is particular to a pool's connection.
    pub manner: Manner,
    /// How long a miner takes to come again.
    pub away: Duration,
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
            greeting: Vec::new(),
            front: Front::default(),
            board: Arc::default(),
            decisions: Vec::new(),
            failures: Vec::new(),
            notices: Vec::new(),
            let_go: Vec::new(),
            opened: Vec::new(),
            events: BTreeMap::new(),
            serial: 0,
            moves: 0,
            wires: 0,
            latency: LATENCY,
            manner: Manner::Constant,
            away: secs(1),
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

    pub fn wish(&mut self, wishes: Wishes) {
        self.lane.wish(wishes, self.now);
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
        let live = self.links.values().filter(|link| link.is_live());
        live.map(|link| &*link.pool).collect()
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
        for id in self.ids(pool) {
            self.cut_link(id);
        }
    }

    /// One connection breaks.
    pub fn cut_link(&mut self, id: LinkId) {
        let link = &self.links[&id];
        let (wire, pool) = (link.wire, link.pool.clone());
        self.pool(&pool).connections.remove(&wire);
        self.later(Duration::from_millis(1), Event::Closed(id, wire));
    }

    /// The pool's links that are connected or being connected, oldest first.
    pub fn ids(&self, pool: &str) -> Vec<LinkId> {
        let links = self.links.iter();
        let of_pool = links.filter(|(_, link)| link.pool == pool && link.is_live());
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
        for id in self.ids(pool) {
            let wire = self.links[&id].wire;
            if self.pools[pool].connections.contains_key(&wire) {
                self.later(self.latency, Event::FromPool(id, wire, line.to_string()));
            }
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
        self.join(miner)
    }

    /// The same, with something about it changed before it connects.
    pub fn miner_like(&mut self, user: &str, change: impl FnOnce(&mut FakeMiner)) -> usize {
        let seat = Seat {
            group: 0,
            prefix: self.miners.len() as u8,
        };
        let mut miner = FakeMiner::new(seat, user, self.now);
        change(&mut miner);
        self.join(miner)
    }

    /// It greets in one packet.
    pub fn join(&mut self, miner: FakeMiner) -> usize {
        let number = self.miners.len();
        self.miners.push(miner);
        let seat = self.miners[number].session.seat();
        self.greet(number, seat);
        number
    }

    /// On a new connection.
    pub fn greet(&mut self, number: usize, seat: Seat) {
        let session = MinerSession::new(Algorithm::Sha256d, seat, 7, secs(15), self.now);
        self.miners[number].begin_again(session.in_manner(self.manner));
        self.count(usize::from(seat.group) + 1);
        self.greeting.push(number);
        let board = self.board.clone();
        let greeting = self.miners[number].greeting();
        let session = &mut self.miners[number].session;
        self.front.place(number, session, &board);
        for line in greeting {
            let step = self.front.part(session, line.as_bytes(), &board, self.now);
            assert!(matches!(step, Step::Done), "{step:?}");
        }
        self.show(number);
    }

    /// Tell the lane who is there.
    pub fn count(&mut self, groups: usize) {
        let present = self.miners.iter().filter(|miner| miner.closed.is_none());
        let miners = present.count();
        self.moves += 1;
        let crowd = Crowd {
            groups,
            miners,
            moves: self.moves,
        };
        self.lane.set_crowd(crowd, self.now);
        self.carry_out();
    }

    /// The miner's connection ends.
    pub fn leave(&mut self, number: usize, why: &'static str) {
        let miner = &mut self.miners[number];
        miner.closed = Some(why);
        if let Some(link) = miner.session.spot().link {
            let last = miner.session.newest_job();
            self.front.dedicated.release(link, number, last);
        }
        self.count(1);
    }

    pub(super) fn comes_again(&mut self, number: usize) {
        let seat = self.miners[number].session.seat();
        self.greet(number, seat);
    }

    /// Show it the board, if it reads.
    pub fn show(&mut self, miner: usize) {
        let board = self.board.clone();
        let fake = &mut self.miners[miner];
        if fake.reads && fake.closed.is_none() {
            self.front.place(miner, &mut fake.session, &board);
            let shown = self.front.show(&mut fake.session, &board, self.now);
            self.flush_miner(miner);
            if shown == Shown::Reconnect {
                self.leave(miner, "asked to come again");
                self.later(self.away, Event::ComesAgain(miner));
            }
        }
    }

    pub fn session(&mut self, miner: usize) -> &mut MinerSession {
        &mut self.miners[miner].session
    }

    /// One line from the miner to the appliance.
    pub fn send(&mut self, miner: usize, line: &str) {
        if self.miners[miner].closed.is_some() {
            return;
        }
        let board = self.board.clone();
        let session = &mut self.miners[miner].session;
        let step = self.front.part(session, line.as_bytes(), &board, self.now);
        self.act(miner, step);
        self.flush_miner(miner);
        self.show(miner);
    }

    fn act(&mut self, miner: usize, step: Step) {
        match step {
            Step::Done | Step::Authorize(_) => {}
            Step::Judged(judged) => {
                self.miners[miner].submits += 1;
                self.miners[miner].judged.push(judged);
            }
            Step::Close(why) => self.miners[miner].closed = Some(why),
            Step::Submit(share) => {
                self.miners[miner].submits += 1;
                let (link, submit) = self.front.put(miner, share, self.now);
                self.forward(link, submit);
            }
        }
    }

    /// What was written is for this miner, if it is still there.
    pub(super) fn flush_miner(&mut self, miner: usize) {
        let heard = self.front.heard();
        let miner = &mut self.miners[miner];
        for line in heard.lines() {
            if miner.closed.is_none() {
                miner.hear(line);
            } else {
                miner.misses(line);
            }
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

    /// One share of each, and that each was told `true` by its pool.
    pub fn mine_all(&mut self) {
        let ids: Vec<u64> = (0..self.miners.len())
            .map(|miner| self.mine(miner).expect("a job"))
            .collect();
        self.run(self.latency * 2 + ms(10));
        for (miner, id) in self.miners.iter().zip(ids) {
            assert_eq!(miner.answer(id), Some(&Answer::True), "{}", miner.user);
        }
    }

    pub fn outcomes(&self, outcome: Outcome) -> usize {
        let all = self.miners.iter().flat_map(|miner| &miner.judged);
        all.filter(|judged| judged.outcome == outcome).count()
    }

    /// The accepts that miners were told are those that the pools wrote down.
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
