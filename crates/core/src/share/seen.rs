//! The shares a miner sent lately, to answer a duplicate at once.
//!
//! Keyed by the first 8 bytes of the header's hash, so a job that was issued
//! again under a new id is still the same work. Bounded: beyond the last
//! [`CAPACITY`] shares the pool is the judge.

/// Four minutes of shares at the pace that miners are held to.
const CAPACITY: usize = 32;

#[derive(Debug, Default)]
pub struct Seen {
    recent: [u64; CAPACITY],
    known: u8,
    next: u8,
}

impl Seen {
    pub const fn new() -> Self {
        Self {
            recent: [0; CAPACITY],
            known: 0,
            next: 0,
        }
    }

    /// `false` if this header was seen before.
    pub fn insert(&mut self, header_hash: &[u8; 32]) -> bool {
        let mut key = [0; 8];
        key.copy_from_slice(&header_hash[..8]);
        let key = u64::from_le_bytes(key);
        if self.recent[..usize::from(self.known)].contains(&key) {
            return false;
        }
        self.recent[usize::from(self.next)] = key;
        self.next = (self.next + 1) % CAPACITY as u8;
        self.known = (self.known + 1).min(CAPACITY as u8);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_counts_once_within_the_window() {
        let mut seen = Seen::new();
        let hash = |n: u8| [n; 32];
        assert!(seen.insert(&hash(1)));
        assert!(!seen.insert(&hash(1)));
        for n in 2..=33 {
            assert!(seen.insert(&hash(n)));
        }
        // 32 others came since: the pool judges it.
        assert!(seen.insert(&hash(1)));
    }
}
