//! `GET /api/best-pool?algo=sha256[&coin=BTC,BCH][&exclude=pool,...]`: the decision of
//! the day, from the snapshot in memory.

use super::App;
use super::algorithm;
use super::decision::{Decision, Wish, decide};
use super::openapi::{BadQuery, LongQuery, Nothing, TooMany};
use super::problem::{Problem, ProblemBody};
use super::request::{Names, Params};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use smart_mining_wire::Snapshot;
use std::collections::BTreeSet;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The algorithm, by any name that it goes by, in any case.
    #[param(value_type = algorithm::Mineable, inline)]
    algo: Asked,
    /// Only these coins, separated by commas; in any case.
    #[serde(default)]
    #[param(value_type = Option<String>, max_length = 1000, pattern = "^[A-Za-z0-9._, -]*$")]
    coin: Names,
    /// Not these pools, separated by commas; in any case.
    #[serde(default)]
    #[param(value_type = Option<String>, max_length = 1000, pattern = "^[A-Za-z0-9._, -]*$")]
    exclude: Names,
}

/// Needed, and told so with the list of algorithms; hence not simply a `String`.
#[derive(Deserialize)]
#[serde(transparent)]
struct Asked(Option<String>);

/// The best pool for an algorithm, and why the others lost.
#[utoipa::path(get, path = "/api/best-pool", operation_id = "best_pool", tag = "ranking",
    params(Question),
    responses(
        (status = 200, description = "The best pool of the newest snapshot.", body = Decision),
        BadQuery, Nothing, LongQuery, TooMany,
        (status = 503, description = "No snapshot was published yet.", body = ProblemBody,
            content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds after which to ask again."))),
    ))]
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
    fn wish(self) -> Result<Wish, Problem> {
        let name = self.algo.0.ok_or_else(algorithm::missing)?;
        Ok(Wish {
            algorithm: algorithm::mineable(&name)?,
            coins: self.coin.0,
            exclude: self.exclude.0,
        })
    }
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
