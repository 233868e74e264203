//! Difficulty and target.
//!
//! Difficulty 1 is the target 0xffff * 2^208 for sha256d. Scrypt pools count
//! 65536 times finer: their difficulty 1 is 0xffff * 2^224. For the x16r family
//! miners count 256 times finer, and the pools that they find shares for with them.

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
        Some(Self(scaled(65535.0 / difficulty, shift(algorithm))))
    }

    /// As `mining.suggest_target` writes it: 32 bytes, most significant first.
    pub fn of_hex(text: &str) -> Option<Self> {
        let mut bytes: [u8; 32] = crate::hex::array(text)?;
        bytes.reverse();
        Some(Self(bytes))
    }

    /// The difficulty that has this target. `None` for a target of zero.
    pub fn difficulty(&self, algorithm: Algorithm) -> Option<f64> {
        let value = (self.0.iter().rev()).fold(0.0, |sum, byte| sum * 256.0 + f64::from(*byte));
        let one = f64::from_bits((1023 + shift(algorithm) as u64) << 52) * 65535.0;
        (value > 0.0).then(|| one / value)
    }

    pub fn is_met_by(&self, hash: &[u8; 32]) -> bool {
        hash.iter().rev().le(self.0.iter().rev())
    }
}

/// Difficulty 1 is 65535 * 2^shift.
const fn shift(algorithm: Algorithm) -> i32 {
    match algorithm {
        Algorithm::Scrypt => 224,
        Algorithm::X16r => 216,
        Algorithm::Sha256d
        | Algorithm::Etchash
        | Algorithm::Kawpow
        | Algorithm::Randomx
        | Algorithm::Kheavyhash
        | Algorithm::Equihash => 208,
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
    fn x16r_counts_256_times_finer() {
        assert_eq!(
            Target::of_difficulty(Algorithm::X16r, 256.0),
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
        fn a_target_tells_the_difficulty_it_was_made_of(difficulty in 1e-3f64..1e15) {
            for algorithm in [Algorithm::Sha256d, Algorithm::Scrypt] {
                let target = Target::of_difficulty(algorithm, difficulty).expect("positive");
                let again = target.difficulty(algorithm).expect("not zero");
                prop_assert!((again / difficulty - 1.0).abs() < 1e-9, "{again}");
            }
        }

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
