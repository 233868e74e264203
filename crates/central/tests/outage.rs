//! The database goes away and comes back; farms keep what they had.

mod support;

use smart_mining_central::testing::PrivatePostgres;
use std::sync::Arc;
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
