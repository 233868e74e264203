//! Who guesses passwords, by address, and how long that address has to wait.
//!
//! ```text
//!              failed                5th within 10 min
//!   unknown ----------> Counted ------------------------> Slowed
//!      ^                   |                              |   ^
//!      | 10 min after the first                    waited |   | failed: twice
//!      |                   |                              v   | as long, up to 1 h
//!      `-------------------'                             Watched
//!      `---- 1 h without a failure --------------------------'
//! ```
//!
//! A success forgives nothing: whoever has one password may be guessing another.
//! The table is bounded. When it is full the address that would be forgotten
//! first makes room, and one that must wait never does while another can.

use crate::{Duration, Instant};
use alloc::collections::BTreeMap;
use core::net::{IpAddr, Ipv6Addr};

/// Failures within [`WINDOW`] that make an address wait.
pub const FREE: u8 = 5;
pub const WINDOW: Duration = Duration::from_secs(10 * 60);
pub const FIRST_WAIT: Duration = Duration::from_secs(60);
pub const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
/// Without a failure for so long after its wait an address is forgotten.
const FORGIVEN_AFTER: Duration = LONGEST_WAIT;

#[derive(Clone, Copy, Debug)]
enum Record {
    Counted {
        failures: u8,
        since: Instant,
    },
    /// Must wait until then; afterwards it is watched.
    Slowed {
        until: Instant,
        wait: Duration,
    },
}

impl Record {
    fn forgotten_at(self) -> Instant {
        match self {
            Self::Counted { since, .. } => since + WINDOW,
            Self::Slowed { until, .. } => until + FORGIVEN_AFTER,
        }
    }

    fn failed(self, now: Instant) -> Self {
        match self {
            Self::Counted { failures, .. } if failures + 1 >= FREE => Self::Slowed {
                until: now + FIRST_WAIT,
                wait: FIRST_WAIT,
            },
            Self::Counted { failures, since } => Self::Counted {
                failures: failures + 1,
                since,
            },
            // A try that was under way when the wait began: it began for that one too.
            Self::Slowed { until, .. } if now < until => self,
            Self::Slowed { wait, .. } => {
                let wait = LONGEST_WAIT.min(wait * 2);
                Self::Slowed {
                    until: now + wait,
                    wait,
                }
            }
        }
    }
}

#[derive(Debug)]
pub struct Attempts {
    records: BTreeMap<IpAddr, Record>,
    capacity: usize,
}

impl Attempts {
    pub const fn new(capacity: usize) -> Self {
        Self {
            records: BTreeMap::new(),
            capacity,
        }
    }

    /// How long this address still has to wait; `None`: it may try.
    pub fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        match self.records.get(&owner(address))? {
            Record::Slowed { until, .. } if now < *until => Some(*until - now),
            Record::Slowed { .. } | Record::Counted { .. } => None,
        }
    }

    /// A password was wrong, or nobody has that name.
    pub fn failed(&mut self, address: IpAddr, now: Instant) {
        let address = owner(address);
        let known = self.records.get(&address).copied();
        let known = known.filter(|record| now < record.forgotten_at());
        let next = match known {
            Some(record) => record.failed(now),
            None => Record::Counted {
                failures: 1,
                since: now,
            },
        };
        if known.is_none() && self.records.len() >= self.capacity {
            self.make_room(now);
        }
        if self.records.len() < self.capacity || self.records.contains_key(&address) {
            self.records.insert(address, next);
        }
    }

    fn make_room(&mut self, now: Instant) {
        self.records.retain(|_, record| now < record.forgotten_at());
        if self.records.len() < self.capacity {
            return;
        }
        let soonest = |(_, record): &(&IpAddr, &Record)| record.forgotten_at();
        if let Some((&address, _)) = self.records.iter().min_by_key(soonest) {
            self.records.remove(&address);
        }
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

/// One host may have every address of an IPv6 network of 64 bits.
fn owner(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const HERE: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 1));

    fn at(seconds: u64) -> Instant {
        Instant::from_secs(100_000 + seconds)
    }

    fn waits(attempts: &Attempts, seconds: u64) -> u64 {
        let wait = attempts.wait(HERE, at(seconds));
        wait.map_or(0, |wait| wait.as_secs())
    }

    #[test]
    fn five_failures_make_an_address_wait_and_each_further_one_twice_as_long() {
        let mut attempts = Attempts::new(8);
        for second in 0..4 {
            attempts.failed(HERE, at(second));
        }
        assert_eq!(waits(&attempts, 4), 0);
        attempts.failed(HERE, at(4));
        let (mut now, mut seen) = (4, Vec::new());
        for _ in 0..8 {
            let wait = waits(&attempts, now);
            seen.push(wait);
            attempts.failed(HERE, at(now));
            assert_eq!(waits(&attempts, now), wait, "one under way changes nothing");
            now += wait;
            assert_eq!(waits(&attempts, now), 0, "then it may try again");
            attempts.failed(HERE, at(now));
        }
        assert_eq!(seen, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
    }

    #[test]
    fn slips_that_are_far_apart_are_forgotten() {
        let mut attempts = Attempts::new(8);
        for slip in 0..40 {
            attempts.failed(HERE, at(slip * 151));
            assert_eq!(waits(&attempts, slip * 151), 0);
        }
        for second in 0..5 {
            attempts.failed(HERE, at(10_000 + second));
        }
        assert_eq!(waits(&attempts, 10_004), 60);
        attempts.failed(HERE, at(10_064 + 3600));
        assert_eq!(waits(&attempts, 10_064 + 3600), 0, "counted afresh");
    }

    #[test]
    fn an_ipv6_host_has_one_record_and_a_mapped_address_is_ipv4() {
        let mut attempts = Attempts::new(8);
        for host in 1..=5u16 {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 7, 0, 0, 0, host);
            attempts.failed(address.into(), at(0));
        }
        let other = Ipv6Addr::new(0x2001, 0xdb8, 0, 7, 9, 9, 9, 9).into();
        assert!(attempts.wait(other, at(1)).is_some());
        let next = Ipv6Addr::new(0x2001, 0xdb8, 0, 8, 0, 0, 0, 1).into();
        assert!(attempts.wait(next, at(1)).is_none());
        for _ in 0..5 {
            attempts.failed("::ffff:10.0.0.1".parse().expect("an address"), at(0));
        }
        assert_eq!(waits(&attempts, 0), 60);
        assert_eq!(attempts.len(), 2);
    }

    #[test]
    fn a_flood_of_addresses_does_not_free_one_that_waits() {
        let mut attempts = Attempts::new(16);
        for _ in 0..5 {
            attempts.failed(HERE, at(0));
        }
        for host in 0..1000u32 {
            attempts.failed(IpAddr::V4(host.into()), at(1));
        }
        assert_eq!(attempts.len(), 16);
        assert_eq!(waits(&attempts, 2), 58);
    }

    proptest! {
        /// Whatever comes: the table is bounded, no wait is longer than an hour, and
        /// no address has more than its free failures within ten minutes.
        #[test]
        fn guessing_is_slow(tries in proptest::collection::vec((0u8..6, 0u64..200), 1..400)) {
            let mut attempts = Attempts::new(4);
            let (mut now, mut hashed) = (0, Vec::new());
            for (host, pause) in tries {
                now += pause;
                let address = IpAddr::V4(u32::from(host).into());
                match attempts.wait(address, at(now)) {
                    Some(wait) => prop_assert!(wait <= LONGEST_WAIT),
                    None => {
                        attempts.failed(address, at(now));
                        hashed.push((host, now));
                    }
                }
                prop_assert!(attempts.len() <= 4);
            }
            if hashed.iter().all(|(host, _)| *host < 4) {
                for host in 0..4u8 {
                    let times: Vec<u64> = hashed.iter().filter(|(h, _)| *h == host).map(|(_, t)| *t).collect();
                    // Two windows may touch, and a wait of a minute and of two may fit in.
                    prop_assert!(times.windows(12).all(|w| w[11] - w[0] > WINDOW.as_secs()));
                }
            }
        }
    }
}
