//! How a farm fares, as the operator wants to know it: what it reported, unless nothing
//! was heard of it since.
//!
//! ```text
//!   disabled? --yes--> disabled
//!      | no
//!   ever reported? --no--> new
//!      | yes
//!   heard of within 10 min? --no--> silent
//!      | yes
//!   what the newest report says: trouble, holding, from cache, mining
//! ```

use crate::api::fleet_store::FleetFarm;
use smart_mining_wire::report::FarmState;

/// A farm asks for a snapshot every minute, and what is seen is written every minute.
pub const SILENT_AFTER: i64 = 600;
/// A farm reports every five minutes: a state that is older is said to be.
pub const OLD_REPORT: i64 = 900;

/// In the order in which they want a person's attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    Trouble,
    Silent,
    Holding,
    FromCache,
    New,
    Mining,
    Disabled,
}

impl Condition {
    pub const ALL: [Self; 7] = [
        Self::Trouble,
        Self::Silent,
        Self::Holding,
        Self::FromCache,
        Self::New,
        Self::Mining,
        Self::Disabled,
    ];

    pub fn of(farm: &FleetFarm, now: i64) -> Self {
        let heard = farm.last_seen_at.max(farm.reported_at);
        match farm.state {
            _ if farm.disabled => Self::Disabled,
            None => Self::New,
            Some(_) if heard.is_none_or(|at| now - at >= SILENT_AFTER) => Self::Silent,
            Some(state) => Self::reported(state),
        }
    }

    pub const fn reported(state: FarmState) -> Self {
        match state {
            FarmState::Trouble => Self::Trouble,
            FarmState::Holding => Self::Holding,
            FarmState::MiningFromCache => Self::FromCache,
            FarmState::Mining => Self::Mining,
        }
    }

    /// In a query.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trouble => "trouble",
            Self::Silent => "silent",
            Self::Holding => "holding",
            Self::FromCache => "mining-from-cache",
            Self::New => "new",
            Self::Mining => "mining",
            Self::Disabled => "disabled",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    pub const fn words(self) -> &'static str {
        match self {
            Self::Trouble => "trouble",
            Self::Silent => "not seen",
            Self::Holding => "holding",
            Self::FromCache => "mining from cache",
            Self::New => "no report yet",
            Self::Mining => "mining",
            Self::Disabled => "disabled",
        }
    }

    /// Of the stylesheet.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Trouble => "trouble",
            Self::Silent => "silent",
            Self::Holding => "holding",
            Self::FromCache => "cache",
            Self::New => "new",
            Self::Mining => "mining",
            Self::Disabled => "off",
        }
    }

    pub const fn means(self) -> &'static str {
        match self {
            Self::Trouble => "needs a person",
            Self::Silent => "silent for 10 min or longer",
            Self::Holding => "no usable pool",
            Self::FromCache => "by a stored snapshot",
            Self::New => "enrolled, has not reported",
            Self::Mining => "with a fresh snapshot",
            Self::Disabled => "its token is refused",
        }
    }

    /// Whether what it reported last is taken for what it does now.
    pub const fn is_current(self) -> bool {
        match self {
            Self::Trouble | Self::Holding | Self::FromCache | Self::Mining => true,
            Self::Silent | Self::New | Self::Disabled => false,
        }
    }

    /// Whether somebody ought to look at it.
    pub const fn is_bad(self) -> bool {
        match self {
            Self::Trouble | Self::Silent | Self::Holding => true,
            Self::FromCache | Self::New | Self::Mining | Self::Disabled => false,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const NOW: i64 = 1_790_000_000;

    /// One that reported and was seen just now.
    pub(crate) fn farm(name: &str, state: FarmState) -> FleetFarm {
        FleetFarm {
            name: name.into(),
            disabled: false,
            enrolled_at: NOW - 86_400,
            rotated_at: None,
            last_seen_at: Some(NOW),
            reported_at: Some(NOW),
            state: Some(state),
            appliance: Some("0.1.0".into()),
            board: Some("pi".into()),
            uptime: Some(60),
            sequence: Some(7),
            snapshot_age: None,
            algorithms: BTreeMap::new(),
            update: None,
        }
    }

    #[test]
    fn a_farm_fares_as_it_reported() {
        for (state, condition) in [
            (FarmState::Mining, Condition::Mining),
            (FarmState::MiningFromCache, Condition::FromCache),
            (FarmState::Holding, Condition::Holding),
            (FarmState::Trouble, Condition::Trouble),
        ] {
            assert_eq!(Condition::of(&farm("hill", state), NOW), condition);
            assert_eq!(Condition::parse(condition.name()), Some(condition));
        }
    }

    #[test]
    fn what_was_not_heard_of_is_not_believed_to_mine() {
        let mut silent = farm("hill", FarmState::Mining);
        silent.last_seen_at = Some(NOW - SILENT_AFTER + 1);
        silent.reported_at = None;
        assert_eq!(Condition::of(&silent, NOW), Condition::Mining);
        assert_eq!(Condition::of(&silent, NOW + 1), Condition::Silent);
        silent.last_seen_at = None;
        assert_eq!(Condition::of(&silent, NOW), Condition::Silent);
        silent.state = None;
        assert_eq!(Condition::of(&silent, NOW), Condition::New);
        silent.disabled = true;
        assert_eq!(Condition::of(&silent, NOW), Condition::Disabled);
    }
}
