//! Errors as RFC 9457 problem details.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Of the media type of every error.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// Seconds; a database that was away comes back at any moment.
const AWAY: u64 = 5;

#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    /// Last part of the problem's URN: what a program tells kinds apart by.
    kind: &'static str,
    /// What stands there and what to do instead.
    detail: String,
    /// An extra member: the values that would have been accepted, or the ones at fault.
    known: Option<Vec<String>>,
    /// In seconds.
    retry_after: Option<u64>,
}

/// Why a request was not answered (RFC 9457).
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// `urn:smart-mining:problem:` and the kind.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: &'static str,
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What stands there and what to do instead, for a person.
    pub detail: String,
    /// The values that would have been accepted, or the ones at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub known: Option<Vec<String>>,
}

impl Problem {
    pub fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            detail: detail.into(),
            known: None,
            retry_after: (status == StatusCode::SERVICE_UNAVAILABLE).then_some(AWAY),
        }
    }

    pub fn known(mut self, known: impl IntoIterator<Item = String>) -> Self {
        self.known = Some(known.into_iter().collect());
        self
    }

    pub const fn status(&self) -> StatusCode {
        self.status
    }

    pub fn detail(&self) -> &str {
        &self.detail
    }

    pub const fn retry_after(&self) -> Option<u64> {
        self.retry_after
    }

    pub const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub fn bad_query(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "query", detail)
    }

    pub fn no_snapshot() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no-snapshot",
            "no snapshot was published yet, or the database was not reached since this \
             process started; publish one with `smart-mining-aggregator import`, or ask again",
        )
    }

    pub fn database_away() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "database-away",
            "the database is away; snapshots go on being served from memory, ask again for the rest",
        )
    }

    pub fn away_but_serving(sequence: u64) -> Self {
        let detail = format!(
            "the database is away; snapshot {sequence} goes on being served, newer ones are not seen"
        );
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "database-away", detail)
    }

    pub fn too_many(seconds: u64, limit: String) -> Self {
        let detail = format!("{limit}; ask again in {seconds} s");
        Self {
            retry_after: Some(seconds),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "rate", detail)
        }
    }

    pub fn no_such_path() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no-such-path",
            "nothing is served here; /openapi.json lists what is",
        )
    }

    pub fn method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method",
            "this path does not answer that method; the header Allow lists those it does",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody {
            kind: format!("urn:smart-mining:problem:{}", self.kind),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail,
            known: self.known,
        };
        // Strings and a number: serialising them cannot fail.
        let body = serde_json::to_string(&body).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static(MEDIA_TYPE);
        headers.insert(header::CONTENT_TYPE, json);
        if self.status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer realm=\"smart-mining\"");
            headers.insert(header::WWW_AUTHENTICATE, bearer);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
