//! `aggregator.toml`: which sources are asked, which pools are ranked, how often is published.

use crate::source::{Settings, Source};
use smart_mining_wire::Algorithm;

pub struct Config {
    pub publish: Publish,
    pub history: History,
    pub sources: Vec<Configured>,
    pub pools: Vec<PoolTerms>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Publish {
    /// Seconds after which a snapshot is published at the latest.
    pub heartbeat: u64,
    /// A fraction; smaller changes wait for the heartbeat.
    pub noise: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    pub keep_days: u32,
    pub keep_hourly_days: u32,
}

pub struct Configured {
    pub source: &'static dyn Source,
    pub settings: Settings,
    /// Why it is skipped: the key that it needs is not there.
    pub missing: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct PoolTerms {
    pub id: String,
    pub name: String,
    pub offers: Vec<OfferTerms>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct OfferTerms {
    pub coin: String,
    pub algorithm: Algorithm,
    pub url: String,
    pub fee: f64,
    pub scheme: String,
    /// Chains mined along with the coin, which the pool pays too.
    pub merged: Vec<String>,
}
