//! `GET /api/history?range=&algorithm=`: what charts are made of, for programs.

use super::miners::algorithm;
use super::problem::Problem;
use super::query::{self, Asked};
use crate::history::{Range, Series};
use crate::view::Views;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use smart_mining_core::Algorithm;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Views>> {
    Router::new().route("/api/history", get(history))
}

/// Hashrates, shares, routes and outages of the past.
#[cfg_attr(test, utoipa::path(get, path = "/api/history", operation_id = "history",
    params(super::openapi::HistoryParameters),
    responses(
        (status = 200, description = "A stretch of the past in steps.", body = Series),
        (status = 400, description = "A parameter is not understood.",
            body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store cannot be read now.",
            body = Problem, content_type = "application/problem+json"),
    )))]
pub(super) async fn history(
    State(views): State<Arc<Views>>,
    asked: Asked,
) -> Result<Response, Problem> {
    let (range, algorithm) = read(asked)?;
    match views.history.series(range).await {
        Ok(series) => Ok(Json(only(&series, algorithm)).into_response()),
        Err(error) => Err(Problem::unavailable(error.to_string())),
    }
}

fn read(asked: Asked) -> Result<(Range, Option<Algorithm>), Problem> {
    let (mut wanted, mut of) = (Range::Day, None);
    query::each(asked, &["range", "algorithm"], |name, value| {
        match name {
            "range" => wanted = range(value)?,
            "algorithm" => of = Some(algorithm(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok((wanted, of))
}

fn range(value: &str) -> Result<Range, Problem> {
    let known = Range::ALL.into_iter().find(|range| range.name() == value);
    known.ok_or_else(|| Problem::none_of("range", value, Range::ALL.map(Range::name)))
}

/// The series of one algorithm; what concerns all of them stays.
fn only(series: &Series, algorithm: Option<Algorithm>) -> Series {
    let mut series = series.clone();
    if let Some(wanted) = algorithm {
        series.algorithms.retain(|one| one.algorithm == wanted);
        series.switches.retain(|one| one.algorithm == wanted);
        let concerns = |of: Option<Algorithm>| of.is_none_or(|of| of == wanted);
        series.outages.retain(|outage| concerns(outage.algorithm));
    }
    series
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::extract::Query;

    fn asked(text: &str) -> Result<(Range, Option<Algorithm>), Problem> {
        let address = format!("/api/history?{text}").parse().expect("an address");
        read(Query::try_from_uri(&address))
    }

    #[test]
    fn a_question_is_understood_or_told_how_to_be_asked() {
        assert_eq!(asked(""), Ok((Range::Day, None)));
        let year = asked("range=year&algorithm=scrypt");
        assert_eq!(year, Ok((Range::Year, Some(Algorithm::Scrypt))));
        let refused = |text| serde_json::to_value(asked(text).expect_err("a problem"));
        let week = refused("range=week").expect("JSON");
        assert_eq!(
            week["detail"],
            "range=\"week\" is none; use one of day, month, year"
        );
        let odd = refused("algorithm=%3Cb%3E").expect("JSON");
        let detail = odd["detail"].as_str().expect("text");
        assert!(
            detail.starts_with("algorithm=\"<b>\" is none; use one of sha256d, scrypt"),
            "{detail}"
        );
    }
}
