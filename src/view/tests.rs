//! What a route is said to be worth, and a farm on which all is well.

use super::*;
use crate::counts::Counts;
use crate::ledger::{Hashrates, Totals};
use std::collections::BTreeMap;

pub(super) fn lane() -> AlgorithmStatus {
    AlgorithmStatus {
        algorithm: Algorithm::Sha256d,
        listener: "0.0.0.0:3333".to_owned(),
        state: FarmState::Mining,
        unpaid: false,
        route: None,
        why: String::new(),
        decision: None,
        switches: 0,
        switches_by_rule: BTreeMap::new(),
        usd_per_day_now: None,
        miners: 20,
        silent: 1,
        no_work_yet: 0,
        offline: 3,
        reject_rate: None,
        totals: Totals {
            counts: Counts::default(),
            hashrates: Hashrates {
                hashrate_1m: 0.0,
                hashrate_10m: 0.0,
                hashrate_1h: 0.0,
                hashrate_24h: 0.0,
            },
        },
        candidates: Vec::new(),
        skipped: Vec::new(),
        pin: None,
        excluded: Vec::new(),
    }
}

pub(super) fn healthy() -> Status {
    Status {
        farm: "barn".to_owned(),
        version: "1.0.0",
        state: FarmState::Mining,
        troubles: Vec::new(),
        started_at: 0,
        algorithms: vec![lane()],
        snapshot: SnapshotStatus {
            sequence: 7,
            age_seconds: Some(40),
            accepted: 3,
            refused: 0,
            last_refusal: None,
        },
        central: CentralStatus {
            state: "reachable",
            last_error: None,
            last_contact_seconds: Some(4),
        },
        reports: None,
        miners: MinerCounts {
            now: 20,
            silent: 1,
            no_work_yet: 0,
            offline: 3,
            connected: 20,
            disconnected: 3,
            refused: 0,
        },
        refused_workers: Vec::new(),
        store: StoreStatus {
            bytes: None,
            elsewhere: None,
            dropped: 0,
            last_error: None,
        },
        provisioning: None,
        device: None,
    }
}

fn choice(pool: &str) -> Choice {
    Choice {
        pool: pool.to_owned(),
        coin: "BTC".to_owned(),
    }
}

fn view(pool: &str, score: Option<f64>) -> CandidateView {
    CandidateView {
        choice: choice(pool),
        score,
        ready: true,
        connections: 1,
        address: "pool.example:3333".to_owned(),
        last_failure: None,
    }
}

#[test]
fn a_lead_is_told_against_the_route_and_only_where_both_have_a_figure() {
    let all = [
        view("a", Some(2.2e-14)),
        view("b", Some(2e-14)),
        view("own", None),
    ];
    let shown = |route: Option<&Choice>| {
        let pays = score_of(&all, route);
        let rows = all.iter().map(|it| candidate(it.clone(), route, pays));
        rows.map(|it| (it.on_route, it.lead_percent.map(f64::round)))
            .collect::<Vec<_>>()
    };
    let on_b = choice("b");
    let expected = [(false, Some(10.0)), (true, Some(0.0)), (false, None)];
    assert_eq!(shown(Some(&on_b)), expected);
    let on_own = choice("own");
    assert_eq!(
        shown(Some(&on_own)),
        [(false, None), (false, None), (true, None)]
    );
    assert_eq!(shown(None), [(false, None); 3]);
}

#[test]
fn the_store_s_size_counts_its_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("farm.sqlite");
    assert_eq!(store_bytes(&path), None);
    std::fs::write(&path, [0; 100]).expect("a file");
    assert_eq!(store_bytes(&path), Some(100));
    std::fs::write(folder.path().join("farm.sqlite-wal"), [0; 11]).expect("a file");
    assert_eq!(store_bytes(&path), Some(111));
}
