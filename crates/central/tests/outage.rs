//! The database goes away and comes back; farms keep what they had.

mod support;

use smart_mining_central::testing::PrivatePostgres;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use support::request::{Full, ask};
use support::{Central, STARTER, eventually};

#[test]
fn an_api_that_starts_before_its_database_waits_for_it() {
    let central = Central::on(Arc::new(PrivatePostgres::start()));
    let sequence = central.import(STARTER);
    central.postgres.stop();
    let api = central.serve();
    let told = api.wait_for_log("is away");
    assert!(told.contains("nothing to serve yet"), "{told}");
    assert_eq!(api.get("/healthz").status, 200);
    api.get("/readyz").problem(503);
    central.postgres.start_again();
    api.wait_until_ready();
    assert_eq!(api.get("/readyz").json()["sequence"], sequence);
}

#[test]
fn an_outage_under_a_waiting_poll_loses_nothing() {
    let central = Central::on(Arc::new(PrivatePostgres::start()));
    let first = central.import(STARTER);
    let token = central.enrol("hill");
    let api = central.serve();
    api.wait_until_ready();
    assert_eq!(api.get_as(&token, "/api/v1/snapshot").status, 200);
    let poll = api.get_later(&token, &format!("/api/v1/snapshot?after={first}&wait=55"));
    api.wait_for_log(&format!("newer than Some({first})"));

    central.postgres.stop();
    let told = api.wait_for_log("is away");
    assert!(
        told.contains(&format!("snapshot {first} goes on being served")),
        "{told}"
    );
    let cached = api.get_as(&token, "/api/v1/snapshot");
    assert_eq!((cached.status, cached.sequence), (200, Some(first)));
    assert_eq!(api.get("/api/best-pool?algo=sha256").status, 200);
    assert!(
        api.get("/readyz")
            .problem(503)
            .contains("the database is away")
    );
    let stranger = format!("smf_{}", "A".repeat(43));
    let unchecked = api.get_as(&stranger, "/api/v1/snapshot").problem(503);
    assert!(
        unchecked.contains("the token cannot be checked"),
        "{unchecked}"
    );

    central.postgres.start_again();
    let second = central.import(STARTER);
    assert!(second > first);
    let (answer, _) = poll.join().expect("answered");
    assert_eq!((answer.status, answer.sequence), (200, Some(second)));
    eventually("ready again", || api.get("/readyz").status == 200);
}

/// Farms poll and report, people read lists; then the database is away, and comes back.
#[test]
fn an_outage_under_load_stops_no_snapshot_and_doubles_no_report() {
    let central = Central::on(Arc::new(PrivatePostgres::start()));
    let sequence = central.import(STARTER);
    let tokens: Vec<String> = (0..4)
        .map(|n| central.enrol(&format!("farm-{n}")))
        .collect();
    let api = central.serve_with(&[
        "--address-rate",
        "100000",
        "--address-burst",
        "100000",
        "--token-rate",
        "100000",
        "--token-burst",
        "100000",
        "--seen-every",
        "1",
    ]);
    api.wait_until_ready();
    let load = Arc::new(Load::default());
    let mut workers = Vec::new();
    for token in &tokens {
        workers.push(load.poll(&api.address, token));
        workers.push(load.report(&api.address, token));
        workers.push(load.read(&api.address));
    }
    let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
    eventually("everything is answered", || {
        count(&load.polls) > 50 && count(&load.reads) > 50 && count(&load.reports) > 50
    });
    assert_eq!(
        count(&load.unavailable),
        0,
        "no 503 while the database is there"
    );

    central.postgres.stop();
    eventually("the outage is told", || count(&load.unavailable) > 50);
    let polls = count(&load.polls);
    eventually("snapshots go on", || count(&load.polls) > polls + 200);
    assert_eq!(api.get("/healthz").status, 200);
    api.get("/readyz").problem(503);
    let metrics = api.get("/metrics").body;
    assert!(
        metrics.contains("smart_mining_api_database_up 0"),
        "{metrics}"
    );

    central.postgres.start_again();
    api.wait_until_ready();
    let (reads, reports) = (count(&load.reads), count(&load.reports));
    eventually("everything is answered again", || {
        count(&load.reads) > reads + 50 && count(&load.reports) > reports + 50
    });
    load.stop.store(true, Ordering::SeqCst);
    for worker in workers {
        worker
            .join()
            .expect("every answer was one of those that are right");
    }
    let stored = central.sql("SELECT count(*) FROM reports");
    assert_eq!(
        stored,
        count(&load.reports).to_string(),
        "each report once, and none lost"
    );
    let numbered = central.sql(
        "SELECT bool_and(count = highest) FROM (SELECT count(*), max((body->>'uptime')::bigint)
         FROM reports GROUP BY farm) AS each (count, highest)",
    );
    assert_eq!(numbered, "t", "without a gap");
    assert_eq!(
        central.sql("SELECT max(sequence) FROM snapshots"),
        sequence.to_string()
    );
    eventually("all farms are seen again", || {
        central.sql("SELECT count(*) FROM farm_state WHERE last_seen_at IS NOT NULL") == "4"
    });
}

#[derive(Default)]
struct Load {
    polls: AtomicUsize,
    reads: AtomicUsize,
    /// That were acknowledged.
    reports: AtomicUsize,
    unavailable: AtomicUsize,
    stop: AtomicBool,
}

impl Load {
    fn worker(
        self: &Arc<Self>,
        address: &str,
        mut turn: impl FnMut(&Self, &str) + Send + 'static,
    ) -> JoinHandle<()> {
        let (load, address) = (self.clone(), address.to_owned());
        thread::spawn(move || {
            while !load.stop.load(Ordering::SeqCst) {
                turn(&load, &address);
            }
        })
    }

    /// A snapshot is there always.
    fn poll(self: &Arc<Self>, address: &str, token: &str) -> JoinHandle<()> {
        let token = token.to_owned();
        self.worker(address, move |load, address| {
            let answer = ask(address, "GET", "/api/v1/snapshot", Some(&token), &[], None);
            assert_eq!(answer.status, 200);
            load.polls.fetch_add(1, Ordering::SeqCst);
        })
    }

    /// A list is there, or the database is said to be away.
    fn read(self: &Arc<Self>, address: &str) -> JoinHandle<()> {
        self.worker(address, |load, address| {
            let answer = ask(address, "GET", "/api/v1/coins", None, &[], None);
            match answer.status {
                200 => load.reads.fetch_add(1, Ordering::SeqCst),
                _ => load.away(&answer),
            };
        })
    }

    /// As an appliance does: the same report again until it is acknowledged, then the next.
    fn report(self: &Arc<Self>, address: &str, token: &str) -> JoinHandle<()> {
        let (token, mut number) = (token.to_owned(), 1);
        self.worker(address, move |load, address| {
            let body = format!(
                r#"{{"version":1,"reports":[{{"id":"r{number}","created_at":1790000000,"appliance":"1",
                     "uptime":{number},"sequence":1,"state":"mining","algorithms":{{}}}}]}}"#
            );
            let json = [("content-type", "application/json")];
            let path = "/api/v1/reports";
            let answer = ask(address, "POST", path, Some(&token), &json, Some(body.as_bytes()));
            match answer.status {
                200 => {
                    number += 1;
                    load.reports.fetch_add(1, Ordering::SeqCst)
                }
                _ => load.away(&answer),
            };
        })
    }

    fn away(&self, answer: &Full) -> usize {
        let kind = answer.problem(503);
        assert!(kind.starts_with("database-"), "{kind}");
        assert!(answer.header("retry-after").is_some());
        self.unavailable.fetch_add(1, Ordering::SeqCst)
    }
}
