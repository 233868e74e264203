//! One algorithm's tasks, around the core's [`smart_mining_core::lane::Lane`].
//!
//! | task | file | owns | told through |
//! |---|---|---|---|
//! | lane | `task` | route, job board | `LinkReport`s, snapshots, groups |
//! | link, one a pool connection | `link` | socket and session of a pool | [`Delivery`]s |
//! | listener | `listener` | the port, the seats | - |
//! | miner, one a connection | `miner` | socket and session of a miner | the board, verdicts |
//!
//! The newest board is a `watch`: a slow miner skips to it and delays nobody.
//! Shares and verdicts are bounded queues that are tried, never waited for:
//! a full one is an immediate honest error to the miner. Ending a miner's task
//! loses at most the answers to its own shares; ending a link's task answers
//! every share in flight as unknown first.

mod connect;
mod link;
mod listener;
mod miner;
mod socket;
mod task;

pub use listener::{Bound, bind};
pub(crate) use socket::prepare;
pub use task::{LaneView, Started, Surroundings, start};

use smart_mining_core::share::{Board, LinkId, Submit, Verdict, WorkerName};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Verdicts that wait to be written to one miner.
const VERDICTS: usize = 32;
/// Shares that wait to be written to one pool.
const SHARES: usize = 1024;

/// A number that the process before us will hardly have used: miners remember
/// job and session ids over a reconnect.
fn random() -> u32 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    // The standard library seeds it from the system; no secret depends on it.
    let hasher = RandomState::new().build_hasher();
    (hasher.finish() >> 32) as u32
}

/// What a miner hands to a link.
#[derive(Debug)]
pub(crate) enum Delivery {
    Share {
        submit: Submit,
        reply: mpsc::Sender<(u32, Verdict)>,
    },
    /// A worker that will send shares soon.
    Introduce(WorkerName),
}

#[derive(Clone, Debug)]
pub(crate) struct LinkHandle {
    pub pool: Arc<str>,
    pub deliveries: mpsc::Sender<Delivery>,
}

/// What every miner of the lane sees.
#[derive(Clone, Debug, Default)]
pub(crate) struct Published {
    pub board: Arc<Board>,
    pub links: Arc<BTreeMap<LinkId, LinkHandle>>,
}
