//! Which connections the lane wants: opened, kept for a while, closed.

use super::{Command, GRACE, Lane, MAX_LINKS, Retiring};
use crate::Instant;
use crate::route::Health;
use crate::share::LinkId;
use alloc::vec::Vec;

impl Lane {
    /// The route, what is pinned, and the best of the others, up to [`MAX_LINKS`]. Retries of
    /// candidates that failed come on top, up to as many, longest waiting first:
    /// they must not push out a link that is usable or about to be.
    pub(super) fn open_links(&mut self, now: Instant) {
        let route = self.route_entry();
        let mut room = MAX_LINKS - usize::from(route.is_some());
        let mut retries = MAX_LINKS;
        let (mut opening, mut due, mut dropped) = (Vec::new(), Vec::new(), Vec::new());
        self.retry = None;
        let pinned = (self.entries.iter()).position(|entry| self.wishes.pins(&entry.candidate));
        let others = (0..self.entries.len()).filter(|index| Some(*index) != pinned);
        for index in pinned.into_iter().chain(others) {
            if route == Some(index) {
                continue;
            }
            let entry = &mut self.entries[index];
            if room == 0 {
                dropped.extend(entry.let_go());
                continue;
            }
            match entry.main.health {
                Health::Resting => {
                    opening.push(index);
                    room -= 1;
                }
                Health::Ready { .. } | Health::Connecting { strikes: 0, .. } => room -= 1,
                Health::Connecting { .. } => retries = retries.saturating_sub(1),
                Health::Down { until, .. } if now >= until => due.push((until, index)),
                // Without a free retry the end of another one is the next event.
                Health::Down { until, .. } => {
                    self.retry = Some(self.retry.map_or(until, |retry| retry.min(until)));
                }
            }
        }
        due.sort_unstable();
        opening.extend(due.into_iter().take(retries).map(|(_, index)| index));
        for index in opening {
            self.open(index, None);
        }
        for link in dropped {
            self.retire(link, true, now);
        }
    }

    /// Further connections where one is too narrow for all groups. The best
    /// stand-by has those of groups too: a failover must find them there.
    pub(super) fn open_sides(&mut self, now: Instant) {
        let route = self.route_entry();
        for index in 0..self.entries.len() {
            let is_route = route == Some(index);
            let dropped = self.entries[index].fit(self.crowd, is_route);
            for link in &dropped {
                self.board.give_up_link(*link);
                self.retire(*link, true, now);
            }
            if is_route && !dropped.is_empty() {
                self.publish();
            }
            // While the first one is down the others would not be better off.
            let sides = match self.entries[index].is_ready() {
                true => self.entries[index].sides.len(),
                false => 0,
            };
            for side in 0..sides {
                match self.entries[index].sides[side].health {
                    Health::Resting => self.open(index, Some(side)),
                    Health::Down { until, .. } if now >= until => self.open(index, Some(side)),
                    Health::Down { until, .. } => {
                        self.retry = Some(self.retry.map_or(until, |retry| retry.min(until)));
                    }
                    Health::Connecting { .. } | Health::Ready { .. } => {}
                }
            }
        }
    }

    /// `side`: that further connection, or else the first.
    pub(super) fn open(&mut self, index: usize, side: Option<usize>) {
        let entry = &mut self.entries[index];
        let candidate = entry.candidate.clone();
        let side = match side {
            Some(side) => &mut entry.sides[side],
            None => &mut entry.main,
        };
        let link = side.health.link().unwrap_or_else(|| {
            let fresh = self.next_link;
            self.next_link = fresh.wrapping_add(1);
            fresh
        });
        side.health = side.health.opened(link);
        self.commands.push(Command::Open { link, candidate });
    }

    pub(super) fn retire(&mut self, link: LinkId, close: bool, now: Instant) {
        let until = now + GRACE;
        match self.retiring.iter_mut().find(|old| old.link == link) {
            Some(old) => old.close |= close,
            None => self.retiring.push(Retiring { link, until, close }),
        }
    }

    pub(super) fn finish_retiring(&mut self, now: Instant) {
        let (done, kept) = self
            .retiring
            .iter()
            .partition::<Vec<Retiring>, _>(|retiring| now >= retiring.until);
        if done.is_empty() {
            return;
        }
        self.retiring = kept;
        for retiring in done.iter().filter(|retiring| retiring.close) {
            self.commands.push(Command::Close {
                link: retiring.link,
            });
        }
        let before = self.board.clone();
        self.prune(None);
        if before.len() != self.board.len() {
            self.publish();
        }
    }
}
