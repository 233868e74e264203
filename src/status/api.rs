//! What programs read: JSON, metrics, a sign of life. The OpenAPI document is made from
//! these handlers' annotations by a test, see `openapi.rs`.

use super::metrics::{self, Format};
use super::miners::MinersQuery;
use super::problem::Problem;
use super::query::{self, Asked};
#[cfg(test)]
use crate::device::Device;
use crate::events::{Code, Event};
#[cfg(test)]
use crate::registry::MinerView;
use crate::view::Views;
#[cfg(test)]
use crate::view::{AlgorithmStatus, Status};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use std::sync::Arc;

type View = State<Arc<Views>>;

/// The newest events that memory has.
const EVENTS: usize = 200;
const TOTAL: HeaderName = HeaderName::from_static("x-total-count");

pub(super) fn routes() -> Router<Arc<Views>> {
    Router::new()
        .route("/api/status", get(status))
        .route("/api/routes", get(routes_of))
        .route("/api/miners", get(miners))
        .route("/api/events", get(events))
        .route("/api/device", get(device))
        .route("/metrics", get(metrics_text))
        .route("/healthz", get(alive))
        .route("/openapi.json", get(super::openapi::document))
}

/// Everything but miners and events.
#[cfg_attr(test, utoipa::path(get, path = "/api/status", operation_id = "status",
    responses((status = 200, description = "What the appliance does.", body = Status))))]
pub(super) async fn status(State(views): View) -> Response {
    Json(views.status()).into_response()
}

/// For each algorithm the route, why it is that, the candidates, and what was left out.
#[cfg_attr(test, utoipa::path(get, path = "/api/routes", operation_id = "routes",
    responses((status = 200, description = "One for each algorithm that is served.",
        body = Vec<AlgorithmStatus>))))]
pub(super) async fn routes_of(State(views): View) -> Response {
    Json(views.status().algorithms).into_response()
}

/// The miners that are connected, and those that left.
#[cfg_attr(test, utoipa::path(get, path = "/api/miners", operation_id = "miners",
    params(super::openapi::MinersParameters),
    responses(
        (status = 200, description = "Rows of the table.", body = Vec<MinerView>,
            headers(("x-total-count" = u64, description = "How many rows match, whatever limit and offset."))),
        (status = 400, description = "A parameter is not understood.",
            body = Problem, content_type = "application/problem+json"),
    )))]
pub(super) async fn miners(State(views): View, asked: Asked) -> Result<Response, Problem> {
    let query = MinersQuery::read(asked)?;
    let (total, rows) = query.select(views.miners());
    Ok(([(TOTAL, total.to_string())], Json(rows)).into_response())
}

/// What happened lately, the newest first.
#[cfg_attr(test, utoipa::path(get, path = "/api/events", operation_id = "events",
    params(super::openapi::EventsParameters),
    responses(
        (status = 200, description = "Events of this run of the appliance; docs/events.md explains the codes.",
            body = Vec<Event>),
        (status = 400, description = "A parameter is not understood.",
            body = Problem, content_type = "application/problem+json"),
    )))]
pub(super) async fn events(State(views): View, asked: Asked) -> Result<Response, Problem> {
    let (mut limit, mut code) = (EVENTS, None);
    query::each(asked, &["code", "limit"], |name, value| {
        match name {
            "limit" => limit = query::number(name, value, 0, EVENTS)?,
            "code" => code = Some(event_code(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let mut events: Vec<Event> = views.events.recent();
    events.retain(|event| code.is_none_or(|code| event.code == code));
    events.truncate(limit);
    Ok(Json(events).into_response())
}

fn event_code(value: &str) -> Result<&'static str, Problem> {
    let mut names = Code::ALL.iter().map(|code| code.name());
    let known = names.clone().find(|name| *name == value);
    known.ok_or_else(|| Problem::none_of("code", value, names.by_ref()))
}

/// The machine that the appliance runs on, as of ten seconds ago at most.
#[cfg_attr(test, utoipa::path(get, path = "/api/device", operation_id = "device",
    responses(
        (status = 200, description = "What the machine tells of itself; null: it does not tell.", body = Device),
        (status = 503, description = "Nobody has looked yet.",
            body = Problem, content_type = "application/problem+json"),
    )))]
pub(super) async fn device(State(views): View) -> Result<Response, Problem> {
    let device = views.device.borrow().clone();
    let missing = || Problem::unavailable("nobody has looked yet; ask again in a second");
    Ok(Json(device.ok_or_else(missing)?).into_response())
}

/// Counts and gauges; docs/metrics.md explains them.
#[cfg_attr(test, utoipa::path(get, path = "/metrics", operation_id = "metrics",
    responses((status = 200, description = "In the form that the header Accept prefers.", content(
        (String = "text/plain; version=0.0.4; charset=utf-8"),
        (String = "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    )))))]
pub(super) async fn metrics_text(State(views): View, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT);
    let format = Format::wanted(accept.and_then(|accept| accept.to_str().ok()));
    let text = metrics::render(&views.status(), format);
    (
        [
            (header::CONTENT_TYPE, format.media_type()),
            (header::VARY, "accept"),
        ],
        text,
    )
        .into_response()
}

/// Whether every part that must go on does so. Pools, central and the WAN do not matter.
#[cfg_attr(test, utoipa::path(get, path = "/healthz", operation_id = "alive",
    responses(
        (status = 200, description = "All parts gave a sign of life lately.", body = String, content_type = "text/plain"),
        (status = 503, description = "Some did not; their names.", body = String, content_type = "text/plain"),
    )))]
pub(super) async fn alive(State(views): View) -> Response {
    let missing = views.missing();
    if missing.is_empty() {
        return "ok\n".into_response();
    }
    let text = format!("no sign of life from: {}\n", missing.join(", "));
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}
