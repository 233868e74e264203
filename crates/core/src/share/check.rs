//! The local check of a share: build the header the pool will build, and hash it.

use super::{Job, MINER_SIZE, Reject, Seat, Target, code, header_hash, header_id, merkle_parent};
use crate::Algorithm;

/// What a miner says it found, decoded.
#[derive(Clone, Debug)]
pub struct Claim {
    pub seat: Seat,
    pub rolled: heapless::Vec<u8, MINER_SIZE, u8>,
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
    let extranonce2 = job
        .extranonce2(claim.seat, &claim.rolled)
        .ok_or_else(|| other("no room for this miner on the pool's connection"))?;
    let header = header(job, claim, &extranonce2);
    let identity = header_id(&header);
    let hash = if job.algorithm == Algorithm::Sha256d {
        Some(identity)
    } else {
        header_hash(job.algorithm, &header)
    };
    let pays = match hash {
        Some(hash) if job.target.is_met_by(&hash) => true,
        Some(hash) if meets(job, claim.asked, &hash) => false,
        Some(_) => return Err(Reject::new(code::LOW_DIFFICULTY, "low difficulty share")),
        None if is_judged_by_pool(job.algorithm) => true,
        None => return Err(other("this algorithm cannot be checked here")),
    };
    Ok(Checked {
        identity,
        extranonce2,
        pays,
    })
}

/// Jobs of bitcoin's form whose hash this build does not know: form, age and
/// duplicates are checked here, the work is the pool's to judge.
const fn is_judged_by_pool(algorithm: Algorithm) -> bool {
    match algorithm {
        Algorithm::X16r => true,
        Algorithm::Sha256d
        | Algorithm::Scrypt
        | Algorithm::Etchash
        | Algorithm::Kawpow
        | Algorithm::Randomx
        | Algorithm::Kheavyhash
        | Algorithm::Equihash => false,
    }
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
        root = merkle_parent(&pair);
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::{Split, Terms, Work};
    use alloc::sync::Arc;

    fn job(algorithm: Algorithm) -> Job {
        let terms = Terms {
            work: Arc::new(Work {
                pool_job_id: "a".into(),
                prev_hash: [7; 32],
                coinbase1: alloc::vec![1; 40],
                coinbase2: alloc::vec![2; 40],
                branches: alloc::vec![[3; 32]],
                version: 0x3000_0000,
                nbits: 0x1b00_ffff,
                ntime: 1_600_000_000,
                clean: true,
            }),
            split: Split::new(&[1, 2, 3, 4], 4).expect("room enough"),
            difficulty: 1e9,
            version_mask: 0,
        };
        Job::new(1, 1, algorithm, terms).expect("positive")
    }

    fn claim(nonce: u32) -> Claim {
        Claim {
            seat: Seat {
                group: 0,
                prefix: 9,
            },
            rolled: [0, 0, 1].into_iter().collect(),
            ntime: 1_600_000_001,
            nonce,
            version_bits: 0,
            mask: 0,
            asked: 1e9,
        }
    }

    #[test]
    fn what_cannot_be_hashed_here_is_passed_to_the_pool_and_known_again() {
        let job = job(Algorithm::X16r);
        let passed = check(&job, &claim(1)).expect("passes");
        assert!(passed.pays, "only the pool can say that it does not");
        let identity = |nonce| check(&job, &claim(nonce)).expect("passes").identity;
        assert_eq!(identity(1), identity(1));
        assert_ne!(identity(1), identity(2));
        // What does not follow from the hash is still refused.
        let rolled = Claim {
            version_bits: 1 << 13,
            ..claim(1)
        };
        assert_eq!(check(&job, &rolled).expect_err("refused").code, code::OTHER);
    }

    #[test]
    fn the_others_pass_by_their_hash_alone() {
        for (algorithm, refusal) in [
            (Algorithm::Sha256d, code::LOW_DIFFICULTY),
            (Algorithm::Scrypt, code::LOW_DIFFICULTY),
            (Algorithm::Kawpow, code::OTHER),
        ] {
            let refused = check(&job(algorithm), &claim(1)).expect_err("refused");
            assert_eq!(refused.code, refusal, "{algorithm}");
        }
    }

    #[test]
    fn what_meets_the_miners_figure_only_does_not_pay() {
        let easy = Claim {
            asked: 1e-10,
            ..claim(1)
        };
        let checked = check(&job(Algorithm::Sha256d), &easy).expect("enough for the miner");
        assert!(!checked.pays);
    }
}
