//! A pool in memory: answers like one, judges every share by itself, keeps books.

use super::hash::{JobText, difficulty, hex, sha256, word};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Up,
    /// Nobody listens on the port.
    Refusing,
    /// Packets vanish, both ways.
    BlackHole,
    /// Speaks, but never answers a submit.
    Mute,
}

/// What the pool makes of a second name on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    Any,
    Refused,
    Unanswered,
    /// Says yes, and then "Worker mismatch" to its shares.
    Mismatch,
}

#[derive(Debug, Default)]
pub struct Connection {
    pub extranonce1: String,
    session: String,
    pub login: Option<String>,
    pub names: BTreeSet<String>,
    pub mask: u32,
    /// What was asked for the job that the login was greeted with.
    greeted: Option<(String, f64)>,
    /// The lines that came in, the newest ones.
    pub heard: Vec<String>,
}

#[derive(Debug)]
pub struct FakePool {
    pub name: String,
    pub mode: Mode,
    pub names: Names,
    pub size: usize,
    pub difficulty: f64,
    /// Version bits on offer; `None`: does not know `mining.configure`.
    pub mask: Option<u32>,
    /// Sends difficulty and job right after subscribe, before authorize.
    pub early_job: bool,
    pub sends_jobs: bool,
    /// Refuses every share, whatever it is worth.
    pub refuses_shares: bool,
    /// Gives a known session its extranonce1 again.
    pub resumes: bool,
    /// Answers `mining.configure`, if only with a refusal.
    pub answers_configure: bool,
    pub answers_extranonce: bool,
    /// Further ones are refused.
    pub most_connections: usize,
    pub jobs: Vec<JobText>,
    /// What was asked for each of the jobs when it was made.
    pub asked: BTreeMap<String, f64>,
    made: u32,
    connected: u32,
    /// The extranonce1 of each session that was ever given.
    sessions: BTreeMap<String, String>,
    /// By the number of the connection.
    pub connections: BTreeMap<u32, Connection>,
    seen: BTreeSet<Vec<u8>>,
    pub accepted: u64,
    /// Accepted shares by the name they came under.
    pub paid: BTreeMap<String, u64>,
    /// Refused shares by code.
    pub refused: BTreeMap<u16, u64>,
}

impl FakePool {
    pub fn new(name: &str) -> Self {
        let mut pool = Self {
            name: name.to_string(),
            mode: Mode::Up,
            names: Names::Any,
            size: 8,
            difficulty: super::EASY,
            mask: Some(0x1fff_e000),
            early_job: false,
            sends_jobs: true,
            refuses_shares: false,
            resumes: false,
            answers_configure: true,
            answers_extranonce: true,
            most_connections: usize::MAX,
            jobs: Vec::new(),
            asked: BTreeMap::new(),
            made: 0,
            connected: 0,
            sessions: BTreeMap::new(),
            connections: BTreeMap::new(),
            seen: BTreeSet::new(),
            accepted: 0,
            paid: BTreeMap::new(),
            refused: BTreeMap::new(),
        };
        pool.make_job(true);
        pool
    }

    /// The next job; the coinbase's length differs from the last one's.
    pub fn make_job(&mut self, clean: bool) -> JobText {
        self.made += 1;
        let filler = |what: &str| {
            hex(&sha256(
                format!("{}{what}{}", self.name, self.made).as_bytes(),
            ))
        };
        let job = JobText {
            id: format!("{}-{}", self.name, self.made),
            prev_hash: filler("previous"),
            coinbase1: format!(
                "01000000{}",
                filler("one").repeat(1 + self.made as usize % 3)
            ),
            coinbase2: filler("two"),
            branches: (0..self.made % 4).map(|n| filler(&n.to_string())).collect(),
            // Some have bits inside the usual mask.
            version: ["20000000", "2000e000"][self.made as usize % 2].into(),
            nbits: "1703a30c".into(),
            ntime: format!("{:08x}", 0x6700_0000 + self.made * 30),
            clean,
        };
        if clean {
            self.jobs.clear();
            self.asked.clear();
        }
        self.jobs.push(job.clone());
        self.asked.insert(job.id.clone(), self.difficulty);
        job
    }

    pub fn connect(&mut self, wire: u32) {
        self.connected += 1;
        let of_this = |what: &str| {
            let seed = format!("{}{what}{}", self.name, self.connected);
            hex(&sha256(seed.as_bytes())[..4])
        };
        let connection = Connection {
            extranonce1: of_this(""),
            session: of_this("session"),
            ..Connection::default()
        };
        self.connections.insert(wire, connection);
    }

    /// Did it accept the share with this header?
    pub fn has_paid(&self, header: &[u8]) -> bool {
        self.seen.contains(header)
    }

    /// A restart that keeps nothing but the books.
    pub fn forget_sessions(&mut self) {
        self.sessions.clear();
    }

    fn greeting(&mut self, wire: u32) -> Vec<String> {
        let mut lines = vec![set_difficulty(self.difficulty)];
        let job = self.jobs.last().filter(|_| self.sends_jobs);
        if let (Some(job), Some(connection)) = (job, self.connections.get_mut(&wire)) {
            connection.greeted = Some((job.id.clone(), self.difficulty));
            lines.push(job.notify());
        }
        lines
    }

    /// `mining.subscribe`, perhaps with a session to go on with.
    fn subscribe(&mut self, wire: u32, wanted: Option<&str>) -> Value {
        let connection = self.connections.get_mut(&wire).expect("connected");
        let known = wanted.filter(|_| self.resumes);
        let known = known.and_then(|session| self.sessions.get_key_value(session));
        if let Some((session, extranonce1)) = known {
            connection.session.clone_from(session);
            connection.extranonce1.clone_from(extranonce1);
        }
        let (session, extranonce1) = (&connection.session, &connection.extranonce1);
        self.sessions.insert(session.clone(), extranonce1.clone());
        json!([[["mining.notify", session]], extranonce1, self.size])
    }

    /// One line from the appliance; the lines that go back.
    pub fn line(&mut self, wire: u32, line: &str) -> Vec<String> {
        let message: Value = serde_json::from_str(line).expect("the appliance writes JSON");
        let Some(connection) = self.connections.get_mut(&wire) else {
            return Vec::new();
        };
        if connection.heard.len() >= 1000 {
            connection.heard.drain(..500);
        }
        connection.heard.push(line.to_string());
        let id = &message["id"];
        let params = &message["params"];
        let ok =
            |result: Value| vec![json!({"id": id, "result": result, "error": null}).to_string()];
        match message["method"].as_str() {
            Some("mining.configure") if !self.answers_configure => Vec::new(),
            Some("mining.configure") => match self.mask {
                Some(mask) => {
                    let wanted = word(params[1]["version-rolling.mask"].as_str().expect("mask"));
                    connection.mask = mask & wanted;
                    let mask = format!("{:08x}", connection.mask);
                    ok(json!({"version-rolling": true, "version-rolling.mask": mask}))
                }
                None => refusal(id, -3, "Method not found"),
            },
            Some("mining.subscribe") => {
                let mut lines = ok(self.subscribe(wire, params[1].as_str()));
                if self.early_job {
                    lines.extend(self.greeting(wire));
                }
                lines
            }
            Some("mining.authorize") => {
                let name = params[0].as_str().expect("a name").to_string();
                if connection.login.is_none() {
                    connection.login = Some(name.clone());
                    connection.names.insert(name);
                    let mut lines = ok(json!(true));
                    if !self.early_job {
                        lines.extend(self.greeting(wire));
                    }
                    return lines;
                }
                match self.names {
                    Names::Any => {
                        connection.names.insert(name);
                        ok(json!(true))
                    }
                    Names::Mismatch => ok(json!(true)),
                    Names::Refused => refusal(id, 24, "Unauthorized worker"),
                    Names::Unanswered => Vec::new(),
                }
            }
            Some("mining.extranonce.subscribe") if !self.answers_extranonce => Vec::new(),
            Some("mining.extranonce.subscribe") => ok(json!(true)),
            Some("mining.submit") if self.mode == Mode::Mute => Vec::new(),
            Some("mining.submit") => match self.judge(wire, params) {
                Ok(()) => vec![format!(r#"{{"id":{id},"result":true,"error":null}}"#)],
                Err((code, text)) => {
                    *self.refused.entry(code).or_default() += 1;
                    refusal(id, i64::from(code), text)
                }
            },
            Some(_) | None => Vec::new(),
        }
    }

    fn judge(&mut self, wire: u32, params: &Value) -> Result<(), (u16, &'static str)> {
        let connection = &self.connections[&wire];
        if self.refuses_shares {
            return Err((20, "Account is banned"));
        }
        let text = |index: usize| params[index].as_str().expect("submit holds text");
        if !connection.names.contains(text(0)) {
            return Err((24, "Worker mismatch"));
        }
        let Some(job) = self.jobs.iter().find(|job| job.id == text(1)) else {
            return Err((21, "Job not found"));
        };
        assert_eq!(
            text(2).len(),
            2 * self.size,
            "extranonce2 has the pool's size"
        );
        let bits = params.get(5).map_or(0, |_| word(text(5)));
        assert_eq!(bits & !connection.mask, 0, "version bits outside the mask");
        let version = match params.get(5) {
            Some(_) => word(&job.version) & !connection.mask | bits,
            None => word(&job.version),
        };
        let ntime = word(text(3));
        if ntime < word(&job.ntime) || ntime > word(&job.ntime) + 7000 {
            return Err((20, "Invalid ntime"));
        }
        let extranonce = format!("{}{}", connection.extranonce1, text(2));
        let header = job.header(&extranonce, version, ntime, word(text(4)));
        let greeted = connection.greeted.as_ref();
        let asked = greeted
            .filter(|(id, _)| *id == job.id)
            .map_or(self.asked[&job.id], |(_, asked)| *asked);
        if difficulty(&header) < asked * 0.999_999_999 {
            return Err((23, "Above target"));
        }
        if !self.seen.insert(header) {
            return Err((22, "Duplicate"));
        }
        self.accepted += 1;
        *self.paid.entry(text(0).to_string()).or_default() += 1;
        Ok(())
    }
}

pub fn set_difficulty(difficulty: f64) -> String {
    json!({"params": [difficulty], "id": null, "method": "mining.set_difficulty"}).to_string()
}

fn refusal(id: &Value, code: i64, text: &str) -> Vec<String> {
    vec![json!({"id": id, "result": null, "error": [code, text, null]}).to_string()]
}
