//! What a pool says of itself.
//!
//! - `more-than-the-network`: a pool that counts more hashes than the whole network
//!   has: one of the two is wrong, and what rests on either would be.
//! - `whole-network`: as many as the network to a thousandth: the sign of a dead
//!   coin, whose figures come from one place.

use super::{Book, Rejection, Seen, age};
use crate::source::{Fact, Subject};

const MORE: f64 = 1.3;
const EQUAL: f64 = 1e-3;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolFacts {
    pub fee: Option<f64>,
    pub orphan_rate: Option<f64>,
    pub hashrate: Option<f64>,
    /// Why nothing of this pool may be ranked for this coin.
    pub refused: Option<&'static str>,
}

pub fn facts(
    book: &Book,
    subject: &Subject,
    network: Option<f64>,
    now: u64,
    rejections: &mut Vec<Rejection>,
) -> PoolFacts {
    let newest = |fact| -> Option<(String, Seen)> {
        book.newest(subject, fact)
            .into_iter()
            .filter(|(_, seen)| !age::of(fact, seen, now).is_gone())
            .max_by_key(|(source, seen)| (seen.observed(), std::cmp::Reverse(*source)))
            .map(|(source, seen)| (source.to_owned(), seen))
    };
    let fraction = |fact| {
        let (_, seen) = newest(fact)?;
        (0.0..1.0).contains(&seen.value).then_some(seen.value)
    };
    let hashrate = newest(Fact::PoolHashrate);
    let mut refused = None;
    if let (Some((source, seen)), Some(network)) = (&hashrate, network) {
        let share = seen.value / network;
        refused = if share > MORE {
            Some("more-than-the-network")
        } else if (share - 1.0).abs() < EQUAL {
            Some("whole-network")
        } else {
            None
        };
        if let Some(rule) = refused {
            let value = seen.value.to_string();
            let detail = format!("{share:.3} of the network's {network:e} hashes a second");
            rejections.push(Rejection::new(
                source,
                subject,
                "PoolHashrate",
                rule,
                value,
                detail,
            ));
        }
    }
    PoolFacts {
        fee: fraction(Fact::PoolFee),
        orphan_rate: fraction(Fact::OrphanRate),
        hashrate: hashrate.map(|(_, seen)| seen.value),
        refused,
    }
}
