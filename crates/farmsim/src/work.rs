//! A job as `mining.notify` carries it, and the header it becomes.

use serde_json::{Value, json};

use crate::hex;
use crate::pow::{self, Algorithm, Hash, Header, Target};

/// The nine parameters of `mining.notify`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    pub job_id: String,
    /// In header order; the wire swaps the bytes of each 32-bit word.
    pub prev_hash: Hash,
    pub coinb1: Vec<u8>,
    pub coinb2: Vec<u8>,
    pub branches: Vec<Hash>,
    pub version: u32,
    pub nbits: u32,
    pub ntime: u32,
    pub clean: bool,
}

/// The parts of a header that a miner chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Solution {
    pub extranonce2: Vec<u8>,
    pub ntime: u32,
    pub nonce: u32,
    /// The whole version field, rolled bits included.
    pub version: u32,
}

impl Notify {
    /// Reads the parameters as strictly as firmware does.
    pub fn parse(params: &Value) -> Result<Self, String> {
        let list = params.as_array().ok_or("params is not an array")?;
        if list.len() < 9 {
            return Err(format!("{} parameters instead of 9", list.len()));
        }
        let text = |at: usize, what: &str| {
            list[at]
                .as_str()
                .ok_or_else(|| format!("{what} is not a string: {}", list[at]))
        };
        let number = |at: usize, what: &str| {
            hex::decode_u32(text(at, what)?)
                .ok_or_else(|| format!("{what} is not 8 hex digits: {}", list[at]))
        };
        let bytes = |at: usize, what: &str| {
            hex::decode(text(at, what)?).ok_or_else(|| format!("{what} is not hex: {}", list[at]))
        };
        let prev = hex::decode_32(text(1, "prevhash")?)
            .ok_or_else(|| format!("prevhash is not 64 hex digits: {}", list[1]))?;
        let branches = list[4].as_array().ok_or("merkle branches: not an array")?;
        Ok(Self {
            job_id: text(0, "job id")?.to_owned(),
            prev_hash: swap_words(prev),
            coinb1: bytes(2, "coinb1")?,
            coinb2: bytes(3, "coinb2")?,
            branches: branches
                .iter()
                .map(|branch| branch.as_str().and_then(hex::decode_32))
                .collect::<Option<_>>()
                .ok_or("a merkle branch is not 64 hex digits")?,
            version: number(5, "version")?,
            nbits: number(6, "nbits")?,
            ntime: number(7, "ntime")?,
            clean: list[8].as_bool().ok_or("clean_jobs is not a boolean")?,
        })
    }

    /// The parameters as they go on the wire.
    #[must_use]
    pub fn params(&self) -> Value {
        json!([
            self.job_id,
            hex::encode(&swap_words(self.prev_hash)),
            hex::encode(&self.coinb1),
            hex::encode(&self.coinb2),
            self.branches
                .iter()
                .map(|b| hex::encode(b))
                .collect::<Vec<_>>(),
            format!("{:08x}", self.version),
            format!("{:08x}", self.nbits),
            format!("{:08x}", self.ntime),
            self.clean,
        ])
    }

    /// The header of this job with a miner's choices in it.
    #[must_use]
    pub fn header(&self, extranonce1: &[u8], solution: &Solution) -> Header {
        let coinbase = [
            &self.coinb1[..],
            extranonce1,
            &solution.extranonce2,
            &self.coinb2,
        ]
        .concat();
        let root = self
            .branches
            .iter()
            .fold(pow::sha256d(&coinbase), |root, branch| {
                pow::sha256d(&[root, *branch].concat())
            });
        let mut header = [0u8; 80];
        header[..4].copy_from_slice(&solution.version.to_le_bytes());
        header[4..36].copy_from_slice(&self.prev_hash);
        header[36..68].copy_from_slice(&root);
        header[68..72].copy_from_slice(&solution.ntime.to_le_bytes());
        header[72..76].copy_from_slice(&self.nbits.to_le_bytes());
        header[76..].copy_from_slice(&solution.nonce.to_le_bytes());
        header
    }

    /// A solution of the wanted difficulty, searched from nonce 0 on. Tests
    /// that submit by hand use it.
    #[must_use]
    pub fn solve(
        &self,
        algorithm: Algorithm,
        extranonce1: &[u8],
        extranonce2: &[u8],
        difficulty: f64,
    ) -> Option<(Solution, Hash)> {
        let mut solution = Solution {
            extranonce2: extranonce2.to_vec(),
            ntime: self.ntime,
            nonce: 0,
            version: self.version,
        };
        let header = self.header(extranonce1, &solution);
        let target = Target::from_difficulty(algorithm, difficulty);
        let (nonce, hash) = pow::search(algorithm, &header, &target, 0, u32::MAX)?;
        solution.nonce = nonce;
        Some((solution, hash))
    }
}

impl Solution {
    /// The parameters of `mining.submit`; `rolled` adds the version bits.
    #[must_use]
    pub fn submit_params(&self, worker: &str, job_id: &str, rolled: Option<u32>) -> Value {
        let mut params = vec![
            json!(worker),
            json!(job_id),
            json!(hex::encode(&self.extranonce2)),
            json!(format!("{:08x}", self.ntime)),
            json!(format!("{:08x}", self.nonce)),
        ];
        if let Some(bits) = rolled {
            params.push(json!(format!("{bits:08x}")));
        }
        Value::Array(params)
    }
}

fn swap_words(mut hash: Hash) -> Hash {
    for word in hash.chunks_exact_mut(4) {
        word.reverse();
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notify_survives_the_wire() {
        let params = json!([
            "1b4c3d9041",
            "ef4b9a48c7986466de4adc002f7337a6e121bc43000376ea0000000000000000",
            "0100",
            "ff",
            ["aa".repeat(32)],
            "20000004",
            "1705c739",
            "64495522",
            false
        ]);
        let notify = Notify::parse(&params).unwrap();
        assert_eq!(notify.params(), params);
        assert_eq!(&pow::display(&notify.prev_hash)[..16], "0000000000000000");
        assert_eq!(notify.version, 0x2000_0004);
    }

    #[test]
    fn a_broken_notify_says_which_part() {
        let good = json!([
            "1",
            "00".repeat(32),
            "",
            "",
            [],
            "20000000",
            "207fffff",
            "6b0309ba",
            true
        ]);
        assert!(Notify::parse(&good).is_ok());
        for (at, bad, named) in [
            (1, json!("00"), "prevhash"),
            (2, json!("0"), "coinb1"),
            (4, json!(["00"]), "branch"),
            (5, json!(1), "version"),
            (6, json!("zz"), "nbits"),
            (8, json!("true"), "clean_jobs"),
        ] {
            let mut broken = good.clone();
            broken[at] = bad;
            let error = Notify::parse(&broken).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
        assert!(Notify::parse(&json!([])).is_err());
    }
}
