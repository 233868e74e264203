//! The API as farms and operators see it.

mod support;

use std::process::Stdio;
use std::time::{Duration, Instant};
use support::{Central, STARTER, eventually, stderr, stdout};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_publication_wakes_the_polls_of_every_replica_within_a_second() {
    let central = Central::new();
    let replicas = [central.serve(), central.serve()];
    let token = central.enrol("hill");
    for api in &replicas {
        api.wait_for_log("following database");
    }
    let polls = replicas
        .each_ref()
        .map(|api| api.get_later(&token, "/api/v1/snapshot?after=0&wait=50"));
    for api in &replicas {
        api.wait_for_log("newer than Some(0)");
    }
    let sequence = central.import(STARTER);
    let published = Instant::now();
    for poll in polls {
        let (answer, at) = poll.join().expect("answered");
        assert_eq!((answer.status, answer.sequence), (200, Some(sequence)));
        assert!(at.saturating_duration_since(published) < SECOND);
        let snapshot = central.open(&answer);
        assert_eq!((snapshot.sequence, snapshot.entries.len()), (sequence, 6));
    }
    for api in &replicas {
        api.wait_until_ready();
    }

    let api = &replicas[0];
    let newest = api.get_as(&token, "/api/v1/snapshot");
    assert_eq!((newest.status, newest.sequence), (200, Some(sequence)));
    assert_eq!(
        newest.body,
        central.sql("SELECT envelope FROM snapshots"),
        "served exactly as stored"
    );
    let asked = Instant::now();
    let path = format!("/api/v1/snapshot?after={sequence}&wait=1");
    let nothing = api.get_as(&token, &path);
    assert_eq!((nothing.status, nothing.body.as_str()), (204, ""));
    assert!(
        asked.elapsed() >= SECOND,
        "it waited as long as it was asked to"
    );
}

#[test]
fn before_the_first_publication_everything_says_so() {
    let central = Central::new();
    let api = central.serve();
    let token = central.enrol("hill");
    assert_eq!(api.get("/healthz").status, 200);
    for path in ["/readyz", "/api/best-pool?algo=sha256"] {
        assert!(
            api.get(path)
                .problem(503)
                .contains("no snapshot was published yet")
        );
    }
    api.get_as(&token, "/api/v1/snapshot").problem(503);
    let asked = Instant::now();
    api.get_as(&token, "/api/v1/snapshot?wait=1").problem(503);
    assert!(
        asked.elapsed() >= SECOND,
        "it waited as long as it was asked to"
    );
}

#[test]
fn only_an_enrolled_farm_reads_snapshots() {
    let central = Central::new();
    central.import(STARTER);
    let api = central.serve();
    api.wait_until_ready();
    let path = "/api/v1/snapshot";
    let stranger = format!("smf_{}", "A".repeat(43));
    for answer in [
        api.get(path),
        api.get_as("hunter2", path),
        api.get_as(&stranger, path),
    ] {
        answer.problem(401);
        assert_eq!(
            answer.challenge.as_deref(),
            Some("Bearer realm=\"smart-mining\"")
        );
        assert!(!answer.body.contains(&stranger));
    }

    let token = central.enrol("hill");
    assert_eq!(api.get_as(&token, path).status, 200);
    let again = central
        .api_command(&["enrol", "hill"])
        .output()
        .expect("started");
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("enrol --rotate hill"));

    let new = stdout(central.api_command(&["enrol", "hill", "--rotate"]).output());
    assert_ne!(new, token);
    eventually("the old token ends", || {
        api.get_as(&token, path).status == 401
    });
    assert_eq!(api.get_as(&new, path).status, 200);
    let unknown = central.api_command(&["enrol", "dale", "--rotate"]).output();
    assert!(stderr(&unknown.expect("started")).contains("\"dale\" is not enrolled"));

    central.sql("UPDATE farms SET disabled = true; NOTIFY farms");
    eventually("a disabled farm is refused", || {
        api.get_as(&new, path).status == 401
    });
    let listed = stdout(central.api_command(&["farms"]).output());
    assert!(listed.starts_with("hill\tdisabled\t20"), "{listed}");
}

#[test]
fn a_token_is_stored_as_its_hash_only_and_never_logged() {
    let central = Central::new();
    let output = central
        .api_command(&["enrol", "hill"])
        .env("RUST_LOG", "trace")
        .output()
        .expect("started");
    let told = stderr(&output);
    let token = stdout(Ok(output));
    assert!(!told.contains(&token));
    assert!(
        !central
            .sql("SELECT farms::text FROM farms")
            .contains(&token[4..])
    );
    let stored = format!("SELECT token_sha256 = sha256('{token}') FROM farms");
    assert_eq!(central.sql(&stored), "t");
}

#[test]
fn the_best_pool_is_explained() {
    let central = Central::new();
    let sequence = central.import(STARTER);
    let api = central.serve();
    api.wait_until_ready();
    let best = api.get("/api/best-pool?algo=sha256").json();
    assert_eq!(best["algorithm"], "sha256d");
    assert_eq!(
        (&best["pool"]["id"], &best["coin"]),
        (&"pool-a".into(), &"BTC".into())
    );
    assert_eq!(best["pool"]["url"], "stratum+tcp://127.0.0.1:13331");
    assert_eq!(
        (&best["pool"]["host"], &best["pool"]["port"]),
        (&"127.0.0.1".into(), &13331.into())
    );
    assert_eq!(
        (&best["pool"]["tls"], &best["pool"]["fee"]),
        (&false.into(), &0.01.into())
    );
    assert_eq!(best["gross_usd_per_hash_day"], 4.0e-14);
    assert_eq!(best["usd_per_hash_day"], 4.0e-14 * 0.99);
    assert_eq!(best["display"]["unit"], "USD/TH/day");
    assert_eq!(best["display"]["value"], 0.0396);
    assert_eq!(
        (&best["margin"], &best["sequence"]),
        (&0.02.into(), &sequence.into())
    );
    assert!(best["computed_at"].is_u64());
    let others = best["alternatives"].as_array().expect("a list");
    let pools: Vec<_> = others.iter().map(|other| &other["pool"]["id"]).collect();
    assert_eq!(pools, ["pool-b", "pool-c"]);
    assert_eq!(others[0]["reason"], "pays less after fees");
    assert_eq!(others[0]["behind_percent"], 1.0);

    let id = |query: &str| {
        let answer = api.get(&format!("/api/best-pool?{query}")).json();
        answer["pool"]["id"].as_str().expect("a pool").to_owned()
    };
    assert_eq!(id("algo=SHA256D&exclude=pool-a"), "pool-b");
    assert_eq!(id("algo=sha256&coin=BTC&exclude=pool-a"), "pool-c");
    assert_eq!(id("algo=sha256&coin=bch,LTC"), "pool-b");
    let scrypt = api.get("/api/best-pool?algo=scrypt").json();
    assert_eq!(scrypt["pool"]["url"], "stratum+tcp://127.0.0.1:13341");
}

#[test]
fn a_question_that_cannot_be_answered_is_told_why() {
    let central = Central::new();
    central.import(STARTER);
    let api = central.serve();
    api.wait_until_ready();
    for query in ["algo=sha3", "coin=BTC"] {
        let answer = api.get(&format!("/api/best-pool?{query}"));
        answer.problem(400);
        assert_eq!(answer.json()["known"].as_array().expect("a list").len(), 8);
    }
    let typo = api.get("/api/best-pool?algo=scrypt&coins=LTC");
    assert!(typo.problem(400).contains("coins"));
    let none = api.get("/api/best-pool?algo=scrypt&coin=DOGE");
    assert!(none.problem(404).contains("LTC on pool-a, LTC on pool-b"));
    assert!(
        api.get("/api/best-pool?algo=kawpow")
            .problem(404)
            .contains("kawpow")
    );
    let long = format!("/api/best-pool?algo={}", "x".repeat(9000));
    assert!(api.get(&long).problem(414).contains("9005 bytes"));
    api.get("/api/nothing").problem(404);
    api.post("/api/best-pool?algo=scrypt").problem(405);
}

#[test]
fn a_stop_answers_the_waiting_polls_and_ends_well() {
    let central = Central::new();
    let sequence = central.import(STARTER);
    let token = central.enrol("hill");
    let mut api = central.serve();
    api.wait_until_ready();
    let poll = api.get_later(
        &token,
        &format!("/api/v1/snapshot?after={sequence}&wait=50"),
    );
    api.wait_for_log(&format!("newer than Some({sequence})"));
    let asked = Instant::now();
    api.terminate();
    assert_eq!(api.wait_for_exit().code(), Some(0));
    assert_eq!(poll.join().expect("answered").0.status, 204);
    assert!(asked.elapsed() < 5 * SECOND);
}

#[test]
fn an_unusable_database_url_ends_the_process_with_a_remedy() {
    let central = Central::new();
    let output = central
        .api_command(&["serve"])
        .env("DATABASE_URL", "mysql://central:hunter2@db/x")
        .stdin(Stdio::null())
        .output()
        .expect("started");
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("postgres://USER:PASSWORD@HOST:5432/NAME"));
    assert!(!told.contains("hunter2"));
}
