//! The parts of the page, each of which changes for itself.

use super::facts::Facts;
use super::query::Query;
use super::{charts, device, events, lanes, miners, state};
use crate::registry::MinerView;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Section {
    State,
    Trouble,
    Sum,
    Lanes,
    Charts,
    Miners,
    Refused,
    Device,
    Events,
}

impl Section {
    /// In the order of the page.
    pub const ALL: [Self; 9] = [
        Self::State,
        Self::Trouble,
        Self::Sum,
        Self::Lanes,
        Self::Charts,
        Self::Miners,
        Self::Refused,
        Self::Device,
        Self::Events,
    ];

    /// Of the element that holds it.
    pub const fn id(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Trouble => "trouble",
            Self::Sum => "sum",
            Self::Lanes => "lanes",
            Self::Charts => "charts",
            Self::Miners => "miners",
            Self::Refused => "refused",
            Self::Device => "device",
            Self::Events => "events",
        }
    }

    /// How old it may be. A table of thousands costs most, and is read longest.
    pub const fn fresh_for(self) -> Duration {
        match self {
            Self::State
            | Self::Trouble
            | Self::Sum
            | Self::Lanes
            | Self::Refused
            | Self::Events => Duration::from_millis(1900),
            Self::Miners => Duration::from_millis(4900),
            Self::Charts | Self::Device => Duration::from_millis(9900),
        }
    }

    /// Does it look different to visitors who asked for something else?
    pub const fn is_personal(self) -> bool {
        match self {
            Self::Miners => true,
            Self::State
            | Self::Trouble
            | Self::Sum
            | Self::Lanes
            | Self::Charts
            | Self::Refused
            | Self::Device
            | Self::Events => false,
        }
    }

    pub fn render(self, facts: &Facts, crowd: &[MinerView], query: &Query) -> String {
        let html = match self {
            Self::State => state::line(facts),
            Self::Trouble => state::list(facts),
            Self::Sum => state::sum(facts),
            Self::Lanes => lanes::lanes(facts),
            Self::Charts => charts::charts(facts),
            Self::Refused => events::refused(facts),
            Self::Device => device::device(facts),
            Self::Miners => miners::table(crowd, query),
            Self::Events => events::events(facts),
        };
        // Templates write into a String, which does not fail.
        html.unwrap_or_default()
    }
}
