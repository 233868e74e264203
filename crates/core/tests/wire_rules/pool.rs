//! Bitcoin SV1, toward the pool.

use crate::support::bare::{AUTHORIZED, PoolWire, SUBSCRIBED, share};
use crate::support::{Answer, FakePool, World, at, login, secs};
use serde_json::{Value, json};
use smart_mining_core::share::{Token, Verdict};
use smart_mining_core::sv1::pool::{
    DEAF_AFTER, LOGIN_WITHIN, MAX_IN_FLIGHT, REFUSED_IN_A_ROW, REFUSING_FOR, SILENT_AFTER,
};
use smart_mining_core::sv1::{Failure, Login, PoolEvent};
use smart_mining_core::{Duration, Instant};

fn failure(wire: &mut PoolWire) -> Option<Failure> {
    wire.events().into_iter().find_map(|event| match event {
        PoolEvent::Failed(failure) => Some(failure),
        PoolEvent::LoggedIn
        | PoolEvent::Work(_)
        | PoolEvent::Verdict { .. }
        | PoolEvent::Notice(_) => None,
    })
}

/// The difficulties and extranonce1s of the work handed on.
fn works(wire: &mut PoolWire) -> Vec<(f64, Vec<u8>)> {
    let events = wire.events().into_iter();
    events
        .filter_map(|event| match event {
            PoolEvent::Work(terms) => Some((terms.difficulty, terms.split.extranonce1().to_vec())),
            PoolEvent::LoggedIn
            | PoolEvent::Verdict { .. }
            | PoolEvent::Notice(_)
            | PoolEvent::Failed(_) => None,
        })
        .collect()
}

fn verdicts(wire: &mut PoolWire) -> Vec<(Token, Verdict)> {
    let events = wire.events().into_iter();
    events
        .filter_map(|event| match event {
            PoolEvent::Verdict { token, verdict } => Some((token, verdict)),
            PoolEvent::LoggedIn
            | PoolEvent::Work(_)
            | PoolEvent::Notice(_)
            | PoolEvent::Failed(_) => None,
        })
        .collect()
}

fn notify() -> String {
    FakePool::new("a").make_job(true).notify()
}

fn methods(said: &[Value]) -> Vec<&str> {
    said.iter()
        .filter_map(|line| line["method"].as_str())
        .collect()
}

#[test]
fn the_login_is_configure_subscribe_authorize_with_the_farms_own_agent() {
    let mut wire = PoolWire::new(login());
    let said = wire.said();
    assert_eq!(methods(&said), ["mining.configure", "mining.subscribe"]);
    assert_eq!(said[1]["params"], json!(["test/1"]));
    wire.hear(SUBSCRIBED);
    assert_eq!(wire.said()[0]["params"], json!(["account.barn", "x"]));
    wire.hear(AUTHORIZED);
    assert_eq!(methods(&wire.said()), ["mining.extranonce.subscribe"]);
}

#[test]
fn with_extensions_off_only_the_basic_methods_are_sent() {
    let mut wire = PoolWire::new(Login {
        extensions: false,
        ..login()
    });
    wire.hear(SUBSCRIBED);
    wire.hear(AUTHORIZED);
    assert_eq!(
        methods(&wire.said()),
        ["mining.subscribe", "mining.authorize"]
    );
    let mut world = World::new(&["a"]);
    world.pool("a").mask = None;
    let mut plain = crate::support::candidate("a", "BTC", 1.0);
    plain.login.extensions = false;
    world.candidates(vec![plain], 1);
    world.run(secs(3));
    let miner = world.miner("acc.rig");
    assert_eq!(world.mine_now(miner), Answer::True);
}

#[test]
fn jobs_and_difficulty_before_the_login_is_answered_are_kept() {
    let difficulty =
        r#"{"params":[0.00050000000000000001],"id":null,"method":"mining.set_difficulty"}"#;
    let authorize = |wire: &mut PoolWire| wire.hear(AUTHORIZED);
    for early in [true, false] {
        let mut wire = PoolWire::new(login());
        if early {
            wire.hear(difficulty);
            wire.hear(&notify());
        }
        wire.hear(SUBSCRIBED);
        if !early {
            wire.hear(difficulty);
            wire.hear(&notify());
        }
        assert!(wire.events().is_empty(), "not before the login is through");
        authorize(&mut wire);
        assert_eq!(works(&mut wire), [(0.0005, vec![10, 11, 12, 13])]);
    }
    let mut world = World::new(&["a"]);
    world.pool("a").early_job = true;
    world.rank(&[("a", 1.0)], 1);
    world.run(secs(1));
    let miner = world.miner("acc.rig");
    assert_eq!(world.mine_now(miner), Answer::True);
}

#[test]
fn the_pools_difficulty_counts_from_the_next_job() {
    let mut wire = PoolWire::logged_in();
    wire.hear(r#"{"id":null,"method":"mining.set_difficulty","params":[2]}"#);
    assert!(wire.events().is_empty());
    wire.hear(&notify());
    assert_eq!(works(&mut wire)[0].0, 2.0);
    for nonsense in ["0", "-1", "1e999", "\"x\"", "null", "[]"] {
        wire.hear(&format!(
            r#"{{"id":null,"method":"mining.set_difficulty","params":[{nonsense}]}}"#
        ));
    }
    wire.hear(&notify());
    assert_eq!(works(&mut wire)[0].0, 2.0, "nonsense changes nothing");
}

#[test]
fn a_set_extranonce_counts_from_the_next_job() {
    let mut world = World::running(&["a"]);
    let miner = world.miner("acc.rig");
    world.say(
        "a",
        r#"{"id":null,"method":"mining.set_extranonce","params":["cafe",5]}"#,
    );
    world.run(secs(1));
    assert_eq!(
        world.mine_now(miner),
        Answer::True,
        "the job at hand keeps the old one"
    );
    let pool = world.pool("a");
    pool.size = 5;
    for connection in pool.connections.values_mut() {
        connection.extranonce1 = "cafe".into();
    }
    world.notify("a", true);
    world.run(secs(1));
    assert_eq!(world.mine_now(miner), Answer::True);
    world.say(
        "a",
        r#"{"id":null,"method":"mining.set_extranonce","params":["cafe",1]}"#,
    );
    world.run(secs(1));
    assert!(matches!(world.failures[0].2, Failure::Unusable(_)));
}

#[test]
fn the_pools_requests_are_answered() {
    let mut wire = PoolWire::logged_in();
    wire.hear(r#"{"id":"p1","method":"mining.ping","params":[]}"#);
    wire.hear(r#"{"id":8,"method":"client.get_version","params":[]}"#);
    wire.hear(r#"{"id":9,"method":"client.show_message","params":["mind the \u0007 gap"]}"#);
    wire.hear(r#"{"id":10,"method":"client.dance","params":[]}"#);
    let said = wire.said();
    assert_eq!(
        said[0],
        json!({"id": "p1", "result": "pong", "error": null})
    );
    assert_eq!(said[1]["result"], "test/1");
    assert_eq!(said[2]["result"], true);
    assert_eq!(said[3]["error"][0], 20);
    let events = wire.events();
    assert!(matches!(&events[..], [PoolEvent::Notice(text)] if text == "mind the  gap"));
}

#[test]
fn unknown_notifications_and_stray_answers_are_tolerated() {
    let mut wire = PoolWire::logged_in();
    for line in [
        r#"{"id":null,"method":"mining.set_goal","params":["x"]}"#,
        r#"{"method":"client.stats"}"#,
        r#"{"id":null,"result":true,"error":null}"#,
        r#"{"id":777,"result":true,"error":null}"#,
        r#"{"id":2,"result":[[],"ff",8],"error":null}"#,
        r#"{"id":1,"result":null,"error":[-3,"Method not found",null]}"#,
        "{}",
    ] {
        wire.hear(line);
    }
    assert!(wire.said().is_empty());
    assert!(wire.events().is_empty());
}

#[test]
fn a_refused_login_is_told_in_the_pools_words() {
    let mut wire = PoolWire::new(login());
    wire.hear(SUBSCRIBED);
    wire.hear(r#"{"id":3,"result":false,"error":[24,"No such user",null]}"#);
    let Some(Failure::LoginRefused(words)) = failure(&mut wire) else {
        panic!("refused");
    };
    assert!(words.contains("No such user"));
    let mut wire = PoolWire::new(login());
    wire.hear(r#"{"id":2,"result":null,"error":"banned"}"#);
    assert!(matches!(failure(&mut wire), Some(Failure::LoginRefused(_))));
}

#[test]
fn a_pool_that_asks_to_reconnect_is_left() {
    let mut wire = PoolWire::logged_in();
    wire.hear(r#"{"id":null,"method":"client.reconnect","params":["evil.example",3333,0]}"#);
    assert_eq!(failure(&mut wire), Some(Failure::AskedToReconnect));
    let mut world = World::running(&["a"]);
    world.say(
        "a",
        r#"{"id":null,"method":"client.reconnect","params":[]}"#,
    );
    world.run(secs(5));
    assert_eq!(world.opened.len(), 2, "and tried again at its own address");
    assert_eq!(world.route(), Some("a"));
}

#[test]
fn a_few_unreadable_lines_are_forgiven_and_a_stream_of_them_is_not() {
    let mut wire = PoolWire::logged_in();
    wire.hear("HTTP/1.1 400 Bad Request");
    wire.hear("\u{0}");
    wire.hear(&notify());
    assert_eq!(works(&mut wire).len(), 1);
    for _ in 0..3 {
        wire.hear("<html>");
    }
    assert_eq!(failure(&mut wire), Some(Failure::Garbage("<html>".into())));
}

#[test]
fn a_job_that_cannot_be_read_is_reported_and_changes_nothing() {
    let mut wire = PoolWire::logged_in();
    let good = notify();
    for (from, to) in [("17", "1g"), ("20000000", "2"), (",true]", "]")] {
        wire.hear(&good.replace(from, to));
    }
    wire.hear(r#"{"id":null,"method":"mining.notify","params":[]}"#);
    let notices = wire.events().into_iter();
    let notices = notices.filter(|event| matches!(event, PoolEvent::Notice(_)));
    assert_eq!(notices.count(), 3, "a missing clean flag is no fault");
}

#[test]
fn a_login_takes_at_most_10_s() {
    for answers in [&[][..], &[SUBSCRIBED][..]] {
        let mut wire = PoolWire::new(login());
        for line in answers {
            wire.hear(line);
        }
        let due = at(1000) + LOGIN_WITHIN;
        assert_eq!(wire.session.deadline(), due);
        wire.session.tick(due);
        assert_eq!(failure(&mut wire), Some(Failure::LoginTimeout));
        assert_eq!(wire.session.deadline(), Instant::MAX);
    }
}

#[test]
fn a_pool_without_a_line_for_120_s_is_down() {
    let mut wire = PoolWire::logged_in();
    let due = at(1000) + SILENT_AFTER;
    assert_eq!(wire.session.deadline(), due);
    wire.session.tick(due);
    assert_eq!(failure(&mut wire), Some(Failure::Silent));
}

#[test]
fn a_pool_that_says_nothing_for_5_s_after_a_share_is_deaf() {
    let mut wire = PoolWire::logged_in();
    // An older share is still open when the pool speaks for the last time.
    wire.now = at(4_990);
    wire.submit("rig", 1);
    wire.now = at(5_000);
    wire.hear(&notify());
    wire.events();
    wire.now = at(6_000);
    wire.submit("rig", 2);
    let due = at(6_000) + DEAF_AFTER;
    assert_eq!(wire.session.deadline(), due);
    wire.session.tick(due);
    let events = wire.events();
    let unknown = events.iter().filter(|event| {
        matches!(
            event,
            PoolEvent::Verdict {
                verdict: Verdict::Unknown(_),
                ..
            }
        )
    });
    assert_eq!(unknown.count(), 2, "both are answered, neither as accepted");
    assert!(matches!(
        events.last(),
        Some(PoolEvent::Failed(Failure::Deaf))
    ));
}

#[test]
fn a_share_that_others_overtook_is_given_up_alone() {
    let mut wire = PoolWire::logged_in();
    wire.submit("rig", 1);
    for second in 2..60 {
        wire.now = at(second * 1000);
        wire.hear(r#"{"id":null,"method":"mining.set_difficulty","params":[2]}"#);
        wire.session.tick(wire.now);
    }
    assert!(matches!(
        verdicts(&mut wire)[..],
        [(1, Verdict::Unknown(_))]
    ));
    assert_eq!(wire.session.in_flight(), 0);
}

#[test]
fn nothing_but_a_plain_true_is_an_accept() {
    for answer in [
        r#""result":false,"error":null"#,
        r#""result":null,"error":[21,"Job not found",""]"#,
        r#""result":false,"error":[23,"low difficulty share of 0.1",null]"#,
        r#""result":true,"error":[20,"but no",null]"#,
        r#""result":"true","error":null"#,
        r#""result":1,"error":null"#,
        r#""result":{},"error":null"#,
        r#""result":[true],"error":null"#,
        r#""error":null"#,
        r#""reject-reason":"Above target 2","result":true,"error":null"#,
        r#""result":null,"error":{"code":22,"message":"duplicate share"}"#,
        r#""result":false,"error":"Stale""#,
    ] {
        let mut wire = PoolWire::logged_in();
        let id = wire.submit("rig", 5)["id"].clone();
        wire.hear(&format!(r#"{{"id":{id},{answer}}}"#));
        let got = verdicts(&mut wire);
        assert!(
            matches!(got[..], [(5, Verdict::Rejected(_))]),
            "{answer} {got:?}"
        );
    }
    let mut wire = PoolWire::logged_in();
    let id = wire.submit("rig", 5)["id"].clone();
    wire.hear(&format!(r#"{{"id":{id},"result":true,"error":null}}"#));
    wire.hear(&format!(r#"{{"id":{id},"result":true,"error":null}}"#));
    assert_eq!(
        verdicts(&mut wire),
        [(5, Verdict::Accepted)],
        "and it counts once"
    );
}

#[test]
fn answers_to_shares_may_come_in_any_order() {
    let mut wire = PoolWire::logged_in();
    let ids: Vec<_> = (0..3)
        .map(|token| wire.submit("rig", token)["id"].clone())
        .collect();
    for token in [2usize, 0, 1] {
        wire.hear(&format!(
            r#"{{"id":{},"result":true,"error":null}}"#,
            ids[token]
        ));
    }
    let order: Vec<_> = verdicts(&mut wire)
        .into_iter()
        .map(|(token, _)| token)
        .collect();
    assert_eq!(order, [2, 0, 1]);
}

#[test]
fn shares_and_workers_beyond_the_bounds_are_handed_back_or_share_a_name() {
    let mut wire = PoolWire::logged_in();
    for token in 0..MAX_IN_FLIGHT as Token {
        let share = share("rig", token);
        wire.session.submit(share, wire.now).expect("room");
    }
    assert!(wire.session.submit(share("rig", 77), wire.now).is_err());
    for worker in 0..10_000 {
        let name = format!("rig{worker}");
        wire.session
            .introduce(&name.as_str().try_into().expect("short"));
    }
    let authorized = methods(&wire.said())
        .iter()
        .filter(|m| **m == "mining.authorize")
        .count();
    assert_eq!(authorized, 4096);
}

#[test]
fn before_the_login_is_through_no_share_is_taken() {
    let mut wire = PoolWire::new(login());
    assert!(wire.session.submit(share("rig", 1), wire.now).is_err());
    wire.session.fail(Failure::Closed);
    assert!(wire.session.submit(share("rig", 1), wire.now).is_err());
    wire.session.tick(wire.now + Duration::from_secs(1000));
    assert_eq!(wire.events().len(), 1, "nothing follows a failure");
}

/// One share every `apart`, answered with the line's rest; how the session fails.
fn answered(wire: &mut PoolWire, shares: u32, apart: Duration, rest: &str) -> Option<Failure> {
    let mut failed = None;
    for token in 0..Token::from(shares) {
        wire.now += apart;
        let id = wire.submit("rig", token)["id"].clone();
        wire.hear(&format!(r#"{{"id":{id},{rest}}}"#));
        failed = failed.or(failure(wire));
    }
    failed
}

#[test]
fn a_pool_that_accepts_no_share_at_all_is_down_however_well_it_talks() {
    let (no, yes) = (
        r#""result":null,"error":[20,"the user is banned",null]"#,
        r#""result":true,"error":null"#,
    );
    let mut wire = PoolWire::logged_in();
    assert_eq!(answered(&mut wire, REFUSED_IN_A_ROW - 1, secs(2), no), None);
    assert_eq!(
        answered(&mut wire, 1, secs(2), no),
        Some(Failure::Refusing("the user is banned".into()))
    );
    // One accept among many is a bad pool, but not a hopeless one.
    let mut wire = PoolWire::logged_in();
    for _ in 0..3 {
        assert_eq!(answered(&mut wire, REFUSED_IN_A_ROW - 1, secs(2), no), None);
        assert_eq!(answered(&mut wire, 1, secs(2), yes), None);
    }
    // A burst of stale shares after a new block is none either.
    let mut wire = PoolWire::logged_in();
    let burst = REFUSING_FOR / (4 * REFUSED_IN_A_ROW);
    assert_eq!(answered(&mut wire, 3 * REFUSED_IN_A_ROW, burst, no), None);
}
