//! The job board: what miners may work on now.
//!
//! An immutable value that is replaced as a whole. Whoever serves miners holds
//! the same one, so a submit is checked without asking anybody.
//!
//! A pool with room enough gives one job for all. A pool with a short
//! extranonce2 is used through one connection a group of 256 miners, and each
//! group has the job of its own connection. Where one connection serves one miner,
//! each connection has a slot here, and who works on which is not the board's matter.

use super::{Job, JobId, LinkId, Place, Spot};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Jobs of one link that are honoured at a time.
pub const MAX_JOBS: usize = 32;

/// Cheap to clone: everything inside is shared.
#[derive(Clone, Debug, Default)]
pub struct Board {
    /// Oldest first. A job that is not here is stale.
    jobs: Vec<Arc<Job>>,
    /// What stands for all groups, unless `groups` says otherwise.
    shared: Slot,
    /// By group, while each has a connection of its own.
    groups: Vec<Slot>,
    /// By link, in order, while each serves one miner.
    dedicated: Vec<(LinkId, Slot)>,
    /// How often a clean job was announced, over all slots.
    cleans: u64,
    /// How often it was said that there is still nothing to do.
    waits: u64,
}

/// The current job, and the number of the clean job that it follows.
#[derive(Clone, Debug)]
pub struct Slot {
    pub job: Option<Arc<Job>>,
    /// A miner that was told another number missed a clean job.
    pub cleans: u64,
}

impl Slot {
    const EMPTY: Self = Self {
        job: None,
        cleans: 0,
    };
}

impl Default for Slot {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Board {
    pub const fn new() -> Self {
        Self {
            jobs: Vec::new(),
            shared: Slot::EMPTY,
            groups: Vec::new(),
            dedicated: Vec::new(),
            cleans: 0,
            waits: 0,
        }
    }

    /// The job that a miner was given there under this id.
    pub fn find(&self, id: JobId, spot: Spot) -> Option<&Arc<Job>> {
        let mut newest_first = self.jobs.iter().rev();
        newest_first.find(|job| job.id == id && job.is_for(spot))
    }

    pub fn slot(&self, spot: Spot) -> &Slot {
        // Who has no connection yet has nothing to do.
        const NOTHING: &Slot = &Slot::EMPTY;
        let own = if self.has_dedicated() {
            spot.link.and_then(|link| self.dedicated_slot(link))
        } else if self.groups.is_empty() {
            Some(&self.shared)
        } else {
            self.groups.get(usize::from(spot.group))
        };
        own.unwrap_or(NOTHING)
    }

    pub fn current(&self, spot: Spot) -> Option<&Arc<Job>> {
        self.slot(spot).job.as_ref()
    }

    /// Does each connection serve one miner now?
    pub const fn has_dedicated(&self) -> bool {
        !self.dedicated.is_empty()
    }

    /// The connections that serve one miner each.
    pub fn dedicated(&self) -> impl Iterator<Item = (LinkId, &Slot)> {
        self.dedicated.iter().map(|(link, slot)| (*link, slot))
    }

    pub fn dedicated_slot(&self, link: LinkId) -> Option<&Slot> {
        let index = self
            .dedicated
            .binary_search_by_key(&link, |(link, _)| *link);
        Some(&self.dedicated[index.ok()?].1)
    }

    /// Every current job, one a connection.
    pub fn currents(&self) -> impl Iterator<Item = &Arc<Job>> {
        let slots = core::iter::once(&self.shared).chain(&self.groups);
        let slots = slots.chain(self.dedicated.iter().map(|(_, slot)| slot));
        slots.filter_map(|slot| slot.job.as_ref())
    }

    fn slots(&mut self) -> impl Iterator<Item = &mut Slot> {
        let slots = core::iter::once(&mut self.shared).chain(&mut self.groups);
        slots.chain(self.dedicated.iter_mut().map(|(_, slot)| slot))
    }

    /// Does a job of this link still stand here?
    pub fn mentions(&self, link: LinkId) -> bool {
        self.jobs.iter().any(|job| job.link == link)
    }

    /// How many jobs are honoured.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Put up a new job. `clean`: work on older jobs is wasted.
    pub fn put_up(&mut self, job: Job, clean: bool) {
        let job = Arc::new(job);
        let of_link = self.jobs.iter().filter(|old| old.link == job.link);
        if of_link.count() >= MAX_JOBS
            && let Some(oldest) = self.jobs.iter().position(|old| old.link == job.link)
        {
            self.jobs.remove(oldest);
        }
        self.jobs.push(job.clone());
        self.cleans += u64::from(clean);
        let number = self.cleans;
        let slot = self.slot_for(job.place, job.link);
        slot.job = Some(job);
        if clean {
            slot.cleans = number;
        }
    }

    /// Whoever comes from another kind of slot missed whatever was clean since.
    fn slot_for(&mut self, place: Place, link: LinkId) -> &mut Slot {
        let fresh = Slot {
            job: None,
            cleans: self.cleans,
        };
        if place != Place::Farm {
            self.shared.job = None;
        }
        if !matches!(place, Place::Group(_)) {
            self.groups.clear();
        }
        if place != Place::Miner {
            self.dedicated.clear();
        }
        match place {
            Place::Farm => &mut self.shared,
            Place::Group(group) => {
                let index = usize::from(group);
                if self.groups.len() <= index {
                    self.groups.resize(index + 1, fresh);
                }
                &mut self.groups[index]
            }
            Place::Miner => {
                let found = self
                    .dedicated
                    .binary_search_by_key(&link, |(link, _)| *link);
                let index = found.unwrap_or_else(|index| {
                    self.dedicated.insert(index, (link, fresh));
                    index
                });
                &mut self.dedicated[index].1
            }
        }
    }

    /// There is still nothing to hand out: a sign of life for clients that leave a
    /// pool which says nothing.
    pub fn still_waiting(&mut self) {
        self.waits += 1;
    }

    pub const fn waits(&self) -> u64 {
        self.waits
    }

    /// Nothing to hand out any more. The jobs stay known, so that their shares
    /// are told apart from nonsense.
    pub fn withdraw(&mut self) {
        for slot in self.slots() {
            slot.job = None;
        }
    }

    /// The same for those who work for this link.
    pub fn withdraw_link(&mut self, link: LinkId) {
        for slot in self.slots() {
            slot.job = slot.job.take().filter(|job| job.link != link);
        }
    }

    /// This link will not serve its miner again.
    pub fn give_up_link(&mut self, link: LinkId) {
        self.dedicated.retain(|(own, _)| *own != link);
    }

    /// Is there one of so many groups, or miners, without work?
    pub fn has_idle(&self, groups: usize, miners: usize) -> bool {
        if self.has_dedicated() {
            let busy = self.dedicated.iter().filter(|(_, slot)| slot.job.is_some());
            let busy = busy.count();
            // One without work may have a miner that waits for it.
            return busy < miners || busy < self.dedicated.len();
        }
        let spot = |group| Spot { group, link: None };
        (0..=u8::MAX)
            .take(groups)
            .any(|group| self.current(spot(group)).is_none())
    }

    /// The newest job of a link, whether it is handed out or not.
    pub fn newest_of(&self, link: LinkId) -> Option<&Arc<Job>> {
        self.jobs.iter().rev().find(|job| job.link == link)
    }

    /// Keep only the jobs for which shares can still be paid.
    pub fn retain(&mut self, mut alive: impl FnMut(&Job) -> bool) {
        self.jobs.retain(|job| alive(job));
        for slot in self.slots() {
            if slot.job.as_ref().is_some_and(|job| !alive(job)) {
                slot.job = None;
            }
        }
    }
}
