//! `mining.submit`: state, worker, job, form, version bits, proof of work,
//! duplicate, room, in this order.

use super::{Judge, Judged, MAX_IN_FLIGHT, MinerSession, Outcome, State, Step, worker_name};
use crate::hex;
use crate::share::{
    Board, Checked, Claim, Job, MINER_SIZE, Reject, RequestId, WorkerName, check, code,
};
use crate::sv1::message::{self, Message, Strings};
use alloc::sync::Arc;
use alloc::vec::Vec;

pub(super) const ID_TOO_LONG: &str = "the id is too long to keep";

type Params<'a> = Strings<'a, 6>;

/// A share that the pool has to judge.
#[derive(Clone, Debug)]
pub struct Share {
    pub id: RequestId,
    pub worker: WorkerName,
    pub job: Arc<Job>,
    /// What the miner was asked for.
    pub difficulty: f64,
    /// As the pool sees it, see [`crate::share::Split::extranonce2`].
    pub extranonce2: heapless::Vec<u8, 16, u8>,
    pub ntime: u32,
    pub nonce: u32,
    /// Only where the pool agreed to version rolling.
    pub version_bits: Option<u32>,
}

/// A refusal, and the job if it is known.
type Refusal = (Option<Arc<Job>>, Reject);

impl MinerSession {
    pub(super) fn submit(
        &mut self,
        id: &str,
        message: &Message<'_>,
        board: &Board,
        out: &mut Vec<u8>,
    ) -> Step {
        let examined = match RequestId::try_from(id) {
            Ok(id) => self.examine(id, message, board, out),
            Err(_) => Err((None, Reject::new(code::OTHER, ID_TOO_LONG))),
        };
        examined.unwrap_or_else(|(job, reject)| {
            message::push_error(out, id, reject.code, &reject.text);
            self.judged(job.as_deref(), Outcome::of_reject(&reject))
        })
    }

    fn examine(
        &mut self,
        id: RequestId,
        message: &Message<'_>,
        board: &Board,
        out: &mut Vec<u8>,
    ) -> Result<Step, Refusal> {
        self.may_submit().map_err(|reject| (None, reject))?;
        let params: Params<'_> = message.params().unwrap_or_default();
        let (worker, job, claim) = self.claim(&params, board).map_err(|why| (None, why))?;
        let refused = |reject| (Some(job.clone()), reject);
        let checked = check(&job, &claim).map_err(refused)?;
        if !self.seen.insert(&checked.identity) {
            return Err(refused(Reject::new(code::DUPLICATE, "duplicate share")));
        }
        self.vardiff.share(claim.asked);
        if !checked.pays {
            message::push_result(out, &id, "true");
            return Ok(self.judged(Some(&job), Outcome::Local));
        }
        if self.in_flight >= MAX_IN_FLIGHT {
            // It is valid work that no pool saw, and no pool refused it.
            let text = "too many shares are waiting for the pool";
            message::push_error(out, &id, code::OTHER, text);
            return Ok(self.judged(Some(&job), Outcome::Lost));
        }
        self.in_flight += 1;
        Ok(Step::Submit(share(
            id, worker, job, &params, &claim, checked,
        )))
    }

    fn may_submit(&self) -> Result<(), Reject> {
        match self.state {
            State::Working => Ok(()),
            State::Fresh | State::Admitted => {
                Err(Reject::new(code::NOT_SUBSCRIBED, "not subscribed"))
            }
            State::Subscribed => Err(Reject::new(code::UNAUTHORIZED, "unauthorized")),
        }
    }

    fn claim(
        &self,
        params: &Params<'_>,
        board: &Board,
    ) -> Result<(WorkerName, Arc<Job>, Claim), Reject> {
        let malformed = |text| Reject::new(code::OTHER, text);
        let worker = worker_name(params.get(0).unwrap_or(""));
        if !self.may_submit_as(&worker) {
            let text = "worker is not authorized here";
            return Err(Reject::new(code::UNAUTHORIZED, text));
        }
        let id = params.get(1).and_then(hex::number);
        let Some(job) = id.and_then(|id| board.find(id, self.spot())) else {
            return Err(Reject::new(code::STALE, "job not found"));
        };
        let rolled = rolled(params.get(2), job.split.rolled())
            .ok_or_else(|| malformed("extranonce2 is not hex of the size told"))?;
        let word = |index| params.get(index).and_then(hex::number);
        let bits = match params.get(5) {
            None | Some("") => 0,
            Some(text) => hex::number(text).ok_or_else(|| malformed("version bits are not hex"))?,
        };
        let claim = Claim {
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
            asked: self.asked_of(job),
        };
        Ok((worker, job.clone(), claim))
    }

    /// Answered here and now.
    fn judged(&self, job: Option<&Job>, outcome: Outcome) -> Step {
        Step::Judged(Judged {
            link: job.map(|job| job.link),
            difficulty: job.map_or(0.0, |job| self.asked_of(job)),
            pool_difficulty: job.map_or(0.0, |job| job.difficulty),
            outcome,
            by: Judge::Appliance,
        })
    }

    /// A share of this miner got its answer.
    pub const fn answered(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }
}

fn share(
    id: RequestId,
    worker: WorkerName,
    job: Arc<Job>,
    params: &Params<'_>,
    claim: &Claim,
    checked: Checked,
) -> Share {
    Share {
        id,
        worker,
        difficulty: claim.asked,
        version_bits: (job.version_mask != 0 && rolls(params)).then_some(claim.version_bits),
        job,
        extranonce2: checked.extranonce2,
        ntime: claim.ntime,
        nonce: claim.nonce,
    }
}

/// The part of the extranonce2 that the miner rolls.
fn rolled(text: Option<&str>, size: usize) -> Option<heapless::Vec<u8, MINER_SIZE, u8>> {
    let mut bytes = heapless::Vec::new();
    bytes.resize(size, 0).ok()?;
    hex::into_slice(text?, &mut bytes).then_some(bytes)
}

/// Does the submit carry version bits?
fn rolls(params: &Params<'_>) -> bool {
    params.get(5).is_some_and(|bits| !bits.is_empty())
}
