//! One test for each rule of real miners' and pools' behaviour that a proxy must
//! not break. The names say the rules.

mod dialect;
mod difficulty;
mod miner;
mod narrow;
mod pool;
mod resume;
mod shares;
mod silence;
#[path = "../support/mod.rs"]
mod support;
