//! What central's operator sees in a browser: pages, made here, that work without script.
//!
//! ```text
//!   GET  /               -> /fleet
//!   GET  /fleet          all farms at one glance      ([`fleet`], by [`view`])
//!   GET  /fleet/{name}   one farm and its history     ([`farm`])
//!   GET  /login, POST    the operator's token opens a session ([`login`], [`session`])
//!   POST /logout         ends it, at every replica
//! ```
//!
//! They are no part of the OpenAPI document: programs use `/api/v1/farms` and its kin.
//! Nothing a page shows is asked of the database for that page alone, but for the look-up
//! of the session and a farm's history. Style and script are inside the page, allowed by
//! their hashes; whatever else finds its way into it is not run. Templates escape what they
//! are given.

mod condition;
mod farm;
mod farm_store;
mod fleet;
mod login;
mod question;
mod rows;
mod session;
mod view;

use super::App;
use super::problem::Problem;
use askama::Template;
use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

pub use view::View;

const STYLE: &str = include_str!("web/page.css");
const SCRIPT: &str = include_str!("web/page.js");

static STYLES: LazyLock<String> = LazyLock::new(|| format!("{}{STYLE}", smart_mining_page::STYLE));

/// Nothing from elsewhere, nothing that is not ours, and no frame around it.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        hash(&STYLES),
        hash(SCRIPT)
    );
    // Base64 and the text above are what a header may hold.
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

pub fn routes() -> Router<App> {
    Router::new()
        .route("/", get(async || Redirect::to("/fleet")))
        .route("/fleet", get(fleet::get))
        .route("/fleet/{name}", get(farm::get))
        .route("/login", get(login::ask).post(login::open))
        .route("/logout", post(login::end))
}

/// What every template needs.
struct Shell {
    title: String,
    /// Whether there is a session to end.
    signed_in: bool,
    /// Seconds after which a browser without script asks again; with script, sooner.
    refresh: u32,
}

impl Shell {
    fn style(&self) -> &'static str {
        &STYLES
    }

    fn script(&self) -> &'static str {
        SCRIPT
    }

    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}

fn page(status: StatusCode, template: &impl Template) -> Response {
    let Ok(text) = template.render() else {
        log::error!("a page could not be written");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = (status, Html(text)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    let fixed = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: with it browsers hide from us where a form came from.
        (header::REFERRER_POLICY, "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[derive(Template)]
#[template(path = "message.html")]
struct Message {
    shell: Shell,
    heading: &'static str,
    detail: String,
}

/// Why a page cannot be shown, as a page.
struct Trouble(Problem);

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let status = self.0.status();
        let heading = match status {
            StatusCode::SERVICE_UNAVAILABLE => "Central cannot look at its farms now",
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::FORBIDDEN => "Closed",
            StatusCode::TOO_MANY_REQUESTS => "Too many tries",
            _ if status.is_client_error() => "This cannot be shown",
            _ => "Something is broken",
        };
        let away = status == StatusCode::SERVICE_UNAVAILABLE;
        let message = Message {
            shell: Shell {
                title: heading.to_owned(),
                signed_in: false,
                refresh: if away { 10 } else { 0 },
            },
            heading,
            detail: sentence(self.0.detail()),
        };
        let mut response = page(status, &message);
        if let Some(seconds) = self.0.retry_after() {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// A problem's detail begins like the part of a line that it is.
fn sentence(detail: &str) -> String {
    let mut letters = detail.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// Whether the request came from one of our own pages, as far as the browser tells. One
/// that tells nothing is none, or an old one; the cookie's `SameSite` holds there.
fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let origin = origin.to_str().ok().and_then(|text| text.split_once("://"));
    let host = text(header::HOST);
    origin.is_some_and(|(_, from)| Some(from) == host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            let name = header::HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        };
        headers.iter().map(pair).collect()
    }

    #[test]
    fn a_form_of_another_site_is_not_ours() {
        let host = ("host", "central.example:3000");
        assert!(is_ours(&sent(&[host])), "no browser");
        assert!(is_ours(&sent(&[
            host,
            ("origin", "http://central.example:3000")
        ])));
        for origin in ["https://evil.example", "null", "http://central.example"] {
            assert!(!is_ours(&sent(&[host, ("origin", origin)])), "{origin}");
        }
        assert!(is_ours(&sent(&[("sec-fetch-site", "same-origin")])));
        for site in ["cross-site", "same-site"] {
            let headers = [
                host,
                ("origin", "http://central.example:3000"),
                ("sec-fetch-site", site),
            ];
            assert!(!is_ours(&sent(&headers)), "{site}");
        }
    }

    #[test]
    fn the_policy_allows_our_style_and_script_alone() {
        let policy = POLICY.to_str().expect("text");
        assert!(
            policy.starts_with("default-src 'none'; style-src 'sha256-"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"));
        assert!(!STYLES.contains("</style") && !SCRIPT.contains("</script"));
    }
}
