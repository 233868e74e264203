//! The lane's task: feeds the core lane and carries out its commands.

use super::link::{Link, LinkReport};
use super::listener::{Bound, Door};
use super::{LinkHandle, Published, SHARES};
use crate::clock::{Clock, unix_now};
use crate::config::Network;
use crate::events::Events;
use crate::ledger::Ledger;
use crate::pulse::Pulse;
use crate::registry::Registry;
use crate::store::{self, Record, Store};
use crate::sync::Ranking;
use serde::Serialize;
use smart_mining_core::lane::{CandidateView, Command, Lane};
use smart_mining_core::route::candidate::candidates;
use smart_mining_core::route::{Candidate, Choice, Decision, FarmRules, Policy, Skipped};
use smart_mining_core::share::{Board, LinkId};
use smart_mining_core::{Algorithm, Instant};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

const HEARTBEAT: Duration = Duration::from_secs(2);
/// Link numbers of a lane; far more than it can use up.
const LINKS_A_LANE: LinkId = 1 << 24;

/// What the status page shows of a lane.
#[derive(Clone, Debug, Default)]
pub struct LaneView {
    pub route: Option<(Choice, Instant)>,
    pub why: String,
    pub candidates: Vec<CandidateView>,
    pub skipped: Vec<Skipped>,
    pub switches: u64,
}

/// What all lanes share.
#[derive(Clone)]
pub struct Surroundings {
    pub rules: Arc<FarmRules>,
    pub policy: Policy,
    pub access: Arc<[Network]>,
    pub registry: Arc<Registry>,
    pub ledger: Arc<Ledger>,
    pub events: Arc<Events>,
    pub store: Store,
    pub clock: Clock,
}

/// What the supervisor keeps of a lane.
pub struct Started {
    pub algorithm: Algorithm,
    pub view: watch::Receiver<LaneView>,
    pub pulses: [Pulse; 2],
    pub tasks: [tokio::task::JoinHandle<()>; 2],
}

pub fn start(
    index: u32,
    bound: Bound,
    ranking: watch::Receiver<Ranking>,
    around: Surroundings,
) -> Started {
    let algorithm = bound.config.algorithm;
    let (published, miners_see) = watch::channel(Published::default());
    let (groups, groups_seen) = watch::channel(1);
    let (views, view) = watch::channel(LaneView::default());
    let (reports, reported) = mpsc::channel(256);
    let pulses = [
        Pulse::new(&format!("{algorithm} lane")),
        Pulse::new(&format!("{algorithm} listener")),
    ];
    let now = around.clock.now();
    let task = Task {
        lane: Lane::new(algorithm, around.policy, index * LINKS_A_LANE + 1, now),
        algorithm,
        links: BTreeMap::new(),
        stops: BTreeMap::new(),
        names: BTreeMap::new(),
        failures: BTreeMap::new(),
        board: Arc::default(),
        published,
        views,
        reports,
        around: around.clone(),
    };
    let door = Door {
        bound,
        access: around.access,
        published: miners_see,
        groups,
        registry: around.registry,
        ledger: around.ledger,
        events: around.events,
        clock: around.clock,
        pulse: pulses[1].clone(),
    };
    let lane = tokio::spawn(task.run(ranking, groups_seen, reported, pulses[0].clone()));
    let tasks = [lane, tokio::spawn(door.run())];
    Started {
        algorithm,
        view,
        pulses,
        tasks,
    }
}

struct Task {
    lane: Lane,
    algorithm: Algorithm,
    links: BTreeMap<LinkId, LinkHandle>,
    stops: BTreeMap<LinkId, oneshot::Sender<()>>,
    names: BTreeMap<LinkId, String>,
    /// The last failure told about each pool, so that a lasting one is told once.
    failures: BTreeMap<String, String>,
    board: Arc<Board>,
    published: watch::Sender<Published>,
    views: watch::Sender<LaneView>,
    reports: mpsc::Sender<LinkReport>,
    around: Surroundings,
}

impl Task {
    async fn run(
        mut self,
        mut ranking: watch::Receiver<Ranking>,
        mut groups: watch::Receiver<usize>,
        mut reported: mpsc::Receiver<LinkReport>,
        pulse: Pulse,
    ) {
        self.rank(&ranking.borrow_and_update().clone());
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        loop {
            self.carry_out();
            let deadline = self.lane.deadline();
            tokio::select! {
                Some(report) = reported.recv() => {
                    self.take(report);
                    while let Ok(report) = reported.try_recv() {
                        self.take(report);
                    }
                }
                Ok(()) = ranking.changed() => self.rank(&ranking.borrow_and_update().clone()),
                Ok(()) = groups.changed() => {
                    let groups = *groups.borrow_and_update();
                    self.lane.set_groups(groups, self.around.clock.now());
                }
                () = self.around.clock.sleep_until(deadline) => {
                    self.lane.tick(self.around.clock.now());
                }
                _ = heartbeat.tick() => {}
            }
            pulse.beat();
        }
    }

    fn rank(&mut self, ranking: &Ranking) {
        let snapshot = ranking.snapshot.as_deref();
        let (list, skipped) = candidates(self.algorithm, &self.around.rules, snapshot);
        let sequence = snapshot.map_or(0, |snapshot| snapshot.sequence);
        self.lane
            .candidates(list, sequence, self.around.clock.now());
        self.views.send_modify(|view| view.skipped = skipped);
    }

    fn take(&mut self, report: LinkReport) {
        let now = self.around.clock.now();
        match report {
            LinkReport::Work(link, terms) => {
                if let Some(name) = self.names.get(&link)
                    && self.failures.remove(name).is_some()
                {
                    self.around
                        .events
                        .record("pool-ready", name, "the pool is usable again");
                }
                self.lane.work(link, terms, now);
            }
            LinkReport::Notice(link, text) => {
                let name = self.names.get(&link).map_or("?", String::as_str);
                self.around.events.record("pool-notice", name, text);
            }
            LinkReport::Failed(link, failure) => {
                self.stops.remove(&link);
                let name = self.names.remove(&link).unwrap_or_default();
                let text = failure.to_string();
                if self.failures.get(&name) != Some(&text) {
                    self.around
                        .events
                        .record("pool-failed", &name, text.as_str());
                    self.failures.insert(name, text);
                }
                self.lane.failed(link, &failure, now);
            }
        }
    }

    fn carry_out(&mut self) {
        for command in self.lane.take_commands() {
            match command {
                Command::Open { link, candidate } => self.open(link, candidate),
                Command::Close { link } => {
                    self.stops.remove(&link);
                    self.names.remove(&link);
                }
                Command::Publish(board) => {
                    self.board = board;
                    self.publish();
                }
                Command::Decided(decision) => self.decided(&decision),
            }
        }
        let (candidates, route) = (self.lane.view(), self.lane.route());
        let route = route.map(|(choice, since)| (choice.clone(), since));
        self.views.send_if_modified(|view| {
            let changed = view.candidates != candidates || view.route != route;
            view.candidates = candidates;
            view.route = route;
            changed
        });
    }

    fn open(&mut self, link: LinkId, candidate: Candidate) {
        let (deliveries, delivered) = mpsc::channel(SHARES);
        let (stop, stopped) = oneshot::channel();
        let pool: Arc<str> = candidate.pool.as_str().into();
        self.names.insert(link, candidate.pool.clone());
        self.stops.insert(link, stop);
        self.links.insert(link, LinkHandle { pool, deliveries });
        let task = Link {
            id: link,
            candidate,
            deliveries: delivered,
            reports: self.reports.clone(),
            stop: stopped,
            clock: self.around.clock,
        };
        tokio::spawn(task.run());
    }

    /// Hand the board to the miners, with the links its jobs belong to.
    fn publish(&mut self) {
        let (board, stops) = (&self.board, &self.stops);
        self.links
            .retain(|link, _| stops.contains_key(link) || board.mentions(*link));
        self.published.send_replace(Published {
            board: self.board.clone(),
            links: Arc::new(self.links.clone()),
        });
    }

    fn decided(&mut self, decision: &Decision) {
        let text = match &decision.to {
            Some(to) => format!("now on {} ({}): {}", to.pool, to.coin, decision.why),
            None => format!("holding: {}", decision.why),
        };
        let around = &self.around;
        around
            .events
            .record("route-changed", self.algorithm.name(), text.as_str());
        let detail = Detail {
            candidates: &self.lane.view(),
        };
        let pool = |choice: &Option<Choice>| choice.as_ref().map(|choice| choice.pool.clone());
        around.store.record(Record::Decision(store::Decision {
            at: unix_now(),
            algorithm: self.algorithm,
            from_pool: pool(&decision.from),
            to_pool: pool(&decision.to),
            coin: decision.to.as_ref().map(|to| to.coin.clone()),
            rule: decision.rule.name().to_owned(),
            text: decision.why.clone(),
            detail: serde_json::to_string(&detail).unwrap_or_default(),
        }));
        self.views.send_modify(|view| {
            view.why = format!("{}: {}", decision.rule.name(), decision.why);
            view.switches += 1;
        });
    }
}

/// The numbers behind a decision, as JSON for the store.
#[derive(Serialize)]
struct Detail<'a> {
    #[serde(serialize_with = "rows")]
    candidates: &'a [CandidateView],
}

#[derive(Serialize)]
struct Row<'a> {
    pool: &'a str,
    coin: &'a str,
    score: Option<f64>,
    ready: bool,
}

fn rows<S: serde::Serializer>(views: &&[CandidateView], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(views.iter().map(|view| Row {
        pool: &view.choice.pool,
        coin: &view.choice.coin,
        score: view.score,
        ready: view.ready,
    }))
}
