//! The local check of a share: build the header the pool will build, and hash it.

use super::{Job, MINER_SIZE, Reject, Seat, Target, code, header_hash, sha256d};

/// What a miner says it found, decoded.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    pub seat: Seat,
    pub rolled: [u8; MINER_SIZE],
    pub ntime: u32,
    pub nonce: u32,
    /// The version bits the miner rolled, and the mask it was allowed.
    pub version_bits: u32,
    pub mask: u32,
    /// The difficulty that the miner was asked for.
    pub asked: f64,
}

/// A share whose proof of work holds.
#[derive(Clone, Debug)]
pub struct Checked {
    /// sha256d of the header: names the share, whatever the algorithm.
    pub identity: [u8; 32],
    pub extranonce2: heapless::Vec<u8, 16, u8>,
    /// It meets what the pool asks. Otherwise it is good for the miner's figure only.
    pub pays: bool,
}

/// Does the hash meet what the pool, or at least the appliance, asks of this job?
pub fn check(job: &Job, claim: &Claim) -> Result<Checked, Reject> {
    let other = |text| Reject::new(code::OTHER, text);
    if claim.version_bits & !(claim.mask & job.version_mask) != 0 {
        return Err(other("version bits outside the mask"));
    }
    let seat = Seat {
        group: job.part(claim.seat.group),
        ..claim.seat
    };
    let extranonce2 = job
        .split
        .extranonce2(seat, claim.rolled)
        .ok_or_else(|| other("no room for this miner on the pool's connection"))?;
    let header = header(job, claim, &extranonce2);
    let identity = sha256d(&header);
    let hash = if job.algorithm == crate::Algorithm::Sha256d {
        Some(identity)
    } else {
        header_hash(job.algorithm, &header)
    };
    let Some(hash) = hash else {
        return Err(other("this algorithm cannot be checked here"));
    };
    let pays = job.target.is_met_by(&hash);
    if !pays && !meets(job, claim.asked, &hash) {
        return Err(Reject::new(code::LOW_DIFFICULTY, "low difficulty share"));
    }
    Ok(Checked {
        identity,
        extranonce2,
        pays,
    })
}

/// `asked` below the pool's difficulty: the miner has a figure of its own.
fn meets(job: &Job, asked: f64, hash: &[u8; 32]) -> bool {
    asked < job.difficulty
        && Target::of_difficulty(job.algorithm, asked).is_some_and(|target| target.is_met_by(hash))
}

fn header(job: &Job, claim: &Claim, extranonce2: &[u8]) -> [u8; 80] {
    let work = &*job.work;
    let version = (work.version & !(claim.mask & job.version_mask)) | claim.version_bits;
    let mut header = [0; 80];
    header[..4].copy_from_slice(&version.to_le_bytes());
    // Stratum sends the previous hash as eight words, each byte-swapped.
    for (to, from) in header[4..36]
        .chunks_exact_mut(4)
        .zip(work.prev_hash.chunks_exact(4))
    {
        to.copy_from_slice(from);
        to.reverse();
    }
    header[36..68].copy_from_slice(&merkle_root(job, extranonce2));
    header[68..72].copy_from_slice(&claim.ntime.to_le_bytes());
    header[72..76].copy_from_slice(&work.nbits.to_le_bytes());
    header[76..].copy_from_slice(&claim.nonce.to_le_bytes());
    header
}

fn merkle_root(job: &Job, extranonce2: &[u8]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    // What all shares of the job begin with was hashed when the job was made.
    let mut coinbase = job.coinbase_head().clone();
    coinbase.update(extranonce2);
    coinbase.update(&job.work.coinbase2);
    let mut root: [u8; 32] = Sha256::digest(coinbase.finalize()).into();
    let mut pair = [0; 64];
    for branch in &job.work.branches {
        pair[..32].copy_from_slice(&root);
        pair[32..].copy_from_slice(branch);
        root = sha256d(&pair);
    }
    root
}
