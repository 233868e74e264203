//! The bitcoin-style Stratum V1 dialect.
//!
//! - [`miner`]: our side toward one miner.
//! - [`pool`]: our side toward one pool.
//! - [`message`]: lines in and out, shared by both; [`reply`]: how pools word a verdict.

pub mod message;
pub mod miner;
pub mod pool;
pub mod reply;

pub use miner::{Credentials, Judge, Judged, MinerSession, Outcome, Share, Step, conclude};
pub use pool::{Failure, Login, Opening, PoolEvent, PoolSession};
