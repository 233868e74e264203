//! What the operator can do: `/operator` for people, `/api/actions/...` for programs.
//!
//! ```text
//!   Host is ours, no other site sent it --> who is it? --> Action --> operator::perform
//!            |  no: 403                       |  no: 401, 429
//!   people:   a cookie of a session, and the form's token made from it
//!   programs: Authorization: Basic with the password, or Bearer with a session's id
//! ```
//!
//! | file | does |
//! |---|---|
//! | `guard` | who asks, and from where |
//! | `api` | for programs |
//! | `forms` | for people: reads the forms |
//! | `page` | for people: writes them |

pub(super) mod api;
mod forms;
mod guard;
mod page;

use crate::view::Views;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use std::sync::Arc;

/// No form and no wish is longer.
const LONGEST_BODY: usize = 8 * 1024;

pub(super) fn routes() -> Router<Arc<Views>> {
    Router::new()
        .merge(api::routes())
        .merge(forms::routes())
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
}
