use super::*;
use crate::collect::Heard;
use crate::source::{Decimal, Request, Settings};
use crate::transport::fetch::{FetchError, Raw};
use std::fs;
use std::path::Path;
use std::time::Duration;

const DAY: u64 = 86_400;
/// Noon of 2026-11-20 (UTC).
const NOON: u64 = 1_795_176_000;

fn request(kind: &'static str, about: &str, url: &str) -> Request {
    Request {
        kind,
        about: about.to_owned(),
        url: url.to_owned(),
        headers: vec![("authorization", "Bearer top-secret-key".to_owned())],
        body: None,
        every: Duration::from_secs(60),
        network: None,
    }
}

fn raw(body: &[u8]) -> Result<Raw, FetchError> {
    let headers = [
        ("content-type", "application/json"),
        ("set-cookie", "session=1"),
    ];
    Ok(Raw {
        status: 200,
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        body: body.to_vec(),
    })
}

fn record(folder: &Path, at: u64, came: &Result<Raw, FetchError>) {
    let mut recorder = Recorder::create(folder).expect("a recorder");
    let asked = request(
        "one",
        "BTCUSDT",
        "https://api.binance.com/api/v3/ticker/price?symbol=BTCUSDT",
    );
    recorder.record(at, "binance", (&asked, &Settings::default()), came);
}

fn run(folder: &Path) -> Vec<Heard> {
    let all: Result<_, _> = Recording::open(folder).expect("files").collect();
    all.expect("good lines")
}

const PRICE: &[u8] = br#"{"symbol":"BTCUSDT","price":"64000.5"}"#;

#[test]
fn what_was_recorded_is_heard_again_in_its_order_and_at_its_time() {
    let folder = tempfile::tempdir().expect("a folder");
    record(folder.path(), NOON + DAY, &raw(b"<html>"));
    record(folder.path(), NOON, &raw(PRICE));
    record(
        folder.path(),
        NOON + 1,
        &Err(FetchError::Transport("timeout".to_owned())),
    );
    record(folder.path(), NOON + 2, &raw(&[0xff, 0xfe]));
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .expect("there")
        .map(|entry| entry.expect("one").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    assert_eq!(names, ["2026-11-20.jsonl", "2026-11-21.jsonl"]);
    let heard = run(folder.path());
    let at: Vec<_> = heard.iter().map(|heard| heard.at).collect();
    assert_eq!(at, [NOON, NOON + 1, NOON + 2, NOON + DAY]);
    let parsed = heard[0].result.as_ref().expect("a price");
    assert_eq!(
        parsed.observations[0].value,
        "64000.5".parse::<Decimal>().expect("a number")
    );
    let error = |index: usize| {
        heard[index]
            .result
            .as_ref()
            .expect_err("no price")
            .to_string()
    };
    assert_eq!(error(1), "no answer: timeout");
    assert!(error(2).contains("not UTF-8"), "{}", error(2));
    assert!(error(3).contains("HTML"), "{}", error(3));
    assert_eq!(
        format!("{heard:?}"),
        format!("{:?}", run(folder.path())),
        "and once more"
    );
}

#[test]
fn no_key_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut recorder = Recorder::create(folder.path()).expect("a recorder");
    let mut settings = Settings {
        key: Some("top-secret-key".to_owned()),
        url: Some("https://user:pass@node.example/v3/path-secret/".to_owned()),
        ..Settings::default()
    };
    settings
        .more
        .insert("url.ETC".to_owned(), "http://etc/other-secret".to_owned());
    let words = "top-secret-key is not valid".to_owned();
    for (url, came) in [
        (
            "https://api.example/x?apiKey=top-secret-key",
            raw(b"{\"no\":\"top-secret-key\"}"),
        ),
        (
            "https://user:pass@node.example/v3/path-secret/stats/7",
            raw(b"{}"),
        ),
        ("http://etc/other-secret", Err(FetchError::Transport(words))),
    ] {
        let mut asked = request("coins", "", url);
        asked.body = Some("{\"key\":\"top-secret-key\",\"power\":0}".to_owned());
        recorder.record(NOON, "hashrateno", (&asked, &settings), &came);
    }
    let text = fs::read_to_string(folder.path().join("2026-11-20.jsonl")).expect("written");
    for secret in ["secret", "pass", "session=1"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let urls: Vec<_> = text
        .lines()
        .map(|line| serde_json::from_str::<Line>(line).expect("a line").url)
        .collect();
    assert_eq!(urls, ["https://api.example/x", "/stats/7", ""]);
    assert!(text.contains("power"), "the question is part of it");
}

#[test]
fn a_torn_last_line_is_left_out_and_cut_off_before_the_next_one() {
    let folder = tempfile::tempdir().expect("a folder");
    record(folder.path(), NOON, &raw(PRICE));
    let path = folder.path().join("2026-11-20.jsonl");
    let whole = fs::read(&path).expect("written");
    let mut torn = whole.clone();
    torn.extend_from_slice(&whole[..whole.len() / 2]);
    fs::write(&path, &torn).expect("written");
    assert_eq!(run(folder.path()).len(), 1);
    record(folder.path(), NOON + 5, &raw(PRICE));
    let at: Vec<_> = run(folder.path()).iter().map(|heard| heard.at).collect();
    assert_eq!(at, [NOON, NOON + 5]);
    // A file that was nothing but the beginning of a line.
    fs::write(&path, &whole[..9]).expect("written");
    record(folder.path(), NOON, &raw(PRICE));
    assert_eq!(fs::read(&path).expect("written"), whole);
}

#[test]
fn a_damaged_line_is_named_and_ends_the_run() {
    let good = r#"{"at":1,"source":"binance","kind":"one","about":"","error":"x"}"#;
    for (bad, words) in [
        ("{\"at\":1", "EOF"),
        (
            r#"{"at":1,"source":"nobody","kind":"a","about":"","error":"x"}"#,
            "\"nobody\"",
        ),
        (
            r#"{"at":1,"source":"binance","kind":"a","about":""}"#,
            "neither a status nor an error",
        ),
        (
            r#"{"at":1,"source":"binance","kind":"a","about":"","status":200}"#,
            "neither one body",
        ),
        (
            r#"{"at":1,"source":"binance","kind":"a","about":"","key":"x"}"#,
            "unknown field",
        ),
        (
            r#"{"at":1,"source":"binance","kind":"a","about":"","status":200,"body_base64":"?"}"#,
            "body_base64",
        ),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!("{good}\n\n{bad}\n{good}\n");
        fs::write(folder.path().join("a.jsonl"), text).expect("written");
        let all: Vec<_> = Recording::open(folder.path()).expect("a file").collect();
        assert_eq!(all.len(), 2, "one good line, one error, and no more");
        let error = all[1].as_ref().expect_err(bad).to_string();
        assert!(
            error.contains("a.jsonl: line 3: ") && error.contains(words),
            "{error}"
        );
    }
}

#[test]
fn a_folder_without_a_recording_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = Recording::open(folder.path())
        .expect_err("empty")
        .to_string();
    assert!(error.contains("holds no .jsonl file"), "{error}");
    let error = Recording::open(&folder.path().join("x"))
        .expect_err("absent")
        .to_string();
    assert!(error.contains("cannot be read"), "{error}");
}
