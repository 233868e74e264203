//! One request over HTTP. Blocks: for a thread of its own or `spawn_blocking`.

use crate::source::answer::{Answer, MAX_BODY};
use crate::source::{Catalog, Parsed, Request, Source, SourceError};
use std::time::Duration;
use ureq::Agent;

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
const ALL_WITHIN: Duration = Duration::from_secs(60);

/// Why there is no observation.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// No answer came: DNS, connect, TLS, time-out, a body without end.
    #[error("no answer: {0}")]
    Transport(String),
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl FetchError {
    /// For [`super::Host::failed`].
    pub const fn of_source(&self) -> Option<&SourceError> {
        match self {
            Self::Transport(_) => None,
            Self::Source(error) => Some(error),
        }
    }
}

/// A client with every time-out set.
pub fn client() -> Agent {
    Agent::config_builder()
        .timeout_resolve(Some(CONNECT_WITHIN))
        .timeout_connect(Some(CONNECT_WITHIN))
        .timeout_send_request(Some(CONNECT_WITHIN))
        .timeout_send_body(Some(CONNECT_WITHIN))
        .timeout_recv_response(Some(ANSWER_WITHIN))
        .timeout_recv_body(Some(ANSWER_WITHIN))
        .timeout_global(Some(ALL_WITHIN))
        .http_status_as_error(false)
        .max_redirects(3)
        .user_agent(concat!("smart-mining/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// An answer as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Ask and read.
pub fn fetch(
    client: &Agent,
    source: &dyn Source,
    request: &Request,
    catalog: &Catalog,
    now: u64,
) -> Result<Parsed, FetchError> {
    parse(source, request, &send(client, request)?, catalog, now)
}

/// Ask.
pub fn send(client: &Agent, request: &Request) -> Result<Raw, FetchError> {
    transfer(client, request)
        .map_err(|error| FetchError::Transport(without_secrets(&error, request)))
}

/// Read what came: the same answer always gives the same result.
pub fn parse(
    source: &dyn Source,
    request: &Request,
    raw: &Raw,
    catalog: &Catalog,
    now: u64,
) -> Result<Parsed, FetchError> {
    let answer = Answer {
        status: raw.status,
        headers: &raw.headers,
        body: &raw.body,
    };
    Ok(source.parse(request, &answer, catalog, now)?)
}

fn transfer(client: &Agent, request: &Request) -> Result<Raw, ureq::Error> {
    let mut response = match &request.body {
        Some(body) => {
            let mut builder = client.post(&request.url);
            for (name, value) in &request.headers {
                builder = builder.header(*name, value);
            }
            builder
                .header("content-type", "application/json")
                .send(body)?
        }
        None => {
            let mut builder = client.get(&request.url);
            for (name, value) in &request.headers {
                builder = builder.header(*name, value);
            }
            builder.call()?
        }
    };
    let headers = response
        .headers()
        .iter()
        .filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        })
        .collect();
    let status = response.status().as_u16();
    let limit = u64::try_from(MAX_BODY).unwrap_or(u64::MAX);
    let body = response
        .body_mut()
        .with_config()
        .limit(limit)
        .read_to_vec()?;
    Ok(Raw {
        status,
        headers,
        body,
    })
}

/// Some services want their key in the address, which errors may repeat.
fn without_secrets(error: &ureq::Error, request: &Request) -> String {
    let text = error.to_string();
    match request.url.split_once('?') {
        Some((_, query)) if !query.is_empty() => text.replace(query, ".."),
        _ => text,
    }
}
