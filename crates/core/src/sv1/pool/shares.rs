//! Shares on their way to the pool and its verdicts on the way back.

use super::{Failure, PoolEvent, PoolSession, pulse::MUTE_AFTER};
use crate::share::{Submit, Verdict, WorkerName, code};
use crate::sv1::message::{self, Message};
use crate::sv1::reply;
use crate::{Duration, Instant, hex};
use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use hashbrown::HashMap;

/// Shares that wait for their verdict at a time.
pub const MAX_IN_FLIGHT: usize = 16 * 1024;
/// So many shares refused, for so long, and not one accepted between: whatever
/// its reason, this pool pays nothing.
pub const REFUSED_IN_A_ROW: u32 = 50;
pub const REFUSING_FOR: Duration = Duration::from_secs(30);
/// A single share that others overtook is given up after this.
const FORGET_AFTER: Duration = Duration::from_secs(40);

const MUTE_SHARES: usize = 3;

const NOT_LOGGED_IN: &str = "the connection to its pool is not up";
const TOO_MANY: &str = "the pool's connection takes no more shares";
const OTHER_SESSION: &str = "its pool has begun another session since";

#[derive(Debug)]
struct Flight {
    submit: Submit,
    sent: Instant,
    own_name: bool,
}

/// What was sent and not answered. Costs no allocation once it has grown.
#[derive(Debug, Default)]
pub(super) struct Flights {
    by_id: HashMap<u32, Flight>,
    /// In the order in which they were sent; some have been answered since.
    order: VecDeque<(u32, Instant)>,
}

impl Flights {
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    fn insert(&mut self, id: u32, flight: Flight) {
        self.order.push_back((id, flight.sent));
        self.by_id.insert(id, flight);
        // One that is never answered keeps its successors in the queue.
        if self.order.len() > 2 * MAX_IN_FLIGHT {
            let alive = &self.by_id;
            self.order.retain(|(id, _)| alive.contains_key(id));
        }
    }

    fn remove(&mut self, id: u32) -> Option<Flight> {
        let flight = self.by_id.remove(&id)?;
        while let Some((front, _)) = self.order.front()
            && !self.by_id.contains_key(front)
        {
            self.order.pop_front();
        }
        Some(flight)
    }

    fn oldest(&self) -> Option<(u32, Instant)> {
        self.order.front().copied()
    }
}

impl PoolSession {
    /// When the oldest share has waited too long, for one or another reason.
    pub(super) fn share_deadline(&self) -> Option<Instant> {
        let (_, sent) = self.flights.oldest()?;
        let forget = sent + FORGET_AFTER;
        Some(self.mute_at().map_or(forget, |mute| mute.min(forget)))
    }

    /// One share without an answer is an accident, several in a row are not.
    fn mute_at(&self) -> Option<Instant> {
        let (_, sent) = self.flights.oldest()?;
        (self.flights.len() >= MUTE_SHARES).then_some(sent.max(self.last_verdict) + MUTE_AFTER)
    }

    pub(super) fn tick_shares(&mut self, now: Instant) {
        while let Some((id, sent)) = self.flights.oldest() {
            if self.mute_at().is_some_and(|at| now >= at) {
                return self.fail(Failure::Mute);
            }
            if now < sent + FORGET_AFTER {
                return;
            }
            self.conclude(id, Verdict::Unknown("the pool did not answer in time"));
        }
    }

    /// Nobody will answer them any more.
    pub(super) fn give_up_shares(&mut self) {
        while let Some((id, _)) = self.flights.oldest() {
            self.conclude(
                id,
                Verdict::Unknown("the pool went away before it answered"),
            );
        }
    }

    fn conclude(&mut self, id: u32, verdict: Verdict) {
        if let Some(flight) = self.flights.remove(id) {
            self.events.push_back(PoolEvent::Verdict {
                token: flight.submit.token,
                verdict,
            });
        }
    }

    /// Send a share, or say why it cannot be sent now or ever.
    pub fn submit(&mut self, submit: Submit, now: Instant) -> Result<(), &'static str> {
        if !self.is_logged_in() {
            return Err(NOT_LOGGED_IN);
        }
        if self.split.as_ref() != Some(&submit.job.split) {
            return Err(OTHER_SESSION);
        }
        if self.flights.len() >= MAX_IN_FLIGHT {
            return Err(TOO_MANY);
        }
        self.introduce(&submit.worker);
        self.send(submit, true, now);
        Ok(())
    }

    /// Authorize a worker ahead of its first share.
    pub fn introduce(&mut self, worker: &WorkerName) {
        if !self.is_logged_in() || !self.names.may_introduce(worker) {
            return;
        }
        let id = self.fresh_id();
        let user = self.login.user_for(worker);
        self.request_authorize(id, &user);
        self.names.asked(id, worker, user);
    }

    fn send(&mut self, submit: Submit, by_own_name: bool, now: Instant) {
        let id = self.fresh_id();
        let own = self.names.own(&submit.worker).filter(|_| by_own_name);
        let own_name = own.is_some();
        let user = own.unwrap_or(self.names.of_connection());
        let out = &mut self.output;
        message::begin_request(out, id, "mining.submit");
        message::push_string(out, user);
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
        message::end_request(out);
        let flight = Flight {
            submit,
            sent: now,
            own_name,
        };
        self.flights.insert(id, flight);
        self.pulse.share_sent(now);
    }

    pub(super) fn judged(&mut self, id: u32, message: &Message<'_>, now: Instant) {
        let Some(flight) = self.flights.by_id.get(&id) else {
            return;
        };
        let verdict = reply::verdict(message);
        let name_refused = match &verdict {
            Verdict::Rejected(reject) => reject.code == code::UNAUTHORIZED,
            Verdict::Accepted | Verdict::Unknown(_) | Verdict::Unsent(_) => false,
        };
        if name_refused
            && flight.own_name
            && let Some(flight) = self.flights.remove(id)
        {
            // The pool said yes to the name and then refused its share before
            // looking at the work: send it once more under the login.
            self.names.only_the_login_counts();
            self.notice("takes shares under the connection's login only");
            return self.send(flight.submit, false, now);
        }
        self.last_verdict = now;
        let hopeless = self.weigh(&verdict, now);
        self.conclude(id, verdict);
        if let Some(words) = hopeless {
            self.fail(Failure::Refusing(self.words(&words, 120)));
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
