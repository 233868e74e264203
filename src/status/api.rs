//! What programs read: JSON, metrics, a sign of life.

use super::metrics;
use crate::view::Views;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use std::sync::Arc;

type View = State<Arc<Views>>;

pub(super) fn routes() -> Router<Arc<Views>> {
    Router::new()
        .route(
            "/api/status",
            get(|State(views): View| async move { Json(views.status()) }),
        )
        .route(
            "/api/routes",
            get(|State(views): View| async move { Json(views.status().algorithms) }),
        )
        .route(
            "/api/miners",
            get(|State(views): View| async move { Json(views.miners()) }),
        )
        .route(
            "/api/events",
            get(|State(views): View| async move { Json(views.events.recent()) }),
        )
        .route("/metrics", get(metrics_text))
        .route("/healthz", get(|| async { "ok\n" }))
}

async fn metrics_text(State(views): View) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    (
        [(header::CONTENT_TYPE, kind)],
        metrics::render(&views.status()),
    )
        .into_response()
}
