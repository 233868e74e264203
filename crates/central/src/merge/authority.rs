//! Whose word counts more about a chain: own node, explorer, pool, calculator.

use crate::source::registry;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Authority {
    /// Validates every block itself.
    Node,
    Explorer,
    Pool,
    Calculator,
    Market,
    /// A source that this build does not know: a reading of another version.
    Unknown,
}

pub fn of(source: &str) -> Authority {
    registry::authority(source)
}
