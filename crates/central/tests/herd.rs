//! After a restart all farms ask in the same moment, before the API knows any of them.

mod support;

use sqlx::{Connection as _, Executor as _, PgConnection};
use support::{Central, STARTER, eventually};

const FARMS: usize = 6;

/// One question to the database for all of them, and nobody is taken for a stranger: with
/// a look-up and a place in their address's bucket each, most would be turned away.
#[tokio::test(flavor = "multi_thread")]
async fn farms_that_come_before_they_are_known_wait_for_one_query() {
    let central = Central::new();
    central.import(STARTER);
    let token = central.enrol("hill");
    // Held, so that the API cannot read the farms while they ask already.
    let url = central.postgres.url(&central.database);
    let mut holder = PgConnection::connect(&url).await.expect("connected");
    holder
        .execute("BEGIN; LOCK TABLE farms IN ACCESS EXCLUSIVE MODE")
        .await
        .expect("locked");
    let api = central.serve_with(&["--address-rate", "1", "--address-burst", "1"]);
    let waiting = || {
        central.sql(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
    };
    eventually("the API reads the farms", || waiting() == "1");
    let polls: Vec<_> = (0..FARMS)
        .map(|_| api.get_later(&token, "/api/v1/snapshot"))
        .collect();
    for _ in 0..FARMS {
        api.wait_for_log("waits until the farms are read");
    }
    assert_eq!(waiting(), "1", "no look-ups beside the one query");
    holder.execute("COMMIT").await.expect("let go");
    for poll in polls {
        let (answer, _) = poll.join().expect("asked");
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// A farm is told to come back, not that it is unknown, for that would be a reason to
/// look at its token.
#[tokio::test(flavor = "multi_thread")]
async fn farms_that_cannot_be_read_are_told_to_ask_again() {
    let central = Central::new();
    let token = central.enrol("hill");
    let url = central.postgres.url(&central.database);
    let mut holder = PgConnection::connect(&url).await.expect("connected");
    holder
        .execute("BEGIN; LOCK TABLE farms IN ACCESS EXCLUSIVE MODE")
        .await
        .expect("locked");
    let api = central.serve();
    let told = api.get_as(&token, "/api/v1/snapshot").problem(503);
    assert!(told.contains("ask again"), "{told}");
    holder.execute("COMMIT").await.expect("let go");
    // Known, and told of what there really is: nothing yet.
    eventually("the farm is known", || {
        let told = api.get_as(&token, "/api/v1/snapshot").problem(503);
        told.contains("published")
    });
}
