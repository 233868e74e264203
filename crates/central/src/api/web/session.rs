//! Who is signed in at the pages.
//!
//! ```text
//!           the operator's token
//!   none -------------------------> open -- 12 h, sign out,      --> none
//!                                          or another token
//! ```
//!
//! A session is 32 random bytes in a cookie; the database holds a hash of them, and so any
//! replica can look it up, and one that ended has ended at all of them. The hash is taken
//! together with the operator's token: where that is changed, no session is found any more.
//! Without the database nobody can be let in.

use super::Trouble;
use crate::api::App;
use crate::api::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::{HeaderMap, HeaderValue, Uri, header, request::Parts};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use form_urlencoded::Serializer;
use sqlx::PgPool;

const COOKIE: &str = "smart_mining_operator";
const HOURS: i32 = 12;
/// Sessions at one time; beyond it the oldest end.
const MOST: i64 = 100;

type Secret = [u8; 32];

/// A request of somebody who is signed in.
pub struct SignedIn;

impl FromRequestParts<App> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let refused = |problem| Trouble(problem).into_response();
        app.operator.is_set_up().map_err(refused)?;
        let session = secret(&parts.headers).and_then(|secret| app.operator.session(&secret));
        let open = match session {
            Some(id) => app.reader.run(is_open(&app.reader.pool, &id)).await,
            None => Ok(false),
        };
        match open.map_err(refused)? {
            true => Ok(Self),
            false => Err(sign_in(&parts.uri).into_response()),
        }
    }
}

/// Back to where he wanted to go, afterwards.
fn sign_in(wanted: &Uri) -> Redirect {
    let wanted = wanted
        .path_and_query()
        .map_or("/fleet", |path| path.as_str());
    let query = Serializer::new(String::new())
        .append_pair("next", wanted)
        .finish();
    Redirect::to(&format!("/login?{query}"))
}

/// Open a session; answers the cookie.
pub async fn open(app: &App, headers: &HeaderMap) -> Result<HeaderValue, Problem> {
    let mut secret = Secret::default();
    let filled = getrandom::fill(&mut secret);
    filled.map_err(crate::farms::FarmError::Random)?;
    app.operator.is_set_up()?;
    let id = app.operator.session(&secret).unwrap_or_default();
    app.reader.run(store(&app.reader.pool, &id)).await?;
    Ok(cookie(
        &URL_SAFE_NO_PAD.encode(secret),
        HOURS * 3600,
        headers,
    ))
}

/// End the request's session, if it has one; answers the cookie that removes the cookie.
pub async fn end(app: &App, headers: &HeaderMap) -> Result<HeaderValue, Problem> {
    if let Some(id) = secret(headers).and_then(|secret| app.operator.session(&secret)) {
        app.reader.run(remove(&app.reader.pool, &id)).await?;
    }
    Ok(cookie("", 0, headers))
}

/// `Secure` where the browser came by TLS, as the proxy in front says: who makes that up
/// hides his own cookie from himself. `Strict`: no other site's form or link carries it.
fn cookie(value: &str, seconds: i32, headers: &HeaderMap) -> HeaderValue {
    let by_tls = headers.get("x-forwarded-proto");
    let secure = match by_tls.is_some_and(|scheme| scheme == "https") {
        true => "; Secure",
        false => "",
    };
    let cookie =
        format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    // Base64 and the text above are what a header may hold.
    HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static(""))
}

fn secret(headers: &HeaderMap) -> Option<Secret> {
    let sent = headers.get_all(header::COOKIE).into_iter();
    let pairs = sent.filter_map(|value| value.to_str().ok());
    let pairs = pairs.flat_map(|text| text.split(';'));
    let ours = pairs.filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = ours.into_iter().find(|(name, _)| *name == COOKIE)?;
    URL_SAFE_NO_PAD.decode(value).ok()?.try_into().ok()
}

async fn store(pool: &PgPool, id: &[u8; 32]) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin().await?;
    sqlx::query(
        "INSERT INTO operator_sessions (sha256, expires_at)
         VALUES ($1, now() + make_interval(hours => $2))",
    )
    .bind(id.as_slice())
    .bind(HOURS)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "DELETE FROM operator_sessions WHERE expires_at <= now() OR sha256 IN
             (SELECT sha256 FROM operator_sessions ORDER BY created_at DESC, sha256 OFFSET $1)",
    )
    .bind(MOST)
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

async fn is_open(pool: &PgPool, id: &[u8; 32]) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM operator_sessions WHERE sha256 = $1 AND expires_at > now())",
    )
    .bind(id.as_slice())
    .fetch_one(pool)
    .await
}

async fn remove(pool: &PgPool, id: &[u8; 32]) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM operator_sessions WHERE sha256 = $1")
        .bind(id.as_slice())
        .execute(pool)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sending(cookies: &[&str]) -> HeaderMap {
        let values = cookies
            .iter()
            .map(|text| HeaderValue::from_str(text).expect("a value"));
        values.map(|value| (header::COOKIE, value)).collect()
    }

    #[test]
    fn the_secret_is_found_among_other_cookies_and_nothing_else_is_taken_for_it() {
        let value = URL_SAFE_NO_PAD.encode([9; 32]);
        let ours = format!("{COOKIE}={value}");
        for cookies in [
            vec![ours.clone()],
            vec![format!("a=b; {ours}; c=d")],
            vec!["a=b".into(), format!(" {ours}")],
        ] {
            let cookies: Vec<&str> = cookies.iter().map(String::as_str).collect();
            assert_eq!(secret(&sending(&cookies)), Some([9; 32]), "{cookies:?}");
        }
        for other in [
            String::new(),
            COOKIE.to_owned(),
            format!("{COOKIE}="),
            format!("{COOKIE}={}", &value[1..]),
            format!("{COOKIE}={value}A"),
            format!("x{COOKIE}={value}"),
            format!("{COOKIE}={}", "/".repeat(43)),
        ] {
            assert_eq!(secret(&sending(&[&other])), None, "{other}");
        }
    }

    #[test]
    fn a_cookie_is_kept_from_scripts_and_from_other_sites() {
        let plain = cookie("x", 60, &HeaderMap::new());
        let text = "smart_mining_operator=x; Path=/; Max-Age=60; HttpOnly; SameSite=Strict";
        assert_eq!(plain, text);
        let mut tls = HeaderMap::new();
        tls.insert("x-forwarded-proto", HeaderValue::from_static("https"));
        assert_eq!(cookie("x", 60, &tls), format!("{text}; Secure").as_str());
    }
}
