//! One candidate's connection: when to try, when it counts as usable.
//!
//! ```text
//!            open              login              first job
//!   Resting ------> Connecting -----> Connecting ----------> Ready
//!                      ^ |                                      |
//!                retry | v  failed                              v failed
//!                      Down (strikes, until) <-----------------'
//! ```
//!
//! The link stays the candidate's own while it is down: a pool may give the
//! next connection the session of the last one, and shares may wait for that.

use crate::share::LinkId;
use crate::{Duration, Instant};

/// Waits after the first failures; a fault that lasts is asked ever more rarely.
/// A pool that restarts is back within a minute: until then it is asked often.
const FIRST_WAITS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
];
const LONG_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// While no pool at all is usable every candidate is asked this often.
pub const HOLDING_WAIT: Duration = Duration::from_millis(500);
/// A connection that served for so long forgives what was before.
const PROVEN_AFTER: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Resting,
    Connecting {
        link: LinkId,
        strikes: u32,
    },
    Ready {
        link: LinkId,
        since: Instant,
        strikes: u32,
    },
    Down {
        link: Option<LinkId>,
        until: Instant,
        strikes: u32,
    },
}

impl Health {
    pub const fn link(self) -> Option<LinkId> {
        match self {
            Self::Connecting { link, .. } | Self::Ready { link, .. } => Some(link),
            Self::Down { link, .. } => link,
            Self::Resting => None,
        }
    }

    pub const fn ready_since(self) -> Option<Instant> {
        match self {
            Self::Ready { since, .. } => Some(since),
            Self::Resting | Self::Connecting { .. } | Self::Down { .. } => None,
        }
    }

    const fn strikes(self) -> u32 {
        match self {
            Self::Resting => 0,
            Self::Connecting { strikes, .. }
            | Self::Ready { strikes, .. }
            | Self::Down { strikes, .. } => strikes,
        }
    }

    /// May a connection be tried now?
    pub fn may_open(self, now: Instant) -> bool {
        match self {
            Self::Resting => true,
            Self::Down { until, .. } => now >= until,
            Self::Connecting { .. } | Self::Ready { .. } => false,
        }
    }

    pub fn opened(self, link: LinkId) -> Self {
        Self::Connecting {
            link,
            strikes: self.strikes(),
        }
    }

    /// Logged in and with a job in hand.
    pub fn has_job(self, now: Instant) -> Self {
        match self {
            Self::Connecting { link, strikes } => Self::Ready {
                link,
                since: now,
                strikes,
            },
            Self::Resting | Self::Ready { .. } | Self::Down { .. } => self,
        }
    }

    pub fn failed(self, now: Instant) -> Self {
        let proven = self
            .ready_since()
            .is_some_and(|since| now.saturating_duration_since(since) >= PROVEN_AFTER);
        let strikes = if proven { 1 } else { self.strikes() + 1 };
        Self::Down {
            link: self.link(),
            until: now + wait(strikes),
            strikes,
        }
    }

    /// A further connection to a pool that is there: nothing else has work for its
    /// group, so it is tried on more often.
    pub fn failed_aside(self, now: Instant) -> Self {
        match self.failed(now) {
            Self::Down {
                link,
                until,
                strikes,
            } => Self::Down {
                link,
                until: until.min(now + LONG_WAIT),
                strikes,
            },
            other @ (Self::Resting | Self::Connecting { .. } | Self::Ready { .. }) => other,
        }
    }

    /// The connection was fine, but no share was accepted on it. It would look
    /// usable again at once, so each further try has to wait longer, however
    /// long it served.
    pub fn refusing(self, now: Instant) -> Self {
        let strikes = self.strikes() + 1;
        Self::Down {
            link: self.link(),
            until: now + LONGEST_WAIT * strikes.min(16),
            strikes,
        }
    }

    /// Nobody wants the connection for now; how it fared is remembered.
    pub const fn let_go(self) -> Self {
        match self {
            Self::Down { until, strikes, .. } => Self::Down {
                link: None,
                until,
                strikes,
            },
            Self::Resting | Self::Connecting { .. } | Self::Ready { .. } => Self::Resting,
        }
    }

    /// No pool is usable: do not wait long, and do not hold it against this one.
    pub fn hurry(self, now: Instant) -> Self {
        match self {
            Self::Down {
                link,
                until,
                strikes,
            } => Self::Down {
                link,
                until: until.min(now + HOLDING_WAIT),
                strikes: strikes.min(1),
            },
            Self::Resting | Self::Connecting { .. } | Self::Ready { .. } => self,
        }
    }
}

fn wait(strikes: u32) -> Duration {
    let index = strikes.saturating_sub(1) as usize;
    FIRST_WAITS.get(index).copied().unwrap_or_else(|| {
        let doublings = (index - FIRST_WAITS.len()).min(8) as u32;
        LONGEST_WAIT.min(LONG_WAIT * (1 << doublings))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_that_stays_away_is_asked_ever_more_rarely_up_to_15_minutes() {
        let now = Instant::from_secs(1000);
        let mut health = Health::Resting;
        let mut waits = alloc::vec::Vec::new();
        for link in 0..12 {
            health = health.opened(link).failed(now);
            if let Health::Down { until, .. } = health {
                waits.push((until - now).as_secs());
            }
        }
        assert_eq!(waits, [1, 2, 5, 10, 20, 30, 60, 120, 240, 480, 900, 900]);
        assert!(health.hurry(now).may_open(now + HOLDING_WAIT));
    }

    #[test]
    fn a_minute_of_service_forgives() {
        let start = Instant::from_secs(0);
        let mut health = Health::Down {
            link: None,
            until: start,
            strikes: 9,
        }
        .opened(1)
        .has_job(start);
        health = health.failed(start + Duration::from_secs(61));
        assert_eq!(
            health,
            Health::Down {
                link: Some(1),
                until: start + Duration::from_secs(62),
                strikes: 1
            }
        );
    }

    #[test]
    fn a_pool_that_flaps_is_not_forgiven() {
        let start = Instant::from_secs(0);
        let health = Health::Down {
            link: None,
            until: start,
            strikes: 3,
        }
        .opened(1)
        .has_job(start);
        assert!(matches!(
            health.failed(start + Duration::from_secs(10)),
            Health::Down { strikes: 4, .. }
        ));
    }
}
