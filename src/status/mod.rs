//! The status page and its JSON, on the farm's LAN only.

mod actions;
mod api;
mod door;
mod guide;
mod history;
mod live;
mod metrics;
mod miners;
mod openapi;
mod page;
mod problem;
mod query;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod tests;

pub use guide::serve_guide;
#[cfg(test)]
pub use openapi::AlgorithmName;

use crate::config::Network;
use crate::view::Views;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use door::{Door, Peer};
use std::sync::Arc;
use tokio::net::TcpListener;

/// Serve until the process ends.
pub async fn serve(listener: TcpListener, views: Arc<Views>, access: Arc<[Network]>) {
    let press = Arc::new(page::Press::new(views.clone()));
    let programs = api::routes()
        .merge(actions::routes())
        .merge(history::routes())
        .with_state(views);
    let app = page::routes(press.clone())
        .merge(live::routes(press))
        .merge(programs)
        .layer(middleware::from_fn_with_state(access, only_the_lan));
    let service = app.into_make_service_with_connect_info::<Peer>();
    if let Err(error) = axum::serve(Door::new(listener), service).await {
        log::error!("the status page stopped: {error}");
    }
}

/// The same networks that may mine may look.
async fn only_the_lan(
    State(access): State<Arc<[Network]>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    if access.iter().any(|network| network.contains(peer.ip())) {
        return next.run(request).await;
    }
    let text = format!(
        "{} is not in a network that [access] allow of farm.toml names.\n",
        peer.ip()
    );
    (StatusCode::FORBIDDEN, text).into_response()
}
