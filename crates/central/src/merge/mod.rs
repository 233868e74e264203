//! From what many sources said to one picture of each chain, coin and pool.
//!
//! ```text
//!   Heard --> book: the last good answer to each question, aging
//!                |
//!                +--> price    median of the markets' quotes
//!                +--> work     hashes for a block: own node > explorer > pool > calculator
//!                +--> reward   what a block pays, subsidy and fees apart
//!                +--> pools    fee, orphans, hashrate, as the pool itself says
//!                |
//!                `--> Picture, and a Rejection for every value that was not used
//! ```
//!
//! Pure: the same answers and the same `now` give the same picture, to the last
//! bit. Values of one answer stay together where they only mean something together
//! (a network hashrate and the block time it was computed with). What a pool or a
//! market promises is kept apart ([`Picture::advertised`]) and never becomes a
//! coin's revenue.
//!
//! A value grows old in two steps ([`age`]): fresh values go before all others,
//! whoever said them; an old one is used while there is no better, with a margin
//! that grows; then it is dropped.

pub mod age;
pub mod authority;
pub mod book;
mod pools;
mod price;
mod reward;
mod work;

pub use book::{Book, Seen};
pub use pools::PoolFacts;
pub use price::Price;
pub use reward::RewardEstimate;
pub use work::WorkEstimate;

use crate::profit::{self, Reward, Work};
use crate::source::{Catalog, Fact, Subject};
use std::collections::BTreeMap;

/// A value that was not used, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection {
    pub source: String,
    pub coin: String,
    pub algorithm: String,
    pub pool: String,
    pub fact: String,
    /// A name that programs can tell rules apart by.
    pub rule: &'static str,
    pub value: String,
    /// For a person: what it was held against.
    pub detail: String,
}

impl Rejection {
    pub fn new(
        source: &str,
        subject: &Subject,
        fact: impl Into<String>,
        rule: &'static str,
        value: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        let (coin, algorithm, pool) = parts(subject);
        Self {
            source: source.to_owned(),
            coin: coin.to_owned(),
            algorithm: algorithm.to_owned(),
            pool: pool.to_owned(),
            fact: fact.into(),
            rule,
            value: value.into(),
            detail: detail.into(),
        }
    }
}

/// Coin, algorithm and pool (or market) of a subject; empty where it has none.
pub fn parts(subject: &Subject) -> (&str, &str, &str) {
    match subject {
        Subject::Coin { coin } => (coin, "", ""),
        Subject::Chain { coin, algorithm } => (coin, algorithm, ""),
        Subject::Pool {
            pool,
            coin,
            algorithm,
        } => (coin, algorithm, pool),
        Subject::Market { market, algorithm } => ("", algorithm, market),
    }
}

/// What is known of one chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    pub work: WorkEstimate,
    pub reward: RewardEstimate,
    /// Hashes per second: the work over the time that the chain aims at for a block.
    pub network_hashrate: f64,
    /// Coins for one hash per second and day, before any pool.
    pub coins_per_hash_day: f64,
    pub margin: f64,
}

/// An offer or a payout as somebody publishes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Advertised {
    pub source: String,
    pub place: String,
    pub coin: String,
    pub algorithm: String,
    pub fact: Fact,
    pub value: f64,
    pub at: u64,
}

/// (coin, algorithm), the algorithm as the catalog names it.
pub type ChainKey = (String, String);
/// (pool, coin, algorithm)
pub type PoolKey = (String, String, String);

/// All that is known at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    pub prices: BTreeMap<String, Price>,
    pub chains: BTreeMap<ChainKey, Chain>,
    pub pools: BTreeMap<PoolKey, PoolFacts>,
    pub advertised: Vec<Advertised>,
    pub rejections: Vec<Rejection>,
    /// Chains that something is known of, but not enough, and what is missing.
    pub incomplete: BTreeMap<ChainKey, &'static str>,
}

/// Put together what the book holds at `now` (Unix seconds).
pub fn merge(book: &Book, catalog: &Catalog, now: u64) -> Picture {
    let mut picture = Picture {
        prices: price::all(book, now),
        ..Picture::default()
    };
    for price in picture.prices.values_mut() {
        picture.rejections.append(&mut price.rejected);
    }
    for subject in book.chains() {
        add_chain(&mut picture, book, catalog, subject, now);
    }
    for subject in book.pools() {
        let (coin, algorithm, pool) = parts(subject);
        let chain = (coin.to_owned(), algorithm.to_owned());
        let network = picture.chains.get(&chain).map(|it| it.network_hashrate);
        let facts = pools::facts(book, subject, network, now, &mut picture.rejections);
        let key = (pool.to_owned(), chain.0, chain.1);
        picture.pools.insert(key, facts);
    }
    picture.advertised = advertised(book, now);
    picture
}

fn add_chain(picture: &mut Picture, book: &Book, catalog: &Catalog, subject: &Subject, now: u64) {
    let (coin_id, algorithm, _) = parts(subject);
    let Some(coin) = catalog.coin(coin_id) else {
        return;
    };
    let key = (coin_id.to_owned(), algorithm.to_owned());
    let place = work::Place {
        book,
        subject,
        block_time: coin.block_time,
        hashes_per_difficulty: catalog.hashes_per_difficulty(algorithm),
        now,
    };
    let rejections = &mut picture.rejections;
    let work = work::estimate(&place, rejections);
    let reward = reward::estimate(book, subject, now, rejections);
    // Emission and hashrate of one answer, where difficulty and reward are not to be had.
    let (work, reward) = match (work, reward) {
        (Some(work), Some(reward)) => (work, reward),
        (work, reward) => match reward::by_emission(&place) {
            Some(pair) => pair,
            None => {
                let missing = match (work, reward) {
                    (None, None) => "neither difficulty nor reward",
                    (None, Some(_)) => "no difficulty, and no hashrate with its block time",
                    (Some(_), None | Some(_)) => "no reward of a block",
                };
                picture.incomplete.insert(key, missing);
                return;
            }
        },
    };
    let form = Work::Network {
        hashrate: work.hashes_per_block,
        block_time: 1.0,
    };
    let paid = Reward {
        subsidy: reward.subsidy,
        fees: reward.fees,
    };
    let Some(coins_per_hash_day) = profit::gross(form, paid) else {
        picture.incomplete.insert(key, "figures that no chain has");
        return;
    };
    let chain = Chain {
        network_hashrate: work.hashes_per_block / coin.block_time,
        margin: work.margin.hypot(reward.margin).min(1.0),
        coins_per_hash_day,
        work,
        reward,
    };
    picture.chains.insert(key, chain);
}

const ADVERTISED: [Fact; 5] = [
    Fact::OfferBtcPerHashDay,
    Fact::PaidBtcPerHashDay,
    Fact::OfferUsdPerHashDay,
    Fact::OfferCoinPerHashDay,
    Fact::PaidCoinPerHashDay,
];

/// The newest statement of each kind, while it is of use.
fn advertised(book: &Book, now: u64) -> Vec<Advertised> {
    let mut newest: BTreeMap<(String, &Subject, Fact), Seen> = BTreeMap::new();
    for (source, subject, fact, seen) in book.all() {
        if !ADVERTISED.contains(&fact) || age::of(fact, seen, now).is_gone() {
            continue;
        }
        let held = newest.entry((source.to_owned(), subject, fact));
        let held = held.or_insert(*seen);
        if seen.observed() > held.observed() {
            *held = *seen;
        }
    }
    newest
        .into_iter()
        .map(|((source, subject, fact), seen)| {
            let (coin, algorithm, place) = parts(subject);
            let place = if place.is_empty() { &source } else { place };
            Advertised {
                place: place.to_owned(),
                coin: coin.to_owned(),
                algorithm: algorithm.to_owned(),
                fact,
                value: seen.value,
                at: seen.observed(),
                source,
            }
        })
        .collect()
}

/// The middle value, or the mean of the two in the middle. Sorts `values`.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => values.get(middle).copied(),
        _ => Some((values.get(middle - 1)? + values.get(middle)?) / 2.0),
    }
}

/// How many times one is the other, 1 or more.
pub(crate) fn times_apart(a: f64, b: f64) -> f64 {
    (a / b).max(b / a)
}

#[cfg(test)]
mod tests;
