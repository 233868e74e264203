//! A day of a farm on which something happens all the time: miners come and go,
//! some read slowly or not at all, pools restart, change their difficulty and
//! vanish, the WAN breaks. Every answer is held against what the pools wrote
//! down, share by share. The same seed is the same day.

mod support;

use smart_mining_core::Instant;
use smart_mining_core::share::{MAX_JOBS, Seats};
use smart_mining_core::sv1::Outcome;
use std::collections::{BTreeMap, BTreeSet};
use support::{Answer, EASY, FakeMiner, Mode, World, ms, secs};

const POOLS: [&str; 4] = ["a", "b", "c", "d"];
/// More than one group.
const MINERS: usize = 300;
/// Within the grace of 10 s, less the way to the pool.
const IN_TIME: u64 = 9_900;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.roll(chances) == 0
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.roll(choices.len() as u64) as usize]
    }
}

/// A share that was found, and all that an independent judge has to know of it.
struct Shot {
    miner: usize,
    id: u64,
    line: String,
    header: Vec<u8>,
    found: Instant,
    pool: &'static str,
    wire: u32,
    pool_job: String,
    /// What the pool asks for its job.
    asked: f64,
    /// Nobody sent this header before it.
    first: bool,
}

struct Day {
    world: World,
    dice: Dice,
    seats: Seats,
    present: Vec<usize>,
    /// Found, and kept back by a slow miner.
    held: Vec<Shot>,
    sent: Vec<(Instant, Shot)>,
    headers: BTreeSet<Vec<u8>>,
    /// Found on what was the newest job, and therefore never found before.
    fresh: BTreeSet<Vec<u8>>,
    /// When each pool comes back.
    back: Vec<(Instant, &'static str)>,
    /// Since when each pool is well.
    well: BTreeMap<&'static str, Instant>,
    sequence: u64,
    tally: Tally,
}

#[derive(Debug, Default)]
struct Tally {
    shares: usize,
    sure: usize,
    late: usize,
    trues: usize,
    errors: BTreeMap<i64, usize>,
    /// Paid, and the verdict was lost on the way.
    untold: usize,
}

impl Day {
    fn new(seed: u64) -> Self {
        let mut world = World::new(&POOLS);
        world.pool("a").resumes = true;
        world.pool("b").size = 4;
        world.pool("b").resumes = true;
        world.pool("c").answers_extranonce = false;
        world.pool("c").mask = None;
        world.pool("d").size = 5;
        world.pool("d").early_job = true;
        let mut day = Self {
            world,
            dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            seats: Seats::new(1024),
            present: Vec::new(),
            held: Vec::new(),
            sent: Vec::new(),
            headers: BTreeSet::new(),
            fresh: BTreeSet::new(),
            back: Vec::new(),
            well: BTreeMap::new(),
            sequence: 0,
            tally: Tally::default(),
        };
        day.rank();
        day.world.run(secs(3));
        for _ in 0..MINERS {
            day.arrive();
        }
        day
    }

    fn rank(&mut self) {
        self.sequence += 1;
        let mut ranking: Vec<(&str, f64)> = POOLS
            .iter()
            .map(|pool| (*pool, 1.0 + self.dice.roll(20) as f64 / 100.0))
            .collect();
        ranking.sort_by(|a, b| b.1.total_cmp(&a.1));
        // Sometimes one is not on offer.
        ranking.truncate(4 - usize::from(self.dice.one_in(3)));
        self.world.rank(&ranking, self.sequence);
    }

    fn arrive(&mut self) {
        let Some(seat) = self.seats.take() else {
            return;
        };
        let number = self.world.miners.len();
        let mut miner = FakeMiner::new(seat, &format!("acc.rig{}", number % 400), self.world.now);
        miner.lazy = true;
        miner.rolls = !self.dice.one_in(3);
        if self.dice.one_in(2) {
            miner.password = format!("d={}", EASY * self.dice.of(&[0.5, 1.0, 2.0, 64.0]));
        }
        self.world.join(miner);
        // Half open: it greets, and is never heard of again.
        if self.dice.one_in(20) {
            self.world.miners[number].reads = false;
        }
        self.present.push(number);
    }

    fn leave(&mut self) {
        let index = self.dice.roll(self.present.len() as u64) as usize;
        let number = self.present.swap_remove(index);
        self.world.leave(number, "it left");
        self.seats.release(self.world.miners[number].session.seat());
    }

    fn somebody(&mut self) -> usize {
        let index = self.dice.roll(self.present.len() as u64) as usize;
        self.present[index]
    }

    /// It stops reading, or reads on from the newest board.
    fn doze(&mut self) {
        let number = self.somebody();
        let reads = !self.world.miners[number].reads;
        self.world.miners[number].reads = reads;
        self.world.show(number);
    }

    fn find(&mut self) -> Option<Shot> {
        let number = self.somebody();
        let miner = &mut self.world.miners[number];
        miner.read_on();
        let newest = miner.jobs.len().checked_sub(1)?;
        let index = match self.dice.one_in(6) {
            true => self.dice.roll(newest as u64 + 1) as usize,
            false => newest,
        };
        let job = miner.jobs[index].clone();
        let (id, line) = miner.find_on(index)?;
        let header = miner.found.clone();
        let spot = miner.session.spot();
        // The pool whose job it is, by the block that it builds on.
        let pools = &self.world.pools;
        let (pool, pool_job) = POOLS.iter().find_map(|pool| {
            let mut jobs = pools[*pool].jobs.iter();
            let found = jobs.find(|own| own.prev_hash == job.prev_hash)?;
            Some((*pool, found.id.clone()))
        })?;
        let current = self.world.board.current(spot);
        let is_current = current.is_some_and(|own| format!("{:x}", own.id) == job.id);
        let link = current.map_or(0, |own| own.link);
        if is_current {
            let first = self.fresh.insert(header.clone());
            assert!(first, "the same work was handed out twice");
        }
        let wire = self.world.links.get(&link).map_or(0, |link| link.wire);
        Some(Shot {
            miner: number,
            id,
            line,
            found: self.world.now,
            pool,
            wire: if is_current { wire } else { 0 },
            asked: pools[pool].asked[&pool_job],
            pool_job,
            first: false,
            header,
        })
    }

    /// Whatever the appliance thinks: does this share have to count? It was found
    /// on what was the newest job a moment ago, its pool is up and knows the job,
    /// and the connection is the one that the job came on.
    fn must_count(&mut self, shot: &Shot) -> bool {
        let world = &mut self.world;
        let pool = &world.pools[shot.pool];
        let known = pool.jobs.iter().any(|job| job.id == shot.pool_job);
        let mut links = world.links.values_mut();
        let up = links.any(|link| link.wire == shot.wire && link.logged_in().is_some());
        let stands = up && pool.connections.contains_key(&shot.wire);
        shot.first
            && shot.wire != 0
            && known
            // To let it go before the time is no excuse.
            && (stands || world.let_go.contains(&shot.wire))
            && pool.mode == Mode::Up
            && world.now - shot.found < ms(IN_TIME)
            // What it did not answer before is held against it for a while.
            && self.well.get(shot.pool).is_none_or(|since| world.now - *since > secs(60))
            && world.miners[shot.miner].closed.is_none()
    }

    fn send(&mut self, mut shot: Shot) {
        if self.world.miners[shot.miner].closed.is_some() {
            return;
        }
        shot.first = self.headers.insert(shot.header.clone());
        let must = self.must_count(&shot);
        let now = self.world.now;
        let is_late = now > shot.found;
        self.world.send(shot.miner, &shot.line);
        self.tally.shares += 1;
        if must {
            self.world.run(ms(60));
            let answer = self.world.miners[shot.miner].answer(shot.id);
            assert_eq!(answer, Some(&Answer::True), "{}", self.describe(&shot));
            self.tally.sure += 1;
            self.tally.late += usize::from(is_late);
        }
        self.sent.push((now, shot));
    }

    fn describe(&self, shot: &Shot) -> String {
        format!(
            "at {} ms, found at {} ms for {} {}, route {:?} since {:?}: {} {:?} {:?}",
            self.world.now.as_millis(),
            shot.found.as_millis(),
            shot.pool,
            shot.pool_job,
            self.world.route(),
            self.world
                .decisions
                .last()
                .map(|(when, _)| when.as_millis()),
            shot.line,
            self.world.miners[shot.miner].judged.last(),
            self.world.failures.last(),
        )
    }

    /// What was answered is what the pools wrote down.
    fn judge(&mut self) {
        let world = &self.world;
        let (tally, now) = (&mut self.tally, world.now);
        self.sent.retain(|(sent, shot)| {
            let miner = &world.miners[shot.miner];
            let paid = POOLS
                .iter()
                .any(|pool| world.pools[*pool].has_paid(&shot.header));
            let Some(answer) = miner.answer(shot.id) else {
                assert!(
                    miner.closed.is_some() || now - *sent < secs(60),
                    "no answer in a minute"
                );
                return miner.closed.is_none();
            };
            match answer {
                Answer::True => {
                    let worth = support::hash::difficulty(&shot.header);
                    assert!(paid || worth < shot.asked, "a false accept");
                    tally.trues += 1;
                }
                Answer::Error(code) => {
                    assert!(*code != 22 || !shot.first, "a false duplicate");
                    assert!(*code != 24 && *code != 25, "it is logged in");
                    assert!(*code != 23, "the work was done");
                    // It was paid: its verdict was lost with a connection, or it
                    // was sent before and counted then.
                    assert!(
                        !paid || *code == 20 || !shot.first,
                        "a false refusal {code}"
                    );
                    tally.untold += usize::from(paid && shot.first);
                    *tally.errors.entry(*code).or_default() += 1;
                }
            }
            false
        });
    }

    /// The route leaves the ranking while miners still have shares of its jobs.
    fn switch(&mut self) {
        let Some(left) = self.world.route().map(String::from) else {
            return;
        };
        let found: Vec<Shot> = (0..6).filter_map(|_| self.find()).collect();
        self.sequence += 1;
        let others = POOLS.iter().filter(|pool| **pool != left);
        let ranking: Vec<_> = others.map(|pool| (*pool, 1.0)).collect();
        self.world.rank(&ranking, self.sequence);
        for shot in found {
            self.world.run(ms(1500));
            self.restore();
            self.send(shot);
        }
    }

    /// A pool goes away for a while, in one way or another.
    fn trouble(&mut self, pool: &'static str, longest: u64) {
        if self.world.pools[pool].mode != Mode::Up {
            return;
        }
        let mode = self
            .dice
            .of(&[Mode::Refusing, Mode::Refusing, Mode::BlackHole, Mode::Mute]);
        if self.dice.one_in(2) {
            self.world.pool(pool).forget_sessions();
            self.world.pool(pool).make_job(true);
        }
        self.world.set_mode(pool, mode);
        let until = self.world.now + secs(1 + self.dice.roll(longest));
        self.back.push((until, pool));
    }

    fn happen(&mut self) {
        let pool = self.dice.of(&POOLS);
        match self.dice.roll(1000) {
            0..500 => {
                if let Some(shot) = self.find() {
                    self.send(shot);
                }
            }
            500..640 => {
                let shot = self.find();
                self.held.extend(shot);
            }
            640..760 => {
                if !self.held.is_empty() {
                    let index = self.dice.roll(self.held.len() as u64) as usize;
                    let shot = self.held.swap_remove(index);
                    self.send(shot);
                }
            }
            760..800 => self.arrive(),
            800..840 => self.leave(),
            840..860 => self.doze(),
            860..930 => {
                let clean = self.dice.one_in(4);
                self.world.notify(pool, clean);
            }
            930..950 => {
                let difficulty = EASY * self.dice.of(&[1.0, 2.0, 4.0]);
                self.world.retarget(pool, difficulty);
            }
            950..965 => {
                // Its own difficulty, again and again.
                let number = self.somebody();
                let difficulty = EASY * self.dice.of(&[0.5, 1.0, 2.0, 8.0]);
                let user = &self.world.miners[number].user;
                let line = format!(
                    r#"{{"id":3,"method":"mining.authorize","params":["{user}","d={difficulty}"]}}"#
                );
                self.world.send(number, &line);
            }
            965..975 => self.world.cut(pool),
            975..979 => {
                let links = self.world.ids(pool);
                if !links.is_empty() {
                    let link = self.dice.of(&links);
                    self.world.cut_link(link);
                }
            }
            979..989 => self.trouble(pool, 300),
            989..991 => {
                for pool in POOLS {
                    self.trouble(pool, 600);
                }
            }
            991..994 => self.switch(),
            _ => self.rank(),
        }
    }

    fn restore(&mut self) {
        let now = self.world.now;
        let (due, later) = self.back.iter().partition(|(when, _)| *when <= now);
        self.back = later;
        let due: Vec<(Instant, &'static str)> = due;
        for (_, pool) in due {
            self.well.insert(pool, now);
            self.world.set_mode(pool, Mode::Up);
        }
    }

    fn live(&mut self, hours: u64) {
        let end = self.world.now + secs(hours * 3600);
        while self.world.now < end {
            // Things come in bursts.
            let pause = match self.dice.one_in(3) {
                true => self.dice.roll(25_000),
                false => self.dice.roll(400),
            };
            self.world.run(ms(pause));
            self.restore();
            self.happen();
            if self.dice.one_in(50) {
                self.judge();
                self.check_bounds();
            }
        }
    }

    fn check_bounds(&self) {
        let world = &self.world;
        let groups = 2;
        // The route and two stand-bys, retries of others, and what is let go.
        assert!(world.links.len() <= 3 * POOLS.len() * groups);
        assert!(world.board.len() <= MAX_JOBS * POOLS.len() * groups);
        assert!(world.front.flights.len() <= 1000);
        let told: usize = world.outcomes(Outcome::Accepted);
        let paid: u64 = world.pools.values().map(|pool| pool.accepted).sum();
        let unknown = world.outcomes(Outcome::Unknown) + world.front.flights.len();
        assert!(told as u64 <= paid, "told {told}, paid {paid}");
        assert!(paid <= (told + unknown) as u64, "told {told}, paid {paid}");
    }

    /// Everything comes back, and what is left over is nothing.
    fn end(mut self) -> Tally {
        for pool in POOLS {
            self.world.set_mode(pool, Mode::Up);
        }
        for number in self.present.clone() {
            self.world.miners[number].reads = true;
            self.world.show(number);
        }
        for _ in 0..5 {
            self.world.run(secs(120));
            for pool in POOLS {
                self.world.notify(pool, true);
            }
        }
        self.world.run(secs(20));
        self.judge();
        self.check_bounds();
        assert!(self.sent.is_empty());
        let world = &mut self.world;
        assert!(world.front.flights.is_empty());
        assert!(world.links.values().all(|link| link.waiting.is_empty()));
        assert!(world.links.len() <= 3 * 2 + 1);
        assert!(world.board.len() <= 2 * MAX_JOBS);
        assert!(world.route().is_some());
        for miner in &world.miners {
            assert_eq!(miner.judged.len(), miner.submits, "each is counted once");
        }
        // And everybody who is there is at work.
        let route = world.route().expect("a route").to_string();
        let block = world.pools[&route]
            .jobs
            .last()
            .expect("a job")
            .prev_hash
            .clone();
        for number in &self.present {
            let miner = &mut world.miners[*number];
            miner.read_on();
            assert_eq!(miner.jobs.last().expect("a job").prev_hash, block);
        }
        self.tally
    }
}

fn a_day(seed: u64) {
    let mut day = Day::new(seed);
    day.live(24);
    let tally = day.end();
    println!("seed {seed}: {tally:?}");
    assert!(tally.shares > 5_000, "{tally:?}");
    assert!(tally.sure > tally.shares / 3, "{tally:?}");
    assert!(tally.late > 200, "{tally:?}");
}

#[test]
fn a_day_of_trouble_is_told_as_the_pools_wrote_it_down() {
    a_day(1);
}

#[test]
fn another_day_of_trouble() {
    a_day(2);
}
