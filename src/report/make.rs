//! One report, from what the page shows too. Who is paid and what workers are
//! called stays on the farm: a [`Report`] has no place for it.

use crate::view::{AlgorithmStatus, Status, trouble};
use smart_mining_wire::Report;
use smart_mining_wire::report::{
    AlgorithmReport, FarmState, MAX_COUNT, MAX_HASHRATE, MAX_TIME, Route, Shares, Update,
};
use std::time::Duration;

/// When, by the clocks that the appliance has.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Unix seconds; wrong on a board without a battery, until it has asked for the time.
    pub wall: u64,
    pub uptime: Duration,
}

/// Random, because neither the clock nor the store can be relied on: a clock may
/// start at 1970 again, a store may be made anew.
pub fn id() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The worst that is true. `elsewhere`: the store's own place cannot be used.
pub fn state(status: &Status, elsewhere: bool) -> FarmState {
    let refused = trouble::ranking_refused(status).is_some();
    if elsewhere || refused || status.store.last_error.is_some() {
        FarmState::Trouble
    } else if status.algorithms.iter().any(|lane| lane.route.is_none()) {
        FarmState::Holding
    } else if status.central.state == "unreachable" {
        FarmState::MiningFromCache
    } else {
        FarmState::Mining
    }
}

/// Without shares: the store adds those that it has not given to a report yet.
pub fn report(
    id: String,
    status: &Status,
    state: FarmState,
    moment: Moment,
    update: Option<Update>,
) -> Report {
    let entry = |lane: &AlgorithmStatus| (lane.algorithm, algorithm(lane, moment));
    Report {
        id,
        created_at: moment.wall.min(MAX_TIME),
        appliance: status.version.to_owned(),
        uptime: moment.uptime.as_secs(),
        sequence: status.snapshot.sequence.min(MAX_COUNT),
        state,
        algorithms: status.algorithms.iter().map(entry).collect(),
        update,
    }
}

fn algorithm(lane: &AlgorithmStatus, moment: Moment) -> AlgorithmReport {
    let route = lane.route.as_ref().map(|route| Route {
        pool: route.pool.clone(),
        coin: route.coin.clone(),
        since: moment.wall.saturating_sub(route.seconds).min(MAX_TIME),
    });
    let hashrate = lane.totals.hashrates.hashrate_10m;
    AlgorithmReport {
        route,
        hashrate: if hashrate.is_finite() {
            hashrate.clamp(0.0, MAX_HASHRATE)
        } else {
            0.0
        },
        shares: Shares::default(),
        miners: u32::try_from(lane.miners).unwrap_or(u32::MAX),
    }
}
