//! Difficulty and target.
//!
//! Difficulty 1 is the target 0xffff * 2^208 for sha256d. Scrypt pools count
//! 65536 times finer: their difficulty 1 is 0xffff * 2^224.

use crate::Algorithm;

/// A 256-bit bound, least significant byte first like the hashes it is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target([u8; 32]);

impl Target {
    /// The largest hash that has at least this share difficulty. `None` for a
    /// difficulty that is no positive finite number.
    pub fn of_difficulty(algorithm: Algorithm, difficulty: f64) -> Option<Self> {
        if !(difficulty.is_finite() && difficulty > 0.0) {
            return None;
        }
        let shift = match algorithm {
            Algorithm::Scrypt => 224,
            Algorithm::Sha256d
            | Algorithm::Etchash
            | Algorithm::Kawpow
            | Algorithm::Randomx
            | Algorithm::Kheavyhash
            | Algorithm::Equihash => 208,
        };
        Some(Self(scaled(65535.0 / difficulty, shift)))
    }

    pub fn is_met_by(&self, hash: &[u8; 32]) -> bool {
        hash.iter().rev().le(self.0.iter().rev())
    }
}

/// `value * 2^shift`, cut to an integer, at most 2^256 - 1.
fn scaled(value: f64, shift: i32) -> [u8; 32] {
    let bits = value.to_bits();
    // A positive finite f64 is (mantissa | hidden bit) * 2^(exponent - 1075).
    let exponent = ((bits >> 52) & 0x7ff) as i32;
    let fraction = bits & ((1 << 52) - 1);
    let (mantissa, exponent) = if exponent == 0 {
        (fraction, 1)
    } else {
        (fraction | 1 << 52, exponent)
    };
    let position = exponent - 1075 + shift;
    let mut out = [0; 32];
    if mantissa == 0 || position <= -53 {
        return out;
    }
    if position > 256 - 53 {
        return [0xff; 32];
    }
    let (mantissa, position) = if position < 0 {
        (mantissa >> -position, 0)
    } else {
        // 0 <= position <= 203
        (mantissa, position as usize)
    };
    let wide = u128::from(mantissa) << (position % 8);
    for (index, byte) in wide.to_le_bytes().into_iter().enumerate() {
        if let Some(slot) = out.get_mut(position / 8 + index) {
            *slot = byte;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(difficulty: f64) -> Target {
        Target::of_difficulty(Algorithm::Sha256d, difficulty).expect("positive")
    }

    #[test]
    fn difficulty_one_is_the_known_bound() {
        let mut bound = [0; 32];
        bound[26..28].copy_from_slice(&[0xff, 0xff]);
        assert_eq!(target(1.0), Target(bound));
        assert!(target(1.0).is_met_by(&bound));
        bound[0] = 1;
        assert!(!target(1.0).is_met_by(&bound));
    }

    #[test]
    fn scrypt_counts_65536_times_finer() {
        assert_eq!(
            Target::of_difficulty(Algorithm::Scrypt, 65536.0),
            Target::of_difficulty(Algorithm::Sha256d, 1.0)
        );
    }

    #[test]
    fn a_tiny_difficulty_accepts_every_hash_and_nonsense_is_none() {
        assert!(target(1e-12).is_met_by(&[0xff; 32]));
        for nonsense in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Target::of_difficulty(Algorithm::Sha256d, nonsense), None);
        }
    }

    proptest! {
        #[test]
        fn a_higher_difficulty_is_never_easier(a in 1e-9f64..1e15, b in 1e-9f64..1e15, hash: [u8; 32], zeros in 0usize..32) {
            let mut hash = hash;
            for byte in hash.iter_mut().rev().take(zeros) {
                *byte = 0;
            }
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            if target(high).is_met_by(&hash) {
                prop_assert!(target(low).is_met_by(&hash));
            }
        }
    }
}
