//! The clock of the virtual wire, and what the appliance's own tasks would do.

use super::{CONNECT_WITHIN, Event, Link, Mode, World, secs};
use smart_mining_core::lane::{Command, Terms};
use smart_mining_core::route::Candidate;
use smart_mining_core::share::{LinkId, Verdict};
use smart_mining_core::sv1::{Failure, PoolEvent, PoolSession, Step};
use smart_mining_core::{Duration, Instant};

impl World {
    pub(super) fn later(&mut self, wait: Duration, event: Event) {
        self.serial += 1;
        self.events.insert((self.now + wait, self.serial), event);
    }

    pub fn run(&mut self, span: Duration) {
        self.run_until(self.now + span);
    }

    pub fn run_until(&mut self, end: Instant) {
        let mut steps = 0;
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            while let Some(entry) = self.events.first_entry().filter(|e| e.key().0 <= self.now) {
                let event = entry.remove();
                self.happen(event);
            }
            self.tick();
            steps += 1;
            assert!(steps < 2_000_000, "the machines never rest");
        }
        self.now = end;
    }

    fn next(&self) -> Option<Instant> {
        let event = self.events.keys().next().map(|(when, _)| *when);
        let sessions = self.links.values().filter_map(|link| link.session.as_ref());
        let miners = self.miners.iter().filter(|miner| miner.closed.is_none());
        event
            .into_iter()
            .chain(self.lane.deadline())
            .chain(sessions.map(PoolSession::deadline))
            .chain(miners.filter_map(|miner| miner.session.deadline()))
            .min()
    }

    /// Ask whoever wanted to be asked; afterwards nobody may want it at once again.
    fn tick(&mut self) {
        let now = self.now;
        if self.lane.deadline().is_some_and(|due| due <= now) {
            self.lane.tick(now);
            assert!(
                self.lane.deadline().is_none_or(|due| due > now),
                "the lane spins"
            );
            self.carry_out();
        }
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            if let Some(session) = self
                .links
                .get_mut(&id)
                .and_then(|link| link.session.as_mut())
                && session.deadline() <= now
            {
                session.tick(now);
                assert!(session.deadline() > now, "the pool's session spins");
                self.link_moved(id);
            }
        }
        for number in 0..self.miners.len() {
            let miner = &mut self.miners[number];
            while miner.closed.is_none() && miner.session.deadline().is_some_and(|due| due <= now) {
                match miner.session.tick(now) {
                    Step::Judged(judged) => miner.judged.push(judged),
                    Step::Close(why) => miner.closed = Some(why),
                    Step::Done | Step::Named | Step::Submit(_) => {
                        panic!("the miner's session spins")
                    }
                }
            }
            self.flush_miner(number);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Connected(id) => self.connected(id),
            Event::CannotConnect(id) => self.end(id, Failure::Connect("refused".into())),
            Event::Closed(id) => self.end(id, Failure::Closed),
            Event::ToPool(id, line) => {
                let Some(link) = self.links.get(&id) else {
                    return;
                };
                let pool = self.pools.get_mut(&link.pool).expect("pool");
                if pool.mode == Mode::BlackHole {
                    return;
                }
                for answer in pool.line(id, &line) {
                    self.later(self.latency, Event::FromPool(id, answer));
                }
            }
            Event::FromPool(id, line) => {
                let now = self.now;
                if let Some(session) = self
                    .links
                    .get_mut(&id)
                    .and_then(|link| link.session.as_mut())
                {
                    session.line(line.as_bytes(), now);
                    self.link_moved(id);
                }
            }
            Event::Mine { miner, every } => {
                self.mine(miner);
                self.mine_every(miner, every);
            }
            Event::Heartbeat => {
                for pool in self.pools.keys().cloned().collect::<Vec<_>>() {
                    self.say(
                        &pool,
                        r#"{"id":null,"method":"client.heartbeat","params":[]}"#,
                    );
                }
                self.later(secs(50), Event::Heartbeat);
            }
            Event::Notify { pool, every } => {
                self.notify(&pool, true);
                self.notify_every(&pool, every);
            }
        }
    }

    fn connected(&mut self, id: LinkId) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        self.pools.get_mut(&link.pool).expect("pool").connect(id);
        link.session = Some(PoolSession::new(link.candidate.login.clone(), now));
        self.link_moved(id);
    }

    /// Send what a pool's session wrote, and pass on what it said.
    pub(super) fn link_moved(&mut self, id: LinkId) {
        let Some(session) = self
            .links
            .get_mut(&id)
            .and_then(|link| link.session.as_mut())
        else {
            return;
        };
        let output = String::from_utf8(std::mem::take(session.output())).expect("UTF-8");
        let events = session.take_events();
        for line in output.lines() {
            self.later(self.latency, Event::ToPool(id, line.to_string()));
        }
        for event in events {
            match event {
                PoolEvent::LoggedIn => {}
                PoolEvent::Work {
                    work,
                    split,
                    difficulty,
                    version_mask,
                } => {
                    let terms = Terms {
                        work,
                        split,
                        difficulty,
                        version_mask,
                    };
                    self.lane.work(id, terms, self.now);
                }
                PoolEvent::Verdict {
                    reply,
                    token,
                    verdict,
                } => self.verdict(reply, token, &verdict),
                PoolEvent::Notice(text) => self.notices.push(text),
                PoolEvent::Failed(failure) => {
                    let link = self.links.remove(&id).expect("a link");
                    self.failures.push((self.now, link.pool, failure.clone()));
                    self.lane.failed(id, &failure, self.now);
                }
            }
        }
        self.carry_out();
    }

    fn verdict(&mut self, miner: usize, token: u32, verdict: &Verdict) {
        let judged = self.session(miner).verdict(token, verdict);
        self.miners[miner].judged.extend(judged);
        self.flush_miner(miner);
    }

    fn end(&mut self, id: LinkId, failure: Failure) {
        let now = self.now;
        match self.links.get_mut(&id) {
            Some(Link {
                session: Some(session),
                ..
            }) => {
                session.fail(failure);
                self.link_moved(id);
            }
            Some(Link { pool, .. }) => {
                let pool = pool.clone();
                self.links.remove(&id);
                self.failures.push((now, pool, failure.clone()));
                self.lane.failed(id, &failure, now);
                self.carry_out();
            }
            None => {}
        }
    }

    pub(super) fn carry_out(&mut self) {
        for command in self.lane.take_commands() {
            match command {
                Command::Open { link, candidate } => self.open(link, candidate),
                Command::Close { link: id } => {
                    // What was in flight is answered by the miners' own deadline.
                    if let Some(link) = self.links.remove(&id) {
                        self.pool(&link.pool).connections.remove(&id);
                    }
                }
                Command::Decided(decision) => self.decisions.push((self.now, decision)),
                Command::Publish(board) => {
                    self.board = board.clone();
                    for number in 0..self.miners.len() {
                        self.session(number).show(&board);
                        self.flush_miner(number);
                    }
                }
            }
        }
    }

    fn open(&mut self, link: LinkId, candidate: Candidate) {
        let pool = candidate.pool.clone();
        self.opened.push((self.now, pool.clone()));
        let event = match self.pool(&pool).mode {
            Mode::Up | Mode::Mute => (self.latency * 2, Event::Connected(link)),
            Mode::Refusing => (self.latency * 2, Event::CannotConnect(link)),
            Mode::BlackHole => (CONNECT_WITHIN, Event::CannotConnect(link)),
        };
        let session = None;
        self.links.insert(
            link,
            Link {
                pool,
                candidate,
                session,
            },
        );
        self.later(event.0, event.1);
    }
}
