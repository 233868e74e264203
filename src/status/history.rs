//! `GET /api/history?range=&algorithm=`: what charts are made of, for programs.

use crate::history::{Range, Series};
use crate::view::Views;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use smart_mining_core::Algorithm;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Views>> {
    Router::new().route("/api/history", get(history))
}

/// As it stands in the address; what it may be is told to who writes it wrongly.
#[derive(Debug, Deserialize)]
struct Asked {
    range: Option<String>,
    algorithm: Option<String>,
}

#[derive(Serialize)]
struct Refusal {
    error: String,
}

async fn history(State(views): State<Arc<Views>>, Query(asked): Query<Asked>) -> Response {
    let (range, algorithm) = match asked.read() {
        Ok(asked) => asked,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, error),
    };
    match views.history.series(range).await {
        Ok(series) => Json(only(&series, algorithm)).into_response(),
        Err(error) => refusal(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    }
}

fn refusal(status: StatusCode, error: String) -> Response {
    (status, Json(Refusal { error })).into_response()
}

impl Asked {
    fn read(&self) -> Result<(Range, Option<Algorithm>), String> {
        let range = match self.range.as_deref() {
            None => Range::Day,
            Some(text) => Range::ALL
                .into_iter()
                .find(|range| range.name() == text)
                .ok_or_else(|| format!("range={text:?} is none; use day, month or year"))?,
        };
        let algorithm = self.algorithm.as_deref().map(algorithm).transpose()?;
        Ok((range, algorithm))
    }
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    text.parse().map_err(|_| {
        let names = Algorithm::ALL.map(Algorithm::name).join(", ");
        format!("algorithm={text:?} is none; use one of {names}")
    })
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

    fn read(range: Option<&str>, algorithm: Option<&str>) -> Result<(Range, String), String> {
        let asked = Asked {
            range: range.map(str::to_owned),
            algorithm: algorithm.map(str::to_owned),
        };
        let (range, algorithm) = asked.read()?;
        let name = algorithm.map_or("all", Algorithm::name);
        Ok((range, name.to_owned()))
    }

    #[test]
    fn a_question_is_understood_or_told_how_to_be_asked() {
        assert_eq!(read(None, None), Ok((Range::Day, "all".to_owned())));
        let year = read(Some("year"), Some("scrypt"));
        assert_eq!(year, Ok((Range::Year, "scrypt".to_owned())));
        assert_eq!(
            read(Some("week"), None),
            Err("range=\"week\" is none; use day, month or year".to_owned())
        );
        let refused = read(None, Some("<b>")).expect_err("no algorithm");
        assert!(
            refused.starts_with("algorithm=\"<b>\" is none; use one of sha256d, scrypt"),
            "{refused}"
        );
    }
}
