//! `GET /api/v1/snapshot?after=SEQ&wait=SECS`: the envelope, as soon as there is a newer one.
//!
//! | newest in memory        | answer                                     |
//! |-------------------------|--------------------------------------------|
//! | newer than `after`      | 200 at once                                |
//! | not newer               | waits; 200 when one comes, else 204        |
//! | none (nothing published)| waits; 200 when one comes, else 503        |
//! | the process is stopping | 204 at once, unless there is one to answer |
//!
//! Without `after` any snapshot is newer; without `wait` nothing is waited for.

use super::App;
use super::feed::Newest;
use super::problem::{Params, Problem};
use super::stopped;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// Below the minute after which middleboxes tend to drop a silent connection.
const MAX_WAIT: u64 = 55;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    after: Option<u64>,
    /// More than the limit is taken as the limit.
    #[serde(default)]
    wait: u64,
}

pub async fn get(
    State(app): State<App>,
    headers: HeaderMap,
    Params(question): Params<Question>,
) -> Result<Response, Problem> {
    let farm = app.tokens.farm(&headers).await?;
    let wait = Duration::from_secs(question.wait.min(MAX_WAIT));
    log::debug!(
        "farm {farm} asks for what is newer than {:?}",
        question.after
    );
    let newest = app.feed.newest.clone();
    tokio::select! {
        // What is there already is answered also while stopping.
        biased;
        answer = timeout(wait, newer(newest, question.after)) => match answer {
            Ok(Some(newest)) => {
                log::debug!("snapshot {} to farm {farm}", newest.sequence);
                Ok(found(&newest))
            }
            Ok(None) | Err(_) if app.feed.newest.borrow().is_none() => Err(Problem::no_snapshot()),
            Ok(None) | Err(_) => Ok(StatusCode::NO_CONTENT.into_response()),
        },
        () = stopped(app.stop) => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// Wait for a snapshot that is newer. `None` when none can come any more.
async fn newer(
    mut newest: watch::Receiver<Option<Arc<Newest>>>,
    after: Option<u64>,
) -> Option<Arc<Newest>> {
    let is_newer = |newest: &Option<Arc<Newest>>| {
        newest
            .as_ref()
            .is_some_and(|newest| after.is_none_or(|after| newest.sequence > after))
    };
    newest.wait_for(is_newer).await.ok()?.clone()
}

fn found(newest: &Newest) -> Response {
    (
        [
            (header::CONTENT_TYPE.as_str(), "application/json".into()),
            (header::CACHE_CONTROL.as_str(), "no-store".into()),
            ("x-sequence", newest.sequence.to_string()),
        ],
        newest.envelope.clone(),
    )
        .into_response()
}
