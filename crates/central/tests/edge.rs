//! What surrounds the answers: compression and tags, rate limits, metrics.

mod support;

use std::process::{Command, Stdio};
use support::{Api, Central, STARTER};

fn served(arguments: &[&str]) -> (Central, Api, u64) {
    let central = Central::new();
    let sequence = central.import(STARTER);
    let api = central.serve_with(arguments);
    api.wait_until_ready();
    (central, api, sequence)
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip");
    let mut input = child.stdin.take().expect("piped");
    std::io::Write::write_all(&mut input, bytes).expect("written");
    drop(input);
    let output = child.wait_with_output().expect("ended");
    assert!(output.status.success());
    output.stdout
}

#[test]
fn a_snapshot_is_compressed_and_tagged() {
    let (central, api, sequence) = served(&[]);
    let token = central.enrol("hill");
    let ask =
        |headers: &[(&str, &str)]| api.ask("GET", "/api/v1/snapshot", Some(&token), headers, None);
    let plain = ask(&[]);
    let tag = format!("\"{sequence}\"");
    assert_eq!(
        (plain.status, plain.header("etag")),
        (200, Some(tag.as_str()))
    );
    assert_eq!(plain.header("content-encoding"), None);
    let packed = ask(&[("accept-encoding", "br, gzip;q=0.8")]);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.header("vary"), Some("accept-encoding"));
    assert_eq!(packed.header("etag"), Some(format!("W/{tag}").as_str()));
    assert!(packed.bytes.len() < plain.bytes.len());
    assert_eq!(gunzip(&packed.bytes), plain.bytes);
    assert_eq!(ask(&[("accept-encoding", "gzip;q=0")]).bytes, plain.bytes);

    let same = ask(&[("if-none-match", &tag)]);
    assert_eq!(
        (same.status, same.bytes.len(), same.header("etag")),
        (304, 0, Some(tag.as_str()))
    );
    assert_eq!(ask(&[("if-none-match", "\"1\"")]).status, 200);
    let head = api.ask("HEAD", "/api/v1/snapshot", Some(&token), &[], None);
    assert_eq!((head.status, head.bytes.len()), (200, 0));
    let newer = central.import(STARTER);
    api.wait_for_log(&format!("serving snapshot {newer}"));
    assert_eq!(
        ask(&[("if-none-match", &tag)]).header("x-sequence"),
        Some(newer.to_string().as_str())
    );
}

#[test]
fn who_asks_too_often_is_told_when_to_ask_again() {
    let (central, api, _) = served(&[
        "--address-rate",
        "1",
        "--address-burst",
        "40",
        "--token-rate",
        "1",
        "--token-burst",
        "3",
    ]);
    let (one, two) = (central.enrol("hill"), central.enrol("dale"));
    let poll = |token: &str| api.ask("GET", "/api/v1/snapshot", Some(token), &[], None);
    // Heard of before anybody asks: from then on each has a bucket of its own.
    poll(&one);
    poll(&two);
    let answers: Vec<_> = (0..4).map(|_| poll(&one)).collect();
    let last = answers.last().expect("four");
    assert_eq!(last.problem(429), "rate");
    assert_eq!(last.header("retry-after"), Some("1"));
    assert_eq!(poll(&two).status, 200, "its neighbour is not concerned");

    let ask = |path: &str, token: Option<&str>| api.ask("GET", path, token, &[], None);
    let mut made_up =
        (0..60).map(|n| ask("/api/v1/snapshot", Some(&format!("smf_{n:043}"))).status);
    assert!(
        made_up.any(|status| status == 429),
        "made-up tokens share their address's bucket"
    );
    assert_eq!(ask("/api/best-pool?algo=sha256", None).problem(429), "rate");
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(ask(path, None).status, 200, "{path} is never limited");
    }
    let forged = [("x-forwarded-for", "198.51.100.1")];
    let still = api.ask("GET", "/api/v1/coins", None, &forged, None);
    assert_eq!(
        still.problem(429),
        "rate",
        "nobody said to trust that header"
    );
    let counted = api.get("/metrics").body;
    assert!(
        counted.contains("rate_limited_total{caller=\"token\"}"),
        "{counted}"
    );
    assert!(
        counted.contains("rate_limited_total{caller=\"address\"}"),
        "{counted}"
    );
}

#[test]
fn behind_a_proxy_each_client_has_its_own_bucket() {
    let arguments = [
        "--address-rate",
        "1",
        "--address-burst",
        "2",
        "--forwarded-header",
        "X-Forwarded-For",
    ];
    let central = Central::new();
    let api = central.serve_with(&arguments);
    let ask = |client: &str| {
        api.ask(
            "GET",
            "/api/v1/coins",
            None,
            &[("x-forwarded-for", client)],
            None,
        )
        .status
    };
    let statuses: Vec<u16> = (0..4).map(|_| ask("10.0.0.9, 198.51.100.1")).collect();
    assert_eq!(statuses[3], 429, "{statuses:?}");
    assert_ne!(ask("10.0.0.9, 198.51.100.2"), 429);
}

#[test]
fn metrics_tell_what_a_replica_does_within_bounds() {
    let (central, api, sequence) = served(&[]);
    let token = central.enrol("hill");
    let poll = api.get_later(
        &token,
        &format!("/api/v1/snapshot?after={sequence}&wait=50"),
    );
    api.wait_for_log(&format!("newer than Some({sequence})"));
    api.get("/api/v1/coins");
    for n in 0..50 {
        api.ask("GET", &format!("/made/up/{n}"), None, &[], None)
            .problem(404);
        api.ask(&format!("METHOD{n}"), "/healthz", None, &[], None)
            .problem(405);
    }
    let answer = api.ask("GET", "/metrics", None, &[], None);
    assert!(
        answer
            .header("content-type")
            .expect("a type")
            .starts_with("application/openmetrics-text")
    );
    let text = String::from_utf8(answer.bytes).expect("text");
    let figure = |name: &str| -> f64 {
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("smart_mining_api_{name} ")));
        let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
        line.rsplit(' ')
            .next()
            .expect("a figure")
            .parse()
            .expect("a number")
    };
    assert_eq!(figure("open_polls"), 1.0);
    assert_eq!(figure("snapshot_sequence"), sequence as f64);
    assert!(figure("snapshot_age_seconds") < 600.0);
    assert_eq!(figure("database_up"), 1.0);
    assert_eq!(figure("farms_known"), 1.0);
    let coins = r#"requests_total{method="GET",route="/api/v1/coins",class="2xx"}"#;
    assert_eq!(figure(coins), 1.0);
    assert_eq!(
        figure(r#"requests_total{method="GET",route="other",class="4xx"}"#),
        50.0
    );
    assert_eq!(
        figure(r#"requests_total{method="other",route="/healthz",class="4xx"}"#),
        50.0
    );
    assert_eq!(
        figure(r#"request_duration_seconds_count{route="/api/v1/coins"}"#),
        1.0
    );
    central.import(STARTER);
    assert_eq!(poll.join().expect("answered").0.status, 200);
}
