//! The bytes in which reports and releases travel, and what is refused of them.

use proptest::prelude::*;
use smart_mining_wire::report::{AlgorithmReport, FarmState, Route, Shares, Update, UpdateOutcome};
use smart_mining_wire::{Algorithm, Release, Report, ReportError, Reports};
use std::collections::BTreeMap;

const REPORTS: &str = include_str!("golden/reports.json");
const RELEASE: &str = include_str!("golden/release.json");

fn report(id: &str) -> Report {
    let mining = AlgorithmReport {
        route: Some(Route {
            pool: "pool-a".into(),
            coin: "BTC".into(),
            since: 1_767_225_000,
        }),
        hashrate: 1.5e14,
        shares: Shares {
            accepted: 412,
            rejected: 3,
            stale: 2,
            unknown: 1,
            lost: 0,
        },
        miners: 12,
    };
    let holding = AlgorithmReport {
        route: None,
        hashrate: 0.0,
        shares: Shares::default(),
        miners: 1,
    };
    Report {
        id: id.into(),
        created_at: 1_767_225_600,
        appliance: "0.1.0".into(),
        uptime: 86_400,
        sequence: 42,
        state: FarmState::MiningFromCache,
        algorithms: BTreeMap::from([(Algorithm::Sha256d, mining), (Algorithm::Scrypt, holding)]),
        update: None,
    }
}

/// The same from an appliance that has tried an update.
fn updated(id: &str) -> Report {
    Report {
        update: Some(Update {
            release: "0.2.0".into(),
            outcome: UpdateOutcome::RolledBack,
            reason: "not healthy within 900 s".into(),
        }),
        ..report(id)
    }
}

fn release() -> Release {
    Release {
        version: "0.2.0".into(),
        board: "raspberrypi-armv7".into(),
        url: "https://releases.example/smart-mining-0.2.0-armv7.img.xz".into(),
        sha256: "5".repeat(64),
        size: 104_857_600,
        rollback_index: 2,
        notes: "Second release.".into(),
    }
}

fn read(text: &str) -> Result<Reports, serde_json::Error> {
    serde_json::from_str(text.trim_end())
}

#[test]
fn reports_are_written_as_these_bytes() {
    let reports = Reports::new(vec![report("boot7-1"), updated("boot7-2")]);
    let written = String::from_utf8(reports.to_bytes()).expect("UTF-8");
    assert_eq!(written, REPORTS.trim_end());
    assert_eq!(read(REPORTS).expect("its own bytes"), reports);
    assert_eq!(reports.check(), Ok(()));
}

#[test]
fn a_release_is_written_as_these_bytes() {
    let written = serde_json::to_string(&release()).expect("plain data");
    assert_eq!(written, RELEASE.trim_end());
    let read: Release = serde_json::from_str(RELEASE).expect("its own bytes");
    assert_eq!(read, release());
    assert_eq!(read.check(), Ok(()));
}

#[test]
fn members_of_a_newer_appliance_are_tolerated_and_missing_options_have_defaults() {
    let newer = REPORTS.replace("{\"id\"", "{\"temperature\":61.5,\"id\"");
    assert_eq!(read(&newer).expect("newer"), read(REPORTS).expect("known"));
    let bare = r#"{"version":1,"reports":[{"id":"a","created_at":0,"appliance":"1","uptime":0,"sequence":0,"state":"holding"}]}"#;
    let bare = read(bare).expect("enough");
    assert_eq!(bare.check(), Ok(()));
    assert!(bare.reports[0].algorithms.is_empty());
    assert_eq!(
        bare.reports[0].update, None,
        "an older appliance sends none"
    );
    let silent = REPORTS.replace(",\"reason\":\"not healthy within 900 s\"", "");
    let silent = read(&silent).expect("a reason is not needed");
    let update = silent.reports[1].update.as_ref().expect("an update");
    assert_eq!(
        (update.outcome, update.reason.as_str()),
        (UpdateOutcome::RolledBack, "")
    );
    assert!(read(&REPORTS.replacen("rolled-back", "postponed", 1)).is_err());
    assert!(read(&REPORTS.replacen("sha256d", "sha3", 1)).is_err());
    assert!(read(&REPORTS.replacen("mining-from-cache", "asleep", 1)).is_err());
}

#[test]
fn what_is_out_of_bounds_is_named() {
    let with = |change: &dyn Fn(&mut Report)| {
        let mut changed = report("a");
        change(&mut changed);
        Reports::new(vec![report("good"), changed]).check()
    };
    let told = |result: Result<(), ReportError>| match result {
        Err(ReportError::Report { index: 1, what }) => what,
        other => panic!("{other:?}"),
    };
    fn sha256d(report: &mut Report) -> &mut AlgorithmReport {
        report
            .algorithms
            .get_mut(&Algorithm::Sha256d)
            .expect("there")
    }
    for id in ["", "a b", "a/b", "\u{0}", &"x".repeat(65)] {
        assert!(told(with(&|report| report.id = id.into())).starts_with("id must"));
    }
    assert!(told(with(&|r| r.appliance = "0.1\n".into())).starts_with("appliance"));
    assert!(told(with(&|r| r.created_at = u64::MAX)).starts_with("created_at"));
    assert!(told(with(&|r| r.sequence = 1 << 63)).starts_with("uptime and sequence"));
    for hashrate in [f64::NAN, f64::INFINITY, -1.0, 1e31] {
        assert!(told(with(&|r| sha256d(r).hashrate = hashrate)).starts_with("hashrate"));
    }
    assert!(told(with(&|r| sha256d(r).shares.lost = u64::MAX)).starts_with("counts"));
    let route = |change: fn(&mut Route)| {
        told(with(&|r| {
            sha256d(r).route.as_mut().map(change).expect("a route")
        }))
    };
    assert!(route(|route| route.pool.clear()).starts_with("a route's pool"));
    assert!(route(|route| route.since = u64::MAX).starts_with("a route's since"));

    let update = |change: &dyn Fn(&mut Update)| {
        with(&|report| {
            let mut update = updated("a").update.expect("an update");
            change(&mut update);
            report.update = Some(update);
        })
    };
    for release in ["", ".1", "../x", "1 2", &"1".repeat(64)] {
        let told = told(update(&|update| update.release = release.into()));
        assert!(told.starts_with("an update's release"), "{release}: {told}");
    }
    for reason in ["two\nlines", "\u{e9}", "\u{0}", &"x".repeat(201)] {
        let told = told(update(&|update| update.reason = reason.into()));
        assert!(told.starts_with("an update's reason"), "{reason}: {told}");
    }
    for reason in ["", " ~", &"x".repeat(200)] {
        assert_eq!(update(&|update| update.reason = reason.into()), Ok(()));
    }

    assert_eq!(Reports::new(vec![]).check(), Err(ReportError::Number(0)));
    let many = Reports::new(vec![report("a"); 51]);
    assert_eq!(many.check(), Err(ReportError::Number(51)));
    let mut newer = Reports::new(vec![report("a")]);
    newer.version = 2;
    assert_eq!(newer.check(), Err(ReportError::Version(2)));
}

#[test]
fn an_outcome_is_written_by_its_name() {
    for outcome in [
        UpdateOutcome::Kept,
        UpdateOutcome::RolledBack,
        UpdateOutcome::Refused,
    ] {
        let written = serde_json::to_string(&outcome).expect("plain data");
        assert_eq!(written, format!("\"{}\"", outcome.name()));
    }
}

#[test]
fn repeated_ids_are_found() {
    let reports = Reports::new(vec![report("a"), report("b"), report("a")]);
    assert_eq!(Vec::from_iter(reports.repeated()), ["a"]);
}

#[test]
fn a_release_that_an_appliance_could_not_use_is_refused() {
    let told = |change: &dyn Fn(&mut Release)| {
        let mut changed = release();
        change(&mut changed);
        changed.check().expect_err("refused")
    };
    for version in ["", ".", "..", "../x", ".1", "1 2", &"1".repeat(64)] {
        assert!(told(&|release| release.version = version.into()).starts_with("version"));
        assert!(told(&|release| release.board = version.into()).starts_with("board"));
    }
    for url in [
        "http://a/b",
        "https://",
        "https://a",
        "https:///b",
        "https://a b/c",
        "https://a/b c",
        "https://a/\u{e9}",
        "https://[::1/x",
        "https://-a/b",
        "https://a:0/b",
        "https://a:65536/b",
        "https://user@a/b",
    ] {
        assert!(
            told(&|release| release.url = url.into()).starts_with("url"),
            "{url}"
        );
    }
    for url in [
        "https://a/",
        "https://10.0.0.1:65535/b?c=d",
        "https://a.b-c.d:443/e",
    ] {
        let mut changed = release();
        changed.url = url.into();
        assert_eq!(changed.check(), Ok(()), "{url}");
    }
    assert!(told(&|r| r.sha256 = "A".repeat(64)).starts_with("sha256"));
    assert!(told(&|r| r.size = 0).starts_with("size"));
    assert!(told(&|r| r.notes = "two\nlines".into()).starts_with("notes"));
}

proptest! {
    /// Whatever is accepted is within the bounds, and reads back as it was.
    #[test]
    fn reading_never_panics(at in 0usize..2000, byte: u8) {
        let mut near = REPORTS.trim_end().as_bytes().to_vec();
        let at = at % near.len();
        near[at] = byte;
        if let Ok(reports) = serde_json::from_slice::<Reports>(&near)
            && reports.check().is_ok()
        {
            prop_assert_eq!(serde_json::from_slice::<Reports>(&reports.to_bytes()).expect("its own bytes"), reports);
        }
    }
}
