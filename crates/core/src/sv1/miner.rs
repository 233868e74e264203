//! Our side of one miner's connection.
//!
//! ```text
//!            subscribe                authorize
//!   Fresh ------------> Subscribed -------------> Working
//!     \                                          ^
//!      `-- authorize --> Authorized -- subscribe-'
//! ```
//!
//! `mining.configure` and every other request is answered in any state. The
//! handshake is answered here and now: no pool is asked. In `Working`, whatever
//! stands on the board is sent, and each submit is checked against the board's
//! jobs; what holds goes to the pool, and the pool's verdict, or an error, comes
//! back. An accept is only ever written for a [`Verdict::Accepted`].

use super::message::{self, Message, Strings};
use crate::share::{
    Board, Claim, Job, JobId, LinkId, MINER_SIZE, Reject, Seat, Seen, Submit, Verdict, WorkerName,
    check, code,
};
use crate::{Duration, Instant, hex};
use alloc::sync::Arc;
use alloc::vec::Vec;
use heapless::String;

/// Version bits that miners may roll when no pool has said otherwise (BIP 320).
pub const USUAL_MASK: u32 = 0x1fff_e000;
/// Shares of one miner that wait for their verdict at a time.
pub const MAX_IN_FLIGHT: usize = 16;
/// A share without a verdict for so long is answered as unknown.
pub const VERDICT_WITHIN: Duration = Duration::from_secs(30);
const MAX_ID: usize = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    Subscribed,
    Authorized,
    Working,
}

/// What the caller has to do after a line.
#[derive(Clone, Debug)]
pub enum Step {
    /// Nothing beyond sending [`MinerSession::output`].
    Done,
    /// The worker's name is known now.
    Named,
    /// Pass it to the link of its job; the verdict comes back by its token.
    Submit(Submit),
    /// A share was answered here; count it.
    Judged(Judged),
    /// Close after sending the output. The text is for the log.
    Close(&'static str),
}

/// A share that got its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The link of the share's job, if the job is known.
    pub link: Option<LinkId>,
    /// The work it stands for: what the miner was asked for. 0 if no job was named.
    pub difficulty: f64,
    /// What the pool asks of this job, and credits for an accepted share.
    pub pool_difficulty: f64,
    pub outcome: Outcome,
    pub by: Judge,
}

impl Judged {
    /// Was the work really done, whatever became of it? A hashrate is the sum of these.
    pub const fn is_work(&self) -> bool {
        match self.outcome {
            Outcome::Accepted | Outcome::Local | Outcome::Unknown | Outcome::Lost => true,
            // A pool only gets to refuse what was checked here before.
            Outcome::Rejected | Outcome::Stale => matches!(self.by, Judge::Pool),
        }
    }
}

/// Whose word it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    Pool,
    Appliance,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The pool's word, nobody else's.
    Accepted,
    /// Good for the miner's difficulty and below the pool's: counted here, sent nowhere.
    Local,
    Rejected,
    Stale,
    /// Sent, but the pool never said what became of it.
    Unknown,
    /// Valid, but there was no pool to send it to.
    Lost,
}

#[derive(Clone, Debug)]
struct Pending {
    token: u32,
    id: String<MAX_ID>,
    since: Instant,
    link: LinkId,
    difficulty: f64,
}

/// Constant size but for the output buffer.
#[derive(Debug)]
pub struct MinerSession {
    state: State,
    seat: Seat,
    session_id: u32,
    worker: WorkerName,
    /// Names authorized before `worker` on the same connection.
    earlier: heapless::Vec<WorkerName, 3>,
    agent: String<48>,
    /// What the miner asked to roll; `None`: it did not ask.
    wants_mask: Option<u32>,
    told_mask: u32,
    told_difficulty: f64,
    seen_cleans: u64,
    seen_waits: u64,
    told_job: Option<JobId>,
    next_token: u32,
    pending: heapless::Vec<Pending, MAX_IN_FLIGHT>,
    seen: Seen,
    handshake_until: Instant,
    output: Vec<u8>,
}

impl MinerSession {
    pub fn new(seat: Seat, session_id: u32, handshake_until: Instant) -> Self {
        Self {
            state: State::Fresh,
            seat,
            session_id,
            worker: WorkerName::new(),
            earlier: heapless::Vec::new(),
            agent: String::new(),
            wants_mask: None,
            told_mask: 0,
            told_difficulty: 0.0,
            seen_cleans: 0,
            seen_waits: 0,
            told_job: None,
            next_token: 0,
            pending: heapless::Vec::new(),
            seen: Seen::new(),
            handshake_until,
            output: Vec::new(),
        }
    }

    pub fn worker(&self) -> &str {
        &self.worker
    }

    pub fn agent(&self) -> &str {
        &self.agent
    }

    pub fn is_working(&self) -> bool {
        self.state == State::Working
    }

    /// The difficulty the miner works at, once it was told one.
    pub fn difficulty(&self) -> f64 {
        self.told_difficulty
    }

    /// Bytes to send; the caller clears them when sent.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// When [`MinerSession::tick`] wants to be called, if at all.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Fresh | State::Subscribed | State::Authorized => Some(self.handshake_until),
            State::Working => self
                .pending
                .first()
                .map(|first| first.since + VERDICT_WITHIN),
        }
    }

    /// Answer what waited too long. Call until it answers [`Step::Done`].
    pub fn tick(&mut self, now: Instant) -> Step {
        if self.state != State::Working {
            return if now >= self.handshake_until {
                Step::Close("no subscribe and authorize in time")
            } else {
                Step::Done
            };
        }
        match self.pending.first() {
            Some(first) if now >= first.since + VERDICT_WITHIN => {
                let token = first.token;
                match self.verdict(token, &Verdict::Unknown("the pool did not answer in time")) {
                    Some(judged) => Step::Judged(judged),
                    None => Step::Done,
                }
            }
            Some(_) | None => Step::Done,
        }
    }

    /// Write what the board has new for this miner: nothing, if it was told.
    pub fn show(&mut self, board: &Board) {
        if self.state != State::Working {
            return;
        }
        let (Some(job), Some(line)) = (board.current(), board.line(self.seat.group)) else {
            return self.show_waiting(board);
        };
        if self.told_job == Some(job.id) {
            return;
        }
        if let Some(wanted) = self.wants_mask
            && self.told_mask != wanted & job.version_mask
        {
            self.told_mask = wanted & job.version_mask;
            self.output
                .extend_from_slice(br#"{"id":null,"method":"mining.set_version_mask","params":[""#);
            hex::push_number(&mut self.output, self.told_mask);
            self.output.extend_from_slice(b"\"]}\n");
        }
        // S19-class firmware misjudges shares when the difficulty changes without
        // a clean job; and one that missed a clean job still has to drop its work.
        let harder_or_easier = self.told_difficulty != job.difficulty;
        let clean =
            self.told_job.is_none() || self.seen_cleans != board.cleans() || harder_or_easier;
        if harder_or_easier {
            self.told_difficulty = job.difficulty;
            self.push_difficulty();
        }
        self.told_job = Some(job.id);
        self.seen_cleans = board.cleans();
        self.output.extend_from_slice(line);
        self.output
            .extend_from_slice(if clean { b"true]}\n" } else { b"false]}\n" });
    }

    /// Clients leave a pool that says nothing for 90 s or more. What they are told
    /// while there is no work must be true and must be no job: the difficulty they
    /// know already, or a message where none was told yet.
    fn show_waiting(&mut self, board: &Board) {
        if core::mem::replace(&mut self.seen_waits, board.waits()) == board.waits() {
            return;
        }
        if self.told_difficulty > 0.0 {
            self.push_difficulty();
        } else {
            self.output.extend_from_slice(
                br#"{"id":null,"method":"client.show_message","params":["no pool can be reached, waiting for one"]}"#,
            );
            self.output.push(b'\n');
        }
    }

    fn push_difficulty(&mut self) {
        let out = &mut self.output;
        out.extend_from_slice(br#"{"id":null,"method":"mining.set_difficulty","params":["#);
        message::push_display(out, self.told_difficulty);
        out.extend_from_slice(b"]}\n");
    }

    pub fn line(&mut self, line: &[u8], board: &Board, now: Instant) -> Step {
        let Some(message) = Message::parse(line) else {
            return Step::Close("a line that is not JSON-RPC");
        };
        let Some(method) = &message.method else {
            // An answer to something we sent: nothing we send needs one.
            return Step::Done;
        };
        let id = message.id.map_or("null", |id| id.get());
        match &*method.0 {
            "mining.submit" => self.submit(id, &message, board, now),
            "mining.subscribe" => self.subscribe(id, &message, board),
            "mining.authorize" => self.authorize(id, &message, board),
            "mining.configure" => self.configure(id, &message, board),
            // We never change the extranonce, and the difficulty is the pool's.
            "mining.extranonce.subscribe"
            | "mining.suggest_difficulty"
            | "mining.suggest_target"
            | "mining.multi_version" => self.answer(id, "true"),
            "mining.get_transactions" => self.answer(id, "[]"),
            "mining.ping" => self.answer(id, "\"pong\""),
            _ => {
                message::push_error(&mut self.output, id, code::OTHER, "method not known");
                Step::Done
            }
        }
    }

    fn answer(&mut self, id: &str, result: &str) -> Step {
        message::push_result(&mut self.output, id, result);
        Step::Done
    }

    fn subscribe(&mut self, id: &str, message: &Message<'_>, board: &Board) -> Step {
        let params: Strings<'_, 2> = message.params().unwrap_or_default();
        self.agent = shorten(params.get(0).unwrap_or(""));
        let out = &mut self.output;
        out.extend_from_slice(b"{\"id\":");
        out.extend_from_slice(id.as_bytes());
        out.extend_from_slice(br#","result":[[["mining.set_difficulty",""#);
        hex::push_number(out, self.session_id);
        out.extend_from_slice(br#""],["mining.notify",""#);
        hex::push_number(out, self.session_id);
        out.extend_from_slice(br#""]],""#);
        hex::push(out, &[self.seat.prefix]);
        out.extend_from_slice(br#"","#);
        message::push_display(out, MINER_SIZE);
        out.extend_from_slice(b"],\"error\":null}\n");
        self.state = match self.state {
            State::Fresh | State::Subscribed => State::Subscribed,
            State::Authorized | State::Working => State::Working,
        };
        // Whoever subscribes starts afresh.
        self.told_job = None;
        self.told_difficulty = 0.0;
        self.show(board);
        Step::Done
    }

    fn authorize(&mut self, id: &str, message: &Message<'_>, board: &Board) -> Step {
        let params: Strings<'_, 2> = message.params().unwrap_or_default();
        let name = worker_name(params.get(0).unwrap_or(""));
        if !self.authorizes(&name) {
            let text = "too many workers on one connection";
            message::push_error(&mut self.output, id, code::UNAUTHORIZED, text);
            return Step::Done;
        }
        message::push_result(&mut self.output, id, "true");
        self.state = match self.state {
            State::Fresh | State::Authorized => State::Authorized,
            State::Subscribed | State::Working => State::Working,
        };
        self.show(board);
        Step::Named
    }

    /// Take the name; several may be authorized on one connection.
    fn authorizes(&mut self, name: &WorkerName) -> bool {
        if !self.worker.is_empty() && !self.may_submit_as(name) {
            let before = core::mem::take(&mut self.worker);
            if let Err(before) = self.earlier.push(before) {
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
        self.worker == *name || self.earlier.contains(name)
    }

    /// BIP 310: every extension that was asked for is answered.
    fn configure(&mut self, id: &str, message: &Message<'_>, board: &Board) -> Step {
        #[derive(Default, serde::Deserialize)]
        struct Options<'a> {
            #[serde(borrow, default, rename = "version-rolling.mask")]
            mask: Option<message::Text<'a>>,
        }
        let parts: Vec<&serde_json::value::RawValue> = message.params().unwrap_or_default();
        let part = |index: usize| parts.get(index).map_or("null", |raw| raw.get());
        let asked: Strings<'_, 8> = serde_json::from_str(part(0)).unwrap_or_default();
        let options: Options<'_> = serde_json::from_str(part(1)).unwrap_or_default();
        let out = &mut self.output;
        out.extend_from_slice(b"{\"id\":");
        out.extend_from_slice(id.as_bytes());
        out.extend_from_slice(b",\"result\":{");
        for (index, name) in asked.0.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            message::push_string(out, &name.0);
            if name.0 == "version-rolling" {
                let wanted = options
                    .mask
                    .as_ref()
                    .and_then(|mask| hex::number(&mask.0))
                    .unwrap_or(u32::MAX);
                let pool = board.current().map_or(USUAL_MASK, |job| job.version_mask);
                self.wants_mask = Some(wanted);
                self.told_mask = wanted & pool;
                out.extend_from_slice(br#":true,"version-rolling.mask":""#);
                hex::push_number(out, self.told_mask);
                out.push(b'"');
            } else {
                // `subscribe-extranonce` holds trivially: it never changes.
                let known = matches!(&*name.0, "subscribe-extranonce" | "info");
                out.extend_from_slice(if known { b":true" } else { b":false" });
            }
        }
        out.extend_from_slice(b"},\"error\":null}\n");
        Step::Done
    }

    fn submit(&mut self, id: &str, message: &Message<'_>, board: &Board, now: Instant) -> Step {
        match self.state {
            State::Working => {}
            State::Fresh | State::Authorized => {
                return self.refuse(
                    id,
                    None,
                    &Reject::new(code::NOT_SUBSCRIBED, "not subscribed"),
                );
            }
            State::Subscribed => {
                return self.refuse(id, None, &Reject::new(code::UNAUTHORIZED, "unauthorized"));
            }
        }
        if id.len() > MAX_ID {
            let text = "the id is too long to keep";
            return self.refuse(id, None, &Reject::new(code::OTHER, text));
        }
        let params: Strings<'_, 6> = message.params().unwrap_or_default();
        let worker = worker_name(params.get(0).unwrap_or(""));
        if !self.may_submit_as(&worker) {
            let text = "worker is not authorized here";
            return self.refuse(id, None, &Reject::new(code::UNAUTHORIZED, text));
        }
        let (job, claim) = match self.claim(&params, board) {
            Ok(found) => found,
            Err(reject) => return self.refuse(id, None, &reject),
        };
        let checked = match check(&job, &claim) {
            Ok(checked) => checked,
            Err(reject) => return self.refuse(id, Some(&job), &reject),
        };
        if !self.seen.insert(&checked.identity) {
            return self.refuse(
                id,
                Some(&job),
                &Reject::new(code::DUPLICATE, "duplicate share"),
            );
        }
        let Some(token) = self.remember(id, &job, now) else {
            let text = "too many shares are waiting for the pool";
            message::push_error(&mut self.output, id, code::OTHER, text);
            // It is valid work that no pool saw, and no pool refused it.
            return Step::Judged(Judged {
                link: Some(job.link),
                difficulty: job.difficulty,
                pool_difficulty: job.difficulty,
                outcome: Outcome::Lost,
                by: Judge::Appliance,
            });
        };
        Step::Submit(Submit {
            token,
            worker,
            version_bits: (job.version_mask != 0 && rolls(&params)).then_some(claim.version_bits),
            job,
            extranonce2: checked.extranonce2,
            ntime: claim.ntime,
            nonce: claim.nonce,
        })
    }

    fn claim(&self, params: &Strings<'_, 6>, board: &Board) -> Result<(Arc<Job>, Claim), Reject> {
        let malformed = |text| Reject::new(code::OTHER, text);
        let id = params.get(1).and_then(hex::number);
        let Some(job) = id.and_then(|id| board.find(id)) else {
            return Err(Reject::new(code::STALE, "job not found"));
        };
        let rolled = params
            .get(2)
            .and_then(hex::array)
            .ok_or_else(|| malformed("extranonce2 must be 3 bytes of hex"))?;
        let word = |index| params.get(index).and_then(hex::number);
        let bits = match params.get(5) {
            None | Some("") => 0,
            Some(text) => hex::number(text).ok_or_else(|| malformed("version bits are not hex"))?,
        };
        Ok((
            job.clone(),
            Claim {
                seat: self.seat,
                rolled,
                ntime: word(3).ok_or_else(|| malformed("ntime is not 4 bytes of hex"))?,
                nonce: word(4).ok_or_else(|| malformed("nonce is not 4 bytes of hex"))?,
                version_bits: bits,
                // A miner that sends no bits hashed the job's version as it is.
                mask: if rolls(params) {
                    self.wants_mask.unwrap_or(0)
                } else {
                    0
                },
            },
        ))
    }

    fn remember(&mut self, id: &str, job: &Job, now: Instant) -> Option<u32> {
        let token = self.next_token;
        // Long ids were refused before.
        let id = String::try_from(id).ok()?;
        self.pending
            .push(Pending {
                token,
                id,
                since: now,
                link: job.link,
                difficulty: job.difficulty,
            })
            .ok()?;
        self.next_token = token.wrapping_add(1);
        Some(token)
    }

    fn refuse(&mut self, id: &str, job: Option<&Arc<Job>>, reject: &Reject) -> Step {
        message::push_error(&mut self.output, id, reject.code, &reject.text);
        Step::Judged(Judged {
            link: job.map(|job| job.link),
            difficulty: job.map_or(0.0, |job| job.difficulty),
            pool_difficulty: job.map_or(0.0, |job| job.difficulty),
            outcome: outcome(reject),
            by: Judge::Appliance,
        })
    }

    /// The pool's answer to a submit. `None`: it was answered before.
    pub fn verdict(&mut self, token: u32, verdict: &Verdict) -> Option<Judged> {
        let index = self.pending.iter().position(|entry| entry.token == token)?;
        let entry = self.pending.remove(index);
        let by = match verdict {
            Verdict::Accepted | Verdict::Rejected(_) => Judge::Pool,
            Verdict::Unknown(_) | Verdict::Unsent(_) => Judge::Appliance,
        };
        let outcome = match verdict {
            Verdict::Accepted => {
                message::push_result(&mut self.output, &entry.id, "true");
                Outcome::Accepted
            }
            Verdict::Rejected(reject) => {
                message::push_error(&mut self.output, &entry.id, reject.code, &reject.text);
                outcome(reject)
            }
            Verdict::Unknown(why) => {
                message::push_error(&mut self.output, &entry.id, code::OTHER, why);
                Outcome::Unknown
            }
            Verdict::Unsent(why) => {
                message::push_error(&mut self.output, &entry.id, code::OTHER, why);
                Outcome::Lost
            }
        };
        Some(Judged {
            link: Some(entry.link),
            difficulty: entry.difficulty,
            pool_difficulty: entry.difficulty,
            outcome,
            by,
        })
    }

    /// A submit could not be handed to its link.
    pub fn undeliverable(&mut self, token: u32, why: &'static str) -> Option<Judged> {
        self.verdict(token, &Verdict::Unsent(why))
    }
}

/// Does the submit carry version bits?
fn rolls(params: &Strings<'_, 6>) -> bool {
    params.get(5).is_some_and(|bits| !bits.is_empty())
}

const fn outcome(reject: &Reject) -> Outcome {
    match reject.code {
        code::STALE => Outcome::Stale,
        _ => Outcome::Rejected,
    }
}

fn shorten<const N: usize>(text: &str) -> String<N> {
    let mut short = String::new();
    for character in text.chars().filter(|c| !c.is_control()) {
        if short.push(character).is_err() {
            break;
        }
    }
    short
}

/// The part after the first dot of `account.worker`, or all of it. Characters
/// that some pool would stumble over become `_`; `%2e` and the like, which some
/// firmware sends, are decoded.
pub fn worker_name(user: &str) -> WorkerName {
    let mut decoded: String<256> = String::new();
    let mut rest = user;
    while let Some(first) = rest.chars().next() {
        let escape = rest.strip_prefix('%').and_then(|code| code.get(..2));
        let (character, length) = match escape.and_then(hex::array::<1>) {
            Some([byte]) => (char::from(byte), 3),
            None => (first, first.len_utf8()),
        };
        rest = &rest[length..];
        let plain = character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_');
        if decoded.push(if plain { character } else { '_' }).is_err() {
            break;
        }
    }
    let name = decoded
        .split_once('.')
        .map_or(&*decoded, |(_, worker)| worker);
    let name = if name.is_empty() { "worker" } else { name };
    shorten(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worker_names_follow_the_fields_convention() {
        assert_eq!(worker_name("bc1qxyz.rig07"), "rig07");
        assert_eq!(worker_name("rig07"), "rig07");
        assert_eq!(worker_name("acc.barn.rig07"), "barn.rig07");
        assert_eq!(worker_name("acc%2Erig%207"), "rig_7");
        assert_eq!(worker_name("acc.r\u{e9}g\"1"), "r_g_1");
        assert_eq!(worker_name(""), "worker");
        assert_eq!(worker_name("acc."), "worker");
        assert_eq!(worker_name("100%"), "100_");
        assert_eq!(worker_name(&"x".repeat(500)).len(), 63);
    }
}
