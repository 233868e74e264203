//! What the history answers: what charts, tables and `GET /api/history` are made of.
//!
//! Times are unix seconds on the appliance's clock. Figures are for people: they are
//! rounded nowhere, and a step in which nothing was counted has zeros.

use serde::{Deserialize, Serialize};
use smart_mining_core::Algorithm;

/// How far back, and how coarse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Range {
    /// 24 h in steps of 10 min.
    Day,
    /// 30 days in steps of 4 h.
    Month,
    /// 365 days in steps of a day, which begin at midnight UTC.
    Year,
}

impl Range {
    pub const ALL: [Self; 3] = [Self::Day, Self::Month, Self::Year];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    pub const fn step_seconds(self) -> u64 {
        match self {
            Self::Day => 600,
            Self::Month => 4 * 3600,
            Self::Year => 24 * 3600,
        }
    }

    /// The last one is the step that runs.
    pub const fn steps(self) -> u64 {
        match self {
            Self::Day => 144,
            Self::Month => 180,
            Self::Year => 365,
        }
    }
}

/// A stretch of the past, ready to be drawn.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Series {
    pub range: Range,
    /// The start of the first step.
    pub from: u64,
    /// Now: the last step is shorter than the others.
    pub to: u64,
    pub step_seconds: u64,
    /// Those that are served, and those that had shares.
    pub algorithms: Vec<AlgorithmSeries>,
    /// Every change of the route, oldest first.
    pub switches: Vec<Switch>,
    /// Oldest first; they may overlap.
    pub outages: Vec<Outage>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct AlgorithmSeries {
    #[cfg_attr(test, schema(value_type = crate::status::AlgorithmName))]
    pub algorithm: Algorithm,
    /// One for each step, oldest first.
    pub points: Vec<Point>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Point {
    /// The start of the step.
    pub at: u64,
    /// Hashes per second, from the work that was done in the step.
    pub hashrate: f64,
    /// Accepted by pools.
    pub accepted: u64,
    /// Rejected and stale, by pools and here.
    pub rejected: u64,
    /// Never answered by the pool, or never sent.
    pub lost_or_unknown: u64,
    /// What the accepted work was worth by the ranking of its time; absent where no
    /// pool had a price.
    pub usd: Option<f64>,
    /// The pool with most of the work.
    pub pool: Option<String>,
    /// Connected on the average; absent where nobody counted.
    pub miners: Option<f64>,
}

/// The route of an algorithm changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Switch {
    pub at: u64,
    #[cfg_attr(test, schema(value_type = crate::status::AlgorithmName))]
    pub algorithm: Algorithm,
    pub from_pool: Option<String>,
    /// Absent: no pool could be used.
    pub to_pool: Option<String>,
    pub coin: Option<String>,
    pub rule: String,
    /// The reason in words.
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum OutageKind {
    /// An algorithm had no usable pool.
    NoPool,
    /// Central could not be reached; the stored ranking was in force.
    NoCentral,
    /// The appliance was stopped, and started again later.
    Stopped,
    /// The appliance had no power, or was reset.
    PowerCut,
    /// The program ended without being told to; the machine went on.
    Crash,
}

/// A time in which something was missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Outage {
    pub from: u64,
    /// Absent: it lasts.
    pub to: Option<u64>,
    pub what: OutageKind,
    /// For `no-pool`.
    #[cfg_attr(test, schema(value_type = Option<crate::status::AlgorithmName>))]
    pub algorithm: Option<Algorithm>,
    pub text: String,
}

/// Since midnight UTC.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Today {
    pub since: u64,
    /// The sum over those that have a price; absent if none has.
    pub usd: Option<f64>,
    /// Those that had shares.
    pub algorithms: Vec<TodayAlgorithm>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct TodayAlgorithm {
    #[cfg_attr(test, schema(value_type = crate::status::AlgorithmName))]
    pub algorithm: Algorithm,
    pub accepted: u64,
    /// Rejected and stale, by pools and here.
    pub rejected: u64,
    pub lost_or_unknown: u64,
    /// See [`Point::usd`].
    pub usd: Option<f64>,
}

/// A stored decision with the numbers behind it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct PastDecision {
    /// Grows with time.
    pub id: i64,
    pub at: u64,
    #[cfg_attr(test, schema(value_type = crate::status::AlgorithmName))]
    pub algorithm: Algorithm,
    pub from_pool: Option<String>,
    /// Absent: no pool could be used.
    pub to_pool: Option<String>,
    pub coin: Option<String>,
    /// The rule that fired.
    pub rule: String,
    pub text: String,
    /// As they stood then; empty if they were not kept.
    pub candidates: Vec<PastCandidate>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct PastCandidate {
    pub pool: String,
    pub coin: String,
    /// USD per hash per second and day after fees; absent for the farm's own pools.
    #[serde(rename = "usd_per_hash_day", alias = "score")]
    pub score: Option<f64>,
    pub ready: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct PastEvent {
    /// Grows with time; `before` takes it for the next page.
    pub id: i64,
    pub at: u64,
    pub code: String,
    pub subject: String,
    pub text: String,
}
