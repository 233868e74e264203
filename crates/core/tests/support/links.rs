//! The links of the virtual wire, as the appliance's own tasks keep them.
//!
//! A link outlives its connections: what was sent on one that broke is unknown,
//! and a share that finds it broken waits a while, for the pool may give the next
//! connection the session of the last one.

use super::{CONNECT_WITHIN, Event, Mode, Wire, World, secs};
use smart_mining_core::lane::Command;
use smart_mining_core::route::Candidate;
use smart_mining_core::share::{LinkId, Submit, Token, Verdict};
use smart_mining_core::sv1::{Failure, Opening, PoolEvent, PoolSession};
use smart_mining_core::{Duration, Instant};
use std::collections::{BTreeSet, VecDeque};

/// So long a share waits for its link to come back.
pub const WAITS_FOR: Duration = secs(20);
const MAX_WAITING: usize = 1024;

const NOT_UP: &str = "the connection to its pool is not up";

#[derive(Debug)]
pub struct Link {
    pub pool: String,
    pub(super) candidate: Candidate,
    pub wire: Wire,
    pub session: Option<PoolSession>,
    state: State,
    /// The session that the last login got.
    resume: Option<String>,
    pub waiting: VecDeque<(Instant, Submit)>,
}

#[derive(Debug, PartialEq)]
enum State {
    Connecting,
    Up,
    Down,
}

impl Link {
    /// Connected, or being connected.
    pub fn is_live(&self) -> bool {
        self.state != State::Down
    }

    pub fn logged_in(&mut self) -> Option<&mut PoolSession> {
        let session = self.session.as_mut();
        session.filter(|session| session.is_logged_in())
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let waiting = self.waiting.front().map(|(since, _)| *since + WAITS_FOR);
        let session = self.session.as_ref().map(PoolSession::deadline);
        waiting.into_iter().chain(session).min()
    }
}

impl World {
    /// A share on its way to its link.
    pub(super) fn forward(&mut self, id: LinkId, submit: Submit) {
        let (token, now) = (submit.token, self.now);
        let Some(link) = self.links.get_mut(&id) else {
            return self.verdict(token, &Verdict::Unsent(NOT_UP));
        };
        if let Some(session) = link.logged_in() {
            if let Err(why) = session.submit(submit, now) {
                self.verdict(token, &Verdict::Unsent(why));
            }
            self.link_moved(id);
        } else if link.waiting.len() < MAX_WAITING {
            link.waiting.push_back((now, submit));
        } else {
            self.verdict(token, &Verdict::Unsent(NOT_UP));
        }
    }

    /// The link is up again: now its pool may have what waited.
    fn send_waiting(&mut self, id: LinkId) {
        let now = self.now;
        let link = self.links.get_mut(&id).expect("a link");
        for (_, submit) in std::mem::take(&mut link.waiting) {
            let token = submit.token;
            let link = self.links.get_mut(&id).expect("a link");
            let session = link.session.as_mut().expect("logged in");
            if let Err(why) = session.submit(submit, now) {
                self.verdict(token, &Verdict::Unsent(why));
            }
        }
    }

    /// What has waited too long is lost.
    fn give_up_waiting(&mut self, id: LinkId) {
        let now = self.now;
        loop {
            let link = self.links.get_mut(&id).expect("a link");
            let front = link.waiting.front();
            if front.is_none_or(|(since, _)| *since + WAITS_FOR > now) {
                return;
            }
            let (_, submit) = link.waiting.pop_front().expect("seen just now");
            self.verdict(submit.token, &Verdict::Unsent(NOT_UP));
        }
    }

    fn verdict(&mut self, token: Token, verdict: &Verdict) {
        let Some(flight) = self.front.close(token) else {
            return;
        };
        let miner = &mut self.miners[flight.owner];
        let judged = self.front.answer(&mut miner.session, &flight, verdict);
        miner.judged.push(judged);
        self.flush_miner(flight.owner);
    }

    pub(super) fn tick_link(&mut self, id: LinkId) {
        let now = self.now;
        self.give_up_waiting(id);
        let link = self.links.get_mut(&id).expect("a link");
        if let Some(session) = &mut link.session
            && session.deadline() <= now
        {
            session.tick(now);
            assert!(session.deadline() > now, "the pool's session spins");
            self.link_moved(id);
        }
    }

    /// The link, if this is still its connection.
    pub(super) fn on_wire(&mut self, id: LinkId, wire: Wire) -> Option<&mut Link> {
        let link = self.links.get_mut(&id)?;
        (link.wire == wire && link.is_live()).then_some(link)
    }

    pub(super) fn connected(&mut self, id: LinkId, wire: Wire) {
        let now = self.now;
        let Some(link) = self.on_wire(id, wire) else {
            return;
        };
        let opening = Opening {
            resume: link.resume.clone(),
            suggest: None,
        };
        link.session = Some(PoolSession::new(link.candidate.login.clone(), opening, now));
        link.state = State::Up;
        let pool = link.pool.clone();
        self.pool(&pool).connect(wire);
        self.link_moved(id);
        self.tell_who_is_active();
    }

    /// Send what a pool's session wrote, and pass on what it said.
    pub(super) fn link_moved(&mut self, id: LinkId) {
        while let Some(link) = self.links.get_mut(&id)
            && let Some(session) = &mut link.session
        {
            let wire = link.wire;
            let output = String::from_utf8(std::mem::take(session.output())).expect("UTF-8");
            let event = session.next_event();
            for line in output.lines() {
                self.later(self.latency, Event::ToPool(id, wire, line.to_string()));
            }
            let Some(event) = event else { break };
            match event {
                PoolEvent::LoggedIn => self.send_waiting(id),
                PoolEvent::Work(terms) => self.lane.work(id, terms, self.now),
                PoolEvent::Verdict { token, verdict } => self.verdict(token, &verdict),
                PoolEvent::Notice(text) => self.notices.push(text),
                PoolEvent::Failed(failure) => self.down(id, failure),
            }
        }
        self.carry_out();
    }

    fn down(&mut self, id: LinkId, failure: Failure) {
        let link = self.links.get_mut(&id).expect("a link");
        link.state = State::Down;
        if let Some(session) = link
            .session
            .take()
            .as_ref()
            .and_then(PoolSession::resumable)
        {
            link.resume = Some(session.to_string());
        }
        let (pool, wire) = (link.pool.clone(), link.wire);
        self.pool(&pool).connections.remove(&wire);
        self.failures.push((self.now, pool, failure.clone()));
        self.lane.failed(id, &failure, self.now);
    }

    pub(super) fn end(&mut self, id: LinkId, wire: Wire, failure: Failure) {
        let Some(link) = self.on_wire(id, wire) else {
            return;
        };
        match &mut link.session {
            Some(session) => {
                session.fail(failure);
                self.link_moved(id);
            }
            None => {
                self.down(id, failure);
                self.carry_out();
            }
        }
    }

    pub(super) fn carry_out(&mut self) {
        for command in self.lane.take_commands() {
            match command {
                Command::Open { link, candidate } => self.open(link, candidate),
                Command::Close { link: id } => self.close(id),
                Command::Decided(decision) => self.decisions.push((self.now, decision)),
                Command::Publish(board) => {
                    self.front.dedicated.renew(&board);
                    self.board = board;
                    for number in 0..self.miners.len() {
                        self.show(number);
                    }
                }
            }
        }
        self.tell_who_is_active();
    }

    fn tell_who_is_active(&mut self) {
        let route: BTreeSet<LinkId> = self.lane.route_links().collect();
        for (id, link) in &mut self.links {
            if let Some(session) = &mut link.session {
                session.set_active(route.contains(id));
            }
        }
    }

    /// What is in flight is answered by its own deadline, what waits is lost.
    fn close(&mut self, id: LinkId) {
        let Some(mut link) = self.links.remove(&id) else {
            return;
        };
        if link.logged_in().is_some() {
            self.let_go.push(link.wire);
        }
        self.pool(&link.pool).connections.remove(&link.wire);
        for (_, submit) in link.waiting {
            self.verdict(submit.token, &Verdict::Unsent(NOT_UP));
        }
    }

    fn open(&mut self, id: LinkId, candidate: Candidate) {
        let pool = candidate.pool.clone();
        self.opened.push((self.now, pool.clone()));
        self.wires += 1;
        let wire = self.wires;
        let (resume, waiting) = match self.links.remove(&id) {
            Some(old) => {
                assert!(!old.is_live(), "link {id} is opened and was not closed");
                assert_eq!(old.pool, pool, "a link stays with its pool");
                (old.resume, old.waiting)
            }
            None => (None, VecDeque::new()),
        };
        let is_full = self.pools[&pool].connections.len() >= self.pools[&pool].most_connections;
        let (wait, event) = match self.pool(&pool).mode {
            _ if is_full => (self.latency * 2, Event::CannotConnect(id, wire)),
            Mode::Up | Mode::Mute => (self.latency * 2, Event::Connected(id, wire)),
            Mode::Refusing => (self.latency * 2, Event::CannotConnect(id, wire)),
            Mode::BlackHole => (CONNECT_WITHIN, Event::CannotConnect(id, wire)),
        };
        let link = Link {
            pool,
            candidate,
            wire,
            session: None,
            state: State::Connecting,
            resume,
            waiting,
        };
        self.links.insert(id, link);
        self.later(wait, event);
    }
}
