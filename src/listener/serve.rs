//! What is done with a miner's line, a new board, a pool's verdict.

use super::guest::{Ended, gone};
use super::inbox::Admitted;
use super::outbox::Refused;
use super::reactor::Reactor;
use super::{Delivery, Published};
use crate::registry::Miner;
use crate::workers::Admission;
use smart_mining_core::Instant;
use smart_mining_core::line::{MINER_LINE, Unfinished};
use smart_mining_core::share::{Flight, LinkId, Submit, Token, Verdict, WorkerName};
use smart_mining_core::sv1::miner::{Shown, VERDICT_WITHIN};
use smart_mining_core::sv1::{Credentials, Judged, Share, Step, conclude};
use std::sync::Arc;

/// In a small farm each pool knows every worker before its first share. In a large
/// one a name is told with its first share: thousands at once would cost more than
/// the shares do.
const INTRODUCED_AHEAD: usize = 128;

/// Shares that are handed over at a time: a long round must not hold them back.
const BATCH: usize = 64;

/// Whose share it is, and where it is booked, also if the miner is gone by then.
pub(super) struct Owner {
    key: usize,
    serial: u64,
    miner: Arc<Miner>,
    worker: WorkerName,
    pool: Arc<str>,
}

impl Reactor {
    /// Bytes of one guest. What it is to hear is written to `out`.
    pub(super) fn take(&mut self, key: usize, bytes: &[u8]) -> Result<(), Ended> {
        let Some(guest) = self.guests.get_mut(key) else {
            return Ok(());
        };
        let mut unfinished = std::mem::replace(&mut guest.unfinished, Unfinished::new());
        let now = self.clock.now();
        let mut outcome = Ok(());
        let lines = unfinished.feed(bytes, MINER_LINE, |line| {
            outcome = self.line(key, line, now);
            outcome.is_ok()
        });
        self.guests[key].unfinished = unfinished;
        outcome?;
        lines.map_err(|too_long| Ended::Junk(too_long.to_string()))?;
        self.catch_up(key);
        Ok(())
    }

    /// What it may see now that it could not before.
    fn catch_up(&mut self, key: usize) {
        // One that does not take what it is sent sees the newest when it does.
        if !self.guests[key].is_stalled() {
            self.show(key);
        }
        if self.guests.len() <= INTRODUCED_AHEAD {
            self.introduce(key);
        }
    }

    fn line(&mut self, key: usize, line: &[u8], now: Instant) -> Result<(), Ended> {
        let board = &*self.published.board;
        let session = &mut self.guests[key].session;
        match session.line(line, board, now, &mut self.out) {
            Step::Done => {}
            Step::Authorize(credentials) => self.authorize(key, credentials, now),
            Step::Submit(share) => self.deliver(key, share, now),
            Step::Judged(judged) => self.count(key, &judged, now),
            Step::Close(why) => return Err(Ended::Junk(why.to_owned())),
        }
        Ok(())
    }

    fn authorize(&mut self, key: usize, credentials: Credentials, now: Instant) {
        let guest = &mut self.guests[key];
        let (worker, password) = (&*credentials.worker, &*credentials.password);
        let (address, serial) = (guest.address.ip(), guest.serial);
        match self.workers.judge(worker, password, address, now) {
            Admission::Welcome => self.admit(key, &credentials),
            Admission::Refused(why) => {
                guest.turned_away = true;
                (guest.session).turn_away(&credentials, why, &mut self.out);
            }
            Admission::Later => {
                let (inbox, asked) = (self.inbox.clone(), credentials.clone());
                let answer = Box::new(move |outcome| {
                    inbox.admit(Admitted {
                        key,
                        serial,
                        credentials: asked,
                        outcome,
                    });
                });
                self.workers.ask(worker, password, address, answer);
            }
        }
    }

    fn admit(&mut self, key: usize, credentials: &Credentials) {
        let guest = &mut self.guests[key];
        if guest.session.admit(credentials, &mut self.out) {
            guest
                .miner
                .named(guest.session.worker(), guest.session.agent());
        }
    }

    /// What became of a password that had to be hashed.
    pub(super) fn admitted(&mut self, admitted: &Admitted) {
        let (key, credentials) = (admitted.key, &admitted.credentials);
        let Some(guest) = self.guests.get_mut(key) else {
            return;
        };
        if guest.serial != admitted.serial {
            return;
        }
        match admitted.outcome {
            Ok(()) => self.admit(key, credentials),
            Err(why) => {
                guest.turned_away = true;
                guest.session.turn_away(credentials, why, &mut self.out);
            }
        }
        self.guarded(key, |reactor| {
            reactor.catch_up(key);
            reactor.flush_or_leave(key);
        });
    }

    // --- shares ---

    fn deliver(&mut self, key: usize, share: Share, now: Instant) {
        let guest = &self.guests[key];
        let link = share.job.link;
        let handle = self.published.links.get(&link);
        let owner = Owner {
            key,
            serial: guest.serial,
            miner: guest.miner.clone(),
            worker: share.worker.clone(),
            pool: handle.map_or(&self.nobody, |handle| &handle.pool).clone(),
        };
        let flight = Flight {
            owner,
            id: share.id,
            link,
            difficulty: share.difficulty,
            pool_difficulty: share.job.difficulty,
            since: now,
        };
        let token = match self.flights.open(flight) {
            Ok(token) => token,
            Err(flight) => {
                let verdict = Verdict::Unsent("too many shares are waiting for pools");
                return self.conclude(flight, &verdict, now);
            }
        };
        let submit = Submit {
            token,
            worker: share.worker,
            job: share.job,
            extranonce2: share.extranonce2,
            ntime: share.ntime,
            nonce: share.nonce,
            version_bits: share.version_bits,
        };
        if self.batch_for != link || self.batch.len() >= BATCH {
            self.post_batch();
            self.batch_for = link;
        }
        self.batch.push(Delivery::Share(submit));
    }

    /// Hand the shares of this round to their link, and answer those it does not take.
    pub(super) fn post_batch(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let handle = self.published.links.get(&self.batch_for);
        let why = match handle.map(|handle| handle.outbox.post(&mut self.batch)) {
            Some(Ok(())) => return,
            None => "its pool is gone",
            Some(Err(Refused::Full)) => "the pool's connection is overloaded",
            Some(Err(Refused::Closed)) => "the connection to its pool is lost",
        };
        let mut refused = std::mem::take(&mut self.batch);
        // What is being written to one guest must not go to another.
        let written = std::mem::take(&mut self.out);
        let now = self.clock.now();
        for delivery in refused.drain(..) {
            if let Delivery::Share(submit) = delivery {
                self.judged(submit.token, &Verdict::Unsent(why), now);
            }
        }
        self.out = written;
        self.batch = refused;
    }

    /// A link's answer. It may come when the miner is gone: it is booked all the same.
    pub(super) fn judged(&mut self, token: Token, verdict: &Verdict, now: Instant) {
        let Some(flight) = self.flights.close(token) else {
            return;
        };
        self.answer(flight, verdict, now);
    }

    /// Book it, and send the answer at once.
    fn answer(&mut self, flight: Flight<Owner>, verdict: &Verdict, now: Instant) {
        let key = flight.owner.key;
        self.guarded(key, |reactor| {
            reactor.conclude(flight, verdict, now);
            reactor.flush_or_leave(key);
        });
    }

    pub(super) fn give_up_overdue(&mut self, now: Instant) {
        for flight in self.flights.overdue(VERDICT_WITHIN, now) {
            let verdict = Verdict::Unknown("the pool did not answer in time");
            self.answer(flight, &verdict, now);
        }
    }

    /// Book a share that left for a pool, and write its answer if its miner is there.
    fn conclude(&mut self, flight: Flight<Owner>, verdict: &Verdict, now: Instant) {
        let before = self.out.len();
        let judged = conclude(&flight, verdict, &mut self.out);
        let owner = flight.owner;
        match self.guests.get_mut(owner.key) {
            Some(guest) if guest.serial == owner.serial => guest.session.answered(),
            Some(_) | None => self.out.truncate(before),
        }
        owner.miner.judged(&judged, now);
        self.ledger
            .add(self.algorithm, &owner.worker, &owner.pool, &judged, now);
    }

    /// A share that was answered here.
    fn count(&self, key: usize, judged: &Judged, now: Instant) {
        let guest = &self.guests[key];
        guest.miner.judged(judged, now);
        let handle = judged.link.and_then(|link| self.published.links.get(&link));
        let pool = handle.map_or(&self.nobody, |handle| &handle.pool);
        self.ledger
            .add(self.algorithm, guest.session.worker(), pool, judged, now);
    }

    // --- boards ---

    /// A new board: every miner hears of it before anything else is done.
    pub(super) fn show_all(&mut self, published: Published) {
        self.published = published;
        self.dedicated.renew(&self.published.board);
        let ahead = self.guests.len() <= INTRODUCED_AHEAD;
        // Keys may have holes; they are not more than ever were guests at a time.
        for key in 0..self.guests.capacity() {
            match self.guests.get(key) {
                Some(guest) if !guest.is_stalled() => {}
                Some(_) | None => continue,
            }
            self.show_newest(key);
            if ahead {
                self.introduce(key);
            }
        }
    }

    /// Miners that did not say in time that they know `mining.set_extranonce`.
    pub(super) fn show_who_hesitated(&mut self, now: Instant) {
        let due = self.guests.iter().filter(|(_, guest)| {
            let until = guest.session.hesitates_until();
            until.is_some_and(|until| now >= until) && !guest.is_stalled()
        });
        for key in due.map(|(key, _)| key).collect::<Vec<_>>() {
            self.show_newest(key);
        }
    }

    /// What the board has new for this guest, sent at once.
    pub(super) fn show_newest(&mut self, key: usize) {
        self.guarded(key, |reactor| {
            reactor.show(key);
            reactor.flush_or_leave(key);
        });
    }

    /// Where each connection to the pool serves one miner: which is this one's.
    pub(super) fn place(&mut self, key: usize) {
        let board = &*self.published.board;
        if board.has_dedicated()
            && let Some(guest) = self.guests.get_mut(key)
        {
            let held = guest.session.spot().link;
            let berth = self.dedicated.place(board, key, held);
            guest.session.set_berth(berth);
        }
    }

    fn show(&mut self, key: usize) {
        self.place(key);
        let Some(guest) = self.guests.get_mut(key) else {
            return;
        };
        let before = guest.session.difficulty();
        let (board, now) = (&*self.published.board, self.clock.now());
        let shown = guest
            .session
            .show(board, &mut self.renderings, now, &mut self.out);
        if shown == Shown::Reconnect {
            self.door.asked_to_reconnect(guest.address);
            let why = gone("asked to reconnect for another extranonce");
            self.leaving.push((key, why));
        }
        if guest.session.difficulty() != before {
            guest.miner.difficulty(guest.session.difficulty());
        }
    }

    /// Tell each new pool of this worker before its first share comes.
    fn introduce(&mut self, key: usize) {
        let Some(guest) = self.guests.get_mut(key) else {
            return;
        };
        let current = self.published.board.current(guest.session.spot());
        let link: Option<LinkId> = current.map(|job| job.link);
        if !guest.session.is_working() || link.is_none() || link == guest.introduced {
            return;
        }
        if let Some(handle) = link.and_then(|link| self.published.links.get(&link)) {
            let worker = guest.session.worker().clone();
            // If there is no room the first share introduces the worker.
            handle.outbox.post_if_room(Delivery::Introduce(worker));
            guest.introduced = link;
        }
    }
}
