//! How long a value may be used, and how much it is trusted as it grows old.
//!
//! | fact                      | fresh  | of use | off after a day |
//! |---------------------------|--------|--------|-----------------|
//! | price                     | 10 min | 6 h    | 4 %             |
//! | difficulty, hashrate      | 30 min | 24 h   | 5 %             |
//! | reward, subsidy, fees     | 3 h    | 7 d    | 2 %             |
//! | pool: fee, orphans, ...   | 1 d    | 30 d   | 0               |
//! | offers and payouts        | 1 d    | 2 d    | 0               |
//!
//! What drifts without a direction is off by the square root of the time: 4 % is
//! the usual daily movement of a larger coin's price, 5 % that of a chain that
//! adjusts with every block.

use super::Seen;
use crate::source::Fact;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Age {
    Fresh,
    /// Of use if there is nothing better; the fraction by which it may be off now.
    Old(f64),
    Gone,
}

impl Age {
    pub const fn is_fresh(self) -> bool {
        matches!(self, Self::Fresh)
    }

    pub const fn is_gone(self) -> bool {
        matches!(self, Self::Gone)
    }

    /// What it adds to a margin.
    pub const fn drift(self) -> f64 {
        match self {
            Self::Fresh => 0.0,
            Self::Old(drift) => drift,
            Self::Gone => 1.0,
        }
    }
}

struct Limits {
    fresh: u64,
    of_use: u64,
    off_after_a_day: f64,
}

const fn limits(fact: Fact) -> Limits {
    let (fresh, of_use, off_after_a_day) = match fact {
        Fact::PriceUsd | Fact::PriceBtc => (10 * MINUTE, 6 * HOUR, 0.04),
        Fact::Difficulty
        | Fact::NetworkHashrate
        | Fact::BlockTime
        | Fact::Height
        | Fact::TipTime
        | Fact::CoinsPerDay => (30 * MINUTE, DAY, 0.05),
        Fact::BlockReward | Fact::Subsidy | Fact::FeesPerBlock | Fact::BlockFees => {
            (3 * HOUR, 7 * DAY, 0.02)
        }
        Fact::PoolHashrate
        | Fact::PoolFee
        | Fact::PoolMiners
        | Fact::PoolEffort
        | Fact::OrphanRate
        | Fact::PoolLastBlock
        | Fact::AccountHashrate => (DAY, 30 * DAY, 0.0),
        Fact::PaidCoinPerHashDay
        | Fact::MarketUnit
        | Fact::OfferBtcPerHashDay
        | Fact::PaidBtcPerHashDay
        | Fact::OfferUsdPerHashDay
        | Fact::OfferCoinPerHashDay
        | Fact::MarketCapUsd
        | Fact::VolumeUsdDay => (DAY, 2 * DAY, 0.0),
    };
    Limits {
        fresh,
        of_use,
        off_after_a_day,
    }
}

/// A chain's own times tell when a block was found, which may be long ago without
/// anything being out of date; so these count from when they were received.
pub fn of(fact: Fact, seen: &Seen, now: u64) -> Age {
    let since = match fact {
        Fact::Difficulty
        | Fact::NetworkHashrate
        | Fact::BlockTime
        | Fact::Height
        | Fact::TipTime
        | Fact::CoinsPerDay
        | Fact::BlockReward
        | Fact::Subsidy
        | Fact::FeesPerBlock
        | Fact::BlockFees => seen.received,
        Fact::PriceUsd
        | Fact::PriceBtc
        | Fact::PoolHashrate
        | Fact::PoolFee
        | Fact::PoolMiners
        | Fact::PoolEffort
        | Fact::OrphanRate
        | Fact::PoolLastBlock
        | Fact::AccountHashrate
        | Fact::PaidCoinPerHashDay
        | Fact::MarketUnit
        | Fact::OfferBtcPerHashDay
        | Fact::PaidBtcPerHashDay
        | Fact::OfferUsdPerHashDay
        | Fact::OfferCoinPerHashDay
        | Fact::MarketCapUsd
        | Fact::VolumeUsdDay => seen.observed(),
    };
    let limits = limits(fact);
    let age = now.saturating_sub(since);
    if age <= limits.fresh {
        Age::Fresh
    } else if age <= limits.of_use {
        Age::Old(limits.off_after_a_day * (age as f64 / DAY as f64).sqrt())
    } else {
        Age::Gone
    }
}

/// After this nothing of a reading is of use any more.
pub const LONGEST: u64 = 30 * DAY;

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at: Option<u64>, received: u64) -> Seen {
        Seen {
            value: 1.0,
            at,
            received,
        }
    }

    #[test]
    fn a_price_is_as_old_as_it_says_and_a_difficulty_as_its_answer() {
        let now = 1_000_000;
        let late = seen(Some(now - HOUR), now);
        assert_eq!(of(Fact::Difficulty, &late, now), Age::Fresh);
        let Age::Old(drift) = of(Fact::PriceUsd, &late, now) else {
            panic!("an hour is no longer fresh");
        };
        assert!((drift - 0.04 / 24.0_f64.sqrt()).abs() < 1e-12);
        assert!(of(Fact::PriceUsd, &late, now + 6 * HOUR).is_gone());
    }

    #[test]
    fn a_clock_that_went_back_makes_nothing_old() {
        assert_eq!(of(Fact::PriceUsd, &seen(None, 5_000), 10), Age::Fresh);
    }
}
