//! What kind of device a miner is, by the name that its firmware gives.
//!
//! Only the first difficulty and the lowest one depend on it. A name that is not
//! known starts in the middle and finds its difficulty within minutes.

use crate::Algorithm;
use crate::share::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Antminer, Whatsminer, Avalon and the proxies in front of them.
    Asic,
    /// One chip on a desk.
    Single,
    Cpu,
    /// A microcontroller that hashes for the fun of it.
    Lottery,
    Unknown,
}

/// Parts of names in lower case; the first that is found counts.
const NAMES: &[(&str, Kind)] = &[
    ("nerdminer", Kind::Lottery),
    ("nerd", Kind::Single),
    ("han_sv1", Kind::Lottery),
    ("bitaxe", Kind::Single),
    ("esp-miner", Kind::Single),
    ("lv0", Kind::Single),
    ("cpuminer", Kind::Cpu),
    ("minerd", Kind::Cpu),
    ("antminer", Kind::Asic),
    ("bmminer", Kind::Asic),
    ("bosminer", Kind::Asic),
    ("braiins", Kind::Asic),
    ("luxminer", Kind::Asic),
    ("luxos", Kind::Asic),
    ("vnish", Kind::Asic),
    ("btminer", Kind::Asic),
    ("whatsminer", Kind::Asic),
    ("avalon", Kind::Asic),
    ("cgminer", Kind::Asic),
    ("sgminer", Kind::Unknown),
];

/// Sha256d difficulties; scrypt's are counted on a scale of its own, and a
/// scrypt device does as much of them as a hundredth of the other's.
pub fn range(agent: &str, algorithm: Algorithm) -> Range {
    let name = lower_case(agent);
    let known = NAMES.iter().find(|(part, _)| name.contains(part));
    let (start, floor): (f64, f64) = match known.map_or(Kind::Unknown, |(_, kind)| *kind) {
        // A modern one comes to a million, an S9 to some 20,000; below the
        // floor it floods the line while it is still being set up.
        Kind::Asic => (16384.0, 256.0),
        Kind::Single => (512.0, 1.0),
        Kind::Cpu => (0.004, 1e-6),
        Kind::Lottery => (1e-4, 1e-7),
        Kind::Unknown => (1024.0, 1e-6),
    };
    match algorithm {
        Algorithm::Scrypt => Range {
            start: (start * 2.0).max(1.0),
            floor: floor.min(64.0),
        },
        Algorithm::Sha256d
        | Algorithm::Etchash
        | Algorithm::Kawpow
        | Algorithm::Randomx
        | Algorithm::Kheavyhash
        | Algorithm::Equihash
        | Algorithm::X16r => Range { start, floor },
    }
}

/// As much of it as is kept of a name.
fn lower_case(text: &str) -> heapless::String<48, u8> {
    let mut name = super::shorten(text);
    name.make_ascii_lowercase();
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn firmware_is_known_by_its_name_and_a_stranger_starts_in_the_middle() {
        let start = |agent| range(agent, Algorithm::Sha256d).start;
        assert_eq!(start("Antminer S19j Pro/Mon Jan"), 16384.0);
        assert_eq!(start("cgminer/4.12.1"), 16384.0);
        assert_eq!(start("bitaxe/BM1370/v2.4"), 512.0);
        assert_eq!(start("NerdMinerV2/1.8"), 1e-4);
        assert_eq!(start("NerdQAxe++/v1"), 512.0);
        assert_eq!(start("cpuminer/2.5.1"), 0.004);
        assert_eq!(start(""), 1024.0);
    }
}
