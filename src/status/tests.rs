//! What page, JSON and metrics say of a farm.

use super::{metrics, page};
use crate::clock::Clock;
use crate::events::Events;
use crate::lane::{DecisionView, LaneView};
use crate::ledger::Ledger;
use crate::provision;
use crate::registry::{Miner, Registry};
use crate::store::Store;
use crate::sync::SyncView;
use crate::view::{LaneSource, Views};
use smart_mining_core::lane::CandidateView;
use smart_mining_core::route::Choice;
use smart_mining_core::sv1::{Judge, Judged, Outcome};
use smart_mining_core::{Algorithm, Duration};
use std::sync::Arc;
use tokio::sync::watch;

struct Farm {
    views: Views,
    miner: Arc<Miner>,
    _folder: tempfile::TempDir,
}

fn farm() -> Farm {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = Store::open(&folder.path().join("farm.sqlite")).expect("a new store");
    let clock = Clock::start();
    let registry = Arc::new(Registry::new(clock));
    let (_, miner) = registry.join(Algorithm::Sha256d, ([10, 0, 0, 7], 4028).into());
    miner.named("rig07", "bmminer");
    miner.difficulty(512.0);
    let events = Arc::new(Events::new(store.clone()));
    let views = Views {
        farm: "barn".to_owned(),
        clock,
        started_at: 0,
        lanes: vec![LaneSource {
            algorithm: Algorithm::Sha256d,
            address: "127.0.0.1:3333".to_owned(),
            view: watch::channel(LaneView::default()).1,
        }],
        sync: watch::channel(SyncView::default()).1,
        reports: watch::channel(None).1,
        registry,
        ledger: Arc::new(Ledger::new(clock)),
        workers: crate::workers::Workers::open(events.clone(), clock),
        operator: crate::operator::Operator::of_a_test(&store, clock),
        events,
        history: Arc::new(crate::history::History::new(store.clone())),
        store,
        elsewhere: None,
        provisioning: None,
        device: watch::channel(None).1,
    };
    Farm {
        views,
        miner,
        _folder: folder,
    }
}

impl Farm {
    fn share(&self, outcome: Outcome, by: Judge) {
        let judged = Judged {
            link: None,
            difficulty: 512.0,
            pool_difficulty: 8192.0,
            outcome,
            by,
        };
        let (pool, now) = ("pool-a".into(), self.views.clock.now());
        let ledger = &self.views.ledger;
        ledger.add(Algorithm::Sha256d, "rig07", &pool, &judged, now);
        self.miner.judged(&judged, now);
    }

    fn json(&self) -> (serde_json::Value, serde_json::Value) {
        let value = |value| serde_json::to_value(value).expect("JSON");
        let mut status = value(&self.views.status());
        let mut miners = serde_json::to_value(self.views.miners()).expect("JSON");
        (status["algorithms"][0].take(), miners[0].take())
    }
}

#[test]
fn local_shares_are_shown_as_local_and_as_work_and_never_as_accepted() {
    let farm = farm();
    for _ in 0..9 {
        farm.share(Outcome::Local, Judge::Appliance);
    }
    let (lane, miner) = farm.json();
    for row in [&lane, &miner] {
        assert_eq!((&row["accepted"], &row["local"]), (&0.into(), &9.into()));
        for window in ["1m", "10m", "1h", "24h"] {
            let rate = row[format!("hashrate_{window}")].as_f64();
            assert!(rate.is_some_and(|rate| rate > 0.0), "{window}: {row}");
        }
    }
    let text = metrics::render(&farm.views.status());
    for line in [
        "smart_mining_shares_total{algorithm=\"sha256d\",verdict=\"accepted\"} 0\n",
        "smart_mining_shares_total{algorithm=\"sha256d\",verdict=\"local\"} 9\n",
        "smart_mining_difficulty_accepted_total{algorithm=\"sha256d\"} 0\n",
        "smart_mining_work_total{algorithm=\"sha256d\"} 4608\n",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let page = page::render(&farm.views);
    assert!(
        page.contains("Shares: 0 accepted by pools, 9 local,"),
        "{page}"
    );
}

#[test]
fn who_refused_a_share_is_said() {
    let farm = farm();
    farm.share(Outcome::Rejected, Judge::Pool);
    farm.share(Outcome::Rejected, Judge::Appliance);
    farm.share(Outcome::Stale, Judge::Appliance);
    let page = page::render(&farm.views);
    let words = "2 rejected and 1 stale (by pools 1, here 2)";
    assert!(page.contains(words), "{page}");
    assert_eq!(farm.json().1["refused_here"], 2);
    let text = metrics::render(&farm.views.status());
    let line = "smart_mining_shares_refused_here_total{algorithm=\"sha256d\"} 2\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn a_silent_miner_is_said_in_words_everywhere() {
    let farm = farm();
    assert!(page::render(&farm.views).contains("<td>works<td"));
    let registry = &farm.views.registry;
    let later = farm.views.clock.now() + Duration::from_secs(61);
    registry.look(Algorithm::Sha256d, true, Duration::from_secs(120), later);
    let (lane, miner) = farm.json();
    assert_eq!(
        (&lane["silent"], &miner["silent"]),
        (&1.into(), &true.into())
    );
    let page = page::render(&farm.views);
    assert!(
        page.contains(">1 silent</b>") && page.contains(">silent</b>"),
        "{page}"
    );
    let text = metrics::render(&farm.views.status());
    assert!(text.contains("smart_mining_miners_silent{algorithm=\"sha256d\"} 1\n"));
}

#[test]
fn a_card_that_was_refused_is_on_the_page_with_its_mistakes() {
    let mut farm = farm();
    assert!(!page::render(&farm.views).contains("was not taken"));
    farm.views.provisioning = Some(provision::Report {
        outcome: provision::Outcome::Refused,
        in_force: true,
        problems: vec!["farm.toml:3: pool[1].id = \"<b>\" — odd; mend it".to_owned()],
        card_fault: Some("STATUS.TXT cannot be written".to_owned()),
    });
    let page = page::render(&farm.views);
    assert!(page.contains("was not taken"), "{page}");
    assert!(
        page.contains("pool[1].id = &quot;&lt;b&gt;&quot;"),
        "{page}"
    );
    assert!(page.contains("STATUS.TXT cannot be written"), "{page}");
    let status = serde_json::to_value(farm.views.status()).expect("JSON");
    assert_eq!(status["provisioning"]["outcome"], "refused");
}

#[test]
fn what_the_work_earns_is_told_with_the_decision_that_led_to_it() {
    let mut farm = farm();
    for _ in 0..9 {
        farm.share(Outcome::Accepted, Judge::Pool);
    }
    let (a, b) = (choice("pool-a"), choice("pool-b"));
    let candidates = [(&a, 3e-14), (&b, 2e-14)].map(|(choice, score)| CandidateView {
        choice: choice.clone(),
        score: Some(score),
        ready: true,
        connections: 1,
        address: "pool.example:3333".to_owned(),
        last_failure: None,
    });
    let view = LaneView {
        route: Some((b.clone(), farm.views.clock.now())),
        why: "failover: pool-a cannot be used; pool-b is the best that is ready".to_owned(),
        candidates: candidates.to_vec(),
        switches: 2,
        switches_by_rule: [("failover", 1), ("start", 1)].into(),
        decision: Some(DecisionView {
            at: 1_795_000_000,
            rule: "failover",
            from: Some(a),
            to: Some(b),
            why: "pool-a cannot be used; pool-b is the best that is ready".to_owned(),
        }),
        ..LaneView::default()
    };
    farm.views.lanes[0].view = watch::channel(view).1;
    let (lane, miner) = farm.json();
    let hashrate = lane["hashrate_10m"].as_f64().expect("a number");
    assert_eq!(lane["usd_per_day_now"], hashrate * 2e-14);
    assert_eq!(lane["decision"]["rule"], "failover");
    assert_eq!(lane["decision"]["from"]["pool"], "pool-a");
    assert_eq!(lane["decision"]["to"]["pool"], "pool-b");
    assert_eq!(lane["switches_by_rule"]["failover"], 1);
    assert_eq!(
        lane["candidates"][0]["lead_percent"]
            .as_f64()
            .map(f64::round),
        Some(50.0)
    );
    assert_eq!(lane["candidates"][1]["on_route"], true);
    assert_eq!(
        (&lane["reject_rate"], &miner["state"]),
        (&0.0.into(), &"works".into())
    );
}

fn choice(pool: &str) -> Choice {
    Choice {
        pool: pool.to_owned(),
        coin: "BTC".to_owned(),
    }
}
