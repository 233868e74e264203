//! The route: which candidate the miners work for, and why it changes.
//!
//! ```text
//!            start, or a pool came back
//!   Holding ---------------------------> On a route --profit, return--> On another
//!      ^                                     |
//!      `----- the last usable pool went -----'---- failover ----------> On another
//! ```
//!
//! - *Start*: the best candidate gets a moment to connect, then the best usable one.
//! - *Failover*: the route's pool is not usable; dwell and hysteresis do not apply.
//! - *Return*: the pool that was left for its failure has been usable for long
//!   enough and still ranks before the route; no hysteresis, it is not a gamble.
//! - *Profit*: another pays more by the hysteresis, long enough, and confirmed.
//! - *Pin*: the operator wants another one, and it is usable: at once.
//! - *Exclude*: the operator wants the route's pool no more; the best other, at once.
//!
//! While a pin's pool is the route nothing else moves it but a failure. What is
//! excluded is no candidate: the list does not have it.

use super::candidate::Candidate;
use super::wishes::Wishes;
use crate::{Duration, Instant};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// How long the best candidate may take to connect before the next is used.
const SETTLE: Duration = Duration::from_secs(2);
/// A condition that time alone fulfils is looked at again after this.
const RECHECK: Duration = Duration::from_secs(1);

/// `[routing]` of farm.toml.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    pub same_coin_percent: f64,
    pub other_coin_percent: f64,
    pub minimum_dwell: Duration,
    pub confirmations: u8,
    pub return_after: Duration,
    /// How long the last job is kept up while no pool can be reached; 0: not at all.
    pub keep_warm: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            same_coin_percent: 3.0,
            other_coin_percent: 5.0,
            minimum_dwell: Duration::from_secs(15 * 60),
            confirmations: 2,
            return_after: Duration::from_secs(5 * 60),
            keep_warm: Duration::from_ticks(0),
        }
    }
}

/// A candidate as the router sees it. The list it gets is best first.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    pub candidate: &'a Candidate,
    /// Logged in and with a job, since when.
    pub ready_since: Option<Instant>,
}

/// Names a candidate beyond one list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub pool: String,
    pub coin: String,
}

impl Choice {
    fn of(candidate: &Candidate) -> Self {
        Self {
            pool: candidate.pool.clone(),
            coin: candidate.coin.clone(),
        }
    }

    pub fn is(&self, candidate: &Candidate) -> bool {
        candidate.is(&self.pool, &self.coin)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    Start,
    Failover,
    Return,
    Profit,
    /// The operator wants this one.
    Pin,
    /// The operator does not want the one before.
    Exclude,
    /// No pool is usable.
    Hold,
}

impl Rule {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Failover => "failover",
            Self::Return => "return",
            Self::Profit => "profit",
            Self::Pin => "pin",
            Self::Exclude => "exclude",
            Self::Hold => "hold",
        }
    }
}

/// One change of the route, with its reason in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub from: Option<Choice>,
    pub to: Option<Choice>,
    pub rule: Rule,
    pub why: String,
}

#[derive(Clone, Debug)]
struct Route {
    choice: Choice,
    since: Instant,
}

/// A candidate that leads beyond the hysteresis.
#[derive(Clone, Debug)]
struct Lead {
    choice: Choice,
    since: Instant,
    last_sequence: u64,
    snapshots: u8,
}

#[derive(Debug)]
pub struct Router {
    policy: Policy,
    /// When there were candidates for the first time; before, when we were made.
    started: Instant,
    had_candidates: bool,
    route: Option<Route>,
    /// What would be the route, had it not failed.
    displaced: Option<Choice>,
    lead: Option<Lead>,
    recheck: Option<Instant>,
}

impl Router {
    pub const fn new(policy: Policy, now: Instant) -> Self {
        Self {
            policy,
            started: now,
            had_candidates: false,
            route: None,
            displaced: None,
            lead: None,
            recheck: None,
        }
    }

    pub fn choice(&self) -> Option<&Choice> {
        self.route.as_ref().map(|route| &route.choice)
    }

    pub fn since(&self) -> Option<Instant> {
        self.route.as_ref().map(|route| route.since)
    }

    /// When [`Router::decide`] should be asked again although nothing happened.
    pub const fn deadline(&self) -> Option<Instant> {
        self.recheck
    }

    /// Look at the candidates, best first, without those that are excluded. `None`:
    /// everything stays as it is.
    pub fn decide(
        &mut self,
        standings: &[Standing<'_>],
        wishes: &Wishes,
        sequence: u64,
        now: Instant,
    ) -> Option<Decision> {
        self.recheck = None;
        if !self.had_candidates && !standings.is_empty() {
            self.had_candidates = true;
            self.started = now;
        }
        let current = self.route.as_ref().and_then(|route| {
            standings
                .iter()
                .find(|standing| route.choice.is(standing.candidate))
        });
        let current = current.filter(|current| current.ready_since.is_some());
        if let Some(current) = current
            && wishes.pins(current.candidate)
        {
            self.displaced = None;
            self.lead = None;
            return None;
        }
        if let Some(decision) = self.follow_pin(standings, wishes, now) {
            return Some(decision);
        }
        match current {
            Some(current) => self.improve(standings, *current, sequence, now),
            None => self.recover(standings, wishes, now),
        }
    }

    /// To the pool that the operator wants, if it can be used.
    fn follow_pin(
        &mut self,
        standings: &[Standing<'_>],
        wishes: &Wishes,
        now: Instant,
    ) -> Option<Decision> {
        let pin = wishes.pin.as_ref()?;
        let pinned = standings
            .iter()
            .find(|standing| standing.ready_since.is_some() && pin.is(standing.candidate))?;
        Some(self.go(pinned.candidate, Rule::Pin, pin.why(now), now))
    }

    /// There is no route, or its pool cannot be used.
    fn recover(
        &mut self,
        standings: &[Standing<'_>],
        wishes: &Wishes,
        now: Instant,
    ) -> Option<Decision> {
        let best = standings
            .iter()
            .find(|standing| standing.ready_since.is_some());
        let left = self.route.as_ref().map(|route| route.choice.clone());
        let excluded = left
            .as_ref()
            .and_then(|left| wishes.exclusion(&left.pool))
            .map(|excluded| excluded.why(now));
        // What was pinned gets its moment to connect, as the best does otherwise.
        let pinned = standings
            .iter()
            .find(|standing| wishes.pins(standing.candidate));
        let top = pinned.or(standings.first());
        let Some(best) = best else {
            let from = self.route.take()?.choice;
            self.displaced.get_or_insert_with(|| from.clone());
            self.lead = None;
            let why = excluded.unwrap_or_else(|| format!("{} cannot be used", from.pool));
            return Some(Decision {
                why: format!("{why} and no other pool is ready"),
                from: Some(from),
                to: None,
                rule: Rule::Hold,
            });
        };
        let is_top = top.is_some_and(|top| core::ptr::eq(top, best));
        let settles_at = self.started + SETTLE;
        if self.route.is_none() && self.displaced.is_none() && !is_top && now < settles_at {
            self.recheck = Some(settles_at);
            return None;
        }
        let better = &best.candidate.pool;
        let (rule, why) = match (&self.route, &self.displaced, excluded) {
            (Some(_), _, Some(why)) => (
                Rule::Exclude,
                format!("{why}; {better} is the best that is ready"),
            ),
            (Some(route), _, None) => (
                Rule::Failover,
                format!(
                    "{} cannot be used; {better} is the best that is ready",
                    route.choice.pool
                ),
            ),
            (None, Some(_), _) => (Rule::Start, format!("{better} is ready again")),
            (None, None, _) if is_top => (
                Rule::Start,
                String::from("it leads the ranking and is ready"),
            ),
            (None, None, _) => (Rule::Start, String::from("it is the best that is ready")),
        };
        // What failed first is what we want back, also over a chain of failures.
        let displaced = [self.displaced.take(), left]
            .into_iter()
            .flatten()
            .find(|left| standings.iter().any(|standing| left.is(standing.candidate)))
            .or_else(|| top.map(|top| Choice::of(top.candidate)));
        let decision = self.go(best.candidate, rule, why, now);
        self.displaced = displaced.filter(|choice| !choice.is(best.candidate));
        Some(decision)
    }

    /// The route's pool is fine; is another one better?
    fn improve(
        &mut self,
        standings: &[Standing<'_>],
        current: Standing<'_>,
        sequence: u64,
        now: Instant,
    ) -> Option<Decision> {
        let ahead: Vec<_> = standings
            .iter()
            .take_while(|standing| !core::ptr::eq(standing.candidate, current.candidate))
            .map(|it| Ahead::of(it, &current, &self.policy))
            .collect();
        // What ranks no higher any more is not wanted back.
        self.displaced =
            (self.displaced.take()).filter(|choice| ahead.iter().any(|it| choice.is(it.candidate)));
        let (back, others): (Vec<Ahead<'_>>, Vec<Ahead<'_>>) = ahead.into_iter().partition(|it| {
            let displaced = self.displaced.as_ref();
            it.percent.is_none() || displaced.is_some_and(|choice| choice.is(it.candidate))
        });
        self.go_back(&back, now)
            .or_else(|| self.follow_profit(&others, sequence, now))
    }

    /// To what failed before, or from the farm's own pools to a ranked one.
    fn go_back(&mut self, back: &[Ahead<'_>], now: Instant) -> Option<Decision> {
        let mut ready = back.iter().filter_map(|it| Some((it, it.ready_since?)));
        let (back, since) = ready.next()?;
        if !lasted(since, self.policy.return_after, now) {
            self.recheck = Some(now + RECHECK);
            return None;
        }
        let stable = self.policy.return_after.as_secs();
        let (pool, lead) = (&back.candidate.pool, words(back.percent));
        let why = format!("{pool} {lead} and was ready for {stable} s");
        Some(self.go(back.candidate, Rule::Return, why, now))
    }

    fn follow_profit(
        &mut self,
        others: &[Ahead<'_>],
        sequence: u64,
        now: Instant,
    ) -> Option<Decision> {
        let mut leaders = others.iter().filter(|it| it.leads()).peekable();
        let Some(best) = leaders.peek().copied() else {
            self.lead = None;
            return None;
        };
        self.recheck = Some(now + RECHECK);
        // A leader under observation stays it while it leads, whoever else does.
        let observed = self.lead.as_ref().map(|lead| &lead.choice);
        let leader = leaders
            .find(|it| observed.is_some_and(|choice| choice.is(it.candidate)))
            .unwrap_or(best);
        let snapshots = self.follow_lead(leader.candidate, sequence, now)?;
        let (pool, lead, needed) = (&leader.candidate.pool, words(leader.percent), leader.needed);
        let seen = match snapshots {
            1 => String::from("1 snapshot"),
            more => format!("{more} snapshots"),
        };
        let why = format!("{pool} {lead}, needed {needed} %, seen in {seen}");
        Some(self.go(leader.candidate, Rule::Profit, why, now))
    }

    /// Count the snapshots that confirm a lead; `Some` once it may be followed.
    fn follow_lead(&mut self, leader: &Candidate, sequence: u64, now: Instant) -> Option<u8> {
        let known = self.lead.take().filter(|lead| lead.choice.is(leader));
        let mut lead = known.unwrap_or_else(|| Lead {
            choice: Choice::of(leader),
            since: now,
            last_sequence: sequence,
            snapshots: 1,
        });
        if lead.last_sequence != sequence {
            lead.last_sequence = sequence;
            lead.snapshots = lead.snapshots.saturating_add(1);
        }
        let dwelt = |since: Instant| lasted(since, self.policy.minimum_dwell, now);
        // A lead that nothing contradicted for a whole dwell is confirmed too:
        // central may have had no reason to publish again.
        let confirmed = lead.snapshots >= self.policy.confirmations || dwelt(lead.since);
        let on_route_long_enough = self.since().is_some_and(dwelt);
        let snapshots = lead.snapshots;
        self.lead = Some(lead);
        (confirmed && on_route_long_enough).then_some(snapshots)
    }

    fn go(&mut self, to: &Candidate, rule: Rule, why: String, now: Instant) -> Decision {
        let choice = Choice::of(to);
        let route = Route {
            choice: choice.clone(),
            since: now,
        };
        let from = self.route.replace(route).map(|route| route.choice);
        self.displaced = None;
        self.lead = None;
        Decision {
            from,
            to: Some(choice),
            rule,
            why,
        }
    }
}

/// A candidate that ranks before the route's.
#[derive(Clone, Copy, Debug)]
struct Ahead<'a> {
    candidate: &'a Candidate,
    ready_since: Option<Instant>,
    /// By how much it pays more, and how much is asked for a switch.
    percent: Option<f64>,
    needed: f64,
}

impl<'a> Ahead<'a> {
    fn of(standing: &Standing<'a>, current: &Standing<'_>, policy: &Policy) -> Self {
        let Standing {
            candidate,
            ready_since,
        } = *standing;
        let needed = if candidate.coin == current.candidate.coin {
            policy.same_coin_percent
        } else {
            policy.other_coin_percent
        };
        Self {
            candidate,
            ready_since,
            percent: lead_percent(candidate, current.candidate),
            needed,
        }
    }

    fn leads(&self) -> bool {
        self.ready_since.is_some() && self.percent.is_some_and(|percent| percent >= self.needed)
    }
}

fn lasted(since: Instant, wanted: Duration, now: Instant) -> bool {
    now.saturating_duration_since(since) >= wanted
}

/// By how much `a` pays more than `b`; `None` where the file's order decides.
fn lead_percent(a: &Candidate, b: &Candidate) -> Option<f64> {
    match (a.score, b.score) {
        (Some(a), Some(b)) => Some((a / b - 1.0) * 100.0),
        (Some(_) | None, None) | (None, Some(_)) => None,
    }
}

fn words(percent: Option<f64>) -> String {
    percent.map_or_else(
        || String::from("ranks before it"),
        |percent| format!("pays {percent:.1} % more"),
    )
}

/// For the page: the list with states, best first.
pub fn describe(standings: &[Standing<'_>]) -> Vec<(Choice, Option<f64>, bool)> {
    standings
        .iter()
        .map(|standing| {
            (
                Choice::of(standing.candidate),
                standing.candidate.score,
                standing.ready_since.is_some(),
            )
        })
        .collect()
}
