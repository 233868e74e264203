//! The one word for what the farm does.
//!
//! ```text
//!   an algorithm has no pool --------------------> holding
//!   else, something a person should see to ------> trouble
//!   else, central cannot be reached -------------> mining from cache
//!   else ----------------------------------------> mining
//! ```
//! Of one algorithm the word is never `trouble`: that is the appliance's.

use super::Status;
use serde::Serialize;
use std::fmt;

/// The order is that of how bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub enum FarmState {
    /// Every algorithm has a pool, and central is reached or there is none.
    #[serde(rename = "mining")]
    Mining,
    /// Every algorithm has a pool by the stored ranking; central cannot be reached.
    #[serde(rename = "mining from cache")]
    MiningFromCache,
    /// Miners have work, and something should be seen to: `troubles` says what.
    #[serde(rename = "trouble")]
    Trouble,
    /// At least one algorithm has no usable pool; its miners wait.
    #[serde(rename = "holding")]
    Holding,
}

impl FarmState {
    pub const ALL: [Self; 4] = [
        Self::Mining,
        Self::MiningFromCache,
        Self::Trouble,
        Self::Holding,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Mining => "mining",
            Self::MiningFromCache => "mining from cache",
            Self::Trouble => "trouble",
            Self::Holding => "holding",
        }
    }
}

impl fmt::Display for FarmState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Of the whole appliance, once its troubles are known.
pub(super) fn of(status: &Status) -> FarmState {
    let lanes = status.algorithms.iter().map(|lane| lane.state);
    let trouble = (!status.troubles.is_empty()).then_some(FarmState::Trouble);
    lanes.chain(trouble).max().unwrap_or(FarmState::Mining)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_the_same_in_text_and_json() {
        for state in FarmState::ALL {
            assert_eq!(serde_json::to_value(state).expect("JSON"), state.word());
        }
        assert!(FarmState::ALL.is_sorted());
    }
}
