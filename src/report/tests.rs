//! The reporter with a store of its own and a central that answers as a test says.

use super::*;
use crate::clock::Clock;
use crate::config::Secret;
use crate::lane::LaneView;
use crate::ledger::Ledger;
use crate::registry::Registry;
use crate::store::Store;
use crate::sync::SyncView;
use crate::view::LaneSource;
use serde_json::{Value, json};
use smart_mining_core::Algorithm;
use smart_mining_core::route::Choice;
use smart_mining_core::sv1::{Judge, Judged, Outcome as Verdict};
use smart_mining_wire::report::FarmState;
use smart_mining_wire::{Reports, SecretKey};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;

const PATIENCE: Duration = Duration::from_secs(20);

struct Farm {
    reporter: Reporter,
    lane: watch::Sender<LaneView>,
    sync: watch::Sender<SyncView>,
    view: watch::Receiver<Option<ReportsView>>,
    /// What central was sent, one body each.
    bodies: mpsc::Receiver<Value>,
    folder: tempfile::TempDir,
}

type Reply = (&'static str, &'static str, String);

/// A central that answers each body as `answer` says: status, headers, body.
fn central(
    mut answer: impl FnMut(&Value) -> Reply + Send + 'static,
) -> (String, mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let (told, bodies) = mpsc::channel();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let mut stream = BufReader::new(stream);
            let (mut line, mut length, mut head) = (String::new(), 0, String::new());
            while stream.read_line(&mut line).expect("a line") > 2 {
                head.push_str(&line);
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a number");
                }
                line.clear();
            }
            assert!(head.starts_with("POST /api/v1/reports HTTP/1.1"), "{head}");
            assert!(head.contains("Bearer t\r\n"), "{head}");
            let mut body = vec![0; length];
            stream.read_exact(&mut body).expect("the body");
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            let (status, headers, text) = answer(&body);
            let _ = write!(
                stream.get_mut(),
                "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{text}",
                text.len()
            );
            if told.send(body).is_err() {
                return;
            }
        }
    });
    (url, bodies)
}

const PROBLEM: &str = "Content-Type: application/problem+json\r\n";

fn ids(body: &Value) -> Vec<String> {
    let reports = body["reports"].as_array().expect("a list");
    let id = |report: &Value| report["id"].as_str().expect("an id").to_owned();
    reports.iter().map(id).collect()
}

fn taken(body: &Value) -> Reply {
    ("200 OK", "", json!({ "accepted": ids(body) }).to_string())
}

fn farm(answer: impl FnMut(&Value) -> Reply + Send + 'static) -> Farm {
    let (url, bodies) = central(answer);
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = Store::open(&folder.path().join("farm.sqlite")).expect("a new store");
    let clock = Clock::start();
    let (lane, lane_view) = watch::channel(LaneView::default());
    let (sync, sync_view) = watch::channel(SyncView {
        configured: true,
        ..SyncView::default()
    });
    let (sender, view) = watch::channel(None);
    let events = Arc::new(Events::new(store.clone()));
    let ledger = Arc::new(Ledger::new(clock));
    let views = Views {
        farm: "barn".to_owned(),
        clock,
        started_at: 0,
        lanes: vec![LaneSource {
            algorithm: Algorithm::Sha256d,
            address: "127.0.0.1:3333".to_owned(),
            view: lane_view,
        }],
        sync: sync_view,
        reports: view.clone(),
        registry: Arc::new(Registry::new(clock)),
        ledger: ledger.clone(),
        workers: crate::workers::Workers::open(events.clone(), clock),
        operator: crate::operator::Operator::of_a_test(&store, clock),
        events,
        history: Arc::new(crate::history::History::new(store.clone(), ledger.clone())),
        store,
        elsewhere: None,
        provisioning: None,
        device: watch::channel(None).1,
        vitals: watch::channel(None).1,
    };
    let central = Central {
        url,
        token: Secret::new("t"),
        public_key: SecretKey::from_bytes(&[7; 32]).public(),
        report_every: Duration::from_secs(300),
    };
    Farm {
        reporter: Reporter::new(&central, Arc::new(views), sender, false),
        lane,
        sync,
        view,
        bodies,
        folder,
    }
}

impl Farm {
    fn store(&self) -> &Store {
        &self.reporter.views.store
    }

    /// Put `count` reports into the outbox; their ids are `r0`, `r1` and so on.
    fn save(&mut self, count: usize) {
        for n in 0..count {
            let moment = Moment {
                wall: 1_790_000_000 + n as u64,
                uptime: Duration::from_secs(n as u64),
            };
            let status = self.reporter.views.status();
            let report = make::report(format!("r{n}"), &status, FarmState::Mining, moment, None);
            self.store().save_report(report).expect("saved");
        }
        self.reporter.refresh();
    }

    /// One attempt, whatever the wait that was asked for.
    fn attempt(&mut self) -> Vec<String> {
        self.reporter.next = None;
        self.reporter.send_if_due();
        let body = self.bodies.recv_timeout(PATIENCE).expect("a body");
        ids(&body)
    }

    fn shown(&self) -> ReportsView {
        self.view.borrow().clone().expect("there is a central")
    }

    fn events(&self, code: &str) -> Vec<String> {
        let recent = self.reporter.events().recent();
        let of_code = recent.iter().rev().filter(|event| event.code == code);
        of_code
            .map(|event| format!("{}: {}", event.subject, event.text))
            .collect()
    }

    fn mine_on(&self, pool: &str) {
        let choice = Choice {
            pool: pool.to_owned(),
            coin: "BTC".to_owned(),
        };
        let now = self.reporter.views.clock.now();
        self.lane
            .send_modify(|view| view.route = Some((choice, now)));
    }
}

fn named(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("r{n}")).collect()
}

#[test]
fn an_outbox_is_drained_in_order_fifty_at_a_time() {
    let mut farm = farm(taken);
    farm.save(120);
    let waiting = farm.shown().outbox;
    assert_eq!(
        (waiting.waiting, waiting.oldest_at),
        (120, Some(1_790_000_000))
    );
    assert_eq!(farm.attempt(), named(0..50));
    assert_eq!(farm.attempt(), named(50..100));
    assert_eq!(farm.attempt(), named(100..120));
    let shown = farm.shown();
    assert_eq!((shown.outbox.waiting, shown.delivered), (0, 120));
    assert_eq!((shown.outbox.oldest_at, shown.last_error), (None, None));
}

#[test]
fn only_what_central_names_is_let_go_and_the_rest_is_sent_again() {
    let mut farm = farm(|body| {
        let some: Vec<String> = ids(body).into_iter().filter(|id| id != "r1").collect();
        let some = if some.is_empty() { ids(body) } else { some };
        ("200 OK", "", json!({ "accepted": some }).to_string())
    });
    farm.save(3);
    assert_eq!(farm.attempt(), named(0..3));
    assert_eq!(farm.shown().outbox.waiting, 1);
    assert_eq!(farm.attempt(), named(1..2));
    assert_eq!(
        (farm.shown().outbox.waiting, farm.shown().delivered),
        (0, 3)
    );
}

#[test]
fn one_report_that_central_cannot_take_holds_up_no_other() {
    let mut farm = farm(|body| match ids(body).contains(&"r30".to_owned()) {
        true => (
            "422 Unprocessable Entity",
            PROBLEM,
            json!({"detail": "odd"}).to_string(),
        ),
        false => taken(body),
    });
    farm.save(60);
    let mut attempts = 0;
    while farm.shown().outbox.waiting > 0 {
        farm.attempt();
        attempts += 1;
        assert!(attempts < 40, "{:?}", farm.shown());
    }
    let shown = farm.shown();
    assert_eq!((shown.delivered, shown.outbox.set_aside), (59, 1));
    let told = farm.events("report-refused");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("r30: ") && told[0].contains("422: odd"),
        "{told:?}"
    );
}

#[test]
fn those_that_central_has_with_other_content_are_set_aside_by_name() {
    let mut first = true;
    let mut farm = farm(move |body| match std::mem::take(&mut first) {
        true => {
            let problem = json!({"detail": "there already", "known": ["r1", "r3"]});
            ("409 Conflict", PROBLEM, problem.to_string())
        }
        false => taken(body),
    });
    farm.save(5);
    assert_eq!(farm.attempt(), named(0..5));
    assert_eq!(farm.attempt(), ["r0", "r2", "r4"]);
    let shown = farm.shown();
    assert_eq!((shown.delivered, shown.outbox.set_aside), (3, 2));
    assert_eq!(farm.events("report-refused").len(), 2);
}

#[test]
fn a_token_that_is_not_known_is_told_once_and_nothing_is_lost() {
    let mut refusals = 3;
    let mut farm = farm(move |body| match refusals {
        0 => taken(body),
        _ => {
            refusals -= 1;
            ("401 Unauthorized", PROBLEM, "{}".to_owned())
        }
    });
    farm.save(2);
    for _ in 0..3 {
        assert_eq!(farm.attempt(), named(0..2));
        let now = farm.reporter.views.clock.now();
        assert!(
            farm.reporter.next.is_some_and(|next| next > now),
            "it waits"
        );
    }
    assert!(
        farm.shown()
            .last_error
            .is_some_and(|error| error.contains("central.token"))
    );
    assert_eq!(farm.events("reports-not-taken").len(), 1);
    assert_eq!(farm.attempt(), named(0..2));
    assert_eq!(
        farm.events("reports-taken"),
        ["central: central takes reports again; 2 delivered"]
    );
    assert_eq!(
        (farm.shown().outbox.waiting, farm.shown().last_error),
        (0, None)
    );
}

#[test]
fn central_is_left_alone_for_as_long_as_it_asks() {
    let mut farm = farm(|_| {
        (
            "429 Too Many Requests",
            "Retry-After: 40\r\n",
            String::new(),
        )
    });
    farm.save(1);
    assert_eq!(farm.attempt(), named(0..1));
    let asked = farm.reporter.views.clock.now();
    let wait = farm
        .reporter
        .next
        .expect("it waits")
        .saturating_duration_since(asked);
    assert!((39..=60).contains(&wait.as_secs()), "{wait:?}");
    // Before that it is not asked again.
    farm.reporter.send_if_due();
    assert!(farm.bodies.try_recv().is_err());
    assert!(farm.events("reports-not-taken").is_empty());
}

#[test]
fn waits_grow_while_nothing_answers_and_start_anew_afterwards() {
    let mut farm = farm(taken);
    farm.save(1);
    let good = std::mem::replace(
        &mut farm.reporter.post,
        Post::new(&Central {
            // A port that nobody serves.
            url: "http://127.0.0.1:1".to_owned(),
            token: Secret::new("t"),
            public_key: SecretKey::from_bytes(&[7; 32]).public(),
            report_every: Duration::from_secs(300),
        }),
    );
    let mut waits = Vec::new();
    for _ in 0..8 {
        waits.push(farm.reporter.wait.as_secs());
        farm.reporter.next = None;
        farm.reporter.send_if_due();
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    assert!(farm.shown().last_error.is_some());
    farm.reporter.post = good;
    assert_eq!(farm.attempt(), named(0..1));
    assert_eq!(farm.reporter.wait, FIRST_WAIT);
}

#[test]
fn a_report_has_the_counts_since_the_one_before_and_nobody_s_name() {
    let mut farm = farm(taken);
    farm.mine_on("a");
    let accepted = |farm: &Farm, count| {
        for _ in 0..count {
            let judged = Judged {
                link: None,
                outcome: Verdict::Accepted,
                difficulty: 1.0,
                pool_difficulty: 1.0,
                by: Judge::Pool,
            };
            let views = &farm.reporter.views;
            let (pool, now) = ("a".into(), views.clock.now());
            views
                .ledger
                .add(Algorithm::Sha256d, "someone.rig1", &pool, &judged, now);
        }
    };
    accepted(&farm, 3);
    // Not before it is known whether central is there.
    farm.reporter.make_if_due();
    assert_eq!(farm.shown().outbox.waiting, 0);
    farm.sync.send_modify(|view| {
        view.reachable = Some(true);
        view.sequence = 41;
    });
    farm.reporter.make_if_due();
    accepted(&farm, 2);
    let now = farm.reporter.views.clock.now();
    farm.reporter.pace = Pace::new(Span::from_secs(0), now);
    farm.lane.send_modify(|view| view.route = None);
    farm.reporter.make_if_due();
    let waiting = farm
        .store()
        .reader()
        .expect("a reader")
        .waiting_reports(9)
        .expect("read");
    let told: Vec<Value> = waiting
        .iter()
        .map(|waiting| serde_json::from_str(&waiting.body).expect("JSON"))
        .collect();
    assert_eq!(told.len(), 2);
    let shares = |n: usize| &told[n]["algorithms"]["sha256d"]["shares"]["accepted"];
    assert_eq!((shares(0), shares(1)), (&json!(3), &json!(2)));
    assert_eq!(
        (&told[0]["state"], &told[1]["state"]),
        (&json!("mining"), &json!("holding"))
    );
    assert_eq!(told[0]["algorithms"]["sha256d"]["route"]["pool"], "a");
    assert_eq!(told[1]["algorithms"]["sha256d"]["route"], Value::Null);
    assert_eq!(told[0]["sequence"], 41);
    assert_ne!(told[0]["id"], told[1]["id"]);
    for waiting in &waiting {
        assert!(!waiting.body.contains("rig1"), "{}", waiting.body);
        let report = serde_json::from_str(&waiting.body).expect("a report");
        Reports::new(vec![report])
            .check()
            .expect("within the contract's bounds");
    }
}

#[test]
fn a_report_tells_what_became_of_the_last_update_at_that_moment() {
    let mut farm = farm(taken);
    let file = farm.folder.path().join("outcome");
    farm.reporter.outcome = Some(file.clone());
    let mut told = Vec::new();
    for text in [
        "",
        "VERSION=1.1.0\nOUTCOME=rolled-back\nREASON=no\u{1}page\n",
        "VERSION=1.2.0\nOUTCOME=kept\n",
        "nonsense",
    ] {
        std::fs::write(&file, text).expect("written");
        let now = farm.reporter.views.clock.now();
        farm.reporter.pace = Pace::new(Span::from_secs(0), now);
        farm.reporter.make_if_due();
        let reader = farm.store().reader().expect("a reader");
        let newest = reader.waiting_reports(9).expect("read").pop();
        let body = newest.expect("one").body;
        let report: Value = serde_json::from_str(&body).expect("JSON");
        told.push(report["update"].clone());
        let reports = Reports::new(vec![serde_json::from_str(&body).expect("a report")]);
        assert_eq!(reports.check(), Ok(()));
    }
    let back = json!({"release": "1.1.0", "outcome": "rolled-back", "reason": "no?page"});
    let kept = json!({"release": "1.2.0", "outcome": "kept", "reason": ""});
    assert_eq!(told, [Value::Null, back, kept, Value::Null]);
}

#[test]
fn the_state_is_the_worst_that_is_true() {
    let farm = farm(taken);
    let state = |elsewhere| make::state(&farm.reporter.views.status(), elsewhere);
    assert_eq!(state(false), FarmState::Holding);
    farm.mine_on("a");
    farm.sync.send_modify(|view| {
        view.reachable = Some(true);
        view.last_refusal = Some("signature does not match".to_owned());
    });
    // It was refused once, and a later one was good.
    assert_eq!(state(false), FarmState::Mining);
    assert_eq!(state(true), FarmState::Trouble);
    farm.sync.send_modify(|view| {
        view.reachable = Some(false);
        view.last_error = Some("connection refused".to_owned());
    });
    assert_eq!(state(false), FarmState::MiningFromCache);
    farm.sync.send_modify(|view| {
        view.last_error = Some("its snapshot was refused: signature does not match".to_owned());
    });
    assert_eq!(state(false), FarmState::Trouble);
}
