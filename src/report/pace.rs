//! When a report is due.
//!
//! ```text
//!   start --on a pool and central was asked, or `least` is over--> the first report
//!   then  --`every`, or another state and `least` is over--------> the next one
//! ```

use smart_mining_core::{Duration, Instant};
use smart_mining_wire::report::FarmState;

/// A state that comes and goes is told at most so often.
const LEAST: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Pace {
    every: Duration,
    least: Duration,
    /// When the last one was made or tried; before that the start.
    last: Instant,
    tried: bool,
    /// The state that the last report told. `None`: there is none, or it failed.
    told: Option<FarmState>,
}

impl Pace {
    pub fn new(every: Duration, now: Instant) -> Self {
        Self {
            every,
            least: LEAST.min(every),
            last: now,
            tried: false,
            told: None,
        }
    }

    /// Whether the state could make a report due; it need not be looked at otherwise.
    pub fn may(&self, now: Instant) -> bool {
        !self.tried || self.since(now) >= self.least
    }

    /// `settled`: the farm is on a pool and knows whether central is there. A report
    /// of the first second would tell of neither.
    pub fn is_due(&self, now: Instant, state: FarmState, settled: bool) -> bool {
        let since = self.since(now);
        if since >= self.every {
            return true;
        }
        match self.told {
            None => since >= self.least || (settled && !self.tried),
            Some(told) => told != state && since >= self.least,
        }
    }

    pub fn made(&mut self, now: Instant, state: FarmState) {
        self.tried_at(now, Some(state));
    }

    /// It could not be stored: again after the shortest wait.
    pub fn failed(&mut self, now: Instant) {
        self.tried_at(now, None);
    }

    fn tried_at(&mut self, now: Instant, told: Option<FarmState>) {
        self.last = now;
        self.tried = true;
        self.told = told;
    }

    fn since(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FarmState::{Holding, Mining, MiningFromCache};

    const EVERY: Duration = Duration::from_secs(300);

    fn at(seconds: u64) -> Instant {
        Instant::from_secs(1000 + seconds)
    }

    /// The seconds at which reports are made, and what they tell.
    fn walk(until: u64, state: impl Fn(u64) -> (FarmState, bool)) -> Vec<(u64, FarmState)> {
        let mut pace = Pace::new(EVERY, at(0));
        let mut made = Vec::new();
        for second in 0..until {
            let (state, settled) = state(second);
            let due = pace.is_due(at(second), state, settled);
            assert!(!due || pace.may(at(second)), "second {second}");
            if due {
                pace.made(at(second), state);
                made.push((second, state));
            }
        }
        made
    }

    #[test]
    fn a_quiet_farm_reports_at_its_start_and_every_five_minutes() {
        let made = walk(700, |second| (Mining, second >= 2));
        assert_eq!(made, [(2, Mining), (302, Mining), (602, Mining)]);
    }

    #[test]
    fn a_farm_that_starts_without_a_pool_says_so_after_a_minute() {
        let made = walk(100, |_| (Holding, false));
        assert_eq!(made, [(60, Holding)]);
    }

    #[test]
    fn a_change_is_told_at_once_but_at_most_once_a_minute() {
        let made = walk(400, |second| {
            let state = match second {
                0..100 => Mining,
                100..110 => MiningFromCache,
                110..150 => Mining,
                150..170 => Holding,
                _ => MiningFromCache,
            };
            (state, true)
        });
        // Back to what was told is no news, and so is a hold that is over again.
        let expected = [
            (0, Mining),
            (100, MiningFromCache),
            (160, Holding),
            (220, MiningFromCache),
        ];
        assert_eq!(made, expected);
    }

    #[test]
    fn one_that_could_not_be_stored_is_tried_again_after_a_minute() {
        let mut pace = Pace::new(EVERY, at(0));
        assert!(pace.is_due(at(1), Mining, true));
        pace.failed(at(1));
        assert!(!pace.is_due(at(2), Mining, true) && !pace.may(at(60)));
        assert!(pace.is_due(at(61), Mining, true));
        pace.made(at(61), Mining);
        assert!(!pace.is_due(at(360), Mining, true) && pace.is_due(at(361), Mining, true));
    }

    #[test]
    fn the_shortest_wait_is_never_longer_than_the_pace() {
        let mut pace = Pace::new(Duration::from_secs(5), at(0));
        pace.made(at(0), Mining);
        assert!(!pace.is_due(at(4), Holding, true) && pace.is_due(at(5), Holding, true));
    }
}
