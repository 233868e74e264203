//! What became of shares, in numbers.

use serde::Serialize;
use smart_mining_core::sv1::{Judge, Judged, Outcome};
use std::ops::AddAssign;

/// Counts of answered shares. `accepted` is the pool's word, nobody else's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Counts {
    pub accepted: u64,
    /// Good for the miner's difficulty, below the pool's: sent nowhere.
    pub local: u64,
    pub rejected: u64,
    pub stale: u64,
    /// Sent, but the pool's verdict never came.
    pub unknown: u64,
    /// Never sent: no pool could take it.
    pub lost: u64,
    /// Of the rejected and stale ones, those that the appliance itself refused.
    pub refused_here: u64,
    /// What the pools asked of the accepted ones: what they pay for.
    pub difficulty_accepted: f64,
    /// What was asked of the miners of all that was really done: hashrates are made of it.
    pub work: f64,
}

impl Counts {
    pub fn add(&mut self, judged: &Judged) {
        match judged.outcome {
            Outcome::Accepted => {
                self.accepted += 1;
                self.difficulty_accepted += finite(judged.pool_difficulty);
            }
            Outcome::Local => self.local += 1,
            Outcome::Rejected => self.rejected += 1,
            Outcome::Stale => self.stale += 1,
            Outcome::Unknown => self.unknown += 1,
            Outcome::Lost => self.lost += 1,
        }
        match (judged.outcome, judged.by) {
            (Outcome::Rejected | Outcome::Stale, Judge::Appliance) => self.refused_here += 1,
            (Outcome::Rejected | Outcome::Stale, Judge::Pool)
            | (Outcome::Accepted | Outcome::Local | Outcome::Unknown | Outcome::Lost, _) => {}
        }
        if judged.is_work() {
            self.work += finite(judged.difficulty);
        }
    }

    /// How many shares these are.
    pub fn shares(&self) -> u64 {
        [
            self.accepted,
            self.local,
            self.rejected,
            self.stale,
            self.unknown,
            self.lost,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    /// Which part of what was judged good or bad was bad, as the miner's own display
    /// has it; `None` while nothing was judged. Unknown and lost ones are neither.
    pub fn reject_rate(&self) -> Option<f64> {
        let bad = self.rejected + self.stale;
        let judged = self.accepted + self.local + bad;
        (judged > 0).then(|| bad as f64 / judged as f64)
    }

    /// Rejected and stale ones that a pool refused.
    pub fn refused_by_pools(&self) -> u64 {
        (self.rejected + self.stale).saturating_sub(self.refused_here)
    }
}

impl AddAssign<&Self> for Counts {
    fn add_assign(&mut self, more: &Self) {
        self.accepted += more.accepted;
        self.local += more.local;
        self.rejected += more.rejected;
        self.stale += more.stale;
        self.unknown += more.unknown;
        self.lost += more.lost;
        self.refused_here += more.refused_here;
        self.difficulty_accepted += more.difficulty_accepted;
        self.work += more.work;
    }
}

/// One odd number must not spoil a sum for ever.
pub(crate) fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(outcome: Outcome, by: Judge) -> Judged {
        Judged {
            link: None,
            difficulty: 2.0,
            pool_difficulty: 8.0,
            outcome,
            by,
        }
    }

    #[test]
    fn each_word_has_its_column() {
        let mut counts = Counts::default();
        for (outcome, by) in [
            (Outcome::Accepted, Judge::Pool),
            (Outcome::Local, Judge::Appliance),
            (Outcome::Local, Judge::Appliance),
            (Outcome::Rejected, Judge::Pool),
            (Outcome::Rejected, Judge::Appliance),
            (Outcome::Stale, Judge::Appliance),
            (Outcome::Unknown, Judge::Appliance),
            (Outcome::Lost, Judge::Appliance),
        ] {
            counts.add(&judged(outcome, by));
        }
        let expected = Counts {
            accepted: 1,
            local: 2,
            rejected: 2,
            stale: 1,
            unknown: 1,
            lost: 1,
            refused_here: 2,
            // One share at the pool's difficulty, six pieces of work at the miner's.
            difficulty_accepted: 8.0,
            work: 12.0,
        };
        assert_eq!(counts, expected);
        assert_eq!((counts.shares(), counts.refused_by_pools()), (8, 1));
        assert_eq!(Counts::default().reject_rate(), None);
        assert_eq!(counts.reject_rate(), Some(0.5));
        let mut twice = counts;
        twice += &counts;
        assert_eq!((twice.shares(), twice.work), (16, 24.0));
    }
}
