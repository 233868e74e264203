//! `/api/v1/farms`: what the operator sees of the farms, and does with them.

use super::App;
use super::fleet_store::{self, FleetFarm};
use super::openapi::{
    Away, BadBody, BadContent, BadQuery, Conflict, LongQuery, NoOperator, NoToken, NotJson,
    Nothing, SlowBody, TooLarge, TooMany,
};
use super::operator::ByOperator;
use super::page::{Cut, Limit, Offset, Order, Page};
use super::problem::Problem;
use super::request::{Body, Params, Segment, Whole, bad_content};
use crate::farms::{self, FarmError};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use smart_mining_wire::report::FarmState;
use utoipa::{IntoParams, ToSchema};

/// A century; who asks for longer silences made a mistake.
const MAX_SILENCE: u64 = 3_155_760_000;

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FarmSort {
    Name,
    Seen,
    Enrolled,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Only farms with this in their name; in any case.
    #[param(max_length = 63, pattern = "^[A-Za-z0-9._-]*$")]
    pub name: Option<String>,
    /// Only farms whose newest report says so.
    #[param(inline)]
    pub state: Option<FarmState>,
    /// Only farms that are disabled, or only others.
    pub disabled: Option<bool>,
    /// Only farms that were not heard of for so many seconds, or never.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 3155760000_i64)]
    pub silent: Option<Whole<0, MAX_SILENCE>>,
    /// `name` unless given.
    #[param(inline)]
    pub sort: Option<FarmSort>,
    /// `asc` unless given.
    #[param(inline)]
    pub order: Option<Order>,
    #[param(value_type = Option<u64>, minimum = 1, maximum = 500, default = 100)]
    limit: Option<Limit>,
    #[param(value_type = Option<u64>, minimum = 0, maximum = 100000, default = 0)]
    offset: Option<Offset>,
}

/// The farms, and how each fares by its newest report.
#[utoipa::path(get, path = "/api/v1/farms", operation_id = "farms", tag = "operator",
    security(("operator" = [])),
    params(Question),
    responses(
        (status = 200, description = "The farms.", body = Page<FleetFarm>),
        BadQuery, NoToken, NoOperator, LongQuery, TooMany, Away,
    ))]
pub async fn list(
    State(app): State<App>,
    _: ByOperator,
    uri: Uri,
    Params(question): Params<Question>,
) -> Result<Json<Page<FleetFarm>>, Problem> {
    let name = question.name.as_deref().unwrap_or("");
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if name.len() > 63 || !name.bytes().all(plain) {
        let detail = format!("name is {name:?}; use at most 63 characters of A-Z a-z 0-9 . _ -");
        return Err(Problem::bad_query(detail));
    }
    let cut = Cut::new(question.limit, question.offset);
    let read = fleet_store::list(&app.reader.pool, &question, cut);
    let (total, farms) = app.reader.run(read).await?;
    Ok(Json(Page::new(farms, total, cut, &uri)))
}

/// One farm.
#[utoipa::path(get, path = "/api/v1/farms/{name}", operation_id = "farm", tag = "operator",
    security(("operator" = [])),
    params(("name" = String, Path, min_length = 1, max_length = 63, pattern = "^[A-Za-z0-9._-]{1,63}$")),
    responses(
        (status = 200, description = "The farm.", body = FleetFarm),
        NoToken, NoOperator, Nothing, TooMany, Away,
    ))]
pub async fn one(
    State(app): State<App>,
    _: ByOperator,
    Segment(name): Segment,
) -> Result<Json<FleetFarm>, Problem> {
    read_one(&app, &name).await.map(Json)
}

async fn read_one(app: &App, name: &str) -> Result<FleetFarm, Problem> {
    let unknown = || Problem::from(FarmError::Unknown(name.into()));
    if !smart_mining_wire::snapshot::is_name(name) {
        return Err(unknown());
    }
    let read = fleet_store::one(&app.reader.pool, name);
    app.reader.run(read).await?.ok_or_else(unknown)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFarm {
    #[schema(min_length = 1, max_length = 63, pattern = "^[A-Za-z0-9._-]{1,63}$")]
    name: String,
}

/// A farm's new token. It is shown this once: only its hash is stored.
#[derive(Serialize, ToSchema)]
pub struct NewToken {
    pub name: String,
    /// For `central.token` in the farm's farm.toml.
    pub token: String,
}

/// Enrol a farm; its token is in the answer, and nowhere else.
#[utoipa::path(post, path = "/api/v1/farms", operation_id = "enrol", tag = "operator",
    security(("operator" = [])),
    request_body = NewFarm,
    responses(
        (status = 201, description = "The farm is enrolled.", body = NewToken,
            headers(("Location" = String, description = "The path of the farm."))),
        BadBody, NoToken, NoOperator, SlowBody, Conflict, TooLarge, NotJson, BadContent, TooMany, Away,
    ))]
pub async fn enrol(
    State(app): State<App>,
    _: ByOperator,
    Body(farm): Body<NewFarm>,
) -> Result<Response, Problem> {
    let name = farm.name;
    let token = app
        .reader
        .run(farms::enrol(&app.reader.pool, &name))
        .await?;
    log::info!("farm {name} is enrolled");
    let location = [(header::LOCATION, format!("/api/v1/farms/{name}"))];
    let token = token.reveal().to_owned();
    let secret = [(header::CACHE_CONTROL, "no-store")];
    let answer = Json(NewToken { name, token });
    Ok((StatusCode::CREATED, location, secret, answer).into_response())
}

/// Give a farm a new token; the old one ends.
#[utoipa::path(post, path = "/api/v1/farms/{name}/rotate", operation_id = "rotate", tag = "operator",
    security(("operator" = [])),
    params(("name" = String, Path, min_length = 1, max_length = 63, pattern = "^[A-Za-z0-9._-]{1,63}$")),
    responses(
        (status = 200, description = "The new token.", body = NewToken),
        NoToken, NoOperator, Nothing, TooMany, Away,
    ))]
pub async fn rotate(
    State(app): State<App>,
    _: ByOperator,
    Segment(name): Segment,
) -> Result<Response, Problem> {
    let token = app
        .reader
        .run(farms::rotate(&app.reader.pool, &name))
        .await
        .map_err(Problem::of_a_path)?;
    log::info!("farm {name} has a new token");
    let token = token.reveal().to_owned();
    let secret = [(header::CACHE_CONTROL, "no-store")];
    Ok((secret, Json(NewToken { name, token })).into_response())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FarmChange {
    /// A disabled farm's token is refused until the farm is enabled again.
    disabled: bool,
}

/// Disable or enable a farm.
#[utoipa::path(patch, path = "/api/v1/farms/{name}", operation_id = "change_farm", tag = "operator",
    security(("operator" = [])),
    params(("name" = String, Path, min_length = 1, max_length = 63, pattern = "^[A-Za-z0-9._-]{1,63}$")),
    request_body = FarmChange,
    responses(
        (status = 200, description = "The farm as it is now.", body = FleetFarm),
        BadBody, NoToken, NoOperator, Nothing, SlowBody, TooLarge, NotJson, BadContent, TooMany, Away,
    ))]
pub async fn change(
    State(app): State<App>,
    _: ByOperator,
    Segment(name): Segment,
    Body(change): Body<FarmChange>,
) -> Result<Json<FleetFarm>, Problem> {
    let disabled = change.disabled;
    app.reader
        .run(farms::set_disabled(&app.reader.pool, &name, disabled))
        .await
        .map_err(Problem::of_a_path)?;
    log::info!(
        "farm {name} is {}",
        if disabled { "disabled" } else { "enabled" }
    );
    read_one(&app, &name).await.map(Json)
}

impl Problem {
    /// A name that no farm can have is, in a path, a farm that is not there.
    fn of_a_path(self) -> Self {
        match self.status() {
            StatusCode::UNPROCESSABLE_ENTITY => self.with_status(StatusCode::NOT_FOUND),
            _ => self,
        }
    }
}

impl From<FarmError> for Problem {
    fn from(error: FarmError) -> Self {
        match error {
            FarmError::Name(_) => bad_content(error.to_string()),
            FarmError::Exists(name) => Self::new(
                StatusCode::CONFLICT,
                "farm-exists",
                format!(
                    "farm {name:?} is enrolled already and its token cannot be shown again; \
                     POST /api/v1/farms/{name}/rotate makes a new one and ends the old one"
                ),
            ),
            FarmError::Unknown(name) => Self::new(
                StatusCode::NOT_FOUND,
                "no-such-farm",
                format!("farm {name:?} is not enrolled; GET /api/v1/farms lists those that are"),
            ),
            FarmError::Random(_) => {
                log::error!("{error}");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "no-random",
                    "no token can be made at the moment; ask again",
                )
            }
            FarmError::Database(error) => error.into(),
        }
    }
}
