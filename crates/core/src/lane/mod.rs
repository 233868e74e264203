//! One algorithm of the farm: its candidates, its route, its job board.
//!
//! The lane opens links to the best few candidates, keeps each one's newest
//! work, and puts the route's work on the board. It is told what happens on the
//! links and answers with [`Command`]s.
//!
//! ```text
//!   candidates --+                 +--> Open / Close a link
//!   link events -+--> Lane --------+--> Publish the board to all miners
//!   wishes ------+                 +--> Decided: a change of the route
//!   tick --------+
//! ```
//!
//! A switch puts the new pool's job up as a clean job; shares of the old jobs
//! go on to the old pool for [`GRACE`]. Without any usable pool the lane holds:
//! nothing is published, so miners are told nothing false. Jobs stay honoured
//! meanwhile: if the pool takes its session up again their shares are good.
//!
//! The inputs and the decision are here; `links` opens and closes, `jobs` fills the
//! board, `entry` is one candidate with its connections.
//!
//! Where the farm asks for it, the last job is kept up for a while in which no
//! pool can be reached, so that no miner goes elsewhere ([`Policy::keep_warm`]).

mod entry;
mod jobs;
mod links;

use crate::route::router::describe;
use crate::route::{Candidate, Choice, Decision, Policy, Router, Standing, Wishes};
use crate::share::{Board, JobId, LinkId, Room, Terms};
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
    /// As they were given, with those that are excluded.
    ranked: Vec<Candidate>,
    wishes: Wishes,
    entries: Vec<Entry>,
    router: Router,
    sequence: u64,
    board: Board,
    crowd: Crowd,
    next_job: JobId,
    next_link: LinkId,
    published: Instant,
    /// When it was last said to those without work that they are not forgotten.
    waited: Instant,
    /// When the next candidate that failed may be tried again.
    retry: Option<Instant>,
    /// When the work is handed out once more for those who came.
    freshen: Option<Instant>,
    retiring: Vec<Retiring>,
    keep_warm: Duration,
    /// Until when the last job is kept up although no pool pays for it.
    warm_until: Option<Instant>,
    commands: Vec<Command>,
    /// Do the miners see the board as it is?
    is_published: bool,
}

impl Lane {
    /// `first_link`: link numbers are unique over all lanes if their ranges are.
    pub fn new(algorithm: Algorithm, policy: Policy, first_link: LinkId, now: Instant) -> Self {
        Self {
            algorithm,
            ranked: Vec::new(),
            wishes: Wishes::default(),
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
            waited: now,
            retry: None,
            freshen: None,
            retiring: Vec::new(),
            commands: Vec::new(),
            is_published: true,
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
        let mut commands = core::mem::take(&mut self.commands);
        if !core::mem::replace(&mut self.is_published, true) {
            commands.push(Command::Publish(Arc::new(self.board.clone())));
        }
        commands
    }

    /// When [`Lane::tick`] wants to be called.
    pub fn deadline(&self) -> Option<Instant> {
        let renotify = Some(self.published + RENOTIFY);
        let waiting = self.has_idle().then_some(self.waited + RENOTIFY);
        (self.retry.into_iter())
            .chain(self.retiring.iter().map(|retiring| retiring.until))
            .chain(self.router.deadline())
            .chain(self.wishes.deadline())
            .chain(self.warm_until)
            .chain(self.freshen)
            .chain(waiting)
            .chain(renotify)
            .min()
    }

    /// A new ranking, best first.
    pub fn candidates(&mut self, list: Vec<Candidate>, sequence: u64, now: Instant) {
        self.sequence = sequence;
        self.ranked = list;
        self.take_up(now);
        self.settle(now);
    }

    /// What the operator wants, in the place of what was wanted before.
    pub fn wish(&mut self, wishes: Wishes, now: Instant) {
        self.wishes = wishes;
        self.wishes.expire(now);
        self.take_up(now);
        self.settle(now);
    }

    /// What is still wanted.
    pub const fn wishes(&self) -> &Wishes {
        &self.wishes
    }

    /// Make entries of the candidates that may be used; what is excluded has no link.
    fn take_up(&mut self, now: Instant) {
        let mut old = core::mem::take(&mut self.entries);
        let wishes = &self.wishes;
        let list = self.ranked.iter().filter(|it| !wishes.excludes(&it.pool));
        for candidate in list {
            let known = old
                .iter()
                .position(|entry| entry.candidate.same_connection(candidate));
            let mut entry = match known {
                Some(index) => old.swap_remove(index),
                None => Entry::new(candidate.clone()),
            };
            entry.candidate.clone_from(candidate);
            self.entries.push(entry);
        }
        for link in old.iter().flat_map(Entry::links) {
            self.retire(link, true, now);
        }
    }

    /// Who is there: a narrow pool is connected to once for each group, or even once
    /// for each miner. Groups that were there once are counted on.
    ///
    /// Whoever comes to a connection that another miner left needs work that is new.
    pub fn set_crowd(&mut self, crowd: Crowd, now: Instant) {
        let before = self.crowd;
        self.crowd = Crowd {
            groups: crowd.groups.max(before.groups),
            ..crowd
        };
        if self.crowd.moves != before.moves && self.board.has_dedicated() {
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
            // One that only just failed may go on with its session.
            let may_resume = entry.is_at_work(link) && !matches!(failure, Failure::Refusing(_));
            let is_dedicated = entry.room() == Some(Room::Miner);
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
                if is_dedicated && !may_resume {
                    // Its miner may have another one.
                    self.board.give_up_link(link);
                }
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
        // A timer of its own: others may have work all the while.
        if self.has_idle() && now >= self.waited + RENOTIFY {
            self.waited = now;
            self.board.still_waiting();
            self.publish();
        }
        if now >= self.published + RENOTIFY {
            self.reissue(now);
        }
    }

    fn has_idle(&self) -> bool {
        self.board.has_idle(self.crowd.groups, self.crowd.miners)
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

    /// The candidates that the operator excluded, best first.
    pub fn excluded(&self) -> impl Iterator<Item = &Candidate> {
        let candidates = self.ranked.iter();
        candidates.filter(|candidate| self.wishes.excludes(&candidate.pool))
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
        if self.wishes.expire(now) {
            self.take_up(now);
        }
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
        let Some(decision) = self
            .router
            .decide(&standings, &self.wishes, self.sequence, now)
        else {
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
}
