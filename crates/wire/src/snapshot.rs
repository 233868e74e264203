//! One ranking of (coin, pool) pairs for every algorithm, as central saw it at one moment.

use crate::{Algorithm, PoolUrl};
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The only payload version this build writes and reads.
pub const VERSION: u32 = 1;
/// More rows than any real ranking has; a bound on what an appliance must hold.
pub const MAX_ENTRIES: usize = 512;
/// Bytes of one payload; the transport refuses more before it parses.
pub const MAX_PAYLOAD: usize = 512 * 1024;
const MAX_NAME: usize = 63;

/// Unknown members are tolerated, so that an older appliance can read a newer central.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub version: u32,
    /// Grows with each publication and never repeats, also over a restored database.
    pub sequence: u64,
    /// Unix seconds on central's clock.
    pub created_at: u64,
    pub entries: Vec<Entry>,
}

/// What one coin pays on one pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Our own coin id, upper case ("BTC").
    pub coin: String,
    pub algorithm: Algorithm,
    pub pool: PoolOffer,
    /// USD for one hash per second kept up for a day, before the pool's fee.
    pub usd_per_hash_day: f64,
    /// Margin of error of that figure as a fraction (0.02 = 2 %).
    #[serde(default)]
    pub margin: f64,
}

/// Where and on what terms a pool takes shares. It never says who is paid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolOffer {
    pub id: String,
    /// `stratum+tcp://host:port` or `stratum+ssl://host:port`.
    pub url: String,
    /// The pool's fee as a fraction (0.01 = 1 %).
    #[serde(default)]
    pub fee: f64,
    /// Payment scheme, upper case ("PPLNS", "FPPS", "SOLO").
    #[serde(default)]
    pub scheme: String,
}

/// Why a payload cannot be used. The text names the value.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SnapshotError {
    #[error("payload is not a snapshot: {0}")]
    Malformed(String),
    #[error("snapshot version {0} is not known to this build, which reads version {VERSION}")]
    Version(u32),
    #[error("snapshot has no entries")]
    Empty,
    #[error("snapshot has {0} entries, more than the limit of {MAX_ENTRIES}")]
    TooMany(usize),
    #[error("entry {index} ({coin} on {pool}): {what}")]
    Entry {
        index: usize,
        coin: String,
        pool: String,
        what: &'static str,
    },
}

impl Snapshot {
    /// The exact bytes that are signed and stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Serialising a struct of strings and finite numbers cannot fail;
        // non-finite numbers become `null`, which `parse` refuses.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Parse and check a payload. Every value that routing relies on is bounded here.
    pub fn parse(bytes: &[u8]) -> Result<Self, SnapshotError> {
        /// Read first, so that a future version is named as such and not as a syntax error.
        #[derive(Deserialize)]
        struct Head {
            version: u32,
        }
        let malformed = |error: serde_json::Error| {
            SnapshotError::Malformed(alloc::string::ToString::to_string(&error))
        };
        let head: Head = serde_json::from_slice(bytes).map_err(malformed)?;
        if head.version != VERSION {
            return Err(SnapshotError::Version(head.version));
        }
        let snapshot: Self = serde_json::from_slice(bytes).map_err(malformed)?;
        snapshot.check()?;
        Ok(snapshot)
    }

    fn check(&self) -> Result<(), SnapshotError> {
        if self.entries.is_empty() {
            return Err(SnapshotError::Empty);
        }
        if self.entries.len() > MAX_ENTRIES {
            return Err(SnapshotError::TooMany(self.entries.len()));
        }
        let mut seen = BTreeSet::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let fault = |what| SnapshotError::Entry {
                index,
                coin: entry.coin.chars().take(MAX_NAME).collect(),
                pool: entry.pool.id.chars().take(MAX_NAME).collect(),
                what,
            };
            entry.check().map_err(fault)?;
            if !seen.insert((entry.algorithm, &entry.coin, &entry.pool.id)) {
                return Err(fault("stands twice"));
            }
        }
        Ok(())
    }
}

impl Entry {
    fn check(&self) -> Result<(), &'static str> {
        if !is_name(&self.coin) {
            return Err("coin id must be 1 to 63 characters of A-Z a-z 0-9 . _ -");
        }
        if !is_name(&self.pool.id) {
            return Err("pool id must be 1 to 63 characters of A-Z a-z 0-9 . _ -");
        }
        if self.pool.url.parse::<PoolUrl>().is_err() {
            return Err("pool url must be stratum+tcp://host:port or stratum+ssl://host:port");
        }
        if !(self.usd_per_hash_day.is_finite() && self.usd_per_hash_day > 0.0) {
            return Err("usd_per_hash_day must be a positive number");
        }
        if !(0.0..1.0).contains(&self.pool.fee) {
            return Err("pool fee must be a fraction from 0 up to, not including, 1");
        }
        if !(0.0..=1.0).contains(&self.margin) {
            return Err("margin must be a fraction from 0 to 1");
        }
        Ok(())
    }
}

/// Names go into logs, file names and the page: printable ASCII without surprises.
pub fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_NAME
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}
