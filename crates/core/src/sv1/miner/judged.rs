//! A share that got its answer, and what the answer says to the miner.

use crate::share::{Flight, LinkId, Reject, Verdict, code};
use crate::sv1::message;
use alloc::vec::Vec;

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

impl Outcome {
    pub(super) const fn of_reject(reject: &Reject) -> Self {
        match reject.code {
            code::STALE => Self::Stale,
            _ => Self::Rejected,
        }
    }
}

/// Answer a share that was sent to a pool. `true` is written for
/// [`Verdict::Accepted`] and for nothing else that comes this way.
pub fn conclude<R>(flight: &Flight<R>, verdict: &Verdict, out: &mut Vec<u8>) -> Judged {
    let (outcome, by) = match verdict {
        Verdict::Accepted => {
            message::push_result(out, &flight.id, "true");
            (Outcome::Accepted, Judge::Pool)
        }
        Verdict::Rejected(reject) => {
            message::push_error(out, &flight.id, reject.code, &reject.text);
            (Outcome::of_reject(reject), Judge::Pool)
        }
        Verdict::Unknown(why) => {
            message::push_error(out, &flight.id, code::OTHER, why);
            (Outcome::Unknown, Judge::Appliance)
        }
        Verdict::Unsent(why) => {
            message::push_error(out, &flight.id, code::OTHER, why);
            (Outcome::Lost, Judge::Appliance)
        }
    };
    Judged {
        link: Some(flight.link),
        difficulty: flight.difficulty,
        pool_difficulty: flight.pool_difficulty,
        outcome,
        by,
    }
}
