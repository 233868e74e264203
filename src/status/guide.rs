//! The page of an appliance that has no farm.toml in force: what is wrong, and what to do.

use super::door::{Door, Peer};
use super::only_the_lan;
use super::page::{html, shell};
use crate::config::Network;
use crate::provision::{Outcome, Report};
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;

/// The state that the page and `/api/status` name.
const STATE: &str = "no configuration";

/// Serve until the process ends. `data`: the appliance's folder.
pub async fn serve_guide(listener: TcpListener, data: PathBuf) {
    let access: Arc<[Network]> = Network::private().into();
    let report = |State(data): State<PathBuf>| async move { Json(status(&data)) };
    let app = Router::new()
        .route(
            "/",
            get(|State(data): State<PathBuf>| async move { html(render(Report::within(&data))) }),
        )
        .route("/api/status", get(report))
        .route(
            "/healthz",
            get(|| async {
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "no farm.toml is in force\n",
                )
            }),
        )
        .layer(middleware::from_fn_with_state(access, only_the_lan))
        .with_state(data);
    let service = app.into_make_service_with_connect_info::<Peer>();
    if let Err(error) = axum::serve(Door::new(listener), service).await {
        log::error!("the page stopped: {error}");
    }
}

fn status(data: &std::path::Path) -> Value {
    json!({ "state": STATE, "provisioning": Report::within(data) })
}

fn render(report: Option<Report>) -> String {
    let (what, problems) = match report {
        Some(report) if report.outcome == Outcome::Refused => (
            "The farm.toml on its card was not taken. These lines have mistakes:",
            report.problems,
        ),
        Some(report) if report.outcome == Outcome::Missing => {
            ("There is no farm.toml on its card.", Vec::new())
        }
        Some(_) | None => ("Its card could not be read.", Vec::new()),
    };
    shell::guide(STATE, what, problems)
}
