//! Hashrates that carry their unit.
//!
//! `1.12P` is 1.12e15 hashes per second and a plain `0` is zero; `-` is no data.
//! Elsewhere the number stands in one field and `Gh/s` in another.

use crate::source::number::shifted;
use crate::source::{Decimal, Num};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A number with an SI suffix, or without; not negative. Use with `#[serde(default)]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Suffixed(pub Option<Decimal>);

impl<'de> Deserialize<'de> for Suffixed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw: Box<RawValue> = Deserialize::deserialize(deserializer)?;
        Ok(Self::of_json(raw.get()))
    }
}

impl Suffixed {
    pub fn of_json(raw: &str) -> Self {
        if raw.starts_with('"') {
            return serde_json::from_str::<String>(raw)
                .map_or(Self(None), |text| Self::of_text(&text));
        }
        Self(Num::of_json(raw).not_negative())
    }

    pub fn of_text(text: &str) -> Self {
        let text = text.trim();
        let power = text.chars().next_back().and_then(power);
        let (digits, power) = match power {
            // The suffix is one byte long, or it had no power.
            Some(power) => (text.get(..text.len() - 1).unwrap_or_default(), power),
            None => (text, 0),
        };
        Self(shifted(Num::of_text(digits).not_negative(), power))
    }

    /// Above zero.
    pub fn positive(&self) -> Option<Decimal> {
        Num(self.0.clone()).positive()
    }
}

/// The power of ten of a prefix. A small `e` would be an exponent.
fn power(prefix: char) -> Option<i64> {
    Some(match prefix {
        'K' | 'k' => 3,
        'M' => 6,
        'G' => 9,
        'T' => 12,
        'P' => 15,
        'E' => 18,
        'Z' => 21,
        _ => return None,
    })
}

/// The power of ten of a unit of hashrate such as `Gh/s`.
pub fn unit(text: &str) -> Option<i64> {
    let plain = |unit: &str| matches!(unit.to_ascii_lowercase().as_str(), "h/s" | "sol/s" | "g/s");
    let text = text.trim();
    let rest = text.get(1..)?;
    if plain(rest) {
        return text.chars().next().and_then(power);
    }
    plain(text).then_some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_powers_of_ten() {
        for (text, expected) in [
            ("0", Some("0")),
            ("7", Some("7")),
            ("4.5K", Some("4500")),
            ("4.5k", Some("4500")),
            ("2M", Some("2000000")),
            ("3.25G", Some("3250000000")),
            ("1.5 T", Some("1500000000000")),
            ("1.2P", Some("1200000000000000")),
            ("2E", Some("2000000000000000000")),
            ("1e3", Some("1000")),
            ("-", None),
            ("", None),
            ("K", None),
            ("-2K", None),
            ("3é", None),
            ("3e", None),
            ("NaN", None),
        ] {
            let read = Suffixed::of_text(text).0;
            let read = read.map(|value| value.normalized().to_plain_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
        assert_eq!(Suffixed::of_json("12.5").0, "12.5".parse().ok());
        assert_eq!(Suffixed::of_json("-1").0, None);
        assert_eq!(Suffixed::of_json("\"5K\"").0, Some(5000.into()));
    }

    #[test]
    fn a_unit_is_known_or_nothing_is_scaled_by_it() {
        for (text, expected) in [
            ("Gh/s", Some(9)),
            ("TH/s", Some(12)),
            ("H/s", Some(0)),
            ("kSol/s", Some(3)),
            ("sol/s", Some(0)),
            ("xh/s", None),
            ("é/s", None),
            ("", None),
        ] {
            assert_eq!(unit(text), expected, "{text}");
        }
    }
}
