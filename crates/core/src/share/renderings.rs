//! The current jobs as text, rendered once a group and written to each of its miners.
//! A job that is one miner's own is rendered for that miner.

use super::{Job, JobId, Manner};
use alloc::vec::Vec;

/// Buffers are used again, so that a job costs no allocation after the first.
#[derive(Debug, Default)]
pub struct Renderings {
    groups: Vec<Rendering>,
}

#[derive(Debug, Default)]
struct Rendering {
    job: Option<JobId>,
    line: Vec<u8>,
}

impl Renderings {
    pub const fn new() -> Self {
        Self { groups: Vec::new() }
    }

    /// The job's notify for a group, without its last member. `None`: the pool's
    /// connection has no room for that group.
    pub fn line(&mut self, job: &Job, group: u8, manner: Manner) -> Option<&[u8]> {
        let index = usize::from(group);
        if self.groups.len() <= index {
            self.groups.resize_with(index + 1, Rendering::default);
        }
        let rendering = &mut self.groups[index];
        if rendering.job != Some(job.id) {
            rendering.line.clear();
            rendering.job = job
                .render(group, manner, &mut rendering.line)
                .then_some(job.id);
        }
        rendering.job.map(|_| &*rendering.line)
    }
}
