//! Which miner has which connection to itself, where a pool has no room for more
//! than one miner on each.
//!
//! ```text
//!            place                release
//!   free ------------> taken --------------> used: its next miner waits
//!     ^                                        for the next job
//!     `------------- the next job -------------'
//! ```
//!
//! A miner begins each connection at its first extranonce2. Two that worked on the
//! same job of the same link would find the same shares.

use super::{Board, JobId, LinkId};
use alloc::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct Dedicated {
    links: BTreeMap<LinkId, Use>,
    /// Nothing was free since the board or the crowd last changed.
    is_full: bool,
}

#[derive(Debug, Default)]
struct Use {
    holder: Option<usize>,
    /// What the miner before was shown.
    spent: Option<JobId>,
}

/// A miner's own connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Berth {
    pub link: LinkId,
    /// A job that another miner worked on there.
    pub spent: Option<JobId>,
}

impl Dedicated {
    pub const fn new() -> Self {
        Self {
            links: BTreeMap::new(),
            is_full: false,
        }
    }

    /// Before anybody is placed on a new board.
    pub fn renew(&mut self, board: &Board) {
        self.is_full = false;
        self.links
            .retain(|link, _| board.dedicated_slot(*link).is_some());
    }

    /// The link of this miner, which had `held` before: one with work that nobody
    /// did yet, if there is one. `None`: none is free.
    pub fn place(&mut self, board: &Board, miner: usize, held: Option<LinkId>) -> Option<Berth> {
        if let Some(link) = held
            && let Some(known) = self.links.get(&link)
            && known.holder == Some(miner)
        {
            let spent = known.spent;
            return Some(Berth { link, spent });
        }
        if self.is_full {
            return None;
        }
        let free = board.dedicated().filter_map(|(link, slot)| {
            let current = slot.job.as_ref()?.id;
            let (holder, spent) =
                (self.links.get(&link)).map_or((None, None), |known| (known.holder, known.spent));
            holder
                .is_none()
                .then_some((spent == Some(current), link, spent))
        });
        let Some((_, link, spent)) = free.min() else {
            self.is_full = true;
            return None;
        };
        self.links.entry(link).or_default().holder = Some(miner);
        Some(Berth { link, spent })
    }

    /// The miner is gone; `last` is the job that it was shown.
    pub fn release(&mut self, link: LinkId, miner: usize, last: Option<JobId>) {
        if let Some(known) = self.links.get_mut(&link)
            && known.holder == Some(miner)
        {
            self.is_full = false;
            known.holder = None;
            known.spent = last.or(known.spent);
        }
    }
}
