//! What `/api/status` says, and page, metrics and reports with it.

use super::state::FarmState;
use super::trouble::Trouble;
use crate::device::Device;
use crate::ledger::Totals;
use crate::provision;
use crate::workers::RefusedWorker;
use serde::Serialize;
use smart_mining_core::Algorithm;
use std::collections::BTreeMap;

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Status {
    pub farm: String,
    pub version: &'static str,
    /// The worst that is true.
    pub state: FarmState,
    /// What a person should see to, the worst first.
    pub troubles: Vec<Trouble>,
    pub started_at: u64,
    pub algorithms: Vec<AlgorithmStatus>,
    pub snapshot: SnapshotStatus,
    pub central: CentralStatus,
    /// Absent if there is no central to report to.
    pub reports: Option<ReportsStatus>,
    pub miners: MinerCounts,
    /// By `[workers]` of farm.toml, the latest first.
    pub refused_workers: Vec<RefusedWorker>,
    pub store: StoreStatus,
    /// Absent where no card is.
    pub provisioning: Option<provision::Report>,
    /// Absent until it was looked at.
    pub device: Option<Device>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct AlgorithmStatus {
    #[cfg_attr(test, schema(value_type = crate::status::AlgorithmName))]
    pub algorithm: Algorithm,
    pub listener: String,
    pub state: FarmState,
    /// No pool can be reached, and miners go on with the last job: nobody pays for it.
    pub unpaid: bool,
    pub route: Option<RouteStatus>,
    /// Why the route is what it is, or why there is none.
    pub why: String,
    /// The decision behind it, in its parts; absent before the first.
    pub decision: Option<DecisionStatus>,
    /// Since the start.
    pub switches: u64,
    pub switches_by_rule: BTreeMap<&'static str, u64>,
    /// What the hashrate of the last 10 minutes earns by the ranking's figure for the
    /// route, after the pool's fee; absent without a route, and for the farm's own pools.
    pub usd_per_day_now: Option<f64>,
    /// Connected now.
    pub miners: usize,
    /// Of them, those that should find shares and have found none for a minute.
    pub silent: usize,
    /// Of them, those that were given nothing to do.
    pub no_work_yet: usize,
    /// Those that left, not counted in `miners`.
    pub offline: usize,
    /// Which part of the judged shares was rejected or stale, 0 to 1; absent before the first.
    pub reject_rate: Option<f64>,
    #[serde(flatten)]
    pub totals: Totals,
    pub candidates: Vec<CandidateStatus>,
    pub skipped: Vec<SkippedStatus>,
    /// What the operator wants the miners to work for.
    pub pin: Option<PinStatus>,
    /// What the operator does not want, whether it is ranked now or not.
    pub excluded: Vec<ExcludedStatus>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct PinStatus {
    pub pool: String,
    /// Absent: whichever ranks best there.
    pub coin: Option<String>,
    pub seconds_left: u64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ExcludedStatus {
    pub pool: String,
    /// Absent: until it is included again.
    pub seconds_left: Option<u64>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct RouteStatus {
    pub pool: String,
    pub coin: String,
    pub seconds: u64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct DecisionStatus {
    /// Unix seconds.
    pub at: u64,
    pub rule: &'static str,
    pub from: Option<PoolAndCoin>,
    /// Absent: holding.
    pub to: Option<PoolAndCoin>,
    pub why: String,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct PoolAndCoin {
    pub pool: String,
    pub coin: String,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct CandidateStatus {
    pub pool: String,
    pub coin: String,
    pub address: String,
    /// USD per hash per second and day after fees; absent for the farm's own pools.
    pub usd_per_hash_day: Option<f64>,
    /// By how much it pays more than the route, less if negative; absent where the
    /// order of farm.toml decides.
    pub lead_percent: Option<f64>,
    /// The miners work for it.
    pub on_route: bool,
    pub ready: bool,
    /// Connections with work: several where the pool has room for 256 miners on each.
    pub connections: usize,
    pub last_failure: Option<String>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct SkippedStatus {
    pub pool: String,
    pub coin: String,
    pub why: &'static str,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct SnapshotStatus {
    /// 0: none yet.
    pub sequence: u64,
    /// Since it was received; absent if there is none, or if the wall clock
    /// says it comes from the future.
    pub age_seconds: Option<u64>,
    pub accepted: u64,
    pub refused: u64,
    pub last_refusal: Option<String>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct CentralStatus {
    /// `not configured`, `not asked yet`, `reachable`, `unreachable`.
    #[cfg_attr(
        test,
        schema(pattern = "^(not configured|not asked yet|reachable|unreachable)$")
    )]
    pub state: &'static str,
    pub last_error: Option<String>,
    pub last_contact_seconds: Option<u64>,
}

/// What central has not been told yet.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ReportsStatus {
    pub waiting: u64,
    /// Since the oldest of them was made; absent if none waits, or if the wall
    /// clock says that it comes from the future.
    pub oldest_seconds: Option<u64>,
    /// Since the start.
    pub delivered: u64,
    /// Refused by central, and kept for a person.
    pub set_aside: u64,
    /// Dropped for want of room, since the store was made.
    pub dropped: u64,
    pub last_error: Option<String>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct MinerCounts {
    pub now: usize,
    pub silent: usize,
    pub no_work_yet: usize,
    pub offline: usize,
    pub connected: u64,
    pub disconnected: u64,
    pub refused: u64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct StoreStatus {
    /// Its file, with what is not merged into it yet; absent if it cannot be seen.
    pub bytes: Option<u64>,
    /// Times that the machine lost its power or was reset under the running appliance, since
    /// the store was made.
    pub power_cuts: u64,
    /// Why the books are not kept where farm.toml says; absent if they are.
    pub elsewhere: Option<String>,
    /// Records that did not fit the writer's queue.
    pub dropped: u64,
    pub last_error: Option<String>,
}
