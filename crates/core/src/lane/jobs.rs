//! What the lane puts on the board, and what it takes down.

use super::Lane;
use crate::Instant;
use crate::share::{Job, JobId, LinkId};
use alloc::vec::Vec;

impl Lane {
    /// Another pool: each of its connections that has work.
    pub(super) fn put_up_all(&mut self, index: usize, now: Instant) {
        let links: Vec<LinkId> = self.entries[index].links().collect();
        for link in links {
            self.put_up(index, link, true, now);
        }
    }

    /// Hand out the newest work of one of the route's connections.
    pub(super) fn put_up(&mut self, index: usize, link: LinkId, clean: bool, now: Instant) {
        let passed = self.passed(now);
        // It is at work again: how long its jobs are good for begins anew.
        self.retiring.retain(|retiring| retiring.link != link);
        let entry = &mut self.entries[index];
        let Some(place) = entry.place_of(link) else {
            return;
        };
        let Some(side) = entry.side(link) else { return };
        let Some(terms) = side.offer().cloned() else {
            return;
        };
        let known = side.handed.as_ref().filter(|job| job.is_of(&terms));
        let supersedes = terms.work.clean && known.is_none();
        // Many miners start a job that they do not know from the beginning: what
        // was handed out before is handed out with a later time.
        let terms = match known {
            Some(job) => terms.later_than(job.work.ntime, passed),
            None => terms,
        };
        let Some(mut job) = Job::new(self.next_job, link, self.algorithm, terms) else {
            return;
        };
        job.place = place;
        let superseded = supersedes.then_some((link, job.id));
        self.next_job = self.next_job.wrapping_add(1);
        self.board.put_up(job, clean);
        self.handed_out(link);
        self.prune(superseded);
        self.published = now;
        self.publish();
    }

    /// The current work under a fresh id, so that no client's silence timer fires.
    /// Its time moves on as the clock did: many miners start a job that they do
    /// not know from the beginning, and would hash the same headers again.
    pub(super) fn reissue(&mut self, now: Instant) {
        let passed = self.passed(now);
        let current: Vec<_> = self.board.currents().cloned().collect();
        for job in current {
            let again = job.again(self.next_job, passed);
            self.next_job = self.next_job.wrapping_add(1);
            let link = again.link;
            self.board.put_up(again, false);
            self.handed_out(link);
        }
        self.published = now;
        self.freshen = None;
        self.publish();
    }

    pub(super) fn handed_out(&mut self, link: LinkId) {
        let job = self.board.newest_of(link).cloned();
        let mut entries = self.entries.iter_mut();
        if let Some(side) = entries.find_map(|entry| entry.side(link)) {
            side.handed = job;
        }
    }

    /// By how much the clock went on since the last job, in seconds.
    pub(super) fn passed(&self, now: Instant) -> u32 {
        let passed = now.saturating_duration_since(self.published).as_secs();
        passed.clamp(1, 600) as u32
    }

    /// Drop jobs that no pool would pay for. While holding they are kept: their
    /// shares are told apart as lost.
    pub(super) fn prune(&mut self, superseded_on: Option<(LinkId, JobId)>) {
        let mut honoured: Vec<LinkId> = self.route_links().collect();
        honoured.extend(self.retiring.iter().map(|old| old.link));
        // There may be a thousand of them, with a few jobs each.
        honoured.sort_unstable();
        let is_holding = self.router.choice().is_none();
        self.board.retain(|job| {
            let superseded =
                superseded_on.is_some_and(|(link, newest)| job.link == link && job.id != newest);
            let honoured = is_holding || honoured.binary_search(&job.link).is_ok();
            honoured && !superseded
        });
    }

    /// Once for all that happens before the commands are taken: a copy of the board
    /// has each of its jobs in it.
    pub(super) const fn publish(&mut self) {
        self.is_published = false;
    }
}
