//! The lane's task: feeds the core lane and carries out its commands.

use super::link::{Link, LinkReport, Suggestion};
use super::random;
use crate::clock::{Clock, unix_now};
use crate::config::Network;
use crate::events::{Code, Events, Subject};
use crate::ledger::Ledger;
use crate::listener::{Bound, Delivery, Inbox, LinkHandle, Needs, Outbox, Published, Reactor};
use crate::pulse::Pulse;
use crate::rate::hashes_per_difficulty;
use crate::registry::Registry;
use crate::store::{self, Record, Store};
use crate::sync::Ranking;
use crate::workers::Workers;
use anyhow::Context;
use serde::Serialize;
use smart_mining_core::lane::{CandidateView, Command, Crowd, Lane};
use smart_mining_core::route::candidate::candidates;
use smart_mining_core::route::{Candidate, Choice, Decision, FarmRules, Policy, Skipped, Wishes};
use smart_mining_core::share::{Board, LinkId};
use smart_mining_core::sv1::Failure;
use smart_mining_core::{Algorithm, Instant};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

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
    /// Candidates that the operator excluded.
    pub excluded: Vec<Choice>,
    pub switches: u64,
    pub switches_by_rule: BTreeMap<&'static str, u64>,
    pub decision: Option<DecisionView>,
    /// No pool can be reached, and miners are kept busy with the last job: unpaid.
    pub keeps_warm: bool,
    /// What a change of the route asks for.
    pub policy: Policy,
}

/// The last decision, in its parts.
#[derive(Clone, Debug)]
pub struct DecisionView {
    /// Unix seconds.
    pub at: u64,
    pub rule: &'static str,
    pub from: Option<Choice>,
    /// `None`: holding.
    pub to: Option<Choice>,
    pub why: String,
}

impl LaneView {
    /// USD per hash per second and day of a pool, after fees: of the coin that miners
    /// work for there, else of the one that is ranked first.
    pub fn price(&self, pool: &str) -> Option<f64> {
        let of_pool = |view: &&CandidateView| view.choice.pool == pool;
        let on = |view: &CandidateView| {
            let route = self.route.as_ref();
            route.is_some_and(|(choice, _)| *choice == view.choice)
        };
        let mut ranked = self.candidates.iter().filter(of_pool);
        let first = ranked.clone().next();
        ranked.find(|view| on(view)).or(first)?.score
    }
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
    pub workers: Arc<Workers>,
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
    (ranking, wishes): (watch::Receiver<Ranking>, watch::Receiver<Wishes>),
    around: Surroundings,
) -> anyhow::Result<Started> {
    let algorithm = bound.config.algorithm;
    let (crowd, crowd_seen) = watch::channel(Crowd::default());
    let (views, view) = watch::channel(LaneView {
        policy: around.policy,
        ..LaneView::default()
    });
    let (reports, reported) = mpsc::channel(256);
    let pulses = [
        Pulse::new(&format!("{algorithm} lane")),
        Pulse::new(&format!("{algorithm} listener")),
    ];
    let now = around.clock.now();
    let lane =
        Lane::new(algorithm, around.policy, index * LINKS_A_LANE + 1, now).with_first_job(random());
    let needs = Needs {
        access: around.access.clone(),
        crowd,
        registry: around.registry.clone(),
        ledger: around.ledger.clone(),
        events: around.events.clone(),
        workers: around.workers.clone(),
        clock: around.clock,
        pulse: pulses[1].clone(),
        session_id: random(),
    };
    let task = Task::new(lane, algorithm, bound.inbox.clone(), views, reports, around);
    let reactor = Reactor::new(bound, needs)
        .with_context(|| format!("cannot wait for {algorithm} miners"))?;
    let lane = tokio::spawn(task.run(ranking, wishes, crowd_seen, reported, pulses[0].clone()));
    // A thread of its own: it waits for sockets by itself.
    let listener = tokio::task::spawn_blocking(move || reactor.run());
    Ok(Started {
        algorithm,
        view,
        pulses,
        tasks: [lane, listener],
    })
}

struct Task {
    lane: Lane,
    algorithm: Algorithm,
    links: BTreeMap<LinkId, LinkHandle>,
    /// Tell a link to try again; dropped, to end.
    retries: BTreeMap<LinkId, mpsc::Sender<()>>,
    names: BTreeMap<LinkId, String>,
    /// The last failure told about each pool, so that a lasting one is told once.
    failures: BTreeMap<String, String>,
    board: Arc<Board>,
    /// The links that miners work for.
    active: Vec<LinkId>,
    inbox: Arc<Inbox>,
    suggestion: Suggestion,
    views: watch::Sender<LaneView>,
    reports: mpsc::Sender<LinkReport>,
    around: Surroundings,
}

/// A pool connection of a large farm makes about so many shares a minute, if the
/// pool does as it is asked.
const SHARES_A_MINUTE: f64 = 12.0;

/// What to suggest to a pool, from what the farm has done lately.
fn suggestion(algorithm: Algorithm, ledger: Arc<Ledger>) -> Suggestion {
    Arc::new(move || {
        let hashrate = ledger.totals(algorithm).hashrates.hashrate_10m;
        let a_minute = hashrate / hashes_per_difficulty(algorithm) * 60.0;
        (a_minute > 0.0).then_some(a_minute / SHARES_A_MINUTE)
    })
}

impl Task {
    fn new(
        lane: Lane,
        algorithm: Algorithm,
        inbox: Arc<Inbox>,
        views: watch::Sender<LaneView>,
        reports: mpsc::Sender<LinkReport>,
        around: Surroundings,
    ) -> Self {
        Self {
            lane,
            algorithm,
            links: BTreeMap::new(),
            retries: BTreeMap::new(),
            names: BTreeMap::new(),
            failures: BTreeMap::new(),
            board: Arc::default(),
            active: Vec::new(),
            inbox,
            suggestion: suggestion(algorithm, around.ledger.clone()),
            views,
            reports,
            around,
        }
    }

    async fn run(
        mut self,
        mut ranking: watch::Receiver<Ranking>,
        mut wishes: watch::Receiver<Wishes>,
        mut crowd: watch::Receiver<Crowd>,
        mut reported: mpsc::Receiver<LinkReport>,
        pulse: Pulse,
    ) {
        // First: what is excluded must not even be connected to.
        self.wish(wishes.borrow_and_update().clone());
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
                Ok(()) = wishes.changed() => self.wish(wishes.borrow_and_update().clone()),
                Ok(()) = crowd.changed() => {
                    let crowd = *crowd.borrow_and_update();
                    self.lane.set_crowd(crowd, self.around.clock.now());
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

    fn wish(&mut self, wishes: Wishes) {
        self.lane.wish(wishes, self.around.clock.now());
    }

    fn take(&mut self, report: LinkReport) {
        let now = self.around.clock.now();
        match report {
            LinkReport::Work(link, terms) => {
                if let Some(name) = self.names.get(&link)
                    && self.failures.remove(name).is_some()
                {
                    self.around.events.record(
                        Code::PoolReady,
                        Subject::Pool(name),
                        "the pool is usable again",
                    );
                }
                self.lane.work(link, terms, now);
            }
            LinkReport::Notice(link, text) => {
                // A link that was let go has nothing more to tell.
                if let Some(name) = self.names.get(&link) {
                    let pool = Subject::Pool(name);
                    self.around.events.record(Code::PoolNotice, pool, text);
                }
            }
            LinkReport::Resumed { link, same, shares } => self.resumed(link, same, shares),
            LinkReport::Failed(link, failure) => {
                let Some(name) = self.names.get(&link) else {
                    return;
                };
                let text = failure.to_string();
                if self.failures.get(name) != Some(&text) {
                    self.around
                        .events
                        .record(Code::PoolFailed, Subject::Pool(name), text.as_str());
                    self.failures.insert(name.clone(), text);
                }
                self.lane.failed(link, &failure, now);
            }
        }
    }

    fn resumed(&self, link: LinkId, same: bool, shares: usize) {
        let Some(name) = self.names.get(&link) else {
            return;
        };
        let events = &self.around.events;
        if same {
            let text = format!("the pool goes on with the session; {shares} shares had waited");
            events.record(Code::SessionResumed, Subject::Pool(name), text);
        } else if shares > 0 {
            let text = format!("the pool began another session; {shares} shares are lost");
            events.record(Code::SessionLost, Subject::Pool(name), text);
        }
    }

    fn carry_out(&mut self) {
        for command in self.lane.take_commands() {
            match command {
                Command::Open { link, candidate } => self.open(link, candidate),
                Command::Close { link } => {
                    self.names.remove(&link);
                    self.retries.remove(&link);
                    if !self.board.mentions(link) {
                        self.links.remove(&link);
                    }
                }
                Command::Publish(board) => {
                    self.board = board;
                    self.publish();
                }
                Command::Decided(decision) => self.decided(&decision),
            }
        }
        self.tell_active();
        let (candidates, route) = (self.lane.view(), self.lane.route());
        let route = route.map(|(choice, since)| (choice.clone(), since));
        let keeps_warm = self.lane.keeps_warm();
        let excluded = self.lane.excluded().map(|it| Choice {
            pool: it.pool.clone(),
            coin: it.coin.clone(),
        });
        let excluded: Vec<Choice> = excluded.collect();
        self.views.send_if_modified(|view| {
            let changed = view.candidates != candidates
                || view.route != route
                || view.keeps_warm != keeps_warm
                || view.excluded != excluded;
            view.excluded = excluded;
            view.candidates = candidates;
            view.route = route;
            view.keeps_warm = keeps_warm;
            changed
        });
    }

    /// A link watches its pool more closely while miners work for it.
    fn tell_active(&mut self) {
        let active: Vec<LinkId> = self.lane.route_links().collect();
        if active == self.active {
            return;
        }
        let links = &self.links;
        let tell = |link: &LinkId, is_active| {
            if let Some(handle) = links.get(link) {
                handle.outbox.post_if_room(Delivery::Active(is_active));
            }
        };
        let left = self.active.iter().filter(|link| !active.contains(link));
        left.for_each(|link| tell(link, false));
        active.iter().for_each(|link| tell(link, true));
        self.active = active;
    }

    fn open(&mut self, link: LinkId, candidate: Candidate) {
        if let Some(retry) = self.retries.get(&link).filter(|retry| !retry.is_closed()) {
            // One that is waiting already will do.
            let _ = retry.try_send(());
            return;
        }
        let outbox = Arc::new(Outbox::default());
        let (retry, retries) = mpsc::channel(1);
        let pool: Arc<str> = candidate.pool.as_str().into();
        self.names.insert(link, candidate.pool.clone());
        self.retries.insert(link, retry);
        self.links.insert(
            link,
            LinkHandle {
                pool,
                outbox: outbox.clone(),
            },
        );
        let task = Link {
            id: link,
            candidate,
            outbox,
            reports: self.reports.clone(),
            retries,
            inbox: self.inbox.clone(),
            suggestion: self.suggestion.clone(),
            clock: self.around.clock,
        };
        let (running, reports) = (tokio::spawn(task.run()), self.reports.clone());
        // A fault of ours in one link must look like what it is, a lost link.
        tokio::spawn(async move {
            if let Err(fault) = running.await {
                let failure = Failure::Lost(format!("a fault in the appliance: {fault}"));
                let _ = reports.send(LinkReport::Failed(link, failure)).await;
            }
        });
    }

    /// Hand the board to the miners, with the links its jobs belong to. A handle
    /// stays while the link is wanted, or miners may still have shares for it.
    fn publish(&mut self) {
        let (board, retries) = (&self.board, &self.retries);
        self.links
            .retain(|link, _| retries.contains_key(link) || board.mentions(*link));
        self.inbox.publish(Published {
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
        let subject = Subject::Switch {
            algorithm: self.algorithm,
            from: decision.from.as_ref().map(|from| &*from.pool),
            to: decision.to.as_ref().map(|to| &*to.pool),
        };
        around
            .events
            .record(Code::RouteChanged, subject, text.as_str());
        let detail = Detail {
            candidates: &self.lane.view(),
        };
        let pool = |choice: &Option<Choice>| choice.as_ref().map(|choice| choice.pool.clone());
        let at = unix_now();
        around.store.record(Record::Decision(store::Decision {
            at,
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
            *view
                .switches_by_rule
                .entry(decision.rule.name())
                .or_default() += 1;
            view.decision = Some(DecisionView {
                at,
                rule: decision.rule.name(),
                from: decision.from.clone(),
                to: decision.to.clone(),
                why: decision.why.clone(),
            });
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

#[cfg(test)]
mod tests {
    use super::*;
    use smart_mining_core::Duration;
    use smart_mining_core::route::StaticPool;
    use smart_mining_core::sv1::Login;

    fn pool(id: &str) -> StaticPool {
        StaticPool {
            id: id.to_owned(),
            algorithm: Algorithm::Sha256d,
            coin: "BTC".to_owned(),
            // Nobody listens there; what the attempts report is not read here.
            url: "stratum+tcp://127.0.0.1:1".parse().expect("an address"),
            tls_pin: None,
            login: Login {
                user: "account.{worker}".to_owned(),
                password: "x".to_owned(),
                farm: "barn".to_owned(),
                agent: "test/1".to_owned(),
                per_worker: true,
                extensions: true,
            },
            fee: None,
        }
    }

    fn task(folder: &std::path::Path) -> (Task, mpsc::Receiver<LinkReport>) {
        let clock = Clock::start();
        let (store, _) = Store::open(&folder.join("farm.sqlite")).expect("a new store");
        let events = Arc::new(Events::new(store.clone()));
        let around = Surroundings {
            rules: Arc::new(FarmRules {
                pools: vec![pool("a"), pool("b")],
                ..FarmRules::default()
            }),
            policy: Policy::default(),
            access: Arc::from(Vec::new()),
            registry: Arc::new(Registry::new(clock)),
            ledger: Arc::new(Ledger::new(clock)),
            events: events.clone(),
            workers: Workers::open(events, clock),
            store,
            clock,
        };
        let (reports, reported) = mpsc::channel(256);
        let lane = Lane::new(Algorithm::Sha256d, around.policy, 1, clock.now());
        let poll = mio::Poll::new().expect("a poll");
        let waker = mio::Waker::new(poll.registry(), mio::Token(0)).expect("a waker");
        let (inbox, views) = (
            Arc::new(Inbox::new(waker)),
            watch::channel(LaneView::default()).0,
        );
        let task = Task::new(lane, Algorithm::Sha256d, inbox, views, reports, around);
        (task, reported)
    }

    #[tokio::test]
    async fn a_night_without_wan_leaves_no_link_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut task, _reported) = task(folder.path());
        task.rank(&Ranking::default());
        for seconds in 1..=500 {
            task.carry_out();
            let open: Vec<LinkId> = task.retries.keys().copied().collect();
            assert!(!open.is_empty(), "it goes on trying");
            for link in open {
                task.take(LinkReport::Failed(link, Failure::Closed));
            }
            let later = task.around.clock.now() + Duration::from_secs(seconds);
            task.lane.tick(later);
        }
        assert!(task.links.len() <= 2, "{} handles", task.links.len());
        assert!(task.names.len() <= 2 && task.failures.len() <= 2);
    }
}
