//! For people: `/operator`, with plain forms. Each answer is the page again, and says
//! what came of it.

use super::super::door::Peer;
use super::guard::{SESSION, VISIT};
use super::page::{self, Message};
use super::{api, guard};
use crate::events::{Code, Subject};
use crate::operator::sessions::{Id, LASTS};
use crate::operator::{Action, Done, Fields, Trouble, perform};
use crate::view::Views;
use axum::Router;
use axum::extract::{ConnectInfo, Form, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use std::net::IpAddr;
use std::sync::Arc;

type Who = ConnectInfo<Peer>;
type Pairs = Form<Vec<(String, String)>>;

pub(super) fn routes() -> Router<Arc<Views>> {
    Router::new()
        .route("/operator", get(look))
        .route("/operator/password", post(set_password))
        .route("/operator/login", post(log_in))
        .route("/operator/logout", post(log_out))
        .route("/operator/{what}", post(act))
}

/// What became of a request: what to show, and a cookie to be set.
struct Shown {
    message: Option<Message>,
    /// Whoever is logged in from now on; `None`: nobody.
    session: Option<Id>,
    cookie: Option<String>,
}

fn cookie(name: &str, id: &Id) -> String {
    let (id, age) = (id.expose(), LASTS.as_secs());
    format!("{name}={id}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}")
}

fn gone(name: &str) -> String {
    format!("{name}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
}

async fn look(State(views): State<Arc<Views>>, headers: HeaderMap) -> Response {
    if let Err(trouble) = guard::from_here(&headers, &views.operator) {
        return refused(&trouble);
    }
    let shown = Shown {
        message: None,
        session: guard::session(&headers, &views.operator),
        cookie: None,
    };
    show(&views, &headers, shown)
}

/// Without any form: they are not for whoever asks like this.
fn refused(trouble: &Trouble) -> Response {
    page_of(trouble.status, page::refused(trouble))
}

fn page_of(status: u16, html: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // A form is of one visitor, must stand in no other site's frame, and needs no script.
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; \
             frame-ancestors 'none'; base-uri 'none'",
        ),
    ];
    (status, headers, Html(html)).into_response()
}

fn show(views: &Views, headers: &HeaderMap, shown: Shown) -> Response {
    let status = shown.message.as_ref().map_or(200, Message::status);
    let token = |id: &Id| views.operator.sessions().token(id);
    let (html, visit) = match &shown.session {
        Some(session) => {
            let token = token(session);
            (page::actions(views, &token, shown.message.as_ref()), None)
        }
        None => {
            let known = guard::cookie(headers, VISIT);
            let Some(visit) = known.or_else(|| Id::random().ok()) else {
                let trouble =
                    Trouble::new(500, "random", "no random numbers", "restart the appliance");
                return refused(&trouble);
            };
            let html = page::door(views, &token(&visit), shown.message.as_ref());
            (html, Some(cookie(VISIT, &visit)))
        }
    };
    let mut response = page_of(status, html);
    for cookie in [shown.cookie, visit].into_iter().flatten() {
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    if let Some(seconds) = shown.message.as_ref().and_then(Message::retry_after) {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// A form of whoever is not logged in yet.
fn visitor(views: &Views, headers: &HeaderMap, fields: &mut Fields) -> Result<(), Trouble> {
    let token = fields.take("token");
    let visit = guard::cookie(headers, VISIT).ok_or_else(|| {
        let remedy = "allow cookies for this page, open /operator again, and do it there";
        Trouble::new(
            403,
            "form",
            "the cookie of this form did not come along",
            remedy,
        )
    })?;
    guard::is_our_form(&views.operator, &visit, token.as_deref())
}

async fn enter(
    views: &Views,
    headers: &HeaderMap,
    by: IpAddr,
    fields: &mut Fields,
    is_first: bool,
) -> Result<Shown, Trouble> {
    guard::from_here(headers, &views.operator)?;
    visitor(views, headers, fields)?;
    let password = fields.take("password").unwrap_or_default();
    let denied = |why| guard::denied(&why);
    if is_first {
        if fields.take("again").as_deref() != Some(&password) {
            let detail = "the two passwords are not the same";
            return Err(Trouble::new(
                400,
                "password-unusable",
                detail,
                "write the same one twice",
            ));
        }
        views
            .operator
            .password
            .set(password.clone())
            .await
            .map_err(denied)?;
        let text = format!("the operator's password was set by the first visitor (from {by})");
        views
            .events
            .record(Code::OperatorPassword, Subject::Operator(by), text);
    }
    let id = views.operator.log_in(password, by).await.map_err(denied)?;
    let text = match is_first {
        true => format!("The operator's password is set, from {by}. You are logged in."),
        false => "You are logged in.".to_owned(),
    };
    let told = format!("logged in (from {by})");
    views
        .events
        .record(Code::OperatorLogin, Subject::Operator(by), told);
    Ok(Shown {
        message: Some(Message::done(text)),
        cookie: Some(cookie(SESSION, &id)),
        session: Some(id),
    })
}

/// Still a visitor, who is told why.
fn turned_away(views: &Views, headers: &HeaderMap, by: IpAddr, trouble: Trouble) -> Response {
    let trouble = guard::tell(views, by, trouble);
    if matches!(trouble.kind, "host" | "foreign-page") {
        return refused(&trouble);
    }
    let shown = Shown {
        message: Some(Message::trouble(trouble)),
        session: guard::session(headers, &views.operator),
        cookie: None,
    };
    show(views, headers, shown)
}

async fn set_password(
    State(views): State<Arc<Views>>,
    ConnectInfo(Peer(peer)): Who,
    headers: HeaderMap,
    Form(pairs): Pairs,
) -> Response {
    let mut fields = Fields::exactly(pairs);
    match enter(&views, &headers, peer.ip(), &mut fields, true).await {
        Ok(shown) => show(&views, &headers, shown),
        Err(trouble) => turned_away(&views, &headers, peer.ip(), trouble),
    }
}

async fn log_in(
    State(views): State<Arc<Views>>,
    ConnectInfo(Peer(peer)): Who,
    headers: HeaderMap,
    Form(pairs): Pairs,
) -> Response {
    let mut fields = Fields::exactly(pairs);
    match enter(&views, &headers, peer.ip(), &mut fields, false).await {
        Ok(shown) => show(&views, &headers, shown),
        Err(trouble) => turned_away(&views, &headers, peer.ip(), trouble),
    }
}

/// A form of whoever is logged in.
fn logged_in(views: &Views, headers: &HeaderMap, fields: &mut Fields) -> Result<Id, Trouble> {
    guard::from_here(headers, &views.operator)?;
    let token = fields.take("token");
    let session = guard::session(headers, &views.operator).ok_or_else(guard::not_logged_in)?;
    guard::is_our_form(&views.operator, &session, token.as_deref())?;
    Ok(session)
}

async fn log_out(
    State(views): State<Arc<Views>>,
    ConnectInfo(Peer(peer)): Who,
    headers: HeaderMap,
    Form(pairs): Pairs,
) -> Response {
    match logged_in(&views, &headers, &mut Fields::of(pairs)) {
        Ok(session) => {
            views.operator.sessions().close(&session);
            let by = peer.ip();
            let told = format!("logged out (from {by})");
            views
                .events
                .record(Code::OperatorLogin, Subject::Operator(by), told);
            let shown = Shown {
                message: Some(Message::done("You are logged out.".to_owned())),
                session: None,
                cookie: Some(gone(SESSION)),
            };
            show(&views, &headers, shown)
        }
        Err(trouble) => turned_away(&views, &headers, peer.ip(), trouble),
    }
}

async fn act(
    State(views): State<Arc<Views>>,
    ConnectInfo(Peer(peer)): Who,
    Path(what): Path<String>,
    headers: HeaderMap,
    Form(pairs): Pairs,
) -> Response {
    let by = peer.ip();
    let mut fields = Fields::of(pairs);
    let session = match logged_in(&views, &headers, &mut fields) {
        Ok(session) => session,
        Err(trouble) => return turned_away(&views, &headers, by, trouble),
    };
    if what == "support-bundle" {
        match api::download(&views, by).await {
            Ok(response) => return response,
            Err(trouble) => return turned_away(&views, &headers, by, trouble),
        }
    }
    let message = match wanted(&views, &what, fields, by).await {
        Ok(message) => message,
        Err(trouble) => Message::trouble(trouble),
    };
    let shown = Shown {
        message: Some(message),
        session: Some(session),
        cookie: None,
    };
    show(&views, &headers, shown)
}

async fn wanted(
    views: &Arc<Views>,
    what: &str,
    mut fields: Fields,
    by: IpAddr,
) -> Result<Message, Trouble> {
    let is_sure = fields.take("sure").is_some();
    let url = fields.get("url").map(ToOwned::to_owned);
    let action = Action::parse(what, fields).ok_or_else(api::no_such_action)??;
    if !is_sure && matches!(action, Action::Reboot | Action::Update { .. }) {
        return Ok(Message::question(what, url));
    }
    let Done { text, .. } = perform(action, views, by).await?;
    Ok(Message::done(text))
}
