//! The page of an appliance that has no farm.toml in force: what is wrong, and what to do.

use super::door::{Door, Peer};
use super::only_the_lan;
use super::page::text;
use crate::config::Network;
use crate::provision::{Outcome, Report};
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::Html;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use smart_mining_page::STYLE;
use std::fmt::Write;
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
            get(|State(data): State<PathBuf>| async move { Html(render(Report::within(&data))) }),
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
    let mut out = format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width,initial-scale=1\">\
         <meta http-equiv=refresh content=10><title>smart_mining: {STATE}</title>\
         <style>{STYLE}</style></head><body>\
         <h1>smart_mining <span class=\"state holding\">{STATE}</span></h1>\
         <p>This appliance serves no miner yet.</p>"
    );
    match report {
        Some(report) if report.outcome == Outcome::Refused => {
            out.push_str(
                "<p>The farm.toml on its card was not taken. These lines have mistakes:</p><ul>",
            );
            for problem in &report.problems {
                // Writing to a String does not fail.
                let _ = write!(out, "<li>{}", text(problem));
            }
            out.push_str("</ul>");
        }
        Some(report) if report.outcome == Outcome::Missing => {
            out.push_str("<p>There is no farm.toml on its card.</p>");
        }
        Some(_) | None => out.push_str("<p>Its card could not be read.</p>"),
    }
    out.push_str(
        "<ol><li>Take the power off and put the card into a computer.\
         <li>Open farm.toml on the drive SMARTMINING with a text editor; fill in or mend what is said above. \
         STATUS.TXT beside it says the same.\
         <li>Save, put the card back, and power on. Miners are served after a minute or two.</ol>",
    );
    let _ = write!(
        out,
        "<p>smart-mining-proxy {}</p></body></html>",
        env!("CARGO_PKG_VERSION")
    );
    out
}
