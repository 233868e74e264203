//! Sources: what the outside world says, and how to read it.
//!
//! A source is one service with one file here. It says what to ask
//! ([`Source::requests`]) and reads an answer ([`Source::parse`]); it opens no
//! socket, knows no clock and keeps no state. Sending, time-outs, retries and
//! budgets are the transport's.
//!
//! ```text
//!   Request --transport--> Answer --parse--> Parsed { observations, unmapped }
//!                                       `--> SourceError, typed
//! ```
//!
//! - [`number`]: numbers as services write them, read without loss; what means
//!   "no data" is absent, field by field.
//! - [`answer`]: an HTTP answer; what is no JSON at all is a typed error.
//! - [`catalog`]: our own coins and algorithms, and what each service calls them.
//!   A row that the catalog does not know is reported, never guessed.
//! - [`rows`], [`stated`], [`address`]: what parsers share.
//! - [`market`]: prices. [`calculator`]: difficulty, reward and hashrate as
//!   others work them out.
//! - [`rpc`], [`explorer`]: chains, as nodes and explorers tell of them; what these
//!   share is in [`chain`]. [`pool`]: pools and markets of hashrate.

pub mod address;
pub mod answer;
pub mod calculator;
pub mod catalog;
pub mod chain;
pub mod explorer;
pub mod market;
pub mod number;
pub mod pool;
pub mod registry;
pub mod rows;
pub mod rpc;
pub mod stated;
#[cfg(test)]
mod testing;

pub use answer::{Answer, SourceError};
pub use catalog::{Catalog, Coin};
pub use number::{Decimal, Num};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// One value that a source stated, in SI base units: hashes per second (or
/// solutions, graphs), seconds, whole coins, US dollars, fractions.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    pub subject: Subject,
    pub fact: Fact,
    pub value: Decimal,
    /// Unix seconds, if the source says when it was true.
    pub at: Option<u64>,
}

/// What a value is about. Coins and algorithms are the catalog's, never a ticker.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A coin as such: its price.
    Coin { coin: String },
    /// A chain under one algorithm: difficulty, reward. Some coins have several.
    Chain { coin: String, algorithm: String },
    /// What a pool says of itself for one chain.
    Pool {
        pool: String,
        coin: String,
        algorithm: String,
    },
    /// A market or a pool that pays per hash whatever it mines: an offer, not a
    /// coin's revenue.
    Market { market: String, algorithm: String },
}

/// What kind of value. The unit stands with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Fact {
    /// USD for one coin (or USDT where the market has nothing else).
    PriceUsd,
    /// BTC for one coin.
    PriceBtc,
    /// As the node reports it.
    Difficulty,
    /// Hashes per second.
    NetworkHashrate,
    /// Seconds between blocks, observed.
    BlockTime,
    /// Coins a block pays the miner: subsidy share and fees.
    BlockReward,
    /// Coins of the miner's subsidy share alone.
    Subsidy,
    /// Coins of fees a block, averaged over many.
    FeesPerBlock,
    /// Coins of fees of one block: a sample to be averaged, no average.
    BlockFees,
    Height,
    /// Unix seconds of the newest block.
    TipTime,
    /// Hashes per second at the pool.
    PoolHashrate,
    /// Fraction.
    PoolFee,
    PoolMiners,
    /// Shares per expected shares over recent blocks; above 1 is unlucky.
    PoolEffort,
    /// Fraction of the pool's recent blocks that were orphaned.
    OrphanRate,
    /// Unix seconds of the pool's newest block.
    PoolLastBlock,
    /// Hashes per second of an account of ours, as the pool counts them.
    AccountHashrate,
    /// Coins per hash per second and day that an account of ours earned yesterday.
    PaidCoinPerHashDay,
    /// Hashes per second that one price of a market's order book is for.
    MarketUnit,
    /// BTC per hash per second and day, as offered or promised.
    OfferBtcPerHashDay,
    /// The same as paid over the last day.
    PaidBtcPerHashDay,
    /// USD per hash per second and day, as published.
    OfferUsdPerHashDay,
    /// Coins per hash per second and day, as published.
    OfferCoinPerHashDay,
    /// Coins that a whole network pays its miners in a day, as published.
    CoinsPerDay,
    /// USD for all coins there are.
    MarketCapUsd,
    /// USD that changed hands in a day: how much of the coin can be sold.
    VolumeUsdDay,
}

/// What one answer held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    pub observations: Vec<Observation>,
    /// Rows that the catalog does not know, or that are marked unusable.
    pub unmapped: Vec<Unmapped>,
}

/// A row that was left out, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmapped {
    /// The source's own name of the row.
    pub name: String,
    pub why: &'static str,
}

impl Parsed {
    /// Take a value if there is one.
    pub fn push(&mut self, subject: &Subject, fact: Fact, value: Option<Decimal>, at: Option<u64>) {
        if let Some(value) = value {
            self.observations.push(Observation {
                subject: subject.clone(),
                fact,
                value,
                at,
            });
        }
    }

    pub fn leave_out(&mut self, name: impl Into<String>, why: &'static str) {
        self.unmapped.push(Unmapped {
            name: name.into(),
            why,
        });
    }
}

/// One question. `kind` tells [`Source::parse`] which of the source's shapes the
/// answer will have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub kind: &'static str,
    /// What it is about, where one shape serves many (a coin id, a pool id).
    pub about: String,
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    /// A JSON body makes it a POST.
    pub body: Option<String>,
    /// Ask again after this.
    pub every: Duration,
    /// The private chain that an own node must be on (`regtest`); none: the main
    /// network.
    pub network: Option<String>,
}

/// What a service allows, as documented.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Requests that may be sent at once, and how many a minute are allowed.
    pub burst: u32,
    pub per_minute: f64,
}

/// Settings of one source from the aggregator's configuration.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The service's address, if not its public one (an own node, a test).
    pub url: Option<String>,
    pub key: Option<String>,
    /// Coins or pools to ask for, where the source needs to be told.
    pub about: Vec<String>,
    pub more: BTreeMap<String, String>,
}

/// One service.
pub trait Source: Sync {
    fn name(&self) -> &'static str;
    fn budget(&self) -> Budget;
    /// Without a key in its settings such a source is skipped, and says so once.
    fn needs_key(&self) -> bool {
        false
    }
    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request>;
    /// Questions that only a good answer to one of [`Self::requests`] makes possible:
    /// blocks of a height. One takes the place of an earlier one with the same `kind`
    /// and `about`, and like any other is asked no sooner than `every` after the last
    /// time. Its own answer is followed up by nothing.
    fn follow_up(&self, _: &Settings, _: &Catalog, _: &Parsed) -> Vec<Request> {
        Vec::new()
    }
    /// Pure: the same answer always gives the same result. `now` (Unix seconds)
    /// is only for judging a time that the answer itself states.
    fn parse(
        &self,
        request: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        now: u64,
    ) -> Result<Parsed, SourceError>;
}
