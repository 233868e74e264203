//! What a visitor wants to see of the miners, as the address says it: sorting, filter
//! and paging work without script, and a link to a view can be sent to somebody.

use crate::registry::MinerState;
use serde::Deserialize;
use smart_mining_core::Algorithm;
use std::fmt;

/// A longer text finds nothing anyway: workers' names are shorter.
const LONGEST: usize = 64;

/// The address as it came: anything may stand in it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Raw {
    find: String,
    algorithm: String,
    state: String,
    sort: String,
    dir: String,
    page: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// In small letters.
    pub find: String,
    pub algorithm: Option<Algorithm>,
    pub state: Option<MinerState>,
    pub sort: Column,
    pub descending: bool,
    /// From 0.
    pub page: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Column {
    Worker,
    Address,
    Algorithm,
    Firmware,
    /// The sick first.
    #[default]
    State,
    Minute,
    Hour,
    Day,
    Refused,
    LastShare,
    Difficulty,
}

impl Column {
    pub const ALL: [Self; 11] = [
        Self::Worker,
        Self::State,
        Self::Minute,
        Self::Hour,
        Self::Day,
        Self::Refused,
        Self::LastShare,
        Self::Difficulty,
        Self::Algorithm,
        Self::Firmware,
        Self::Address,
    ];

    /// In the address.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Address => "address",
            Self::Algorithm => "algorithm",
            Self::Firmware => "firmware",
            Self::State => "state",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Refused => "refused",
            Self::LastShare => "last",
            Self::Difficulty => "difficulty",
        }
    }

    /// Above the column.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Worker => "Worker",
            Self::Address => "Address",
            Self::Algorithm => "Algorithm",
            Self::Firmware => "Firmware",
            Self::State => "State",
            Self::Minute => "1 min",
            Self::Hour => "1 h",
            Self::Day => "24 h",
            Self::Refused => "Refused",
            Self::LastShare => "Last share",
            Self::Difficulty => "Difficulty",
        }
    }

    pub const fn is_figure(self) -> bool {
        match self {
            Self::Minute
            | Self::Hour
            | Self::Day
            | Self::Refused
            | Self::LastShare
            | Self::Difficulty => true,
            Self::Worker | Self::Address | Self::Algorithm | Self::Firmware | Self::State => false,
        }
    }
}

impl From<Raw> for Query {
    /// What cannot be read is as if it were not there.
    fn from(raw: Raw) -> Self {
        let column = |name: &str| Column::ALL.into_iter().find(|it| it.name() == name);
        let find: String = raw.find.trim().chars().take(LONGEST).collect();
        Self {
            find: find.to_lowercase(),
            algorithm: raw.algorithm.parse().ok(),
            state: MinerState::of_word(&raw.state),
            sort: column(&raw.sort).unwrap_or_default(),
            descending: raw.dir == "down",
            page: raw
                .page
                .parse::<usize>()
                .unwrap_or(1)
                .clamp(1, 100_000)
                .saturating_sub(1),
        }
    }
}

impl Query {
    /// Sorted by this column; by the same again, the other way round.
    pub fn sorted_by(&self, column: Column) -> Self {
        let turned = if self.sort == column {
            !self.descending
        } else {
            column.is_figure()
        };
        Self {
            sort: column,
            descending: turned,
            page: 0,
            ..self.clone()
        }
    }

    pub fn at_page(&self, page: usize) -> Self {
        Self {
            page,
            ..self.clone()
        }
    }
}

/// `?sort=worker&dir=down`, only with what differs from the plain page.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pairs: Vec<(&str, String)> = Vec::new();
        if !self.find.is_empty() {
            pairs.push(("find", encoded(&self.find)));
        }
        if let Some(algorithm) = self.algorithm {
            pairs.push(("algorithm", algorithm.name().to_owned()));
        }
        if let Some(state) = self.state {
            pairs.push(("state", encoded(state.word())));
        }
        if self.sort != Column::default() {
            pairs.push(("sort", self.sort.name().to_owned()));
        }
        if self.descending {
            pairs.push(("dir", "down".to_owned()));
        }
        if self.page > 0 {
            pairs.push(("page", (self.page + 1).to_string()));
        }
        for (index, (key, value)) in pairs.iter().enumerate() {
            let joint = if index == 0 { '?' } else { '&' };
            write!(f, "{joint}{key}={value}")?;
        }
        Ok(())
    }
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        let uri = format!("/{text}").parse().expect("an address");
        let raw = axum::extract::Query::<Raw>::try_from_uri(&uri).expect("a query");
        raw.0.into()
    }

    #[test]
    fn an_address_and_a_view_are_the_same_both_ways() {
        let text = "?find=rig%207%26x&algorithm=scrypt&state=silent&sort=hour&dir=down&page=3";
        let view = query(text);
        assert_eq!(view.find, "rig 7&x");
        assert_eq!(
            (view.sort, view.descending, view.page),
            (Column::Hour, true, 2)
        );
        assert_eq!(view.to_string(), text);
        assert_eq!(Query::default().to_string(), "");
    }

    #[test]
    fn nonsense_in_the_address_is_the_plain_page() {
        let nonsense = "?algorithm=x&state=y&sort=z&dir=sideways&page=-3&more=1";
        assert_eq!(query(nonsense), Query::default());
        assert_eq!(query(&format!("?find={}", "a".repeat(5000))).find.len(), 64);
    }

    #[test]
    fn the_same_column_again_turns_the_order() {
        let by_hour = Query::default().at_page(4).sorted_by(Column::Hour);
        assert!(by_hour.descending && by_hour.page == 0);
        assert!(!by_hour.sorted_by(Column::Hour).descending);
        assert!(!by_hour.sorted_by(Column::Worker).descending);
    }
}
