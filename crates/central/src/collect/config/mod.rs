//! The aggregator's one configuration file, aggregator.toml.
//!
//! [`Config::parse`] either gives a configuration that can be used as it is, or
//! every mistake of the file at once. Keys stand in files or variables of their
//! own, so that this file can be shown to anybody.

use crate::source::{Settings, Source};
use smart_mining_wire::Algorithm;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// A configuration without a mistake.
#[derive(Debug)]
pub struct Config {
    pub publish: Publish,
    pub history: History,
    /// What is switched on and has something to be asked, in the order of authority.
    pub sources: Vec<Configured>,
    pub pools: Vec<PoolTerms>,
    /// What works but should not stay so. Says no secret.
    pub warnings: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Publish {
    /// Seconds: a snapshot at the latest after this.
    pub heartbeat: u64,
    /// Fraction: smaller changes wait for the heartbeat.
    pub noise: f64,
}

impl Default for Publish {
    fn default() -> Self {
        Self {
            heartbeat: 60,
            noise: 0.005,
        }
    }
}

/// How many days of history are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    pub keep_days: u32,
    pub keep_hourly_days: u32,
}

impl Default for History {
    fn default() -> Self {
        Self {
            keep_days: 30,
            keep_hourly_days: 730,
        }
    }
}

/// A source and how it is asked.
#[derive(Clone)]
pub struct Configured {
    pub source: &'static dyn Source,
    pub settings: Settings,
    /// Why it is not asked at all, if so.
    pub missing: Option<&'static str>,
    /// Coin to the file with its node's cookie: `user:password`, new at each start
    /// of the node.
    pub cookies: BTreeMap<String, PathBuf>,
}

/// Without the settings, which hold keys.
impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured")
            .field("source", &self.source.name())
            .field("about", &self.settings.about)
            .field("missing", &self.missing)
            .finish_non_exhaustive()
    }
}

/// A pool that farms may be sent to.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolTerms {
    pub id: String,
    pub name: String,
    pub offers: Vec<OfferTerms>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct OfferTerms {
    /// Of the catalog.
    pub coin: String,
    pub algorithm: Algorithm,
    pub url: String,
    /// A fraction.
    pub fee: f64,
    pub scheme: String,
    /// Coins of the catalog that are mined along, and paid.
    pub merged: Vec<String>,
}
