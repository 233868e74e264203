//! The difficulty of one miner: hard enough to cost little, easy enough to tell
//! within a minute that it works.
//!
//! ```text
//!   shares, their time --> work a minute --> / 8 --> rounded --> asked at the next job
//! ```
//!
//! It counts from the next job only, never within one: firmware of the S19 kind
//! misjudges shares when the difficulty changes under a job. What is asked in the
//! end is never above the pool's own difficulty: a share that a pool would pay
//! for has to come here.

use crate::{Duration, Instant};

/// Shares a minute; 6 to 10 is what it comes to.
pub const TARGET: f64 = 8.0;
/// A figure is of the last minutes, not of last night.
const WINDOW: Duration = Duration::from_secs(600);
/// A pace that is off by less is not worth a clean job.
const TOLERANCE: f64 = 0.2;
/// How far chance alone takes it: two and a half standard deviations, squared.
const CHANCE: f64 = 6.25;
/// No figure rests on fewer shares than this when it goes up.
const FEWEST: u32 = 8;
/// Few shares are a weak sign: go down in steps.
const LARGEST_STEP_DOWN: f64 = 16.0;

/// What a kind of device starts with, and what it is never asked less than.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    pub start: f64,
    pub floor: f64,
}

#[derive(Clone, Debug)]
pub struct Vardiff {
    wanted: f64,
    floor: f64,
    /// What the miner asked never to be below; unlike `floor` it counts before the pool's.
    minimum: f64,
    /// The miner, or whoever set it up, chose it.
    fixed: bool,
    since: Instant,
    shares: u32,
    work: f64,
}

impl Vardiff {
    pub const fn new(range: Range, now: Instant) -> Self {
        Self {
            wanted: range.start,
            floor: range.floor,
            minimum: 0.0,
            fixed: false,
            since: now,
            shares: 0,
            work: 0.0,
        }
    }

    /// The kind of device became known.
    pub fn begin(&mut self, range: Range, now: Instant) {
        if !self.fixed && self.shares == 0 {
            *self = Self {
                minimum: self.minimum,
                ..Self::new(range, now)
            };
        }
    }

    /// `d=` in the password: stays as it is.
    pub fn fix(&mut self, difficulty: f64) {
        self.wanted = difficulty;
        self.fixed = true;
    }

    /// `mining.suggest_difficulty`: a start that the miner knows better than we do.
    pub fn suggest(&mut self, difficulty: f64, now: Instant) {
        if !self.fixed {
            self.set(difficulty, now);
        }
    }

    /// `minimum-difficulty` of BIP 310.
    pub fn at_least(&mut self, minimum: f64) {
        self.minimum = minimum;
    }

    /// A share of that difficulty was good.
    pub fn share(&mut self, difficulty: f64) {
        self.shares = self.shares.saturating_add(1);
        self.work += difficulty;
    }

    /// What to ask from the next job on, under a pool that asks `pool`.
    pub fn asked(&mut self, pool: f64, now: Instant) -> f64 {
        if !self.fixed {
            self.look(now);
        }
        self.wanted.min(pool).max(self.minimum)
    }

    /// Count afresh, from the same difficulty.
    pub const fn begin_again(&mut self, now: Instant) {
        self.since = now;
        self.shares = 0;
        self.work = 0.0;
    }

    fn look(&mut self, now: Instant) {
        let span = now.saturating_duration_since(self.since);
        let minutes = span.as_micros().max(1) as f64 / 60e6;
        let measured = self.work / minutes / TARGET;
        let off = measured / self.wanted - 1.0;
        // Shares come by chance: their number's variance is their expected number.
        let is_off = off * off * minutes * TARGET > CHANCE
            && off * off > TOLERANCE * TOLERANCE
            && (off < 0.0 || self.shares >= FEWEST);
        if is_off {
            self.set(measured.max(self.wanted / LARGEST_STEP_DOWN), now);
        } else if span >= WINDOW {
            self.begin_again(now);
        }
    }

    fn set(&mut self, difficulty: f64, now: Instant) {
        self.wanted = rounded(difficulty).max(self.floor);
        self.begin_again(now);
    }
}

/// Two bits of mantissa: figures that a person can read and every firmware can
/// parse; whole numbers from 1 on.
fn rounded(difficulty: f64) -> f64 {
    const DROPPED: u32 = 50;
    let bits = difficulty.to_bits();
    let half = 1 << (DROPPED - 1);
    let short = f64::from_bits((bits + half) >> DROPPED << DROPPED);
    if (1.0..4.0).contains(&short) {
        (short + 0.5) as u32 as f64
    } else {
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const ANY: Range = Range {
        start: 1024.0,
        floor: 1e-6,
    };

    /// Jobs every 30 s; shares come as a Poisson process of `per_minute` at
    /// difficulty 1. Answers with the share times of each minute.
    fn farm(range: Range, per_minute_at_one: f64, minutes: u64, seed: u64) -> (Vec<u32>, u32) {
        let mut random = seed | 1;
        let mut uniform = move || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            ((random >> 11) as f64 + 0.5) / (1u64 << 53) as f64
        };
        let mut now = Instant::from_secs(100);
        let mut vardiff = Vardiff::new(range, now);
        let mut told = vardiff.asked(1e30, now);
        let (mut counts, mut changes) = (Vec::new(), 0);
        for _ in 0..minutes {
            let mut count = 0;
            for _ in 0..2 {
                let job = now;
                let wanted = vardiff.asked(1e30, now);
                changes += u32::from(wanted != told);
                told = wanted;
                let rate = per_minute_at_one / told / 60e6;
                let mut at = 0.0;
                loop {
                    at += -libm_ln(uniform()) / rate;
                    if at > 30e6 || count > 100_000 {
                        break;
                    }
                    vardiff.share(told);
                    count += 1;
                }
                now = job + Duration::from_secs(30);
            }
            counts.push(count);
        }
        (counts, changes)
    }

    /// Natural logarithm without std, good enough for a test's dice.
    fn libm_ln(x: f64) -> f64 {
        let bits = x.to_bits();
        let exponent = ((bits >> 52) as i64 - 1023) as f64;
        let mantissa = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
        let t = (mantissa - 1.0) / (mantissa + 1.0);
        let series: f64 = (0..12)
            .map(|k| {
                let n = 2 * k + 1;
                (0..n).fold(1.0, |power, _| power * t) / f64::from(n)
            })
            .sum();
        2.0 * series + exponent * core::f64::consts::LN_2
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// From a lottery USB stick to a container of ASICs: 6 to 10 shares a
        /// minute over the second half hour, and few changes by then.
        #[test]
        fn every_hashrate_comes_to_six_to_ten_shares_a_minute(power in -3f64..7.0, seed: u64) {
            let steps = (power * 8.0) as i32;
            let at_one = (0..steps.abs()).fold(8.0, |rate, _| if steps > 0 { rate * 1.333 } else { rate / 1.333 });
            let (counts, _) = farm(ANY, at_one, 60, seed);
            let late = f64::from(counts[20..].iter().sum::<u32>()) / 40.0;
            prop_assert!((5.4..=11.0).contains(&late), "{late} a minute, {counts:?}");
        }
    }

    #[test]
    fn over_many_miners_the_mean_is_on_target_and_changes_are_rare() {
        let (mut shares, mut changes) = (0, 0);
        for seed in 1..=200 {
            let (counts, changed) = farm(ANY, 20_000.0, 120, seed * 7919);
            shares += counts[10..].iter().sum::<u32>();
            changes += changed;
        }
        let mean = f64::from(shares) / (200.0 * 110.0);
        assert!((6.0..=10.0).contains(&mean), "{mean} a minute");
        // Each costs the miner a clean job.
        let an_hour = f64::from(changes) / (200.0 * 2.0);
        assert!(an_hour < 6.0, "{an_hour} changes an hour");
    }

    #[test]
    fn what_was_chosen_stays_and_what_was_suggested_is_a_start() {
        let now = Instant::from_secs(0);
        let later = now + Duration::from_secs(600);
        let mut fixed = Vardiff::new(ANY, now);
        fixed.fix(5000.0);
        fixed.suggest(3.0, now);
        assert_eq!(fixed.asked(1e30, later), 5000.0);
        let mut suggested = Vardiff::new(ANY, now);
        suggested.suggest(1000.0, now);
        assert_eq!(suggested.asked(1e30, now), 1024.0, "rounded");
        assert!(suggested.asked(1e30, later) < 1024.0, "it was too much");
    }

    #[test]
    fn nobody_is_asked_less_than_the_floor_of_its_kind_or_its_own_minimum() {
        let now = Instant::from_secs(0);
        let mut vardiff = Vardiff::new(
            Range {
                start: 512.0,
                floor: 256.0,
            },
            now,
        );
        for minute in 1..30 {
            let wanted = vardiff.asked(1e30, now + Duration::from_secs(60 * minute));
            assert!(wanted >= 256.0);
        }
        let later = now + Duration::from_secs(7200);
        assert_eq!(
            vardiff.asked(16.0, later),
            16.0,
            "what a pool pays has to come"
        );
        vardiff.at_least(300.0);
        assert_eq!(
            vardiff.asked(16.0, later),
            300.0,
            "unless the miner said so"
        );
    }
}
