//! Who is asked what, and when. Pure: time is an argument, the next step an answer.
//!
//! ```text
//!            due, its site is idle, its gate lets it through
//!   Waiting --------------------------------------------------> Asked
//!      ^                                                          |
//!      `--- answered: due at asked + every; failed: soon again ---'
//! ```
//!
//! A *site* is what belongs together on the other side: it gets one question at a
//! time. A *gate* is one source at one site, with that source's documented limit:
//! a wrong key closes it for the source alone, a ban or "too many requests" for
//! all sources of the site. Of what is due the oldest goes first, so nothing starves.

use crate::source::{Budget, Request, SourceError};
use crate::transport::fetch::FetchError;
use crate::transport::{Host, Verdict, site::site};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

/// After a failure a question is asked again no later than this, if its host is well.
const RETRY: Duration = Duration::from_secs(60);

/// What a source may be asked at one site.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub budget: Budget,
    /// A node of our own: no stranger is spared by a long pause after failures.
    pub own: bool,
}

/// The place of a source in the caller's list.
pub type SourceId = usize;

/// One question on its way.
#[derive(Clone, Debug)]
pub struct Question {
    id: usize,
    pub source: SourceId,
    pub request: Request,
    pub asked: Instant,
    /// It came from an answer, and its own is followed up by nothing.
    pub follow_up: bool,
}

#[derive(Debug)]
pub enum Step {
    Ask(Question),
    /// Nothing before then.
    Wait(Instant),
    /// Nothing before an answer comes in.
    Listen,
}

/// How far the first round is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// A question that was never answered is on its way.
    pub in_flight: bool,
    /// When the next of those that were never asked may be; `None`: there is none.
    pub next: Option<Instant>,
}

/// What a source's gates say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    Open,
    Waiting(Instant),
    /// For good, and why.
    Stopped(String),
}

#[derive(Debug)]
struct Entry {
    source: SourceId,
    request: Request,
    gate: usize,
    due: Instant,
    in_flight: bool,
    heard: bool,
    follow_up: bool,
}

#[derive(Debug)]
struct Gate {
    site: String,
    source: SourceId,
    host: Host,
}

#[derive(Debug)]
pub struct Schedule {
    entries: Vec<Entry>,
    gates: Vec<Gate>,
    busy: BTreeSet<String>,
    seed: u64,
}

impl Schedule {
    /// The seed makes the pauses of many aggregators differ.
    pub fn new(seed: u64) -> Self {
        Self {
            entries: Vec::new(),
            gates: Vec::new(),
            busy: BTreeSet::new(),
            seed,
        }
    }

    /// Ask these from now on. A question is its source, kind and about: one that is
    /// known already is asked in the new form, at the time that it was due anyway.
    pub fn add(
        &mut self,
        source: SourceId,
        limits: Limits,
        requests: Vec<Request>,
        follow_up: bool,
        now: Instant,
    ) {
        for request in requests {
            let gate = self.gate(source, limits, &request.url, now);
            let same = |entry: &&mut Entry| {
                entry.source == source
                    && entry.request.kind == request.kind
                    && entry.request.about == request.about
            };
            match self.entries.iter_mut().find(same) {
                // One on its way keeps its gate: what comes back is that gate's.
                Some(entry) if entry.in_flight && entry.gate != gate => {}
                Some(entry) => {
                    entry.gate = gate;
                    entry.request = request;
                }
                None => self.entries.push(Entry {
                    source,
                    request,
                    gate,
                    due: now,
                    in_flight: false,
                    heard: false,
                    follow_up,
                }),
            }
        }
    }

    fn gate(&mut self, source: SourceId, limits: Limits, url: &str, now: Instant) -> usize {
        let site = site(url);
        let same = |gate: &Gate| gate.source == source && gate.site == site;
        if let Some(known) = self.gates.iter().position(same) {
            return known;
        }
        let mut hasher = DefaultHasher::new();
        (self.seed, &site).hash(&mut hasher);
        let jitter = f64::from((hasher.finish() >> 32) as u32) / f64::from(u32::MAX);
        let host = Host::new(limits.budget, jitter, now);
        let host = if limits.own {
            host.pausing_at_most(RETRY)
        } else {
            host
        };
        self.gates.push(Gate { site, source, host });
        self.gates.len() - 1
    }

    /// What to do now. Whoever is told to ask must hand the result to [`Self::heard`].
    pub fn next(&mut self, now: Instant) -> Step {
        // Of each gate the question that is due first.
        let mut first: BTreeMap<usize, (Instant, usize)> = BTreeMap::new();
        for (id, entry) in self.entries.iter().enumerate() {
            let idle = !entry.in_flight && !self.busy.contains(&self.gates[entry.gate].site);
            if idle {
                let of_gate = first.entry(entry.gate).or_insert((entry.due, id));
                *of_gate = (*of_gate).min((entry.due, id));
            }
        }
        let mut order: Vec<_> = first
            .into_iter()
            .map(|(gate, (due, id))| (due, id, gate))
            .collect();
        order.sort_unstable();
        let mut wait: Option<Instant> = None;
        for (due, id, gate) in order {
            let until = if due > now {
                // No token is taken for what is not due.
                self.gates[gate].host.ready_at(now).map(|_| due)
            } else {
                match self.gates[gate].host.may_ask(now) {
                    Verdict::Ask => return Step::Ask(self.ask(id, now)),
                    Verdict::Wait(until) => Some(until),
                    Verdict::Stopped(_) => None,
                }
            };
            wait = wait.into_iter().chain(until).min();
        }
        wait.map_or(Step::Listen, Step::Wait)
    }

    fn ask(&mut self, id: usize, now: Instant) -> Question {
        let entry = &mut self.entries[id];
        entry.in_flight = true;
        self.busy.insert(self.gates[entry.gate].site.clone());
        Question {
            id,
            source: entry.source,
            request: entry.request.clone(),
            asked: now,
            follow_up: entry.follow_up,
        }
    }

    /// What became of a question. A refused key that may be another one next time
    /// (`renewable`) is a failure like others and not the end.
    pub fn heard(
        &mut self,
        question: &Question,
        error: Option<&FetchError>,
        renewable: bool,
        now: Instant,
    ) {
        let Some(entry) = self.entries.get_mut(question.id) else {
            return;
        };
        let usual = question.asked + entry.request.every;
        let source = error.and_then(FetchError::of_source);
        entry.in_flight = false;
        entry.heard = true;
        entry.due = match (error, source) {
            (None, _) | (Some(_), Some(SourceError::NotFound(_))) => usual,
            (Some(_), _) => now + entry.request.every.min(RETRY),
        };
        let own = entry.gate;
        let site = self.gates[own].site.clone();
        self.busy.remove(&site);
        let of_all = matches!(
            source,
            Some(SourceError::RateLimited(_) | SourceError::Stop(_))
        );
        let source = source.filter(|error| !(renewable && matches!(error, SourceError::Key(_))));
        for (id, gate) in self.gates.iter_mut().enumerate() {
            if error.is_none() && id == own {
                gate.host.answered();
            } else if error.is_some() && (id == own || (of_all && gate.site == site)) {
                gate.host.failed(source, now);
            }
        }
    }

    /// A question that was answered before the start: it is due as it would have been.
    pub fn asked_before(&mut self, source: SourceId, kind: &str, about: &str, asked: Instant) {
        let same = |entry: &&mut Entry| {
            let request = &entry.request;
            entry.source == source && request.kind == kind && request.about == about
        };
        if let Some(entry) = self.entries.iter_mut().find(same) {
            entry.due = asked + entry.request.every;
        }
    }

    /// Ask it again as soon as its gate allows: what it lacked is there now.
    pub fn again(&mut self, question: &Question, now: Instant) {
        if let Some(entry) = self.entries.get_mut(question.id) {
            entry.due = now;
        }
    }

    pub fn outlook(&self, now: Instant) -> Outlook {
        let unheard = || self.entries.iter().filter(|entry| !entry.heard);
        let ready = |entry: &Entry| {
            let ready = self.gates[entry.gate].host.ready_at(now)?;
            Some(ready.max(entry.due))
        };
        Outlook {
            in_flight: unheard().any(|entry| entry.in_flight),
            next: unheard()
                .filter(|entry| !entry.in_flight)
                .filter_map(ready)
                .min(),
        }
    }

    /// Whether each of the source's questions that can be asked was.
    pub fn all_heard(&self, source: SourceId) -> bool {
        self.entries
            .iter()
            .filter(|entry| entry.source == source)
            .all(|entry| entry.heard || self.gates[entry.gate].host.stopped().is_some())
    }

    /// Stopped or waiting only if that is true of all places where it is asked.
    pub fn condition(&self, source: SourceId, now: Instant) -> Condition {
        let hosts = || {
            self.gates
                .iter()
                .filter(|gate| gate.source == source)
                .map(|gate| &gate.host)
        };
        let open = |host: &Host| host.stopped().is_none() && host.paused(now).is_none();
        if hosts().any(open) {
            return Condition::Open;
        }
        if let Some(until) = hosts().filter_map(|host| host.paused(now)).min() {
            return Condition::Waiting(until);
        }
        hosts()
            .find_map(Host::stopped)
            .map_or(Condition::Open, |why| Condition::Stopped(why.to_owned()))
    }
}

#[cfg(test)]
mod tests;
