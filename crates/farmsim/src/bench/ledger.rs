//! Every share of a run: who sent it when, what the pool did, what the miner heard.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::scan;

/// Share ids start here; the handshake uses the ones below.
const FIRST_ID: u64 = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Waiting,
    Yes,
    No,
}

#[derive(Debug)]
struct Share {
    sent: Instant,
    took: Duration,
    miner: u32,
    verdict: Verdict,
    accepted: bool,
    /// The proxy may judge it alone: the pool asked for more.
    below: bool,
}

/// Shares are numbered in the order of sending. The number is the id of the
/// request and, shifted, the nonce: so the pool's side and the miner's side of
/// one share find each other through any proxy.
#[derive(Debug, Default)]
pub struct Ledger {
    shares: Vec<Share>,
    pub answered: usize,
    /// Answers that reached another miner than the one that asked.
    pub strays: usize,
    /// The first answer that was no yes, word for word.
    pub refusal: Option<String>,
}

/// What became of the shares of a step.
#[derive(Debug, Default, Clone)]
pub struct Outcome {
    pub sent: usize,
    pub answered: usize,
    pub refused: usize,
    /// Sorted.
    pub took: Vec<Duration>,
}

impl Outcome {
    pub fn good(&self) -> usize {
        self.answered - self.refused
    }
}

impl Ledger {
    pub fn len(&self) -> usize {
        self.shares.len()
    }

    pub fn send(&mut self, miner: u32, sent: Instant, below: bool) {
        self.shares.push(Share {
            sent,
            took: Duration::ZERO,
            miner,
            verdict: Verdict::Waiting,
            accepted: false,
            below,
        });
    }

    pub fn id(number: usize) -> u64 {
        FIRST_ID + number as u64
    }

    /// The nonces of a share; 256 to search among.
    pub fn first_nonce(number: usize) -> u32 {
        u32::try_from(number & 0x00ff_ffff).unwrap_or(0) << 8
    }

    pub fn pool_accepted(&mut self, nonce: u32) {
        if let Some(share) = self.shares.get_mut((nonce >> 8) as usize) {
            share.accepted = true;
        }
    }

    /// A miner was answered with `line`.
    pub fn miner_heard(&mut self, miner: u32, id: u64, line: &[u8], now: Instant) {
        let number = id.checked_sub(FIRST_ID).map(usize::try_from);
        let Some(Ok(number)) = number else { return };
        let Some(share) = self.shares.get_mut(number) else {
            return;
        };
        if share.miner != miner {
            self.strays += 1;
            return;
        }
        if share.verdict == Verdict::Waiting {
            let result = scan::after(line, b"\"result\"");
            share.verdict = if result.is_some_and(|value| value.starts_with(b"true")) {
                Verdict::Yes
            } else {
                self.refusal
                    .get_or_insert_with(|| String::from_utf8_lossy(line).into_owned());
                Verdict::No
            };
            share.took = now.saturating_duration_since(share.sent);
            self.answered += 1;
        }
    }

    /// Shares that a miner was told are good, that no pool accepted, and that
    /// were not the proxy's to judge.
    pub fn lies(&self) -> usize {
        self.shares
            .iter()
            .filter(|share| share.verdict == Verdict::Yes && !share.accepted && !share.below)
            .count()
    }

    pub fn outcome(&self, range: Range<usize>) -> Outcome {
        let mut outcome = Outcome::default();
        for share in &self.shares[range] {
            outcome.sent += 1;
            match share.verdict {
                Verdict::Waiting => continue,
                Verdict::Yes => {}
                Verdict::No => outcome.refused += 1,
            }
            outcome.answered += 1;
            outcome.took.push(share.took);
        }
        outcome.took.sort_unstable();
        outcome
    }
}

/// The value that `part` of the sorted ones do not exceed.
pub fn percentile(sorted: &[Duration], part: f64) -> Option<Duration> {
    let last = sorted.len().checked_sub(1)?;
    let at = (last as f64 * part).round() as usize;
    sorted.get(at.min(last)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yes_without_the_pool_is_a_lie() {
        let mut ledger = Ledger::default();
        let now = Instant::now();
        for below in [false, false, true] {
            ledger.send(7, now, below);
        }
        ledger.pool_accepted(Ledger::first_nonce(0) + 3);
        for number in 0..3 {
            ledger.miner_heard(7, Ledger::id(number), br#"{"result":true}"#, now);
        }
        ledger.miner_heard(8, Ledger::id(0), b"{}", now);
        assert_eq!((ledger.lies(), ledger.strays, ledger.answered), (1, 1, 3));
        assert_eq!(ledger.outcome(0..2).answered, 2);
    }

    #[test]
    fn percentiles() {
        let list: Vec<_> = (1..=101).map(Duration::from_millis).collect();
        assert_eq!(percentile(&list, 0.5), Some(Duration::from_millis(51)));
        assert_eq!(percentile(&list, 1.0), Some(Duration::from_millis(101)));
        assert_eq!(percentile(&[], 0.5), None);
    }
}
