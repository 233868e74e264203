//! One candidate and its connections.
//!
//! Most pools are one connection for the whole farm. Where a pool's extranonce2
//! is too short to tell groups apart, each group of 256 miners has a connection
//! of its own: the first one is the entry's, the others are its sides. Whether
//! the pool is usable is what the first one says.

use crate::Instant;
use crate::route::{Candidate, Health};
use crate::share::{Job, LinkId, Terms};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

#[derive(Debug)]
pub(super) struct Entry {
    pub candidate: Candidate,
    pub main: Side,
    /// Of group 1 and on, while the pool is too narrow for one connection.
    pub sides: Vec<Side>,
    pub last_failure: Option<String>,
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
        }
    }

    /// All its connections, by the group they serve.
    pub fn by_group(&self) -> impl Iterator<Item = (u8, &Side)> {
        (0..=u8::MAX).zip(core::iter::once(&self.main).chain(&self.sides))
    }

    pub fn links(&self) -> impl Iterator<Item = LinkId> {
        self.by_group().filter_map(|(_, side)| side.health.link())
    }

    pub fn has(&self, link: LinkId) -> bool {
        self.links().any(|own| own == link)
    }

    /// The connection with this link.
    pub fn side(&mut self, link: LinkId) -> Option<&mut Side> {
        let mut all = core::iter::once(&mut self.main).chain(&mut self.sides);
        all.find(|side| side.health.link() == Some(link))
    }

    /// Has it too little room for more than one group?
    pub fn is_narrow(&self) -> bool {
        let terms = self.main.terms.as_ref();
        terms.is_some_and(|terms| terms.split.groups() == 1)
    }

    /// As many sides as the farm has further groups; answers with links that are
    /// of no more use. While the first connection is down nothing changes.
    pub fn fit(&mut self, groups: usize) -> Vec<LinkId> {
        if self.main.terms.is_none() {
            return Vec::new();
        }
        let wanted = if self.is_narrow() { groups - 1 } else { 0 };
        let dropped = self.sides.drain(wanted.min(self.sides.len())..);
        let links = dropped.filter_map(|side| side.health.link()).collect();
        self.sides.resize_with(wanted, Side::new);
        links
    }

    /// Give all connections up; answers with their links.
    pub fn let_go(&mut self) -> Vec<LinkId> {
        let links = self.links().collect();
        self.main.health = self.main.health.let_go();
        self.main.terms = None;
        self.sides.clear();
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
        if !was_ready && self.is_ready() {
            for side in &mut self.sides {
                side.health = side.health.hurry(now);
            }
        }
    }

    pub const fn is_ready(&self) -> bool {
        self.main.health.ready_since().is_some()
    }

    /// Does this link serve one group of several, beside the first?
    pub fn is_aside(&self, link: LinkId) -> bool {
        let mut sides = self.sides.iter();
        sides.any(|side| side.health.link() == Some(link))
    }

    /// Which group's jobs come on this link; `None`: everybody's.
    pub fn group_of(&self, link: LinkId) -> Option<u8> {
        if !self.is_narrow() {
            return None;
        }
        let mut all = self.by_group();
        all.find(|(_, side)| side.health.link() == Some(link))
            .map(|(group, _)| group)
    }
}
