//! Simulated pools, miners and WAN.
//!
//! The whole-system tests and the demo need a farm on one machine: pools that
//! judge shares by really hashing them, miners that behave like the firmware
//! nobody can change, and a WAN that can be cut. Nothing here shares code with
//! the product: both sides hash and parse on their own, so that one error
//! cannot hide another.
//!
//! - [`pool`]: a Stratum V1 pool with books that are the truth, and controls
//!   that make it misbehave
//! - [`miner`]: miners with the habits of real firmware
//! - [`wan`]: a TCP relay that can be cut, delayed and restored
//! - [`raw`]: a scripted client for tests that speak line by line
//! - [`pow`], [`work`]: hashing and job arithmetic, checked against real blocks

mod door;
pub mod hex;
mod lines;
pub mod miner;
pub mod pool;
pub mod pow;
pub mod raw;
mod sync;
pub mod wan;
pub mod work;
