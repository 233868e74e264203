//! The pool's arithmetic, written again from the protocol and from nothing of
//! the crate: the coinbase is put together from the texts on the wire.

use serde_json::Value;
use sha2::{Digest, Sha256};

pub fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "odd hex {text}");
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hex"))
        .collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn word(text: &str) -> u32 {
    u32::from_str_radix(text, 16).expect("a word of hex")
}

pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

fn double(bytes: &[u8]) -> Vec<u8> {
    sha256(&sha256(bytes))
}

/// A `mining.notify` as text.
#[derive(Clone, Debug, PartialEq)]
pub struct JobText {
    pub id: String,
    pub prev_hash: String,
    pub coinbase1: String,
    pub coinbase2: String,
    pub branches: Vec<String>,
    pub version: String,
    pub nbits: String,
    pub ntime: String,
    pub clean: bool,
}

impl JobText {
    pub fn of_notify(params: &Value) -> Self {
        let text = |index: usize| params[index].as_str().expect("text").to_string();
        let branches = params[4].as_array().expect("branches");
        Self {
            id: text(0),
            prev_hash: text(1),
            coinbase1: text(2),
            coinbase2: text(3),
            branches: branches
                .iter()
                .map(|branch| branch.as_str().expect("text").to_string())
                .collect(),
            version: text(5),
            nbits: text(6),
            ntime: text(7),
            clean: params[8].as_bool().expect("clean_jobs"),
        }
    }

    pub fn notify(&self) -> String {
        let params = serde_json::json!([
            self.id,
            self.prev_hash,
            self.coinbase1,
            self.coinbase2,
            self.branches,
            self.version,
            self.nbits,
            self.ntime,
            self.clean
        ]);
        format!(r#"{{"params":{params},"id":null,"method":"mining.notify"}}"#)
    }

    pub fn coinbase(&self, extranonce: &str) -> String {
        [&*self.coinbase1, extranonce, &*self.coinbase2].concat()
    }

    /// `extranonce`: extranonce1 and extranonce2 together.
    pub fn header(&self, extranonce: &str, version: u32, ntime: u32, nonce: u32) -> Vec<u8> {
        let mut root = double(&unhex(&self.coinbase(extranonce)));
        for branch in &self.branches {
            root.extend(unhex(branch));
            root = double(&root);
        }
        let mut header = version.to_le_bytes().to_vec();
        for four in unhex(&self.prev_hash).chunks(4) {
            header.extend(four.iter().rev());
        }
        header.extend(root);
        header.extend(ntime.to_le_bytes());
        header.extend(word(&self.nbits).to_le_bytes());
        header.extend(nonce.to_le_bytes());
        assert_eq!(header.len(), 80);
        header
    }
}

/// The difficulty that this header's sha256d hash has.
pub fn difficulty(header: &[u8]) -> f64 {
    let hash = double(header);
    let value = hash
        .iter()
        .rev()
        .fold(0.0f64, |value, byte| value * 256.0 + f64::from(*byte));
    65535.0 * 2f64.powi(208) / value
}

/// Is it so hard? For miners, who ask it often: the quick look uses the crate's
/// own hash, and what passes it is computed again.
pub fn meets(header: &[u8], asked: f64) -> bool {
    let hash = smart_mining_core::share::sha256d(header);
    let top = u32::from_le_bytes([hash[28], hash[29], hash[30], hash[31]]);
    f64::from(top) * asked <= 1.0 && difficulty(header) >= asked
}
