//! Numbers as services write them.
//!
//! The same field is a number here and a string there, has 40 digits, an
//! exponent, a minus one for "no data", or nothing at all. [`Num`] keeps the
//! digits as they stand (a 128-bit difficulty, wei, 36 decimals) and calls
//! everything that is no number absent; one bad field never spoils its row.

use bigdecimal::{BigDecimal, ToPrimitive, Zero};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::str::FromStr;

pub type Decimal = BigDecimal;

/// Longer texts are no number of this world.
const MAX_DIGITS: usize = 120;
/// An exponent beyond this would cost memory and mean nothing.
const MAX_EXPONENT: i64 = 120;

/// A number, or absent. Use with `#[serde(default)]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Num(pub Option<Decimal>);

impl<'de> Deserialize<'de> for Num {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw: Box<RawValue> = Deserialize::deserialize(deserializer)?;
        Ok(Self::of_json(raw.get()))
    }
}

impl Num {
    /// From one JSON value.
    pub fn of_json(raw: &str) -> Self {
        if raw.starts_with('"') {
            return serde_json::from_str::<String>(raw)
                .map_or(Self(None), |text| Self::of_text(&text));
        }
        Self::of_text(raw)
    }

    /// From plain text; anything but one decimal number is absent.
    pub fn of_text(text: &str) -> Self {
        let text = text.trim();
        let shaped = !text.is_empty()
            && text.len() <= MAX_DIGITS
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
        if !shaped {
            return Self(None);
        }
        let exponent = text
            .split(['e', 'E'])
            .nth(1)
            .map_or(Some(0), |exponent| exponent.parse::<i64>().ok());
        if exponent.is_none_or(|exponent| exponent.abs() > MAX_EXPONENT) {
            return Self(None);
        }
        Self(Decimal::from_str(text).ok())
    }

    /// A `0x` quantity or bare hex digits.
    pub fn of_hex(text: &str) -> Self {
        let digits = text.trim().strip_prefix("0x").unwrap_or(text.trim());
        if digits.is_empty() || digits.len() > 64 {
            return Self(None);
        }
        Self(bigdecimal::num_bigint::BigInt::parse_bytes(digits.as_bytes(), 16).map(Decimal::from))
    }

    /// Above zero; zero and the sentinel -1 mean "no data".
    pub fn positive(&self) -> Option<Decimal> {
        self.0.clone().filter(|value| *value > Decimal::zero())
    }

    /// Zero is a real value here; negative means "no data".
    pub fn not_negative(&self) -> Option<Decimal> {
        self.0.clone().filter(|value| *value >= Decimal::zero())
    }

    /// A whole number that fits, such as a time or a height.
    pub fn whole(&self) -> Option<u64> {
        self.0.as_ref().and_then(|value| {
            let whole = value.with_scale(0);
            (whole == *value).then(|| whole.to_u64()).flatten()
        })
    }
}

/// `value * 10^power`, exactly.
pub fn shifted(value: Option<Decimal>, power: i64) -> Option<Decimal> {
    value.map(|value| {
        let (digits, scale) = value.into_bigint_and_exponent();
        Decimal::new(digits, scale - power)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Option<String> {
        Num::of_json(raw)
            .0
            .map(|value| value.normalized().to_plain_string())
    }

    #[test]
    fn digits_survive_however_they_are_written() {
        for (raw, expected) in [
            ("12.50", "12.5"),
            ("\"12.5\"", "12.5"),
            ("1.17e-05", "0.0000117"),
            ("\"2.2583287E11\"", "225832870000"),
            (
                "340282366920938463463374607431768211456",
                "340282366920938463463374607431768211456",
            ),
            (
                "\"5035756860936.261716596213931262635544936592538136\"",
                "5035756860936.261716596213931262635544936592538136",
            ),
            ("-1", "-1"),
        ] {
            assert_eq!(read(raw).as_deref(), Some(expected), "{raw}");
        }
    }

    #[test]
    fn what_is_no_number_is_absent() {
        for raw in [
            "null",
            "\"\"",
            "\" \"",
            "true",
            "\"NaN\"",
            "\"Infinity\"",
            "\"-\"",
            "[1]",
            "{}",
            "\"1e999999999\"",
            "\"12abc\"",
            "\"1,234\"",
            "\"$5\"",
        ] {
            assert_eq!(read(raw), None, "{raw}");
        }
    }

    #[test]
    fn sentinels_are_absent_where_the_field_cannot_have_them() {
        assert_eq!(Num::of_json("-1").positive(), None);
        assert_eq!(Num::of_json("0").positive(), None);
        assert_eq!(Num::of_json("0").not_negative(), Some(Decimal::from(0)));
        assert_eq!(Num::of_json("-1").not_negative(), None);
        assert_eq!(Num::of_json("1.5").whole(), None);
        assert_eq!(Num::of_json("\"17\"").whole(), Some(17));
    }

    #[test]
    fn hex_and_powers_are_exact() {
        assert_eq!(
            Num::of_hex("0x6fb1a4aa8ef24").0,
            Some(Decimal::from(1_964_940_200_570_660_u64))
        );
        assert_eq!(Num::of_hex("zz").0, None);
        let sat = Num::of_json("312500000").positive();
        assert_eq!(shifted(sat, -8), Some("3.125".parse().expect("a number")));
    }
}
