//! A farm as it is shown: its figures in words. Pure.

use super::condition::{Condition, OLD_REPORT};
use super::question::{miners, shares};
use super::view::{Seen, Snapshot};
use smart_mining_page::words;
use smart_mining_wire::Algorithm;
use smart_mining_wire::report::{AlgorithmReport, UpdateOutcome};

/// Algorithms of one farm in the table; its own page has all.
const ROUTES: usize = 3;
/// Of the shares; below it a person need not look.
const REJECTS_MUCH: f64 = 0.05;

pub struct Line {
    pub name: String,
    pub state: &'static str,
    pub class: &'static str,
    /// Whether its figures are not of now.
    pub away: bool,
    pub notes: Vec<String>,
    pub routes: Vec<RouteLine>,
    pub more: usize,
    pub miners: String,
    pub rejected: String,
    pub rejects_much: bool,
    pub version: String,
    pub board: String,
    pub snapshot: String,
    pub behind: String,
    pub behind_much: bool,
    pub seen: String,
}

pub struct RouteLine {
    pub algorithm: &'static str,
    pub to: String,
    /// What stands there may be cut.
    pub title: String,
    pub hashrate: String,
}

impl Line {
    pub fn of(seen: &Seen, now: i64) -> Self {
        let farm = &seen.farm;
        let (refused, answered) = shares(seen);
        let routes = farm
            .algorithms
            .iter()
            .map(|(algorithm, it)| route(*algorithm, it));
        let (snapshot, behind) = snapshot(seen.snapshot, farm.sequence, now);
        Self {
            name: farm.name.clone(),
            state: seen.condition.words(),
            class: seen.condition.class(),
            away: !seen.condition.is_current(),
            notes: notes(seen, now),
            routes: routes.take(ROUTES).collect(),
            more: farm.algorithms.len().saturating_sub(ROUTES),
            miners: match farm.state {
                Some(_) => words::count(miners(seen)),
                None => "-".into(),
            },
            rejected: words::percent(refused, answered),
            rejects_much: refused as f64 > answered as f64 * REJECTS_MUCH,
            version: farm.appliance.clone().unwrap_or_else(|| "-".into()),
            board: farm.board.clone().unwrap_or_default(),
            snapshot,
            behind,
            behind_much: seen.condition.is_current() && seen.snapshot.is_old(),
            seen: ago(farm.last_seen_at, now),
        }
    }
}

pub fn route(algorithm: Algorithm, report: &AlgorithmReport) -> RouteLine {
    let to = match &report.route {
        Some(route) => format!("{} ({})", route.pool, route.coin),
        None => "no pool".into(),
    };
    RouteLine {
        algorithm: algorithm.name(),
        title: format!("{}: {to}", algorithm.name()),
        hashrate: words::hashrate(report.hashrate),
        to,
    }
}

/// `5 min ago`.
pub fn ago(at: Option<i64>, now: i64) -> String {
    match at {
        Some(at) => format!("{} ago", rough((now - at).max(0).cast_unsigned())),
        None => "never".into(),
    }
}

/// As precise as what is written once a minute.
pub fn rough(seconds: u64) -> String {
    match seconds {
        0..60 => "1 min".into(),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Its age, and how far it is behind.
pub fn snapshot(snapshot: Snapshot, sequence: Option<u64>, now: i64) -> (String, String) {
    match (snapshot, sequence) {
        (Snapshot::Kept { behind, at }, _) => {
            let age = words::duration((now - at).max(0).cast_unsigned());
            let behind = match behind {
                0 => "the newest".into(),
                behind => format!("{} behind", words::count(behind as u64)),
            };
            (age, behind)
        }
        (Snapshot::Unknown, Some(sequence)) => (format!("#{sequence}"), "not known here".into()),
        (Snapshot::Unknown | Snapshot::None, _) => ("none".into(), String::new()),
    }
}

fn notes(seen: &Seen, now: i64) -> Vec<String> {
    let farm = &seen.farm;
    let mut notes = Vec::new();
    let state = farm.state.filter(|_| !seen.condition.is_current());
    if let Some(state) = state {
        notes.push(format!("was {}", Condition::reported(state).words()));
    }
    if let Some(at) = farm.reported_at.filter(|at| now - at >= OLD_REPORT) {
        notes.push(format!("reported {}", ago(Some(at), now)));
    }
    if let Some(update) = &farm.update {
        match update.outcome {
            UpdateOutcome::Kept => {}
            UpdateOutcome::RolledBack => notes.push(format!("rolled {} back", update.release)),
            UpdateOutcome::Refused => notes.push(format!("refused {}", update.release)),
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::super::condition::tests::farm;
    use super::*;
    use smart_mining_wire::report::{FarmState, Route, Shares, Update};

    const NOW: i64 = 1_790_000_000;

    fn seen() -> Seen {
        let mut farm = farm("hill", FarmState::Holding);
        for algorithm in Algorithm::ALL {
            let report = AlgorithmReport {
                route: (algorithm != Algorithm::Scrypt).then(|| Route {
                    pool: "pool-a".into(),
                    coin: "BTC".into(),
                    since: 0,
                }),
                hashrate: 1.5e12,
                shares: Shares {
                    accepted: 90,
                    rejected: 4,
                    stale: 6,
                    ..Shares::default()
                },
                miners: 200,
            };
            farm.algorithms.insert(algorithm, report);
        }
        Seen {
            condition: Condition::of(&farm, NOW),
            snapshot: Snapshot::Kept {
                behind: 3,
                at: NOW - 3661,
            },
            farm,
        }
    }

    #[test]
    fn a_line_says_what_the_newest_report_says() {
        let line = Line::of(&seen(), NOW);
        assert_eq!((line.state, line.away, line.more), ("holding", false, 5));
        let routes: Vec<&str> = line.routes.iter().map(|it| it.title.as_str()).collect();
        let expected = [
            "sha256d: pool-a (BTC)",
            "scrypt: no pool",
            "etchash: pool-a (BTC)",
        ];
        assert_eq!(routes, expected);
        assert_eq!(
            (line.miners.as_str(), line.rejected.as_str()),
            ("1,600", "10.0 %")
        );
        assert_eq!(
            (line.snapshot.as_str(), line.behind.as_str()),
            ("1 h 1 min", "3 behind")
        );
        assert!(line.rejects_much && line.behind_much);
        assert_eq!(line.seen, "1 min ago");
        assert_eq!(line.notes, [""; 0]);
    }

    #[test]
    fn what_is_old_is_said_to_be() {
        let mut seen = seen();
        (seen.farm.last_seen_at, seen.farm.reported_at) = (Some(NOW - 7300), Some(NOW - 200_000));
        seen.farm.update = Some(Update {
            release: "0.2.0".into(),
            outcome: UpdateOutcome::RolledBack,
            reason: String::new(),
        });
        seen.condition = Condition::of(&seen.farm, NOW);
        let line = Line::of(&seen, NOW);
        assert_eq!(
            (line.state, line.away, line.behind_much),
            ("not seen", true, false)
        );
        assert_eq!(
            line.notes,
            ["was holding", "reported 2 d ago", "rolled 0.2.0 back"]
        );
        assert_eq!(line.seen, "2 h ago");
        seen.snapshot = Snapshot::Unknown;
        let line = Line::of(&seen, NOW);
        assert_eq!(
            (line.snapshot.as_str(), line.behind.as_str()),
            ("#7", "not known here")
        );
    }
}
