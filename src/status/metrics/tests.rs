//! The names that are documented, drawn and alerted on are the names that are there.

use super::*;
use crate::view::samples::{device, healthy, lane};
use crate::view::{CandidateStatus, ReportsStatus, RouteStatus};
use std::collections::{BTreeMap, BTreeSet};

const GUIDE: &str = include_str!("../../../docs/metrics.md");
const DASHBOARD: &str = include_str!("../../../docs/grafana/smart-mining.json");
const ALERTS: &str = include_str!("../../../docs/grafana/alerts.yml");

/// A farm that has a sample of every name.
pub fn full() -> Status {
    let mut status = healthy();
    let mut lane = lane();
    lane.candidates = vec![CandidateStatus {
        pool: "pool-a".to_owned(),
        coin: "BTC".to_owned(),
        address: "pool.example:3333".to_owned(),
        usd_per_hash_day: Some(5e-14),
        lead_percent: Some(0.0),
        on_route: true,
        ready: true,
        connections: 1,
        last_failure: None,
    }];
    lane.route = Some(RouteStatus {
        pool: "pool-a".to_owned(),
        coin: "BTC".to_owned(),
        seconds: 60,
    });
    lane.usd_per_day_now = Some(12.5);
    lane.switches_by_rule = BTreeMap::from([("start", 1)]);
    status.algorithms = vec![lane];
    status.store.bytes = Some(4096);
    status.reports = Some(ReportsStatus {
        waiting: 0,
        oldest_seconds: Some(0),
        delivered: 0,
        set_aside: 0,
        dropped: 0,
        last_error: None,
    });
    status.device = Some(device());
    status
}

/// Names of samples, each with the labels it bears.
fn names(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let end = line.find(['{', ' ']).expect("a value");
        let labels = names.entry(line[..end].to_owned()).or_default();
        let parts = line.split(['{', ',', '}']).skip(1);
        labels.extend(parts.filter_map(|it| Some(it.split_once("=\"")?.0.to_owned())));
    }
    names
}

/// Everything in a text that looks like one of our names.
fn mentioned(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|it| it.starts_with("smart_mining_") || it.starts_with("process_"));
    ours.map(str::to_owned).collect()
}

#[test]
fn every_name_is_explained_with_its_labels_and_no_other_is() {
    let there = names(&render(&full(), Format::Plain));
    let mut explained: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in GUIDE.lines().filter_map(|line| line.strip_prefix("| `")) {
        let mut cells = row.trim_end_matches('|').split('|').map(str::trim);
        let name = cells.next().expect("a name").trim_end_matches('`');
        let labels = cells.nth(1).expect("a cell of labels");
        let labels = labels.split(", ").map(|it| it.trim_matches('`'));
        let labels = labels.filter(|it| *it != "-").map(str::to_owned);
        explained.insert(name.to_owned(), labels.collect());
    }
    assert_eq!(explained, there);
}

#[test]
fn dashboard_and_alerts_ask_for_what_is_there() {
    let there: BTreeSet<String> = names(&render(&full(), Format::Plain)).into_keys().collect();
    for (file, text) in [("dashboard", DASHBOARD), ("alerts", ALERTS)] {
        let asked = mentioned(text);
        assert!(asked.len() >= 10, "the {file} asks for {asked:?} alone");
        let unknown: Vec<_> = asked.difference(&there).collect();
        assert!(unknown.is_empty(), "the {file} asks for {unknown:?}");
    }
}

#[test]
fn the_dashboard_is_one_that_grafana_reads() {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{panel}");
        assert!(
            panel["title"]
                .as_str()
                .is_some_and(|title| !title.is_empty())
        );
        if panel["type"] == "row" {
            continue;
        }
        let targets = panel["targets"].as_array().expect("queries");
        assert!(!targets.is_empty());
        for target in targets {
            let query = target["expr"].as_str().expect("a query");
            assert!(
                !mentioned(query).is_empty() || query.contains("up{"),
                "{query}"
            );
        }
    }
}

#[test]
fn nothing_is_said_of_what_is_not_known() {
    let mut status = healthy();
    status.central.state = "not configured";
    status.central.last_contact_seconds = None;
    status.snapshot.age_seconds = None;
    let there = names(&render(&status, Format::Plain));
    for absent in [
        "smart_mining_central_reachable",
        "smart_mining_central_last_contact_seconds",
        "smart_mining_snapshot_age_seconds",
        "smart_mining_reports_waiting",
        "smart_mining_device_temperature_celsius",
        "smart_mining_usd_per_day",
        "smart_mining_store_size_bytes",
    ] {
        assert!(!there.contains_key(absent), "{absent}");
    }
    assert!(there.contains_key("smart_mining_miners"));
}

#[test]
fn one_state_is_in_force_and_a_trouble_has_its_code() {
    let mut status = full();
    status.state = FarmState::Trouble;
    let hot = "hot";
    status.troubles = vec![crate::view::Trouble {
        code: hot,
        text: "the board is at 85 °C".to_owned(),
        remedy: "Give it air.",
    }];
    let text = render(&status, Format::Open);
    for line in [
        "smart_mining_state{state=\"trouble\"} 1\n",
        "smart_mining_state{state=\"mining\"} 0\n",
        "smart_mining_trouble{code=\"hot\"} 1\n",
        "smart_mining_trouble{code=\"unpaid\"} 0\n",
        "# UNIT smart_mining_device_temperature_celsius celsius\n",
        "# TYPE smart_mining_build info\n",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(text.ends_with("\n# EOF\n"));
}
