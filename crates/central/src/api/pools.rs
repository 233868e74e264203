//! `GET /api/v1/pools`: where pools listen and on what terms, coin by coin.

use super::App;
use super::algorithm;
use super::openapi::{Away, BadQuery, LongQuery, TooMany};
use super::page::{Cut, Limit, Offset, Order, Page};
use super::problem::Problem;
use super::request::{Names, Params};
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use smart_mining_wire::{Algorithm, PoolUrl};
use sqlx::{AssertSqlSafe, PgPool, Row as _, postgres::PgRow};
use std::collections::HashMap;
use utoipa::{IntoParams, ToSchema};

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PoolSort {
    Id,
    Name,
    Updated,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Only these pools, separated by commas; in any case.
    #[param(value_type = Option<String>, max_length = 1000, pattern = "^[A-Za-z0-9._, -]*$")]
    pool: Option<Names>,
    /// Only offers for these coins, separated by commas, and pools that have one.
    #[param(value_type = Option<String>, max_length = 1000, pattern = "^[A-Za-z0-9._, -]*$")]
    coin: Option<Names>,
    /// Only offers for this algorithm, and pools that have one.
    #[param(value_type = Option<algorithm::Mineable>, inline)]
    algo: Option<String>,
    /// `id` unless given.
    #[param(inline)]
    sort: Option<PoolSort>,
    /// `asc` unless given.
    #[param(inline)]
    order: Option<Order>,
    #[param(value_type = Option<u64>, minimum = 1, maximum = 500, default = 100)]
    limit: Option<Limit>,
    #[param(value_type = Option<u64>, minimum = 0, maximum = 100000, default = 0)]
    offset: Option<Offset>,
}

/// A pool and what it offers.
#[derive(Serialize, ToSchema)]
pub struct KnownPool {
    pub id: String,
    pub name: String,
    pub offers: Vec<PoolTerms>,
    /// Unix seconds.
    pub updated_at: i64,
}

/// A pool's address and terms for one coin.
#[derive(Serialize, ToSchema)]
pub struct PoolTerms {
    pub coin: String,
    pub algorithm: Algorithm,
    pub url: String,
    pub host: String,
    #[schema(minimum = 1, maximum = 65535)]
    pub port: u16,
    pub tls: bool,
    /// How the pool is spoken to; by the algorithm.
    #[schema(schema_with = algorithm::dialect_schema)]
    pub dialect: &'static str,
    /// As a fraction.
    #[schema(minimum = 0, exclusive_maximum = 1)]
    pub fee: f64,
    pub scheme: String,
    /// Coins that it mines along, and pays.
    pub merged: Vec<String>,
}

/// Pools with their addresses and terms.
#[utoipa::path(get, path = "/api/v1/pools", operation_id = "pools", tag = "ranking",
    params(Question),
    responses(
        (status = 200, description = "The pools.", body = Page<KnownPool>),
        BadQuery, LongQuery, TooMany, Away,
    ))]
pub async fn get(
    State(app): State<App>,
    uri: Uri,
    Params(question): Params<Question>,
) -> Result<Json<Page<KnownPool>>, Problem> {
    let name = question.algo.as_deref();
    let algorithm = name.map(algorithm::mineable).transpose()?;
    let filter = Filter {
        coins: Names::filter(question.coin),
        algorithm: algorithm.map(Algorithm::name),
    };
    let column = match question.sort.unwrap_or(PoolSort::Id) {
        PoolSort::Id => "id",
        PoolSort::Name => "name",
        PoolSort::Updated => "updated_at",
    };
    let order = question.order.unwrap_or(Order::Asc);
    let names = Names::filter(question.pool);
    let cut = Cut::new(question.limit, question.offset);
    let pool = &app.reader.pool;
    let page = app
        .reader
        .run(async {
            let (total, mut pools) = read(pool, &names, &filter, (column, order), cut).await?;
            add_offers(pool, &filter, &mut pools).await?;
            Ok::<_, sqlx::Error>(Page::new(pools, total, cut, &uri))
        })
        .await?;
    Ok(Json(page))
}

struct Filter {
    coins: Option<Vec<String>>,
    algorithm: Option<&'static str>,
}

const MATCHING: &str = "FROM pools
    WHERE ($1::text[] IS NULL OR lower(id) = ANY($1))
      AND (($2::text[] IS NULL AND $3::text IS NULL) OR EXISTS
          (SELECT FROM pool_offers WHERE pool = pools.id
           AND ($2 IS NULL OR lower(coin) = ANY($2)) AND ($3 IS NULL OR algorithm::text = $3)))";

async fn read(
    pool: &PgPool,
    names: &Option<Vec<String>>,
    filter: &Filter,
    (column, order): (&str, Order),
    cut: Cut,
) -> Result<(i64, Vec<KnownPool>), sqlx::Error> {
    let total = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) {MATCHING}")))
        .bind(names)
        .bind(&filter.coins)
        .bind(filter.algorithm)
        .fetch_one(pool)
        .await?;
    let order = order.sql();
    let rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT id, name, floor(extract(epoch FROM updated_at))::bigint AS updated_at
         {MATCHING} ORDER BY pools.{column} {order}, pools.id LIMIT $4 OFFSET $5"
    )))
    .bind(names)
    .bind(&filter.coins)
    .bind(filter.algorithm)
    .bind(cut.rows())
    .bind(cut.skip())
    .fetch_all(pool)
    .await?;
    let known = |row: &PgRow| {
        Ok(KnownPool {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            offers: Vec::new(),
            updated_at: row.try_get("updated_at")?,
        })
    };
    let pools: Result<_, sqlx::Error> = rows.iter().map(known).collect();
    Ok((total, pools?))
}

async fn add_offers(
    pool: &PgPool,
    filter: &Filter,
    pools: &mut [KnownPool],
) -> Result<(), sqlx::Error> {
    let ids: Vec<&str> = pools.iter().map(|pool| pool.id.as_str()).collect();
    let rows = sqlx::query(
        "SELECT pool, coin, algorithm::text, url, fee, scheme, merged FROM pool_offers
         WHERE pool = ANY($1) AND ($2::text[] IS NULL OR lower(coin) = ANY($2))
           AND ($3::text IS NULL OR algorithm::text = $3)
         ORDER BY algorithm, coin",
    )
    .bind(ids)
    .bind(&filter.coins)
    .bind(filter.algorithm)
    .fetch_all(pool)
    .await?;
    let mut offers: HashMap<String, Vec<PoolTerms>> = HashMap::new();
    for row in &rows {
        let Some(terms) = terms(row)? else { continue };
        offers.entry(row.try_get("pool")?).or_default().push(terms);
    }
    for pool in pools {
        pool.offers = offers.remove(&pool.id).unwrap_or_default();
    }
    Ok(())
}

/// `None` for what this build cannot read: an algorithm of a newer one, or an address
/// that got past the importer.
fn terms(row: &PgRow) -> Result<Option<PoolTerms>, sqlx::Error> {
    let url: String = row.try_get("url")?;
    let algorithm: String = row.try_get("algorithm")?;
    let (Ok(address), Ok(algorithm)) = (url.parse(), algorithm.parse::<Algorithm>()) else {
        log::warn!("an offer for {algorithm} at {url} cannot be read and is left out");
        return Ok(None);
    };
    let PoolUrl { tls, host, port } = address;
    Ok(Some(PoolTerms {
        coin: row.try_get("coin")?,
        algorithm,
        url,
        host,
        port,
        tls,
        dialect: algorithm::dialect(algorithm),
        fee: row.try_get("fee")?,
        scheme: row.try_get("scheme")?,
        merged: row.try_get("merged")?,
    }))
}
