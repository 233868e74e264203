//! Farms and their operator: enrolling, reports, the fleet view, releases.

mod support;

use serde_json::{Value, json};
use std::thread;
use support::request::ask;
use support::{Api, Central, OPERATOR, STARTER, eventually, stderr, stdout};

fn served() -> (Central, Api, u64) {
    let central = Central::new();
    let sequence = central.import(STARTER);
    let api = central.serve_with(&["--seen-every", "1"]);
    api.wait_until_ready();
    (central, api, sequence)
}

fn report(id: &str, created_at: u64, hashrate: f64) -> Value {
    json!({"id": id, "created_at": created_at, "appliance": "0.1.0", "uptime": 60, "sequence": 5,
           "state": "mining", "algorithms": {"sha256d": {
               "route": {"pool": "pool-a", "coin": "BTC", "since": 1_789_999_000},
               "hashrate": hashrate, "miners": 3,
               "shares": {"accepted": 9, "rejected": 1, "stale": 0, "unknown": 0, "lost": 0}}}})
}

fn body(reports: &[Value]) -> Value {
    json!({"version": 1, "reports": reports})
}

fn get(api: &Api, path: &str) -> Value {
    let answer = api.ask("GET", path, Some(OPERATOR), &[], None);
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

const REPORTS: &str = "/api/v1/reports";
const NOW: u64 = 1_790_000_000;

#[test]
fn a_report_sent_again_is_stored_once_and_answered_alike() {
    let (central, api, _) = served();
    let token = central.enrol("hill");
    let sent = body(&[report("a", NOW, 1e14), report("b", NOW + 60, 2e14)]);
    let first = api.send("POST", REPORTS, &token, &sent);
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(first.json(), json!({"accepted": ["a", "b"]}));
    let stored = central.sql("SELECT reports::text FROM reports ORDER BY id");
    let again = api.send("POST", REPORTS, &token, &sent);
    assert_eq!((again.status, again.json()), (200, first.json()));
    assert_eq!(
        central.sql("SELECT reports::text FROM reports ORDER BY id"),
        stored
    );

    // One id with other content spoils the body, and the answer says which one.
    let mixed = body(&[report("c", NOW, 1e14), report("a", NOW, 3e14)]);
    let refused = api.send("POST", REPORTS, &token, &mixed);
    assert_eq!(refused.problem(409), "report-id");
    assert_eq!(refused.json()["known"], json!(["a"]));
    assert_eq!(
        central.sql("SELECT count(*) FROM reports"),
        "2",
        "nothing of it was stored"
    );
    assert_eq!(
        api.send("POST", REPORTS, &token, &body(&[report("c", NOW, 1e14)]))
            .status,
        200
    );

    let other = central.enrol("dale");
    let same_id = api.send("POST", REPORTS, &other, &body(&[report("a", NOW, 7e14)]));
    assert_eq!(same_id.status, 200, "ids are each farm's own");
}

#[test]
fn reports_that_arrive_at_the_same_time_are_stored_once() {
    let (central, api, _) = served();
    let second = central.serve();
    second.wait_until_ready();
    let token = central.enrol("hill");
    let ids: Vec<String> = (0..50).map(|n| format!("r{n}")).collect();
    let send = |address: &str, order: Vec<String>, hashrate: f64| {
        let reports: Vec<Value> = order.iter().map(|id| report(id, NOW, hashrate)).collect();
        let (address, token, sent) = (
            address.to_owned(),
            token.clone(),
            body(&reports).to_string(),
        );
        thread::spawn(move || {
            let json = [("content-type", "application/json")];
            ask(
                &address,
                "POST",
                REPORTS,
                Some(&token),
                &json,
                Some(sent.as_bytes()),
            )
            .status
        })
    };
    let senders: Vec<_> = (0..12)
        .map(|turn| {
            let address = [&api.address, &second.address][turn % 2];
            let mut order = ids.clone();
            if turn % 3 == 0 {
                order.reverse();
            }
            // One in four claims the same ids with other content.
            send(address, order, if turn % 4 == 3 { 2e14 } else { 1e14 })
        })
        .collect();
    let mut statuses: Vec<u16> = senders
        .into_iter()
        .map(|sender| sender.join().expect("sent"))
        .collect();
    statuses.sort_unstable();
    statuses.dedup();
    assert_eq!(
        statuses,
        [200, 409],
        "one content won, the other was refused"
    );
    assert_eq!(
        central.sql("SELECT count(*), count(DISTINCT body->'algorithms') FROM reports"),
        "50|1"
    );
}

#[test]
fn what_is_not_a_report_is_refused_in_the_form_of_the_house() {
    let (central, api, _) = served();
    let token = central.enrol("hill");
    let kind = |headers: &[(&str, &str)], sent: &[u8], status| {
        api.ask("POST", REPORTS, Some(&token), headers, Some(sent))
            .problem(status)
    };
    let json = [("content-type", "application/json")];
    assert_eq!(kind(&[], b"{}", 415), "media-type");
    assert_eq!(
        kind(&[("content-type", "text/plain")], b"{}", 415),
        "media-type"
    );
    assert_eq!(kind(&json, b"{\"version\":1,", 400), "body");
    assert_eq!(kind(&json, b"", 400), "body");
    assert_eq!(kind(&json, b"\xff", 400), "body");
    assert_eq!(kind(&json, b"[]", 422), "content");
    let many: Vec<Value> = (0..51)
        .map(|n| report(&format!("r{n}"), NOW, 1.0))
        .collect();
    assert_eq!(
        kind(&json, body(&many).to_string().as_bytes(), 422),
        "content"
    );
    let strange = body(&[report("a\u{0}", NOW, 1.0)]).to_string();
    assert_eq!(kind(&json, strange.as_bytes(), 422), "content");
    let large = vec![b' '; 256 * 1024 + 1];
    assert_eq!(kind(&json, &large, 413), "body-size");
    assert_eq!(central.sql("SELECT count(*) FROM reports"), "0");
    let nobody = api.ask("POST", REPORTS, None, &json, Some(b"{}"));
    assert_eq!(nobody.problem(401), "token");
    assert_eq!(
        api.send("POST", REPORTS, OPERATOR, &body(&[])).problem(401),
        "token"
    );
    // What a newer appliance adds is tolerated, whatever it is.
    let mut newer = report("n", NOW, 1.0);
    newer["extra"] = json!({"text": "\u{0}", "deep": [1, null]});
    assert_eq!(
        api.send("POST", REPORTS, &token, &body(&[newer])).status,
        200
    );
}

#[test]
fn the_operator_sees_how_each_farm_fares() {
    let (central, api, sequence) = served();
    let token = central.enrol("hill");
    central.enrol("dale");
    let mut newest = report("b", NOW + 60, 2e14);
    newest["sequence"] = json!(sequence);
    newest["state"] = json!("holding");
    let sent = body(&[newest, report("a", NOW, 1e14)]);
    assert_eq!(api.send("POST", REPORTS, &token, &sent).status, 200);
    // An outbox that is drained later does not take the view back.
    let old = body(&[report("0", NOW - 60, 3e14)]);
    assert_eq!(api.send("POST", REPORTS, &token, &old).status, 200);

    let fleet = get(&api, "/api/v1/farms");
    assert_eq!(fleet["total"], 2);
    let (dale, hill) = (&fleet["items"][0], &fleet["items"][1]);
    assert_eq!(
        (&dale["name"], &dale["state"], &dale["reported_at"]),
        (&json!("dale"), &Value::Null, &Value::Null)
    );
    assert_eq!(
        (&hill["name"], &hill["state"]),
        (&json!("hill"), &json!("holding"))
    );
    assert_eq!(
        (&hill["reported_at"], &hill["appliance"]),
        (&json!(NOW + 60), &json!("0.1.0"))
    );
    assert_eq!(hill["sequence"], sequence);
    assert!(hill["snapshot_age"].as_u64().expect("an age") < 600);
    let sha = &hill["algorithms"]["sha256d"];
    assert_eq!(
        (&sha["hashrate"], &sha["route"]["pool"]),
        (&json!(2e14), &json!("pool-a"))
    );
    assert_eq!(get(&api, "/api/v1/farms/hill"), *hill);

    let names = |query: &str| {
        let page = get(&api, &format!("/api/v1/farms?{query}"));
        let items = page["items"].as_array().expect("items").clone();
        items
            .iter()
            .map(|farm| farm["name"].as_str().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("name=IL"), ["hill"]);
    assert_eq!(names("state=holding"), ["hill"]);
    assert_eq!(names("state=trouble"), [""; 0]);
    assert_eq!(names("disabled=true"), [""; 0]);
    assert_eq!(names("silent=3600"), ["dale"], "never heard of is silent");
    assert_eq!(names("sort=seen&order=desc&limit=1"), ["hill"]);
}

#[test]
fn polls_are_noted_and_written_together() {
    let (central, api, _) = served();
    let tokens: Vec<String> = (0..20)
        .map(|n| central.enrol(&format!("farm-{n}")))
        .collect();
    for token in &tokens {
        assert_eq!(api.get_as(token, "/api/v1/snapshot").status, 200);
    }
    eventually("all farms are written", || {
        central
            .sql("SELECT count(*) FROM farm_state WHERE last_seen_at > now() - interval '1 minute'")
            == "20"
    });
    let seen = get(&api, "/api/v1/farms/farm-7");
    assert!(seen["last_seen_at"].as_u64().is_some());

    // From here on the database must not hear of polls, but for one write in a while.
    let token_queries = "SELECT coalesce(sum(seq_scan + idx_scan), 0) FROM pg_stat_user_tables WHERE relname = 'farms'";
    let settled = || {
        thread::park_timeout(std::time::Duration::from_millis(1500));
        central.sql(token_queries).parse::<i64>().expect("a number")
    };
    let before = settled();
    for _ in 0..10 {
        for token in &tokens {
            assert_eq!(api.get_as(token, "/api/v1/snapshot").status, 200);
        }
    }
    let scans = settled() - before;
    assert!(scans < 60, "200 polls led to {scans} looks at the table");
}

#[test]
fn what_was_noted_is_written_when_the_process_stops() {
    let central = Central::new();
    central.import(STARTER);
    let mut api = central.serve();
    api.wait_until_ready();
    let token = central.enrol("hill");
    assert_eq!(api.get_as(&token, "/api/v1/snapshot").status, 200);
    assert_eq!(central.sql("SELECT count(*) FROM farm_state"), "0");
    api.terminate();
    assert!(api.wait_for_exit().success());
    assert_eq!(
        central.sql("SELECT count(*) FROM farm_state WHERE last_seen_at IS NOT NULL"),
        "1"
    );
}

#[test]
fn old_reports_go() {
    let (central, api, _) = served();
    let token = central.enrol("hill");
    let sent = body(&[report("old", NOW, 1.0), report("new", NOW, 1.0)]);
    assert_eq!(api.send("POST", REPORTS, &token, &sent).status, 200);
    central.sql("UPDATE reports SET received_at = now() - interval '31 days' WHERE id = 'old'");
    eventually("the old one is gone", || {
        central.sql("SELECT string_agg(id, ',') FROM reports") == "new"
    });
}

#[test]
fn a_farm_is_enrolled_rotated_disabled_and_enabled_over_http() {
    let (central, api, _) = served();
    let new = json!({"name": "hill"});
    let enrolled = api.send("POST", "/api/v1/farms", OPERATOR, &new);
    assert_eq!(enrolled.status, 201, "{enrolled:?}");
    assert_eq!(enrolled.header("location"), Some("/api/v1/farms/hill"));
    assert_eq!(enrolled.header("cache-control"), Some("no-store"));
    let token = enrolled.json()["token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let poll = |token: &str| api.get_as(token, "/api/v1/snapshot").status;
    assert_eq!(poll(&token), 200);
    assert_eq!(
        api.send("POST", "/api/v1/farms", OPERATOR, &new)
            .problem(409),
        "farm-exists"
    );
    for name in ["", "a b", "../x", &"x".repeat(64)] {
        let refused = api.send("POST", "/api/v1/farms", OPERATOR, &json!({"name": name}));
        assert_eq!(refused.problem(422), "content", "{name:?}");
    }

    let rotate = |name: &str| {
        api.ask(
            "POST",
            &format!("/api/v1/farms/{name}/rotate"),
            Some(OPERATOR),
            &[],
            None,
        )
    };
    let rotated = rotate("hill").json()["token"]
        .as_str()
        .expect("a token")
        .to_owned();
    eventually("the old token ends", || poll(&token) == 401);
    assert_eq!(poll(&rotated), 200);
    for unknown in ["dale", "%FF", "a%20b", &"x".repeat(64)] {
        rotate(unknown).problem(404);
    }

    let change = |disabled: Value| {
        api.send(
            "PATCH",
            "/api/v1/farms/hill",
            OPERATOR,
            &json!({"disabled": disabled}),
        )
    };
    let disabled = change(json!(true));
    assert_eq!(
        (disabled.status, &disabled.json()["disabled"]),
        (200, &json!(true))
    );
    eventually("a disabled farm is refused", || poll(&rotated) == 401);
    assert_eq!(change(json!(false)).json()["disabled"], false);
    eventually("an enabled farm is taken", || poll(&rotated) == 200);
    assert_eq!(change(json!("yes")).problem(422), "content");
    let unknown = api.send(
        "PATCH",
        "/api/v1/farms/dale",
        OPERATOR,
        &json!({"disabled": true}),
    );
    assert_eq!(unknown.problem(404), "no-such-farm");

    // The command line does the same.
    stdout(central.api_command(&["disable", "hill"]).output());
    eventually("a disabled farm is refused", || poll(&rotated) == 401);
    stdout(central.api_command(&["enable", "hill"]).output());
    eventually("an enabled farm is taken", || poll(&rotated) == 200);
    let stranger = central
        .api_command(&["disable", "dale"])
        .output()
        .expect("started");
    assert!(!stranger.status.success() && stderr(&stranger).contains("\"dale\" is not enrolled"));
}

#[test]
fn only_the_operator_gets_at_the_fleet() {
    let (central, api, _) = served();
    let farm = central.enrol("hill");
    for (method, path) in [
        ("GET", "/api/v1/farms"),
        ("POST", "/api/v1/farms"),
        ("GET", "/api/v1/farms/hill"),
        ("PATCH", "/api/v1/farms/hill"),
        ("POST", "/api/v1/farms/hill/rotate"),
        ("GET", "/api/v1/releases"),
        ("POST", "/api/v1/releases"),
        ("PATCH", "/api/v1/releases/1"),
    ] {
        for token in [None, Some(farm.as_str()), Some("operator-token-of-a-tesT")] {
            let refused = api.ask(method, path, token, &[], None);
            assert_eq!(refused.problem(401), "token", "{method} {path}");
            assert_eq!(
                refused.header("www-authenticate"),
                Some("Bearer realm=\"smart-mining\"")
            );
        }
    }
    let mut command = central.api_command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("SMART_MINING_OPERATOR_TOKEN", "");
    let closed = Api::start(command);
    closed.wait_until_ready();
    let refused = closed.ask("GET", "/api/v1/farms", Some(OPERATOR), &[], None);
    assert_eq!(refused.problem(403), "no-operator");
    assert!(
        refused.json()["detail"]
            .as_str()
            .expect("a detail")
            .contains("SMART_MINING_OPERATOR_TOKEN_FILE")
    );

    let file = central.data_file("operator", "a token from a file with blanks\n");
    let output = central
        .api_command(&["serve", "--operator-token-file", &file])
        .output();
    assert!(stderr(&output.expect("started")).contains("without spaces"));
    let file = central.data_file("operator", "a-token-from-a-file-0123\n");
    let by_file = Api::start(central.api_command(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--operator-token-file",
        &file,
    ]));
    by_file.wait_until_ready();
    let answer = by_file.ask(
        "GET",
        "/api/v1/farms",
        Some("a-token-from-a-file-0123"),
        &[],
        None,
    );
    assert_eq!(answer.status, 200);
}

#[test]
fn releases_reach_farms_in_waves_and_can_be_halted() {
    let (central, api, _) = served();
    let farms: Vec<String> = (0..10)
        .map(|n| central.enrol(&format!("farm-{n}")))
        .collect();
    let add = |version: &str, board: &str, wave: u8| {
        let release = json!({"version": version, "board": board, "url": "https://x.example/i.img",
            "sha256": "0".repeat(64), "size": 5, "rollback_index": 1, "notes": "n", "wave_percent": wave});
        api.send("POST", "/api/v1/releases", OPERATOR, &release)
    };
    // Which version each farm is offered; empty for none.
    let offered = || -> Vec<String> {
        let ask = |token: &String| {
            let answer = api.ask("GET", "/api/v1/release?board=pi", Some(token), &[], None);
            match answer.status {
                204 => String::new(),
                200 => answer.json()["version"]
                    .as_str()
                    .expect("a version")
                    .to_owned(),
                other => panic!("{other}: {answer:?}"),
            }
        };
        farms.iter().map(ask).collect()
    };
    assert_eq!(offered(), [""; 10]);
    assert_eq!(add("1.0.0", "pi", 100).status, 201);
    assert_eq!(add("1.0.0", "other", 100).status, 201);
    assert_eq!(add("1.0.0", "pi", 5).problem(409), "release-exists");
    eventually("all are offered the first", || offered() == ["1.0.0"; 10]);

    assert_eq!(add("1.1.0", "pi", 50).status, 201);
    eventually("some are offered the second", || {
        offered().contains(&"1.1.0".to_owned())
    });
    let half = offered();
    assert!(half.contains(&"1.0.0".to_owned()), "{half:?}");
    assert_eq!(offered(), half, "the same farms each time");
    let change = |change: Value| api.send("PATCH", "/api/v1/releases/1.1.0", OPERATOR, &change);
    assert_eq!(
        change(json!({"halted": true})).json()["items"][0]["halted"],
        true
    );
    eventually("all are back at the first", || offered() == ["1.0.0"; 10]);
    let wide = change(json!({"halted": false, "wave_percent": 100}));
    assert_eq!(wide.json()["items"][0]["wave_percent"], 100);
    eventually("all are offered the second", || offered() == ["1.1.0"; 10]);

    for (refused, status) in [
        (json!({"wave_percent": 101}), 422),
        (json!({"wave_percent": null}), 422),
        (json!({"wave": 5}), 422),
    ] {
        change(refused).problem(status);
    }
    let unknown = api.send(
        "PATCH",
        "/api/v1/releases/9",
        OPERATOR,
        &json!({"halted": true}),
    );
    assert_eq!(unknown.problem(404), "no-such-release");
    let listed = get(&api, "/api/v1/releases");
    assert_eq!(listed["items"].as_array().expect("items").len(), 3);
    for query in ["", "?board=", "?board=.."] {
        let path = format!("/api/v1/release{query}");
        api.ask("GET", &path, Some(&farms[0]), &[], None)
            .problem(400);
    }
}
