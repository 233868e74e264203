//! Our side of one connection to a pool.
//!
//! ```text
//!   Subscribing --subscribe ok--> Authorizing --authorize ok--> LoggedIn
//!        |                             |                           |
//!        `------- refused, garbage, too slow, silent, told to go --+--> Failed
//! ```
//!
//! Jobs and difficulty may arrive before the login is answered; they are kept
//! and handed on with it. The connection serves many workers: each is
//! authorized by its own name, and until the pool has said yes to that name its
//! shares go under the connection's login, because some pools never answer a
//! second authorize and refuse shares under any other name.

use super::message::{self, Message, Strings, Text};
use super::reply;
use crate::share::{Split, SplitError, Submit, Verdict, Work, WorkerName, code};
use crate::{Duration, Instant, hex};
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde_json::value::RawValue;

/// Connect, subscribe and authorize together.
pub const LOGIN_WITHIN: Duration = Duration::from_secs(10);
/// No line at all for so long: the pool is down.
pub const SILENT_AFTER: Duration = Duration::from_secs(120);
/// Shares sent, and not one line since: the pool is down.
pub const DEAF_AFTER: Duration = Duration::from_secs(10);
/// A single share that others overtook is given up after this.
const FORGET_AFTER: Duration = Duration::from_secs(40);
/// So many shares refused, for so long, and not one accepted between: whatever
/// its reason, this pool pays nothing.
pub const REFUSED_IN_A_ROW: u32 = 50;
pub const REFUSING_FOR: Duration = Duration::from_secs(30);
/// Shares that wait for their verdict at a time.
pub const MAX_IN_FLIGHT: usize = 4096;
const MAX_WORKERS: usize = 4096;
const MAX_GARBAGE: u32 = 3;

const CONFIGURE: u32 = 1;
const SUBSCRIBE: u32 = 2;
const AUTHORIZE: u32 = 3;
const EXTRANONCE: u32 = 4;
const FIRST_FREE: u32 = 16;

/// How to present ourselves. Comes from farm.toml alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// May hold `{worker}` and `{farm}`.
    pub user: String,
    pub password: String,
    pub farm: String,
    pub agent: String,
    /// Authorize each worker by its own name.
    pub per_worker: bool,
    /// Send `mining.configure` and `mining.extranonce.subscribe`.
    pub extensions: bool,
}

impl Login {
    fn user_for(&self, worker: &str) -> String {
        self.user
            .replace("{farm}", &self.farm)
            .replace("{worker}", worker)
    }

    /// The connection's own name: the farm stands in for the worker.
    pub fn connection_user(&self) -> String {
        self.user_for(&self.farm)
    }

    fn names_workers(&self) -> bool {
        self.per_worker && self.user.contains("{worker}")
    }
}

/// What the connection tells its owner, in order.
#[derive(Clone, Debug)]
pub enum PoolEvent<R> {
    LoggedIn,
    /// New work under the terms that hold for it.
    Work {
        work: Arc<Work>,
        split: Split,
        difficulty: f64,
        version_mask: u32,
    },
    Verdict {
        reply: R,
        token: u32,
        verdict: Verdict,
    },
    /// Something the operator may want to read.
    Notice(String),
    /// The connection is of no more use. Nothing follows.
    Failed(Failure),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("cannot connect: {0}")]
    Connect(String),
    #[error("the pool closed the connection")]
    Closed,
    #[error("connection lost: {0}")]
    Lost(String),
    #[error("the pool refused the login: {0}")]
    LoginRefused(String),
    #[error("no login within {} s", LOGIN_WITHIN.as_secs())]
    LoginTimeout,
    #[error("no line for {} s", SILENT_AFTER.as_secs())]
    Silent,
    #[error("no answer to shares for {} s", DEAF_AFTER.as_secs())]
    Deaf,
    #[error(
        "the pool accepts no share; {REFUSED_IN_A_ROW} were refused in a row, the last one with: {0}"
    )]
    Refusing(String),
    #[error("the pool does not speak Stratum: {0}")]
    Garbage(String),
    #[error(transparent)]
    Unusable(#[from] SplitError),
    #[error("the pool asked to reconnect")]
    AskedToReconnect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Subscribing,
    Authorizing,
    LoggedIn,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Asked,
    Accepted,
    Refused,
}

#[derive(Debug)]
struct Flight<R> {
    reply: R,
    submit: Submit,
    sent: Instant,
    own_name: bool,
}

/// `R` says whom the verdict is for; the session only carries it.
#[derive(Debug)]
pub struct PoolSession<R> {
    login: Login,
    state: State,
    started: Instant,
    last_line: Instant,
    garbage: u32,
    next_id: u32,
    split: Option<Split>,
    difficulty: f64,
    version_mask: u32,
    /// The newest work, until the login lets us hand it on.
    held: Option<Arc<Work>>,
    flights: BTreeMap<u32, Flight<R>>,
    workers: BTreeMap<WorkerName, Standing>,
    asked_workers: BTreeMap<u32, WorkerName>,
    shared_name_only: bool,
    /// Since when no share was accepted, and how many were refused since.
    refusals: Option<(Instant, u32)>,
    output: Vec<u8>,
    events: Vec<PoolEvent<R>>,
}

impl<R> PoolSession<R> {
    /// The connection is up; the greeting stands in [`PoolSession::output`].
    pub fn new(login: Login, now: Instant) -> Self {
        let mut session = Self {
            shared_name_only: !login.names_workers(),
            login,
            state: State::Subscribing,
            started: now,
            last_line: now,
            garbage: 0,
            next_id: FIRST_FREE,
            split: None,
            difficulty: 1.0,
            version_mask: 0,
            held: None,
            flights: BTreeMap::new(),
            workers: BTreeMap::new(),
            asked_workers: BTreeMap::new(),
            refusals: None,
            output: Vec::new(),
            events: Vec::new(),
        };
        session.greet();
        session
    }

    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    pub fn take_events(&mut self) -> Vec<PoolEvent<R>> {
        core::mem::take(&mut self.events)
    }

    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// When [`PoolSession::tick`] wants to be called.
    pub fn deadline(&self) -> Instant {
        match self.state {
            State::Subscribing | State::Authorizing => self.started + LOGIN_WITHIN,
            State::LoggedIn => {
                let forget = self.oldest().map(|sent| sent + FORGET_AFTER);
                let deaf = self.unheard().map(|sent| sent + DEAF_AFTER);
                (forget.into_iter().chain(deaf)).fold(self.last_line + SILENT_AFTER, Instant::min)
            }
            State::Failed => Instant::MAX,
        }
    }

    /// When the oldest share was sent. Ids are given out in order, so nothing is
    /// searched: this is asked after each line and each share.
    fn oldest(&self) -> Option<Instant> {
        self.flights.values().next().map(|flight| flight.sent)
    }

    /// The first share since the pool's last line.
    fn unheard(&self) -> Option<Instant> {
        let newest_first = self.flights.values().rev().map(|flight| flight.sent);
        newest_first
            .take_while(|sent| *sent >= self.last_line)
            .last()
    }

    pub fn tick(&mut self, now: Instant) {
        match self.state {
            State::Subscribing | State::Authorizing if now >= self.started + LOGIN_WITHIN => {
                self.fail(Failure::LoginTimeout);
            }
            State::LoggedIn if now >= self.last_line + SILENT_AFTER => self.fail(Failure::Silent),
            State::LoggedIn => self.tick_shares(now),
            State::Subscribing | State::Authorizing | State::Failed => {}
        }
    }

    fn tick_shares(&mut self, now: Instant) {
        if self.unheard().is_some_and(|sent| now >= sent + DEAF_AFTER) {
            return self.fail(Failure::Deaf);
        }
        let overdue: Vec<u32> = self
            .flights
            .iter()
            .filter(|(_, flight)| now >= flight.sent + FORGET_AFTER)
            .map(|(id, _)| *id)
            .collect();
        for id in overdue {
            self.conclude(id, Verdict::Unknown("the pool did not answer in time"));
        }
    }

    /// The connection ended, for a reason that its owner saw.
    pub fn fail(&mut self, why: Failure) {
        if self.state == State::Failed {
            return;
        }
        self.state = State::Failed;
        let ids: Vec<u32> = self.flights.keys().copied().collect();
        for id in ids {
            self.conclude(
                id,
                Verdict::Unknown("the pool went away before it answered"),
            );
        }
        self.events.push(PoolEvent::Failed(why));
    }

    fn conclude(&mut self, id: u32, verdict: Verdict) {
        if let Some(flight) = self.flights.remove(&id) {
            self.events.push(PoolEvent::Verdict {
                reply: flight.reply,
                token: flight.submit.token,
                verdict,
            });
        }
    }

    fn greet(&mut self) {
        if self.login.extensions {
            let mask = super::miner::USUAL_MASK;
            self.request(CONFIGURE, "mining.configure", |out| {
                out.extend_from_slice(br#"["version-rolling"],{"version-rolling.mask":""#);
                hex::push_number(out, mask);
                out.extend_from_slice(br#"","version-rolling.min-bit-count":2}"#);
            });
        }
        let agent = self.login.agent.clone();
        self.request(SUBSCRIBE, "mining.subscribe", |out| {
            message::push_string(out, &agent);
        });
    }

    fn request(&mut self, id: u32, method: &str, params: impl FnOnce(&mut Vec<u8>)) {
        let out = &mut self.output;
        out.extend_from_slice(b"{\"id\":");
        message::push_display(out, id);
        out.extend_from_slice(b",\"method\":\"");
        out.extend_from_slice(method.as_bytes());
        out.extend_from_slice(b"\",\"params\":[");
        params(out);
        out.extend_from_slice(b"]}\n");
    }

    fn request_authorize(&mut self, id: u32, user: &str) {
        let password = self.login.password.clone();
        self.request(id, "mining.authorize", |out| {
            message::push_string(out, user);
            out.push(b',');
            message::push_string(out, &password);
        });
    }

    fn fresh_id(&mut self) -> u32 {
        let id = self.next_id;
        self.next_id = id.checked_add(1).unwrap_or(FIRST_FREE);
        id
    }

    pub fn line(&mut self, line: &[u8], now: Instant) {
        if self.state == State::Failed {
            return;
        }
        let Some(message) = Message::parse(line) else {
            self.garbage += 1;
            if self.garbage >= MAX_GARBAGE {
                let text = core::str::from_utf8(line).unwrap_or("(not text)");
                self.fail(Failure::Garbage(text.chars().take(80).collect()));
            }
            return;
        };
        self.garbage = 0;
        self.last_line = now;
        match &message.method {
            Some(method) => self.notification(&method.0, &message),
            None => self.response(&message, now),
        }
    }

    fn response(&mut self, message: &Message<'_>, now: Instant) {
        match message.our_id() {
            Some(CONFIGURE) => self.configured(message),
            Some(SUBSCRIBE) => self.subscribed(message),
            Some(AUTHORIZE) => self.authorized(message),
            Some(EXTRANONCE) | None => {}
            Some(id) => match self.asked_workers.remove(&id) {
                Some(worker) => {
                    let standing = match reply::verdict(message) {
                        Verdict::Accepted => Standing::Accepted,
                        Verdict::Rejected(_) | Verdict::Unknown(_) | Verdict::Unsent(_) => {
                            Standing::Refused
                        }
                    };
                    self.workers.insert(worker, standing);
                }
                None => self.judged(id, message, now),
            },
        }
    }

    fn configured(&mut self, message: &Message<'_>) {
        #[derive(Default, serde::Deserialize)]
        struct Answer<'a> {
            #[serde(default, rename = "version-rolling")]
            rolling: Option<bool>,
            #[serde(borrow, default, rename = "version-rolling.mask")]
            mask: Option<Text<'a>>,
        }
        let answer: Answer<'_> = message
            .result
            .and_then(|raw| serde_json::from_str(raw.get()).ok())
            .unwrap_or_default();
        if answer.rolling == Some(true) {
            self.version_mask = answer
                .mask
                .and_then(|mask| hex::number(&mask.0))
                .unwrap_or(0)
                & super::miner::USUAL_MASK;
        }
    }

    fn subscribed(&mut self, message: &Message<'_>) {
        if self.state != State::Subscribing {
            return;
        }
        let Some(raw) = message.result else {
            return self.fail(Failure::LoginRefused(refusal(message)));
        };
        let Ok((_, extranonce1, size)) =
            serde_json::from_str::<(&RawValue, Text<'_>, usize)>(raw.get())
        else {
            return self.fail(Failure::LoginRefused(refusal(message)));
        };
        if let Err(why) = self.take_extranonce(&extranonce1.0, size) {
            return self.fail(why);
        }
        self.state = State::Authorizing;
        let user = self.login.connection_user();
        self.request_authorize(AUTHORIZE, &user);
    }

    fn take_extranonce(&mut self, extranonce1: &str, size: usize) -> Result<(), Failure> {
        let bytes = hex::bounded(extranonce1, 64)
            .ok_or_else(|| Failure::Garbage("extranonce1 is not hex".to_string()))?;
        self.split = Some(Split::new(&bytes, size)?);
        Ok(())
    }

    fn authorized(&mut self, message: &Message<'_>) {
        if self.state != State::Authorizing {
            return;
        }
        if reply::verdict(message) != Verdict::Accepted {
            return self.fail(Failure::LoginRefused(refusal(message)));
        }
        self.state = State::LoggedIn;
        if self.login.extensions {
            self.request(EXTRANONCE, "mining.extranonce.subscribe", |_| {});
        }
        self.events.push(PoolEvent::LoggedIn);
        self.hand_on();
    }

    /// Pass held work on, if the login is through.
    fn hand_on(&mut self) {
        if self.state != State::LoggedIn {
            return;
        }
        if let (Some(split), Some(work)) = (self.split.clone(), self.held.take()) {
            self.events.push(PoolEvent::Work {
                work,
                split,
                difficulty: self.difficulty,
                version_mask: self.version_mask,
            });
        }
    }

    fn notification(&mut self, method: &str, message: &Message<'_>) {
        match method {
            "mining.notify" => match work_of(message) {
                Some(work) => {
                    self.held = Some(Arc::new(work));
                    self.hand_on();
                }
                None => self.notice("sent a job that cannot be read"),
            },
            "mining.set_difficulty" => match difficulty_of(message) {
                // Counts from the next job on.
                Some(difficulty) => self.difficulty = difficulty,
                None => self.notice("sent a difficulty that is no positive number"),
            },
            "mining.set_version_mask" => {
                let params: Strings<'_, 1> = message.params().unwrap_or_default();
                if let Some(mask) = params.get(0).and_then(hex::number) {
                    self.version_mask = mask & super::miner::USUAL_MASK;
                }
            }
            "mining.set_extranonce" => {
                let changed = message
                    .params::<(Text<'_>, usize)>()
                    .map(|(extranonce1, size)| self.take_extranonce(&extranonce1.0, size));
                if let Some(Err(why)) = changed {
                    self.fail(why);
                }
            }
            "client.reconnect" => self.fail(Failure::AskedToReconnect),
            "client.show_message" => {
                let params: Strings<'_, 1> = message.params().unwrap_or_default();
                self.notice(params.get(0).unwrap_or(""));
                self.respond(message, "true");
            }
            "client.get_version" => {
                let mut agent = Vec::new();
                message::push_string(&mut agent, &self.login.agent);
                self.respond(message, core::str::from_utf8(&agent).unwrap_or("\"\""));
            }
            "mining.ping" => self.respond(message, "\"pong\""),
            // Unknown notifications are tolerated, unknown requests answered.
            _ => {
                if let Some(id) = message.id {
                    message::push_error(
                        &mut self.output,
                        id.get(),
                        code::OTHER,
                        "method not known",
                    );
                }
            }
        }
    }

    fn respond(&mut self, message: &Message<'_>, result: &str) {
        if let Some(id) = message.id {
            message::push_result(&mut self.output, id.get(), result);
        }
    }

    fn notice(&mut self, text: &str) {
        let clean = text.chars().filter(|c| !c.is_control()).take(200).collect();
        self.events.push(PoolEvent::Notice(clean));
    }

    /// Send a share. An error hands the reply back: the queue is full or the
    /// login is not through.
    pub fn submit(&mut self, submit: Submit, reply: R, now: Instant) -> Result<(), R> {
        if self.state != State::LoggedIn || self.flights.len() >= MAX_IN_FLIGHT {
            return Err(reply);
        }
        let own_name = self.may_use_own_name(&submit.worker);
        self.send(submit, reply, own_name, now);
        Ok(())
    }

    fn may_use_own_name(&mut self, worker: &WorkerName) -> bool {
        if self.shared_name_only {
            return false;
        }
        match self.workers.get(worker) {
            Some(Standing::Accepted) => true,
            Some(Standing::Asked | Standing::Refused) => false,
            None => {
                self.introduce(worker);
                false
            }
        }
    }

    /// Authorize a worker ahead of its first share.
    pub fn introduce(&mut self, worker: &WorkerName) {
        if self.state != State::LoggedIn
            || self.shared_name_only
            || self.workers.len() >= MAX_WORKERS
            || self.workers.contains_key(worker)
        {
            return;
        }
        let id = self.fresh_id();
        let user = self.login.user_for(worker);
        self.request_authorize(id, &user);
        self.workers.insert(worker.clone(), Standing::Asked);
        self.asked_workers.insert(id, worker.clone());
    }

    fn send(&mut self, submit: Submit, reply: R, own_name: bool, now: Instant) {
        let user = if own_name {
            self.login.user_for(&submit.worker)
        } else {
            self.login.connection_user()
        };
        let id = self.fresh_id();
        self.request(id, "mining.submit", |out| {
            message::push_string(out, &user);
            out.push(b',');
            message::push_string(out, &submit.job.work.pool_job_id);
            out.extend_from_slice(b",\"");
            hex::push(out, &submit.extranonce2);
            out.extend_from_slice(b"\",\"");
            hex::push_number(out, submit.ntime);
            out.extend_from_slice(b"\",\"");
            hex::push_number(out, submit.nonce);
            out.push(b'"');
            if let Some(bits) = submit.version_bits {
                out.extend_from_slice(b",\"");
                hex::push_number(out, bits);
                out.push(b'"');
            }
        });
        let flight = Flight {
            reply,
            submit,
            sent: now,
            own_name,
        };
        self.flights.insert(id, flight);
    }

    fn judged(&mut self, id: u32, message: &Message<'_>, now: Instant) {
        let verdict = reply::verdict(message);
        let name_refused = match &verdict {
            Verdict::Rejected(reject) => reject.code == code::UNAUTHORIZED,
            Verdict::Accepted | Verdict::Unknown(_) | Verdict::Unsent(_) => false,
        };
        if name_refused
            && self.flights.get(&id).is_some_and(|flight| flight.own_name)
            && let Some(flight) = self.flights.remove(&id)
        {
            // The pool said yes to the name and then refused its share before
            // looking at the work: send it once more under the login.
            self.shared_name_only = true;
            self.notice("takes shares under the connection's login only");
            return self.send(flight.submit, flight.reply, false, now);
        }
        if !self.flights.contains_key(&id) {
            return;
        }
        let hopeless = self.weigh(&verdict, now);
        self.conclude(id, verdict);
        if let Some(words) = hopeless {
            self.fail(Failure::Refusing(words));
        }
    }

    /// The words of the last refusal, when there were too many of them. A block
    /// change makes a burst of stale shares, hence the time as well.
    fn weigh(&mut self, verdict: &Verdict, now: Instant) -> Option<String> {
        match verdict {
            Verdict::Accepted => self.refusals = None,
            Verdict::Unknown(_) | Verdict::Unsent(_) => {}
            Verdict::Rejected(reject) => {
                let (since, count) = self.refusals.unwrap_or((now, 0));
                self.refusals = Some((since, count.saturating_add(1)));
                let lasting = now.saturating_duration_since(since) >= REFUSING_FOR;
                if lasting && count + 1 >= REFUSED_IN_A_ROW {
                    return Some(reject.text.as_str().to_string());
                }
            }
        }
        None
    }
}

/// The pool's words, for the log and the status page.
fn refusal(message: &Message<'_>) -> String {
    let raw = message.error.or(message.result).map(|raw| raw.get());
    raw.unwrap_or("no reason given").chars().take(120).collect()
}

fn work_of(message: &Message<'_>) -> Option<Work> {
    let part: Vec<&RawValue> = message.params()?;
    let text =
        |index: usize| -> Option<Text<'_>> { serde_json::from_str(part.get(index)?.get()).ok() };
    let (job_id, prev_hash, coinbase1, coinbase2) = (text(0)?, text(1)?, text(2)?, text(3)?);
    let branches: Vec<Text<'_>> = serde_json::from_str(part.get(4)?.get()).ok()?;
    let branches: Vec<&str> = branches.iter().map(|branch| &*branch.0).collect();
    let (version, nbits, ntime) = (text(5)?, text(6)?, text(7)?);
    let clean = part.get(8).is_some_and(|raw| raw.get() == "true");
    Work::decode(&crate::share::WorkText {
        job_id: &job_id.0,
        prev_hash: &prev_hash.0,
        coinbase1: &coinbase1.0,
        coinbase2: &coinbase2.0,
        branches: &branches,
        version: &version.0,
        nbits: &nbits.0,
        ntime: &ntime.0,
        clean,
    })
    .ok()
}

fn difficulty_of(message: &Message<'_>) -> Option<f64> {
    let parts: Vec<&RawValue> = message.params()?;
    let raw = parts.first()?.get().trim_matches('"');
    let difficulty: f64 = raw.parse().ok()?;
    (difficulty.is_finite() && difficulty > 0.0).then_some(difficulty)
}
