//! Which seats are taken.
//!
//! A freed seat is handed out again as late as possible: a new miner on the
//! same seat would start the same job from the same extranonce2 and find the
//! shares its predecessor already sent.

use super::Seat;
use alloc::vec::Vec;

#[derive(Debug)]
pub struct Seats {
    taken: Vec<bool>,
    used: usize,
    next: usize,
    /// Taken seats by group.
    groups: Vec<u16>,
}

impl Seats {
    /// `miners` is rounded up to whole groups of 256 for the rotation; at most
    /// `miners` seats are handed out at a time.
    pub fn new(miners: usize) -> Self {
        let seats = miners.clamp(1, 65536).div_ceil(256) * 256;
        Self {
            taken: alloc::vec![false; seats],
            used: 0,
            next: 0,
            groups: alloc::vec![0; seats / 256],
        }
    }

    /// Seats are taken group by group: a further group is opened only when the
    /// groups before it are nearly full, so that a small farm is one group.
    pub fn take(&mut self) -> Option<Seat> {
        let groups = (self.used + 1).div_ceil(256).max(1);
        let window = (groups * 256).min(self.taken.len());
        let index = (0..window)
            .map(|step| (self.next + step) % window)
            .find(|&index| !self.taken[index])
            // Seats of a higher group may be held while lower ones were freed.
            .or_else(|| self.taken.iter().position(|taken| !taken))?;
        self.taken[index] = true;
        self.used += 1;
        self.groups[index / 256] += 1;
        self.next = index + 1;
        Some(Seat {
            group: (index / 256) as u8,
            prefix: (index % 256) as u8,
        })
    }

    pub fn release(&mut self, seat: Seat) {
        let index = usize::from(seat.group) * 256 + usize::from(seat.prefix);
        if let Some(taken) = self.taken.get_mut(index)
            && core::mem::take(taken)
        {
            self.used -= 1;
            self.groups[index / 256] -= 1;
        }
    }

    pub const fn used(&self) -> usize {
        self.used
    }

    /// How many groups are in use, counted up to the highest one.
    pub fn groups(&self) -> usize {
        let highest = self.groups.iter().rposition(|&taken| taken > 0);
        highest.map_or(0, |group| group + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_seat_is_the_last_to_be_used_again() {
        let mut seats = Seats::new(256);
        let first = seats.take().expect("free");
        seats.release(first);
        for _ in 0..255 {
            assert_ne!(seats.take(), Some(first));
        }
        assert_eq!(seats.take(), Some(first));
        assert_eq!(seats.take(), None);
    }

    #[test]
    fn a_small_farm_stays_in_one_group() {
        let mut seats = Seats::new(4096);
        for _ in 0..10_000 {
            let seat = seats.take().expect("free");
            assert_eq!(seat.group, 0);
            seats.release(seat);
        }
        assert_eq!(seats.groups(), 0);
    }

    #[test]
    fn a_release_counts_once() {
        let mut seats = Seats::new(2);
        let seat = seats.take().expect("free");
        seats.release(seat);
        seats.release(seat);
        assert_eq!(seats.used(), 0);
    }
}
