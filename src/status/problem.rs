//! Why a program's question was not answered (RFC 9457): what stands there, and what to
//! write instead.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Problem {
    /// `urn:smart-mining:problem:` and the kind.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    /// For a person.
    detail: String,
    /// The values that would have been taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schema(required = false))]
    known: Vec<String>,
}

impl Problem {
    pub fn bad_query(detail: impl Into<String>) -> Self {
        Self {
            kind: "urn:smart-mining:problem:query",
            title: "Bad Request",
            status: 400,
            detail: detail.into(),
            known: Vec::new(),
        }
    }

    /// `name=value` is none of those there are.
    pub fn none_of<'a>(name: &str, value: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<String> = known.into_iter().map(str::to_owned).collect();
        let detail = format!("{name}={value:?} is none; use one of {}", known.join(", "));
        Self {
            known,
            ..Self::bad_query(detail)
        }
    }

    pub fn not_a_number(name: &str, value: &str, least: usize, most: usize) -> Self {
        let detail = format!("{name}={value:?} is no number from {least} to {most}");
        Self::bad_query(detail)
    }

    /// Not now; it may be at another time.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self {
            kind: "urn:smart-mining:problem:unavailable",
            title: "Service Unavailable",
            status: 503,
            detail: detail.into(),
            known: Vec::new(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = (status, Json(self)).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, MEDIA_TYPE);
        response
    }
}
