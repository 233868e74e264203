//! Which pool the miners work for.
//!
//! - [`gate`]: which snapshots are believed.
//! - [`candidate`]: a snapshot and the farm's own rules make a ranked list.
//! - [`health`]: one candidate's connection: when to try, when to give up.
//! - [`router`]: the route, and why it changes.

pub mod candidate;
pub mod gate;
pub mod health;
pub mod router;

pub use candidate::{Account, AccountFor, Candidate, FarmRules, Skipped, StaticPool};
pub use gate::{Gate, Refusal};
pub use health::Health;
pub use router::{Choice, Decision, Policy, Router, Rule, Standing};
