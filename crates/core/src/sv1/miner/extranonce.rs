//! What the miner hashes with besides the job, and how it learns of another.
//!
//! ```text
//!                a job that needs another
//!   as told ----------------------------------> set_extranonce, counts from this job
//!      |                                         (where the miner asked for that)
//!      `-> nothing is shown, for some ask late
//!             `-- 2 s after the subscribe -----> client.reconnect: the next connection
//!                                                begins with it
//! ```
//!
//! Most miners keep the same for their whole connection, see [`Extranonce::constant`].

use super::MinerSession;
use crate::share::{Berth, Board, Extranonce, Job, Manner, Spot};
use crate::sv1::message;
use crate::{Duration, Instant, hex};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Firmware that asks for `mining.set_extranonce` does so by then.
const ASKS_WITHIN: Duration = Duration::from_secs(2);

/// After the board was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Shown {
    Done,
    /// Ask again at [`MinerSession::hesitates_until`].
    Hesitates,
    /// The miner was asked to come again: close after sending the output.
    Reconnect,
}

impl MinerSession {
    pub fn spot(&self) -> Spot {
        Spot {
            group: self.seat.group,
            link: self.berth.map(|berth| berth.link),
        }
    }

    /// The connection that is this miner's own, where each serves one miner.
    pub const fn set_berth(&mut self, berth: Option<Berth>) {
        self.berth = berth;
    }

    /// Did another miner work on this job with the same extranonce?
    pub(super) fn is_spent(&self, job: &Job) -> bool {
        self.berth
            .is_some_and(|berth| berth.link == job.link && berth.spent == Some(job.id))
    }

    /// What a new subscription begins with.
    pub(super) fn begin_extranonce(&mut self, board: &Board, now: Instant) -> Extranonce {
        self.asks_until = now + ASKS_WITHIN;
        let job = board.current(self.spot());
        let wanted = job.and_then(|job| job.extranonce(self.seat, self.manner));
        let wanted = wanted.unwrap_or_else(|| Extranonce::constant(self.seat));
        self.keep(wanted.clone());
        wanted
    }

    /// Does the miner hash with what this job needs?
    pub(super) fn fits(&self, job: &Job) -> bool {
        match &self.extranonce {
            None if !job.split.is_told(self.manner) => true,
            None => job
                .extranonce(self.seat, self.manner)
                .is_none_or(|wanted| wanted == Extranonce::constant(self.seat)),
            Some(told) => job
                .extranonce(self.seat, self.manner)
                .is_none_or(|wanted| wanted == **told),
        }
    }

    /// When to show the board again although there is nothing new on it.
    pub const fn hesitates_until(&self) -> Option<Instant> {
        match self.hesitates {
            true => Some(self.asks_until),
            false => None,
        }
    }

    /// Tell it what this job needs. [`Shown::Done`]: the job can follow.
    pub(super) fn change_extranonce(
        &mut self,
        job: &Job,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Shown {
        let Some(wanted) = job.extranonce(self.seat, self.manner) else {
            return Shown::Done;
        };
        self.hesitates = !self.hears_extranonce && now < self.asks_until;
        if self.hesitates {
            return Shown::Hesitates;
        }
        if !self.hears_extranonce || self.manner == Manner::Reconnect {
            out.extend_from_slice(br#"{"id":null,"method":"client.reconnect","params":[]}"#);
            out.push(b'\n');
            return Shown::Reconnect;
        }
        out.extend_from_slice(br#"{"id":null,"method":"mining.set_extranonce","params":[""#);
        hex::push(out, &wanted.first);
        out.extend_from_slice(b"\",");
        message::push_display(out, wanted.size);
        out.extend_from_slice(b"]}\n");
        self.keep(wanted);
        Shown::Done
    }

    fn keep(&mut self, told: Extranonce) {
        let is_constant = told == Extranonce::constant(self.seat);
        self.extranonce = (!is_constant).then(|| Box::new(told));
    }
}
