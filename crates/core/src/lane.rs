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
//! nothing is published, so miners are told nothing false.

use crate::route::router::describe;
use crate::route::{Candidate, Choice, Decision, Health, Policy, Router, Standing};
use crate::share::{Board, Job, JobId, LinkId, Split, Target, Work};
use crate::sv1::Failure;
use crate::{Algorithm, Duration, Instant};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Shares of a pool's jobs are still sent to it for so long after a switch.
pub const GRACE: Duration = Duration::from_secs(10);
/// Clients drop a pool that says nothing for 90 s.
pub const RENOTIFY: Duration = Duration::from_secs(30);
/// The route and its stand-bys.
pub const MAX_LINKS: usize = 3;

#[derive(Clone, Debug)]
pub enum Command {
    Open { link: LinkId, candidate: Candidate },
    Close { link: LinkId },
    Publish(Arc<Board>),
    Decided(Decision),
}

/// What a pool's newest work is, and on what terms.
#[derive(Clone, Debug)]
pub struct Terms {
    pub work: Arc<Work>,
    pub split: Split,
    pub difficulty: f64,
    pub version_mask: u32,
}

#[derive(Debug)]
struct Entry {
    candidate: Candidate,
    health: Health,
    terms: Option<Terms>,
    last_failure: Option<String>,
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
            ready_since: entry.health.ready_since(),
        })
        .collect()
}

/// For the status page.
#[derive(Clone, Debug, PartialEq)]
pub struct CandidateView {
    pub choice: Choice,
    pub score: Option<f64>,
    pub ready: bool,
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
    groups: usize,
    next_job: JobId,
    next_link: LinkId,
    published: Instant,
    /// When the next candidate that failed may be tried again.
    retry: Option<Instant>,
    retiring: Vec<Retiring>,
    commands: Vec<Command>,
}

impl Lane {
    /// `first_link`: link numbers are unique over all lanes if their ranges are.
    pub fn new(algorithm: Algorithm, policy: Policy, first_link: LinkId, now: Instant) -> Self {
        Self {
            algorithm,
            entries: Vec::new(),
            router: Router::new(policy, now),
            sequence: 0,
            board: Board::new(),
            groups: 1,
            next_job: 1,
            next_link: first_link,
            published: now,
            retry: None,
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
            let mut entry = known.map(|index| old.swap_remove(index)).unwrap_or(Entry {
                candidate: candidate.clone(),
                health: Health::Resting,
                terms: None,
                last_failure: None,
            });
            entry.candidate = candidate;
            self.entries.push(entry);
        }
        for link in old.iter().filter_map(|entry| entry.health.link()) {
            self.retire(link, true, now);
        }
        self.settle(now);
    }

    /// How many groups of miners there are; jobs are rendered for each.
    pub fn set_groups(&mut self, groups: usize, now: Instant) {
        if groups > self.groups {
            self.groups = groups;
            // The new group has no rendering of the current job yet.
            self.reissue(now);
        }
    }

    pub fn work(&mut self, link: LinkId, terms: Terms, now: Instant) {
        let Some(index) = self.find(link) else { return };
        let entry = &mut self.entries[index];
        let clean = terms.work.clean;
        entry.terms = Some(terms);
        entry.health = entry.health.has_job(now);
        if self.route_link() == Some(link) {
            self.put_up(index, clean, now);
        } else {
            self.settle(now);
        }
    }

    pub fn failed(&mut self, link: LinkId, failure: &Failure, now: Instant) {
        if let Some(index) = self.find(link) {
            let entry = &mut self.entries[index];
            entry.health = match failure {
                Failure::Refusing(_) => entry.health.refusing(now),
                Failure::Connect(_)
                | Failure::Closed
                | Failure::Lost(_)
                | Failure::LoginRefused(_)
                | Failure::LoginTimeout
                | Failure::Silent
                | Failure::Deaf
                | Failure::Garbage(_)
                | Failure::Unusable(_)
                | Failure::AskedToReconnect => entry.health.failed(now),
            };
            entry.terms = None;
            entry.last_failure = Some(failure.to_string());
        }
        // Its shares are answered as lost instead of "job not found" for a while.
        self.retire(link, false, now);
        self.settle(now);
    }

    pub fn tick(&mut self, now: Instant) {
        self.settle(now);
        if now >= self.published + RENOTIFY {
            if self.board.current().is_some() {
                self.reissue(now);
            } else {
                self.board.still_waiting();
                self.publish();
            }
            self.published = now;
        }
    }

    /// The candidates with their state, best first.
    pub fn view(&self) -> Vec<CandidateView> {
        let rows = self.entries.iter().zip(describe(&standings(&self.entries)));
        rows.map(|(entry, (choice, score, ready))| CandidateView {
            choice,
            score,
            ready,
            address: entry.candidate.url.to_string(),
            last_failure: entry.last_failure.clone(),
        })
        .collect()
    }

    pub fn route(&self) -> Option<(&Choice, Instant)> {
        Some((self.router.choice()?, self.router.since()?))
    }

    pub fn route_link(&self) -> Option<LinkId> {
        let choice = self.router.choice()?;
        let entry = self
            .entries
            .iter()
            .find(|entry| choice.is(&entry.candidate))?;
        entry.health.link()
    }

    fn find(&self, link: LinkId) -> Option<usize> {
        self.entries
            .iter()
            .position(|entry| entry.health.link() == Some(link))
    }

    fn settle(&mut self, now: Instant) {
        self.decide(now);
        if self.router.choice().is_none() {
            for entry in &mut self.entries {
                entry.health = entry.health.hurry(now);
            }
        }
        self.open_links(now);
        self.finish_retiring(now);
    }

    fn decide(&mut self, now: Instant) {
        let left = self.route_link();
        let standings = standings(&self.entries);
        let Some(decision) = self.router.decide(&standings, self.sequence, now) else {
            return;
        };
        if let Some(left) = left {
            self.retire(left, false, now);
        }
        let chosen = decision.to.as_ref().and_then(|choice| {
            self.entries
                .iter()
                .position(|entry| choice.is(&entry.candidate))
        });
        self.commands.push(Command::Decided(decision));
        if chosen.is_none() {
            self.board.withdraw();
            self.publish();
        }
        if let Some(index) = chosen {
            let link = self.entries[index].health.link();
            self.retiring.retain(|retiring| Some(retiring.link) != link);
            self.put_up(index, true, now);
        }
    }

    /// The route and the best of the others, up to [`MAX_LINKS`]. Retries of
    /// candidates that failed come on top, up to as many, longest waiting first:
    /// they must not push out a link that is usable or about to be.
    fn open_links(&mut self, now: Instant) {
        let mut room = MAX_LINKS - usize::from(self.router.choice().is_some());
        let mut retries = MAX_LINKS;
        let (mut opening, mut due, mut dropped) = (Vec::new(), Vec::new(), Vec::new());
        self.retry = None;
        for (index, entry) in self.entries.iter_mut().enumerate() {
            let mut route = self.router.choice().into_iter();
            if route.any(|choice| choice.is(&entry.candidate)) {
                continue;
            }
            if room == 0 {
                if let Some(link) = entry.health.link() {
                    entry.health = Health::Resting;
                    entry.terms = None;
                    dropped.push(link);
                }
                continue;
            }
            match entry.health {
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
            self.open(index);
        }
        for link in dropped {
            self.retire(link, true, now);
        }
    }

    fn open(&mut self, index: usize) {
        let (link, entry) = (self.next_link, &mut self.entries[index]);
        self.next_link = link.wrapping_add(1);
        entry.health = entry.health.opened(link);
        self.commands.push(Command::Open {
            link,
            candidate: entry.candidate.clone(),
        });
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
        let route = self.route_link();
        let retiring = &self.retiring;
        self.board.retain(|job| {
            let superseded =
                superseded_on.is_some_and(|(link, newest)| job.link == link && job.id != newest);
            let honoured = route == Some(job.link)
                || retiring.iter().any(|old| old.link == job.link)
                || route.is_none();
            honoured && !superseded
        });
    }

    fn put_up(&mut self, index: usize, clean: bool, now: Instant) {
        let entry = &self.entries[index];
        let (Some(link), Some(terms)) = (entry.health.link(), entry.terms.clone()) else {
            return;
        };
        let Some(target) = Target::of_difficulty(self.algorithm, terms.difficulty) else {
            return;
        };
        let job = Job {
            id: self.next_job,
            link,
            algorithm: self.algorithm,
            work: terms.work,
            split: terms.split,
            difficulty: terms.difficulty,
            target,
            version_mask: terms.version_mask,
        };
        let superseded = job.work.clean.then_some((link, job.id));
        self.next_job = self.next_job.wrapping_add(1);
        self.board.put_up(job, self.groups, clean);
        self.prune(superseded);
        self.published = now;
        self.publish();
    }

    /// The current work under a fresh id, so that no client's silence timer fires.
    /// Its time moves on as the clock did: many miners start a job that they do
    /// not know from the beginning, and would hash the same headers again.
    fn reissue(&mut self, now: Instant) {
        let Some(link) = self.route_link() else {
            return;
        };
        let Some(job) = self.board.current().filter(|job| job.link == link) else {
            return;
        };
        let passed = now.saturating_duration_since(self.published).as_secs();
        let mut work = Work::clone(&job.work);
        work.ntime = work.ntime.wrapping_add(passed.clamp(1, 600) as u32);
        let again = Job {
            id: self.next_job,
            work: Arc::new(work),
            ..Job::clone(job)
        };
        self.next_job = self.next_job.wrapping_add(1);
        self.board.put_up(again, self.groups, false);
        self.published = now;
        self.publish();
    }

    fn publish(&mut self) {
        self.commands
            .push(Command::Publish(Arc::new(self.board.clone())));
    }
}
