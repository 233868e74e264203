//! One host: may it be asked now?
//!
//! ```text
//!              failures in a row          the pause is over
//!   Healthy ----------------------> Pausing ----------------> Trying
//!      ^                              ^  ^                      |  |
//!      |            "wait n seconds" -'  `------- failed -------'  |
//!      `----------------------- answered -------------------------'
//!
//!   any --paid quota gone, banned--> Stopped (until the process is restarted)
//! ```
//!
//! Below all of it lies a token bucket with the service's documented limit: also a
//! request that fails has used it up. Time is an argument.

use crate::source::{Budget, SourceError};
use std::time::{Duration, Instant};

/// Failures in a row after which a host is left alone for a while.
const PATIENCE: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(30 * 60);
/// A "too many requests" without a time means this, and a little more.
const UNSAID_WAIT: Duration = Duration::from_secs(60);
/// Nobody is believed beyond this.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// May the host be asked?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes; one token was taken.
    Ask,
    /// Not before then.
    Wait(Instant),
    /// Not any more, for this reason.
    Stopped(String),
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    Healthy {
        failures: u32,
    },
    Pausing {
        until: Instant,
        pauses: u32,
    },
    /// One question decides.
    Trying {
        pauses: u32,
    },
    Stopped {
        why: String,
    },
}

#[derive(Debug)]
pub struct Host {
    budget: Budget,
    tokens: f64,
    refilled: Instant,
    state: State,
    /// 0 to 1, fixed for a host: keeps many aggregators from coming back at once.
    jitter: f64,
    longest_pause: Duration,
}

impl Host {
    pub fn new(budget: Budget, jitter: f64, now: Instant) -> Self {
        Self {
            budget,
            tokens: f64::from(budget.burst),
            refilled: now,
            state: State::Healthy { failures: 0 },
            jitter: jitter.clamp(0.0, 1.0),
            longest_pause: LONGEST_PAUSE,
        }
    }

    /// For a host of our own, which may be asked soon after it was down.
    #[must_use]
    pub fn pausing_at_most(self, longest_pause: Duration) -> Self {
        Self {
            longest_pause,
            ..self
        }
    }

    pub fn may_ask(&mut self, now: Instant) -> Verdict {
        match &self.state {
            State::Stopped { why } => return Verdict::Stopped(why.clone()),
            State::Pausing { until, .. } if now < *until => return Verdict::Wait(*until),
            State::Pausing { pauses, .. } => self.state = State::Trying { pauses: *pauses },
            // Its one question is under way; the answer will tell.
            State::Trying { .. } => return Verdict::Wait(now + Duration::from_secs(1)),
            State::Healthy { .. } => {}
        }
        self.refill(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Verdict::Ask;
        }
        if let State::Trying { pauses } = self.state {
            self.state = State::Pausing { until: now, pauses };
        }
        // Rounding may leave it a hair below one token: also that wait is a wait.
        let wait = self.filled_in(1.0 - self.tokens);
        Verdict::Wait(now + wait.max(Duration::from_millis(1)))
    }

    /// How long until so much of the budget has grown back.
    fn filled_in(&self, tokens: f64) -> Duration {
        let seconds = tokens.max(0.0) * 60.0 / self.budget.per_minute.max(f64::MIN_POSITIVE);
        Duration::from_secs_f64(seconds.min(LONGEST_WAIT.as_secs_f64()))
    }

    /// When [`Self::may_ask`] could say yes, as far as it is known; `None`: never.
    pub fn ready_at(&self, now: Instant) -> Option<Instant> {
        let paused = match &self.state {
            State::Stopped { .. } => return None,
            State::Pausing { until, .. } => *until,
            State::Trying { .. } | State::Healthy { .. } => now,
        };
        let passed = now.saturating_duration_since(self.refilled).as_secs_f64();
        let lacking = 1.0 - self.tokens - passed * self.budget.per_minute / 60.0;
        let refilled = now + self.filled_in(lacking);
        Some(paused.max(refilled))
    }

    /// The end of the pause, if there is one now.
    pub fn paused(&self, now: Instant) -> Option<Instant> {
        match self.state {
            State::Pausing { until, .. } => Some(until).filter(|until| *until > now),
            State::Stopped { .. } | State::Trying { .. } | State::Healthy { .. } => None,
        }
    }

    /// Why it is not asked any more, if so.
    pub fn stopped(&self) -> Option<&str> {
        match &self.state {
            State::Stopped { why } => Some(why),
            State::Pausing { .. } | State::Trying { .. } | State::Healthy { .. } => None,
        }
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.refilled).as_secs_f64();
        let gained = passed * self.budget.per_minute / 60.0;
        self.tokens = (self.tokens + gained).min(f64::from(self.budget.burst));
        self.refilled = now;
    }

    pub fn answered(&mut self) {
        if !matches!(self.state, State::Stopped { .. }) {
            self.state = State::Healthy { failures: 0 };
        }
    }

    /// A request failed; `None`: nothing came back at all.
    pub fn failed(&mut self, error: Option<&SourceError>, now: Instant) {
        let pauses = match self.state {
            State::Stopped { .. } => return,
            State::Pausing { pauses, .. } | State::Trying { pauses } => pauses,
            State::Healthy { .. } => 0,
        };
        match error {
            Some(SourceError::Stop(why) | SourceError::Key(why)) => {
                self.state = State::Stopped { why: why.clone() };
            }
            Some(SourceError::RateLimited(wait)) => {
                let unsaid = UNSAID_WAIT + UNSAID_WAIT.mul_f64(self.jitter / 2.0);
                let wait = wait
                    .unwrap_or(unsaid)
                    .clamp(Duration::from_secs(1), LONGEST_WAIT);
                let until = now + wait;
                self.state = State::Pausing { until, pauses };
            }
            // The host is well; it is this question that it has no answer to.
            Some(SourceError::NotFound(_) | SourceError::Service(_) | SourceError::Syncing(_)) => {
                self.state = State::Healthy { failures: 0 };
            }
            Some(
                SourceError::Status(_)
                | SourceError::Html(_)
                | SourceError::Empty
                | SourceError::Malformed(_),
            )
            | None => self.count_failure(pauses, now),
        }
    }

    fn count_failure(&mut self, pauses: u32, now: Instant) {
        if let State::Healthy { failures } = self.state
            && failures + 1 < PATIENCE
        {
            self.state = State::Healthy {
                failures: failures + 1,
            };
            return;
        }
        let pause = (FIRST_PAUSE * (1 << pauses.min(8))).min(self.longest_pause);
        self.state = State::Pausing {
            until: now + pause + pause.mul_f64(self.jitter / 10.0),
            pauses: pauses + 1,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BUDGET: Budget = Budget {
        burst: 2,
        per_minute: 30.0,
    };

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_budget_is_never_exceeded_and_says_when_to_come_back() {
        let start = Instant::now();
        let mut host = Host::new(BUDGET, 0.0, start);
        assert_eq!(host.may_ask(start), Verdict::Ask);
        assert_eq!(host.may_ask(start), Verdict::Ask);
        assert_eq!(host.may_ask(start), Verdict::Wait(start + secs(2)));
        assert_eq!(host.may_ask(start + secs(2)), Verdict::Ask);
    }

    #[test]
    fn a_wait_is_honoured_and_one_without_a_time_means_a_minute_or_more() {
        let start = Instant::now();
        let mut host = Host::new(BUDGET, 0.5, start);
        host.failed(Some(&SourceError::RateLimited(Some(secs(300)))), start);
        assert_eq!(
            host.may_ask(start + secs(299)),
            Verdict::Wait(start + secs(300))
        );
        assert_eq!(host.may_ask(start + secs(300)), Verdict::Ask);
        host.failed(Some(&SourceError::RateLimited(None)), start + secs(300));
        assert_eq!(
            host.may_ask(start + secs(300)),
            Verdict::Wait(start + secs(375))
        );
    }

    #[test]
    fn five_failures_make_a_pause_and_each_failed_try_a_longer_one() {
        let start = Instant::now();
        let mut host = Host::new(BUDGET, 0.0, start);
        for _ in 0..4 {
            host.failed(None, start);
            assert!(!matches!(host.state, State::Pausing { .. }));
        }
        host.failed(Some(&SourceError::Status(500)), start);
        let mut now = start + secs(60);
        assert_eq!(host.may_ask(start), Verdict::Wait(now));
        for pause in [120, 240, 480, 960, 1800, 1800] {
            assert_eq!(host.may_ask(now), Verdict::Ask);
            assert!(
                matches!(host.may_ask(now), Verdict::Wait(_)),
                "one question at a time"
            );
            host.failed(Some(&SourceError::Empty), now);
            assert_eq!(host.may_ask(now), Verdict::Wait(now + secs(pause)));
            now += secs(pause);
        }
        assert_eq!(host.may_ask(now), Verdict::Ask);
        host.answered();
        assert_eq!(host.may_ask(now), Verdict::Ask);
    }

    #[test]
    fn a_host_of_our_own_is_tried_again_soon() {
        let start = Instant::now();
        let mut host = Host::new(BUDGET, 0.0, start).pausing_at_most(secs(60));
        let mut now = start;
        for _ in 0..20 {
            host.failed(None, now);
            now += secs(60);
        }
        host.failed(None, now);
        assert_eq!(host.may_ask(now), Verdict::Wait(now + secs(60)));
    }

    #[test]
    fn a_ban_or_a_paid_quota_ends_it() {
        let start = Instant::now();
        let mut host = Host::new(BUDGET, 0.0, start);
        host.failed(Some(&SourceError::Stop("status 418".to_owned())), start);
        host.answered();
        let later = start + secs(1_000_000);
        assert_eq!(
            host.may_ask(later),
            Verdict::Stopped("status 418".to_owned())
        );
    }

    proptest! {
        /// Whatever happens, no minute sees more than the burst and a minute's budget.
        #[test]
        fn no_minute_exceeds_the_limit(steps in proptest::collection::vec((0u64..5000, 0u8..6), 1..300)) {
            let start = Instant::now();
            let mut host = Host::new(BUDGET, 0.3, start);
            let mut now = start;
            let mut asked: Vec<Instant> = Vec::new();
            for (wait, outcome) in steps {
                now += Duration::from_millis(wait);
                match host.may_ask(now) {
                    Verdict::Ask => asked.push(now),
                    Verdict::Wait(until) => {
                        prop_assert!(until > now);
                        continue;
                    }
                    Verdict::Stopped(_) => break,
                }
                match outcome {
                    0 => host.failed(None, now),
                    1 => host.failed(Some(&SourceError::RateLimited(None)), now),
                    2 => host.failed(Some(&SourceError::Service(String::new())), now),
                    _ => host.answered(),
                }
            }
            for first in &asked {
                let within = asked.iter().filter(|at| *at >= first && **at < *first + secs(60)).count();
                prop_assert!(within <= 32, "{within} in one minute");
            }
        }
    }
}
