//! A farm full of recognisable secrets, and all that it says of itself.

mod support;

use serde_json::json;
use smart_mining_farmsim::pool::{Pool, PoolConfig};
use smart_mining_farmsim::pow::Algorithm;
use smart_mining_farmsim::raw::RawClient;
use support::command::say;
use support::{Farm, PATIENCE};
use tokio::io::AsyncWriteExt as _;

const SECRETS: [&str; 5] = [
    "tokenOfTheFarm0123456789",
    "bc1qPayoutAccountOfTheFarm",
    "passwordOfTheAccount",
    "passwordOfTheMiner",
    "passwordOfTheStranger",
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_people_read_has_a_secret_in_it() {
    let good = Pool::start(PoolConfig::new("good", Algorithm::Sha256d, 1)).await;
    let good = good.expect("a pool on loopback");
    let bad = Pool::start(PoolConfig::new("bad", Algorithm::Sha256d, 2)).await;
    let bad = bad.expect("a pool on loopback");
    // Its refusal quotes the account.
    bad.reject_logins();
    let login = |pool: &str| {
        format!("[[pool]]\nid = \"{pool}\"\nalgorithm = \"sha256d\"\ncoin = \"BTC\"\n")
    };
    let account = format!(
        "user = \"{}.{{worker}}\"\npassword = \"{}\"\n",
        SECRETS[1], SECRETS[2]
    );
    let central = support::free_address();
    let key = smart_mining_wire::SecretKey::from_bytes(&[7; 32]).public();
    let farm = Farm::new().log("trace").text(&format!(
        "[central]\nurl = \"http://{central}\"\ntoken = \"{}\"\npublic_key = \"{key}\"\n\
         {}url = \"stratum+tcp://{}\"\n{account}{}url = \"stratum+tcp://{}\"\n{account}\
         [workers]\nmode = \"list\"\n[[worker]]\nname = \"rig1\"\n",
        SECRETS[0],
        login("bad"),
        bad.address(),
        login("good"),
        good.address(),
    ));
    let appliance = farm.start();
    appliance.on_pool("good").await;
    for (worker, password) in [("any.rig1", SECRETS[3]), ("any.rig2", SECRETS[4])] {
        let mut client = RawClient::connect(appliance.farm.sha256d, PATIENCE)
            .await
            .expect("open");
        client
            .call(1, "mining.subscribe", json!(["x/1"]))
            .await
            .expect("an answer");
        client
            .call(2, "mining.authorize", json!([worker, password]))
            .await
            .expect("an answer");
        drop(client);
    }
    // One that never becomes a miner: it was pointed here with another dialect.
    let mut stranger = tokio::net::TcpStream::connect(appliance.farm.sha256d)
        .await
        .expect("open");
    let line = format!("login {}\n", SECRETS[4]).repeat(20);
    let _ = stranger.write_all(line.as_bytes()).await;
    // A pool says the account aloud.
    let words = format!("welcome {} with {}", SECRETS[1].to_lowercase(), SECRETS[2]);
    good.broadcast(&json!({ "id": null, "method": "client.show_message", "params": [words] }));
    let told = |code: &'static str| {
        move |events: &serde_json::Value| {
            events
                .as_array()
                .is_some_and(|all| all.iter().any(|event| event["code"] == code))
        }
    };
    for code in [
        "pool-failed",
        "pool-notice",
        "worker-refused",
        "not-a-miner",
        "central-unreachable",
    ] {
        appliance
            .until(code, |_| {
                let events = appliance.get("/api/events").unwrap_or_default();
                serde_json::from_str(&events).is_ok_and(|events| told(code)(&events))
            })
            .await;
    }
    let log = appliance.farm.logged();
    assert!(
        log.contains("EVENT=pool-failed") && log.contains("(account)"),
        "{log}"
    );
    let folder = appliance.farm.folder.path();
    let mut all = vec![("the log".to_owned(), log)];
    for path in [
        "/",
        "/api/status",
        "/api/routes",
        "/api/miners",
        "/api/events",
        "/metrics",
    ] {
        all.push((path.to_owned(), appliance.get(path).expect("it answers")));
    }
    for command in [
        &["status"][..],
        &["routes", "--why"],
        &["miners"],
        &["events"],
        &["doctor"],
        &["check"],
    ] {
        let said = say(folder, command);
        all.push((command.join(" "), said.out + &said.error));
    }
    for (place, text) in all {
        for secret in SECRETS {
            let is_there = text.to_lowercase().contains(&secret.to_lowercase());
            assert!(!is_there, "{place} has {secret} in it: {text}");
        }
    }
}
