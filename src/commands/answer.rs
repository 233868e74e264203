//! What an appliance answers, as far as people are shown it. Members may be missing: the
//! one that is asked may be of another release than the one that asks.

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Status {
    pub farm: String,
    pub version: String,
    pub state: String,
    pub troubles: Vec<Trouble>,
    pub started_at: u64,
    pub algorithms: Vec<Lane>,
    pub snapshot: Snapshot,
    pub central: Central,
    pub reports: Option<Reports>,
    pub miners: Miners,
    pub store: Store,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Trouble {
    pub text: String,
    pub remedy: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Lane {
    pub algorithm: String,
    pub state: String,
    pub unpaid: bool,
    pub route: Option<Route>,
    pub why: String,
    pub decision: Option<Decision>,
    pub switches: u64,
    pub usd_per_day_now: Option<f64>,
    pub miners: u64,
    pub silent: u64,
    pub hashrate_10m: f64,
    pub accepted: u64,
    pub local: u64,
    pub rejected: u64,
    pub stale: u64,
    pub unknown: u64,
    pub lost: u64,
    pub candidates: Vec<Candidate>,
    pub skipped: Vec<Skipped>,
    pub pin: Option<Wish>,
    pub excluded: Vec<Wish>,
}

/// A pin or an exclusion of the operator's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wish {
    pub pool: String,
    /// Absent: until it is taken back.
    pub seconds_left: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Route {
    pub pool: String,
    pub coin: String,
    pub seconds: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Decision {
    pub at: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Candidate {
    pub pool: String,
    pub coin: String,
    pub address: String,
    pub usd_per_hash_day: Option<f64>,
    pub ready: bool,
    pub last_failure: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Skipped {
    pub pool: String,
    pub coin: String,
    pub why: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    pub sequence: u64,
    pub age_seconds: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Central {
    pub state: String,
    pub last_error: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Reports {
    pub waiting: u64,
    pub oldest_seconds: Option<u64>,
    pub delivered: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Miners {
    pub now: u64,
    pub silent: u64,
    pub offline: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Store {
    pub last_error: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Miner {
    pub algorithm: String,
    pub address: String,
    pub worker: String,
    pub name: Option<String>,
    pub agent: String,
    pub state: Option<String>,
    pub difficulty: f64,
    pub last_share_seconds: Option<u64>,
    pub silent: bool,
    pub reject_rate: Option<f64>,
    pub hashrate_1m: f64,
    pub hashrate_1h: f64,
    pub hashrate_24h: f64,
    pub accepted: u64,
    pub local: u64,
    pub rejected: u64,
    pub stale: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Event {
    pub at: u64,
    pub code: String,
    pub subject: String,
    pub text: String,
}

impl Lane {
    pub fn on_route(&self, candidate: &Candidate) -> bool {
        let on = |route: &Route| route.pool == candidate.pool && route.coin == candidate.coin;
        self.route.as_ref().is_some_and(on)
    }

    pub fn refused(&self) -> u64 {
        self.rejected + self.stale
    }

    pub fn judged(&self) -> u64 {
        self.accepted + self.local + self.refused()
    }
}

impl Miner {
    /// `works`, `silent` and so on.
    pub fn condition(&self) -> &str {
        match (&self.state, self.silent) {
            (Some(state), _) => state,
            (None, true) => "silent",
            (None, false) => "works",
        }
    }

    /// Which part of its judged shares was rejected or stale.
    pub fn refused_part(&self) -> Option<f64> {
        let refused = (self.rejected + self.stale) as f64;
        let judged = (self.accepted + self.local) as f64 + refused;
        self.reject_rate
            .or((judged > 0.0).then(|| refused / judged))
    }
}
