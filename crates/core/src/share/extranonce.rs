//! The constant-extranonce split: many miners on one pool connection.
//!
//! A pool gives a connection an extranonce1 `E` and room for an extranonce2 of
//! `n` bytes. A miner treats the first half of the coinbase as opaque, so the
//! appliance hides most of that room in it:
//!
//! ```text
//!   coinbase the pool hashes:  coinb1 | E | extranonce2 (n bytes)   | coinb2
//!                              coinb1 | E | W 0..0 | F | en2        | coinb2
//!   coinbase the miner builds: (coinb1 | E | W 0..0) | F | en2      | coinb2
//! ```
//!
//! `W` names the group of 256 miners, `F` the miner in it; both stay the same
//! for the miner's whole connection, whatever pool it works for. A switch to
//! another pool is then one `mining.notify`: no miner has to understand
//! `mining.set_extranonce`, and none has to reconnect.
//!
//! Where a pool leaves less room than `F` and three bytes, a connection serves one
//! miner, and that miner has to be told `E` and `n` as they are. So has every
//! miner of a port where the farm asks for it ([`Manner`]): then `E | W 0..0 | F`
//! is its extranonce1.

use super::LinkId;
use heapless::Vec;

/// Bytes of extranonce2 that a miner rolls itself. Lasts 144 s at 500 TH/s
/// without version rolling; a job lives 30 to 60 s.
pub const MINER_SIZE: usize = 3;
const PREFIX: usize = 1;
const MAX_EXTRANONCE1: usize = 16;
/// With one byte a miner is through before the next job comes.
const MIN_SIZE: usize = 2;
const MAX_SIZE: usize = 16;

/// A miner's place on every pool connection: group and prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seat {
    pub group: u8,
    pub prefix: u8,
}

/// Where a miner finds its jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    pub group: u8,
    /// The connection that is its own, where a pool has no room for more than one miner.
    pub link: Option<LinkId>,
}

/// How a miner learns what is particular to a pool's connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// Not at all, wherever the pool has room: it stands in coinb1.
    #[default]
    Constant,
    /// By `mining.set_extranonce` if it asked for that, or else by a new connection.
    Announce,
    /// By a new connection.
    Reconnect,
}

/// How many miners one connection has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// As many groups as there are.
    Farm,
    /// 256 miners.
    Group,
    /// One.
    Miner,
}

/// What a miner hashes between coinb1 and coinb2: its extranonce1, and so many
/// bytes that it rolls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extranonce {
    pub first: Vec<u8, MAX_FIRST, u8>,
    pub size: usize,
}

const MAX_FIRST: usize = MAX_EXTRANONCE1 + MAX_SIZE;

impl Extranonce {
    /// What a miner keeps for its whole connection, whatever pool it works for.
    pub fn constant(seat: Seat) -> Self {
        Self {
            first: [seat.prefix].into_iter().collect(),
            size: MINER_SIZE,
        }
    }
}

/// What the pool gave: `E` and `n`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    extranonce1: Vec<u8, MAX_EXTRANONCE1, u8>,
    size: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    #[error("the pool's extranonce1 has {0} bytes, more than {MAX_EXTRANONCE1}")]
    Extranonce1(usize),
    #[error("the pool gives an extranonce2 of {0} bytes; usable are {MIN_SIZE} to {MAX_SIZE}")]
    Size(usize),
}

impl Split {
    pub fn new(extranonce1: &[u8], size: usize) -> Result<Self, SplitError> {
        if !(MIN_SIZE..=MAX_SIZE).contains(&size) {
            return Err(SplitError::Size(size));
        }
        Ok(Self {
            extranonce1: Vec::from_slice(extranonce1)
                .map_err(|_| SplitError::Extranonce1(extranonce1.len()))?,
            size,
        })
    }

    pub const fn room(&self) -> Room {
        const GROUP: usize = PREFIX + MINER_SIZE;
        match self.size {
            ..GROUP => Room::Miner,
            GROUP => Room::Group,
            _ => Room::Farm,
        }
    }

    /// How many bytes a miner rolls.
    pub const fn rolled(&self) -> usize {
        match self.room() {
            Room::Farm | Room::Group => MINER_SIZE,
            Room::Miner => self.size,
        }
    }

    /// Must a miner be told `E`?
    pub fn is_told(&self, manner: Manner) -> bool {
        manner != Manner::Constant || self.room() == Room::Miner
    }

    /// What the miner of this seat has to be told. `None`: no room for it.
    pub fn extranonce(&self, seat: Seat, manner: Manner) -> Option<Extranonce> {
        if !self.is_told(manner) {
            return Some(Extranonce::constant(seat));
        }
        let mut first = Vec::new();
        first.extend_from_slice(&self.extranonce1).ok()?;
        if self.room() != Room::Miner {
            first.extend_from_slice(&self.middle(seat.group)?).ok()?;
            first.push(seat.prefix).ok()?;
        }
        let size = self.rolled();
        Some(Extranonce { first, size })
    }

    pub fn extranonce1(&self) -> &[u8] {
        &self.extranonce1
    }

    /// `W` and its padding, or `None` if this connection has no room for the group.
    pub fn middle(&self, group: u8) -> Option<Vec<u8, MAX_SIZE, u8>> {
        let mut middle = Vec::new();
        let length = match self.room() {
            Room::Farm => self.size - PREFIX - MINER_SIZE,
            Room::Group | Room::Miner if group > 0 => return None,
            Room::Group | Room::Miner => 0,
        };
        middle.resize(length, 0).ok()?;
        if let Some(first) = middle.first_mut() {
            *first = group;
        }
        Some(middle)
    }

    /// The extranonce2 as the pool sees it: `W | padding | F | en2`, or what its only
    /// miner rolled.
    pub fn extranonce2(&self, seat: Seat, rolled: &[u8]) -> Option<Vec<u8, MAX_SIZE, u8>> {
        let mut whole = self.middle(seat.group)?;
        if self.room() != Room::Miner {
            whole.push(seat.prefix).ok()?;
        }
        whole.extend_from_slice(rolled).ok()?;
        (whole.len() == self.size).then_some(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn every_seat_has_an_extranonce2_of_its_own_and_of_the_pools_size() {
        for size in 5..=16 {
            let split = Split::new(&[1, 2, 3, 4], size).expect("in range");
            let mut seen = BTreeSet::new();
            for group in [0, 1, 255] {
                for prefix in [0, 1, 255] {
                    let whole = split
                        .extranonce2(Seat { group, prefix }, &[9, 9, 9])
                        .expect("room");
                    assert_eq!(whole.len(), size);
                    assert!(seen.insert(whole));
                }
            }
        }
    }

    #[test]
    fn four_bytes_hold_one_group() {
        let split = Split::new(&[], 4).expect("in range");
        assert_eq!(split.room(), Room::Group);
        assert!(split.middle(0).is_some_and(|middle| middle.is_empty()));
        assert_eq!(split.middle(1), None);
    }

    #[test]
    fn below_that_one_miner_rolls_all_there_is() {
        let seat = Seat {
            group: 0,
            prefix: 7,
        };
        for size in [2, 3] {
            let split = Split::new(&[1, 2, 3, 4], size).expect("in range");
            assert_eq!(split.room(), Room::Miner);
            let told = split.extranonce(seat, Manner::Constant).expect("room");
            assert_eq!((&*told.first, told.size), (&[1, 2, 3, 4][..], size));
            let whole = split.extranonce2(seat, &[8, 9, 10][..size]);
            assert_eq!(whole.as_deref(), Some(&[8, 9, 10][..size]));
            assert_eq!(split.extranonce2(seat, &[8]), None);
        }
    }

    #[test]
    fn told_or_hidden_the_same_bytes_are_hashed() {
        let seat = Seat {
            group: 3,
            prefix: 7,
        };
        for size in 5..=16 {
            let split = Split::new(&[1, 2, 3, 4], size).expect("in range");
            let told = split.extranonce(seat, Manner::Announce).expect("room");
            let seen_by_pool = split.extranonce2(seat, &[9, 9, 9]).expect("room");
            assert_eq!(
                [&*told.first, &[9, 9, 9]].concat(),
                [&[1, 2, 3, 4][..], &seen_by_pool].concat()
            );
        }
    }

    #[test]
    fn a_pool_with_too_little_room_is_named_with_its_figure() {
        assert_eq!(Split::new(&[], 1), Err(SplitError::Size(1)));
        assert_eq!(Split::new(&[], 17), Err(SplitError::Size(17)));
        assert_eq!(Split::new(&[0; 17], 8), Err(SplitError::Extranonce1(17)));
    }
}
