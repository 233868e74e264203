//! Work done lately, in buckets of ten seconds over ten minutes.

use smart_mining_core::{Algorithm, Instant};

const BUCKET_SECONDS: u64 = 10;
const BUCKETS: usize = 60;

/// Hashes that one unit of share difficulty stands for.
pub const fn hashes_per_difficulty(algorithm: Algorithm) -> f64 {
    match algorithm {
        Algorithm::Scrypt => 65536.0,
        Algorithm::Sha256d
        | Algorithm::Etchash
        | Algorithm::Kawpow
        | Algorithm::Randomx
        | Algorithm::Kheavyhash
        | Algorithm::Equihash => 4_294_967_296.0,
    }
}

#[derive(Clone, Debug)]
pub struct Rate {
    started: Instant,
    newest: u64,
    buckets: [f64; BUCKETS],
}

impl Rate {
    pub fn new(now: Instant) -> Self {
        Self {
            started: now,
            newest: bucket(now),
            buckets: [0.0; BUCKETS],
        }
    }

    pub fn add(&mut self, difficulty: f64, now: Instant) {
        self.advance(now);
        self.buckets[(self.newest % BUCKETS as u64) as usize] += difficulty;
    }

    /// Difficulty per second over the last `seconds` (at most 600), or over the
    /// time since the start if that is shorter.
    pub fn per_second(&mut self, seconds: u64, now: Instant) -> f64 {
        self.advance(now);
        let count = (seconds / BUCKET_SECONDS).clamp(1, BUCKETS as u64);
        let sum: f64 = (0..count)
            .filter_map(|back| self.newest.checked_sub(back))
            .map(|index| self.buckets[(index % BUCKETS as u64) as usize])
            .sum();
        let into_bucket = now.as_secs() % BUCKET_SECONDS;
        let window = (count - 1) * BUCKET_SECONDS + into_bucket + 1;
        let lived = now.saturating_duration_since(self.started).as_secs() + 1;
        sum / window.min(lived) as f64
    }

    fn advance(&mut self, now: Instant) {
        let target = bucket(now);
        let steps = target.saturating_sub(self.newest).min(BUCKETS as u64);
        for step in 1..=steps {
            self.buckets[((self.newest + step) % BUCKETS as u64) as usize] = 0.0;
        }
        if target > self.newest {
            if steps == BUCKETS as u64 {
                self.buckets = [0.0; BUCKETS];
            }
            self.newest = target;
        }
    }
}

fn bucket(now: Instant) -> u64 {
    now.as_secs() / BUCKET_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;
    use smart_mining_core::Duration;

    #[test]
    fn steady_work_shows_as_its_rate_and_fades_when_it_stops() {
        let start = Instant::from_secs(1000);
        let mut rate = Rate::new(start);
        for second in 0..120 {
            rate.add(2.0, start + Duration::from_secs(second));
        }
        let end = start + Duration::from_secs(119);
        assert!((rate.per_second(60, end) - 2.0).abs() < 0.1);
        assert!((rate.per_second(600, end) - 2.0).abs() < 0.1);
        let later = end + Duration::from_secs(3600);
        assert_eq!(rate.per_second(600, later), 0.0);
    }
}
