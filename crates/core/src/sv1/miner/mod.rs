//! Our side of one miner's connection.
//!
//! ```text
//!            subscribe                  admitted
//!   Fresh ------------> Subscribed -------------> Working
//!     \                                          ^
//!      `--- admitted --> Admitted --- subscribe -'
//! ```
//!
//! `mining.configure` and every other request is answered in any state. The
//! handshake asks no pool; whether a worker may come in is the caller's to say
//! ([`Step::Authorize`], then [`MinerSession::admit`] or
//! [`MinerSession::turn_away`]). In `Working`, whatever stands on the board is
//! shown, and each submit is checked against the board's jobs. A share that only
//! meets the miner's own difficulty is answered here; one that meets the pool's
//! goes there ([`Step::Submit`]), and its answer is written by [`conclude`].
//!
//! A miner whose pool leaves it no choice is told another extranonce, or is asked
//! to come again ([`Shown::Reconnect`]).
//!
//! A session has a constant size. What it says is appended to a buffer of the
//! caller's, so that thousands of them share one.

mod configure;
mod device;
mod extranonce;
mod judged;
mod name;
mod submit;

pub use extranonce::Shown;
pub use judged::{Judge, Judged, Outcome, conclude};
pub use name::{difficulty_in, worker_name};
pub use submit::Share;

use super::message::{self, Message, Strings};
use crate::share::{
    Berth, Board, Extranonce, Job, JobId, Manner, Renderings, RequestId, Seat, Seen, Target,
    Vardiff, WorkerName, code, header_hash_is_known,
};
use crate::{Algorithm, Duration, Instant, hex};
use alloc::boxed::Box;
use alloc::vec::Vec;
use heapless::String;
use name::shorten;

/// Version bits that miners may roll when no pool has said otherwise (BIP 320).
pub const USUAL_MASK: u32 = 0x1fff_e000;
/// Shares of one miner that wait for their verdict at a time.
pub const MAX_IN_FLIGHT: u16 = 64;
/// A share without a verdict for so long is answered as unknown.
pub const VERDICT_WITHIN: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    Subscribed,
    Admitted,
    Working,
}

/// What the caller has to do after a line, beyond sending what was written.
#[derive(Clone, Debug)]
pub enum Step {
    Done,
    /// Say whether this worker may come in.
    Authorize(Credentials),
    /// Pass it to the link of its job, and [`conclude`] it by the verdict.
    Submit(Share),
    /// A share was answered here; count it.
    Judged(Judged),
    /// Close after sending the output. The text is for the log.
    Close(&'static str),
}

/// Who wants to come in, and under which request that is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub id: RequestId,
    pub worker: WorkerName,
    pub password: String<128, u8>,
}

/// What the miner was told last.
#[derive(Debug)]
struct Told {
    job: Option<JobId>,
    mask: u32,
    difficulty: f64,
    /// What counted before `difficulty`, for jobs before `since`.
    before: f64,
    since: JobId,
    cleans: u64,
    waits: u64,
}

#[derive(Debug)]
pub struct MinerSession {
    state: State,
    algorithm: Algorithm,
    seat: Seat,
    manner: Manner,
    /// The connection that is its own, if it has one.
    berth: Option<Berth>,
    /// What it was told, where that is not the constant one.
    extranonce: Option<Box<Extranonce>>,
    /// It asked for `mining.set_extranonce`.
    hears_extranonce: bool,
    /// It may yet ask for it, and is shown nothing until then.
    hesitates: bool,
    asks_until: Instant,
    session_id: u32,
    in_flight: u16,
    worker: WorkerName,
    /// Names admitted before `worker` on the same connection.
    earlier: Option<Box<heapless::Vec<WorkerName, 3, u8>>>,
    agent: String<48, u8>,
    /// What the miner asked to roll; `None`: it did not ask.
    wants_mask: Option<u32>,
    told: Told,
    vardiff: Vardiff,
    seen: Seen,
    handshake_until: Instant,
}

impl MinerSession {
    pub fn new(
        algorithm: Algorithm,
        seat: Seat,
        session_id: u32,
        handshake: Duration,
        now: Instant,
    ) -> Self {
        Self {
            state: State::Fresh,
            algorithm,
            seat,
            manner: Manner::Constant,
            berth: None,
            extranonce: None,
            hears_extranonce: false,
            hesitates: false,
            asks_until: now,
            session_id,
            in_flight: 0,
            worker: WorkerName::new(),
            earlier: None,
            agent: String::new(),
            wants_mask: None,
            told: Told {
                job: None,
                mask: 0,
                difficulty: 0.0,
                before: 0.0,
                since: 0,
                cleans: 0,
                waits: 0,
            },
            vardiff: Vardiff::new(device::range("", algorithm), now),
            seen: Seen::new(),
            handshake_until: now + handshake,
        }
    }

    /// How this port tells miners what is particular to a pool's connection.
    #[must_use]
    pub const fn in_manner(mut self, manner: Manner) -> Self {
        self.manner = manner;
        self
    }

    pub const fn worker(&self) -> &WorkerName {
        &self.worker
    }

    pub fn agent(&self) -> &str {
        &self.agent
    }

    pub const fn seat(&self) -> Seat {
        self.seat
    }

    pub fn is_working(&self) -> bool {
        self.state == State::Working
    }

    /// The newest job that it was shown.
    pub const fn newest_job(&self) -> Option<JobId> {
        self.told.job
    }

    /// The difficulty the miner works at, once it was told one.
    pub const fn difficulty(&self) -> f64 {
        self.told.difficulty
    }

    /// A miner that has not come in by then is to be let go.
    pub fn handshake_deadline(&self) -> Option<Instant> {
        (self.state != State::Working).then_some(self.handshake_until)
    }

    /// Write what the board has new for this miner: nothing, if it was told.
    pub fn show(
        &mut self,
        board: &Board,
        renderings: &mut Renderings,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Shown {
        self.hesitates = false;
        if self.state != State::Working {
            return Shown::Done;
        }
        let slot = board.slot(self.spot());
        let Some(job) = slot.job.as_ref().filter(|job| !self.is_spent(job)) else {
            self.show_waiting(board, now, out);
            return Shown::Done;
        };
        if self.told.job == Some(job.id) {
            return Shown::Done;
        }
        let Some(line) = renderings.line(job, self.seat.group, self.manner) else {
            self.show_waiting(board, now, out);
            return Shown::Done;
        };
        let fits = self.fits(job);
        if !fits {
            match self.change_extranonce(job, now, out) {
                Shown::Done => {}
                other @ (Shown::Hesitates | Shown::Reconnect) => return other,
            }
        }
        self.show_mask(job, out);
        // S19-class firmware misjudges shares when the difficulty changes without
        // a clean job; and one that missed a clean job still has to drop its work.
        let changed = self.show_difficulty(job, now, out);
        let missed = self.told.job.is_none() || self.told.cleans != slot.cleans;
        let clean = missed || changed || !fits;
        self.told.job = Some(job.id);
        self.told.cleans = slot.cleans;
        out.extend_from_slice(line);
        out.extend_from_slice(if clean { b"true]}\n" } else { b"false]}\n" });
        Shown::Done
    }

    fn show_mask(&mut self, job: &Job, out: &mut Vec<u8>) {
        let Some(wanted) = self.wants_mask else {
            return;
        };
        let mask = wanted & job.version_mask;
        if core::mem::replace(&mut self.told.mask, mask) != mask {
            out.extend_from_slice(br#"{"id":null,"method":"mining.set_version_mask","params":[""#);
            hex::push_number(out, mask);
            out.extend_from_slice(b"\"]}\n");
        }
    }

    /// Did it change?
    fn show_difficulty(&mut self, job: &Job, now: Instant, out: &mut Vec<u8>) -> bool {
        let asked = if header_hash_is_known(self.algorithm) {
            self.vardiff.asked(job.difficulty, now)
        } else {
            // Nobody but the pool can tell a good share: what it asks has to be asked.
            job.difficulty
        };
        if self.told.difficulty == asked {
            return false;
        }
        self.told.before = if self.told.difficulty > 0.0 {
            self.told.difficulty
        } else {
            asked
        };
        self.told.difficulty = asked;
        self.told.since = job.id;
        self.push_difficulty(out);
        true
    }

    /// What a share of this job has to meet: the older figure, if it changed since.
    fn asked_of(&self, job: &Job) -> f64 {
        // Ids only go up; the difference tells the order also where they wrap.
        let is_older = job.id.wrapping_sub(self.told.since) > u32::MAX / 2;
        let asked = if is_older {
            self.told.before.min(self.told.difficulty)
        } else {
            self.told.difficulty
        };
        asked.min(job.difficulty)
    }

    /// Clients leave a pool that says nothing for 90 s or more. What they are told
    /// while there is no work must be true and must be no job: the difficulty they
    /// know already, or a message where none was told yet.
    fn show_waiting(&mut self, board: &Board, now: Instant, out: &mut Vec<u8>) {
        // What it finds while there is nothing to find says nothing of it.
        self.vardiff.begin_again(now);
        if core::mem::replace(&mut self.told.waits, board.waits()) == board.waits() {
            return;
        }
        if self.told.difficulty > 0.0 {
            self.push_difficulty(out);
        } else {
            out.extend_from_slice(
                br#"{"id":null,"method":"client.show_message","params":["no pool can be reached, waiting for one"]}"#,
            );
            out.push(b'\n');
        }
    }

    fn push_difficulty(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"id":null,"method":"mining.set_difficulty","params":["#);
        message::push_display(out, self.told.difficulty);
        out.extend_from_slice(b"]}\n");
    }

    pub fn line(&mut self, line: &[u8], board: &Board, now: Instant, out: &mut Vec<u8>) -> Step {
        let Some(message) = Message::parse(line) else {
            return Step::Close("a line that is not JSON-RPC");
        };
        let Some(method) = &message.method else {
            // An answer to something we sent: nothing we send needs one.
            return Step::Done;
        };
        let id = message.id.map_or("null", |id| id.get());
        match &*method.0 {
            "mining.submit" => return self.submit(id, &message, board, out),
            "mining.authorize" => return authorize(id, &message, out),
            "mining.subscribe" => self.subscribe(id, &message, board, now, out),
            "mining.configure" => self.configure(id, &message, board, out),
            "mining.suggest_difficulty" => {
                if let Some(difficulty) = message.first_number() {
                    self.vardiff.suggest(difficulty, now);
                }
                message::push_result(out, id, "true");
            }
            "mining.suggest_target" => {
                let params: Strings<'_, 1> = message.params().unwrap_or_default();
                let target = params.get(0).and_then(Target::of_hex);
                if let Some(difficulty) = target.and_then(|t| t.difficulty(self.algorithm)) {
                    self.vardiff.suggest(difficulty, now);
                }
                message::push_result(out, id, "true");
            }
            "mining.extranonce.subscribe" => {
                self.hears_extranonce = true;
                message::push_result(out, id, "true");
            }
            "mining.multi_version" => message::push_result(out, id, "true"),
            "mining.get_transactions" => message::push_result(out, id, "[]"),
            "mining.ping" => message::push_result(out, id, "\"pong\""),
            _ => message::push_error(out, id, code::OTHER, "method not known"),
        }
        Step::Done
    }

    fn subscribe(
        &mut self,
        id: &str,
        message: &Message<'_>,
        board: &Board,
        now: Instant,
        out: &mut Vec<u8>,
    ) {
        let params: Strings<'_, 2> = message.params().unwrap_or_default();
        self.agent = shorten(params.get(0).unwrap_or(""));
        let range = device::range(&self.agent, self.algorithm);
        self.vardiff.begin(range, now);
        out.extend_from_slice(b"{\"id\":");
        out.extend_from_slice(id.as_bytes());
        out.extend_from_slice(br#","result":[[["mining.set_difficulty",""#);
        hex::push_number(out, self.session_id);
        out.extend_from_slice(br#""],["mining.notify",""#);
        hex::push_number(out, self.session_id);
        out.extend_from_slice(br#""]],""#);
        let extranonce = self.begin_extranonce(board, now);
        hex::push(out, &extranonce.first);
        out.extend_from_slice(br#"","#);
        message::push_display(out, extranonce.size);
        out.extend_from_slice(b"],\"error\":null}\n");
        self.state = match self.state {
            State::Fresh | State::Subscribed => State::Subscribed,
            State::Admitted | State::Working => State::Working,
        };
        // Whoever subscribes starts afresh.
        self.told.job = None;
        self.told.difficulty = 0.0;
    }

    /// The worker may come in. `false`: there is no room for one more name.
    pub fn admit(&mut self, credentials: &Credentials, out: &mut Vec<u8>) -> bool {
        if !self.takes(&credentials.worker) {
            let text = "too many workers on one connection";
            message::push_error(out, &credentials.id, code::UNAUTHORIZED, text);
            return false;
        }
        if let Some(difficulty) = difficulty_in(&credentials.password) {
            self.vardiff.fix(difficulty);
        }
        message::push_result(out, &credentials.id, "true");
        self.state = match self.state {
            State::Fresh | State::Admitted => State::Admitted,
            State::Subscribed | State::Working => State::Working,
        };
        true
    }

    /// It may not, for this reason.
    pub fn turn_away(&self, credentials: &Credentials, why: &str, out: &mut Vec<u8>) {
        message::push_error(out, &credentials.id, code::UNAUTHORIZED, why);
    }

    /// Several may be admitted on one connection.
    fn takes(&mut self, name: &WorkerName) -> bool {
        if !self.worker.is_empty() && !self.may_submit_as(name) {
            let before = core::mem::take(&mut self.worker);
            let earlier = self.earlier.get_or_insert_default();
            if let Err(before) = earlier.push(before) {
                self.worker = before;
                return false;
            }
        }
        if self.worker.is_empty() {
            self.worker.clone_from(name);
        }
        true
    }

    fn may_submit_as(&self, name: &WorkerName) -> bool {
        let mut earlier = self.earlier.iter().flat_map(|names| names.iter());
        self.worker == *name || earlier.any(|known| known == name)
    }
}

fn authorize(id: &str, message: &Message<'_>, out: &mut Vec<u8>) -> Step {
    let params: Strings<'_, 2> = message.params().unwrap_or_default();
    let Ok(id) = RequestId::try_from(id) else {
        message::push_error(out, id, code::OTHER, submit::ID_TOO_LONG);
        return Step::Done;
    };
    Step::Authorize(Credentials {
        id,
        worker: worker_name(params.get(0).unwrap_or("")),
        password: shorten(params.get(1).unwrap_or("")),
    })
}
