//! The shares a miner sent lately, to answer a duplicate at once.
//!
//! Keyed by the first 8 bytes of the header's hash, so a job that was issued
//! again under a new id is still the same work. Bounded: beyond the last
//! [`CAPACITY`] shares the pool is the judge.

use heapless::Deque;

const CAPACITY: usize = 64;

#[derive(Debug, Default)]
pub struct Seen {
    recent: Deque<u64, CAPACITY>,
}

impl Seen {
    pub const fn new() -> Self {
        Self {
            recent: Deque::new(),
        }
    }

    /// `false` if this header was seen before.
    pub fn insert(&mut self, header_hash: &[u8; 32]) -> bool {
        let mut key = [0; 8];
        key.copy_from_slice(&header_hash[..8]);
        let key = u64::from_le_bytes(key);
        if self.recent.iter().any(|&old| old == key) {
            return false;
        }
        if self.recent.is_full() {
            self.recent.pop_front();
        }
        self.recent.push_back(key).is_ok()
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
        for n in 2..=65 {
            assert!(seen.insert(&hash(n)));
        }
        // 64 others came since: the pool judges it.
        assert!(seen.insert(&hash(1)));
    }
}
