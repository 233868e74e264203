//! `GET /fleet/{name}`: one farm, and what its reports of a day or a month say.

use super::condition::{Condition, OLD_REPORT};
use super::farm_store::{self, Change, History, Outcome, Step, Turn};
use super::fleet::{REFRESH, moment};
use super::rows::{self, Line, RouteLine};
use super::session::SignedIn;
use super::view::{Seen, Snapshot};
use super::{Shell, Trouble, page};
use crate::api::App;
use crate::api::fleet_store::{self, FleetFarm};
use crate::api::problem::Problem;
use crate::api::request::Segment;
use crate::api::seen::unix_now;
use crate::farms::FarmError;
use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use smart_mining_page::chart::{self, Chart, Outage, Point, Route, Switch};
use smart_mining_page::words;
use std::collections::BTreeMap;

/// Rows of the table of switches, and of that of states.
const ROWS: usize = 30;

/// Algorithms that are drawn, in the order of their names: with more, the page of a month
/// would weigh more than 100 KiB. The table of routes has all.
const CHARTS: usize = 4;

#[derive(Deserialize)]
pub struct Sent {
    #[serde(default)]
    range: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Range {
    Day,
    Month,
}

impl Range {
    fn read(text: &str) -> Option<Self> {
        match text {
            "" | "24h" => Some(Self::Day),
            "30d" => Some(Self::Month),
            _ => None,
        }
    }

    const fn seconds(self) -> i64 {
        match self {
            Self::Day => 86_400,
            Self::Month => 30 * 86_400,
        }
    }

    /// Two reports fall into the shortest.
    const fn step(self) -> i64 {
        match self {
            Self::Day => 600,
            Self::Month => 4 * 3600,
        }
    }
}

#[derive(Template)]
#[template(path = "farm.html")]
struct Page {
    shell: Shell,
    line: Line,
    read_at: String,
    routes: Vec<NowLine>,
    facts: Vec<(&'static str, String)>,
    month: bool,
    /// Markup of ours.
    charts: Vec<String>,
    switches: Vec<SwitchLine>,
    changes: Vec<(String, &'static str, &'static str)>,
    outcomes: Vec<OutcomeLine>,
}

struct NowLine {
    route: RouteLine,
    since: String,
    miners: String,
    accepted: String,
    refused: String,
    lost: String,
}

struct SwitchLine {
    at: String,
    algorithm: String,
    from: String,
    to: String,
}

struct OutcomeLine {
    version: String,
    outcome: &'static str,
    bad: bool,
    reason: String,
    at: String,
}

pub async fn get(
    State(app): State<App>,
    _: SignedIn,
    name: Result<Segment, Problem>,
    sent: Result<Query<Sent>, QueryRejection>,
) -> Response {
    match show(&app, name, sent).await {
        Ok(response) => response,
        Err(problem) => Trouble(problem).into_response(),
    }
}

async fn show(
    app: &App,
    name: Result<Segment, Problem>,
    sent: Result<Query<Sent>, QueryRejection>,
) -> Result<Response, Problem> {
    let Segment(name) = name?;
    let unknown = || Problem::from(FarmError::Unknown(name.clone()));
    if !smart_mining_wire::snapshot::is_name(&name) {
        return Err(unknown());
    }
    let Query(sent) = sent.map_err(|error| Problem::bad_query(error.body_text()))?;
    let range =
        Range::read(&sent.range).ok_or_else(|| Problem::bad_query("range is 24h or 30d"))?;
    let now = unix_now();
    let from = now - range.seconds();
    let pool = &app.reader.pool;
    let read = async {
        let Some(farm) = fleet_store::one(pool, &name).await? else {
            return Err(unknown());
        };
        let behind = farm_store::behind(pool, farm.sequence.unwrap_or(0)).await?;
        let history = farm_store::history(pool, &name, from, range.step()).await?;
        Ok((farm, behind, history))
    };
    let (farm, behind, history) = app.reader.run(read).await?;
    let page_of = template(farm, behind, &history, range, now);
    Ok(page(StatusCode::OK, &page_of))
}

fn template(farm: FleetFarm, behind: usize, history: &History, range: Range, now: i64) -> Page {
    let snapshot = match (farm.sequence, farm.snapshot_age) {
        (None | Some(0), _) => Snapshot::None,
        (Some(_), Some(age)) => Snapshot::Kept {
            behind,
            at: now - age,
        },
        (Some(_), None) => Snapshot::Unknown,
    };
    let seen = Seen {
        condition: Condition::of(&farm, now),
        snapshot,
        farm,
    };
    let line = Line::of(&seen, now);
    Page {
        shell: Shell {
            title: format!("{}: {}", line.name, line.state),
            signed_in: true,
            refresh: REFRESH,
        },
        read_at: words::second(now.cast_unsigned()),
        routes: routes(&seen.farm, now),
        facts: facts(&seen, &line, now),
        month: range == Range::Month,
        charts: charts(history, range, now),
        switches: switches(&history.turns),
        changes: changes(&history.changes),
        outcomes: history.outcomes.iter().map(outcome).collect(),
        line,
    }
}

fn routes(farm: &FleetFarm, now: i64) -> Vec<NowLine> {
    let line = |(algorithm, it): (&_, &smart_mining_wire::report::AlgorithmReport)| {
        let shares = it.shares;
        let refused = shares.rejected.saturating_add(shares.stale);
        let answered = shares.accepted.saturating_add(refused);
        let since = it.route.as_ref().map(|route| route.since.cast_signed());
        NowLine {
            route: rows::route(*algorithm, it),
            since: since.map_or_else(|| "-".into(), |at| rows::ago(Some(at), now)),
            miners: words::count(it.miners.into()),
            accepted: words::count(shares.accepted),
            refused: format!(
                "{} ({})",
                words::count(refused),
                words::percent(refused, answered)
            ),
            lost: words::count(shares.unknown.saturating_add(shares.lost)),
        }
    };
    farm.algorithms.iter().map(line).collect()
}

fn facts(seen: &Seen, line: &Line, now: i64) -> Vec<(&'static str, String)> {
    let farm = &seen.farm;
    let snapshot = match line.behind.is_empty() {
        true => line.snapshot.clone(),
        false => format!("{}, {}", line.snapshot, line.behind),
    };
    let board = farm.board.clone();
    let reported = match farm.reported_at {
        Some(at) if now - at < OLD_REPORT => rows::ago(Some(at), now),
        at => format!("{}, longer than usual", rows::ago(at, now)),
    };
    let mut facts = vec![
        ("Seen", line.seen.clone()),
        (
            "Reported",
            if farm.state.is_some() {
                reported
            } else {
                "never".into()
            },
        ),
        ("Snapshot", snapshot),
        ("Version", line.version.clone()),
        ("Board", board.unwrap_or_else(|| "not told".into())),
    ];
    if let Some(uptime) = farm.uptime {
        facts.push(("Running when it reported", words::duration(uptime)));
    }
    facts.push(("Enrolled", moment(farm.enrolled_at)));
    if let Some(at) = farm.rotated_at {
        facts.push(("Token renewed", moment(at)));
    }
    facts
}

fn charts(history: &History, range: Range, now: i64) -> Vec<String> {
    let mut algorithms: BTreeMap<&str, Vec<&Step>> = BTreeMap::new();
    for step in &history.steps {
        algorithms.entry(&step.algorithm).or_default().push(step);
    }
    let outages = outages(history);
    let chart = |(index, (algorithm, steps)): (usize, (&str, Vec<&Step>))| {
        let points: Vec<Point> = steps.into_iter().map(point).collect();
        let turns = |turn: &&Turn| turn.algorithm == algorithm;
        let turns: Vec<&Turn> = history.turns.iter().filter(turns).collect();
        let routes = stretches(&turns, history.last.unwrap_or(now));
        let told: Vec<(i64, String)> = (turns.windows(2))
            .filter_map(|pair| match pair {
                [from, to] => Some((when(to), format!("{} to {}", target(from), target(to)))),
                _ => None,
            })
            .collect();
        let switches: Vec<Switch<'_>> = (told.iter())
            .map(|(at, text)| Switch {
                at: at.cast_unsigned(),
                text,
            })
            .collect();
        chart::figure(&Chart {
            id: &format!("chart-{index}"),
            title: algorithm,
            from: (now - range.seconds()).cast_unsigned(),
            to: now.cast_unsigned(),
            step: range.step().cast_unsigned(),
            points: &points,
            routes: &routes,
            switches: &switches,
            outages: &outages,
        })
    };
    let drawn = algorithms.into_iter().take(CHARTS);
    drawn.enumerate().map(chart).collect()
}

fn point(step: &Step) -> Point {
    let answered = step.accepted + step.refused;
    Point {
        at: step.at.cast_unsigned(),
        hashrate: step.hashrate,
        refused: (answered > 0.0).then(|| step.refused / answered),
    }
}

/// When a report tells a route, it may have begun a while before.
fn when(turn: &Turn) -> i64 {
    let since = turn.since.filter(|since| *since <= turn.at);
    // A clock that was set meanwhile must not move it far.
    since
        .filter(|since| turn.at - since < 3600)
        .unwrap_or(turn.at)
}

fn target(turn: &Turn) -> String {
    match (&turn.pool, &turn.coin) {
        (Some(pool), Some(coin)) => format!("{pool} ({coin})"),
        _ => "no pool".into(),
    }
}

/// Each route until the next one, and the last one until the last report.
fn stretches<'t>(turns: &[&'t Turn], last: i64) -> Vec<Route<'t>> {
    let ends = turns.iter().skip(1).map(|turn| when(turn));
    let ends = ends.chain([last]);
    let stretch = |(turn, end): (&&'t Turn, i64)| Route {
        from: when(turn).cast_unsigned(),
        to: end.cast_unsigned(),
        pool: turn.pool.as_deref().unwrap_or(""),
        coin: turn.coin.as_deref().unwrap_or(""),
    };
    turns.iter().zip(ends).map(stretch).collect()
}

/// While it said that it could not mine as it should.
fn outages(history: &History) -> Vec<Outage<'static>> {
    let ends = history.changes.iter().skip(1).map(|change| change.at);
    let ends = ends.chain(history.last);
    let outage = |(change, end): (&Change, i64)| {
        let text = match Condition::parse(&change.state)? {
            Condition::Holding => "holding: no usable pool",
            Condition::Trouble => "trouble: needs a person",
            Condition::FromCache => "mining from cache: central away",
            Condition::Mining | Condition::Silent | Condition::New | Condition::Disabled => {
                return None;
            }
        };
        Some(Outage {
            from: change.at.cast_unsigned(),
            to: end.cast_unsigned(),
            text,
        })
    };
    history
        .changes
        .iter()
        .zip(ends)
        .filter_map(outage)
        .collect()
}

/// Newest first.
fn switches(turns: &[Turn]) -> Vec<SwitchLine> {
    let mut before: BTreeMap<&str, &Turn> = BTreeMap::new();
    let mut lines = Vec::new();
    for turn in turns {
        if let Some(former) = before.insert(&turn.algorithm, turn) {
            lines.push(SwitchLine {
                at: moment(when(turn)),
                algorithm: turn.algorithm.clone(),
                from: target(former),
                to: target(turn),
            });
        }
    }
    lines.reverse();
    lines.truncate(ROWS);
    lines
}

/// Time, class and words; newest first.
fn changes(changes: &[Change]) -> Vec<(String, &'static str, &'static str)> {
    let known = changes.iter().rev().filter_map(|change| {
        let state = Condition::parse(&change.state)?;
        Some((moment(change.at), state.class(), state.words()))
    });
    known.take(ROWS).collect()
}

fn outcome(outcome: &Outcome) -> OutcomeLine {
    let (words, bad) = match outcome.outcome.as_str() {
        "kept" => ("kept", false),
        "rolled-back" => ("rolled back", true),
        _ => ("refused", false),
    };
    OutcomeLine {
        version: outcome.version.clone(),
        outcome: words,
        bad,
        reason: outcome.reason.clone(),
        at: moment(outcome.at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(at: i64, since: i64, pool: &str) -> Turn {
        Turn {
            at,
            algorithm: "scrypt".into(),
            pool: (!pool.is_empty()).then(|| pool.into()),
            coin: (!pool.is_empty()).then(|| "LTC".into()),
            since: (!pool.is_empty()).then_some(since),
        }
    }

    #[test]
    fn a_route_lasts_until_the_next_one_and_the_last_until_the_last_report() {
        let turns = [
            turn(1000, 990, "pool-a"),
            turn(1300, 1290, "pool-b"),
            turn(1600, 0, ""),
            turn(9000, 9001, "pool-a"),
        ];
        let stretches = stretches(&turns.each_ref(), 9300);
        let told: Vec<_> = (stretches.iter())
            .map(|it| (it.from, it.to, it.pool))
            .collect();
        let expected = [
            (990, 1290, "pool-a"),
            (1290, 1600, "pool-b"),
            (1600, 9000, ""),
            // Its clock is ahead of its own report: the report's time is taken.
            (9000, 9300, "pool-a"),
        ];
        assert_eq!(told, expected);
        let lines = switches(&turns);
        let words: Vec<_> = lines
            .iter()
            .map(|it| (it.from.as_str(), it.to.as_str()))
            .collect();
        let expected = [
            ("no pool", "pool-a (LTC)"),
            ("pool-b (LTC)", "no pool"),
            ("pool-a (LTC)", "pool-b (LTC)"),
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn what_it_said_of_outages_is_marked() {
        let change = |at, state: &str| Change {
            at,
            state: state.into(),
        };
        let history = History {
            steps: vec![],
            turns: vec![],
            changes: vec![
                change(10, "mining"),
                change(20, "holding"),
                change(30, "mining"),
                change(40, "trouble"),
            ],
            outcomes: vec![],
            last: Some(50),
        };
        let outages: Vec<_> = outages(&history)
            .iter()
            .map(|it| (it.from, it.to))
            .collect();
        assert_eq!(outages, [(20, 30), (40, 50)]);
    }
}
