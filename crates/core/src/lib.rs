//! The pure core of the appliance.
//!
//! Nothing in here opens a socket, reads a clock, touches a file, spawns or
//! waits. Each state machine takes a line, an event or a tick together with
//! `now`, and answers with bytes to send, what to do, and the moment at which
//! it wants to be asked again. So a day of a farm's life runs in a test in
//! milliseconds, and a fault is a list of inputs that can be replayed.
//!
//! - [`share`]: what is hashed: algorithms, difficulty, extranonce, jobs, checks.
//! - [`sv1`]: the bitcoin-style Stratum V1 dialect, toward miners and toward pools.
//! - [`route`]: which pool: candidates, health, the router, the snapshot gate.
//! - [`attempts`]: who guesses passwords, and how long that address has to wait.
//! - [`lane`]: one algorithm of the farm: ties pools, route and job board together.
//!
//! A miner's session and a pool's session do not know each other. They meet in
//! [`share::Job`] and [`share::Submit`].
#![no_std]
extern crate alloc;

pub mod attempts;
pub mod hex;
pub mod lane;
pub mod line;
pub mod route;
pub mod share;
pub mod sv1;

pub use embassy_time::{Duration, Instant};
pub use smart_mining_wire::{Algorithm, PoolUrl};
