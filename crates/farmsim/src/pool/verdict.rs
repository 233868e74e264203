//! The verdict on a share: the coinbase, merkle root and header are really
//! built and hashed.

use serde_json::Value;

use super::config::PerWorkerAuthorize;
use super::floor::Floor;
use super::mode::Mode;
use super::session::Session;
use super::{DUPLICATE, LOW_DIFFICULTY, OTHER, STALE, UNAUTHORIZED};
use crate::hex;
use crate::pow::{Hash, Target, header_hash};
use crate::work::{Notify, Solution};

/// How far a miner may roll the time forward, in seconds (ckpool's limit).
const NTIME_AHEAD: u32 = 7000;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rejection {
    pub code: i64,
    pub text: String,
}

impl Rejection {
    pub(super) fn new(code: i64, text: &str) -> Self {
        Self {
            code,
            text: text.to_owned(),
        }
    }
}

/// A share that is worth its difficulty.
pub(super) struct ValidShare {
    pub hash: Hash,
    pub difficulty: f64,
    pub block: bool,
}

impl Floor {
    pub(super) fn judge(&self, session: &Session, params: &Value) -> Result<ValidShare, Rejection> {
        let reject = |code, text: &str| Err(Rejection::new(code, text));
        let Some(params) = strings(params) else {
            return reject(OTHER, "Invalid parameters");
        };
        let (worker, job_id) = (params[0], params[1]);
        if !session.workers.iter().any(|name| name == worker) {
            return reject(UNAUTHORIZED, "Unauthorized worker");
        }
        if self.config.per_worker_authorize == PerWorkerAuthorize::AcceptButShareMustCarryFirst
            && session.workers[0] != worker
        {
            return reject(OTHER, "Worker mismatch");
        }
        let Some(job) = self.jobs.find(job_id) else {
            return reject(STALE, "Job not found");
        };
        if job.stale {
            return reject(STALE, "Stale");
        }
        let solution = self.read_solution(&job.notify, session, &params)?;
        let extranonce1 = session.extranonce1.as_deref().unwrap_or_default();
        let header = job.notify.header(extranonce1, &solution);
        let hash = header_hash(self.config.algorithm, &header);
        if self.seen.contains(&hash) {
            return reject(DUPLICATE, "Duplicate share");
        }
        let difficulty = *session
            .job_difficulty
            .get(job_id)
            .unwrap_or(&session.difficulty);
        if !Target::from_difficulty(self.config.algorithm, difficulty).is_met_by(&hash) {
            return reject(LOW_DIFFICULTY, "Low difficulty share");
        }
        if let Mode::RejectShares(code) = self.mode() {
            return reject(code, "Rejected on demand");
        }
        Ok(ValidShare {
            hash,
            difficulty,
            block: Target::from_nbits(job.notify.nbits).is_met_by(&hash),
        })
    }

    fn read_solution(
        &self,
        job: &Notify,
        session: &Session,
        params: &[&str],
    ) -> Result<Solution, Rejection> {
        let other = |text: &str| Rejection::new(OTHER, text);
        let extranonce2 = hex::decode(params[2]).ok_or_else(|| other("Extranonce2 is not hex"))?;
        if extranonce2.len() != self.config.extranonce2_size {
            return Err(other("Invalid extranonce2 length"));
        }
        let ntime = hex::decode_u32(params[3]).ok_or_else(|| other("Invalid ntime"))?;
        if ntime < job.ntime || ntime > job.ntime.saturating_add(NTIME_AHEAD) {
            return Err(other("Ntime out of range"));
        }
        let nonce = hex::decode_u32(params[4]).ok_or_else(|| other("Invalid nonce"))?;
        let mask = session.version_mask;
        let bits = match params.get(5) {
            None => 0,
            Some(bits) => hex::decode_u32(bits).ok_or_else(|| other("Invalid version bits"))?,
        };
        if bits & !mask != 0 {
            return Err(other("Version bits outside the mask"));
        }
        // Without the parameter the job's version is meant, not rolled bits of zero.
        let version = match params.get(5) {
            None => job.version,
            Some(_) => (job.version & !mask) | bits,
        };
        Ok(Solution {
            extranonce2,
            ntime,
            nonce,
            version,
        })
    }
}

/// Five strings, or six with version bits.
fn strings(params: &Value) -> Option<Vec<&str>> {
    let list = params.as_array()?;
    let all: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    (all.len() == list.len() && (5..=6).contains(&all.len())).then_some(all)
}
