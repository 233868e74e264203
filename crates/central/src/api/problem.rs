//! Errors as RFC 9457 problem details, and query strings that fail as such.

use axum::extract::{FromRequestParts, Query};
use axum::http::{HeaderValue, StatusCode, header, request::Parts};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Longer than any question a farm asks.
const MAX_QUERY: usize = 2048;

#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    /// Last part of the problem's URN: what a program tells kinds apart by.
    kind: &'static str,
    /// What stands there and what to do instead.
    detail: String,
    /// An extra member with the values that would have been accepted.
    known: Option<Vec<String>>,
}

impl Problem {
    pub fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            detail: detail.into(),
            known: None,
        }
    }

    pub fn known(mut self, known: impl IntoIterator<Item = String>) -> Self {
        self.known = Some(known.into_iter().collect());
        self
    }

    pub fn no_snapshot() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no-snapshot",
            "no snapshot was published yet, or the database was not reached since this \
             process started; publish one with `smart-mining-aggregator import`, or ask again",
        )
    }

    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no-such-path",
            "nothing is served here; see /api/best-pool, /api/v1/snapshot, /healthz, /readyz",
        )
    }

    pub fn method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method",
            "this path answers GET only",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": format!("urn:smart-mining:problem:{}", self.kind),
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let Some(known) = self.known {
            body["known"] = Value::from(known);
        }
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        if self.status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer realm=\"smart-mining\"");
            headers.insert(header::WWW_AUTHENTICATE, bearer);
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

/// The query string as `T`; bounded, and a mistake in it is a [`Problem`].
pub struct Params<T>(pub T);

impl<T, S> FromRequestParts<S> for Params<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let length = parts.uri.query().map_or(0, str::len);
        if length > MAX_QUERY {
            let detail = format!("the query has {length} bytes; use at most {MAX_QUERY}");
            return Err(Problem::new(
                StatusCode::URI_TOO_LONG,
                "query-length",
                detail,
            ));
        }
        match Query::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "query",
                error.body_text(),
            )),
        }
    }
}
