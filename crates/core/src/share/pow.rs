//! Proof of work: the hash of an 80-byte header.

use crate::Algorithm;
use sha2::{Digest, Sha256};

pub fn sha256d(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(Sha256::digest(bytes)).into()
}

/// The proof-of-work hash in the order in which it is computed (least
/// significant byte first). `None`: this build cannot hash that algorithm.
pub fn header_hash(algorithm: Algorithm, header: &[u8; 80]) -> Option<[u8; 32]> {
    match algorithm {
        Algorithm::Sha256d => Some(sha256d(header)),
        Algorithm::Scrypt => scrypt_1024_1_1(header),
        Algorithm::Etchash
        | Algorithm::Kawpow
        | Algorithm::Randomx
        | Algorithm::Kheavyhash
        | Algorithm::Equihash
        | Algorithm::X16r => None,
    }
}

/// Can this build hash that algorithm's headers?
pub const fn header_hash_is_known(algorithm: Algorithm) -> bool {
    match algorithm {
        Algorithm::Sha256d | Algorithm::Scrypt => true,
        Algorithm::Etchash
        | Algorithm::Kawpow
        | Algorithm::Randomx
        | Algorithm::Kheavyhash
        | Algorithm::Equihash
        | Algorithm::X16r => false,
    }
}

fn scrypt_1024_1_1(header: &[u8; 80]) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    // log2(1024) = 10, r = 1, p = 1: the parameters every scrypt coin uses.
    let params = scrypt::Params::new(10, 1, 1).ok()?;
    scrypt::scrypt(header, header, &params, &mut hash).ok()?;
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    fn reversed(text: &str) -> [u8; 32] {
        let mut bytes: [u8; 32] = hex::array(text).expect("hex");
        bytes.reverse();
        bytes
    }

    #[test]
    fn the_first_bitcoin_block_hashes_to_its_known_hash() {
        let header = hex::array(
            "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c",
        )
        .expect("hex");
        assert_eq!(
            header_hash(Algorithm::Sha256d, &header),
            Some(reversed(
                "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
            ))
        );
    }

    #[test]
    fn the_first_litecoin_block_meets_its_own_target() {
        let header: [u8; 80] = hex::array(
            "010000000000000000000000000000000000000000000000000000000000000000000000d9ced4ed1130f7b7faad9be25323ffafa33232a17c3edf6cfd97bee6bafbdd97b9aa8e4ef0ff0f1ecd513f7c",
        )
        .expect("hex");
        assert_eq!(
            sha256d(&header),
            reversed("12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2")
        );
        let hash = header_hash(Algorithm::Scrypt, &header).expect("scrypt is built in");
        // nBits 1e0ffff0: the three most significant bytes are below 0x000fff.
        assert_eq!(hash[30..], [0, 0]);
        assert!(hash[29] <= 0x0f);
    }
}
