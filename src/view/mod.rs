//! What people and programs see of the appliance. Built on request from what
//! the tasks publish; it never asks the store and never holds up a share.

#[cfg(test)]
pub(crate) mod samples;
mod state;
mod status;
#[cfg(test)]
pub(crate) mod tests;
pub mod trouble;

pub use state::FarmState;
pub use status::{
    AlgorithmStatus, CandidateStatus, CentralStatus, DecisionStatus, ExcludedStatus, MinerCounts,
    PinStatus, PoolAndCoin, ReportsStatus, RouteStatus, SkippedStatus, SnapshotStatus, Status,
    StoreStatus,
};
pub use trouble::Trouble;

use crate::clock::{Clock, unix_now};
use crate::device::Device;
use crate::events::Events;
use crate::history::History;
use crate::lane::{DecisionView, LaneView};
use crate::ledger::Ledger;
use crate::operator::Operator;
use crate::provision;
use crate::pulse::Vitals;
use crate::registry::{MinerView, Registry};
use crate::report::ReportsView;
use crate::store::Store;
use crate::sync::SyncView;
use crate::workers::Workers;
use smart_mining_core::lane::CandidateView;
use smart_mining_core::route::{Choice, Skipped};
use smart_mining_core::{Algorithm, Instant};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::watch;

pub struct Views {
    pub farm: String,
    pub clock: Clock,
    pub started_at: u64,
    pub lanes: Vec<LaneSource>,
    pub sync: watch::Receiver<SyncView>,
    /// `None` in it: there is no central to report to.
    pub reports: watch::Receiver<Option<ReportsView>>,
    pub registry: Arc<Registry>,
    pub ledger: Arc<Ledger>,
    pub events: Arc<Events>,
    pub history: Arc<History>,
    pub workers: Arc<Workers>,
    /// What was pinned, excluded and named, and who may do that.
    pub operator: Arc<Operator>,
    pub store: Store,
    /// Why the store is not where farm.toml says, if it is not.
    pub elsewhere: Option<String>,
    /// What became of the card's farm.toml; `None`: there is no card.
    pub provisioning: Option<provision::Report>,
    /// `None` in it: nobody has looked yet.
    pub device: watch::Receiver<Option<Device>>,
    /// `None` in it: the appliance is starting.
    pub vitals: watch::Receiver<Option<Vitals>>,
}

pub struct LaneSource {
    pub algorithm: Algorithm,
    pub address: String,
    pub view: watch::Receiver<LaneView>,
}

impl Views {
    pub fn status(&self) -> Status {
        let central = self.central();
        let cached = central.state == "unreachable";
        let algorithms: Vec<AlgorithmStatus> = self
            .lanes
            .iter()
            .map(|lane| self.algorithm(lane, cached))
            .collect();
        let mut status = Status {
            farm: self.farm.clone(),
            version: env!("CARGO_PKG_VERSION"),
            state: FarmState::Mining,
            troubles: Vec::new(),
            started_at: self.started_at,
            miners: self.counts(&algorithms),
            algorithms,
            snapshot: self.snapshot(),
            central,
            reports: self.reports(),
            refused_workers: self.workers.refused(),
            store: self.store(),
            provisioning: self.provisioning.clone(),
            device: self.device.borrow().clone(),
        };
        status.troubles = trouble::troubles(&status);
        status.state = state::of(&status);
        status
    }

    fn store(&self) -> StoreStatus {
        StoreStatus {
            bytes: store_bytes(self.store.path()),
            power_cuts: self.store.power_cuts(),
            elsewhere: self.elsewhere.clone(),
            dropped: self.store.dropped(),
            last_error: self.store.last_error(),
        }
    }

    fn counts(&self, algorithms: &[AlgorithmStatus]) -> MinerCounts {
        MinerCounts {
            now: algorithms.iter().map(|lane| lane.miners).sum(),
            silent: algorithms.iter().map(|lane| lane.silent).sum(),
            no_work_yet: algorithms.iter().map(|lane| lane.no_work_yet).sum(),
            offline: algorithms.iter().map(|lane| lane.offline).sum(),
            connected: self.registry.connected.load(Ordering::Relaxed),
            disconnected: self.registry.disconnected.load(Ordering::Relaxed),
            refused: self.registry.refused.load(Ordering::Relaxed),
        }
    }

    /// Each algorithm that is served, and whether there is work for its miners.
    pub fn routes(&self) -> impl Iterator<Item = (Algorithm, bool)> {
        let has_route = |lane: &LaneSource| lane.view.borrow().route.is_some();
        self.lanes
            .iter()
            .map(move |lane| (lane.algorithm, has_route(lane)))
    }

    /// The loops that must go on and give no sign of life.
    pub fn missing(&self) -> Vec<String> {
        let vitals = self.vitals.borrow().clone();
        vitals.map_or_else(Vec::new, |vitals| vitals.missing(self.clock.now()))
    }

    /// One line for `systemctl status`.
    pub fn line(&self) -> String {
        let status = self.status();
        let routes: Vec<String> = status
            .algorithms
            .iter()
            .map(|lane| {
                let pool = lane.route.as_ref().map_or("no pool", |route| &route.pool);
                format!("{} on {pool}", lane.algorithm)
            })
            .collect();
        let (state, miners) = (status.state, status.miners.now);
        format!("{state}; {miners} miners; {}", routes.join(", "))
    }

    pub fn miners(&self) -> Vec<MinerView> {
        let names = self.operator.names.all();
        let mut miners = self.registry.view();
        for miner in &mut miners {
            miner.name = names.get(&miner.worker).cloned();
        }
        miners
    }

    fn algorithm(&self, lane: &LaneSource, cached: bool) -> AlgorithmStatus {
        let view = lane.view.borrow().clone();
        let state = match (&view.route, cached) {
            (None, _) => FarmState::Holding,
            (Some(_), true) => FarmState::MiningFromCache,
            (Some(_), false) => FarmState::Mining,
        };
        let totals = self.ledger.totals(lane.algorithm);
        let states = self.registry.states(lane.algorithm);
        let route = view.route.as_ref().map(|(choice, _)| choice);
        let pays = score_of(&view.candidates, route);
        let candidates = view.candidates.into_iter();
        let wishes = self.operator.wishes.of(lane.algorithm);
        let left = |until: Instant| until.saturating_duration_since(self.clock.now()).as_secs();
        AlgorithmStatus {
            algorithm: lane.algorithm,
            listener: lane.address.clone(),
            state,
            unpaid: view.keeps_warm,
            usd_per_day_now: pays.map(|pays| pays * totals.hashrates.hashrate_10m),
            candidates: candidates.map(|it| candidate(it, route, pays)).collect(),
            route: view.route.map(|(choice, since)| RouteStatus {
                pool: choice.pool,
                coin: choice.coin,
                seconds: self.clock.seconds_since(since),
            }),
            why: view.why,
            decision: view.decision.map(decision),
            switches: view.switches,
            switches_by_rule: view.switches_by_rule,
            miners: self.registry.count(lane.algorithm),
            silent: states.silent,
            no_work_yet: states.no_work_yet,
            offline: states.offline,
            reject_rate: totals.counts.reject_rate(),
            totals,
            skipped: (view.skipped.into_iter().map(skipped))
                .chain(view.excluded.into_iter().map(excluded))
                .collect(),
            pin: wishes.pin.map(|pin| PinStatus {
                pool: pin.pool,
                coin: pin.coin,
                seconds_left: left(pin.until),
            }),
            excluded: (wishes.excluded.into_iter())
                .map(|excluded| ExcludedStatus {
                    pool: excluded.pool,
                    seconds_left: excluded.until.map(left),
                })
                .collect(),
        }
    }

    fn snapshot(&self) -> SnapshotStatus {
        let view = self.sync.borrow().clone();
        SnapshotStatus {
            sequence: view.sequence,
            age_seconds: view.received_at.and_then(|at| unix_now().checked_sub(at)),
            accepted: view.accepted,
            refused: view.refused,
            last_refusal: view.last_refusal,
        }
    }

    fn reports(&self) -> Option<ReportsStatus> {
        let view = self.reports.borrow().clone()?;
        Some(ReportsStatus {
            waiting: view.outbox.waiting,
            oldest_seconds: view.waiting_for(unix_now()),
            delivered: view.delivered,
            set_aside: view.outbox.set_aside,
            dropped: view.outbox.dropped,
            last_error: view.last_error,
        })
    }

    fn central(&self) -> CentralStatus {
        let view = self.sync.borrow().clone();
        CentralStatus {
            state: match (view.configured, view.reachable) {
                (false, _) => "not configured",
                (true, None) => "not asked yet",
                (true, Some(true)) => "reachable",
                (true, Some(false)) => "unreachable",
            },
            last_error: view.last_error,
            last_contact_seconds: view.last_contact.map(|at| self.clock.seconds_since(at)),
        }
    }
}

fn pool_and_coin(choice: Choice) -> PoolAndCoin {
    PoolAndCoin {
        pool: choice.pool,
        coin: choice.coin,
    }
}

fn decision(view: DecisionView) -> DecisionStatus {
    DecisionStatus {
        at: view.at,
        rule: view.rule,
        from: view.from.map(pool_and_coin),
        to: view.to.map(pool_and_coin),
        why: view.why,
    }
}

fn skipped(skipped: Skipped) -> SkippedStatus {
    SkippedStatus {
        pool: skipped.pool,
        coin: skipped.coin,
        why: skipped.why,
    }
}

fn excluded(choice: Choice) -> SkippedStatus {
    SkippedStatus {
        pool: choice.pool,
        coin: choice.coin,
        why: "the operator excluded it",
    }
}

/// What the route's pool pays, if the ranking says so.
fn score_of(candidates: &[CandidateView], route: Option<&Choice>) -> Option<f64> {
    let route = route?;
    let on_route = candidates.iter().find(|it| it.choice == *route)?;
    on_route.score
}

fn candidate(view: CandidateView, route: Option<&Choice>, pays: Option<f64>) -> CandidateStatus {
    let lead = |score: f64| {
        let pays = pays.filter(|pays| *pays > 0.0)?;
        Some((score / pays - 1.0) * 100.0).filter(|percent| percent.is_finite())
    };
    CandidateStatus {
        on_route: route == Some(&view.choice),
        lead_percent: view.score.and_then(lead),
        pool: view.choice.pool,
        coin: view.choice.coin,
        address: view.address,
        usd_per_hash_day: view.score,
        ready: view.ready,
        connections: view.connections,
        last_failure: view.last_failure,
    }
}

/// With the log beside it, which grows before it is merged.
fn store_bytes(path: &Path) -> Option<u64> {
    let size = |path: &Path| std::fs::metadata(path).ok().map(|it| it.len());
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    Some(size(path)? + size(Path::new(&log)).unwrap_or(0))
}
