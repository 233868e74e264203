//! Miners that left, kept so that a person sees who is missing.
//!
//! ```text
//!   connected --leaves, has a name--> left --settle--> offline --settle--> connected
//!                                       |                 |      the same algorithm, address and
//!                                       '- too many ------'      worker: its counts go on
//!                                          the oldest are forgotten
//! ```
//! Who leaves is only put on a list, so that a shed that loses its power costs the
//! listener nothing. The rest is done when somebody looks.

use super::{Miner, lock};
use smart_mining_core::share::WorkerName;
use smart_mining_core::{Algorithm, Instant};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

/// More than any farm has; 9 MB when all are kept.
pub const KEPT: usize = 10_000;

pub(super) type Identity = (Algorithm, IpAddr, WorkerName);

#[derive(Debug)]
pub(super) struct Offline {
    /// Since the last settling, the oldest first.
    left: Mutex<Vec<Left>>,
    kept: Mutex<HashMap<Identity, Left>>,
}

#[derive(Clone, Debug)]
pub(super) struct Left {
    pub miner: Arc<Miner>,
    pub at: Instant,
}

impl Offline {
    pub fn new() -> Self {
        Self {
            left: Mutex::new(Vec::new()),
            kept: Mutex::new(HashMap::new()),
        }
    }

    /// Beyond what could be kept nobody is listed: one that comes and goes thousands
    /// of times between two looks is known by then.
    pub fn leave(&self, miner: Arc<Miner>, at: Instant) {
        let mut left = lock(&self.left);
        if left.len() < KEPT {
            left.push(Left { miner, at });
        }
    }

    /// Give those that came back what they had done before.
    pub fn settle(&self, connected: &[Arc<Miner>]) {
        let mut kept = lock(&self.kept);
        let left = std::mem::take(&mut *lock(&self.left));
        for left in left {
            let Some(identity) = left.miner.identity() else {
                continue;
            };
            if let Some(before) = kept.remove(&identity) {
                left.miner.inherit(&before.miner);
            }
            kept.insert(identity, left);
        }
        if kept.is_empty() {
            return;
        }
        for miner in connected {
            let before = miner.identity().and_then(|it| kept.remove(&it));
            if let Some(before) = before {
                miner.inherit(&before.miner);
            }
        }
        forget(&mut kept);
    }

    /// The last that left first.
    pub fn kept(&self) -> Vec<Left> {
        let mut all: Vec<Left> = lock(&self.kept).values().cloned().collect();
        all.sort_by_key(|left| std::cmp::Reverse(left.at));
        all
    }

    pub fn count(&self, algorithm: Algorithm) -> usize {
        let kept = lock(&self.kept);
        kept.keys().filter(|(of, ..)| *of == algorithm).count()
    }
}

/// The oldest, until few enough are kept.
fn forget(kept: &mut HashMap<Identity, Left>) {
    let Some(too_many @ 1..) = kept.len().checked_sub(KEPT) else {
        return;
    };
    let mut ages: Vec<Instant> = kept.values().map(|left| left.at).collect();
    let (_, last, _) = ages.select_nth_unstable(too_many - 1);
    let last = *last;
    let mut room = too_many;
    kept.retain(|_, left| {
        let goes = left.at <= last && room > 0;
        room -= usize::from(goes);
        !goes
    });
}
