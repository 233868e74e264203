//! One test for each rule of real miners' and pools' behaviour that a proxy must
//! not break. The names say the rules.

mod dialect;
mod miner;
mod pool;
mod shares;
#[path = "../support/mod.rs"]
mod support;
