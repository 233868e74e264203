//! Pools and markets of hashrate: what they say of themselves, of their nodes,
//! and what they offer for a hash.
//!
//! - What is advertised is an offer of whoever advertises it. It stands on a
//!   pool or a market, never on a coin: a pool that promises three times what
//!   the chain can pay does not make the coin worth more.
//! - A fee is a percentage in one service and a fraction in another; here it is
//!   a fraction.
//! - Luck is written as shares per expected shares or the other way round, as a
//!   ratio or in percent; here it is effort, above 1 is unlucky.
//! - A pool counts miners or connections, whichever it knows; both are
//!   [`Fact::PoolMiners`].
//!
//! One file per service; [`ALL`] lists them. [`open_ethereum`] holds the shapes of
//! the software that several pools run.

pub mod braiins;
pub mod ckpool;
pub mod f2pool;
pub mod herominers;
pub mod luxor;
pub mod miningpoolhub;
pub mod nanopool;
pub mod nicehash;
pub mod ocean;
pub mod open_ethereum;
pub mod prohashing;
pub mod public_pool;
pub mod two_miners;
pub mod units;
pub mod viabtc;
pub mod yiimp;

use super::chain::ratio;
use super::{
    Answer, Catalog, Coin, Decimal, Fact, Num, Parsed, Request, Settings, Source, SourceError,
    Subject,
};
use super::{answer::excerpt, chain, number::shifted, rows::Text, stated};
use bigdecimal::One;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

pub static ALL: [&dyn Source; 16] = [
    &two_miners::TwoMiners,
    &herominers::HeroMiners,
    &nanopool::Nanopool,
    &nicehash::NiceHash,
    &yiimp::ZPOOL,
    &yiimp::ZERGPOOL,
    &braiins::Braiins,
    &miningpoolhub::MiningPoolHub,
    &ckpool::CkPool,
    &public_pool::PublicPool,
    &ocean::Ocean,
    &open_ethereum::OpenEthereum,
    &prohashing::ProHashing,
    &f2pool::F2Pool,
    &luxor::Luxor,
    &viabtc::ViaBtc,
];

/// Luck over fewer blocks than this says nothing: n blocks scatter by 1/sqrt(n).
const BLOCKS_FOR_EFFORT: u64 = 16;

const UNSCALED: &str = "no factor that tells what its prices are per";
const SAME_AS_NETWORK: &str = "the pool's hashrate is the network's: perhaps a dead coin";
const ANSWERS_OTHER: &str = "not what was asked for";

/// What a pool's answer about one coin speaks of.
struct Place<'a> {
    coin: &'a Coin,
    pool: Subject,
    chain: Subject,
}

impl<'a> Place<'a> {
    fn new(pool: &str, coin: &'a Coin, algorithm: &str) -> Self {
        Self {
            coin,
            pool: Subject::Pool {
                pool: pool.to_owned(),
                coin: coin.id.clone(),
                algorithm: algorithm.to_owned(),
            },
            chain: chain::subject(coin, algorithm),
        }
    }

    /// Of the coin that was asked about, which must have one algorithm.
    fn of(pool: &str, about: &str, catalog: &'a Catalog) -> Result<Self, SourceError> {
        let coin = chain::coin(about, catalog)?;
        let chain = chain::only(coin)?;
        let algorithm = coin.only_algorithm().unwrap_or_default();
        Ok(Self {
            chain,
            ..Self::new(pool, coin, algorithm)
        })
    }
}

fn market(name: &str, algorithm: &str) -> Subject {
    Subject::Market {
        market: name.to_owned(),
        algorithm: algorithm.to_owned(),
    }
}

#[derive(Deserialize)]
struct Complaint {
    #[serde(default)]
    error: Text,
}

/// A body that must be one JSON object, and not one that only complains.
fn object<T: DeserializeOwned>(answer: &Answer<'_>) -> Result<T, SourceError> {
    answer.check_status()?;
    let text = answer.text()?;
    if !text.starts_with('{') {
        let words = format!("no object: {}", excerpt(text));
        return Err(SourceError::Malformed(words));
    }
    let malformed = |error: serde_json::Error| SourceError::Malformed(error.to_string());
    let complaint: Complaint = serde_json::from_str(text).map_err(malformed)?;
    match complaint.error.as_str() {
        "" | "false" | "0" => serde_json::from_str(text).map_err(malformed),
        words => Err(SourceError::Service(excerpt(words))),
    }
}

/// An answer of which nothing could be read was not the one that was expected.
fn not_empty(parsed: Parsed) -> Result<Parsed, SourceError> {
    if parsed.observations.is_empty() && parsed.unmapped.is_empty() {
        let words = "no field of the expected ones".to_owned();
        return Err(SourceError::Malformed(words));
    }
    Ok(parsed)
}

/// 1 percent is 0.01; more than all of it is no percentage.
fn percent(value: &Num) -> Option<Decimal> {
    shifted(value.not_negative(), -2).filter(|fraction| *fraction <= Decimal::one())
}

/// The orphaned share of `blocks`, drawn towards the middle where they are few.
fn orphan_rate(orphaned: Decimal, blocks: u64) -> Option<Decimal> {
    let some = blocks > 0 && orphaned <= blocks;
    let half = Decimal::new(5.into(), 1);
    ratio(Some(orphaned + half), Some(Decimal::from(blocks) + 1)).filter(|_| some)
}

fn mean(values: &[Decimal]) -> Option<Decimal> {
    let sum: Decimal = values.iter().sum();
    ratio(Some(sum), Some(Decimal::from(values.len() as u64)))
}

/// Some builds of one software write seconds and some milliseconds.
fn seconds_or_milliseconds(value: &Num, now: u64) -> Option<u64> {
    stated::seconds(value, now).or_else(|| stated::milliseconds(value, now))
}

/// The coins to ask for that the service has, and what it calls them.
fn wanted<'a>(
    service: &'static str,
    settings: &'a Settings,
    catalog: &'a Catalog,
) -> impl Iterator<Item = (&'a Coin, &'a str)> {
    let coins = settings.about.iter().filter_map(|id| catalog.coin(id));
    coins.filter_map(move |coin| Some((coin, coin.ids.get(service)?.as_str())))
}

/// An address with the service's name of the coin in place of `{coin}`.
fn coin_url(settings: &Settings, public: &str, coin: &str, path: &str) -> String {
    let base = settings.url.as_deref().unwrap_or(public);
    format!("{}{path}", base.trim_end_matches('/')).replace("{coin}", coin)
}

fn get(kind: &'static str, about: &str, url: String, every: u64) -> Request {
    Request {
        kind,
        about: about.to_owned(),
        url,
        headers: Vec::new(),
        body: None,
        every: Duration::from_secs(every),
        network: None,
    }
}

#[cfg(test)]
mod testing {
    use super::*;

    pub const NOW: u64 = 1_900_000_000;

    pub fn parse_at(
        source: &dyn Source,
        (kind, about, url): (&'static str, &str, &str),
        status: u16,
        body: &str,
    ) -> Result<Parsed, SourceError> {
        let answer = Answer {
            status,
            headers: &[],
            body: body.as_bytes(),
        };
        let request = get(kind, about, url.to_owned(), 60);
        source.parse(&request, &answer, Catalog::built_in(), NOW)
    }

    pub fn parse(source: &dyn Source, kind: &'static str, about: &str, body: &str) -> Parsed {
        parse_at(source, (kind, about, ""), 200, body).expect("a good answer")
    }

    pub fn fails(source: &dyn Source, kind: &'static str, about: &str, body: &str) -> SourceError {
        parse_at(source, (kind, about, ""), 200, body).expect_err("a bad answer")
    }

    /// Each observation as `subject fact value`, with `@time` where it is dated.
    pub fn lines(parsed: &Parsed) -> Vec<String> {
        parsed
            .observations
            .iter()
            .map(|o| {
                let subject = match &o.subject {
                    Subject::Coin { coin } => coin.clone(),
                    Subject::Chain { coin, algorithm } => format!("{coin}/{algorithm}"),
                    Subject::Pool {
                        coin, algorithm, ..
                    } => format!("pool {coin}/{algorithm}"),
                    Subject::Market { algorithm, .. } => format!("market {algorithm}"),
                };
                let value = o.value.normalized().to_plain_string();
                let at = o.at.map(|at| format!(" @{at}")).unwrap_or_default();
                format!("{subject} {:?} {value}{at}", o.fact)
            })
            .collect()
    }

    pub fn left_out(parsed: &Parsed) -> Vec<&str> {
        parsed
            .unmapped
            .iter()
            .map(|row| row.name.as_str())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_source_has_its_own_name() {
        let names: BTreeSet<&str> = ALL.iter().map(|source| source.name()).collect();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn few_blocks_do_not_make_a_rate() {
        let rate = |orphaned: u64, blocks| orphan_rate(orphaned.into(), blocks);
        assert_eq!(rate(0, 0), None);
        assert_eq!(rate(3, 2), None);
        assert_eq!(rate(0, 1), "0.25".parse().ok());
        assert_eq!(rate(1, 99), "0.015".parse().ok());
    }

    #[test]
    fn a_percentage_is_a_fraction_exactly() {
        assert_eq!(percent(&Num::of_text("0.9")), "0.009".parse().ok());
        assert_eq!(percent(&Num::of_text("0")), Some(Decimal::from(0)));
        assert_eq!(percent(&Num::of_text("-1")), None);
        assert_eq!(percent(&Num::of_text("250")), None);
    }

    #[test]
    fn what_is_no_object_or_only_complains_is_an_error() {
        let read = |body: &str| {
            object::<super::super::rows::NamedRows>(&Answer {
                status: 200,
                headers: &[],
                body: body.as_bytes(),
            })
        };
        assert!(matches!(read("[1]"), Err(SourceError::Malformed(_))));
        assert!(matches!(
            read("{\"error\":\"no\"}"),
            Err(SourceError::Service(_))
        ));
        assert!(read("{\"error\":null}").is_ok());
        assert!(read("{\"error\":false}").is_ok());
    }
}
