//! Real hashing at a configured rate.
//!
//! Different work comes from rolling extranonce2, the nonce and (where it was
//! negotiated) version bits. The extranonce2 counter is never set back, so a
//! miner that gets its old extranonce1 again does not repeat itself.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tokio::time::{Duration, Instant};

use crate::pow::{self, Algorithm, Hash, Target};
use crate::work::{Notify, Solution};

/// How many slices are searched before extranonce2 is rolled.
const SLICES_PER_EXTRANONCE2: u32 = 64;

/// Longest time whose hashes may be caught up.
const BURST: Duration = Duration::from_millis(200);

/// A job with everything that was in force when it came.
#[derive(Debug, Clone)]
pub(super) struct ActiveJob {
    pub notify: Notify,
    pub extranonce1: Vec<u8>,
    pub extranonce2_size: usize,
    pub difficulty: f64,
    pub target: Target,
    pub since: Instant,
}

/// A share that was found.
pub(super) struct Found {
    pub solution: Solution,
    pub hash: Hash,
    /// The rolled bits, when the version is rolled.
    pub bits: Option<u32>,
}

pub(super) struct Searcher {
    algorithm: Algorithm,
    rate: f64,
    last: Instant,
    /// Hashes that may be made now.
    budget: f64,
    extranonce2: u64,
    slice: u32,
    nonce: u32,
    version_roll: u32,
}

impl Searcher {
    pub(super) fn new(algorithm: Algorithm, rate: f64, seed: u64) -> Self {
        Self {
            algorithm,
            rate,
            last: Instant::now(),
            budget: 0.0,
            extranonce2: 0,
            slice: 0,
            nonce: ChaCha8Rng::seed_from_u64(seed).next_u32(),
            version_roll: 0,
        }
    }

    /// Time during which nothing was searched earns no hashes.
    pub(super) fn idle(&mut self) {
        self.last = Instant::now();
        self.budget = 0.0;
    }

    /// A new job starts with fresh extranonce2.
    pub(super) fn job_changed(&mut self) {
        self.slice = 0;
        self.extranonce2 = self.extranonce2.wrapping_add(1);
    }

    /// Makes the hashes that are due. `mask`: version bits to roll; `roll_time`:
    /// let ntime follow the clock. Returns what was found and the hashes made.
    pub(super) fn run(&mut self, job: &ActiveJob, mask: u32, roll_time: bool) -> (Vec<Found>, u64) {
        let now = Instant::now();
        let earned = now.duration_since(self.last).min(BURST).as_secs_f64() * self.rate;
        self.last = now;
        self.budget += earned;
        let mut due = self.budget.max(0.0) as u32;
        self.budget -= f64::from(due);
        let total = u64::from(due);
        let mut found = Vec::new();
        while due > 0 {
            due -= self.search_slice(job, mask, roll_time, due, &mut found);
        }
        (found, total)
    }

    /// Searches up to `count` nonces with one header; returns how many.
    fn search_slice(
        &mut self,
        job: &ActiveJob,
        mask: u32,
        roll_time: bool,
        count: u32,
        found: &mut Vec<Found>,
    ) -> u32 {
        self.slice += 1;
        if self.slice.is_multiple_of(SLICES_PER_EXTRANONCE2) {
            self.extranonce2 = self.extranonce2.wrapping_add(1);
        }
        let bits = (mask != 0).then(|| self.next_bits(mask));
        let elapsed = u32::try_from(job.since.elapsed().as_secs()).unwrap_or(0);
        let mut solution = Solution {
            extranonce2: counter_bytes(self.extranonce2, job.extranonce2_size),
            ntime: job.notify.ntime + if roll_time { elapsed } else { 0 },
            nonce: 0,
            version: (job.notify.version & !mask) | bits.unwrap_or(0),
        };
        let header = job.notify.header(&job.extranonce1, &solution);
        let first = self.nonce;
        let hit = pow::search(self.algorithm, &header, &job.target, first, count);
        let Some((nonce, hash)) = hit else {
            self.nonce = first.wrapping_add(count);
            return count;
        };
        self.nonce = nonce.wrapping_add(1);
        solution.nonce = nonce;
        found.push(Found {
            solution,
            hash,
            bits,
        });
        nonce.wrapping_sub(first) + 1
    }

    /// Counts within the mask: spreads a counter over its bits.
    fn next_bits(&mut self, mask: u32) -> u32 {
        self.version_roll = self.version_roll.wrapping_add(1);
        let mut counter = self.version_roll;
        (0..32)
            .filter(|bit| mask >> bit & 1 == 1)
            .fold(0, |bits, bit| {
                let set = counter & 1;
                counter >>= 1;
                bits | set << bit
            })
    }
}

/// The low bytes of a counter, most significant first, padded to `size`.
fn counter_bytes(counter: u64, size: usize) -> Vec<u8> {
    let bytes = counter.to_be_bytes();
    let mut padded = vec![0; size.saturating_sub(8)];
    padded.extend_from_slice(&bytes[8 - size.min(8)..]);
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolled_bits_stay_inside_the_mask_and_differ() {
        let mut searcher = Searcher::new(Algorithm::Sha256d, 1.0, 1);
        let all: std::collections::BTreeSet<_> =
            (0..500).map(|_| searcher.next_bits(0x1fff_e000)).collect();
        assert_eq!(all.len(), 500);
        assert!(all.iter().all(|bits| bits & !0x1fff_e000 == 0));
    }

    #[test]
    fn extranonce2_has_the_wanted_size() {
        assert_eq!(counter_bytes(0x0102_0304, 3), [2, 3, 4]);
        assert_eq!(counter_bytes(1, 8), [0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(counter_bytes(1, 10).len(), 10);
        assert!(counter_bytes(1, 0).is_empty());
    }

    #[test]
    fn a_seed_decides_where_the_nonces_start() {
        let start = |seed| Searcher::new(Algorithm::Sha256d, 1.0, seed).nonce;
        assert_eq!(start(1), start(1));
        assert_ne!(start(1), start(2));
    }
}
