//! What a request carries, read within bounds: the query, a part of the path, the body.
//! A mistake in any of them is a [`Problem`] that says what would have been right.

use super::problem::Problem;
use axum::body::{Bytes, HttpBody as _};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::{HeaderMap, StatusCode, header, request::Parts};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// Longer than any question that has a use.
const MAX_QUERY: usize = 8192;
/// Of a comma-separated list.
const MAX_LIST: usize = 1000;
/// For all of a body to arrive.
pub const BODY_TIME: Duration = Duration::from_secs(20);

/// The query string as `T`; an unknown parameter is a mistake, not noise.
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
            Err(error) => Err(Problem::bad_query(error.body_text())),
        }
    }
}

/// The one variable part of a path; what is not text cannot name anything.
pub struct Segment(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(text)) => Ok(Self(text)),
            Err(_) => Err(Problem::no_such_path()),
        }
    }
}

/// A JSON body as `T`: 415 for another media type, 413 beyond the limit of bytes, 400
/// for what is not JSON, 422 for JSON of another form.
pub struct Body<T>(pub T);

impl<T, S> FromRequest<S> for Body<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media-type",
                "send JSON, with `Content-Type: application/json`",
            ));
        }
        // One that says so is not even read.
        if request.body().size_hint().lower() > super::MAX_BODY as u64 {
            return Err(too_large());
        }
        let bytes = match timeout(BODY_TIME, Bytes::from_request(request, state)).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                return Err(too_large());
            }
            Ok(Err(error)) => return Err(unreadable(error.body_text())),
            Err(_) => {
                return Err(Problem::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "slow-body",
                    format!("the body did not arrive within {} s", BODY_TIME.as_secs()),
                ));
            }
        };
        let sent = serde_json::from_slice(&bytes).map_err(|error| {
            let detail = format!("the body is not JSON: {error}");
            Problem::new(StatusCode::BAD_REQUEST, "body", detail)
        })?;
        match T::deserialize(whole(sent)) {
            Ok(content) => Ok(Self(content)),
            Err(error) => Err(bad_content(error.to_string())),
        }
    }
}

/// JSON knows one kind of number: 5.0 is 5, and is taken where a whole number is asked
/// for.
fn whole(value: Value) -> Value {
    /// 2^63; below it, what has no fraction converts exactly.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < BEYOND => {
                Value::from(float as i64)
            }
            Some(_) | None => Value::Number(number),
        },
        Value::Array(items) => items.into_iter().map(whole).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name, whole(value)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    let text = value.and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = text.split(';').next().unwrap_or("").trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn too_large() -> Problem {
    let limit = super::MAX_BODY;
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body-size",
        format!("the body is larger than {limit} bytes; send it in parts"),
    )
}

fn unreadable(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "body", detail)
}

/// JSON, and not what is asked for.
pub fn bad_content(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "content", detail)
}

/// A whole number within bounds, both included.
#[derive(Clone, Copy, Debug)]
pub struct Whole<const MIN: u64, const MAX: u64>(pub u64);

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(deserializer)?;
        match (MIN..=MAX).contains(&number) {
            true => Ok(Self(number)),
            false => Err(D::Error::custom(format!(
                "{number} is out of bounds; use {MIN} to {MAX}"
            ))),
        }
    }
}

/// Names separated by commas; empty items are of no consequence, so an empty list
/// is as good as none. Small letters, for names match in any case.
#[derive(Clone, Debug, Default)]
pub struct Names(pub Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() > MAX_LIST {
            let length = text.len();
            return Err(D::Error::custom(format!(
                "a list of {length} characters; use at most {MAX_LIST}"
            )));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-, ".contains(&b);
        if !text.bytes().all(plain) {
            return Err(D::Error::custom(format!(
                "{text:?} is not a list of names; write them with A-Z a-z 0-9 . _ - and commas between"
            )));
        }
        let names = text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_ascii_lowercase);
        Ok(Self(names.collect()))
    }
}

impl Names {
    /// For `$1 IS NULL OR lower(x) = ANY($1)`.
    pub fn filter(list: Option<Self>) -> Option<Vec<String>> {
        list.map(|names| names.0).filter(|names| !names.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderValue, Uri};

    #[derive(Debug, Deserialize)]
    struct Asked {
        limit: Option<Whole<1, 500>>,
        coin: Option<Names>,
    }

    fn read(query: &str) -> Result<Asked, String> {
        let uri: Uri = format!("/?{query}").parse().expect("a URI");
        Query::try_from_uri(&uri)
            .map(|Query(asked)| asked)
            .map_err(|error| error.body_text())
    }

    #[test]
    fn numbers_are_held_to_their_bounds() {
        for (text, expected) in [("1", 1), ("500", 500)] {
            let asked = read(&format!("limit={text}")).expect("within");
            assert_eq!(asked.limit.expect("given").0, expected);
        }
        for text in ["0", "501", "-1", "x", "", "99999999999999999999"] {
            read(&format!("limit={text}")).expect_err(text);
        }
        assert!(read("limit=0").expect_err("below").contains("use 1 to 500"));
    }

    #[test]
    fn lists_are_split_trimmed_and_bounded() {
        let asked = read("coin=BTC,%20bch,,").expect("a list");
        assert_eq!(
            Names::filter(asked.coin),
            Some(vec!["btc".into(), "bch".into()])
        );
        assert_eq!(Names::filter(read("coin=,").expect("empty").coin), None);
        read("coin=a%00b").expect_err("NUL is no name");
        read(&format!("coin={}", "x".repeat(1001))).expect_err("too long");
    }

    #[test]
    fn a_number_without_a_fraction_is_whole_however_it_is_written() {
        let read = |text: &str| whole(serde_json::from_str(text).expect("JSON")).to_string();
        assert_eq!(read(r#"{"a":[5.0,-2.0,1e3]}"#), r#"{"a":[5,-2,1000]}"#);
        assert_eq!(read("[0.5,1e300,null]"), "[0.5,1e+300,null]");
        assert_eq!(read("18446744073709551615"), "18446744073709551615");
        assert_eq!(read("3908961589356087.0"), "3908961589356087");
    }

    #[test]
    fn only_json_is_taken_for_json() {
        let with = |value: &'static str| {
            is_json(&HeaderMap::from_iter([(
                header::CONTENT_TYPE,
                HeaderValue::from_static(value),
            )]))
        };
        assert!(with("application/json"));
        assert!(with("Application/JSON; charset=utf-8"));
        assert!(!with("text/json"));
        assert!(!with("application/jsonp"));
        assert!(!is_json(&HeaderMap::new()));
    }
}
