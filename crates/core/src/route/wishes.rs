//! What the operator wants of one algorithm's route, for a time or for good.
//!
//! A *pin* names the pool that the miners are to work for while it is usable; while
//! it is not, the other rules go on. An *exclusion* names a pool that they never
//! work for; it goes before everything else, also before a pin. Both end by
//! themselves at their time, and then it is as if they had never been.

use super::candidate::Candidate;
use crate::{Duration, Instant};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// No pin lasts longer: whoever forgets one must not pay for it for ever.
pub const LONGEST_PIN: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Pools that may be excluded at a time.
pub const MOST_EXCLUDED: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    pub pool: String,
    /// `None`: whichever coin ranks best there.
    pub coin: Option<String>,
    pub until: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusion {
    pub pool: String,
    /// `None`: until it is taken back.
    pub until: Option<Instant>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    pub pin: Option<Pin>,
    pub excluded: Vec<Exclusion>,
}

impl Pin {
    pub fn is(&self, candidate: &Candidate) -> bool {
        let coin = self.coin.as_ref();
        self.pool == candidate.pool && coin.is_none_or(|coin| *coin == candidate.coin)
    }

    /// `the operator pinned it, for another 2 h 5 min`.
    pub(super) fn why(&self, now: Instant) -> String {
        let left = self.until.saturating_duration_since(now);
        format!("the operator pinned it, for another {}", words(left))
    }
}

impl Exclusion {
    pub(super) fn why(&self, now: Instant) -> String {
        let pool = &self.pool;
        match self.until {
            Some(until) => {
                let left = words(until.saturating_duration_since(now));
                format!("the operator excluded {pool}, for another {left}")
            }
            None => format!("the operator excluded {pool}"),
        }
    }
}

impl Wishes {
    pub fn exclusion(&self, pool: &str) -> Option<&Exclusion> {
        self.excluded.iter().find(|excluded| excluded.pool == pool)
    }

    pub fn excludes(&self, pool: &str) -> bool {
        self.exclusion(pool).is_some()
    }

    pub fn pins(&self, candidate: &Candidate) -> bool {
        self.pin.as_ref().is_some_and(|pin| pin.is(candidate))
    }

    /// Let go what has ended. `true`: there was something.
    pub fn expire(&mut self, now: Instant) -> bool {
        let before = (self.pin.is_some(), self.excluded.len());
        self.pin = self.pin.take().filter(|pin| now < pin.until);
        self.excluded
            .retain(|excluded| excluded.until.is_none_or(|until| now < until));
        before != (self.pin.is_some(), self.excluded.len())
    }

    /// When [`Wishes::expire`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let pin = self.pin.iter().map(|pin| pin.until);
        let excluded = self.excluded.iter().filter_map(|excluded| excluded.until);
        pin.chain(excluded).min()
    }
}

fn words(left: Duration) -> String {
    // A minute that has begun counts.
    let minutes = left.as_secs().div_ceil(60);
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}
