//! What page, JSON and metrics say of a farm.

use super::metrics::{self, Format};
use super::page;
use crate::clock::Clock;
use crate::config::Network;
use crate::events::{Code, Events, Subject};
use crate::lane::{DecisionView, LaneView};
use crate::ledger::Ledger;
use crate::provision;
use crate::pulse::Vitals;
use crate::registry::{Miner, Registry};
use crate::report::ReportsView;
use crate::store::Store;
use crate::sync::SyncView;
use crate::view::samples::device;
use crate::view::{LaneSource, Views};
use smart_mining_core::lane::CandidateView;
use smart_mining_core::route::Choice;
use smart_mining_core::sv1::{Judge, Judged, Outcome};
use smart_mining_core::{Algorithm, Duration};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub struct Farm {
    pub views: Views,
    miner: Arc<Miner>,
    _folder: tempfile::TempDir,
}

pub fn farm() -> Farm {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = Store::open(&folder.path().join("farm.sqlite")).expect("a new store");
    let clock = Clock::start();
    let registry = Arc::new(Registry::new(clock));
    let (_, miner) = registry.join(Algorithm::Sha256d, ([10, 0, 0, 7], 4028).into());
    miner.named("rig07", "bmminer");
    miner.difficulty(512.0);
    let events = Arc::new(Events::new(store.clone()));
    let ledger = Arc::new(Ledger::new(clock));
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
        ledger: ledger.clone(),
        workers: crate::workers::Workers::open(events.clone(), clock),
        operator: crate::operator::Operator::of_a_test(&store, clock),
        events,
        history: Arc::new(crate::history::History::new(store.clone(), ledger.clone())),
        store,
        elsewhere: None,
        provisioning: None,
        device: watch::channel(None).1,
        vitals: watch::channel(None).1,
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

    /// The views, and what must stay while they are used.
    pub fn apart(self) -> (Views, tempfile::TempDir) {
        (self.views, self._folder)
    }

    /// Its page, at a port of its own.
    pub async fn serve(self) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("bound"));
        let here = Network::parse("127.0.0.0/8").expect("a network");
        tokio::spawn(super::serve(listener, Arc::new(self.views), [here].into()));
        Served {
            base,
            _folder: self._folder,
        }
    }

    fn json(&self) -> (serde_json::Value, serde_json::Value) {
        let value = |value| serde_json::to_value(value).expect("JSON");
        let mut status = value(&self.views.status());
        let mut miners = serde_json::to_value(self.views.miners()).expect("JSON");
        (status["algorithms"][0].take(), miners[0].take())
    }
}

pub struct Served {
    base: String,
    _folder: tempfile::TempDir,
}

pub struct Answer {
    pub status: u16,
    /// Without its parameters.
    pub media: String,
    pub body: String,
}

impl Served {
    pub async fn get(&self, path: &str) -> Answer {
        self.ask(path, "*/*").await
    }

    async fn ask(&self, path: &str, accept: &'static str) -> Answer {
        let url = format!("{}{path}", self.base);
        let asked = tokio::task::spawn_blocking(move || {
            let agent: ureq::Agent = ureq::Agent::config_builder()
                .http_status_as_error(false)
                .timeout_global(Some(std::time::Duration::from_secs(20)))
                .build()
                .into();
            let mut answer = agent
                .get(url)
                .header("accept", accept)
                .call()
                .expect("an answer");
            let media = answer.headers()["content-type"]
                .to_str()
                .expect("a media type");
            let media = media.split(';').next().unwrap_or_default().to_owned();
            Answer {
                status: answer.status().as_u16(),
                media,
                body: answer.body_mut().read_to_string().expect("text"),
            }
        });
        asked.await.expect("asked")
    }
}

/// One on a route, with a device, a trouble, a miner that left, and a report that waits.
pub fn full_farm() -> Farm {
    let mut farm = farm();
    farm.share(Outcome::Accepted, Judge::Pool);
    farm.share(Outcome::Rejected, Judge::Pool);
    on_pool_b(&mut farm);
    let (key, gone) = (farm.views.registry).join(Algorithm::Sha256d, ([10, 0, 0, 8], 1).into());
    gone.named("rig08", "");
    farm.views.registry.leave(key);
    farm.views.device = watch::channel(Some(device())).1;
    let sync = SyncView {
        configured: true,
        reachable: Some(false),
        sequence: 7,
        last_error: Some("connection refused".to_owned()),
        ..SyncView::default()
    };
    farm.views.sync = watch::channel(sync).1;
    let reports = ReportsView::default();
    farm.views.reports = watch::channel(Some(reports)).1;
    farm.views.provisioning = Some(provision::Report {
        outcome: provision::Outcome::Refused,
        in_force: true,
        problems: vec!["farm.toml:3: odd; mend it".to_owned()],
        card_fault: None,
    });
    let (code, subject) = (Code::RouteChanged, Subject::Route(Algorithm::Sha256d));
    farm.views.events.record(code, subject, "now on pool-b");
    farm
}

#[tokio::test]
async fn a_part_that_gives_no_sign_of_life_is_named_by_healthz() {
    let mut farm = farm();
    let (signs, vitals) = watch::channel(None);
    farm.views.vitals = vitals;
    let clock = farm.views.clock;
    let served = farm.serve().await;
    let healthz = async || {
        let answer = served.get("/healthz").await;
        (answer.status, answer.body)
    };
    assert_eq!(healthz().await, (200, "ok\n".to_owned()));
    let found = |silent: &[&str]| {
        let silent = silent.iter().map(|it| (*it).to_owned()).collect();
        let at = clock.now();
        signs.send_replace(Some(Vitals { at, silent }));
    };
    found(&["sha256d lane", "store"]);
    let words = "no sign of life from: sha256d lane, store\n";
    assert_eq!(healthz().await, (503, words.to_owned()));
    found(&[]);
    assert_eq!(healthz().await.0, 200);
}

#[tokio::test]
async fn metrics_come_in_the_form_that_is_asked_for() {
    let served = full_farm().serve().await;
    let plain = served.get("/metrics").await;
    assert_eq!(plain.media, "text/plain");
    let open = served
        .ask(
            "/metrics",
            "application/openmetrics-text;version=1.0.0,*/*;q=0.1",
        )
        .await;
    assert_eq!(open.media, "application/openmetrics-text");
    assert!(open.body.ends_with("# EOF\n"));
    let line = "smart_mining_route{algorithm=\"sha256d\",pool=\"pool-b\",coin=\"BTC\"} 1\n";
    assert!(
        plain.body.contains(line) && open.body.contains(line),
        "{}",
        plain.body
    );
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
    let text = metrics::render(&farm.views.status(), Format::Plain);
    for line in [
        "smart_mining_shares_total{algorithm=\"sha256d\",verdict=\"accepted\"} 0\n",
        "smart_mining_shares_total{algorithm=\"sha256d\",verdict=\"local\"} 9\n",
        "smart_mining_difficulty_accepted_total{algorithm=\"sha256d\"} 0\n",
        "smart_mining_work_total{algorithm=\"sha256d\"} 4608\n",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let page = page::render(&farm.views);
    for row in [
        "<dt>Accepted by pools</dt><dd>0</dd>",
        "<dt>Local: below the pool&#39;s difficulty</dt><dd>9</dd>",
    ] {
        assert!(page.contains(row), "{row} is not in\n{page}");
    }
}

#[test]
fn who_refused_a_share_is_said() {
    let farm = farm();
    farm.share(Outcome::Rejected, Judge::Pool);
    farm.share(Outcome::Rejected, Judge::Appliance);
    farm.share(Outcome::Stale, Judge::Appliance);
    let page = page::render(&farm.views);
    for row in ["here</dt><dd>2</dd>", "by pools</dt><dd>1</dd>"] {
        let words = format!("<dt>Of both, refused {row}");
        assert!(page.contains(&words), "{words} is not in\n{page}");
    }
    assert_eq!(farm.json().1["refused_here"], 2);
    let text = metrics::render(&farm.views.status(), Format::Plain);
    let line = "smart_mining_shares_refused_here_total{algorithm=\"sha256d\"} 2\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn a_silent_miner_is_said_in_words_everywhere() {
    let farm = farm();
    assert!(page::render(&farm.views).contains("<td class=good>works</td>"));
    let registry = &farm.views.registry;
    let later = farm.views.clock.now() + Duration::from_secs(61);
    registry.look(Algorithm::Sha256d, true, Duration::from_secs(120), later);
    let (lane, miner) = farm.json();
    assert_eq!(
        (&lane["silent"], &miner["silent"]),
        (&1.into(), &true.into())
    );
    let page = page::render(&farm.views);
    for words in [
        "<dd class=bad>1, 1 silent</dd>",
        "<td class=bad>silent</td>",
    ] {
        assert!(page.contains(words), "{words} is not in\n{page}");
    }
    let text = metrics::render(&farm.views.status(), Format::Plain);
    let line = "smart_mining_miners_by_state{algorithm=\"sha256d\",state=\"silent\"} 1\n";
    assert!(text.contains(line), "{text}");
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
        page.contains("pool[1].id = &#34;&#60;b&#62;&#34;"),
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
    on_pool_b(&mut farm);
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

/// After a failover.
fn on_pool_b(farm: &mut Farm) {
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
}

fn choice(pool: &str) -> Choice {
    Choice {
        pool: pool.to_owned(),
        coin: "BTC".to_owned(),
    }
}
