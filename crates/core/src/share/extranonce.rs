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

use heapless::Vec;

/// Bytes of extranonce2 that a miner rolls itself. Lasts 144 s at 500 TH/s
/// without version rolling; a job lives 30 to 60 s.
pub const MINER_SIZE: usize = 3;
const PREFIX: usize = 1;
const MAX_EXTRANONCE1: usize = 16;
const MAX_SIZE: usize = 16;

/// A miner's place on every pool connection: group and prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seat {
    pub group: u8,
    pub prefix: u8,
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
    #[error(
        "the pool gives an extranonce2 of {0} bytes; sharing one connection between miners needs 4 to {MAX_SIZE}"
    )]
    Size(usize),
}

impl Split {
    pub fn new(extranonce1: &[u8], size: usize) -> Result<Self, SplitError> {
        if !(PREFIX + MINER_SIZE..=MAX_SIZE).contains(&size) {
            return Err(SplitError::Size(size));
        }
        Ok(Self {
            extranonce1: Vec::from_slice(extranonce1)
                .map_err(|_| SplitError::Extranonce1(extranonce1.len()))?,
            size,
        })
    }

    /// How many groups of 256 miners fit on one connection.
    pub const fn groups(&self) -> usize {
        if self.size > PREFIX + MINER_SIZE {
            256
        } else {
            1
        }
    }

    pub fn extranonce1(&self) -> &[u8] {
        &self.extranonce1
    }

    /// `W` and its padding, or `None` if this connection has no room for the group.
    pub fn middle(&self, group: u8) -> Option<Vec<u8, MAX_SIZE, u8>> {
        if usize::from(group) >= self.groups() {
            return None;
        }
        let mut middle = Vec::new();
        // At most MAX_SIZE - 4 bytes: fits.
        middle.resize(self.size - PREFIX - MINER_SIZE, 0).ok()?;
        if let Some(first) = middle.first_mut() {
            *first = group;
        }
        Some(middle)
    }

    /// The extranonce2 as the pool sees it: `W | padding | F | en2`.
    pub fn extranonce2(
        &self,
        seat: Seat,
        rolled: [u8; MINER_SIZE],
    ) -> Option<Vec<u8, MAX_SIZE, u8>> {
        let mut whole = self.middle(seat.group)?;
        whole.push(seat.prefix).ok()?;
        whole.extend_from_slice(&rolled).ok()?;
        Some(whole)
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
                        .extranonce2(Seat { group, prefix }, [9, 9, 9])
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
        assert_eq!(split.groups(), 1);
        assert!(split.middle(0).is_some_and(|middle| middle.is_empty()));
        assert_eq!(split.middle(1), None);
    }

    #[test]
    fn a_pool_with_too_little_room_is_named_with_its_figure() {
        assert_eq!(Split::new(&[], 3), Err(SplitError::Size(3)));
        assert_eq!(Split::new(&[], 17), Err(SplitError::Size(17)));
        assert_eq!(Split::new(&[0; 17], 8), Err(SplitError::Extranonce1(17)));
    }
}
