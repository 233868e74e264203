//! One algorithm's tasks, around the core's [`smart_mining_core::lane::Lane`].
//!
//! | task | file | owns | told through |
//! |---|---|---|---|
//! | lane | `task` | route, job board | [`LinkReport`]s, snapshots, groups |
//! | link, one a pool connection | `link` | socket and session of a pool | [`Delivery`]s |
//! | listener, a thread | `crate::listener` | the port, the miners | its inbox |
//!
//! Shares are a bounded queue that is tried, never waited for: a full one is an
//! immediate honest error to the miner. Ending a link's task answers every share
//! in flight as unknown first, and those that wait as lost.
//!
//! [`LinkReport`]: link::LinkReport
//! [`Delivery`]: crate::listener::Delivery

mod connect;
mod link;
mod task;

pub(crate) use connect::reach;
pub use task::{DecisionView, LaneView, Started, Surroundings, start};

/// A number that the process before us will hardly have used: miners remember
/// job and session ids over a reconnect.
fn random() -> u32 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    // The standard library seeds it from the system; no secret depends on it.
    let hasher = RandomState::new().build_hasher();
    (hasher.finish() >> 32) as u32
}
