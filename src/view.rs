//! What people and programs see of the appliance. Built on request from what
//! the tasks publish; it never asks the store and never holds up a share.

use crate::clock::{Clock, unix_now};
use crate::device::Device;
use crate::events::Events;
use crate::history::History;
use crate::lane::LaneView;
use crate::ledger::{Ledger, Totals};
use crate::provision;
use crate::registry::{MinerView, Registry};
use crate::report::ReportsView;
use crate::store::Store;
use crate::sync::SyncView;
use crate::workers::{RefusedWorker, Workers};
use serde::Serialize;
use smart_mining_core::Algorithm;
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
    pub store: Store,
    /// What became of the card's farm.toml; `None`: there is no card.
    pub provisioning: Option<provision::Report>,
    /// `None` in it: nobody has looked yet.
    pub device: watch::Receiver<Option<Device>>,
}

pub struct LaneSource {
    pub algorithm: Algorithm,
    pub address: String,
    pub view: watch::Receiver<LaneView>,
}

#[derive(Debug, Serialize)]
pub struct Status {
    pub farm: String,
    pub version: &'static str,
    /// `mining`, `mining from cache`, `holding`: the worst over all algorithms.
    pub state: &'static str,
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
pub struct AlgorithmStatus {
    pub algorithm: Algorithm,
    pub listener: String,
    pub state: &'static str,
    /// No pool can be reached, and miners go on with the last job: nobody pays for it.
    pub unpaid: bool,
    pub route: Option<RouteStatus>,
    /// Why the route is what it is, or why there is none.
    pub why: String,
    pub switches: u64,
    pub miners: usize,
    /// Of them, those that should find shares and have found none for a minute.
    pub silent: usize,
    #[serde(flatten)]
    pub totals: Totals,
    pub candidates: Vec<CandidateStatus>,
    pub skipped: Vec<SkippedStatus>,
}

#[derive(Debug, Serialize)]
pub struct RouteStatus {
    pub pool: String,
    pub coin: String,
    pub seconds: u64,
}

#[derive(Debug, Serialize)]
pub struct CandidateStatus {
    pub pool: String,
    pub coin: String,
    pub address: String,
    /// USD per hash per second and day after fees; absent for the farm's own pools.
    pub usd_per_hash_day: Option<f64>,
    pub ready: bool,
    /// Connections with work: several where the pool has room for 256 miners on each.
    pub connections: usize,
    pub last_failure: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct SkippedStatus {
    pub pool: String,
    pub coin: String,
    pub why: &'static str,
}

#[derive(Debug, Serialize)]
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
pub struct CentralStatus {
    /// `not configured`, `not asked yet`, `reachable`, `unreachable`.
    pub state: &'static str,
    pub last_error: Option<String>,
    pub last_contact_seconds: Option<u64>,
}

/// What central has not been told yet.
#[derive(Debug, Serialize)]
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
pub struct MinerCounts {
    pub now: usize,
    pub silent: usize,
    pub connected: u64,
    pub disconnected: u64,
    pub refused: u64,
}

#[derive(Debug, Serialize)]
pub struct StoreStatus {
    /// Records that did not fit the writer's queue.
    pub dropped: u64,
    pub last_error: Option<String>,
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
        let state = ["holding", "mining from cache", "mining"]
            .into_iter()
            .find(|state| algorithms.iter().any(|lane| lane.state == *state))
            .unwrap_or("mining");
        Status {
            farm: self.farm.clone(),
            version: env!("CARGO_PKG_VERSION"),
            state,
            started_at: self.started_at,
            miners: self.counts(&algorithms),
            algorithms,
            snapshot: self.snapshot(),
            central,
            reports: self.reports(),
            refused_workers: self.workers.refused(),
            store: StoreStatus {
                dropped: self.store.dropped(),
                last_error: self.store.last_error(),
            },
            provisioning: self.provisioning.clone(),
            device: self.device.borrow().clone(),
        }
    }

    fn counts(&self, algorithms: &[AlgorithmStatus]) -> MinerCounts {
        MinerCounts {
            now: algorithms.iter().map(|lane| lane.miners).sum(),
            silent: algorithms.iter().map(|lane| lane.silent).sum(),
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
        self.registry.view()
    }

    fn algorithm(&self, lane: &LaneSource, cached: bool) -> AlgorithmStatus {
        let view = lane.view.borrow().clone();
        let state = match (&view.route, cached) {
            (None, _) => "holding",
            (Some(_), true) => "mining from cache",
            (Some(_), false) => "mining",
        };
        AlgorithmStatus {
            algorithm: lane.algorithm,
            listener: lane.address.clone(),
            state,
            unpaid: view.keeps_warm,
            route: view.route.map(|(choice, since)| RouteStatus {
                pool: choice.pool,
                coin: choice.coin,
                seconds: self.clock.seconds_since(since),
            }),
            why: view.why,
            switches: view.switches,
            miners: self.registry.count(lane.algorithm),
            silent: self.registry.silent(lane.algorithm),
            totals: self.ledger.totals(lane.algorithm),
            candidates: view.candidates.into_iter().map(candidate).collect(),
            skipped: view
                .skipped
                .into_iter()
                .map(|skipped| SkippedStatus {
                    pool: skipped.pool,
                    coin: skipped.coin,
                    why: skipped.why,
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

fn candidate(view: smart_mining_core::lane::CandidateView) -> CandidateStatus {
    CandidateStatus {
        pool: view.choice.pool,
        coin: view.choice.coin,
        address: view.address,
        usd_per_hash_day: view.score,
        ready: view.ready,
        connections: view.connections,
        last_failure: view.last_failure,
    }
}
