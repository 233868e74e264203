//! Where a pool's jobs come from.
//!
//! Job number k of a seed is always the same but for its time, however many
//! connections there are: each draws from its own stream of the generator.

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::config::PoolConfig;
use crate::pow::Hash;
use crate::work::Notify;

/// Streams of the generator.
const JOBS: u64 = 1 << 40;
const BLOCKS: u64 = 2 << 40;
const EXTRANONCES: u64 = 3 << 40;

/// Jobs a pool remembers; a share for an older one is "job not found".
const KEPT: usize = 64;

#[derive(Debug)]
pub(super) struct Job {
    pub notify: Notify,
    /// Older than the last clean job.
    pub stale: bool,
}

pub(super) struct JobSource {
    name: String,
    seed: u64,
    branches: usize,
    extranonce_bytes: usize,
    nbits: u32,
    height: u64,
    made: u64,
    jobs: VecDeque<Job>,
}

impl JobSource {
    pub(super) fn new(config: &PoolConfig) -> Self {
        let mut source = Self {
            name: config.name.clone(),
            seed: config.seed,
            branches: config.branches,
            extranonce_bytes: config.extranonce1_bytes + config.extranonce2_size,
            nbits: config.nbits,
            height: 0,
            made: 0,
            jobs: VecDeque::new(),
        };
        source.advance(true);
        source
    }

    /// Makes the next job; a clean one is for a new block and makes the others stale.
    pub(super) fn advance(&mut self, clean: bool) {
        if clean {
            self.height += 1;
            for job in &mut self.jobs {
                job.stale = true;
            }
        }
        self.made += 1;
        let notify = self.make(clean);
        self.jobs.push_back(Job {
            notify,
            stale: false,
        });
        if self.jobs.len() > KEPT {
            self.jobs.pop_front();
        }
    }

    pub(super) fn newest(&self) -> Option<&Notify> {
        self.jobs.back().map(|job| &job.notify)
    }

    pub(super) fn find(&self, job_id: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.notify.job_id == job_id)
    }

    fn make(&self, clean: bool) -> Notify {
        let mut random = stream(self.seed, JOBS + self.made);
        let (coinb1, coinb2) = self.coinbase(&mut random);
        let branches = (0..self.branches).map(|_| draw_32(&mut random)).collect();
        Notify {
            job_id: format!(
                "{:08x}{:08x}",
                stream(self.seed, JOBS).next_u32(),
                self.made
            ),
            prev_hash: previous_hash(self.seed, self.height),
            coinb1,
            coinb2,
            branches,
            version: 0x2000_0000,
            nbits: self.nbits,
            ntime: unix_seconds(),
            clean,
        }
    }

    /// Both halves of a coinbase as real pools build it. The pushed data before
    /// the extranonce varies in length from job to job, as ckpool's does.
    fn coinbase(&self, random: &mut ChaCha8Rng) -> (Vec<u8>, Vec<u8>) {
        let mut push = vec![3];
        push.extend_from_slice(&(850_000 + self.height).to_le_bytes()[..3]);
        let extra = 4 + usize::from(random.next_u32() as u8 % 8);
        push.push(extra as u8);
        push.extend(std::iter::repeat_with(|| random.next_u32() as u8).take(extra));
        let mark = format!("/{:.16}/", self.name);
        let script_length = push.len() + self.extranonce_bytes + mark.len();

        let mut coinb1 = vec![2, 0, 0, 0, 1];
        coinb1.extend_from_slice(&[0; 32]);
        coinb1.extend_from_slice(&[0xff; 4]);
        coinb1.push(script_length as u8);
        coinb1.extend_from_slice(&push);

        let mut coinb2 = mark.into_bytes();
        coinb2.extend_from_slice(&[0xff; 4]);
        coinb2.push(2);
        coinb2.extend_from_slice(&312_500_000u64.to_le_bytes());
        coinb2.extend_from_slice(&[22, 0, 20]);
        coinb2.extend_from_slice(&draw_32(&mut stream(self.seed, 0))[..20]);
        coinb2.extend_from_slice(&0u64.to_le_bytes());
        coinb2.extend_from_slice(&[38, 0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed]);
        coinb2.extend_from_slice(&draw_32(random));
        coinb2.extend_from_slice(&[0; 4]);
        (coinb1, coinb2)
    }
}

/// The extranonce1 of the `number`th connection.
pub(super) fn extranonce1(config: &PoolConfig, number: u64) -> Vec<u8> {
    let base = stream(config.seed, EXTRANONCES).next_u64();
    let bytes = base.wrapping_add(number).to_be_bytes();
    bytes[8 - config.extranonce1_bytes.clamp(1, 8)..].to_vec()
}

fn previous_hash(seed: u64, height: u64) -> Hash {
    let mut hash = draw_32(&mut stream(seed, BLOCKS + height));
    hash[28..].fill(0);
    hash
}

fn stream(seed: u64, number: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(number);
    random
}

fn draw_32(random: &mut ChaCha8Rng) -> Hash {
    let mut hash = [0; 32];
    random.fill_bytes(&mut hash);
    hash
}

fn unix_seconds() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u32::try_from(now.as_secs()).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(seed: u64) -> JobSource {
        JobSource::new(&PoolConfig {
            seed,
            ..PoolConfig::default()
        })
    }

    fn timeless(source: &JobSource) -> Notify {
        let mut notify = source.newest().unwrap().clone();
        notify.ntime = 0;
        notify
    }

    #[test]
    fn a_seed_decides_everything_but_the_time() {
        let (mut one, mut same, mut other) = (source(7), source(7), source(8));
        for clean in [false, true, false] {
            for source in [&mut one, &mut same, &mut other] {
                source.advance(clean);
            }
            assert_eq!(timeless(&one), timeless(&same));
            assert_ne!(timeless(&one).prev_hash, timeless(&other).prev_hash);
            assert_ne!(timeless(&one).coinb1, timeless(&other).coinb1);
        }
        let config = PoolConfig::default();
        assert_eq!(extranonce1(&config, 3), extranonce1(&config, 3));
        assert_ne!(extranonce1(&config, 3), extranonce1(&config, 4));
        assert_eq!(extranonce1(&config, 3).len(), 4);
    }

    #[test]
    fn a_clean_job_makes_the_others_stale() {
        let mut source = source(1);
        let first = source.newest().unwrap().job_id.clone();
        source.advance(false);
        assert!(!source.find(&first).unwrap().stale);
        source.advance(true);
        assert!(source.find(&first).unwrap().stale);
        for _ in 0..KEPT {
            source.advance(false);
        }
        assert!(source.find(&first).is_none());
    }

    #[test]
    fn the_length_of_coinb1_changes_between_jobs() {
        let mut source = source(1);
        let lengths: std::collections::BTreeSet<_> = (0..20)
            .map(|_| {
                source.advance(false);
                source.newest().unwrap().coinb1.len()
            })
            .collect();
        assert!(lengths.len() > 3, "{lengths:?}");
    }
}
