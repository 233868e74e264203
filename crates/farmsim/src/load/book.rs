//! What a crowd of farms was answered, and when.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Why a poll brought nothing.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    Connect(ErrorKind),
    ConnectTimeOut,
    AnswerTimeOut,
    Broken,
    Status(u16),
    NoSequence,
    Stale,
}

impl Fault {
    /// A new connection may help.
    pub const fn is_of_connection(self) -> bool {
        match self {
            Self::Connect(_) | Self::ConnectTimeOut | Self::AnswerTimeOut | Self::Broken => true,
            Self::Status(_) | Self::NoSequence | Self::Stale => false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(kind) => write!(f, "cannot connect: {kind}"),
            Self::ConnectTimeOut => f.write_str("cannot connect in time"),
            Self::AnswerTimeOut => f.write_str("no answer in time"),
            Self::Broken => f.write_str("connection ended"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::NoSequence => f.write_str("200 without X-Sequence"),
            Self::Stale => f.write_str("a snapshot that is not newer"),
        }
    }
}

#[derive(Default)]
pub struct Book(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    connected: i64,
    statuses: BTreeMap<u16, u64>,
    faults: BTreeMap<String, u64>,
    bytes: u64,
    /// For each sequence, when each farm that waited for it had it whole.
    received: BTreeMap<u64, Vec<f64>>,
    /// Seconds without central, of farms that found it again.
    away: Vec<f64>,
}

impl Book {
    pub fn status(&self, status: u16) {
        *self.entries().statuses.entry(status).or_default() += 1;
    }

    pub fn received(&self, sequence: u64, news: bool, bytes: usize) {
        let now = unix_now();
        let mut entries = self.entries();
        entries.bytes += bytes as u64;
        if news {
            entries.received.entry(sequence).or_default().push(now);
        }
    }

    /// `first`: since it started or failed.
    pub fn answered(&self, first: bool, lost: Option<Instant>) {
        let mut entries = self.entries();
        entries.connected += i64::from(first);
        if let Some(lost) = lost {
            entries.away.push(lost.elapsed().as_secs_f64());
        }
    }

    pub fn failed(&self, fault: Fault) {
        let kind = fault.to_string();
        *self.entries().faults.entry(kind).or_default() += 1;
    }

    /// Its last poll was answered, this one was not.
    pub fn lost(&self) {
        self.entries().connected -= 1;
    }

    /// `commits`: when snapshots became visible, in Unix seconds, where that is known.
    pub fn report(&self, farms: usize, commits: &BTreeMap<u64, f64>) -> Value {
        let mut entries = self.entries();
        entries.away.sort_by(f64::total_cmp);
        let away = spread(&entries.away, 0.0);
        let publications: Vec<Value> = entries
            .received
            .iter_mut()
            .map(|(sequence, times)| {
                times.sort_by(f64::total_cmp);
                let commit = commits.get(sequence).copied();
                let since = commit.or(times.first().copied()).unwrap_or_default();
                json!({
                    "sequence": sequence,
                    "farms": times.len(),
                    "since": if commit.is_some() { "commit" } else { "first farm" },
                    "ms": spread(times, since),
                })
            })
            .collect();
        json!({
            "farms": farms,
            "connected": entries.connected,
            "answers": entries.statuses,
            "faults": entries.faults,
            "body_bytes": entries.bytes,
            "publications": publications,
            "lost_and_back": { "farms": entries.away.len(), "ms": away },
        })
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Each entry is complete in itself: a panic elsewhere spoils nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of sorted seconds, in milliseconds after `since`.
pub fn spread(sorted: &[f64], since: f64) -> Value {
    let at = |share: f64| {
        let last = sorted.len().saturating_sub(1);
        let index = (last as f64 * share).round() as usize;
        let value = sorted.get(index)?;
        Some(((value - since) * 1e6).round() / 1e3)
    };
    json!({ "first": at(0.0), "p50": at(0.5), "p99": at(0.99), "last": at(1.0) })
}

/// Lines of a sequence and its time.
pub fn commits(text: &str) -> Result<BTreeMap<u64, f64>> {
    text.lines()
        .map(|line| {
            let (sequence, time) = line.split_once(' ').context("no time")?;
            Ok((sequence.parse()?, time.parse()?))
        })
        .map(|line: Result<_>| line.context("--commits holds lines of SEQUENCE UNIX_SECONDS"))
        .collect()
}

fn unix_now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_counts_from_the_commit_where_it_is_known() {
        let book = Book::default();
        for _ in 0..3 {
            book.received(7, true, 100);
        }
        book.received(7, false, 100);
        book.received(8, true, 100);
        let commits = BTreeMap::from([(7, unix_now() - 15.0)]);
        let report = book.report(4, &commits);
        let publications = report["publications"].as_array().expect("a list");
        assert_eq!(publications[0]["farms"], 3, "a first snapshot is no news");
        assert_eq!(publications[0]["since"], "commit");
        let late = publications[0]["ms"]["first"].as_f64().expect("a number");
        assert!((10_000.0..20_000.0).contains(&late), "{late} ms");
        assert_eq!(publications[1]["since"], "first farm");
        assert_eq!(publications[1]["ms"]["last"], 0.0);
        assert_eq!(report["body_bytes"], 500);
    }

    #[test]
    fn commits_are_lines_of_two_numbers() {
        let read = commits("5 1.25\n6 2\n").expect("good lines");
        assert_eq!(Vec::from_iter(read), [(5, 1.25), (6, 2.0)]);
        commits("5").expect_err("no time");
        commits("x 1").expect_err("no sequence");
    }

    #[test]
    fn spreads_name_the_ends() {
        let times: Vec<f64> = (0..=100).map(f64::from).collect();
        let spread = spread(&times, 0.0);
        assert_eq!(spread["first"], 0.0);
        assert_eq!(spread["p50"], 50_000.0);
        assert_eq!(spread["p99"], 99_000.0);
        assert_eq!(spread["last"], 100_000.0);
    }
}
