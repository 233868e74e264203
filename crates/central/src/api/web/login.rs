//! Signing in with the operator's token, and out.
//!
//! ```text
//!   POST /login --> from one of our pages? --no--> 403
//!                     | yes
//!                   too many tries from this address? --yes--> 429, with the seconds to wait
//!                     | no
//!                   the operator's token? --no--> 401, the form again
//!                     | yes
//!                   a session; on to the page that was wanted
//! ```

use super::{Shell, Trouble, is_ours, page, session};
use crate::api::App;
use crate::api::problem::Problem;
use crate::api::request::BODY_TIME;
use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Form, FromRequest as _, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tokio::time::timeout;

#[derive(Template)]
#[template(path = "login.html")]
struct Page {
    shell: Shell,
    /// Where to go then.
    next: String,
    /// What went wrong the last time.
    wrong: Option<String>,
}

#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    token: String,
    #[serde(default)]
    next: String,
}

/// A path of ours; anybody could have made up the link.
fn harmless(next: &str) -> &str {
    let plain = |b: u8| b.is_ascii_graphic() && b != b'\\';
    let rest = next.strip_prefix("/fleet");
    let ours = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    match ours && next.len() <= 1000 && next.bytes().all(plain) {
        true => next,
        false => "/fleet",
    }
}

fn form(status: StatusCode, next: &str, wrong: Option<String>) -> Response {
    let template = Page {
        shell: Shell {
            title: "Sign in".into(),
            signed_in: false,
            refresh: 0,
        },
        next: harmless(next).to_owned(),
        wrong,
    };
    page(status, &template)
}

pub async fn ask(
    State(app): State<App>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Response {
    if let Err(problem) = app.operator.is_set_up() {
        return Trouble(problem).into_response();
    }
    let next = wanted.map(|Query(wanted)| wanted.next).unwrap_or_default();
    form(StatusCode::OK, &next, None)
}

pub async fn open(State(app): State<App>, request: Request) -> Response {
    match try_open(&app, request).await {
        Ok(response) => response,
        Err(problem) => Trouble(problem).into_response(),
    }
}

async fn try_open(app: &App, request: Request) -> Result<Response, Problem> {
    app.operator.is_set_up()?;
    let headers = request.headers().clone();
    if !is_ours(&headers) {
        return Err(foreign());
    }
    let early = app.limits.sign_in(&request);
    let Sent { token, next } = read(app, request).await?;
    if let Err(seconds) = early {
        app.metrics.limited("sign-in");
        let words = format!("Too many tries; wait {seconds} s.");
        let mut response = form(StatusCode::TOO_MANY_REQUESTS, &next, Some(words));
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, seconds.into());
        return Ok(response);
    }
    if !app.operator.accepts(token.trim()) {
        log::warn!("somebody tried to sign in at the fleet page with another token");
        let words = "This is not the operator's token.".to_owned();
        return Ok(form(StatusCode::UNAUTHORIZED, &next, Some(words)));
    }
    let cookie = session::open(app, &headers).await?;
    log::info!("the operator signed in at the fleet page");
    let to = Redirect::to(harmless(&next));
    Ok(([(header::SET_COOKIE, cookie)], to).into_response())
}

async fn read(app: &App, request: Request) -> Result<Sent, Problem> {
    let unusable = |status| Problem::new(status, "body", "the form could not be read");
    match timeout(BODY_TIME, Form::<Sent>::from_request(request, app)).await {
        Ok(Ok(Form(sent))) => Ok(sent),
        Ok(Err(error)) => Err(unusable(error.status())),
        Err(_) => Err(unusable(StatusCode::REQUEST_TIMEOUT)),
    }
}

fn foreign() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "foreign",
        "this form was sent by another site's page; open this one yourself and use its form",
    )
}

pub async fn end(State(app): State<App>, headers: HeaderMap) -> Response {
    if !is_ours(&headers) {
        return Trouble(foreign()).into_response();
    }
    match session::end(&app, &headers).await {
        Ok(cookie) => ([(header::SET_COOKIE, cookie)], Redirect::to("/login")).into_response(),
        Err(problem) => Trouble(problem).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        for ours in ["/fleet", "/fleet?q=hill&page=2", "/fleet/north-barn"] {
            assert_eq!(harmless(ours), ours);
        }
        for other in [
            "",
            "/",
            "//evil.example",
            "https://evil.example/fleet",
            "/fleet\\..\\evil",
            "/fleet\r\nx: y",
            "/fleetx",
            "/logout",
        ] {
            assert_eq!(harmless(other), "/fleet", "{other:?}");
        }
    }
}
