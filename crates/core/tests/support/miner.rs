//! A miner that really hashes. Like much firmware it starts every job that it
//! does not know from the first extranonce2 and the first nonce.

use super::hash::{JobText, difficulty, hex, meets, word};
use super::secs;
use serde_json::Value;
use smart_mining_core::share::Seat;
use smart_mining_core::sv1::{Judged, MinerSession, Outcome};
use smart_mining_core::{Algorithm, Instant};
use std::collections::BTreeSet;

/// What came back for one submit.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    True,
    Error(i64),
}

#[derive(Debug)]
pub struct FakeMiner {
    pub session: MinerSession,
    pub user: String,
    pub agent: String,
    pub password: String,
    /// Shows the newest board to it; a slow reader misses some.
    pub reads: bool,
    pub closed: Option<&'static str>,
    pub judged: Vec<Judged>,
    pub heard: Vec<String>,
    /// It asks for `mining.set_extranonce`.
    pub hears_extranonce: bool,
    /// extranonce1, and how many bytes it rolls: what it was told, for the next job.
    pub extranonce: (String, usize),
    /// The same for each of its jobs.
    hashes_with: Vec<(String, usize)>,
    /// How often it was told another one.
    pub extranonce_changes: usize,
    /// How often it was asked to come again.
    pub reconnects: usize,
    /// What it was told; counts from the next job.
    told: f64,
    pub difficulty: f64,
    pub mask: u32,
    pub rolls: bool,
    pub jobs: Vec<JobText>,
    /// What was asked when each of the jobs came.
    asked: Vec<f64>,
    /// How often its difficulty changed after the first one.
    pub changes: usize,
    /// In the order in which they came.
    pub answers: Vec<(Value, Answer)>,
    pub submits: usize,
    /// Answers that came when its connection had ended.
    pub missed: usize,
    missed_trues: usize,
    /// The header of the share that was found last.
    pub found: Vec<u8>,
    /// Reads what it hears when it needs it, and keeps none of it.
    pub lazy: bool,
    unread: Vec<String>,
    pub next_id: u64,
    next_nonce: u32,
    newest_job: u32,
    known_jobs: BTreeSet<u32>,
}

impl FakeMiner {
    pub fn new(seat: Seat, user: &str, now: Instant) -> Self {
        Self {
            session: MinerSession::new(Algorithm::Sha256d, seat, 7, secs(15), now),
            user: user.to_string(),
            agent: "bitaxe/1".to_string(),
            password: "x".to_string(),
            reads: true,
            closed: None,
            judged: Vec::new(),
            heard: Vec::new(),
            hears_extranonce: false,
            extranonce: (String::new(), 0),
            hashes_with: Vec::new(),
            extranonce_changes: 0,
            reconnects: 0,
            told: 0.0,
            difficulty: 0.0,
            mask: 0,
            rolls: true,
            jobs: Vec::new(),
            asked: Vec::new(),
            changes: 0,
            answers: Vec::new(),
            submits: 0,
            missed: 0,
            missed_trues: 0,
            found: Vec::new(),
            lazy: false,
            unread: Vec::new(),
            next_id: 4,
            next_nonce: 0,
            newest_job: 0,
            known_jobs: BTreeSet::new(),
        }
    }

    /// One burst, like ESP-Miner.
    pub fn greeting(&self) -> Vec<String> {
        let configure = r#"{"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"ffffffff"}]}"#;
        let mut lines = Vec::new();
        if self.rolls {
            lines.push(configure.to_string());
        }
        lines.push(format!(
            r#"{{"id":2,"method":"mining.subscribe","params":["{}"]}}"#,
            self.agent
        ));
        lines.push(format!(
            r#"{{"id":3,"method":"mining.authorize","params":["{}","{}"]}}"#,
            self.user, self.password
        ));
        if self.hears_extranonce {
            let ask = r#"{"id":0,"method":"mining.extranonce.subscribe","params":[]}"#;
            lines.push(ask.to_string());
        }
        lines
    }

    /// It comes again, on a connection that knows nothing of the one before.
    pub fn begin_again(&mut self, session: MinerSession) {
        self.session = session;
        self.closed = None;
        self.jobs.clear();
        self.asked.clear();
        self.hashes_with.clear();
        self.unread.clear();
    }

    pub fn hear(&mut self, line: &str) {
        if !self.lazy {
            self.heard.push(line.to_string());
            return self.read(line);
        }
        if !line.starts_with(r#"{"id":null"#) {
            return self.read(line);
        }
        if line.ends_with("true]}") {
            self.unread.retain(|old| !old.contains("mining.notify"));
        }
        self.unread.push(line.to_string());
        if self.unread.len() > 40 {
            self.read_on();
        }
    }

    /// It is not there to hear it.
    pub fn misses(&mut self, line: &str) {
        let is_answer = !line.starts_with(r#"{"id":null"#);
        self.missed += usize::from(is_answer);
        self.missed_trues += usize::from(is_answer && line.contains("\"result\":true"));
    }

    /// Read what a lazy miner put off.
    pub fn read_on(&mut self) {
        for line in std::mem::take(&mut self.unread) {
            self.read(&line);
        }
        let old = self.jobs.len().saturating_sub(8);
        self.jobs.drain(..old);
        self.asked.drain(..old);
        self.hashes_with.drain(..old);
    }

    fn read(&mut self, line: &str) {
        let message: Value = serde_json::from_str(line).expect("the appliance writes JSON");
        let params = &message["params"];
        match message["method"].as_str() {
            Some("mining.set_difficulty") => {
                self.told = params[0].as_f64().expect("a number");
            }
            Some("mining.set_version_mask") => self.mask = word(params[0].as_str().expect("hex")),
            Some("mining.set_extranonce") => {
                assert!(self.hears_extranonce, "most firmware does not know it");
                let size = params[1].as_u64().expect("a size") as usize;
                self.extranonce = (params[0].as_str().expect("hex").to_string(), size);
                self.extranonce_changes += 1;
            }
            Some("client.reconnect") => self.reconnects += 1,
            Some("client.show_message") => assert!(params[0].is_string()),
            Some("mining.notify") => self.take(JobText::of_notify(params)),
            Some(other) => panic!("{other} is nothing a miner expects"),
            None => self.take_answer(&message),
        }
    }

    fn take(&mut self, job: JobText) {
        let id = word(&job.id);
        // Only a new subscribe may hear the newest once more, as a clean job.
        let is_again = id == self.newest_job && job.clean;
        assert!(
            self.known_jobs.insert(id) || is_again,
            "job id {} came again",
            job.id
        );
        assert!(id > self.newest_job || job.clean, "an older id");
        self.newest_job = id;
        if self.told != self.difficulty {
            // S19-class firmware would misjudge its shares otherwise.
            assert!(job.clean, "another difficulty without a clean job");
            self.changes += usize::from(self.difficulty > 0.0);
            self.difficulty = self.told;
        }
        if let Some(last) = self.hashes_with.last() {
            assert!(job.clean || *last == self.extranonce, "clean, or the same");
        }
        if job.clean {
            self.jobs.clear();
            self.asked.clear();
            self.hashes_with.clear();
        }
        self.jobs.push(job);
        self.asked.push(self.difficulty);
        self.hashes_with.push(self.extranonce.clone());
        self.next_nonce = 0;
    }

    fn take_answer(&mut self, message: &Value) {
        let (id, result) = (&message["id"], &message["result"]);
        match id.as_u64() {
            Some(1) => {
                let mask = result["version-rolling.mask"].as_str().expect("mask");
                self.mask = word(mask);
            }
            Some(2) => {
                let first = result[1].as_str().expect("extranonce1").to_string();
                let size = result[2].as_u64().expect("a size") as usize;
                assert!((2..=8).contains(&size), "a size that miners can do");
                self.extranonce = (first, size);
            }
            Some(3) => assert_eq!(result, true, "authorized"),
            // Whatever else a test asked for.
            Some(0) => assert_eq!(message["error"], Value::Null),
            Some(_) | None => {
                let answer = if result == true {
                    assert!(message["error"].is_null(), "error is null on success");
                    Answer::True
                } else {
                    Answer::Error(message["error"][0].as_i64().expect("a code"))
                };
                self.answers.push((id.clone(), answer));
            }
        }
    }

    /// Hash until the newest job has a share; the line that submits it.
    pub fn find(&mut self) -> Option<(u64, String)> {
        self.find_on(self.jobs.len().checked_sub(1)?)
    }

    pub fn find_on(&mut self, index: usize) -> Option<(u64, String)> {
        let asked = *self.asked.get(index)?;
        self.find_worth(index, asked..f64::INFINITY)
    }

    /// A share of such a difficulty, whatever was asked.
    pub fn find_worth(
        &mut self,
        index: usize,
        worth: std::ops::Range<f64>,
    ) -> Option<(u64, String)> {
        let job = self.jobs.get(index)?;
        let (first, size) = &self.hashes_with[index];
        let rolling = self.rolls && self.mask != 0;
        let (mut top, mut header) = (u32::MAX, Vec::new());
        for nonce in self.next_nonce.. {
            let rolled = hex(&(nonce >> 16).to_be_bytes()[4 - size..]);
            let bits = if rolling { nonce << 13 & self.mask } else { 0 };
            let version = if rolling {
                word(&job.version) & !self.mask | bits
            } else {
                word(&job.version)
            };
            if top != nonce >> 16 {
                top = nonce >> 16;
                let extranonce = format!("{first}{rolled}");
                header = job.header(&extranonce, version, word(&job.ntime), nonce);
            }
            header[..4].copy_from_slice(&version.to_le_bytes());
            header[76..].copy_from_slice(&nonce.to_le_bytes());
            if !meets(&header, worth.start) || difficulty(&header) >= worth.end {
                continue;
            }
            self.found = header;
            self.next_nonce = nonce + 1;
            let (id, ntime) = (self.next_id, &job.ntime);
            let tail = if rolling {
                format!(r#","{bits:08x}""#)
            } else {
                String::new()
            };
            let line = format!(
                r#"{{"id":{id},"method":"mining.submit","params":["{}","{}","{rolled}","{ntime}","{nonce:08x}"{tail}]}}"#,
                self.user, job.id
            );
            self.next_id += 1;
            return Some((id, line));
        }
        None
    }

    /// So many hashes on the newest job; the submits of what they were worth.
    /// A miner that does not roll, fast enough for minutes of a real hashrate.
    pub fn hash(&mut self, hashes: u32) -> Vec<String> {
        let (Some(job), Some(asked)) = (self.jobs.last(), self.asked.last()) else {
            return Vec::new();
        };
        let (mut lines, mut rolled, mut header) = (Vec::new(), u32::MAX, Vec::new());
        for nonce in self.next_nonce..self.next_nonce + hashes {
            if rolled != nonce >> 16 {
                rolled = nonce >> 16;
                let extranonce = format!("{}{rolled:06x}", self.extranonce.0);
                header = job.header(&extranonce, word(&job.version), word(&job.ntime), 0);
            }
            header[76..].copy_from_slice(&nonce.to_le_bytes());
            if !meets(&header, *asked) {
                continue;
            }
            lines.push(format!(
                r#"{{"id":{},"method":"mining.submit","params":["{}","{}","{rolled:06x}","{}","{nonce:08x}"]}}"#,
                self.next_id, self.user, job.id, job.ntime
            ));
            self.next_id += 1;
        }
        self.next_nonce += hashes;
        lines
    }

    pub fn answer(&self, id: u64) -> Option<&Answer> {
        let found = self
            .answers
            .iter()
            .find(|(got, _)| got.as_u64() == Some(id));
        found.map(|(_, answer)| answer)
    }

    /// Shares that it was told `true` for, by whomever.
    pub fn trues(&self) -> usize {
        let good = |(_, answer): &&(Value, Answer)| *answer == Answer::True;
        self.answers.iter().filter(good).count()
    }

    pub fn count(&self, outcome: Outcome) -> usize {
        let judged = self.judged.iter();
        judged.filter(|judged| judged.outcome == outcome).count()
    }

    /// Shares that the pool itself said yes to. Every other `true` is a share
    /// that was judged here, and is counted as such.
    pub fn accepted(&self) -> usize {
        let accepted = self.count(Outcome::Accepted);
        if self.closed.is_none() {
            let trues = self.trues() + self.missed_trues;
            assert_eq!(trues, accepted + self.count(Outcome::Local));
        }
        accepted
    }
}
