//! Central: it ranks coins and pools, signs the ranking and hands it to the farms.
//!
//! Two binaries share this library and nothing but the database and the wire
//! contract connects them:
//!
//! - `smart-mining-aggregator` writes: it fills the tables ([`dataset`],
//!   [`import`]) and publishes a signed snapshot ([`publish`]). It alone holds
//!   the secret key ([`keyfile`]), so a compromised API cannot forge a ranking.
//! - `smart-mining-api` reads: it serves the newest snapshot from memory
//!   ([`api`]) and keeps the list of farms ([`farms`]). Replicas share no state
//!   but the database, so any number of them may run.
//!
//! [`db`] connects and migrates, [`migrations`] is the schema.
//!
//! What the outside world says is read by [`source`] within each host's budget
//! ([`transport`]) and shown by [`ask`]; [`profit`] is the arithmetic on it. The
//! ranking does not rest on these yet: it comes from imported files.

pub mod aggregator;
pub mod api;
pub mod ask;
pub mod cli;
pub mod collect;
pub mod dataset;
pub mod db;
pub mod farms;
pub mod history;
pub mod import;
pub mod keyfile;
pub mod merge;
pub mod migrations;
pub mod profit;
pub mod publish;
pub mod ranking;
pub mod source;
#[cfg(feature = "test-support")]
pub mod testing;
pub mod transport;
