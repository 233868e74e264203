//! Which pool the miners work for.
//!
//! - [`gate`]: which snapshots are believed.
//! - [`candidate`]: a snapshot and the farm's own rules make a ranked list.
//! - [`health`]: one candidate's connection: when to try, when to give up.
//! - [`wishes`]: what the operator pinned and excluded.
//! - [`router`]: the route, and why it changes.

pub mod candidate;
pub mod gate;
pub mod health;
pub mod router;
pub mod wishes;

pub use candidate::{Account, AccountFor, Candidate, FarmRules, Skipped, StaticPool};
pub use gate::{Gate, Refusal};
pub use health::Health;
pub use router::{Choice, Decision, Policy, Router, Rule, Standing};
pub use wishes::{Exclusion, LONGEST_PIN, MOST_EXCLUDED, Pin, Wishes};
