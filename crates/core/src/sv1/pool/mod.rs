//! Our side of one connection to a pool.
//!
//! ```text
//!   Subscribing --subscribe ok--> Authorizing --authorize ok--> LoggedIn
//!        |                             |                           |
//!        `------- refused, garbage, too slow, gone, told to go ----+--> Failed
//! ```
//!
//! Jobs and difficulty may arrive before the login is answered; they are kept
//! and handed on with it. The connection serves many workers ([`names`]); what
//! it carries is in [`shares`], whether the pool is still there in [`pulse`].
//!
//! A pool may give a later connection the session of an earlier one, and with it
//! the same extranonce1: then the jobs of before are good, and so are shares that
//! were made meanwhile. Whether it did is seen in the [`Split`]: a share is sent
//! only where its job's split is the connection's.

mod conceal;
mod login;
mod names;
mod parse;
mod pulse;
mod shares;

pub use login::{Failure, Login, Opening};
pub use pulse::{DEAF_AFTER, MUTE_AFTER, SILENT_AFTER};
pub use shares::{MAX_IN_FLIGHT, REFUSED_IN_A_ROW, REFUSING_FOR};

use super::message::{self, Message, Strings, Text};
use super::miner::USUAL_MASK;
use super::reply;
use crate::share::{Split, Terms, Token, Verdict, Work, code};
use crate::{Duration, Instant, hex};
use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use names::Names;
use pulse::{Beat, Pulse, Question};

/// Connect, subscribe and authorize together.
pub const LOGIN_WITHIN: Duration = Duration::from_secs(10);
const MAX_GARBAGE: u32 = 3;

const CONFIGURE: u32 = 1;
const SUBSCRIBE: u32 = 2;
const AUTHORIZE: u32 = 3;
const EXTRANONCE: u32 = 4;
const SUGGEST: u32 = 5;
const FIRST_FREE: u32 = 16;

/// What the connection tells its owner, in order.
#[derive(Clone, Debug)]
pub enum PoolEvent {
    LoggedIn,
    /// New work under the terms that hold for it.
    Work(Terms),
    Verdict {
        token: Token,
        verdict: Verdict,
    },
    /// Something the operator may want to read.
    Notice(String),
    /// The connection is of no more use. Nothing follows.
    Failed(Failure),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Subscribing,
    Authorizing,
    LoggedIn,
    Failed,
}

#[derive(Debug)]
pub struct PoolSession {
    login: Login,
    opening: Opening,
    state: State,
    started: Instant,
    pulse: Pulse,
    garbage: u32,
    next_id: u32,
    session: Option<String>,
    split: Option<Split>,
    /// From `mining.set_extranonce`: counts from the next job on.
    next_split: Option<Split>,
    difficulty: f64,
    version_mask: u32,
    /// The newest work, until the login lets us hand it on.
    held: Option<Arc<Work>>,
    flights: shares::Flights,
    last_verdict: Instant,
    names: Names,
    /// Since when no share was accepted, and how many were refused since.
    refusals: Option<(Instant, u32)>,
    output: Vec<u8>,
    events: VecDeque<PoolEvent>,
}

impl PoolSession {
    /// The connection is up; the greeting stands in [`PoolSession::output`].
    pub fn new(login: Login, opening: Opening, now: Instant) -> Self {
        let mut session = Self {
            names: Names::new(&login),
            login,
            opening,
            state: State::Subscribing,
            started: now,
            pulse: Pulse::new(now),
            garbage: 0,
            next_id: FIRST_FREE,
            session: None,
            split: None,
            next_split: None,
            difficulty: 1.0,
            version_mask: 0,
            held: None,
            flights: shares::Flights::default(),
            last_verdict: now,
            refusals: None,
            output: Vec::new(),
            events: VecDeque::new(),
        };
        session.greet();
        session
    }

    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    pub fn next_event(&mut self) -> Option<PoolEvent> {
        self.events.pop_front()
    }

    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    pub fn is_logged_in(&self) -> bool {
        self.state == State::LoggedIn
    }

    /// What a later connection to this pool may name to go on with this session.
    pub fn resumable(&self) -> Option<&str> {
        self.session.as_deref()
    }

    pub const fn split(&self) -> Option<&Split> {
        self.split.as_ref()
    }

    /// Miners work for this pool, or no longer do.
    pub fn set_active(&mut self, active: bool) {
        self.pulse.set_active(active);
    }

    /// When [`PoolSession::tick`] wants to be called.
    pub fn deadline(&self) -> Instant {
        match self.state {
            State::Subscribing | State::Authorizing => self.started + LOGIN_WITHIN,
            State::LoggedIn => {
                let pulse = self.pulse.deadline();
                self.share_deadline().map_or(pulse, |at| at.min(pulse))
            }
            State::Failed => Instant::MAX,
        }
    }

    pub fn tick(&mut self, now: Instant) {
        match self.state {
            State::Subscribing | State::Authorizing if now >= self.started + LOGIN_WITHIN => {
                self.fail(Failure::LoginTimeout);
            }
            State::LoggedIn => match self.pulse.tick(now) {
                Beat::Fine => self.tick_shares(now),
                Beat::Ask(Question::Configure) => self.configure(),
                Beat::Ask(Question::Extranonce) => self.subscribe_extranonce(),
                Beat::Deaf => self.fail(Failure::Deaf),
                Beat::Silent => self.fail(Failure::Silent),
            },
            State::Subscribing | State::Authorizing | State::Failed => {}
        }
    }

    /// The connection ended, for a reason that its owner saw.
    pub fn fail(&mut self, why: Failure) {
        if self.state == State::Failed {
            return;
        }
        self.state = State::Failed;
        self.give_up_shares();
        self.events.push_back(PoolEvent::Failed(why));
    }

    fn greet(&mut self) {
        if self.login.extensions {
            self.configure();
        }
        let out = &mut self.output;
        message::begin_request(out, SUBSCRIBE, "mining.subscribe");
        message::push_string(out, &self.login.agent);
        if let Some(session) = &self.opening.resume {
            out.push(b',');
            message::push_string(out, session);
        }
        message::end_request(out);
    }

    fn configure(&mut self) {
        let out = &mut self.output;
        message::begin_request(out, CONFIGURE, "mining.configure");
        out.extend_from_slice(br#"["version-rolling"],{"version-rolling.mask":""#);
        hex::push_number(out, USUAL_MASK);
        out.extend_from_slice(br#"","version-rolling.min-bit-count":2}"#);
        message::end_request(out);
    }

    fn subscribe_extranonce(&mut self) {
        message::begin_request(&mut self.output, EXTRANONCE, "mining.extranonce.subscribe");
        message::end_request(&mut self.output);
    }

    fn suggest(&mut self, difficulty: f64) {
        let out = &mut self.output;
        message::begin_request(out, SUGGEST, "mining.suggest_difficulty");
        message::push_display(out, difficulty);
        message::end_request(out);
    }

    fn request_authorize(&mut self, id: u32, user: &str) {
        let out = &mut self.output;
        message::begin_request(out, id, "mining.authorize");
        message::push_string(out, user);
        out.push(b',');
        message::push_string(out, &self.login.password);
        message::end_request(out);
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
                self.fail(Failure::Garbage(self.words(text, 80)));
            }
            return;
        };
        self.garbage = 0;
        self.pulse.heard(now);
        match &message.method {
            Some(method) => self.notification(&method.0, &message),
            None => self.response(&message, now),
        }
    }

    fn response(&mut self, message: &Message<'_>, now: Instant) {
        match message.our_id() {
            Some(CONFIGURE) => {
                self.pulse.answers(Question::Configure);
                self.version_mask = parse::mask_of(message) & USUAL_MASK;
            }
            Some(SUBSCRIBE) => self.subscribed(message),
            Some(AUTHORIZE) => self.authorized(message),
            Some(EXTRANONCE) => self.pulse.answers(Question::Extranonce),
            Some(SUGGEST) | None => {}
            Some(id) => {
                let yes = reply::verdict(message) == Verdict::Accepted;
                if !self.names.answered(id, yes) {
                    self.judged(id, message, now);
                }
            }
        }
    }

    fn subscribed(&mut self, message: &Message<'_>) {
        if self.state != State::Subscribing {
            return;
        }
        let Some(subscription) = parse::subscription(message) else {
            return self.fail(self.login_refused(message));
        };
        match split_of(&subscription.extranonce1.0, subscription.size) {
            Ok(split) => self.split = Some(split),
            Err(why) => return self.fail(why),
        }
        self.session = subscription.session;
        self.state = State::Authorizing;
        if let Some(difficulty) = self.opening.suggest.filter(|_| self.login.extensions) {
            self.suggest(difficulty);
        }
        let user = self.names.of_connection().to_string();
        self.request_authorize(AUTHORIZE, &user);
    }

    fn authorized(&mut self, message: &Message<'_>) {
        if self.state != State::Authorizing {
            return;
        }
        if reply::verdict(message) != Verdict::Accepted {
            return self.fail(self.login_refused(message));
        }
        self.state = State::LoggedIn;
        if self.login.extensions {
            self.subscribe_extranonce();
        }
        self.events.push_back(PoolEvent::LoggedIn);
        self.hand_on();
    }

    /// Pass held work on, if the login is through.
    fn hand_on(&mut self) {
        if self.state != State::LoggedIn {
            return;
        }
        if let (Some(split), Some(work)) = (self.split.clone(), self.held.take()) {
            self.events.push_back(PoolEvent::Work(Terms {
                work,
                split,
                difficulty: self.difficulty,
                version_mask: self.version_mask,
            }));
        }
    }

    fn notification(&mut self, method: &str, message: &Message<'_>) {
        match method {
            "mining.notify" => match parse::work_of(message) {
                Some(work) => {
                    if let Some(split) = self.next_split.take() {
                        self.split = Some(split);
                    }
                    self.held = Some(Arc::new(work));
                    self.hand_on();
                }
                None => self.notice("sent a job that cannot be read"),
            },
            "mining.set_difficulty" => match message.first_number() {
                // Counts from the next job on.
                Some(difficulty) => self.difficulty = difficulty,
                None => self.notice("sent a difficulty that is no positive number"),
            },
            "mining.set_version_mask" => {
                let params: Strings<'_, 1> = message.params().unwrap_or_default();
                if let Some(mask) = params.get(0).and_then(hex::number) {
                    self.version_mask = mask & USUAL_MASK;
                }
            }
            "mining.set_extranonce" => {
                let params = message.params::<(Text<'_>, usize)>();
                match params.map(|(extranonce1, size)| split_of(&extranonce1.0, size)) {
                    Some(Ok(split)) => self.next_split = Some(split),
                    Some(Err(why)) => self.fail(why),
                    None => self.notice("sent an extranonce that cannot be read"),
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
                    let text = "method not known";
                    message::push_error(&mut self.output, id.get(), code::OTHER, text);
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
        let clean = self.words(text, 200);
        self.events.push_back(PoolEvent::Notice(clean));
    }

    /// What the pool says, for people: one line of so many characters, and no secret.
    fn words(&self, text: &str, most: usize) -> String {
        let text = self.login.conceal(text);
        text.chars()
            .filter(|c| !c.is_control())
            .take(most)
            .collect()
    }

    fn login_refused(&self, message: &Message<'_>) -> Failure {
        Failure::LoginRefused(self.words(parse::refusal(message), 120))
    }
}

fn split_of(extranonce1: &str, size: usize) -> Result<Split, Failure> {
    let bytes = hex::bounded(extranonce1, 64)
        .ok_or_else(|| Failure::Garbage("extranonce1 is not hex".to_string()))?;
    Ok(Split::new(&bytes, size)?)
}
