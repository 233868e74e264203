//! How each source fares, for the table `source_health` and for the log.

use std::fmt;

/// In a word; [`State::name`] is what the table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Ok,
    Failing,
    /// The service told us to wait, or a pause after many failures runs.
    Waiting,
    /// Banned, the quota is gone, or the key is not accepted.
    Stopped,
    NoKey,
    /// Not asked yet.
    Silent,
}

impl State {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failing => "failing",
            Self::Waiting => "waiting",
            Self::Stopped => "stopped",
            Self::NoKey => "no-key",
            Self::Silent => "silent",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceHealth {
    pub source: &'static str,
    pub state: State,
    /// In words, for a person.
    pub detail: String,
    /// Since the start.
    pub answers: u64,
    pub failures: u64,
    /// Of the last good answer to each question.
    pub observations: u32,
    pub unmapped: u32,
    /// Unix seconds.
    pub last_ok_at: Option<u64>,
    pub last_error_at: Option<u64>,
    pub last_error: Option<String>,
}
