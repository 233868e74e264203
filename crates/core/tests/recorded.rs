//! What real pools and miners said, played to our sessions. The recordings lie
//! beside the repository; where they are absent there is nothing to check.

mod support;

use serde_json::Value;
use smart_mining_core::Algorithm;
use smart_mining_core::share::{
    Board, Claim, Job, MINER_SIZE, Seat, Submit, Verdict, WorkerName, check,
};
use smart_mining_core::sv1::{Login, MinerSession, Opening, PoolEvent, PoolSession, Step};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use support::bare::job_of;
use support::front::Front;
use support::hash::{unhex, word};
use support::{at, login, secs};

#[derive(Clone, Debug)]
struct Line {
    millis: u64,
    from_client: bool,
    raw: String,
    message: Value,
}

/// The lines of each connection, by file.
fn recordings() -> BTreeMap<String, BTreeMap<u64, Vec<Line>>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/transcripts");
    let mut all = BTreeMap::new();
    let Ok(files) = std::fs::read_dir(&root) else {
        println!("no recordings here: nothing was checked");
        return all;
    };
    for file in files.filter_map(Result::ok) {
        let name = file.file_name().to_string_lossy().into_owned();
        if !(name.starts_with("minerd-") && name.ends_with(".jsonl")) {
            continue;
        }
        let text = std::fs::read_to_string(file.path()).expect("readable");
        let mut connections: BTreeMap<u64, Vec<Line>> = BTreeMap::new();
        for line in text.lines() {
            let record: Value = serde_json::from_str(line).expect("JSON");
            let (Some(raw), Some(conn)) = (record["raw"].as_str(), record["conn"].as_u64()) else {
                continue;
            };
            let Ok(message) = serde_json::from_str(raw) else {
                continue;
            };
            connections.entry(conn).or_default().push(Line {
                millis: (record["t"].as_f64().expect("seconds") * 1000.0) as u64,
                from_client: record["dir"] == "c2s",
                raw: raw.to_string(),
                message,
            });
        }
        all.insert(name, connections);
    }
    all
}

fn ask_little() -> Login {
    Login {
        extensions: false,
        per_worker: false,
        ..login()
    }
}

#[derive(Default)]
struct Tally {
    logins: usize,
    works: usize,
    shares: usize,
    accepted: usize,
    rejected: usize,
}

/// One recorded connection, with us in the client's place.
struct Replay {
    session: PoolSession,
    jobs: BTreeMap<String, Job>,
    /// Our ids of the shares under way, the pool's wording of their verdict.
    ours: VecDeque<u64>,
    tally: Tally,
}

impl Replay {
    fn hear(&mut self, line: &Line) {
        let now = at(line.millis);
        let id = &line.message["id"];
        let renumber = |ours: u64| {
            line.raw
                .replacen(&format!("\"id\":{id}"), &format!("\"id\":{ours}"), 1)
        };
        let raw = if line.message.get("method").is_some() {
            line.raw.clone()
        } else {
            match id.as_u64() {
                Some(1) => renumber(2),
                Some(2) => renumber(3),
                _ => renumber(self.ours.pop_front().expect("a share under way")),
            }
        };
        self.session.line(raw.as_bytes(), now);
        self.session.tick(now);
        while let Some(event) = self.session.next_event() {
            self.event(event, &line.message);
        }
    }

    fn event(&mut self, event: PoolEvent, message: &Value) {
        match event {
            PoolEvent::LoggedIn => self.tally.logins += 1,
            PoolEvent::Work(terms) => {
                self.tally.works += 1;
                let job = job_of(self.tally.works as u32, terms);
                self.jobs.insert(job.work.pool_job_id.clone(), job);
            }
            PoolEvent::Verdict { verdict, .. } => {
                let positive = message["result"] == true;
                assert_eq!(verdict == Verdict::Accepted, positive, "{message}");
                self.tally.accepted += usize::from(positive);
                self.tally.rejected += usize::from(!positive);
            }
            PoolEvent::Notice(text) => panic!("{text}"),
            PoolEvent::Failed(failure) => panic!("{failure}"),
        }
    }

    /// A share the client sent: it holds by our own check, and we would have
    /// sent the same line.
    fn share(&mut self, line: &Line) {
        let params = &line.message["params"];
        let text = |index: usize| params[index].as_str().expect("text");
        let extranonce2 = unhex(text(2));
        let (nonce, ntime) = (word(text(4)), word(text(3)));
        let job = self.jobs.get(text(1));
        let found = job.and_then(|job| {
            let last = extranonce2.len().checked_sub(4)?;
            let group = if last > 0 { extranonce2[0] } else { 0 };
            let seat = Seat {
                group,
                prefix: extranonce2[last],
            };
            let rolled: heapless::Vec<u8, MINER_SIZE, u8> =
                extranonce2[last + 1..].iter().copied().collect();
            let same = job.split.extranonce2(seat, &rolled)?[..] == extranonce2[..];
            let claim = Claim {
                seat,
                rolled,
                ntime,
                nonce,
                version_bits: 0,
                mask: 0,
                asked: job.difficulty,
            };
            same.then_some((job, claim))
        });
        let (job, checked) = match found {
            Some((job, claim)) => (job.clone(), check(job, &claim).expect("enough work")),
            None => panic!("no job for {}", line.raw),
        };
        let submit = Submit {
            token: 0,
            worker: WorkerName::new(),
            job: Arc::new(job),
            extranonce2: checked.extranonce2,
            ntime,
            nonce,
            version_bits: None,
        };
        self.session.submit(submit, at(line.millis)).expect("room");
        let said = std::mem::take(self.session.output());
        let said: Value = serde_json::from_slice(&said).expect("one line");
        for index in 1..5 {
            assert_eq!(said["params"][index], params[index]);
        }
        self.ours.push_back(said["id"].as_u64().expect("a number"));
        self.tally.shares += 1;
    }
}

#[test]
fn recorded_pools_are_understood_and_recorded_shares_hold() {
    for (file, connections) in recordings() {
        let mut total = Tally::default();
        for lines in connections.values() {
            let start = at(lines[0].millis);
            let mut replay = Replay {
                session: PoolSession::new(ask_little(), Opening::default(), start),
                jobs: BTreeMap::new(),
                ours: VecDeque::new(),
                tally: Tally::default(),
            };
            for line in lines {
                if !line.from_client {
                    replay.hear(line);
                } else if line.message["method"] == "mining.submit" {
                    replay.session.output().clear();
                    replay.share(line);
                }
            }
            total.logins += replay.tally.logins;
            total.works += replay.tally.works;
            total.shares += replay.tally.shares;
            total.accepted += replay.tally.accepted;
            total.rejected += replay.tally.rejected;
        }
        println!(
            "{file}: {} logins, {} jobs, {} shares, {} accepted, {} rejected",
            total.logins, total.works, total.shares, total.accepted, total.rejected
        );
        assert!(total.logins > 0 && total.works > 0, "{file}");
        assert!(total.shares >= total.accepted + total.rejected, "{file}");
    }
}

#[test]
fn recorded_miners_are_answered_and_never_sent_away() {
    for (file, connections) in recordings() {
        for lines in connections.values() {
            let seat = Seat {
                group: 0,
                prefix: 1,
            };
            let start = at(lines[0].millis);
            let mut session = MinerSession::new(Algorithm::Sha256d, seat, 1, secs(15), start);
            let (mut front, board) = (Front::default(), Board::new());
            for line in lines.iter().filter(|line| line.from_client) {
                let now = at(line.millis);
                let step = front.line(&mut session, line.raw.as_bytes(), &board, now);
                assert!(!matches!(step, Step::Close(_)), "{file}: {}", line.raw);
                let said: Value = serde_json::from_str(&front.heard()).expect("one answer");
                assert_eq!(said["id"], line.message["id"]);
                let is_submit = line.message["method"] == "mining.submit";
                // There is no job on the board.
                assert_eq!(said["error"][0] == 21, is_submit, "{said}");
            }
        }
    }
}
