//! Junk, strangers, damaged files, power cuts.

mod support;

use serde_json::json;
use smart_mining_farmsim::miner::{Miner, MinerConfig, Personality};
use smart_mining_farmsim::pool::{Pool, PoolConfig};
use smart_mining_farmsim::pow::Algorithm;
use smart_mining_farmsim::raw::RawClient;
use smart_mining_proxy::store::Store;
use smart_mining_wire::{Entry, Envelope, PoolOffer, SecretKey, Snapshot};
use std::process::Command;
use std::time::{Duration, Instant};
use support::{Appliance, Farm, PATIENCE};

async fn pool(name: &str, seed: u64) -> Pool {
    Pool::start(PoolConfig::new(name, Algorithm::Sha256d, seed))
        .await
        .expect("a pool on loopback")
}

fn log(appliance: &Appliance) -> String {
    std::fs::read_to_string(appliance.farm.folder.path().join("appliance.log")).expect("a log")
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_on_the_stratum_port_is_closed_and_told_once_and_miners_mine_on() {
    let a = pool("a", 1).await;
    let appliance = Farm::new().pool("a", a.address(), "").start();
    appliance.on_pool("a").await;
    let config = MinerConfig::new(
        appliance.farm.sha256d,
        "someone.rig",
        Personality::Minerd,
        Algorithm::Sha256d,
    );
    let miner = Miner::start(config);
    miner.next_accepted(PATIENCE).await.expect("it works");
    for junk in [
        b"GET / HTTP/1.1\r\nHost: barn\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n".to_vec(),
        vec![b'['; 100_000],
        b"{\"id\":1,\"method\":\n".to_vec(),
        vec![0; 4096],
    ] {
        let mut stranger = RawClient::connect(appliance.farm.sha256d, PATIENCE)
            .await
            .expect("let in");
        // It may be closed while we still write: that is the point.
        let _ = stranger.send_bytes(&junk).await;
        stranger.closed().await.expect("and shown out");
    }
    // One that says nothing is closed when its time is up (5 s in this farm).
    let mut silent = RawClient::connect(appliance.farm.sha256d, PATIENCE)
        .await
        .expect("let in");
    silent.closed().await.expect("closed for saying nothing");
    miner.next_accepted(PATIENCE).await.expect("it works on");
    assert_eq!(miner.stats().disconnects, 0);
    let told = log(&appliance).matches("EVENT=not-a-miner").count();
    assert_eq!(told, 1, "one line a minute");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_not_allowed_neither_mines_nor_looks() {
    let a = pool("a", 1).await;
    let farm = Farm::new()
        .pool("a", a.address(), "")
        .text("[access]\nallow = [\"192.0.2.0/24\"]\n");
    let appliance = farm.start();
    let deadline = Instant::now() + PATIENCE;
    let mut stranger = loop {
        match RawClient::connect(appliance.farm.sha256d, PATIENCE).await {
            Ok(client) => break client,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    };
    stranger.closed().await.expect("turned away");
    assert_eq!(appliance.status(), None, "the page is for the LAN too");
    assert!(log(&appliance).contains("not in [access] allow"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_farm_says_so() {
    let a = pool("a", 1).await;
    let appliance = Farm::new()
        .pool("a", a.address(), "")
        .start_with("max_miners = 1");
    appliance.on_pool("a").await;
    let mut first = RawClient::connect(appliance.farm.sha256d, PATIENCE)
        .await
        .expect("let in");
    first
        .call(1, "mining.subscribe", json!([]))
        .await
        .expect("served");
    let mut second = RawClient::connect(appliance.farm.sha256d, PATIENCE)
        .await
        .expect("reached");
    second.closed().await.expect("no place left");
    assert!(log(&appliance).contains("raise listener.max_miners"));
    first
        .call(2, "mining.authorize", json!(["x.rig", "x"]))
        .await
        .expect("still served");
}

fn run_to_end(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_smart-mining-proxy"))
        .args(arguments)
        .output()
        .expect("it runs");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn a_bad_farm_toml_is_told_whole_with_code_2_and_starts_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("farm.toml");
    std::fs::write(
        &path,
        "[farm]\nname = \"no spaces please\"\n[[listener]]\nalgorithm = \"sha257\"\n[status]\nbind = \"8080\"\n",
    )
    .expect("written");
    let path_text = path.to_str().expect("a plain path");
    for arguments in [
        &["check", path_text][..],
        &["run", "--config", path_text][..],
    ] {
        let (code, told) = run_to_end(arguments);
        assert_eq!(code, Some(2), "{told}");
        for line in [
            "farm.toml:2: farm.name",
            "farm.toml:4: listener[1].algorithm",
            "farm.toml:6: status.bind",
        ] {
            assert!(told.contains(line), "{line} is missing in:\n{told}");
        }
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("there").count(),
        1,
        "nothing was made"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named() {
    let a = pool("a", 1).await;
    let farm = Farm::new().pool("a", a.address(), "");
    let _taken = std::net::TcpListener::bind(farm.sha256d).expect("free");
    let path = farm.write();
    let (code, told) = run_to_end(&["run", "--config", path.to_str().expect("plain")]);
    assert_eq!(code, Some(1));
    assert!(
        told.contains(&farm.sha256d.to_string()) && told.contains("listener.bind"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_opened_does_not_keep_the_farm_from_mining() {
    let a = pool("a", 1).await;
    let farm = Farm::new().pool("a", a.address(), "");
    // Nobody can make a lock file there.
    std::fs::create_dir(farm.folder.path().join("farm.sqlite.lock")).expect("a new folder");
    let mut appliance = farm.start();
    appliance.on_pool("a").await;
    let events = appliance.get("/api/events").expect("it answers");
    assert!(events.contains("store-unusable"), "{events}");
    assert_eq!(appliance.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_store_is_moved_aside_and_mining_goes_on() {
    let a = pool("a", 1).await;
    let mut appliance = Farm::new().pool("a", a.address(), "").start();
    appliance.on_pool("a").await;
    assert_eq!(appliance.stop(), Some(0));
    std::fs::write(appliance.farm.store(), b"this was a database once").expect("written");
    appliance.start_again();
    appliance.on_pool("a").await;
    let events = appliance.get("/api/events").expect("it answers");
    assert!(events.contains("store-recovered"), "{events}");
    let kept = std::fs::read_dir(appliance.farm.folder.path())
        .expect("there")
        .filter_map(Result::ok)
        .any(|entry| entry.file_name().to_string_lossy().contains("corrupt"));
    assert!(kept, "the damaged file is kept");
}

/// Fifty power cuts, at moments spread over the first second and a half of
/// life; after each the appliance is back on the cached route in under a
/// second, and the store is whole.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_power_cuts_cost_less_than_a_second_each() {
    let a = pool("a", 1).await;
    let key = SecretKey::from_bytes(&[3; 32]);
    let farm = Farm::new().text(&format!(
        // Nobody answers there: central is unreachable all along.
        "[central]\nurl = \"http://{}\"\ntoken = \"t\"\npublic_key = \"{}\"\n[[account]]\ncoin = \"BTC\"\nuser = \"farmer.{{worker}}\"\n",
        support::free_address(),
        key.public()
    ));
    let snapshot = Snapshot {
        version: 1,
        sequence: 41,
        created_at: 1_700_000_000,
        entries: vec![Entry {
            coin: "BTC".to_owned(),
            algorithm: smart_mining_wire::Algorithm::Sha256d,
            pool: PoolOffer {
                id: "a".to_owned(),
                url: format!("stratum+tcp://{}", a.address()),
                fee: 0.01,
                scheme: "FPPS".to_owned(),
            },
            usd_per_hash_day: 4e-14,
            margin: 0.01,
        }],
    };
    let (store, _) = Store::open(&farm.store()).expect("a new store");
    let envelope = Envelope::seal(&snapshot, &key).to_json();
    store
        .save_snapshot(41, 1_700_000_000, envelope)
        .expect("saved");
    store.close().expect("closed");

    let mut appliance = farm.start();
    let mut slowest = Duration::ZERO;
    let config = MinerConfig {
        backoff: (Duration::from_millis(20), Duration::from_millis(50)),
        ..MinerConfig::new(
            appliance.farm.sha256d,
            "someone.rig",
            Personality::Minerd,
            Algorithm::Sha256d,
        )
    };
    let miner = Miner::start(config);
    for round in 0..50_u64 {
        appliance.on_pool("a").await;
        // Anywhere between "just up" and "in the middle of writing the books".
        let moment = Instant::now() + Duration::from_millis(round * 37 % 1500);
        miner
            .wait_for("the moment of the cut", PATIENCE, |_| {
                Instant::now() >= moment
            })
            .await
            .expect("shares keep coming");
        appliance.kill();
        appliance.start_again();
        let started = Instant::now();
        let status = appliance.on_pool("a").await;
        slowest = slowest.max(started.elapsed());
        assert_eq!(status["snapshot"]["sequence"], 41);
    }
    miner
        .next_accepted(PATIENCE)
        .await
        .expect("it works after all that");
    assert!(
        slowest < Duration::from_secs(1),
        "the slowest start took {slowest:?}"
    );
    println!("slowest of 50 starts: {slowest:?}");
    assert_eq!(appliance.stop(), Some(0));
    let (store, opened) = Store::open(&appliance.farm.store()).expect("it opens");
    assert_eq!(opened.recovered, None, "the store was damaged");
    assert_eq!(opened.newest.map(|snapshot| snapshot.sequence), Some(41));
    store.close().expect("closed");
}
