//! Central: it ranks coins and pools, signs the ranking and hands it to the farms.
//!
//! Two binaries share this library and nothing but the database and the wire
//! contract connects them:
//!
//! - `smart-mining-aggregator` writes. It asks the sources ([`source`], [`collect`]
//!   within each host's budget, [`transport`]), makes one picture of what they say
//!   ([`merge`]), ranks what the pools offer ([`ranking`], by the arithmetic of
//!   [`profit`]) and publishes ([`aggregator`]); or takes a ranking from a file
//!   ([`dataset`], [`import`]). It alone holds the secret key ([`keyfile`]), so a
//!   compromised API cannot forge a ranking ([`publish`]).
//! - `smart-mining-api` reads: it serves the newest snapshot from memory
//!   ([`api`]) and keeps the list of farms ([`farms`]). Replicas share no state
//!   but the database, so any number of them may run.
//!
//! [`db`] connects and migrates, [`migrations`] is the schema, [`history`] what is
//! kept of former rankings; [`ask`] shows what one source says.

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
