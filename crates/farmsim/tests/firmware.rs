//! What miners notice when the other side breaks the rules. The other side is
//! written out line by line here.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking where it stands"
)]

use std::time::Duration;

use serde_json::{Value, json};
use smart_mining_farmsim::miner::{Miner, MinerConfig, Personality};
use smart_mining_farmsim::pow::Algorithm;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

const PATIENCE: Duration = Duration::from_secs(20);

struct Script {
    lines: Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
}

impl Script {
    async fn with(personality: Personality) -> (Self, Miner) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = MinerConfig::new(address, "farm.rig", personality, Algorithm::Sha256d);
        let miner = Miner::start(config);
        let (stream, _) = listener.accept().await.unwrap();
        let (reader, writer) = stream.into_split();
        let lines = BufReader::new(reader).lines();
        (Self { lines, writer }, miner)
    }

    async fn hear(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        serde_json::from_str(&line.unwrap().unwrap().unwrap()).unwrap()
    }

    async fn hear_method(&mut self, method: &str) -> Value {
        loop {
            let message = self.hear().await;
            if message["method"] == method {
                return message;
            }
        }
    }

    async fn say(&mut self, message: Value) {
        let line = format!("{message}\n");
        self.writer.write_all(line.as_bytes()).await.unwrap();
    }

    async fn log_in(&mut self) {
        let subscribe = self.hear_method("mining.subscribe").await;
        let result = json!([[["mining.notify", "aa01"]], "0a0b0c0d", 4]);
        self.say(json!({"id": subscribe["id"], "result": result, "error": null}))
            .await;
        let authorize = self.hear_method("mining.authorize").await;
        self.say(json!({"id": authorize["id"], "result": true, "error": null}))
            .await;
    }

    async fn difficulty(&mut self, difficulty: f64) {
        self.say(json!({"id": null, "method": "mining.set_difficulty", "params": [difficulty]}))
            .await;
    }

    async fn notify(&mut self, job: &str, block: u8, clean: bool) {
        let prev_hash = format!("{block:02x}").repeat(32);
        let params = json!([
            job,
            prev_hash,
            "01",
            "02",
            [],
            "20000000",
            "1d00ffff",
            "6b0309ba",
            clean
        ]);
        self.say(json!({"id": null, "method": "mining.notify", "params": params}))
            .await;
    }
}

async fn expect_violation(miner: &Miner, part: &str) {
    miner
        .wait_for(part, PATIENCE, |stats| {
            stats.violations.iter().any(|text| text.contains(part))
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn bitaxe_pipelines_its_handshake_and_minerd_waits() {
    let (mut script, _miner) = Script::with(Personality::Bitaxe).await;
    for (id, method) in [
        (1, "mining.configure"),
        (2, "mining.subscribe"),
        (3, "mining.authorize"),
    ] {
        let message = script.hear().await;
        assert_eq!(
            (&message["id"], &message["method"]),
            (&json!(id), &json!(method))
        );
    }
    let (mut script, _miner) = Script::with(Personality::Minerd).await;
    let first = script.hear().await;
    assert_eq!(
        (&first["method"], &first["params"]),
        (&json!("mining.subscribe"), &json!(["cpuminer/2.5.1"]))
    );
    let quiet = Duration::from_millis(100);
    assert!(
        tokio::time::timeout(quiet, script.lines.next_line())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn every_submit_of_minerd_has_id_four() {
    let (mut script, _miner) = Script::with(Personality::Minerd).await;
    script.log_in().await;
    script.difficulty(1e-8).await;
    script.notify("a", 1, true).await;
    for _ in 0..3 {
        assert_eq!(script.hear_method("mining.submit").await["id"], 4);
    }
}

#[tokio::test]
async fn a_difficulty_counts_from_the_next_notify() {
    let (mut script, miner) = Script::with(Personality::Cgminer).await;
    script.log_in().await;
    script.difficulty(1e-8).await;
    script.notify("a", 1, true).await;
    script.difficulty(1e-9).await;
    script.hear_method("mining.submit").await;
    assert_eq!(miner.stats().difficulty, 1e-8);
    script.notify("b", 1, false).await;
    let changed = |stats: &smart_mining_farmsim::miner::MinerStats| stats.difficulty == 1e-9;
    miner
        .wait_for("new difficulty", PATIENCE, changed)
        .await
        .unwrap();
    assert!(miner.stats().violations.is_empty());
}

#[tokio::test]
async fn a_job_id_used_again_is_ignored_by_bitaxe_unless_clean() {
    let (mut script, miner) = Script::with(Personality::Bitaxe).await;
    script.log_in().await;
    script.difficulty(1e-8).await;
    script.notify("a", 1, true).await;
    script.notify("b", 1, false).await;
    script.notify("a", 1, false).await;
    expect_violation(&miner, "job id a used again").await;
    loop {
        let share = script.hear_method("mining.submit").await;
        if share["params"][1] == "b" {
            break;
        }
    }
    script.notify("a", 2, true).await;
    loop {
        let share = script.hear_method("mining.submit").await;
        if share["params"][1] == "a" {
            break;
        }
    }
}

#[tokio::test]
async fn what_breaks_a_rule_is_noted() {
    let (mut script, miner) = Script::with(Personality::Cgminer).await;
    script.log_in().await;
    script.notify("a", 1, true).await;
    expect_violation(&miner, "before any mining.set_difficulty").await;
    script.notify("b", 2, false).await;
    expect_violation(&miner, "previous hash without clean_jobs").await;
    script
        .say(json!({"id": 99, "result": true, "error": null}))
        .await;
    expect_violation(&miner, "unknown id").await;
    script
        .say(json!({"id": null, "method": "mining.set_difficulty", "params": [0]}))
        .await;
    expect_violation(&miner, "mining.set_difficulty [0]").await;
    let extranonce = json!({"id": null, "method": "mining.set_extranonce", "params": ["aa", 4]});
    script.say(extranonce).await;
    expect_violation(&miner, "does not know it").await;
    script.writer.write_all(b"nonsense\n").await.unwrap();
    expect_violation(&miner, "not JSON").await;
    assert_eq!(miner.stats().disconnects, 0);
}

#[tokio::test]
async fn bitaxe_takes_a_new_extranonce_with_the_next_job() {
    let (mut script, miner) = Script::with(Personality::Bitaxe).await;
    script.log_in().await;
    let subscribe = script.hear_method("mining.extranonce.subscribe").await;
    script
        .say(json!({"id": subscribe["id"], "result": true, "error": null}))
        .await;
    script.difficulty(1e-8).await;
    script.notify("a", 1, true).await;
    let extranonce = json!({"id": null, "method": "mining.set_extranonce", "params": ["aabb", 6]});
    script.say(extranonce).await;
    script.notify("b", 1, true).await;
    loop {
        let share = script.hear_method("mining.submit").await;
        let wanted = if share["params"][1] == "a" { 8 } else { 12 };
        assert_eq!(
            share["params"][2].as_str().unwrap().len(),
            wanted,
            "{share}"
        );
        if wanted == 12 {
            break;
        }
    }
    let violations: Vec<_> = miner.stats().violations;
    // The script leaves mining.configure unanswered, which is not a violation.
    assert_eq!(violations, Vec::<String>::new());
}

#[tokio::test]
async fn the_session_id_is_sent_again_on_reconnect() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = MinerConfig::new(address, "farm.rig", Personality::Minerd, Algorithm::Sha256d);
    let _miner = Miner::start(config);
    for expected in [json!(["cpuminer/2.5.1"]), json!(["cpuminer/2.5.1", "aa01"])] {
        let (stream, _) = listener.accept().await.unwrap();
        let (reader, writer) = stream.into_split();
        let lines = BufReader::new(reader).lines();
        let mut script = Script { lines, writer };
        let subscribe = script.hear().await;
        assert_eq!(subscribe["params"], expected);
        let result = json!([[["mining.notify", "aa01"]], "0a0b0c0d", 4]);
        script
            .say(json!({"id": 1, "result": result, "error": null}))
            .await;
        script.hear_method("mining.authorize").await;
    }
}
