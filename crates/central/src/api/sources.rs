//! `GET /api/v1/sources`: how each source fares. `GET /api/v1/rejections`: which values
//! were not used, and why.

use super::App;
use super::openapi::{Away, BadQuery, LongQuery, TooMany};
use super::page::{Cut, Limit, Offset, Page};
use super::problem::Problem;
use super::request::{Names, Params};
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, Row as _, postgres::PgRow};
use utoipa::{IntoParams, ToSchema};

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SourceState {
    Ok,
    Failing,
    Waiting,
    Stopped,
    NoKey,
    Silent,
}

impl SourceState {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failing => "failing",
            Self::Waiting => "waiting",
            Self::Stopped => "stopped",
            Self::NoKey => "no-key",
            Self::Silent => "silent",
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Only these sources, separated by commas; in any case.
    #[param(value_type = Option<String>, max_length = 1000, pattern = "^[A-Za-z0-9._, -]*$")]
    source: Option<Names>,
    /// Only sources that fare so.
    #[param(inline)]
    state: Option<SourceState>,
    #[param(value_type = Option<u64>, minimum = 1, maximum = 500, default = 100)]
    limit: Option<Limit>,
    #[param(value_type = Option<u64>, minimum = 0, maximum = 100000, default = 0)]
    offset: Option<Offset>,
}

/// Somebody who is asked for prices, chains or pools.
#[derive(Serialize, ToSchema)]
pub struct Source {
    pub source: String,
    /// `waiting`: told to; `stopped`: banned, or its quota is used up; `silent`: not asked yet.
    #[schema(value_type = SourceState)]
    pub state: String,
    /// In words.
    pub detail: String,
    pub answers: i64,
    pub failures: i64,
    /// Of the last round.
    pub observations: i32,
    /// Rows of the last round that name nothing we know.
    pub unmapped: i32,
    /// Unix seconds.
    pub last_ok_at: Option<i64>,
    pub last_error_at: Option<i64>,
    pub last_error: Option<String>,
    pub updated_at: i64,
}

/// How each source fares.
#[utoipa::path(get, path = "/api/v1/sources", operation_id = "sources", tag = "ranking",
    params(Question),
    responses(
        (status = 200, description = "The sources, by name.", body = Page<Source>),
        BadQuery, LongQuery, TooMany, Away,
    ))]
pub async fn sources(
    State(app): State<App>,
    uri: Uri,
    Params(question): Params<Question>,
) -> Result<Json<Page<Source>>, Problem> {
    let cut = Cut::new(question.limit, question.offset);
    let read = read_sources(&app.reader.pool, question, cut);
    let (total, sources) = app.reader.run(read).await?;
    Ok(Json(Page::new(sources, total, cut, &uri)))
}

async fn read_sources(
    pool: &PgPool,
    question: Question,
    cut: Cut,
) -> Result<(i64, Vec<Source>), sqlx::Error> {
    let names = Names::filter(question.source);
    let state = question.state.map(SourceState::name);
    let total = sqlx::query_scalar(
        "SELECT count(*) FROM source_health
         WHERE ($1::text[] IS NULL OR lower(source) = ANY($1)) AND ($2::text IS NULL OR state = $2)",
    )
    .bind(&names)
    .bind(state)
    .fetch_one(pool)
    .await?;
    let rows = sqlx::query(
        "SELECT source, state, detail, answers, failures, observations, unmapped, last_error,
                floor(extract(epoch FROM last_ok_at))::bigint AS last_ok_at,
                floor(extract(epoch FROM last_error_at))::bigint AS last_error_at,
                floor(extract(epoch FROM updated_at))::bigint AS updated_at
         FROM source_health
         WHERE ($1::text[] IS NULL OR lower(source) = ANY($1)) AND ($2::text IS NULL OR state = $2)
         ORDER BY source LIMIT $3 OFFSET $4",
    )
    .bind(&names)
    .bind(state)
    .bind(cut.rows())
    .bind(cut.skip())
    .fetch_all(pool)
    .await?;
    let source = |row: &PgRow| {
        Ok(Source {
            source: row.try_get("source")?,
            state: row.try_get("state")?,
            detail: row.try_get("detail")?,
            answers: row.try_get("answers")?,
            failures: row.try_get("failures")?,
            observations: row.try_get("observations")?,
            unmapped: row.try_get("unmapped")?,
            last_ok_at: row.try_get("last_ok_at")?,
            last_error_at: row.try_get("last_error_at")?,
            last_error: row.try_get("last_error")?,
            updated_at: row.try_get("updated_at")?,
        })
    };
    let sources: Result<_, sqlx::Error> = rows.iter().map(source).collect();
    Ok((total, sources?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Only values of these sources, separated by commas; in any case.
    #[param(value_type = Option<String>, max_length = 1000, pattern = "^[A-Za-z0-9._, -]*$")]
    source: Option<Names>,
    /// Only values about these coins, separated by commas; in any case.
    #[param(value_type = Option<String>, max_length = 1000, pattern = "^[A-Za-z0-9._, -]*$")]
    coin: Option<Names>,
    /// Only values that these rules refused, separated by commas; in any case.
    #[param(value_type = Option<String>, max_length = 1000, pattern = "^[A-Za-z0-9._, -]*$")]
    rule: Option<Names>,
    #[param(value_type = Option<u64>, minimum = 1, maximum = 500, default = 100)]
    limit: Option<Limit>,
    #[param(value_type = Option<u64>, minimum = 0, maximum = 100000, default = 0)]
    offset: Option<Offset>,
}

/// A value that was not used. The same one again within a day is counted, not repeated.
#[derive(Serialize, ToSchema)]
pub struct Rejection {
    pub id: i64,
    pub source: String,
    /// Empty where it is about no coin; so are the next two.
    pub coin: String,
    pub algorithm: String,
    pub pool: String,
    /// What the value is of, a price for instance.
    pub fact: String,
    /// Which rule refused it.
    pub rule: String,
    /// As it was received.
    pub value: String,
    /// Why, in words.
    pub detail: String,
    /// Unix seconds.
    pub first_at: i64,
    pub last_at: i64,
    pub times: i32,
}

/// Which values were not used, and why; newest first.
#[utoipa::path(get, path = "/api/v1/rejections", operation_id = "rejections", tag = "ranking",
    params(Which),
    responses(
        (status = 200, description = "The rejections.", body = Page<Rejection>),
        BadQuery, LongQuery, TooMany, Away,
    ))]
pub async fn rejections(
    State(app): State<App>,
    uri: Uri,
    Params(question): Params<Which>,
) -> Result<Json<Page<Rejection>>, Problem> {
    let cut = Cut::new(question.limit, question.offset);
    let read = read_rejections(&app.reader.pool, question, cut);
    let (total, rejections) = app.reader.run(read).await?;
    Ok(Json(Page::new(rejections, total, cut, &uri)))
}

async fn read_rejections(
    pool: &PgPool,
    question: Which,
    cut: Cut,
) -> Result<(i64, Vec<Rejection>), sqlx::Error> {
    let sources = Names::filter(question.source);
    let coins = Names::filter(question.coin);
    let rules = Names::filter(question.rule);
    let total = sqlx::query_scalar(
        "SELECT count(*) FROM rejections
         WHERE ($1::text[] IS NULL OR lower(source) = ANY($1))
           AND ($2::text[] IS NULL OR lower(coin) = ANY($2))
           AND ($3::text[] IS NULL OR lower(rule) = ANY($3))",
    )
    .bind(&sources)
    .bind(&coins)
    .bind(&rules)
    .fetch_one(pool)
    .await?;
    let rows = sqlx::query(
        "SELECT id, source, coin, algorithm, pool, fact, rule, value, detail, times,
                floor(extract(epoch FROM first_at))::bigint AS first_second,
                floor(extract(epoch FROM last_at))::bigint AS last_second
         FROM rejections
         WHERE ($1::text[] IS NULL OR lower(source) = ANY($1))
           AND ($2::text[] IS NULL OR lower(coin) = ANY($2))
           AND ($3::text[] IS NULL OR lower(rule) = ANY($3))
         ORDER BY last_at DESC, id DESC LIMIT $4 OFFSET $5",
    )
    .bind(&sources)
    .bind(&coins)
    .bind(&rules)
    .bind(cut.rows())
    .bind(cut.skip())
    .fetch_all(pool)
    .await?;
    let rejection = |row: &PgRow| {
        Ok(Rejection {
            id: row.try_get("id")?,
            source: row.try_get("source")?,
            coin: row.try_get("coin")?,
            algorithm: row.try_get("algorithm")?,
            pool: row.try_get("pool")?,
            fact: row.try_get("fact")?,
            rule: row.try_get("rule")?,
            value: row.try_get("value")?,
            detail: row.try_get("detail")?,
            first_at: row.try_get("first_second")?,
            last_at: row.try_get("last_second")?,
            times: row.try_get("times")?,
        })
    };
    let rejections: Result<_, sqlx::Error> = rows.iter().map(rejection).collect();
    Ok((total, rejections?))
}
