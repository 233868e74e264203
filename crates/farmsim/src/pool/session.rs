//! One connection as the pool knows it, and its requests.
//!
//! ```text
//! connected -- subscribe --> subscribed -- authorize --> working
//!      `------ authorize --> authorized -- subscribe ----^
//! ```
//! Requests may come in any order and without waiting for answers; jobs start
//! at the point that [`FirstJob`] names.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::config::{FirstJob, Logins, PerWorkerAuthorize};
use super::floor::Floor;
use super::jobs;
use super::mode::Mode;
use super::verdict::Rejection;
use super::{NOT_SUBSCRIBED, OTHER, UNAUTHORIZED};
use crate::hex;

/// What a connection's writer is given.
#[derive(Debug)]
pub(super) enum Outgoing {
    Bytes(Vec<u8>),
    Close,
}

pub(super) struct Session {
    pub out: mpsc::UnboundedSender<(Instant, Outgoing)>,
    pub task: Option<AbortHandle>,
    pub extranonce1: Option<Vec<u8>>,
    /// Names that may submit; the first one is the login of the connection.
    pub workers: Vec<String>,
    /// Announced last; counts from the next job.
    pub difficulty: f64,
    /// What each job sent to this connection has to meet.
    pub job_difficulty: HashMap<String, f64>,
    /// Negotiated by `mining.configure`; no bit before that.
    pub version_mask: u32,
    pub has_jobs: bool,
    pace: Pace,
}

/// Shares since the last change of difficulty.
struct Pace {
    since: Instant,
    shares: u32,
}

impl Session {
    pub(super) fn new(out: mpsc::UnboundedSender<(Instant, Outgoing)>, difficulty: f64) -> Self {
        Self {
            out,
            task: None,
            extranonce1: None,
            workers: Vec::new(),
            difficulty,
            job_difficulty: HashMap::new(),
            version_mask: 0,
            has_jobs: false,
            pace: Pace {
                since: Instant::now(),
                shares: 0,
            },
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.extranonce1.is_some() && !self.workers.is_empty()
    }

    pub(super) fn send(&self, bytes: Vec<u8>) {
        // A connection that is ending takes nothing any more.
        let _ = self.out.send((Instant::now(), Outgoing::Bytes(bytes)));
    }

    pub(super) fn send_json(&self, message: &Value) {
        self.send(format!("{message}\n").into_bytes());
    }

    pub(super) fn close(&self) {
        let _ = self.out.send((Instant::now(), Outgoing::Close));
    }

    pub(super) fn announce_difficulty(&mut self, difficulty: f64) {
        self.difficulty = difficulty;
        self.pace = Pace {
            since: Instant::now(),
            shares: 0,
        };
        if self.has_jobs {
            self.send_json(&notification("mining.set_difficulty", json!([difficulty])));
        }
    }

    /// The difficulty that would give one share in `target`, once the pace is
    /// known well enough.
    pub(super) fn retarget(&mut self, shares: u32, target: Duration) -> Option<f64> {
        self.pace.shares += shares;
        let elapsed = self.pace.since.elapsed().as_secs_f64();
        if self.pace.shares < 8 && elapsed < 10.0 * target.as_secs_f64() {
            return None;
        }
        let wanted = elapsed / target.as_secs_f64();
        let factor = (f64::from(self.pace.shares) / wanted).clamp(0.25, 4.0);
        (!(0.7..=1.4).contains(&factor)).then_some(self.difficulty * factor)
    }
}

pub(super) fn notification(method: &str, params: Value) -> Value {
    json!({"id": null, "method": method, "params": params})
}

impl Floor {
    /// Handles one line of a connection.
    pub(super) fn receive(&mut self, id: u64, line: &str) {
        let message: Value = match serde_json::from_str(line) {
            Ok(message) => message,
            Err(_) => {
                self.books.malformed += 1;
                return;
            }
        };
        let Some(method) = message["method"].as_str() else {
            match message.get("result").is_some() {
                true => self.books.note_answer(message),
                false => self.books.malformed += 1,
            }
            return;
        };
        if self.config.drops_on.iter().any(|dropped| dropped == method) {
            self.with(id, |session| session.close());
            return;
        }
        let request = &message["id"];
        let params = &message["params"];
        match method {
            "mining.configure" => self.configure(id, request, params),
            "mining.subscribe" => self.subscribe(id, request, params),
            "mining.authorize" => self.authorize(id, request, params),
            "mining.submit" => self.submit(id, request, params),
            "mining.extranonce.subscribe"
            | "mining.suggest_difficulty"
            | "mining.suggest_target"
            | "mining.multi_version" => self.answer(id, request, Ok(json!(true))),
            "mining.get_transactions" => self.answer(id, request, Ok(json!([]))),
            "mining.ping" => self.answer(id, request, Ok(json!("pong"))),
            unknown => {
                *self
                    .books
                    .unknown_methods
                    .entry(unknown.to_owned())
                    .or_default() += 1;
                let text = format!("Unknown method {unknown}");
                self.answer(id, request, Err(Rejection::new(OTHER, &text)));
            }
        }
    }

    /// BIP 310: every extension asked for is answered, `false` if unsupported.
    fn configure(&mut self, id: u64, request: &Value, params: &Value) {
        let offered = self.config.version_mask;
        let mut result = serde_json::Map::new();
        let mut negotiated = 0;
        for extension in params[0].as_array().into_iter().flatten() {
            let Some(extension) = extension.as_str() else {
                continue;
            };
            let supported = extension == "version-rolling" && offered != 0;
            result.insert(extension.to_owned(), json!(supported));
            if supported {
                let asked = params[1]["version-rolling.mask"].as_str();
                negotiated = offered & asked.and_then(hex::decode_u32).unwrap_or(u32::MAX);
                let mask = json!(format!("{negotiated:08x}"));
                result.insert("version-rolling.mask".to_owned(), mask);
            }
        }
        self.with(id, |session| session.version_mask = negotiated);
        self.answer(id, request, Ok(Value::Object(result)));
    }

    fn subscribe(&mut self, id: u64, request: &Value, params: &Value) {
        let agent = params[0].as_str().unwrap_or("").to_owned();
        *self.books.agents.entry(agent).or_default() += 1;
        let (number, session_id) = self.extranonce_number(id, params[1].as_str());
        let extranonce1 = jobs::extranonce1(&self.config, number);
        let result = json!([
            [
                ["mining.set_difficulty", session_id],
                ["mining.notify", session_id]
            ],
            hex::encode(&extranonce1),
            self.config.extranonce2_size
        ]);
        self.with(id, |session| session.extranonce1 = Some(extranonce1));
        self.count_ready();
        if self.config.first_job == FirstJob::BeforeSubscribeAnswer {
            self.first_job(id);
        }
        self.answer(id, request, Ok(result));
        match self.config.first_job {
            FirstJob::AfterSubscribe => self.first_job(id),
            FirstJob::AfterAuthorize => self.first_job_when_ready(id),
            FirstJob::BeforeSubscribeAnswer => {}
        }
    }

    /// A known session id gives its extranonce1 back, unless another
    /// connection uses it now.
    fn extranonce_number(&mut self, id: u64, wanted: Option<&str>) -> (u64, String) {
        if self.config.session_resume
            && let Some(wanted) = wanted
            && let Some(&number) = self.known_sessions.get(wanted)
        {
            let extranonce1 = jobs::extranonce1(&self.config, number);
            let in_use = self.sessions.iter().any(|(other, session)| {
                *other != id && session.extranonce1.as_ref() == Some(&extranonce1)
            });
            if !in_use {
                self.books.sessions_resumed += 1;
                return (number, wanted.to_owned());
            }
        }
        let number = self.next_extranonce;
        self.next_extranonce += 1;
        let session_id = hex::encode(&jobs::extranonce1(&self.config, number));
        self.known_sessions.insert(session_id.clone(), number);
        (number, session_id)
    }

    fn authorize(&mut self, id: u64, request: &Value, params: &Value) {
        let name = params[0].as_str().unwrap_or("").to_owned();
        let first = self
            .sessions
            .get(&id)
            .and_then(|session| session.workers.first())
            .is_none_or(|first| *first == name);
        let rule = self.config.per_worker_authorize;
        if !first && rule == PerWorkerAuthorize::Silent {
            return;
        }
        let refused = self.mode() == Mode::RejectLogins
            || !self.knows(&name)
            || (!first && rule == PerWorkerAuthorize::Refuse);
        if refused {
            self.books.logins_refused += 1;
            let rejection = Rejection::new(UNAUTHORIZED, &format!("Unauthorized worker {name}"));
            self.answer(id, request, Err(rejection));
            return;
        }
        self.with(id, |session| {
            if !session.workers.contains(&name) {
                session.workers.push(name);
            }
        });
        self.count_ready();
        self.answer(id, request, Ok(json!(true)));
        self.first_job_when_ready(id);
    }

    fn knows(&self, name: &str) -> bool {
        match &self.config.logins {
            Logins::Any => !name.is_empty(),
            Logins::Account(account) => name.split('.').next() == Some(account),
        }
    }

    fn first_job_when_ready(&mut self, id: u64) {
        let ready = self.sessions.get(&id).is_some_and(Session::is_ready);
        if ready {
            self.first_job(id);
        }
    }

    fn first_job(&mut self, id: u64) {
        if self
            .sessions
            .get(&id)
            .is_none_or(|session| session.has_jobs)
        {
            return;
        }
        let difficulty = self.difficulty;
        self.with(id, |session| {
            session.has_jobs = true;
            session.announce_difficulty(difficulty);
        });
        // A connection's first job is always clean.
        self.send_job_to(id, true);
    }

    fn submit(&mut self, id: u64, request: &Value, params: &Value) {
        let worker = params[0].as_str().unwrap_or("").to_owned();
        let verdict = match self.sessions.get(&id) {
            Some(session) if session.extranonce1.is_none() => {
                Err(Rejection::new(NOT_SUBSCRIBED, "Not subscribed"))
            }
            Some(session) => self.judge(session, params),
            None => return,
        };
        let answer = match verdict {
            Ok(valid) => {
                self.credit(&worker, valid);
                Ok(json!(true))
            }
            Err(rejection) => {
                self.books.reject(&worker, rejection.code);
                Err(rejection)
            }
        };
        let accepted = answer.is_ok();
        self.answer(id, request, answer);
        if accepted {
            self.pace(id, 1);
        }
    }

    pub(super) fn pace(&mut self, id: u64, shares: u32) {
        let Some(target) = self.config.vardiff else {
            return;
        };
        self.with(id, |session| {
            if let Some(difficulty) = session.retarget(shares, target) {
                session.announce_difficulty(difficulty);
            }
        });
    }

    fn answer(&mut self, id: u64, request: &Value, result: Result<Value, Rejection>) {
        let refused = if self.config.reject_with_false {
            json!(false)
        } else {
            Value::Null
        };
        let message = match result {
            Ok(result) => json!({"id": request, "result": result, "error": null}),
            Err(Rejection { code, text }) => {
                json!({"id": request, "result": refused, "error": [code, text, null]})
            }
        };
        self.with(id, |session| session.send_json(&message));
    }
}
