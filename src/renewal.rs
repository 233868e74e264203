//! Whether a ranking has to be written to the card.
//!
//! Central publishes at least once a minute, mostly to say that nothing changed. Each of
//! these written down would be more than all the rest of a day together. So one that
//! says what the stored one says is routed by and not stored: after a power cut the
//! stored one does the same until central answers, and is not ten minutes older.

use smart_mining_core::{Duration, Instant};
use smart_mining_wire::Entry;

const LONGEST: Duration = Duration::from_secs(600);
/// Of a price, as a fraction: less than what routing asks for a change of the pool of one
/// coin (3 %), so that the stored ranking would choose alike. And of a margin.
const NOISE: f64 = 0.02;
const MARGIN_NOISE: f64 = 0.05;

/// What the newest stored snapshot says.
#[derive(Default)]
pub struct Stored(Option<(Vec<Entry>, Instant)>);

impl Stored {
    pub fn says(&self, entries: &[Entry], now: Instant) -> bool {
        self.0.as_ref().is_some_and(|(stored, at)| {
            now.saturating_duration_since(*at) < LONGEST
                && stored.len() == entries.len()
                && stored.iter().zip(entries).all(|(a, b)| is_alike(a, b))
        })
    }

    pub fn is(&mut self, entries: &[Entry], now: Instant) {
        self.0 = Some((entries.to_vec(), now));
    }
}

fn is_alike(a: &Entry, b: &Entry) -> bool {
    let change = (a.usd_per_hash_day - b.usd_per_hash_day).abs();
    a.coin == b.coin
        && a.algorithm == b.algorithm
        && a.pool == b.pool
        && change <= NOISE * a.usd_per_hash_day
        && (a.margin - b.margin).abs() <= MARGIN_NOISE
}

#[cfg(test)]
mod tests {
    use super::*;
    use smart_mining_wire::{Algorithm, PoolOffer};

    fn entry(pool: &str, usd: f64) -> Entry {
        Entry {
            coin: "BTC".to_owned(),
            algorithm: Algorithm::Sha256d,
            pool: PoolOffer {
                id: pool.to_owned(),
                url: format!("stratum+tcp://{pool}.example:3333"),
                fee: 0.01,
                scheme: "FPPS".to_owned(),
            },
            usd_per_hash_day: usd,
            margin: 0.02,
        }
    }

    #[test]
    fn what_says_the_same_is_stored_once_in_ten_minutes_and_any_news_at_once() {
        let at = |seconds: u64| Instant::from_secs(90_000 + seconds);
        let mut stored = Stored::default();
        let ranking = [entry("a", 4e-14), entry("b", 3e-14)];
        assert!(!stored.says(&ranking, at(0)), "nothing is stored yet");
        stored.is(&ranking, at(0));
        assert!(stored.says(&ranking, at(599)) && !stored.says(&ranking, at(600)));
        let noise = [entry("a", 4.05e-14), entry("b", 3e-14)];
        assert!(stored.says(&noise, at(60)));
        let mut dearer = ranking.clone();
        dearer[1].pool.fee = 0.02;
        for news in [
            vec![entry("a", 4.12e-14), entry("b", 3e-14)],
            vec![entry("a", 4e-14), entry("b", f64::NAN)],
            vec![entry("b", 3e-14), entry("a", 4e-14)],
            vec![entry("a", 4e-14)],
            dearer.to_vec(),
        ] {
            assert!(!stored.says(&news, at(60)), "{news:?}");
        }
    }
}
