//! What a route is said to be worth.

use super::*;

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
