//! Canonical algorithm names. Central, the appliance and farm.toml spell them alike.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// A proof-of-work algorithm that the system knows by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Algorithm {
    Sha256d,
    Scrypt,
    Etchash,
    Kawpow,
    Randomx,
    Kheavyhash,
    Equihash,
    /// And its kin, which differ in how they hash and not in what a job looks like.
    X16r,
}

impl Algorithm {
    /// In the order of their declaration.
    pub const ALL: [Self; 8] = [
        Self::Sha256d,
        Self::Scrypt,
        Self::Etchash,
        Self::Kawpow,
        Self::Randomx,
        Self::Kheavyhash,
        Self::Equihash,
        Self::X16r,
    ];

    /// The canonical lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256d => "sha256d",
            Self::Scrypt => "scrypt",
            Self::Etchash => "etchash",
            Self::Kawpow => "kawpow",
            Self::Randomx => "randomx",
            Self::Kheavyhash => "kheavyhash",
            Self::Equihash => "equihash",
            Self::X16r => "x16r",
        }
    }

    /// The Stratum port a listener uses when farm.toml names none.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Sha256d => 3333,
            Self::Scrypt => 3334,
            Self::Etchash => 3335,
            Self::Kawpow => 3336,
            Self::Randomx => 3337,
            Self::Kheavyhash => 3338,
            Self::Equihash => 3339,
            Self::X16r => 3340,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name that was given, and the names that would have been accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown algorithm {0:?}; use one of sha256d (or sha256), scrypt, etchash, kawpow, randomx, kheavyhash, equihash, x16r"
)]
pub struct UnknownAlgorithm(pub String);

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Accepts the canonical names and the aliases seen in the field, in any case.
    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        match text.to_ascii_lowercase().as_str() {
            "sha256d" | "sha256" | "sha-256" | "sha256asicboost" => Ok(Self::Sha256d),
            "scrypt" => Ok(Self::Scrypt),
            "etchash" => Ok(Self::Etchash),
            "kawpow" => Ok(Self::Kawpow),
            "randomx" | "rx/0" => Ok(Self::Randomx),
            "kheavyhash" => Ok(Self::Kheavyhash),
            "equihash" => Ok(Self::Equihash),
            "x16r" | "x16rv2" | "x16rt" => Ok(Self::X16r),
            _ => Err(UnknownAlgorithm(text.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_canonical_name_parses_back() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.name().parse(), Ok(algorithm));
        }
    }

    #[test]
    fn the_family_of_x16r_has_one_name() {
        for name in ["x16r", "X16Rv2", "x16rt"] {
            assert_eq!(name.parse(), Ok(Algorithm::X16r), "{name}");
        }
    }

    #[test]
    fn the_list_is_in_the_order_of_the_declaration() {
        for (index, algorithm) in Algorithm::ALL.into_iter().enumerate() {
            assert_eq!(algorithm as usize, index);
        }
    }

    #[test]
    fn the_original_api_calls_it_sha256() {
        assert_eq!("SHA256".parse(), Ok(Algorithm::Sha256d));
        let refused = "sha3"
            .parse::<Algorithm>()
            .expect_err("not an algorithm of ours");
        assert_eq!(refused, UnknownAlgorithm("sha3".into()));
    }
}
