//! The jobs of the simulated pools: as long as those of a real pool.

use std::fmt::Write;

use smart_mining_farmsim::{hex, pow};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    A,
    B,
}

impl Side {
    pub fn index(self) -> usize {
        match self {
            Self::A => 0,
            Self::B => 1,
        }
    }

    /// How the previous block's hash begins on the wire: no proxy may change it,
    /// so a miner tells by it whose job it has.
    pub fn mark(self) -> &'static str {
        match self {
            Self::A => "a0a0a0a0",
            Self::B => "b0b0b0b0",
        }
    }

    pub fn of(prev_hash: &[u8]) -> Option<Self> {
        [Self::A, Self::B]
            .into_iter()
            .find(|side| prev_hash.starts_with(side.mark().as_bytes()))
    }
}

/// A `mining.notify` line. `ntime` tells the rounds apart; a clean job, and no
/// other, is on a new block.
pub fn notify_line(side: Side, serial: u32, block: u32, ntime: u32, clean: bool) -> String {
    let mut line = format!(
        r#"{{"id":null,"method":"mining.notify","params":["{}{serial:x}","{}{block:08x}{}","{}","{}",["#,
        &side.mark()[..1],
        side.mark(),
        "0".repeat(48),
        coinb1(serial),
        coinb2(),
    );
    for branch in 0..12u32 {
        let seed = [serial.to_le_bytes(), branch.to_le_bytes()].concat();
        let comma = if branch == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(line, "{comma}\"{}\"", hex::encode(&pow::sha256d(&seed)));
    }
    let _ = writeln!(line, r#"],"20000000","1703a30c","{ntime:08x}",{clean}]}}"#);
    line
}

/// 100 bytes: version, the one input, and its script up to the extranonces.
fn coinb1(serial: u32) -> String {
    let start = format!("0100000001{}ffffffff50", "00".repeat(32));
    format!("{start}03a0bb0d{serial:08x}{}", "2f".repeat(50))
}

/// 150 bytes: the script's end, three outputs and the lock time.
fn coinb2() -> String {
    let pay = format!("a0860100000000001600{}{}", "14", "5a".repeat(20));
    let commitment = format!(
        "000000000000000026{}",
        "6a24aa21".to_owned() + &"c3".repeat(34)
    );
    let note = format!("00000000000000002c6a2a{}", "d4".repeat(42));
    format!(
        "{}ffffffff03{pay}{commitment}{note}00000000",
        "2e".repeat(10)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use smart_mining_farmsim::work::Notify;

    #[test]
    fn jobs_are_as_long_as_a_real_pools_and_tell_their_side() {
        let line = notify_line(Side::B, 3, 2, 0x6500_0003, true);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let notify = Notify::parse(&value["params"]).unwrap();
        assert_eq!((notify.coinb1.len(), notify.coinb2.len()), (100, 150));
        assert_eq!((notify.branches.len(), notify.ntime), (12, 0x6500_0003));
        let job = super::super::scan::job(line.as_bytes()).unwrap();
        assert_eq!(Side::of(job.prev_hash), Some(Side::B));
    }
}
