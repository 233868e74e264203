//! Which workers may mine: lists and passwords, through the shipped binary.

mod support;

use serde_json::{Value, json};
use smart_mining_farmsim::pool::{Pool, PoolConfig};
use smart_mining_farmsim::pow::Algorithm;
use smart_mining_farmsim::raw::RawClient;
use std::io::Write as _;
use std::process::{Command, Stdio};
use support::{Appliance, Farm, PATIENCE};

async fn pool() -> Pool {
    Pool::start(PoolConfig::new("a", Algorithm::Sha256d, 1))
        .await
        .expect("a pool on loopback")
}

/// `smart-mining-proxy hash-password`, fed through a pipe.
fn hash_password(password: &str) -> (Option<i32>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_smart-mining-proxy"))
        .arg("hash-password")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut input = child.stdin.take().expect("piped");
    input.write_all(password.as_bytes()).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8(output.stdout).expect("text");
    (output.status.code(), text.trim().to_owned())
}

async fn appliance(pool: &Pool, workers: &str) -> Appliance {
    let farm = Farm::new().pool("a", pool.address(), "").text(workers);
    let appliance = farm.start();
    appliance.on_pool("a").await;
    appliance
}

async fn subscribed(appliance: &Appliance) -> RawClient {
    let address = appliance.farm.sha256d;
    let mut client = RawClient::connect(address, PATIENCE).await.expect("open");
    let answer = client.call(1, "mining.subscribe", json!(["x/1"])).await;
    assert!(answer.expect("an answer")["result"].is_array());
    client
}

async fn log_in(client: &mut RawClient, user: &str, password: &str) -> Value {
    let answer = client
        .call(2, "mining.authorize", json!([user, password]))
        .await;
    answer.expect("an answer")
}

async fn gets_work(appliance: &Appliance, user: &str, password: &str) {
    let mut client = subscribed(appliance).await;
    let answer = log_in(&mut client, user, password).await;
    assert_eq!(answer["result"], true, "{user}: {answer}");
    client.until_method("mining.notify").await.expect("a job");
}

async fn is_refused(appliance: &Appliance, user: &str, password: &str) -> String {
    let mut client = subscribed(appliance).await;
    let answer = log_in(&mut client, user, password).await;
    assert_eq!(answer["error"][0], 24, "{user}: {answer}");
    assert_ne!(answer["result"], true);
    // It has no share to give: nobody admitted it.
    let share = json!([user, "1", "000000", "00000000", "00000000"]);
    let share = client.call(3, "mining.submit", share).await;
    assert_eq!(share.expect("an answer")["error"][0], 24);
    answer["error"][1].as_str().unwrap_or("").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_lets_in_its_own_workers_and_tells_of_the_others() {
    let a = pool().await;
    let list = "[workers]\nmode = \"list\"\n[[worker]]\nname = \"rig1\"\n";
    let appliance = appliance(&a, list).await;
    gets_work(&appliance, "any.rig1", "x").await;
    gets_work(&appliance, "rig1", "whatever").await;
    let why = is_refused(&appliance, "any.<rig2>", "x").await;
    assert_eq!(why, "worker is not known on this farm");
    is_refused(&appliance, "any.<rig2>", "x").await;
    let status = appliance.status().expect("it answers");
    let refused = &status["refused_workers"][0];
    assert_eq!(
        (&refused["worker"], &refused["address"]),
        (&json!("_rig2_"), &json!("127.0.0.1"))
    );
    assert_eq!(
        (&refused["why"], &refused["count"]),
        (&json!("not in the list"), &json!(2))
    );
    let page = appliance.get("/").expect("it answers");
    assert!(page.contains("Refused workers") && page.contains("_rig2_"));
    let events = appliance.get("/api/events").expect("it answers");
    assert_eq!(
        events.matches("worker-refused").count(),
        1,
        "one line a minute"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_miner_whose_worker_is_refused_is_not_taken_for_a_stranger() {
    let a = pool().await;
    let list = "[workers]\nmode = \"list\"\n[[worker]]\nname = \"rig1\"\n";
    let appliance = appliance(&a, list).await;
    let mut client = subscribed(&appliance).await;
    let answer = log_in(&mut client, "any.rig2", "x").await;
    assert_eq!(answer["error"][0], 24);
    // It is let go when the time for the handshake is over.
    while client.line().await.is_ok() {}
    let events = appliance.get("/api/events").expect("it answers");
    assert!(events.contains("worker-refused"), "{events}");
    assert!(!events.contains("not-a-miner"), "{events}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_looked_at_and_guessing_is_slowed() {
    let a = pool().await;
    let (code, hash) = hash_password("correct horse\n");
    assert_eq!(code, Some(0));
    let workers = format!(
        "[workers]\nmode = \"password\"\n\
         [[worker]]\nname = \"rig1\"\npassword_hash = \"{hash}\"\n"
    );
    let appliance = appliance(&a, &workers).await;
    gets_work(&appliance, "any.rig1", "correct horse").await;
    for guess in ["x", "correct", "", "Correct horse"] {
        let why = is_refused(&appliance, "any.rig1", guess).await;
        assert_eq!(why, "worker or password is not known on this farm");
    }
    let why = is_refused(&appliance, "any.rig2", "correct horse").await;
    assert_eq!(why, "worker or password is not known on this farm");
    let why = is_refused(&appliance, "any.rig1", "another").await;
    assert_eq!(why, "too many wrong passwords, come again later");
    // Whoever was right before stays welcome, also from there.
    for _ in 0..50 {
        gets_work(&appliance, "any.rig1", "correct horse").await;
    }
    let log = std::fs::read_to_string(appliance.farm.folder.path().join("appliance.log"));
    assert!(
        !log.expect("a log").contains("horse"),
        "no password is told"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_miner_that_waits_for_its_password_is_served_like_any_other() {
    let a = pool().await;
    let (_, hash) = hash_password("s3cret");
    let workers = format!(
        "[workers]\nmode = \"password\"\n\
         [[worker]]\nname = \"rig1\"\npassword_hash = \"{hash}\"\n"
    );
    let appliance = appliance(&a, &workers).await;
    // All in one burst, and in the order that some firmware has.
    let address = appliance.farm.sha256d;
    let mut client = RawClient::connect(address, PATIENCE).await.expect("open");
    let burst = "{\"id\":1,\"method\":\"mining.authorize\",\"params\":[\"a.rig1\",\"s3cret\"]}\n\
                 {\"id\":2,\"method\":\"mining.subscribe\",\"params\":[\"x/1\"]}\n\
                 {\"id\":3,\"method\":\"mining.ping\",\"params\":[]}\n";
    client.send_bytes(burst.as_bytes()).await.expect("sent");
    client.until_method("mining.notify").await.expect("a job");
    let admitted = client.skipped.iter().find(|line| line["id"] == 1);
    assert_eq!(admitted.expect("an answer")["result"], true);
    // One that is gone when its answer comes troubles nobody.
    for _ in 0..20 {
        let mut client = RawClient::connect(address, PATIENCE).await.expect("open");
        let line = "{\"id\":1,\"method\":\"mining.authorize\",\"params\":[\"a.rig1\",\"x\"]}\n";
        client.send_bytes(line.as_bytes()).await.expect("sent");
    }
    gets_work(&appliance, "any.rig1", "s3cret").await;
}

#[test]
fn a_password_that_miners_cannot_send_is_not_hashed() {
    assert_eq!(hash_password("\n"), (Some(2), String::new()));
    assert_eq!(hash_password(&"x".repeat(200)), (Some(2), String::new()));
}
