//! A row of the table of miners.

use crate::counts::Counts;
use crate::ledger::Hashrates;
use serde::Serialize;
use smart_mining_core::Algorithm;
use std::fmt;

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct MinerView {
    #[cfg_attr(test, schema(value_type = crate::status::AlgorithmName))]
    pub algorithm: Algorithm,
    /// Address and port; the last ones of a miner that left.
    pub address: String,
    pub worker: String,
    /// What people call it, see [`crate::operator::Names`]; absent if nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The firmware, as it calls itself.
    pub agent: String,
    pub state: MinerState,
    pub difficulty: f64,
    /// Absent once it left.
    pub connected_seconds: Option<u64>,
    /// Since it was connected last; 0 while it is.
    pub last_seen_seconds: u64,
    pub last_share_seconds: Option<u64>,
    /// It should find shares and has found none for a while.
    pub silent: bool,
    /// Which part of its judged shares was rejected or stale, 0 to 1; absent before the first.
    pub reject_rate: Option<f64>,
    #[serde(flatten)]
    pub hashrates: Hashrates,
    /// Of all its connections since the appliance started.
    #[serde(flatten)]
    pub counts: Counts,
}

/// The order is that in which one looks for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub enum MinerState {
    /// It has work, and found no valid share for a minute.
    #[serde(rename = "silent")]
    Silent,
    /// It left.
    #[serde(rename = "offline")]
    Offline,
    /// It is connected, and was given nothing to do.
    #[serde(rename = "no work yet")]
    NoWorkYet,
    #[serde(rename = "works")]
    Works,
}

impl MinerState {
    pub const ALL: [Self; 4] = [Self::Silent, Self::Offline, Self::NoWorkYet, Self::Works];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Offline => "offline",
            Self::NoWorkYet => "no work yet",
            Self::Works => "works",
        }
    }

    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

impl fmt::Display for MinerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_the_same_in_text_and_json() {
        for state in MinerState::ALL {
            assert_eq!(serde_json::to_value(state).expect("JSON"), state.word());
            assert_eq!(MinerState::of_word(state.word()), Some(state));
        }
    }
}
