//! The page at `/`: one glance, no asset, readable on a phone, and without script.
//!
//! ```text
//!   Views --> Facts --> Section::render --> Press (once for all) --> GET /      (shell)
//!                                                               `-> GET /live  (parts that changed)
//! ```
//! `Facts` and the list of miners are copies: no lock of the registry or of a lane is
//! held while a template writes.

mod charts;
mod device;
mod events;
mod facts;
mod lanes;
mod miners;
mod past;
mod press;
mod query;
mod section;
pub(super) mod shell;
mod state;
#[cfg(test)]
mod tests;
mod why;

pub(super) use press::Press;
pub(super) use query::{Query, Raw};
pub(super) use section::Section;

use axum::Router;
use axum::extract::{Query as Address, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;

pub(super) fn routes(press: Arc<Press>) -> Router {
    Router::new().route("/", get(page)).with_state(press)
}

async fn page(State(press): State<Arc<Press>>, Address(raw): Address<Raw>) -> Response {
    html(printed(&press, &raw.into()).await)
}

/// A page of the appliance: it loads nothing, and no other page may hold it.
pub(super) fn html(text: String) -> Response {
    let headers: HeaderMap = shell::headers().collect();
    (headers, text).into_response()
}

pub(super) async fn printed(press: &Press, query: &Query) -> String {
    let mut parts = Vec::with_capacity(Section::ALL.len());
    for section in Section::ALL {
        parts.push((section, press.sheet(section, query).await));
    }
    shell::render(&*press.facts().await, query, parts)
}

/// At once, for tests: without a history.
#[cfg(test)]
pub(super) fn render(views: &crate::view::Views) -> String {
    let (query, crowd) = (Query::default(), views.miners());
    let facts = facts::Facts::gather(views, Arc::default());
    let sheet = |section: Section| press::Sheet::new(section.render(&facts, &crowd, &query));
    let parts = Section::ALL.map(|section| (section, Arc::new(sheet(section))));
    shell::render(&facts, &query, parts.into())
}
