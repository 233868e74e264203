//! The job board: what miners may work on now.
//!
//! An immutable value that is replaced as a whole. Whoever serves miners holds
//! the same one, so a submit is checked without asking anybody.
//!
//! A pool with room enough gives one job for all. A pool with a short
//! extranonce2 is used through one connection a group of 256 miners, and each
//! group has the job of its own connection.

use super::{Job, JobId, LinkId};
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
    /// How often a clean job was announced, over all slots.
    cleans: u64,
    /// How often it was said that there is still nothing to do.
    waits: u64,
}

/// The current job, and the number of the clean job that it follows.
#[derive(Clone, Debug, Default)]
pub struct Slot {
    pub job: Option<Arc<Job>>,
    /// A miner that was told another number missed a clean job.
    pub cleans: u64,
}

impl Board {
    pub const fn new() -> Self {
        Self {
            jobs: Vec::new(),
            shared: Slot {
                job: None,
                cleans: 0,
            },
            groups: Vec::new(),
            cleans: 0,
            waits: 0,
        }
    }

    /// The job that a miner of `group` was given under this id.
    pub fn find(&self, id: JobId, group: u8) -> Option<&Arc<Job>> {
        let mut newest_first = self.jobs.iter().rev();
        newest_first.find(|job| job.id == id && job.group.is_none_or(|own| own == group))
    }

    pub fn slot(&self, group: u8) -> &Slot {
        if self.groups.is_empty() {
            return &self.shared;
        }
        // A group that has no connection yet has nothing to do.
        const NOTHING: &Slot = &Slot {
            job: None,
            cleans: 0,
        };
        self.groups.get(usize::from(group)).unwrap_or(NOTHING)
    }

    pub fn current(&self, group: u8) -> Option<&Arc<Job>> {
        self.slot(group).job.as_ref()
    }

    /// Every current job, one a connection.
    pub fn currents(&self) -> impl Iterator<Item = &Arc<Job>> {
        let slots = core::iter::once(&self.shared).chain(&self.groups);
        slots.filter_map(|slot| slot.job.as_ref())
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
        let slot = self.slot_for(job.group);
        slot.job = Some(job);
        if clean {
            slot.cleans = number;
        }
    }

    fn slot_for(&mut self, group: Option<u8>) -> &mut Slot {
        let Some(group) = group else {
            self.groups.clear();
            return &mut self.shared;
        };
        let index = usize::from(group);
        if self.groups.is_empty() {
            self.shared.job = None;
        }
        if self.groups.len() <= index {
            // Whoever comes from a shared job missed whatever was clean since.
            let fresh = Slot {
                job: None,
                cleans: self.cleans,
            };
            self.groups.resize(index + 1, fresh);
        }
        &mut self.groups[index]
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
        self.shared.job = None;
        for slot in &mut self.groups {
            slot.job = None;
        }
    }

    /// The same for the groups that work for this link.
    pub fn withdraw_link(&mut self, link: LinkId) {
        for slot in core::iter::once(&mut self.shared).chain(&mut self.groups) {
            slot.job = slot.job.take().filter(|job| job.link != link);
        }
    }

    /// Is there one of so many groups without work?
    pub fn has_idle(&self, groups: usize) -> bool {
        (0..=u8::MAX)
            .take(groups)
            .any(|group| self.current(group).is_none())
    }

    /// The newest job of a link, whether it is handed out or not.
    pub fn newest_of(&self, link: LinkId) -> Option<&Arc<Job>> {
        self.jobs.iter().rev().find(|job| job.link == link)
    }

    /// Keep only the jobs for which shares can still be paid.
    pub fn retain(&mut self, mut alive: impl FnMut(&Job) -> bool) {
        self.jobs.retain(|job| alive(job));
        for slot in core::iter::once(&mut self.shared).chain(&mut self.groups) {
            if slot.job.as_ref().is_some_and(|job| !alive(job)) {
                slot.job = None;
            }
        }
    }
}
