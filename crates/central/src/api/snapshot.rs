//! `GET /api/v1/snapshot?after=SEQ&wait=SECS`: the envelope, as soon as there is a newer one.
//!
//! | newest in memory        | answer                                     |
//! |-------------------------|--------------------------------------------|
//! | newer than `after`      | 200 at once; 304 if the asker has it       |
//! | not newer               | waits; 200 when one comes, else 204        |
//! | none (nothing published)| waits; 200 when one comes, else 503        |
//! | the process is stopping | 204 at once, unless there is one to answer |
//!
//! Without `after` any snapshot is newer; without `wait` nothing is waited for.

use super::App;
use super::feed::Newest;
use super::openapi::{BadQuery, LongQuery, NoToken, TooMany};
use super::problem::Problem;
use super::request::{Params, Whole};
use super::stopped;
use super::tokens::ByFarm;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use smart_mining_wire::Envelope;
use smart_mining_wire::report::MAX_COUNT;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// Below the minute after which middleboxes tend to drop a silent connection.
const MAX_WAIT: u64 = 55;
/// More than this is a mistake of the asker's.
const MOST: u64 = 3600;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Only a snapshot of a higher sequence; without it, the newest.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 9223372036854775807_i64)]
    after: Option<Whole<0, MAX_COUNT>>,
    /// Seconds to wait for a newer one. More than 55 is taken as 55.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 3600, default = 0)]
    wait: Option<Whole<0, MOST>>,
}

/// The newest signed snapshot.
///
/// A long-poll: with `after` and `wait` the answer comes as soon as there is a newer
/// snapshot, or after `wait` seconds as 204.
#[utoipa::path(get, path = "/api/v1/snapshot", operation_id = "snapshot", tag = "farm",
    security(("farm" = [])),
    params(
        Question,
        ("If-None-Match" = Option<String>, Header, description = "An ETag that was answered before: 304 if it is still the newest."),
        ("Accept-Encoding" = Option<String>, Header, description = "`gzip` is honoured."),
    ),
    responses(
        (status = 200, description = "The envelope, exactly as it was signed.", body = Envelope,
            headers(
                ("ETag" = String, description = "The sequence, quoted; weak if compressed."),
                ("X-Sequence" = u64, description = "The snapshot's sequence."),
            )),
        (status = 204, description = "There is none newer than `after`."),
        (status = 304, description = "It is the one in If-None-Match."),
        BadQuery, NoToken, LongQuery, TooMany,
        (status = 503, description = "Nothing was published yet, or the token cannot be checked while the database is away.",
            body = super::problem::ProblemBody, content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds after which to ask again."))),
    ))]
pub async fn get(
    State(app): State<App>,
    ByFarm(farm): ByFarm,
    Params(question): Params<Question>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wait = question.wait.map_or(0, |wait| wait.0.min(MAX_WAIT));
    let after = question.after.map(|after| after.0);
    log::debug!("farm {farm} asks for what is newer than {after:?}");
    let newest = app.feed.newest.clone();
    let _open = app.metrics.open_poll();
    tokio::select! {
        // What is there already is answered also while stopping.
        biased;
        answer = timeout(Duration::from_secs(wait), newer(newest, after)) => match answer {
            Ok(Some(newest)) => {
                log::debug!("snapshot {} to farm {farm}", newest.sequence);
                Ok(found(&newest, &headers))
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

fn found(newest: &Newest, asked: &HeaderMap) -> Response {
    let compressed = takes_gzip(asked) && !newest.gzip.is_empty();
    let sequence = newest.sequence;
    // Strong only for the bytes that were signed: compressed, they are others.
    let tag = match compressed {
        true => format!("W/\"{sequence}\""),
        false => format!("\"{sequence}\""),
    };
    let common = [
        (header::CACHE_CONTROL.as_str(), "no-store".to_owned()),
        (header::VARY.as_str(), "accept-encoding".to_owned()),
        (header::ETAG.as_str(), tag),
        ("x-sequence", sequence.to_string()),
    ];
    if has(asked, sequence) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let json = [(header::CONTENT_TYPE, "application/json")];
    match compressed {
        true => {
            let coding = [(header::CONTENT_ENCODING, "gzip")];
            (common, json, coding, newest.gzip.clone()).into_response()
        }
        false => (common, json, newest.envelope.clone()).into_response(),
    }
}

/// If-None-Match names this sequence; weak comparison, as RFC 9110 has it there.
fn has(asked: &HeaderMap, sequence: u64) -> bool {
    let tag = format!("\"{sequence}\"");
    let named = |part: &str| part == "*" || part.strip_prefix("W/").unwrap_or(part) == tag;
    asked
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|text| text.split(',').map(str::trim).any(named))
}

/// Accept-Encoding takes gzip: it is named, or all are, and not with a weight of nothing.
fn takes_gzip(asked: &HeaderMap) -> bool {
    let mut any = false;
    for value in asked.get_all(header::ACCEPT_ENCODING) {
        for part in value.to_str().unwrap_or("").split(',') {
            let (coding, rest) = part.split_once(';').unwrap_or((part, ""));
            let weight = rest.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse);
            let taken = weight.is_ok_and(|weight: f64| weight > 0.0);
            match coding.trim().to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => return taken,
                "*" => any = taken,
                _ => {}
            }
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn sending(name: HeaderName, text: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(text))])
    }

    #[test]
    fn gzip_is_sent_only_to_who_takes_it() {
        let takes = |text| takes_gzip(&sending(header::ACCEPT_ENCODING, text));
        for text in ["gzip", "GZIP", "br, gzip;q=0.5", "*", "identity, *;q=0.1"] {
            assert!(takes(text), "{text}");
        }
        for text in ["", "br", "gzip;q=0", "*, gzip;q=0", "gzip;q=x", "*;q=0"] {
            assert!(!takes(text), "{text}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn a_tag_is_recognised_in_all_its_forms() {
        let known = |text| has(&sending(header::IF_NONE_MATCH, text), 42);
        for text in ["\"42\"", "W/\"42\"", "\"1\", W/\"42\"", "*"] {
            assert!(known(text), "{text}");
        }
        for text in ["42", "\"43\"", "\"4\"", "", "W/42"] {
            assert!(!known(text), "{text}");
        }
    }
}
