//! JSON-RPC over HTTP, as nodes speak it.
//!
//! An error may come with status 500, with 404 (no such method), with 400, or
//! with 200 where the request said version 2.0; the body decides, then the
//! status. A wrong password is 401 without a body. A node with too many requests
//! at once says so in plain text with 503. Some relays leave the envelope out.

use crate::source::answer::excerpt;
use crate::source::chain::{Endpoint, shape};
use crate::source::{Answer, Num, Request, SourceError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::time::Duration;

/// Starting: the block index is read.
pub const WARMING_UP: i64 = -28;

#[derive(Debug, Default, Deserialize)]
struct Envelope {
    #[serde(default)]
    id: Option<Box<RawValue>>,
    #[serde(default)]
    result: Option<Box<RawValue>>,
    #[serde(default)]
    error: Option<Box<RawValue>>,
}

#[derive(Debug, Default, Deserialize)]
struct Failure {
    #[serde(default)]
    code: Num,
    #[serde(default)]
    message: String,
}

/// What one call of several gave.
pub struct Reply {
    pub method: String,
    pub result: Result<Box<RawValue>, SourceError>,
}

/// One call; the method is the kind and the id. Version 2.0, since newer nodes
/// insist and older ones take no notice.
pub fn call(method: &'static str, params: &serde_json::Value) -> serde_json::Value {
    json!({"jsonrpc": "2.0", "id": method, "method": method, "params": params})
}

/// A POST of these calls. The key is `user:password`.
pub fn post(
    kind: &'static str,
    node: &Endpoint<'_>,
    body: &serde_json::Value,
    every: Duration,
) -> Request {
    let mut headers = vec![("content-type", "application/json".to_owned())];
    if let Some(key) = &node.key {
        headers.push(("authorization", format!("Basic {}", STANDARD.encode(key))));
    }
    Request {
        kind,
        about: node.coin.id.clone(),
        url: node.url.clone(),
        headers,
        body: Some(body.to_string()),
        every,
        network: node.network.clone(),
    }
}

/// The result of one call. `syncing` are the codes by which this node says that
/// it has not caught up.
pub fn result(answer: &Answer<'_>, syncing: &[i64]) -> Result<Box<RawValue>, SourceError> {
    opened(envelope(answer)?, answer, syncing)
}

/// The results of several calls in one body, which are true of one moment.
pub fn results(answer: &Answer<'_>, syncing: &[i64]) -> Result<Vec<Reply>, SourceError> {
    if !answer.text().is_ok_and(|text| text.starts_with('[')) {
        // Not even the first call was looked at: one error for all.
        result(answer, syncing)?;
        return Err(SourceError::Malformed("one result for many".to_owned()));
    }
    let many: Vec<Envelope> = answer.json()?;
    Ok(many
        .into_iter()
        .map(|one| Reply {
            method: one.id.as_deref().map(words).unwrap_or_default(),
            result: opened(one, answer, syncing),
        })
        .collect())
}

fn envelope(answer: &Answer<'_>) -> Result<Envelope, SourceError> {
    let busy = answer.status == 503
        && String::from_utf8_lossy(answer.body).contains("Work queue depth exceeded");
    if busy {
        return Err(SourceError::RateLimited(answer.retry_after()));
    }
    if !matches!(answer.status, 200..=299 | 400 | 404 | 500) {
        answer.check_status()?;
    }
    answer.json_whatever_status().map_err(|error| {
        // An error page is told by its status, not by its form.
        answer.check_status().err().unwrap_or(error)
    })
}

fn opened(
    envelope: Envelope,
    answer: &Answer<'_>,
    syncing: &[i64],
) -> Result<Box<RawValue>, SourceError> {
    if let Some(error) = envelope.error {
        return Err(failed(&error, syncing));
    }
    answer.check_status()?;
    let none = || SourceError::Malformed("neither a result nor an error".to_owned());
    envelope.result.ok_or_else(none)
}

fn failed(error: &RawValue, syncing: &[i64]) -> SourceError {
    let Ok(failure) = shape::<Failure>(error) else {
        return SourceError::Service(words(error));
    };
    let code = failure.code.0.as_ref().map_or_else(
        || "no code".to_owned(),
        |code| code.normalized().to_plain_string(),
    );
    let words = format!("{code}: {}", excerpt(&failure.message));
    let starting = code
        .parse()
        .is_ok_and(|code: i64| code == WARMING_UP || syncing.contains(&code));
    if starting {
        SourceError::Syncing(words)
    } else {
        SourceError::Service(words)
    }
}

/// A string without its quotes, anything else as it stands.
fn words(raw: &RawValue) -> String {
    let text = serde_json::from_str::<String>(raw.get());
    excerpt(&text.unwrap_or_else(|_| raw.get().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Catalog;

    fn read(status: u16, body: &str) -> Result<String, SourceError> {
        let answer = Answer {
            status,
            headers: &[],
            body: body.as_bytes(),
        };
        result(&answer, &[-10]).map(|raw| raw.get().to_owned())
    }

    #[test]
    fn an_error_has_its_type_whatever_the_status() {
        let error =
            |code: i64| format!(r#"{{"result":null,"error":{{"code":{code},"message":"x  y"}}}}"#);
        for status in [200, 400, 404, 500] {
            assert_eq!(
                read(status, &error(-32601)),
                Err(SourceError::Service("-32601: x y".to_owned()))
            );
            for code in [WARMING_UP, -10] {
                assert!(matches!(
                    read(status, &error(code)),
                    Err(SourceError::Syncing(_))
                ));
            }
        }
        assert_eq!(
            read(200, r#"{"jsonrpc":"2.0","error":"no such thing"}"#),
            Err(SourceError::Service("no such thing".to_owned()))
        );
    }

    #[test]
    fn what_is_no_reply_has_its_type() {
        assert_eq!(read(401, ""), Err(SourceError::Key(String::new())));
        assert_eq!(
            read(503, "Work queue depth exceeded"),
            Err(SourceError::RateLimited(None))
        );
        assert_eq!(read(503, "down"), Err(SourceError::Status(503)));
        assert_eq!(read(500, ""), Err(SourceError::Status(500)));
        assert_eq!(
            read(404, "<html>"),
            Err(SourceError::NotFound("<html>".to_owned()))
        );
        assert_eq!(read(200, ""), Err(SourceError::Empty));
        assert!(matches!(
            read(200, r#"{"result":null}"#),
            Err(SourceError::Malformed(_))
        ));
        assert!(matches!(read(200, "[]"), Err(SourceError::Malformed(_))));
        assert_eq!(
            read(500, r#"{"result":1,"error":null}"#),
            Err(SourceError::Status(500))
        );
        assert_eq!(
            read(200, r#"{"result":9.2e20,"error":null}"#),
            Ok("9.2e20".to_owned())
        );
    }

    #[test]
    fn the_password_goes_as_basic() {
        let node = Endpoint {
            coin: Catalog::built_in().coin("BTC").expect("there"),
            url: "http://n".to_owned(),
            key: Some("u:p".to_owned()),
            network: None,
        };
        let request = post("a", &node, &call("a", &json!([])), Duration::from_secs(1));
        assert_eq!(request.headers[1].1, "Basic dTpw");
        assert_eq!(
            request.body.as_deref(),
            Some(r#"{"id":"a","jsonrpc":"2.0","method":"a","params":[]}"#)
        );
    }
}
