//! The job board: what miners may work on now.
//!
//! An immutable value that is replaced as a whole. Every miner's task holds the
//! same one, so a submit is checked without asking anybody.

use super::{Job, JobId, LinkId};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Jobs that are honoured at a time, over all links.
pub const MAX_JOBS: usize = 32;

/// Cheap to clone: everything inside is shared.
#[derive(Clone, Debug, Default)]
pub struct Board {
    /// Oldest first. A job that is not here is stale.
    jobs: Vec<Arc<Job>>,
    current: Option<Current>,
    /// How often `clean_jobs` was announced; a miner that missed one still gets it.
    cleans: u64,
    /// How often it was said that there is still nothing to do.
    waits: u64,
}

#[derive(Clone, Debug)]
struct Current {
    job: Arc<Job>,
    /// One rendering a group, shared by its miners.
    lines: Arc<[Vec<u8>]>,
}

impl Board {
    pub const fn new() -> Self {
        Self {
            jobs: Vec::new(),
            current: None,
            cleans: 0,
            waits: 0,
        }
    }

    pub fn find(&self, id: JobId) -> Option<&Arc<Job>> {
        self.jobs.iter().rev().find(|job| job.id == id)
    }

    pub fn current(&self) -> Option<&Arc<Job>> {
        self.current.as_ref().map(|current| &current.job)
    }

    pub const fn cleans(&self) -> u64 {
        self.cleans
    }

    /// Does a job of this link still stand here?
    pub fn mentions(&self, link: LinkId) -> bool {
        self.jobs.iter().any(|job| job.link == link)
    }

    /// How many groups of miners the current job was rendered for.
    pub fn groups(&self) -> Option<usize> {
        Some(self.current.as_ref()?.lines.len())
    }

    /// How many jobs are honoured.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// The current job's notify for a group, without its last member.
    pub fn line(&self, group: u8) -> Option<&[u8]> {
        let lines = &self.current.as_ref()?.lines;
        lines.get(usize::from(group)).map(Vec::as_slice)
    }

    /// Put up a new job for `groups` groups. `clean`: work on older jobs is wasted.
    pub fn put_up(&mut self, job: Job, groups: usize, clean: bool) {
        let job = Arc::new(job);
        let lines = (0..=u8::MAX)
            .take(groups.max(1))
            .map_while(|group| job.render(group))
            .collect();
        if self.jobs.len() >= MAX_JOBS {
            self.jobs.remove(0);
        }
        self.jobs.push(job.clone());
        self.current = Some(Current { job, lines });
        self.cleans += u64::from(clean);
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
        self.current = None;
    }

    /// Keep only the jobs for which shares can still be paid.
    pub fn retain(&mut self, mut alive: impl FnMut(&Job) -> bool) {
        self.jobs.retain(|job| alive(job));
        if self
            .current
            .as_ref()
            .is_some_and(|current| !alive(&current.job))
        {
            self.current = None;
        }
    }
}
