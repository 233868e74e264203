//! `GET /healthz`: the process is alive. `GET /readyz`: it can do its work.
//!
//! Both answer from memory, so that probes cost the database nothing.

use super::App;
use super::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

pub async fn alive() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// Not ready does not mean silent: a snapshot in memory is served all the same.
pub async fn ready(State(app): State<App>) -> Result<Json<Value>, Problem> {
    let sequence = app.feed.newest.borrow().as_ref().map(|n| n.sequence);
    let Some(sequence) = sequence else {
        return Err(Problem::no_snapshot());
    };
    if !app.feed.database_is_up() {
        let detail = format!(
            "the database is away; snapshot {sequence} goes on being served, newer ones are not seen"
        );
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Err(Problem::new(status, "database-away", detail));
    }
    Ok(Json(json!({"status": "ok", "sequence": sequence})))
}
