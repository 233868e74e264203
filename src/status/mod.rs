//! The status page and its JSON, on the farm's LAN only.

mod door;
mod guide;
mod metrics;
mod page;
#[cfg(test)]
mod tests;

pub use guide::serve_guide;

use crate::config::Network;
use crate::view::Views;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use door::{Door, Peer};
use std::sync::Arc;
use tokio::net::TcpListener;

/// Serve until the process ends.
pub async fn serve(listener: TcpListener, views: Arc<Views>, access: Arc<[Network]>) {
    let app = Router::new()
        .route(
            "/",
            get(|State(views): State<Arc<Views>>| async move { Html(page::render(&views)) }),
        )
        .route(
            "/api/status",
            get(|State(views): State<Arc<Views>>| async move { Json(views.status()) }),
        )
        .route(
            "/api/routes",
            get(|State(views): State<Arc<Views>>| async move { Json(views.status().algorithms) }),
        )
        .route(
            "/api/miners",
            get(|State(views): State<Arc<Views>>| async move { Json(views.miners()) }),
        )
        .route(
            "/api/events",
            get(|State(views): State<Arc<Views>>| async move { Json(views.events.recent()) }),
        )
        .route("/metrics", get(metrics_text))
        .route("/healthz", get(|| async { "ok\n" }))
        .layer(middleware::from_fn_with_state(access, only_the_lan))
        .with_state(views);
    let service = app.into_make_service_with_connect_info::<Peer>();
    if let Err(error) = axum::serve(Door::new(listener), service).await {
        log::error!("the status page stopped: {error}");
    }
}

async fn metrics_text(State(views): State<Arc<Views>>) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    (
        [(header::CONTENT_TYPE, kind)],
        metrics::render(&views.status()),
    )
        .into_response()
}

/// The same networks that may mine may look.
async fn only_the_lan(
    State(access): State<Arc<[Network]>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    if access.iter().any(|network| network.contains(peer.ip())) {
        return next.run(request).await;
    }
    let text = format!(
        "{} is not in a network that [access] allow of farm.toml names.\n",
        peer.ip()
    );
    (StatusCode::FORBIDDEN, text).into_response()
}
