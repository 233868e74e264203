//! One algorithm of the farm: its candidates, its route, its job board.
//!
//! The lane opens links to the best few candidates, keeps each one's newest
//! work, and puts the route's work on the board. It is told what happens on the
//! links and answers with [`Command`]s.
//!
//! ```text
//!   candidates --+                 +--> Open / Close a link
//!   link events -+--> Lane --------+--> Publish the board to all miners
//!   tick --------+                 +--> Decided: a change of the route
//! ```
//!
//! A switch puts the new pool's job up as a clean job; shares of the old jobs
//! go on to the old pool for [`GRACE`]. Without any usable pool the lane holds:
//! nothing is published, so miners are told nothing false. Jobs stay honoured
//! meanwhile: if the pool takes its session up again their shares are good.
//!
//! Where the farm asks for it, the last job is kept up for a while in which no
//! pool can be reached, so that no miner goes elsewhere ([`Policy::keep_warm`]).

mod entry;

use crate::route::router::describe;
use crate::route::{Candidate, Choice, Decision, Health, Policy, Router, Standing};
use crate::share::{Board, Job, JobId, LinkId, Terms};
use crate::sv1::Failure;
use crate::{Algorithm, Duration, Instant};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use entry::Entry;
pub use entry::{Crowd, MAX_DEDICATED};

/// Shares of a pool's jobs are still sent to it for so long after a switch.
pub const GRACE: Duration = Duration::from_secs(10);
/// Clients drop a pool that says nothing for 90 s.
pub const RENOTIFY: Duration = Duration::from_secs(30);
/// A job's time moves on by a second; sooner, the same work would be there twice.
const FRESHEN: Duration = Duration::from_secs(1);
/// The route and its stand-bys.
pub const MAX_LINKS: usize = 3;

#[derive(Clone, Debug)]
pub enum Command {
    /// Connect. The link may be one that failed before: then it is the same
    /// pool, and its session may be asked for again.
    Open {
        link: LinkId,
        candidate: Candidate,
    },
    Close {
        link: LinkId,
    },
    Publish(Arc<Board>),
    Decided(Decision),
}

/// A link whose jobs are honoured for a while longer.
#[derive(Clone, Copy, Debug)]
struct Retiring {
    link: LinkId,
    until: Instant,
    /// No candidate owns it any more: close it then.
    close: bool,
}

fn standings(entries: &[Entry]) -> Vec<Standing<'_>> {
    entries
        .iter()
        .map(|entry| Standing {
            candidate: &entry.candidate,
            ready_since: entry.main.health.ready_since(),
        })
        .collect()
}

/// Does it say something of the connection alone, and nothing of the account?
const fn is_loss(failure: &Failure) -> bool {
    match failure {
        Failure::Connect(_)
        | Failure::Closed
        | Failure::Lost(_)
        | Failure::Silent
        | Failure::Deaf
        | Failure::Mute
        | Failure::Garbage(_)
        | Failure::AskedToReconnect => true,
        Failure::Refusing(_)
        | Failure::LoginRefused(_)
        | Failure::LoginTimeout
        | Failure::Unusable(_) => false,
    }
}

/// For the status page.
#[derive(Clone, Debug, PartialEq)]
pub struct CandidateView {
    pub choice: Choice,
    pub score: Option<f64>,
    pub ready: bool,
    /// Connections that have work: more than one where a pool's extranonce2 is short.
    pub connections: usize,
    pub address: String,
    pub last_failure: Option<String>,
}

#[derive(Debug)]
pub struct Lane {
    algorithm: Algorithm,
    entries: Vec<Entry>,
    router: Router,
    sequence: u64,
    board: Board,
    crowd: Crowd,
    next_job: JobId,
    next_link: LinkId,
    published: Instant,
    /// When the next candidate that failed may be tried again.
    retry: Option<Instant>,
    /// When the work is handed out once more for those who came.
    freshen: Option<Instant>,
    retiring: Vec<Retiring>,
    keep_warm: Duration,
    /// Until when the last job is kept up although no pool pays for it.
    warm_until: Option<Instant>,
    commands: Vec<Command>,
}

impl Lane {
    /// `first_link`: link numbers are unique over all lanes if their ranges are.
    pub fn new(algorithm: Algorithm, policy: Policy, first_link: LinkId, now: Instant) -> Self {
        Self {
            algorithm,
            entries: Vec::new(),
            keep_warm: policy.keep_warm,
            warm_until: None,
            router: Router::new(policy, now),
            sequence: 0,
            board: Board::new(),
            crowd: Crowd::default(),
            next_job: 1,
            next_link: first_link,
            published: now,
            retry: None,
            freshen: None,
            retiring: Vec::new(),
            commands: Vec::new(),
        }
    }

    /// Begin with this job id. A miner keeps its job over a reconnect and may
    /// ignore a job whose id it knows, so each start of the process needs ids
    /// that the one before did not use.
    #[must_use]
    pub const fn with_first_job(mut self, first: JobId) -> Self {
        self.next_job = first;
        self
    }

    pub fn take_commands(&mut self) -> Vec<Command> {
        core::mem::take(&mut self.commands)
    }

    /// When [`Lane::tick`] wants to be called.
    pub fn deadline(&self) -> Option<Instant> {
        let renotify = Some(self.published + RENOTIFY);
        (self.retry.into_iter())
            .chain(self.retiring.iter().map(|retiring| retiring.until))
            .chain(self.router.deadline())
            .chain(self.warm_until)
            .chain(self.freshen)
            .chain(renotify)
            .min()
    }

    /// A new ranking, best first.
    pub fn candidates(&mut self, list: Vec<Candidate>, sequence: u64, now: Instant) {
        self.sequence = sequence;
        let mut old = core::mem::take(&mut self.entries);
        for candidate in list {
            let known = old
                .iter()
                .position(|entry| entry.candidate.same_connection(&candidate));
            let mut entry = match known {
                Some(index) => old.swap_remove(index),
                None => Entry::new(candidate.clone()),
            };
            entry.candidate = candidate;
            self.entries.push(entry);
        }
        for link in old.iter().flat_map(Entry::links) {
            self.retire(link, true, now);
        }
        self.settle(now);
    }

    /// Who is there: a narrow pool is connected to once for each group, or even once
    /// for each miner. Groups that were there once are counted on.
    ///
    /// Whoever comes to a connection that another miner left needs work that is new.
    pub fn set_crowd(&mut self, crowd: Crowd, now: Instant) {
        let before = self.crowd;
        self.crowd = Crowd {
            groups: crowd.groups.max(before.groups),
            miners: crowd.miners,
        };
        if self.crowd.miners > before.miners && self.board.has_dedicated() {
            self.freshen.get_or_insert(self.published + FRESHEN);
        }
        let matters = self.crowd.groups != before.groups || self.board.has_dedicated();
        if matters && self.crowd != before {
            self.settle(now);
        }
    }

    pub fn work(&mut self, link: LinkId, terms: Terms, now: Instant) {
        let Some(index) = self.find(link) else { return };
        // Under another extranonce1 a share of an older job is worth nothing.
        let split = &terms.split;
        self.board
            .retain(|job| job.link != link || job.split == *split);
        let clean = terms.work.clean;
        self.entries[index].has_work(link, terms, now);
        if self.is_route(index) {
            self.put_up(index, link, clean, now);
        }
        self.settle(now);
    }

    pub fn failed(&mut self, link: LinkId, failure: &Failure, now: Instant) {
        if let Some(index) = self.find(link) {
            let is_route = self.is_route(index);
            let entry = &mut self.entries[index];
            if is_loss(failure) {
                entry.promote(link);
            }
            let is_aside = entry.is_aside(link);
            if let Some(side) = entry.side(link) {
                side.terms = None;
                side.health = match failure {
                    Failure::Refusing(_) => side.health.refusing(now),
                    Failure::Connect(_)
                    | Failure::Closed
                    | Failure::Lost(_)
                    | Failure::LoginRefused(_)
                    | Failure::LoginTimeout
                    | Failure::Silent
                    | Failure::Deaf
                    | Failure::Mute
                    | Failure::Garbage(_)
                    | Failure::Unusable(_)
                    | Failure::AskedToReconnect => match is_aside {
                        true => side.health.failed_aside(now),
                        false => side.health.failed(now),
                    },
                };
            }
            entry.last_failure = Some(failure.to_string());
            if is_route && is_aside {
                // Its miners work on for now, but are not given this job again.
                self.board.withdraw_link(link);
                self.publish();
            }
        }
        // Its shares are answered as lost instead of "job not found" for a while.
        self.retire(link, false, now);
        self.settle(now);
    }

    pub fn tick(&mut self, now: Instant) {
        self.settle(now);
        if self.warm_until.is_some_and(|until| now >= until) {
            self.warm_until = None;
            self.board.withdraw();
            self.publish();
        }
        if self.freshen.is_some_and(|due| now >= due) {
            self.reissue(now);
        }
        if now >= self.published + RENOTIFY {
            if self.board.has_idle(self.crowd.groups, self.crowd.miners) {
                self.board.still_waiting();
            }
            self.reissue(now);
        }
    }

    /// The candidates with their state, best first.
    pub fn view(&self) -> Vec<CandidateView> {
        let rows = self.entries.iter().zip(describe(&standings(&self.entries)));
        rows.map(|(entry, (choice, score, ready))| CandidateView {
            choice,
            score,
            ready,
            connections: entry
                .connections()
                .filter(|side| side.offer().is_some())
                .count(),
            address: entry.candidate.url.to_string(),
            last_failure: entry.last_failure.clone(),
        })
        .collect()
    }

    pub fn route(&self) -> Option<(&Choice, Instant)> {
        Some((self.router.choice()?, self.router.since()?))
    }

    /// The links that miners work for now.
    pub fn route_links(&self) -> impl Iterator<Item = LinkId> {
        let route = self.route_entry().map(|index| &self.entries[index]);
        route.into_iter().flat_map(Entry::links)
    }

    /// The last job is kept up although no pool can be reached: nobody pays for it.
    pub const fn keeps_warm(&self) -> bool {
        self.warm_until.is_some()
    }

    fn route_entry(&self) -> Option<usize> {
        let choice = self.router.choice()?;
        let mut entries = self.entries.iter();
        entries.position(|entry| choice.is(&entry.candidate))
    }

    fn is_route(&self, index: usize) -> bool {
        self.route_entry() == Some(index)
    }

    fn find(&self, link: LinkId) -> Option<usize> {
        self.entries.iter().position(|entry| entry.has(link))
    }

    fn settle(&mut self, now: Instant) {
        self.decide(now);
        if self.router.choice().is_none() {
            for entry in &mut self.entries {
                entry.hurry(now);
            }
        }
        self.open_links(now);
        self.open_sides(now);
        self.finish_retiring(now);
    }

    fn decide(&mut self, now: Instant) {
        let left: Vec<LinkId> = self.route_links().collect();
        let standings = standings(&self.entries);
        let Some(decision) = self.router.decide(&standings, self.sequence, now) else {
            return;
        };
        for link in left {
            self.retire(link, false, now);
        }
        self.commands.push(Command::Decided(decision));
        self.warm_until = None;
        match self.route_entry() {
            Some(index) => self.put_up_all(index, now),
            None if self.keep_warm > Duration::from_ticks(0) => {
                self.warm_until = Some(now + self.keep_warm);
            }
            None => {
                self.board.withdraw();
                self.publish();
            }
        }
    }

    /// Another pool: each of its connections that has work.
    fn put_up_all(&mut self, index: usize, now: Instant) {
        let links: Vec<LinkId> = self.entries[index].links().collect();
        for link in links {
            self.put_up(index, link, true, now);
        }
    }

    /// The route and the best of the others, up to [`MAX_LINKS`]. Retries of
    /// candidates that failed come on top, up to as many, longest waiting first:
    /// they must not push out a link that is usable or about to be.
    fn open_links(&mut self, now: Instant) {
        let route = self.route_entry();
        let mut room = MAX_LINKS - usize::from(route.is_some());
        let mut retries = MAX_LINKS;
        let (mut opening, mut due, mut dropped) = (Vec::new(), Vec::new(), Vec::new());
        self.retry = None;
        for (index, entry) in self.entries.iter_mut().enumerate() {
            if route == Some(index) {
                continue;
            }
            if room == 0 {
                dropped.extend(entry.let_go());
                continue;
            }
            match entry.main.health {
                Health::Resting => {
                    opening.push(index);
                    room -= 1;
                }
                Health::Ready { .. } | Health::Connecting { strikes: 0, .. } => room -= 1,
                Health::Connecting { .. } => retries = retries.saturating_sub(1),
                Health::Down { until, .. } if now >= until => due.push((until, index)),
                // Without a free retry the end of another one is the next event.
                Health::Down { until, .. } => {
                    self.retry = Some(self.retry.map_or(until, |retry| retry.min(until)));
                }
            }
        }
        due.sort_unstable();
        opening.extend(due.into_iter().take(retries).map(|(_, index)| index));
        for index in opening {
            self.open(index, None);
        }
        for link in dropped {
            self.retire(link, true, now);
        }
    }

    /// Further connections where one is too narrow for all groups. The best
    /// stand-by has them too: a failover must find them there.
    fn open_sides(&mut self, now: Instant) {
        let route = self.route_entry();
        for index in 0..self.entries.len() {
            let is_route = route == Some(index);
            let dropped = self.entries[index].fit(self.crowd, is_route);
            for link in &dropped {
                self.board.give_up_link(*link);
                self.retire(*link, true, now);
            }
            if is_route && !dropped.is_empty() {
                self.publish();
            }
            // While the first one is down the others would not be better off.
            let sides = match self.entries[index].is_ready() {
                true => self.entries[index].sides.len(),
                false => 0,
            };
            for side in 0..sides {
                match self.entries[index].sides[side].health {
                    Health::Resting => self.open(index, Some(side)),
                    Health::Down { until, .. } if now >= until => self.open(index, Some(side)),
                    Health::Down { until, .. } => {
                        self.retry = Some(self.retry.map_or(until, |retry| retry.min(until)));
                    }
                    Health::Connecting { .. } | Health::Ready { .. } => {}
                }
            }
        }
    }

    /// `side`: that further connection, or else the first.
    fn open(&mut self, index: usize, side: Option<usize>) {
        let entry = &mut self.entries[index];
        let candidate = entry.candidate.clone();
        let side = match side {
            Some(side) => &mut entry.sides[side],
            None => &mut entry.main,
        };
        let link = side.health.link().unwrap_or_else(|| {
            let fresh = self.next_link;
            self.next_link = fresh.wrapping_add(1);
            fresh
        });
        side.health = side.health.opened(link);
        self.commands.push(Command::Open { link, candidate });
    }

    fn retire(&mut self, link: LinkId, close: bool, now: Instant) {
        let until = now + GRACE;
        match self.retiring.iter_mut().find(|old| old.link == link) {
            Some(old) => old.close |= close,
            None => self.retiring.push(Retiring { link, until, close }),
        }
    }

    fn finish_retiring(&mut self, now: Instant) {
        let (done, kept) = self
            .retiring
            .iter()
            .partition::<Vec<Retiring>, _>(|retiring| now >= retiring.until);
        if done.is_empty() {
            return;
        }
        self.retiring = kept;
        for retiring in done.iter().filter(|retiring| retiring.close) {
            self.commands.push(Command::Close {
                link: retiring.link,
            });
        }
        let before = self.board.clone();
        self.prune(None);
        if before.len() != self.board.len() {
            self.publish();
        }
    }

    /// Drop jobs that no pool would pay for. While holding they are kept: their
    /// shares are told apart as lost.
    fn prune(&mut self, superseded_on: Option<(LinkId, JobId)>) {
        let route: Vec<LinkId> = self.route_links().collect();
        let is_holding = self.router.choice().is_none();
        let retiring = &self.retiring;
        self.board.retain(|job| {
            let superseded =
                superseded_on.is_some_and(|(link, newest)| job.link == link && job.id != newest);
            let honoured = is_holding
                || route.contains(&job.link)
                || retiring.iter().any(|old| old.link == job.link);
            honoured && !superseded
        });
    }

    /// Hand out the newest work of one of the route's connections.
    fn put_up(&mut self, index: usize, link: LinkId, clean: bool, now: Instant) {
        let passed = self.passed(now);
        // It is at work again: how long its jobs are good for begins anew.
        self.retiring.retain(|retiring| retiring.link != link);
        let entry = &mut self.entries[index];
        let Some(place) = entry.place_of(link) else {
            return;
        };
        let Some(side) = entry.side(link) else { return };
        let Some(terms) = side.offer().cloned() else {
            return;
        };
        let known = side.handed.as_ref().filter(|job| job.is_of(&terms));
        let supersedes = terms.work.clean && known.is_none();
        // Many miners start a job that they do not know from the beginning: what
        // was handed out before is handed out with a later time.
        let terms = match known {
            Some(job) => terms.later_than(job.work.ntime, passed),
            None => terms,
        };
        let Some(mut job) = Job::new(self.next_job, link, self.algorithm, terms) else {
            return;
        };
        job.place = place;
        let superseded = supersedes.then_some((link, job.id));
        self.next_job = self.next_job.wrapping_add(1);
        self.board.put_up(job, clean);
        self.handed_out(link);
        self.prune(superseded);
        self.published = now;
        self.publish();
    }

    /// The current work under a fresh id, so that no client's silence timer fires.
    /// Its time moves on as the clock did: many miners start a job that they do
    /// not know from the beginning, and would hash the same headers again.
    fn reissue(&mut self, now: Instant) {
        let passed = self.passed(now);
        let current: Vec<_> = self.board.currents().cloned().collect();
        for job in current {
            let again = job.again(self.next_job, passed);
            self.next_job = self.next_job.wrapping_add(1);
            let link = again.link;
            self.board.put_up(again, false);
            self.handed_out(link);
        }
        self.published = now;
        self.freshen = None;
        self.publish();
    }

    fn handed_out(&mut self, link: LinkId) {
        let job = self.board.newest_of(link).cloned();
        let mut entries = self.entries.iter_mut();
        if let Some(side) = entries.find_map(|entry| entry.side(link)) {
            side.handed = job;
        }
    }

    /// By how much the clock went on since the last job, in seconds.
    fn passed(&self, now: Instant) -> u32 {
        let passed = now.saturating_duration_since(self.published).as_secs();
        passed.clamp(1, 600) as u32
    }

    fn publish(&mut self) {
        self.commands
            .push(Command::Publish(Arc::new(self.board.clone())));
    }
}
