//! `GET /api/best-pool?algo=sha256[&coin=BTC,BCH][&exclude=pool,...]`: the decision of
//! the day, from the snapshot in memory.

use super::App;
use super::decision::{Decision, Wish, decide};
use super::problem::{Params, Problem};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use smart_mining_wire::{Algorithm, Snapshot};
use std::collections::BTreeSet;

/// More names than a ranking has pools for one algorithm are a mistake.
const MAX_NAMES: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    algo: Option<String>,
    #[serde(default)]
    coin: String,
    #[serde(default)]
    exclude: String,
}

pub async fn get(
    State(app): State<App>,
    Params(question): Params<Question>,
) -> Result<Json<Decision>, Problem> {
    let wish = question.wish()?;
    let newest = app.feed.newest.borrow().clone();
    let newest = newest.ok_or_else(Problem::no_snapshot)?;
    match decide(&newest.snapshot, &wish) {
        Some(decision) => Ok(Json(decision)),
        None => Err(no_match(&newest.snapshot, &wish)),
    }
}

impl Question {
    fn wish(&self) -> Result<Wish, Problem> {
        let algorithm = match &self.algo {
            Some(name) => name
                .parse()
                .map_err(|error| bad_algorithm(format!("{error}")))?,
            None => return Err(bad_algorithm("say which algorithm: ?algo=sha256d".into())),
        };
        Ok(Wish {
            algorithm,
            coins: names("coin", &self.coin)?,
            exclude: names("exclude", &self.exclude)?,
        })
    }
}

fn bad_algorithm(detail: String) -> Problem {
    let known = Algorithm::ALL.map(|algorithm| algorithm.name().to_owned());
    Problem::new(StatusCode::BAD_REQUEST, "algorithm", detail).known(known)
}

/// A comma-separated list; empty items are of no consequence.
fn names(parameter: &str, text: &str) -> Result<Vec<String>, Problem> {
    let names: Vec<String> = text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    if names.len() > MAX_NAMES {
        let detail = format!(
            "{parameter} lists {} names; use at most {MAX_NAMES}",
            names.len()
        );
        return Err(Problem::new(StatusCode::BAD_REQUEST, "query", detail));
    }
    Ok(names)
}

fn no_match(snapshot: &Snapshot, wish: &Wish) -> Problem {
    let algorithm = wish.algorithm;
    let known: BTreeSet<String> = snapshot
        .entries
        .iter()
        .filter(|entry| entry.algorithm == algorithm)
        .map(|entry| format!("{} on {}", entry.coin, entry.pool.id))
        .collect();
    let detail = if known.is_empty() {
        format!("the newest ranking has no pool for {algorithm}; ask for another algorithm")
    } else {
        format!(
            "no pool for {algorithm} is left with coin {:?} and exclude {:?}; known are {}",
            wish.coins.join(","),
            wish.exclude.join(","),
            Vec::from_iter(known.iter().cloned()).join(", ")
        )
    };
    Problem::new(StatusCode::NOT_FOUND, "no-match", detail).known(known)
}
