//! A release from central to the updater, and its outcome back.

mod support;

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};
use support::central::{Central, pool};
use support::{Appliance, PATIENCE};

/// Ask until it is so.
async fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE * 2;
    let mut again = tokio::time::interval(Duration::from_millis(200));
    loop {
        again.tick().await;
        if tokio::task::block_in_place(&so) {
            return;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
    }
}

/// Oldest first, since the start.
fn told(appliance: &Appliance) -> Vec<String> {
    let events = appliance.get("/api/events").unwrap_or_default();
    let events: Value = serde_json::from_str(&events).unwrap_or_default();
    let events = events.as_array().cloned().unwrap_or_default();
    let updates = events
        .iter()
        .rev()
        .filter(|event| event["code"] == "update");
    let text = |event: &Value| event["text"].as_str().expect("a text").to_owned();
    updates.map(text).collect()
}

/// What a restart will know to be told.
fn remembered(appliance: &Appliance) -> String {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let store = Connection::open_with_flags(appliance.farm.store(), flags).expect("a store");
    let value = "SELECT value FROM meta WHERE key = 'update-outcome'";
    let value = store.query_row(value, (), |row| row.get(0));
    value.unwrap_or_default()
}

fn starts_with(path: &Path, text: &str) -> bool {
    std::fs::read_to_string(path).is_ok_and(|found| found.starts_with(text))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_was_rolled_back_is_halted_at_central_and_not_tried_again() {
    let central = Central::start("updates").await;
    let a = pool("a", 1).await;
    central.publish(&[(&a, 4e-14)]).await;
    central.sql(
        "INSERT INTO releases (version, board, url, sha256, size, rollback_index, wave_percent)
         VALUES ('1.1.0', 'test-board', 'https://x.example/i', repeat('0', 64), 5, 1, 100);
         NOTIFY releases",
    );
    let often = "report_every_seconds = 5";
    let farm = central.farm_at(central.relay.address(), often).updatable();
    let (wanted, outcome) = (
        farm.folder.path().join("wanted"),
        farm.folder.path().join("outcome"),
    );
    let mut appliance = farm.start();
    appliance.on_pool("a").await;
    until("the release is wanted", || {
        starts_with(&wanted, "VERSION=1.1.0\n")
    })
    .await;

    // The updater installs it, and comes back.
    appliance.kill();
    let text = "VERSION=1.1.0\nOUTCOME=rolled-back\nREASON=the page does not answer\n";
    std::fs::write(&outcome, text).expect("written");
    appliance.start_again();
    let halted = "SELECT halted, halted_reason FROM releases";
    let reason = "rolled back by 1 of 1 farms that tried it on test-board, \
                  and kept by none; 1 of these is enough";
    until("central halts it", || {
        central.sql(halted) == format!("t|{reason}")
    })
    .await;
    assert_eq!(
        central.fleet_row()["update"]["reason"],
        "the page does not answer"
    );
    let back = "release 1.1.0 was rolled back (the page does not answer)";
    until("that it was told is on the disk", || {
        remembered(&appliance) == back
    })
    .await;
    assert_eq!(told(&appliance)[0], back);

    // The operator takes it up again, and central offers it as before.
    appliance.kill();
    central.sql("UPDATE releases SET halted = false; NOTIFY releases");
    std::fs::write(&wanted, "VERSION=1.1.0\n").expect("written");
    appliance.start_again();
    let again = "release 1.1.0 is offered and not tried again: \
                 it was rolled back (the page does not answer)";
    until("it is passed over", || !told(&appliance).is_empty()).await;
    assert_eq!(told(&appliance), [again], "the outcome was told before");
    assert!(!wanted.exists());
}
