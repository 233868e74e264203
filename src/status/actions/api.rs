//! For programs: `POST /api/session`, `POST /api/actions/{what}`.

use super::super::door::Peer;
use super::guard;
use crate::events::{Code, Subject};
use crate::operator::sessions::LASTS;
use crate::operator::{Action, Done, Fields, Trouble, bundle, perform};
use crate::view::Views;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;

type Who = ConnectInfo<Peer>;

pub(super) fn routes() -> Router<Arc<Views>> {
    Router::new()
        .route("/api/session", post(log_in).delete(log_out))
        .route("/api/actions/{what}", post(act))
}

impl IntoResponse for Trouble {
    /// As RFC 9457 has it.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self)).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            // Not Basic: a browser would ask for it, and send it by itself from then on.
            let how = HeaderValue::from_static("Bearer realm=\"smart_mining\"");
            headers.insert(header::WWW_AUTHENTICATE, how);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// A session, for a program that does not want to send the password each time.
#[cfg_attr(test, utoipa::path(post, path = "/api/session", operation_id = "log_in",
    request_body(content = Object, description = "`password`: the operator's."),
    responses(
        (status = 200, description = "`token`, to be sent as `Authorization: Bearer`, and `expires_seconds`.", body = Object),
        (status = 401, description = "The password is wrong.", body = Trouble, content_type = "application/problem+json"),
        (status = 403, description = "None is set, or another site's page asks.", body = Trouble, content_type = "application/problem+json"),
        (status = 429, description = "Too many were wrong.", body = Trouble, content_type = "application/problem+json"),
    )))]
pub async fn log_in(
    State(views): State<Arc<Views>>,
    ConnectInfo(Peer(peer)): Who,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Trouble> {
    let by = peer.ip();
    let logged_in = async {
        guard::from_here(&headers, &views.operator)?;
        let password = Fields::of_json(&body)?.take("password").unwrap_or_default();
        let id = views.operator.log_in(password, by).await;
        id.map_err(|why| guard::denied(&why))
    };
    let id = logged_in.await.map_err(|it| guard::tell(&views, by, it))?;
    let address = Subject::Operator(by);
    views
        .events
        .record(Code::OperatorLogin, address, "a program logged in");
    let answer = json!({"token": id.expose(), "expires_seconds": LASTS.as_secs()});
    let fresh = [(header::CACHE_CONTROL, "no-store")];
    Ok((fresh, Json(answer)).into_response())
}

/// The token is worth nothing any more.
#[cfg_attr(test, utoipa::path(delete, path = "/api/session", operation_id = "log_out",
    responses(
        (status = 204, description = "It is closed."),
        (status = 401, description = "There is no such session.", body = Trouble, content_type = "application/problem+json"),
    )))]
pub async fn log_out(
    State(views): State<Arc<Views>>,
    headers: HeaderMap,
) -> Result<StatusCode, Trouble> {
    guard::from_here(&headers, &views.operator)?;
    let id = guard::bearer(&headers).filter(|id| views.operator.is_logged_in(id));
    views
        .operator
        .sessions()
        .close(&id.ok_or_else(guard::not_logged_in)?);
    Ok(StatusCode::NO_CONTENT)
}

/// What the operator asks for. `Authorization`: `Basic` with the password, or `Bearer` with a token.
#[cfg_attr(test, utoipa::path(post, path = "/api/actions/{what}", operation_id = "act",
    params(("what" = String, Path,
        description = "`pin`, `unpin`, `exclude`, `include`, `sync`, `name`, `reboot`, `update` or `support-bundle`; \
            docs/operator.md says what each takes.")),
    request_body(content = Object, description = "What the action takes."),
    responses(
        (status = 200, description = "It is done. Of `support-bundle`: the file, as application/gzip.", body = Done),
        (status = 400, description = "What was asked cannot be understood.", body = Trouble, content_type = "application/problem+json"),
        (status = 401, description = "No session, or the wrong password.", body = Trouble, content_type = "application/problem+json"),
        (status = 403, description = "Another site's page asks.", body = Trouble, content_type = "application/problem+json"),
        (status = 404, description = "There is no such action, algorithm or pool.", body = Trouble, content_type = "application/problem+json"),
        (status = 409, description = "It does not go together with what is.", body = Trouble, content_type = "application/problem+json"),
        (status = 429, description = "Too many wrong passwords.", body = Trouble, content_type = "application/problem+json"),
        (status = 501, description = "Not on this machine.", body = Trouble, content_type = "application/problem+json"),
        (status = 503, description = "Not now.", body = Trouble, content_type = "application/problem+json"),
    )))]
pub async fn act(
    State(views): State<Arc<Views>>,
    ConnectInfo(Peer(peer)): Who,
    Path(what): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Trouble> {
    let by = peer.ip();
    let authorised = guard::authorised(&headers, &views, by).await;
    authorised.map_err(|it| guard::tell(&views, by, it))?;
    if what == "support-bundle" {
        return download(&views, by).await;
    }
    let action = Action::parse(&what, Fields::of_json(&body)?);
    let action = action.ok_or_else(no_such_action)??;
    let done: Done = perform(action, &views, by).await?;
    let fresh = [(header::CACHE_CONTROL, "no-store")];
    Ok((fresh, Json(done)).into_response())
}

pub(super) fn no_such_action() -> Trouble {
    let remedy =
        "ask for pin, unpin, exclude, include, sync, name, reboot, update or support-bundle";
    Trouble::new(404, "action", "there is no such action", remedy)
}

/// The bundle, to be kept as a file.
pub(super) async fn download(views: &Arc<Views>, by: IpAddr) -> Result<Response, Trouble> {
    let bundle = bundle::make(views).await?;
    let text = format!(
        "a support bundle of {} bytes was made (from {by})",
        bundle.len()
    );
    views
        .events
        .record(Code::OperatorBundle, Subject::Operator(by), text);
    let farm: String = (views.farm.chars())
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        .collect();
    let name = format!("attachment; filename=\"support-{farm}.tar.gz\"");
    let headers = [
        (header::CONTENT_TYPE, "application/gzip"),
        (header::CONTENT_DISPOSITION, &*name),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, bundle).into_response())
}
