//! Proof of work: the hash of an 80-byte header.

use crate::Algorithm;
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

pub fn sha256d(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(Sha256::digest(bytes)).into()
}

/// What SHA-256 starts from (FIPS 180-4, 5.3.3).
const START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// [`sha256d`] of a length that is known when the program is built: two nodes of a
/// merkle tree, or a header. A share is a dozen of these, and most of what the
/// general way adds is bookkeeping for lengths that vary.
fn sha256d_of<const N: usize>(bytes: &[u8; N]) -> [u8; 32] {
    // 64 and 80 bytes both end in a second block.
    const { assert!(N >= 64 && N <= 64 + 55) };
    let mut blocks = [[0; 64]; 2];
    blocks[0].copy_from_slice(&bytes[..64]);
    blocks[1][..N - 64].copy_from_slice(&bytes[64..]);
    close(&mut blocks[1], N - 64, N);
    let mut state = START;
    compress256(&mut state, &blocks);
    let mut last = [[0; 64]];
    last[0][..32].copy_from_slice(&bytes_of(&state));
    close(&mut last[0], 32, 32);
    state = START;
    compress256(&mut state, &last);
    bytes_of(&state)
}

/// The padding: a one bit after the data, and the whole length in bits at the end.
fn close(block: &mut [u8; 64], used: usize, length: usize) {
    block[used] = 0x80;
    block[56..].copy_from_slice(&(8 * length as u64).to_be_bytes());
}

fn bytes_of(state: &[u32; 8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (to, word) in out.chunks_exact_mut(4).zip(state) {
        to.copy_from_slice(&word.to_be_bytes());
    }
    out
}

/// Two nodes of a merkle tree make the one above them.
pub fn merkle_parent(pair: &[u8; 64]) -> [u8; 32] {
    sha256d_of(pair)
}

/// What names a header: its sha256d.
pub fn header_id(header: &[u8; 80]) -> [u8; 32] {
    sha256d_of(header)
}

/// The proof-of-work hash in the order in which it is computed (least
/// significant byte first). `None`: this build cannot hash that algorithm.
pub fn header_hash(algorithm: Algorithm, header: &[u8; 80]) -> Option<[u8; 32]> {
    match algorithm {
        Algorithm::Sha256d => Some(header_id(header)),
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
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_short_way_is_the_long_way(pair: [u8; 64], tail: [u8; 16]) {
            prop_assert_eq!(merkle_parent(&pair), sha256d(&pair));
            let mut header = [0; 80];
            header[..64].copy_from_slice(&pair);
            header[64..].copy_from_slice(&tail);
            prop_assert_eq!(header_id(&header), sha256d(&header));
        }
    }

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
