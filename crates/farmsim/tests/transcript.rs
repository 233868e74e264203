//! Recorded conversations between real programs: our hashing agrees with the
//! verdicts that real pools gave.
//!
//! The recordings are not part of the repository. Where they are missing the
//! test says so and passes.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking where it stands"
)]

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};

use serde_json::Value;
use smart_mining_farmsim::hex;
use smart_mining_farmsim::pow::{Algorithm, Target, header_hash};
use smart_mining_farmsim::work::{Notify, Solution};

#[derive(Default)]
struct Conversation {
    extranonce1: Vec<u8>,
    extranonce2_size: u64,
    difficulty: f64,
    jobs: HashMap<String, (Notify, f64)>,
    /// cpuminer submits under one id; answers come in order.
    waiting: VecDeque<Value>,
}

impl Conversation {
    /// Whether the submitted share meets its job's difficulty by our hashing.
    fn judge(&self, params: &Value) -> bool {
        let text = |at: usize| params[at].as_str().unwrap();
        let (job, difficulty) = &self.jobs[text(1)];
        let extranonce2 = hex::decode(text(2)).unwrap();
        assert_eq!(extranonce2.len() as u64, self.extranonce2_size);
        let solution = Solution {
            extranonce2,
            ntime: hex::decode_u32(text(3)).unwrap(),
            nonce: hex::decode_u32(text(4)).unwrap(),
            version: job.version,
        };
        let header = job.header(&self.extranonce1, &solution);
        let hash = header_hash(Algorithm::Sha256d, &header);
        Target::from_difficulty(Algorithm::Sha256d, *difficulty).is_met_by(&hash)
    }

    fn miner_said(&mut self, message: &Value) {
        if message["method"] == "mining.submit" {
            self.waiting.push_back(message["params"].clone());
        }
    }

    /// Counts a verdict that was checked.
    fn pool_said(&mut self, message: &Value) -> usize {
        let params = &message["params"];
        match message["method"].as_str() {
            Some("mining.set_difficulty") => self.difficulty = params[0].as_f64().unwrap(),
            Some("mining.notify") => {
                let notify = Notify::parse(params).unwrap();
                assert_eq!(&notify.params(), params, "rendered as it was recorded");
                self.jobs
                    .insert(notify.job_id.clone(), (notify, self.difficulty));
            }
            Some(_) => {}
            None if message["id"] == 1 && message["result"].is_array() => {
                self.extranonce1 = hex::decode(message["result"][1].as_str().unwrap()).unwrap();
                self.extranonce2_size = message["result"][2].as_u64().unwrap();
            }
            None if message["id"] == 4 => return self.verdict(message),
            None => {}
        }
        0
    }

    fn verdict(&mut self, message: &Value) -> usize {
        let share = self.waiting.pop_front().unwrap();
        let ours = self.judge(&share);
        if message["result"] == true {
            assert!(ours, "accepted by the pool: {share}");
        } else {
            let code = message["error"][0].as_i64();
            assert_eq!(ours, code != Some(23), "{share} was answered {message}");
        }
        1
    }
}

fn replay(path: &Path) -> usize {
    let mut conversations: HashMap<u64, Conversation> = HashMap::new();
    let recording = std::fs::read_to_string(path).unwrap();
    let mut checked = 0;
    for line in recording.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let conversation = conversations
            .entry(entry["conn"].as_u64().unwrap())
            .or_default();
        match entry["dir"].as_str() {
            Some("c2s") => conversation.miner_said(&entry["msg"]),
            Some("s2c") => checked += conversation.pool_said(&entry["msg"]),
            Some(_) | None => {}
        }
    }
    checked
}

#[test]
fn our_hashing_agrees_with_recorded_verdicts() {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../../../shared/transcripts"]
        .iter()
        .collect();
    let mut checked = 0;
    for name in [
        "minerd-ckpool_lhr-pool_mode.jsonl",
        "minerd-haproxy-public_pool.jsonl",
    ] {
        let path = folder.join(name);
        if !path.exists() {
            println!("skipped: there is no recording {}", path.display());
            continue;
        }
        let verdicts = replay(&path);
        println!("{name}: {verdicts} recorded verdicts agree");
        assert!(verdicts > 0, "{name} contains no verdict");
        checked += verdicts;
    }
    println!("{checked} verdicts in all");
}
