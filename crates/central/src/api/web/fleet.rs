//! `GET /fleet`: all farms at one glance, and those that are asked for in a table.

use super::condition::Condition;
use super::question::{Question, ROWS, Sent, Sort};
use super::rows::Line;
use super::session::SignedIn;
use super::view::Fleet;
use super::{Shell, Trouble, page};
use crate::api::App;
use crate::api::problem::Problem;
use crate::api::releases::Rollout;
use crate::api::seen::unix_now;
use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use smart_mining_page::words;
use smart_mining_wire::Algorithm;

/// Releases on the page.
const RELEASES: usize = 8;
/// Versions to choose from.
const VERSIONS: usize = 40;
/// Seconds between two looks of a browser without script.
pub const REFRESH: u32 = 30;

#[derive(Template)]
#[template(path = "fleet.html")]
struct Page {
    shell: Shell,
    glance: String,
    glance_class: &'static str,
    farms: String,
    farms_there: bool,
    newest: String,
    read_at: String,
    tiles: Vec<Tile>,
    work: Vec<WorkLine>,
    releases: Vec<ReleaseLine>,
    more_releases: usize,
    question: Question,
    order: &'static str,
    states: Vec<Choice>,
    versions: Vec<Choice>,
    algorithms: Vec<Choice>,
    columns: Vec<Column>,
    range: String,
    lines: Vec<Line>,
    pages: usize,
    before: Option<String>,
    after: Option<String>,
}

struct Tile {
    link: String,
    chosen: bool,
    count: String,
    words: &'static str,
    means: &'static str,
    tone: &'static str,
}

struct WorkLine {
    algorithm: &'static str,
    hashrate: String,
    farms: String,
    miners: String,
}

struct ReleaseLine {
    version: String,
    board: String,
    wave: String,
    halted: Option<String>,
    kept: u64,
    rolled_back: u64,
    refused: u64,
    added: String,
}

struct Choice {
    value: String,
    words: String,
    chosen: bool,
}

struct Column {
    words: &'static str,
    link: String,
    number: bool,
    sorted: Option<&'static str>,
}

pub async fn get(
    State(app): State<App>,
    _: SignedIn,
    sent: Result<Query<Sent>, QueryRejection>,
) -> Response {
    match show(&app, sent).await {
        Ok(response) => response,
        Err(problem) => Trouble(problem).into_response(),
    }
}

async fn show(app: &App, sent: Result<Query<Sent>, QueryRejection>) -> Result<Response, Problem> {
    let Query(sent) = sent.map_err(|error| Problem::bad_query(error.body_text()))?;
    let question = Question::read(sent).map_err(Problem::bad_query)?;
    let fleet = app.fleet.get(&app.reader).await?;
    Ok(page(
        StatusCode::OK,
        &template(&fleet, question, unix_now()),
    ))
}

fn template(fleet: &Fleet, mut question: Question, now: i64) -> Page {
    let found = question.select(&fleet.farms);
    let pages = found.len().div_ceil(ROWS).max(1);
    // The fleet may have shrunk since the link was made.
    question.page = question.page.min(pages);
    let first = (question.page - 1) * ROWS;
    let lines: Vec<Line> = (found.iter().skip(first).take(ROWS))
        .map(|seen| Line::of(seen, now))
        .collect();
    let (glance, glance_class) = glance(fleet);
    let neighbour = |page: usize| question.at_page(page).link();
    Page {
        shell: Shell {
            title: format!("Fleet: {glance}"),
            signed_in: true,
            refresh: REFRESH,
        },
        glance,
        glance_class,
        farms: many(fleet.totals.farms as u64, "farm", "farms"),
        farms_there: fleet.totals.farms > 0,
        newest: newest(fleet.published_at, now),
        read_at: words::second(fleet.read_at.cast_unsigned()),
        tiles: tiles(fleet, &question),
        work: work(fleet),
        releases: fleet.releases.iter().take(RELEASES).map(release).collect(),
        more_releases: fleet.releases.len().saturating_sub(RELEASES),
        order: if question.descending { "desc" } else { "asc" },
        states: states(&question),
        versions: versions(fleet, &question),
        algorithms: algorithms(fleet, &question),
        columns: columns(&question),
        range: range(first, lines.len(), found.len()),
        lines,
        pages,
        before: (question.page > 1).then(|| neighbour(question.page - 1)),
        after: (question.page < pages).then(|| neighbour(question.page + 1)),
        question,
    }
}

/// The one thing to know, and its colour.
fn glance(fleet: &Fleet) -> (String, &'static str) {
    let totals = &fleet.totals;
    let bad = Condition::ALL.into_iter().filter(|state| state.is_bad());
    let bad: Vec<_> = bad.filter(|state| totals.of(*state) > 0).collect();
    let count: usize = bad.iter().map(|state| totals.of(*state)).sum();
    let mining = totals.of(Condition::Mining) + totals.of(Condition::FromCache);
    match (bad.first(), count, mining) {
        (Some(worst), 1, _) => ("1 farm needs attention".into(), worst.class()),
        (Some(worst), count, _) => {
            let count = words::count(count as u64);
            (format!("{count} farms need attention"), worst.class())
        }
        (None, _, 0) => ("no farm mines yet".into(), Condition::New.class()),
        (None, _, _) if totals.of(Condition::FromCache) > 0 => (
            "all mine, some from cache".into(),
            Condition::FromCache.class(),
        ),
        (None, _, _) => ("all mine".into(), Condition::Mining.class()),
    }
}

/// A farm can be no fresher than what central publishes.
fn newest(published_at: Option<i64>, now: i64) -> String {
    match published_at {
        Some(at) => {
            let age = words::duration((now - at).max(0).cast_unsigned());
            format!("newest snapshot {age} old")
        }
        None => "no snapshot was published yet".into(),
    }
}

fn tiles(fleet: &Fleet, question: &Question) -> Vec<Tile> {
    let tile = |state: Condition| {
        let count = fleet.totals.of(state);
        let chosen = question.state == Some(state);
        Tile {
            // Again: all of them.
            link: question.with_state((!chosen).then_some(state)).link(),
            chosen,
            count: words::count(count as u64),
            words: state.words(),
            means: state.means(),
            tone: if state.is_bad() && count > 0 {
                "bad"
            } else {
                ""
            },
        }
    };
    Condition::ALL.map(tile).into()
}

fn work(fleet: &Fleet) -> Vec<WorkLine> {
    let line = |(algorithm, work): (&Algorithm, &super::view::Work)| WorkLine {
        algorithm: algorithm.name(),
        hashrate: words::hashrate(work.hashrate),
        farms: many(work.farms as u64, "farm", "farms"),
        miners: many(work.miners, "miner", "miners"),
    };
    fleet.totals.algorithms.iter().map(line).collect()
}

fn release(rollout: &Rollout) -> ReleaseLine {
    let by_hand = || "by the operator".to_owned();
    let why = || rollout.halted_reason.clone().unwrap_or_else(by_hand);
    ReleaseLine {
        version: rollout.release.version.clone(),
        board: rollout.release.board.clone(),
        wave: match rollout.wave_percent {
            0 => "to nobody yet".into(),
            100 => "to all farms".into(),
            percent => format!("wave of {percent} %"),
        },
        halted: rollout.halted.then(why),
        kept: rollout.outcomes.kept,
        rolled_back: rollout.outcomes.rolled_back,
        refused: rollout.outcomes.refused,
        added: moment(rollout.created_at),
    }
}

/// `26 Nov 14:03`.
pub fn moment(at: i64) -> String {
    let at = at.max(0).cast_unsigned();
    format!("{} {}", words::day(at), words::minute(at))
}

fn states(question: &Question) -> Vec<Choice> {
    let choice = |state: Condition| Choice {
        value: state.name().into(),
        words: state.words().into(),
        chosen: question.state == Some(state),
    };
    Condition::ALL.map(choice).into()
}

fn versions(fleet: &Fleet, question: &Question) -> Vec<Choice> {
    let choice = |(version, farms): &(String, usize)| Choice {
        value: version.clone(),
        words: format!("{version} ({})", words::count(*farms as u64)),
        chosen: question.version.as_ref() == Some(version),
    };
    let mut choices: Vec<Choice> = fleet.versions.iter().take(VERSIONS).map(choice).collect();
    if let Some(version) = &question.version
        && !choices.iter().any(|choice| choice.chosen)
    {
        choices.push(Choice {
            value: version.clone(),
            words: version.clone(),
            chosen: true,
        });
    }
    choices
}

fn algorithms(fleet: &Fleet, question: &Question) -> Vec<Choice> {
    let known = |it: &Algorithm| {
        fleet.totals.algorithms.contains_key(it) || question.algorithm == Some(*it)
    };
    let choice = |algorithm: Algorithm| Choice {
        value: algorithm.name().into(),
        words: algorithm.name().into(),
        chosen: question.algorithm == Some(algorithm),
    };
    Algorithm::ALL
        .into_iter()
        .filter(known)
        .map(choice)
        .collect()
}

fn columns(question: &Question) -> Vec<Column> {
    let column = |sort: Sort| Column {
        words: match sort {
            Sort::Name => "Farm",
            Sort::State => "State",
            Sort::Route => "Route",
            Sort::Hashrate => "Hashrate",
            Sort::Miners => "Miners",
            Sort::Rejected => "Rejected",
            Sort::Version => "Version",
            Sort::Snapshot => "Snapshot",
            Sort::Seen => "Seen",
        },
        link: question.by(sort).link(),
        number: [Sort::Hashrate, Sort::Miners, Sort::Rejected].contains(&sort),
        sorted: (question.sort == sort).then_some(match question.descending {
            true => "descending",
            false => "ascending",
        }),
    };
    Sort::ALL.map(column).into()
}

fn range(first: usize, shown: usize, found: usize) -> String {
    match found {
        found if found == shown => many(found as u64, "farm", "farms"),
        found => format!(
            "Farms {} to {} of {}",
            words::count(first as u64 + 1),
            words::count((first + shown) as u64),
            words::count(found as u64)
        ),
    }
}

pub fn many(count: u64, one: &str, more: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{} {more}", words::count(count)),
    }
}
