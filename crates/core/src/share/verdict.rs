//! A share on its way to the pool, and the answer that comes back.

use super::Job;
use alloc::sync::Arc;
use heapless::String;

/// Error codes that bitcoin-style miners know.
pub mod code {
    pub const OTHER: u16 = 20;
    pub const STALE: u16 = 21;
    pub const DUPLICATE: u16 = 22;
    pub const LOW_DIFFICULTY: u16 = 23;
    pub const UNAUTHORIZED: u16 = 24;
    pub const NOT_SUBSCRIBED: u16 = 25;
}

/// Avalon cuts names at 63 characters; nobody needs more.
pub type WorkerName = String<63, u8>;

/// A share that passed the local check and that the pool has to judge.
#[derive(Clone, Debug)]
pub struct Submit {
    /// Chosen by whoever sends it; comes back with the verdict.
    pub token: super::Token,
    pub worker: WorkerName,
    pub job: Arc<Job>,
    /// As the pool sees it, see [`super::Split::extranonce2`].
    pub extranonce2: heapless::Vec<u8, 16, u8>,
    pub ntime: u32,
    pub nonce: u32,
    /// Only where the pool agreed to version rolling.
    pub version_bits: Option<u32>,
}

/// What became of a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The pool itself said so. Nothing else may produce this.
    Accepted,
    Rejected(Reject),
    /// The pool never answered. The share may or may not count.
    Unknown(&'static str),
    /// It never left the appliance, so no pool can have counted it.
    Unsent(&'static str),
}

/// A refusal with the code and the words for the miner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    pub code: u16,
    pub text: String<64, u8>,
}

impl Reject {
    pub fn new(code: u16, text: &str) -> Self {
        let mut short = String::new();
        for character in text.chars() {
            // Quotes, backslashes and control characters are replaced: several
            // firmwares echo or print this text without care.
            let safe = match character {
                '"' | '\\' => '\'',
                c if c.is_control() => ' ',
                c => c,
            };
            if short.push(safe).is_err() {
                break;
            }
        }
        Self { code, text: short }
    }
}
