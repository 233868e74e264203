//! Which miner to be.

use std::net::SocketAddr;
use std::time::Duration;

use crate::pow::Algorithm;

/// The habits of a family of firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Personality {
    /// pooler's cpuminer: subscribe, then authorize; every submit has id 4;
    /// sends its old session id when it reconnects; no `mining.set_extranonce`.
    Minerd,
    /// ESP-Miner: configure, subscribe and authorize in one write; version
    /// rolling; ignores a job id that it knows unless clean_jobs is true.
    Bitaxe,
    /// cgminer: no `mining.set_extranonce`, refuses an extranonce2 above 8
    /// bytes, gives up on a pool after 90 s without a line.
    Cgminer,
}

impl Personality {
    /// What `mining.subscribe` says.
    #[must_use]
    pub fn agent(self) -> &'static str {
        match self {
            Self::Minerd => "cpuminer/2.5.1",
            Self::Bitaxe => "bitaxe/BM1370/v2.9.0",
            Self::Cgminer => "cgminer/4.11.1",
        }
    }

    /// A pool that sends no line for this long is given up.
    #[must_use]
    pub fn patience(self) -> Duration {
        Duration::from_secs(match self {
            Self::Minerd => 120,
            Self::Bitaxe => 180,
            Self::Cgminer => 90,
        })
    }

    /// How long it waits for the answers of its handshake.
    #[must_use]
    pub fn handshake_patience(self) -> Duration {
        Duration::from_secs(match self {
            Self::Minerd => 30,
            Self::Bitaxe => 5,
            Self::Cgminer => 15,
        })
    }
}

/// A miner; `..MinerConfig::new(..)` fills in the usual values.
#[derive(Debug, Clone)]
pub struct MinerConfig {
    pub pool: SocketAddr,
    /// `account.worker`.
    pub name: String,
    pub password: String,
    pub algorithm: Algorithm,
    pub personality: Personality,
    /// `None`: the personality's own.
    pub agent: Option<String>,
    /// Hashes per second, really made.
    pub hashrate: f64,
    /// Where its nonces start.
    pub seed: u64,
    /// Sent by a Bitaxe after its handshake.
    pub suggest_difficulty: Option<f64>,
    /// First and longest wait before it connects again.
    pub backoff: (Duration, Duration),
    /// How long it does without a line; `None`: the personality's own.
    pub patience: Option<Duration>,
    /// Accepted shares kept one by one; older ones are forgotten.
    pub keep_shares: usize,
}

impl MinerConfig {
    /// A miner slow enough to run by the dozen: about five shares a second at
    /// the difficulty that simulated pools start with.
    #[must_use]
    pub fn new(
        pool: SocketAddr,
        name: &str,
        personality: Personality,
        algorithm: Algorithm,
    ) -> Self {
        let hashrate = match algorithm {
            Algorithm::Sha256d => 2_000.0,
            Algorithm::Scrypt => 50.0,
        };
        // Miners of different names search in different places.
        let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self {
            pool,
            name: name.to_owned(),
            password: "x".to_owned(),
            algorithm,
            personality,
            agent: None,
            hashrate,
            seed,
            suggest_difficulty: None,
            backoff: (Duration::from_millis(100), Duration::from_secs(5)),
            patience: None,
            keep_shares: 1_000_000,
        }
    }
}
