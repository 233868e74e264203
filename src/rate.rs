//! Work done lately: over a minute, ten minutes, an hour and a day, in 200 bytes.
//!
//! ```text
//!   add --> open, 10 s --closed--> 6 x 10 s   10 x 1 min   12 x 5 min   12 x 2 h
//!                                  a minute   ten minutes  an hour      a day
//! ```
//! Each window ends now and is as long as it says; of the bucket that its start
//! cuts, the part inside counts as if that bucket's work came evenly. So the
//! error is at most that one bucket, and none for steady work.

use smart_mining_core::{Algorithm, Instant};

/// Hashes that one unit of share difficulty stands for.
pub const fn hashes_per_difficulty(algorithm: Algorithm) -> f64 {
    match algorithm {
        Algorithm::Scrypt => 65536.0,
        // What the family's miners take a difficulty for.
        Algorithm::X16r => 16_777_216.0,
        Algorithm::Sha256d
        | Algorithm::Etchash
        | Algorithm::Kawpow
        | Algorithm::Randomx
        | Algorithm::Kheavyhash
        | Algorithm::Equihash => 4_294_967_296.0,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    Minute,
    TenMinutes,
    Hour,
    Day,
}

impl Window {
    pub const ALL: [Self; 4] = [Self::Minute, Self::TenMinutes, Self::Hour, Self::Day];

    /// How long one of its buckets is, in ticks.
    const fn ticks(self) -> u32 {
        match self {
            Self::Minute => 1,
            Self::TenMinutes => 6,
            Self::Hour => 30,
            Self::Day => 720,
        }
    }

    /// Whole buckets that make the window.
    const fn buckets(self) -> u32 {
        match self {
            Self::Minute => 6,
            Self::TenMinutes => 10,
            Self::Hour | Self::Day => 12,
        }
    }

    fn bucket_seconds(self) -> f64 {
        f64::from(self.ticks()) * TICK_SECONDS as f64
    }

    fn seconds(self) -> f64 {
        self.bucket_seconds() * f64::from(self.buckets())
    }
}

const TICK_SECONDS: u64 = 10;
/// A life shorter than this says nothing yet: its first share would look like a
/// hundred times the miner.
const LEAST_SECONDS: f64 = 10.0;

#[derive(Clone, Debug)]
pub struct Rate {
    started: Instant,
    /// What came in `tick`. Wide, because a farm adds many small shares to it.
    open: f64,
    tick: u32,
    /// Rings: the bucket of `tick` and those before it. Each has one more than its window needs.
    minute: [f32; 7],
    ten_minutes: [f32; 11],
    hour: [f32; 13],
    day: [f32; 13],
}

impl Rate {
    pub const fn new(now: Instant) -> Self {
        Self {
            started: now,
            open: 0.0,
            tick: tick(now),
            minute: [0.0; 7],
            ten_minutes: [0.0; 11],
            hour: [0.0; 13],
            day: [0.0; 13],
        }
    }

    pub fn add(&mut self, difficulty: f64, now: Instant) {
        self.advance(tick(now));
        if difficulty.is_finite() {
            self.open += difficulty;
        }
    }

    /// Take in what another did at the same time or before, as if it were one.
    pub fn absorb(&mut self, other: &Self) {
        let mut other = other.clone();
        let tick = self.tick.max(other.tick);
        // Then the places in the rings are those of the same times.
        self.advance(tick);
        other.advance(tick);
        self.open += other.open;
        self.started = self.started.min(other.started);
        let add = |ring: &mut [f32], more: &[f32]| {
            ring.iter_mut().zip(more).for_each(|(it, more)| *it += more);
        };
        add(&mut self.minute, &other.minute);
        add(&mut self.ten_minutes, &other.ten_minutes);
        add(&mut self.hour, &other.hour);
        add(&mut self.day, &other.day);
    }

    /// Difficulty per second over the window, or over the time since the start if
    /// that is shorter.
    pub fn per_second(&self, window: Window, now: Instant) -> f64 {
        let current = tick(now).max(self.tick) / window.ticks();
        let length = window.seconds();
        let seconds = |instant: Instant| instant.as_micros() as f64 / 1e6;
        let (now, started) = (seconds(now), seconds(self.started));
        let whole: f64 = (0..window.buckets())
            .filter_map(|back| current.checked_sub(back))
            .map(|index| self.bucket(window, index))
            .sum();
        let cut = current.checked_sub(window.buckets()).map_or(0.0, |index| {
            let end = f64::from(index + 1) * window.bucket_seconds();
            let begin = (end - window.bucket_seconds()).max(started);
            let inside = (end - (now - length)) / (end - begin).max(f64::MIN_POSITIVE);
            self.bucket(window, index) * inside.clamp(0.0, 1.0)
        });
        (whole + cut) / (now - started).clamp(LEAST_SECONDS, length)
    }

    fn bucket(&self, window: Window, index: u32) -> f64 {
        let ring = self.ring(window);
        let length = ring.len() as u32;
        match (self.tick / window.ticks()).checked_sub(index) {
            Some(0) => f64::from(ring[(index % length) as usize]) + self.open,
            Some(back) if back < length => f64::from(ring[(index % length) as usize]),
            Some(_) | None => 0.0,
        }
    }

    fn ring(&self, window: Window) -> &[f32] {
        match window {
            Window::Minute => &self.minute,
            Window::TenMinutes => &self.ten_minutes,
            Window::Hour => &self.hour,
            Window::Day => &self.day,
        }
    }

    /// Close the open bucket once its time is over.
    fn advance(&mut self, tick: u32) {
        if tick <= self.tick {
            return;
        }
        let closed = std::mem::take(&mut self.open) as f32;
        let before = std::mem::replace(&mut self.tick, tick);
        let close = |window: Window, ring: &mut [f32]| {
            let length = ring.len() as u32;
            let (old, new) = (before / window.ticks(), tick / window.ticks());
            ring[(old % length) as usize] += closed;
            for index in (old + 1..=new).take(ring.len()) {
                ring[(index % length) as usize] = 0.0;
            }
        };
        close(Window::Minute, &mut self.minute);
        close(Window::TenMinutes, &mut self.ten_minutes);
        close(Window::Hour, &mut self.hour);
        close(Window::Day, &mut self.day);
    }
}

const fn tick(now: Instant) -> u32 {
    // Enough for a thousand years.
    (now.as_secs() / TICK_SECONDS) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use smart_mining_core::Duration;

    fn at(seconds: f64) -> Instant {
        Instant::from_micros((seconds * 1e6) as u64)
    }

    #[test]
    fn it_is_small() {
        assert!(size_of::<Rate>() <= 200, "{}", size_of::<Rate>());
    }

    #[test]
    fn steady_work_shows_as_its_rate_from_the_start_and_fades_when_it_stops() {
        let mut rate = Rate::new(at(1003.0));
        for second in 0..200_000_u32 {
            let now = at(1003.0 + f64::from(second));
            rate.add(2.0, now);
            if second < 20 || second % 977 != 0 {
                continue;
            }
            for window in Window::ALL {
                let shown = rate.per_second(window, now);
                assert!((shown - 2.0).abs() < 0.2, "{window:?} {second}: {shown}");
            }
        }
        let end = 1003.0 + 199_999.0;
        for window in Window::ALL {
            let half = rate.per_second(window, at(end + window.seconds() / 2.0));
            assert!((half - 1.0).abs() < 0.1, "{window:?}: {half}");
            let over = end + window.seconds() + window.bucket_seconds();
            assert_eq!(rate.per_second(window, at(over)), 0.0);
        }
    }

    #[test]
    fn two_that_are_absorbed_are_as_one_that_did_all_of_it() {
        let (mut whole, mut early) = (Rate::new(at(1003.0)), Rate::new(at(1003.0)));
        let mut late = Rate::new(at(5000.0));
        for second in 0..9000_u32 {
            let now = at(1003.0 + f64::from(second));
            let difficulty = f64::from(second % 7);
            whole.add(difficulty, now);
            if second < 4500 {
                early.add(difficulty, now);
            } else {
                late.add(difficulty, now);
            }
        }
        late.absorb(&early);
        let end = at(1003.0 + 9000.0);
        for window in Window::ALL {
            let (one, both) = (whole.per_second(window, end), late.per_second(window, end));
            assert!((one - both).abs() < 1e-6, "{window:?}: {one} and {both}");
        }
    }

    #[test]
    fn a_first_share_does_not_look_like_a_farm() {
        let mut rate = Rate::new(at(50.0));
        rate.add(100.0, at(50.1));
        assert_eq!(rate.per_second(Window::Minute, at(50.1)), 10.0);
        assert_eq!(rate.per_second(Window::Day, at(70.0)), 5.0);
    }

    #[test]
    fn a_farm_of_small_shares_is_not_lost_in_rounding() {
        let mut rate = Rate::new(at(0.0));
        // 40 million equal shares in a day stop adding up in an f32 at 16.8 million.
        for tick in 0..8640_u32 {
            for _ in 0..5000 {
                rate.add(0.1, at(f64::from(tick) * 10.0));
            }
        }
        let shown = rate.per_second(Window::Day, at(86_400.0));
        assert!((shown / 50.0 - 1.0).abs() < 1e-4, "{shown}");
    }

    #[test]
    fn a_clock_that_goes_back_does_no_harm() {
        let mut rate = Rate::new(at(1000.0));
        rate.add(5.0, at(1100.0));
        rate.add(5.0, at(900.0));
        for window in Window::ALL {
            let shown = rate.per_second(window, at(900.0));
            assert!(shown.is_finite() && shown >= 0.0);
        }
    }

    proptest! {
        /// Against the list of all shares: off by at most what came in the one bucket
        /// that the window's start cuts.
        #[test]
        fn the_error_is_one_bucket_at_most(
            start in 0.0..100_000.0f64,
            gaps in prop::collection::vec((0.0..1.0f64, 0u8..5, 0.0..1e6f64), 1..200),
            rest in 0.0..100_000.0f64,
        ) {
            let mut rate = Rate::new(at(start));
            let mut shares: Vec<(f64, f64)> = Vec::new();
            let mut now = start;
            for (gap, scale, difficulty) in gaps {
                // From many a second to none for days.
                now += gap * 13f64.powi(i32::from(scale));
                rate.add(difficulty, at(now));
                shares.push((now, difficulty));
            }
            for now in [now, now + rest % 60.0, now + rest] {
                for window in Window::ALL {
                    let sum = |from: f64, to: f64| -> f64 {
                        let inside = shares.iter().filter(|(time, _)| *time >= from && *time < to);
                        inside.map(|(_, difficulty)| difficulty).sum()
                    };
                    let length = window.seconds();
                    let lived = (now - start).clamp(LEAST_SECONDS, length);
                    let exact = sum(now - length, f64::MAX) / lived;
                    let unit = window.bucket_seconds();
                    let cut = (now / unit).floor() * unit - length;
                    let bound = sum(cut - 1e-5, cut + unit + 1e-5) / lived;
                    let shown = rate.per_second(window, at(now));
                    prop_assert!(
                        (shown - exact).abs() <= bound + exact * 1e-4 + 1e-6,
                        "{window:?}: {shown} is not {exact} within {bound}"
                    );
                }
            }
        }

        #[test]
        fn it_never_goes_below_zero_and_ends_at_zero(
            adds in prop::collection::vec((0u64..400_000, 0.0..1e15f64), 0..100),
        ) {
            let mut rate = Rate::new(Instant::from_secs(0));
            for (seconds, difficulty) in adds {
                rate.add(difficulty, Instant::from_secs(seconds));
            }
            for window in Window::ALL {
                prop_assert!(rate.per_second(window, Instant::from_secs(200_000)) >= 0.0);
                let later = Instant::from_secs(400_000) + Duration::from_secs(26 * 3600);
                prop_assert_eq!(rate.per_second(window, later), 0.0);
            }
        }
    }
}
