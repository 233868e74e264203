//! How each source fares, for the table `source_health` and for the log.

use super::Heard;
use super::schedule::{Condition, SourceId};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

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

/// A line for the log.
pub type Note = (log::Level, String);

/// Counts of every source since the start.
#[derive(Debug)]
pub struct Ledger {
    tallies: Vec<Tally>,
}

#[derive(Debug)]
struct Tally {
    source: &'static str,
    missing: Option<&'static str>,
    answers: u64,
    failures: u64,
    last_ok_at: Option<u64>,
    last_error_at: Option<u64>,
    last_error: Option<String>,
    /// By kind and about.
    questions: BTreeMap<(&'static str, String), Last>,
    /// As it was said last.
    unmapped_said: usize,
}

/// What became of a question the last time, and what its last good answer held.
#[derive(Debug, Default)]
struct Last {
    error: Option<String>,
    observations: usize,
    unmapped: usize,
    names: Vec<String>,
}

/// Names of rows that are shown of many.
const NAMES: usize = 5;

impl Ledger {
    pub fn new(sources: impl IntoIterator<Item = (&'static str, Option<&'static str>)>) -> Self {
        let tally = |(source, missing)| Tally {
            source,
            missing,
            answers: 0,
            failures: 0,
            last_ok_at: None,
            last_error_at: None,
            last_error: None,
            questions: BTreeMap::new(),
            unmapped_said: 0,
        };
        Self {
            tallies: sources.into_iter().map(tally).collect(),
        }
    }

    /// What is worth a line: that a source begins to fail or is well again, and, once
    /// all of its questions were asked (`complete`), that other rows than before were
    /// left out.
    pub fn heard(&mut self, source: SourceId, heard: &Heard, complete: bool) -> Vec<Note> {
        let Some(tally) = self.tallies.get_mut(source) else {
            return Vec::new();
        };
        let failed_before = tally.failing().next().is_some();
        tally.count(heard);
        let mut notes = Vec::new();
        let name = tally.source;
        match (failed_before, tally.failing().next()) {
            (false, Some(words)) => {
                notes.push((log::Level::Warn, format!("{name} begins to fail: {words}")));
            }
            (true, None) => notes.push((log::Level::Info, format!("{name} answers again"))),
            (true, Some(_)) | (false, None) => {}
        }
        let unmapped = tally.questions.values().map(|last| last.unmapped).sum();
        if complete && unmapped != tally.unmapped_said {
            tally.unmapped_said = unmapped;
            let names = tally.questions.values().flat_map(|last| &last.names);
            let names: Vec<_> = names.take(NAMES).map(String::as_str).collect();
            let more = if names.len() < unmapped { ", ..." } else { "" };
            let names = names.join(", ");
            let line = format!("{name}: {unmapped} rows are not used: {names}{more}");
            notes.push((log::Level::Info, line));
        }
        notes
    }

    /// `condition` as [`Schedule::condition`](super::schedule::Schedule::condition) says.
    pub fn health(
        &self,
        condition: impl Fn(SourceId) -> Condition,
        now: Instant,
    ) -> Vec<SourceHealth> {
        let tallies = self.tallies.iter().enumerate();
        tallies
            .map(|(source, tally)| tally.health(condition(source), now))
            .collect()
    }
}

impl Tally {
    fn count(&mut self, heard: &Heard) {
        let last = self.questions.entry((heard.kind, heard.about.clone()));
        let last = last.or_default();
        match &heard.result {
            Ok(parsed) => {
                self.answers += 1;
                self.last_ok_at = Some(heard.at);
                let unmapped = parsed.unmapped.iter();
                *last = Last {
                    error: None,
                    observations: parsed.observations.len(),
                    unmapped: parsed.unmapped.len(),
                    names: unmapped
                        .take(NAMES)
                        .map(|row| format!("{} ({})", row.name, row.why))
                        .collect(),
                };
            }
            Err(error) => {
                let error = error.to_string();
                self.failures += 1;
                self.last_error_at = Some(heard.at);
                self.last_error = Some(error.clone());
                last.error = Some(error);
            }
        }
    }

    /// Each question that has no answer, in words.
    fn failing(&self) -> impl Iterator<Item = String> {
        self.questions.iter().filter_map(|((kind, about), last)| {
            let error = last.error.as_ref()?;
            let space = if about.is_empty() { "" } else { " " };
            Some(format!("{kind}{space}{about}: {error}"))
        })
    }

    fn health(&self, condition: Condition, now: Instant) -> SourceHealth {
        let failing = self.failing().count();
        let (state, detail) = match (self.missing, condition) {
            (Some(missing), _) => (
                State::NoKey,
                format!(
                    "needs {missing}: name its file by key_file in [sources.{}]",
                    self.source
                ),
            ),
            (None, Condition::Stopped(why)) => (
                State::Stopped,
                format!("not asked any more until the aggregator is started again: {why}"),
            ),
            (None, Condition::Waiting(until)) => {
                let seconds = until.saturating_duration_since(now).as_secs_f64().ceil();
                let error = self.last_error.as_deref().unwrap_or_default();
                (
                    State::Waiting,
                    format!("asked again in {seconds} s: {error}"),
                )
            }
            (None, Condition::Open) if self.questions.is_empty() => {
                (State::Silent, "not asked yet".to_owned())
            }
            (None, Condition::Open) => match self.failing().next() {
                None => (State::Ok, String::new()),
                Some(words) => {
                    let all = self.questions.len();
                    (
                        State::Failing,
                        format!("{failing} of {all} questions fail: {words}"),
                    )
                }
            },
        };
        let sum = |count: fn(&Last) -> usize| {
            let sum: usize = self.questions.values().map(count).sum();
            u32::try_from(sum).unwrap_or(u32::MAX)
        };
        SourceHealth {
            source: self.source,
            state,
            detail,
            answers: self.answers,
            failures: self.failures,
            observations: sum(|last| last.observations),
            unmapped: sum(|last| last.unmapped),
            last_ok_at: self.last_ok_at,
            last_error_at: self.last_error_at,
            last_error: self.last_error.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Parsed, SourceError};
    use crate::transport::fetch::FetchError;

    fn heard(about: &str, at: u64, result: Result<usize, SourceError>) -> Heard {
        let parsed = |unmapped| {
            let mut parsed = Parsed::default();
            for row in 0..unmapped {
                parsed.leave_out(format!("row{row}"), "unknown");
            }
            parsed
        };
        Heard {
            source: "zpool",
            kind: "status",
            about: about.to_owned(),
            at,
            result: result.map(parsed).map_err(FetchError::Source),
        }
    }

    fn lines(notes: Vec<Note>) -> Vec<String> {
        notes.into_iter().map(|(_, line)| line).collect()
    }

    #[test]
    fn the_log_tells_of_changes_and_not_of_every_failure() {
        let mut ledger = Ledger::new([("zpool", None)]);
        let mut said = |about: &str, result| lines(ledger.heard(0, &heard(about, 1, result), true));
        let none: [&str; 0] = [];
        assert_eq!(said("a", Ok(0)), none);
        assert_eq!(
            said("a", Err(SourceError::Empty)),
            ["zpool begins to fail: status a: an empty body"]
        );
        assert_eq!(said("b", Err(SourceError::Status(500))), none);
        assert_eq!(said("a", Ok(0)), none);
        assert_eq!(said("b", Ok(0)), ["zpool answers again"]);
    }

    #[test]
    fn rows_left_out_are_told_when_their_number_changes() {
        let mut ledger = Ledger::new([("zpool", None)]);
        let mut said = |about: &str, rows, complete| {
            lines(ledger.heard(0, &heard(about, 1, Ok(rows)), complete))
        };
        let none: [&str; 0] = [];
        assert_eq!(said("a", 1, false), none, "the round is not over");
        let line = "zpool: 2 rows are not used: row0 (unknown), row0 (unknown)";
        assert_eq!(said("b", 1, true), [line]);
        assert_eq!(said("b", 1, true), none);
        let many = said("b", 9, true);
        assert!(
            many[0].starts_with("zpool: 10 rows") && many[0].ends_with(", ..."),
            "{many:?}"
        );
        assert_eq!(said("b", 9, true), none);
    }

    #[test]
    fn the_state_is_that_of_the_sources_places_then_of_its_questions() {
        let now = Instant::now();
        let mut ledger = Ledger::new([("zpool", None), ("luxor", Some("a key"))]);
        let of = |ledger: &Ledger, condition: Condition| {
            let health = ledger.health(|_| condition.clone(), now).remove(0);
            (health.state, health.detail)
        };
        assert_eq!(of(&ledger, Condition::Open).0, State::Silent);
        assert_eq!(
            ledger.health(|_| Condition::Open, now)[1].state,
            State::NoKey
        );
        ledger.heard(0, &heard("a", 5, Ok(3)), true);
        assert_eq!(of(&ledger, Condition::Open).0, State::Ok);
        ledger.heard(0, &heard("b", 7, Err(SourceError::Status(502))), true);
        let (state, detail) = of(&ledger, Condition::Open);
        assert_eq!(state, State::Failing);
        assert_eq!(detail, "1 of 2 questions fail: status b: status 502");
        let wait = Condition::Waiting(now + std::time::Duration::from_millis(1_500));
        let (state, detail) = of(&ledger, wait);
        assert_eq!(state, State::Waiting);
        assert_eq!(detail, "asked again in 2 s: status 502");
        assert_eq!(
            of(&ledger, Condition::Stopped("banned".to_owned())).0,
            State::Stopped
        );
        let health = ledger.health(|_| Condition::Open, now).remove(0);
        assert_eq!(
            (health.answers, health.failures, health.unmapped),
            (1, 1, 3)
        );
        assert_eq!(
            (health.last_ok_at, health.last_error_at),
            (Some(5), Some(7))
        );
    }
}
