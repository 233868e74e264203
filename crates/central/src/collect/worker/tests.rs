use super::*;
use crate::collect::health::State;
use crate::collect::recording::Recording;
use crate::collect::testing::{Asked, Reply, Service, ok, status};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::path::Path;

const PRICES: &str = r#"[{"symbol":"BTCUSDT","price":"64000"},{"symbol":"WHOUSDT","price":"1"}]"#;

fn config(text: &str) -> Config {
    let text = format!("defaults.sources = \"none\"\n{text}");
    Config::parse(&text, Path::new("/")).unwrap_or_else(|error| panic!("{error}"))
}

fn at(name: &str, service: &Service) -> String {
    format!("[sources.{name}]\nurl = \"{}\"\n", service.url())
}

fn state(collector: &Collector, name: &str) -> SourceHealth {
    let found = collector
        .health()
        .into_iter()
        .find(|health| health.source == name);
    found.expect("a source of the configuration")
}

fn error(round: &[Heard], name: &str) -> String {
    let found = round.iter().find(|heard| heard.source == name);
    let heard = found.unwrap_or_else(|| panic!("{name} was not heard of"));
    let error = heard.result.as_ref().map(|_| ()).expect_err("no answer");
    error.to_string()
}

#[tokio::test]
async fn one_round_hears_of_all_and_waits_for_none_that_hangs() {
    let good = Service::start(|_| ok(PRICES));
    let busy = Service::start(|_| status("429 Too Many", "retry-after: 300\r\n"));
    let paid = Service::start(|_| status("402 Payment Required", ""));
    let page = Service::start(|_| ok("<html>no</html>"));
    let empty = Service::start(|_| ok(""));
    let hung = Service::start(|_| Reply::Hang);
    let text = [
        at("binance", &good),
        at("zpool", &busy),
        at("whattomine", &paid),
        at("coinpaprika", &page),
        at("braiins_insights", &empty),
        at("ocean", &hung),
        "[sources.coinmarketcap]\n".to_owned(),
    ];
    let mut collector = Collector::start(&config(&text.concat()), None);
    let began = Instant::now();
    let round = collector.one_round(Duration::from_secs(3)).await;
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    let good_one = round
        .iter()
        .find(|heard| heard.source == "binance")
        .expect("heard");
    assert_eq!(
        good_one.result.as_ref().expect("prices").observations.len(),
        1
    );
    assert!(error(&round, "zpool").contains("too many requests"));
    assert!(error(&round, "whattomine").contains("402"));
    assert!(error(&round, "coinpaprika").contains("HTML"));
    assert!(error(&round, "braiins_insights").contains("empty"));
    assert!(round.iter().all(|heard| heard.source != "ocean"));
    for (name, wanted) in [
        ("binance", State::Ok),
        ("zpool", State::Waiting),
        ("whattomine", State::Stopped),
        ("coinpaprika", State::Failing),
        ("ocean", State::Silent),
        ("coinmarketcap", State::NoKey),
    ] {
        assert_eq!(state(&collector, name).state, wanted, "{name}");
    }
    // One question of two was enough to know that no other is wanted.
    assert_eq!((busy.count(), paid.count()), (1, 1));
    let binance = state(&collector, "binance");
    assert_eq!(
        (binance.answers, binance.observations, binance.unmapped),
        (1, 1, 1)
    );
    assert!(binance.last_ok_at.is_some() && binance.last_error.is_none());
}

#[tokio::test]
async fn a_round_is_over_as_soon_as_all_have_answered() {
    let good = Service::start(|_| ok(PRICES));
    let mut collector = Collector::start(&config(&at("binance", &good)), None);
    let began = Instant::now();
    let round = collector.one_round(Duration::from_secs(600)).await;
    assert_eq!(round.len(), 1);
    assert!(began.elapsed() < Duration::from_secs(60));
    let mut nobody = Collector::start(&config(""), None);
    assert!(nobody.one_round(Duration::from_secs(600)).await.is_empty());
}

#[tokio::test]
async fn a_new_start_does_not_ask_again_what_was_answered_just_now() {
    let good = Service::start(|_| ok(PRICES));
    let config = config(&at("binance", &good));
    let of = |at| Answered {
        source: "binance",
        kind: "all",
        about: "",
        at,
    };
    let mut later = Collector::start_after(&config, None, &[of(unix_now())]);
    assert!(later.one_round(Duration::from_secs(5)).await.is_empty());
    let mut old = Collector::start_after(&config, None, &[of(unix_now() - 3_600)]);
    assert_eq!(old.one_round(Duration::from_secs(60)).await.len(), 1);
    assert_eq!(good.count(), 1);
}

#[tokio::test]
async fn the_end_waits_for_nobody() {
    let hung = Service::start(|_| Reply::Hang);
    let collector = Collector::start(&config(&at("ocean", &hung)), None);
    hung.wait_for(1);
    let began = Instant::now();
    let shared = Arc::downgrade(&collector.shared);
    drop(collector);
    while shared.strong_count() > 0 {
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "the owner goes on"
        );
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_key_that_a_service_repeats_is_not_told_on() {
    let echo = Service::start(|asked: Asked| {
        let key = asked
            .header("x-cmc_pro_api_key")
            .unwrap_or("none")
            .to_owned();
        Reply::Now(
            "401 Unauthorized",
            String::new(),
            format!("bad key {key}").into_bytes(),
        )
    });
    let text = format!("{}key = \"topsecret\"\n", at("coinmarketcap", &echo));
    let mut collector = Collector::start(&config(&text), None);
    let round = collector.one_round(Duration::from_secs(30)).await;
    assert!(error(&round, "coinmarketcap").contains("bad key [key]"));
    let health = state(&collector, "coinmarketcap");
    assert_eq!(health.state, State::Stopped);
    assert!(!format!("{health:?}").contains("topsecret"));
}

/// As a node of Ethereum's kind answers a batch: each call by its method.
fn node(asked: &Asked) -> Reply {
    let time = unix_now();
    let calls: Vec<serde_json::Value> = serde_json::from_str(&asked.body).expect("a batch");
    let reply = |call: &serde_json::Value| {
        let result = match call["method"].as_str() {
            Some("eth_chainId") => serde_json::json!("0x3d"),
            Some("eth_syncing") => serde_json::json!(false),
            _ => {
                let number = call["params"][0].as_str().filter(|at| *at != "latest");
                serde_json::json!({"number": number.unwrap_or("0x10"), "difficulty": "0x38d7ea4c68000",
                    "timestamp": format!("{time:#x}"), "gasUsed": "0x0", "uncles": [], "transactions": []})
            }
        };
        serde_json::json!({"id": call["id"], "jsonrpc": "2.0", "result": result})
    };
    let all: Vec<_> = calls.iter().map(reply).collect();
    ok(&serde_json::to_string(&all).expect("JSON"))
}

fn node_at(service: &Service, more: &str) -> String {
    let url = service.url();
    format!("[[nodes]]\nkind = \"eth\"\ncoin = \"ETC\"\nurl = \"{url}\"\n{more}")
}

#[tokio::test]
async fn what_an_answer_leads_to_is_asked_in_the_same_round() {
    let service = Service::start(|asked| node(&asked));
    let mut collector = Collector::start(&config(&node_at(&service, "")), None);
    let round = collector.one_round(Duration::from_secs(60)).await;
    let kinds: Vec<_> = round.iter().map(|heard| heard.kind).collect();
    assert_eq!(kinds, ["state", "blocks"], "{round:?}");
    assert!(round[0].result.is_ok(), "{round:?}");
}

#[tokio::test]
async fn a_cookie_that_a_node_made_anew_is_read_again_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(".cookie");
    std::fs::write(&path, "__cookie__:old-one").expect("written");
    let file = path.clone();
    let service = Service::start(move |asked| {
        let wanted = format!("Basic {}", STANDARD.encode("__cookie__:new-one"));
        if asked.header("authorization") == Some(&wanted) {
            return node(&asked);
        }
        std::fs::write(&file, "__cookie__:new-one\n").expect("written");
        Reply::Now("401 Unauthorized", String::new(), Vec::new())
    });
    let more = format!("cookie_file = \"{}\"", path.display());
    let mut collector = Collector::start(&config(&node_at(&service, &more)), None);
    assert!(collector.next().await.result.is_err(), "the old cookie");
    let second = tokio::time::timeout(Duration::from_secs(20), collector.next()).await;
    let second = second.expect("at once, not after a pause");
    assert!(second.result.is_ok(), "{second:?}");
    assert_eq!(state(&collector, "eth").state, State::Ok);
}

#[tokio::test]
async fn a_recording_gives_what_was_heard() {
    let folder = tempfile::tempdir().expect("a folder");
    let prices = Service::start(|_| ok(PRICES));
    let busy = Service::start(|_| status("429 Too Many", "retry-after: 300\r\n"));
    let own = Service::start(|asked| node(&asked));
    // Nobody listens at a port that was just given back.
    let nobody = Service::start(|_| Reply::Hang);
    let gone = at("ocean", &nobody);
    drop(nobody);
    let text = [
        at("binance", &prices),
        at("zpool", &busy),
        gone,
        node_at(&own, ""),
    ]
    .concat();
    let recorder = Recorder::create(folder.path()).expect("a recorder");
    let mut collector = Collector::start(&config(&text), Some(recorder));
    let live = collector.one_round(Duration::from_secs(60)).await;
    assert_eq!(live.len(), 5, "{live:?}");
    let again: Result<Vec<_>, _> = Recording::open(folder.path()).expect("files").collect();
    assert_eq!(format!("{:?}", again.expect("good")), format!("{live:?}"));
}

#[tokio::test]
async fn many_that_hang_do_not_keep_another_waiting() {
    let hung: Vec<Service> = (0..AT_ONCE)
        .map(|_| Service::start(|_| Reply::Hang))
        .collect();
    let good = Service::start(|_| ok(PRICES));
    let names = [
        "2miners",
        "herominers",
        "nanopool",
        "nicehash",
        "zpool",
        "zergpool",
        "ckpool",
        "public-pool",
        "ocean",
        "prohashing",
        "whattomine",
        "braiins_insights",
    ];
    let mut text = at("binance", &good);
    for (name, service) in names.iter().zip(&hung) {
        text.push_str(&at(name, service));
        text.push_str("about = [\"RVN\"]\n");
    }
    // Of a lower authority than all others, so it is asked last.
    let mut collector = Collector::start(&config(&text), None);
    let heard = tokio::time::timeout(HANGS * 3, collector.next()).await;
    assert_eq!(heard.expect("in time").source, "binance");
    assert!(
        hung.iter().all(|service| service.count() == 1),
        "all were asked before"
    );
}
