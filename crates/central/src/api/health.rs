//! `GET /healthz`: the process is alive. `GET /readyz`: it can do its work.
//!
//! Both answer from memory, so that probes cost the database nothing.

use super::App;
use super::problem::{Problem, ProblemBody};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub struct Alive {
    /// `ok`.
    pub status: &'static str,
}

#[derive(Serialize, ToSchema)]
pub struct Ready {
    /// `ok`.
    pub status: &'static str,
    /// Of the snapshot that is served.
    #[schema(minimum = 1)]
    pub sequence: u64,
}

/// The process is alive.
#[utoipa::path(get, path = "/healthz", operation_id = "alive", tag = "service",
    responses((status = 200, description = "It is.", body = Alive)))]
pub async fn alive() -> Json<Alive> {
    Json(Alive { status: "ok" })
}

/// The process can do its work: there is a snapshot, and the database is there.
///
/// Not ready does not mean silent: a snapshot in memory is served all the same.
#[utoipa::path(get, path = "/readyz", operation_id = "ready", tag = "service",
    responses(
        (status = 200, description = "It can.", body = Ready),
        (status = 503, description = "Nothing was published yet, or the database is away.", body = ProblemBody,
            content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds after which to ask again."))),
    ))]
pub async fn ready(State(app): State<App>) -> Result<Json<Ready>, Problem> {
    let sequence = app.feed.newest.borrow().as_ref().map(|n| n.sequence);
    let sequence = sequence.ok_or_else(Problem::no_snapshot)?;
    match app.feed.database_is_up() {
        true => Ok(Json(Ready {
            status: "ok",
            sequence,
        })),
        false => Err(Problem::away_but_serving(sequence)),
    }
}
