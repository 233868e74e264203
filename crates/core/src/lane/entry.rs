//! One candidate and its connections.
//!
//! Most pools are one connection for the whole farm. Where a pool's extranonce2
//! is too short to tell groups apart, each group of 256 miners has a connection
//! of its own, and where it is shorter still, each miner: the first one is the
//! entry's, the others are its sides. Whether the pool is usable is what the first
//! one says. Where all are alike another takes its place when it is lost.

use crate::Instant;
use crate::route::{Candidate, Health};
use crate::share::{Job, LinkId, Place, Room, Terms};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// More connections than that no pool will take from one address.
pub const MAX_DEDICATED: usize = 1024;

/// Who is there to be served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crowd {
    /// Groups of 256 miners, up to the highest in use.
    pub groups: usize,
    pub miners: usize,
    /// How often somebody came or went: then a connection has another miner.
    pub moves: u64,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub candidate: Candidate,
    pub main: Side,
    /// Of group 1 and on, or of each further miner.
    pub sides: Vec<Side>,
    pub last_failure: Option<String>,
    /// What the first connection told when it was last up.
    room: Option<Room>,
}

/// One connection, and the newest work that came on it.
#[derive(Clone, Debug)]
pub(super) struct Side {
    pub health: Health,
    pub terms: Option<Terms>,
    /// What was handed out of it last.
    pub handed: Option<Arc<Job>>,
}

impl Side {
    const fn new() -> Self {
        Self {
            health: Health::Resting,
            terms: None,
            handed: None,
        }
    }

    /// Its work, if there is something to hand out.
    pub fn offer(&self) -> Option<&Terms> {
        self.health.ready_since()?;
        self.terms.as_ref()
    }
}

impl Entry {
    pub const fn new(candidate: Candidate) -> Self {
        Self {
            candidate,
            main: Side::new(),
            sides: Vec::new(),
            last_failure: None,
            room: None,
        }
    }

    pub fn connections(&self) -> impl Iterator<Item = &Side> {
        core::iter::once(&self.main).chain(&self.sides)
    }

    pub fn links(&self) -> impl Iterator<Item = LinkId> {
        self.connections().filter_map(|side| side.health.link())
    }

    pub fn has(&self, link: LinkId) -> bool {
        self.links().any(|own| own == link)
    }

    /// The connection with this link.
    pub fn side(&mut self, link: LinkId) -> Option<&mut Side> {
        let mut all = core::iter::once(&mut self.main).chain(&mut self.sides);
        all.find(|side| side.health.link() == Some(link))
    }

    /// How many miners each connection has room for, as far as the first one tells.
    pub const fn room(&self) -> Option<Room> {
        self.room
    }

    /// As many sides as the crowd needs; answers with links that are of no more
    /// use. While the first connection is down nothing changes, but for those that a
    /// stand-by has no use for.
    pub fn fit(&mut self, crowd: Crowd, is_route: bool) -> Vec<LinkId> {
        let is_left = self.room == Some(Room::Miner) && !is_route;
        if self.main.terms.is_none() && !is_left {
            return Vec::new();
        }
        let wanted = match self.room {
            None => return Vec::new(),
            Some(Room::Farm) => 0,
            Some(Room::Group) => crowd.groups.clamp(1, 256) - 1,
            // One to spare, for a miner that comes. A stand-by has no use for them:
            // pools let go whoever sends no shares.
            Some(Room::Miner) if is_route => crowd.miners.min(MAX_DEDICATED - 1),
            Some(Room::Miner) => 0,
        };
        let dropped = match self.room {
            // Which of them has a miner is not known here: one that failed serves none
            // for now, and is not opened again.
            Some(Room::Miner) if is_route => self.without_failed(wanted),
            _ => self.sides.drain(wanted.min(self.sides.len())..).collect(),
        };
        self.sides
            .resize_with(wanted.max(self.sides.len()), Side::new);
        let links = dropped.iter().filter_map(|side| side.health.link());
        links.collect()
    }

    /// Take out what is down, as far as there are more sides than wanted.
    fn without_failed(&mut self, wanted: usize) -> Vec<Side> {
        let mut surplus = self.sides.len().saturating_sub(wanted);
        let down = self.sides.extract_if(.., |side| {
            let is_down = matches!(side.health, Health::Down { .. }) && surplus > 0;
            surplus -= usize::from(is_down);
            is_down
        });
        down.collect()
    }

    /// The first connection is lost: if there are others like it one of those is the
    /// first now.
    pub fn promote(&mut self, lost: LinkId) {
        if self.room != Some(Room::Miner) || self.main.health.link() != Some(lost) {
            return;
        }
        let mut sides = self.sides.iter_mut();
        if let Some(other) = sides.find(|side| side.offer().is_some()) {
            core::mem::swap(&mut self.main, other);
        }
    }

    /// Give all connections up; answers with their links.
    pub fn let_go(&mut self) -> Vec<LinkId> {
        let links = self.links().collect();
        self.main.health = self.main.health.let_go();
        self.main.terms = None;
        self.sides.clear();
        self.room = None;
        links
    }

    /// Hurry on: no pool at all is usable.
    pub fn hurry(&mut self, now: Instant) {
        self.main.health = self.main.health.hurry(now);
    }

    /// Work came on this link. A pool that is back is back for every group.
    pub fn has_work(&mut self, link: LinkId, terms: Terms, now: Instant) {
        let was_ready = self.is_ready();
        if let Some(side) = self.side(link) {
            side.health = side.health.has_job(now);
            side.terms = Some(terms);
        }
        if let Some(terms) = &self.main.terms {
            self.room = Some(terms.split.room());
        }
        if !was_ready && self.is_ready() {
            for side in &mut self.sides {
                side.health = side.health.hurry(now);
            }
        }
    }

    pub const fn is_ready(&self) -> bool {
        self.main.health.ready_since().is_some()
    }

    /// Is there work on this link?
    pub fn is_at_work(&self, link: LinkId) -> bool {
        let mut all = self.connections();
        all.any(|side| side.health.link() == Some(link) && side.offer().is_some())
    }

    /// Does this link serve others than the first one does?
    pub fn is_aside(&self, link: LinkId) -> bool {
        let mut sides = self.sides.iter();
        sides.any(|side| side.health.link() == Some(link))
    }

    /// Whose jobs come on this link. `None`: nobody's, for this connection has less
    /// room than the first.
    pub fn place_of(&self, link: LinkId) -> Option<Place> {
        let mut all = (0..).zip(self.connections());
        let (index, side) = all.find(|(_, side)| side.health.link() == Some(link))?;
        let own = side.terms.as_ref()?.split.room();
        match self.room? {
            Room::Miner => Some(Place::Miner),
            _ if own == Room::Miner => None,
            Room::Farm => Some(Place::Farm),
            Room::Group => Some(Place::Group(u8::try_from(index).ok()?)),
        }
    }
}
