//! What kind of pool to be.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::pow::Algorithm;

/// How the pool treats a second worker name on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PerWorkerAuthorize {
    /// Every name is authorized and submits under its own name.
    #[default]
    Accept,
    /// Authorized, but a share must carry the first name (ckpool's habit).
    AcceptButShareMustCarryFirst,
    /// Answered `false`.
    Refuse,
    /// Never answered.
    Silent,
}

/// When a connection gets its first difficulty and job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FirstJob {
    /// Before the answer to `mining.subscribe`.
    BeforeSubscribeAnswer,
    /// After that answer, without waiting for `mining.authorize` (ckpool).
    AfterSubscribe,
    /// After the answer to `mining.authorize` (public-pool).
    #[default]
    AfterAuthorize,
}

/// Which logins the pool knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Logins {
    #[default]
    Any,
    /// Only `account` and `account.worker`.
    Account(String),
}

/// A pool's character; `..PoolConfig::default()` fills in the usual one.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    pub name: String,
    pub algorithm: Algorithm,
    /// Extranonces, previous hashes, coinbases and branches follow from it.
    pub seed: u64,
    /// Port 0: any free port.
    pub bind: SocketAddr,
    /// 1 to 8.
    pub extranonce1_bytes: usize,
    /// 1 to 16; most pools give 8, public-pool 4.
    pub extranonce2_size: usize,
    /// The start difficulty of a connection.
    pub difficulty: f64,
    /// Aim at one share per connection in this time; `None`: fixed difficulty.
    pub vardiff: Option<Duration>,
    /// A fresh job without clean_jobs this often.
    pub job_interval: Duration,
    /// A new block (clean job) this often; `None`: only on demand.
    pub block_interval: Option<Duration>,
    /// Merkle branches of a job.
    pub branches: usize,
    /// Bits that may be rolled; 0: no version rolling.
    pub version_mask: u32,
    /// The block target of jobs.
    pub nbits: u32,
    /// A found block ends the round with a clean job.
    pub block_ends_round: bool,
    pub logins: Logins,
    pub per_worker_authorize: PerWorkerAuthorize,
    pub first_job: FirstJob,
    /// `mining.subscribe [agent, session]` gives the same extranonce1 again.
    pub session_resume: bool,
    /// A rejection is `result: false` or `result: null`; both occur.
    pub reject_with_false: bool,
    /// Methods the pool does not answer, and drops the client for (some do).
    pub drops_on: Vec<String>,
    /// Accepted shares kept in the books one by one; older ones are forgotten.
    pub keep_shares: usize,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            name: "pool".to_owned(),
            algorithm: Algorithm::Sha256d,
            seed: 1,
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            extranonce1_bytes: 4,
            extranonce2_size: 8,
            // About 430 hashes a share: several a second from a slow simulated miner.
            difficulty: 1e-7,
            vardiff: None,
            job_interval: Duration::from_secs(20),
            block_interval: None,
            branches: 3,
            version_mask: 0x1fff_e000,
            nbits: 0x1d00_ffff,
            block_ends_round: false,
            logins: Logins::Any,
            per_worker_authorize: PerWorkerAuthorize::Accept,
            first_job: FirstJob::AfterAuthorize,
            session_resume: true,
            reject_with_false: false,
            drops_on: Vec::new(),
            keep_shares: 1_000_000,
        }
    }
}

impl PoolConfig {
    /// The default for an algorithm: scrypt hashes cost a thousand times more.
    #[must_use]
    pub fn new(name: &str, algorithm: Algorithm, seed: u64) -> Self {
        let difficulty = match algorithm {
            Algorithm::Sha256d => 1e-7,
            Algorithm::Scrypt => 1.5e-4,
        };
        Self {
            name: name.to_owned(),
            algorithm,
            seed,
            difficulty,
            ..Self::default()
        }
    }
}
