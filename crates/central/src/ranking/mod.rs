//! From the picture and the pools' terms to what each pool pays for a hash.
//!
//! One row for each offer of a configured pool that enough is known of; the others
//! are told with what is missing. [`siblings`] refuses a coin that pays far more
//! than all others of its algorithm, unless two independent sources agree on it.
//!
//! ```text
//!   gross  = sum over the chain and those mined along: coins per hash and day x price
//!   usd    = the same after the pool's scheme and orphaned blocks, before its fee
//!   net    = usd x (1 - fee)
//! ```
//!
//! Stale shares are not part of it: they depend on the farm's own line, and each
//! farm measures them itself.

mod siblings;

use crate::collect::config::{OfferTerms, PoolTerms};
use crate::merge::{Chain, Picture, PoolFacts, Rejection, WorkEstimate};
use crate::profit::{self, Estimate, Income, Reward, Scheme, Terms, Work};
use crate::source::Subject;
use crate::source::catalog::catalog_name;
use smart_mining_wire::{Algorithm, Entry, PoolOffer};

/// What one pool pays for one coin.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub coin: String,
    pub pool: String,
    pub algorithm: Algorithm,
    pub url: String,
    /// The pool's own word where it gives one, else the configured fee.
    pub fee: f64,
    pub scheme: String,
    pub merged: Vec<String>,
    /// USD for one hash per second and day, before scheme, fee and orphans.
    pub gross_usd: f64,
    /// After scheme and orphans, before the fee.
    pub usd: f64,
    /// Coins of the main chain, after everything.
    pub net_coins: f64,
    pub margin: f64,
    /// Unix seconds of the oldest figure in it.
    pub observed: u64,
}

impl Row {
    pub fn net_usd(&self) -> f64 {
        self.usd * (1.0 - self.fee)
    }

    pub fn entry(&self) -> Entry {
        Entry {
            coin: self.coin.clone(),
            algorithm: self.algorithm,
            pool: PoolOffer {
                id: self.pool.clone(),
                url: self.url.clone(),
                fee: self.fee,
                scheme: self.scheme.clone(),
            },
            usd_per_hash_day: self.usd,
            margin: self.margin,
        }
    }
}

/// An offer that is not ranked, and what is missing for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Unranked {
    pub coin: String,
    pub pool: String,
    pub algorithm: Algorithm,
    pub why: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranking {
    /// In the order of coin, pool and algorithm.
    pub rows: Vec<Row>,
    pub unranked: Vec<Unranked>,
    pub rejections: Vec<Rejection>,
}

/// The order in which farms read a snapshot: best first within each algorithm, by
/// what is left after the fee; names break a tie.
pub fn in_order(mut entries: Vec<Entry>) -> Vec<Entry> {
    let net = |entry: &Entry| entry.usd_per_hash_day * (1.0 - entry.pool.fee);
    entries.sort_by(|a, b| {
        a.algorithm
            .name()
            .cmp(b.algorithm.name())
            .then_with(|| net(b).total_cmp(&net(a)))
            .then_with(|| (&a.pool.id, &a.coin).cmp(&(&b.pool.id, &b.coin)))
    });
    entries
}

/// Rank what the pools offer.
pub fn rank(picture: &Picture, pools: &[PoolTerms]) -> Ranking {
    let mut ranking = Ranking::default();
    let mut sums = Vec::new();
    for pool in pools {
        for offer in &pool.offers {
            match evaluate(picture, pool, offer) {
                Ok((row, sum)) => {
                    ranking.rows.push(row);
                    sums.push(sum);
                }
                Err(why) => ranking.unranked.push(Unranked {
                    coin: offer.coin.clone(),
                    pool: pool.id.clone(),
                    algorithm: offer.algorithm,
                    why,
                }),
            }
        }
    }
    let refused = siblings::refuse(&sums);
    for refusal in &refused {
        ranking.rejections.push(refusal.rejection());
    }
    let is_refused = |row: &Row| {
        let same = |it: &&siblings::Refusal| it.is_about(row.algorithm, &row.coin, &row.merged);
        refused.iter().find(same).map(siblings::Refusal::detail)
    };
    let (rows, unranked) = (&mut ranking.rows, &mut ranking.unranked);
    rows.retain(|row| match is_refused(row) {
        None => true,
        Some(why) => {
            unranked.push(Unranked {
                coin: row.coin.clone(),
                pool: row.pool.clone(),
                algorithm: row.algorithm,
                why,
            });
            false
        }
    });
    rows.sort_by(|a, b| {
        (&a.coin, &a.pool, a.algorithm.name()).cmp(&(&b.coin, &b.pool, b.algorithm.name()))
    });
    ranking
}

/// What one chain adds.
struct Part<'p> {
    chain: &'p Chain,
    price: Estimate,
    price_votes: usize,
    observed: u64,
}

impl Part<'_> {
    fn income(&self, coins: f64) -> Income {
        Income {
            coins: Estimate {
                value: coins,
                margin: self.chain.margin,
            },
            price_usd: self.price,
        }
    }

    /// Did two sources say each of the three figures?
    const fn is_confirmed(&self) -> bool {
        self.chain.work.confirmed >= 2 && self.chain.reward.confirmed >= 2 && self.price_votes >= 2
    }
}

fn part<'p>(picture: &'p Picture, coin: &str, algorithm: &str) -> Result<Part<'p>, String> {
    let key = (coin.to_owned(), algorithm.to_owned());
    let Some(chain) = picture.chains.get(&key) else {
        let missing = picture.incomplete.get(&key);
        let missing = missing.map_or("no source told of this chain", |missing| *missing);
        return Err(format!("{coin}: {missing}"));
    };
    let price = picture
        .prices
        .get(coin)
        .ok_or_else(|| format!("{coin}: no price"))?;
    Ok(Part {
        chain,
        price: Estimate {
            value: price.usd,
            margin: price.margin,
        },
        price_votes: price.sources.len(),
        observed: price
            .observed
            .min(chain.work.received)
            .min(chain.reward.received),
    })
}

fn evaluate(
    picture: &Picture,
    pool: &PoolTerms,
    offer: &OfferTerms,
) -> Result<(Row, siblings::Sum), String> {
    let algorithm = catalog_name(offer.algorithm);
    let key = (pool.id.clone(), offer.coin.clone(), algorithm.to_owned());
    let own = picture.pools.get(&key);
    if let Some(rule) = own.and_then(|facts| facts.refused) {
        return Err(format!(
            "{}: the pool's figures are refused: {rule}",
            offer.coin
        ));
    }
    let terms = terms(offer, own)?;
    let main = part(picture, &offer.coin, algorithm)?;
    let mut parts = vec![main];
    for coin in &offer.merged {
        // The main chain alone is a true lower bound while this one is unknown.
        if let Ok(more) = part(picture, coin, algorithm) {
            parts.push(more);
        }
    }
    let unsound = || format!("{}: figures that earn nothing or everything", offer.coin);
    let gross: Vec<Income> = parts
        .iter()
        .map(|part| part.income(part.chain.coins_per_hash_day))
        .collect();
    let gross = profit::usd(&gross).ok_or_else(unsound)?;
    let paid = parts
        .iter()
        .map(|part| Some(part.income(paid_coins(part.chain, &terms)?)))
        .collect::<Option<Vec<Income>>>()
        .ok_or_else(unsound)?;
    let usd = profit::usd(&paid).ok_or_else(unsound)?;
    let fee = own.and_then(|facts| facts.fee).unwrap_or(offer.fee);
    let row = Row {
        coin: offer.coin.clone(),
        pool: pool.id.clone(),
        algorithm: offer.algorithm,
        url: offer.url.clone(),
        fee,
        scheme: offer.scheme.clone(),
        merged: offer.merged.clone(),
        gross_usd: gross.value,
        usd: usd.value,
        net_coins: paid[0].coins.value * (1.0 - fee),
        margin: usd.margin,
        observed: parts.iter().map(|part| part.observed).min().unwrap_or(0),
    };
    let sum = siblings::Sum {
        algorithm: offer.algorithm,
        coin: offer.coin.clone(),
        merged: offer.merged.clone(),
        usd: gross.value,
        confirmed: is_confirmed(&parts, gross.value),
    };
    Ok((row, sum))
}

/// A chain that adds less than this share decides nothing.
const MATTERS: f64 = 0.1;

/// Did two sources say each figure of the chains that matter?
fn is_confirmed(parts: &[Part<'_>], total: f64) -> bool {
    let usd = |part: &Part<'_>| part.chain.coins_per_hash_day * part.price.value;
    let mut that_matter = parts.iter().filter(|part| usd(part) >= MATTERS * total);
    that_matter.all(Part::is_confirmed)
}

/// The fee is not taken here: the ranking carries it beside the figure.
fn terms(offer: &OfferTerms, own: Option<&PoolFacts>) -> Result<Terms, String> {
    let scheme = Scheme::parse(&offer.scheme).ok_or_else(|| {
        format!(
            "{}: the payment scheme {:?} is not known",
            offer.coin, offer.scheme
        )
    })?;
    Ok(Terms {
        scheme,
        fee: 0.0,
        stale: 0.0,
        orphan: own.and_then(|facts| facts.orphan_rate).unwrap_or(0.0),
    })
}

fn paid_coins(chain: &Chain, terms: &Terms) -> Option<f64> {
    let WorkEstimate {
        hashes_per_block, ..
    } = chain.work;
    let work = Work::Network {
        hashrate: hashes_per_block,
        block_time: 1.0,
    };
    let reward = Reward {
        subsidy: chain.reward.subsidy,
        fees: chain.reward.fees,
    };
    profit::net(work, reward, terms)
}

fn chain_subject(coin: &str, algorithm: Algorithm) -> Subject {
    Subject::Chain {
        coin: coin.to_owned(),
        algorithm: catalog_name(algorithm).to_owned(),
    }
}

#[cfg(test)]
mod tests;
