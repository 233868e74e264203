//! Proof of work: header hashes and targets of sha256d and scrypt.
//!
//! Written from the definition and checked against the genesis blocks of
//! Bitcoin and Litecoin, because a simulated pool that shared its hashing with
//! the product would confirm the product's errors.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::hex;

/// A hash or a 256-bit number, least significant byte first.
pub type Hash = [u8; 32];

/// An 80-byte block header.
pub type Header = [u8; 80];

/// The two proof-of-work functions of the Bitcoin family simulated here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    Sha256d,
    Scrypt,
}

impl Algorithm {
    /// The name used in addresses, logs and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256d => "sha256d",
            Self::Scrypt => "scrypt",
        }
    }

    /// Difficulty 1 of a scrypt share is 65536 times easier than a block's.
    fn share_scale(self) -> f64 {
        match self {
            Self::Sha256d => 1.0,
            Self::Scrypt => 65536.0,
        }
    }

    /// The hashes that one share of this difficulty takes on average.
    #[must_use]
    pub fn hashes_per_share(self, difficulty: f64) -> f64 {
        difficulty * 4_294_967_296.0 / self.share_scale()
    }

    /// The difficulty of which `hashrate` finds a share every so many seconds.
    #[must_use]
    pub fn difficulty_for(self, hashrate: f64, seconds: f64) -> f64 {
        hashrate * seconds * self.share_scale() / 4_294_967_296.0
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "sha256d" | "sha256" => Ok(Self::Sha256d),
            "scrypt" => Ok(Self::Scrypt),
            other => Err(format!(
                "unknown algorithm {other:?}: use sha256d or scrypt"
            )),
        }
    }
}

/// SHA-256 of SHA-256.
#[must_use]
pub fn sha256d(bytes: &[u8]) -> Hash {
    Sha256::digest(Sha256::digest(bytes)).into()
}

/// The proof-of-work hash of a header.
#[must_use]
pub fn header_hash(algorithm: Algorithm, header: &Header) -> Hash {
    match algorithm {
        Algorithm::Sha256d => sha256d(header),
        Algorithm::Scrypt => scrypt_1024_1_1(header),
    }
}

fn scrypt_1024_1_1(header: &Header) -> Hash {
    let mut hash = [0xff; 32];
    // N = 1024, r = 1, p = 1 is a valid set, and 32 bytes a valid length. Were
    // it refused, the hash stays at a value that meets no target.
    if let Ok(params) = scrypt::Params::new(10, 1, 1)
        && scrypt::scrypt(header, header, &params, &mut hash).is_err()
    {
        hash = [0xff; 32];
    }
    hash
}

/// The usual way to write a hash: most significant byte first.
#[must_use]
pub fn display(hash: &Hash) -> String {
    let mut reversed = *hash;
    reversed.reverse();
    hex::encode(&reversed)
}

/// The number a hash must not exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target(Hash);

impl Target {
    /// Every hash meets it.
    pub const EASIEST: Self = Self([0xff; 32]);

    /// The share target of a pool difficulty: diff1 / d, for scrypt diff1 / (d / 65536).
    #[must_use]
    pub fn from_difficulty(algorithm: Algorithm, difficulty: f64) -> Self {
        let quotient = 65535.0 * algorithm.share_scale() / difficulty;
        if !quotient.is_normal() || quotient <= 0.0 {
            return Self::EASIEST;
        }
        // quotient = mantissa * 2^exponent, exactly; diff1 = 65535 * 2^208.
        let bits = quotient.to_bits();
        let mantissa = (bits & ((1 << 52) - 1)) | (1 << 52);
        let exponent = i32::try_from(bits >> 52 & 0x7ff).unwrap_or(0) - 1075;
        Self::shifted(mantissa, exponent + 208)
    }

    /// The block target that a header's `nbits` field encodes.
    #[must_use]
    pub fn from_nbits(nbits: u32) -> Self {
        let size = i32::try_from(nbits >> 24).unwrap_or(0);
        Self::shifted(u64::from(nbits & 0x007f_ffff), 8 * (size - 3))
    }

    /// Whether `hash` is a solution.
    #[must_use]
    pub fn is_met_by(&self, hash: &Hash) -> bool {
        hash.iter().rev().le(self.0.iter().rev())
    }

    /// Most significant byte first.
    #[must_use]
    pub fn to_hex(&self) -> String {
        display(&self.0)
    }

    fn shifted(mantissa: u64, shift: i32) -> Self {
        let mut bytes = [0u8; 32];
        for bit in (0..64).filter(|bit| mantissa >> bit & 1 == 1) {
            match usize::try_from(bit + shift) {
                Ok(place) if place < 256 => bytes[place / 8] |= 1 << (place % 8),
                Ok(_) => return Self::EASIEST,
                Err(_) => {}
            }
        }
        Self(bytes)
    }
}

/// Tries `count` nonces from `first`; the first solution ends the search.
#[must_use]
pub fn search(
    algorithm: Algorithm,
    header: &Header,
    target: &Target,
    first: u32,
    count: u32,
) -> Option<(u32, Hash)> {
    let mut header = *header;
    let midstate = Sha256::new_with_prefix(&header[..64]);
    (0..count)
        .map(|step| first.wrapping_add(step))
        .find_map(|nonce| {
            header[76..].copy_from_slice(&nonce.to_le_bytes());
            let hash = match algorithm {
                Algorithm::Sha256d => {
                    let inner = midstate.clone().chain_update(&header[64..]).finalize();
                    Sha256::digest(inner).into()
                }
                Algorithm::Scrypt => scrypt_1024_1_1(&header),
            };
            target.is_met_by(&hash).then_some((nonce, hash))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BITCOIN_GENESIS: &str = "0100000000000000000000000000000000000000000000000000000000000000\
        000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c";
    const LITECOIN_GENESIS: &str = "0100000000000000000000000000000000000000000000000000000000000000\
        00000000d9ced4ed1130f7b7faad9be25323ffafa33232a17c3edf6cfd97bee6bafbdd97b9aa8e4ef0ff0f1ecd513f7c";

    fn header(text: &str) -> Header {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    #[test]
    fn bitcoin_genesis_block() {
        let header = header(BITCOIN_GENESIS);
        let hash = header_hash(Algorithm::Sha256d, &header);
        assert_eq!(
            display(&hash),
            "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
        );
        assert!(Target::from_nbits(0x1d00_ffff).is_met_by(&hash));
        assert!(Target::from_difficulty(Algorithm::Sha256d, 2536.4).is_met_by(&hash));
        assert!(!Target::from_difficulty(Algorithm::Sha256d, 2536.5).is_met_by(&hash));
    }

    #[test]
    fn litecoin_genesis_block() {
        let header = header(LITECOIN_GENESIS);
        assert_eq!(
            display(&sha256d(&header)),
            "12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2"
        );
        let hash = header_hash(Algorithm::Scrypt, &header);
        assert_eq!(
            display(&hash),
            "0000050c34a64b415b6b15b37f2216634b5b1669cb9a2e38d76f7213b0671e00"
        );
        assert!(Target::from_nbits(0x1e0f_fff0).is_met_by(&hash));
        assert!(!Target::from_nbits(0x1d00_ffff).is_met_by(&hash));
    }

    #[test]
    fn the_search_finds_the_nonce_of_the_real_block() {
        for (algorithm, text, nbits, nonce) in [
            (
                Algorithm::Sha256d,
                BITCOIN_GENESIS,
                0x1d00_ffff,
                2_083_236_893,
            ),
            (
                Algorithm::Scrypt,
                LITECOIN_GENESIS,
                0x1e0f_fff0,
                2_084_524_493,
            ),
        ] {
            let target = Target::from_nbits(nbits);
            let header = header(text);
            let found = search(algorithm, &header, &target, nonce - 3, 5).unwrap();
            assert_eq!(found, (nonce, header_hash(algorithm, &header)));
            assert_eq!(search(algorithm, &header, &target, nonce - 3, 3), None);
        }
    }

    #[test]
    fn targets_of_known_difficulties() {
        let one = "00000000ffff0000000000000000000000000000000000000000000000000000";
        let sha = |d| Target::from_difficulty(Algorithm::Sha256d, d).to_hex();
        assert_eq!(sha(1.0), one);
        assert_eq!(Target::from_nbits(0x1d00_ffff).to_hex(), one);
        assert_eq!(sha(65536.0), format!("0000{}", &one[..60]));
        assert_eq!(
            Target::from_difficulty(Algorithm::Scrypt, 65536.0).to_hex(),
            one
        );
        assert_eq!(
            sha(0.5),
            "00000001fffe0000000000000000000000000000000000000000000000000000"
        );
        assert_eq!(sha(0.0), "f".repeat(64));
        assert_eq!(sha(1e-12), "f".repeat(64));
        assert_eq!(sha(f64::NAN), "f".repeat(64));
    }
}
