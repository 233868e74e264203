//! `GET /api/v1/coins`: prices and chains, as the sources together give them.

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
use sqlx::{AssertSqlSafe, PgPool, Row as _, postgres::PgRow};
use std::collections::HashMap;
use utoipa::{IntoParams, ToSchema};

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CoinSort {
    Id,
    Name,
    Price,
    Updated,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Only these coins, separated by commas; in any case.
    #[param(value_type = Option<String>, max_length = 1000, pattern = "^[A-Za-z0-9._, -]*$")]
    coin: Option<Names>,
    /// Only coins with a chain of this algorithm.
    #[param(value_type = Option<algorithm::Known>, inline)]
    algo: Option<String>,
    /// `id` unless given.
    #[param(inline)]
    sort: Option<CoinSort>,
    /// `asc` unless given.
    #[param(inline)]
    order: Option<Order>,
    #[param(value_type = Option<u64>, minimum = 1, maximum = 500, default = 100)]
    limit: Option<Limit>,
    #[param(value_type = Option<u64>, minimum = 0, maximum = 100000, default = 0)]
    offset: Option<Offset>,
}

/// A coin, its price and its chains.
#[derive(Serialize, ToSchema)]
pub struct Coin {
    pub id: String,
    pub name: String,
    /// Of all its sources together; null while no source was good enough.
    pub price_usd: Option<f64>,
    /// How far the sources are apart, as a fraction.
    pub price_margin: Option<f64>,
    /// Unix seconds.
    pub price_at: Option<i64>,
    pub price_sources: Vec<String>,
    /// One for each algorithm.
    pub chains: Vec<Chain>,
    /// Unix seconds.
    pub updated_at: i64,
}

/// What a coin's chain takes and pays, by one algorithm.
#[derive(Serialize, ToSchema)]
pub struct Chain {
    /// The catalog's name, which is finer than that of a snapshot.
    pub algorithm: String,
    /// As the node reports it; null where only the hashrate is known.
    pub difficulty: Option<f64>,
    pub hashes_per_block: f64,
    /// Hashes per second.
    pub network_hashrate: f64,
    /// Coins a block pays the miner.
    pub subsidy: f64,
    pub fees: f64,
    pub height: Option<i64>,
    /// Coins for one hash per second kept up for a day, before any pool.
    pub coins_per_hash_day: f64,
    pub margin: f64,
    /// Who said how much work a block is.
    pub work_source: String,
    /// Who said what a block pays.
    pub reward_source: String,
    /// Unix seconds.
    pub observed_at: i64,
}

/// Coins with their prices and chains.
#[utoipa::path(get, path = "/api/v1/coins", operation_id = "coins", tag = "ranking",
    params(Question),
    responses(
        (status = 200, description = "The coins.", body = Page<Coin>),
        BadQuery, LongQuery, TooMany, Away,
    ))]
pub async fn get(
    State(app): State<App>,
    uri: Uri,
    Params(question): Params<Question>,
) -> Result<Json<Page<Coin>>, Problem> {
    let name = question.algo.as_deref();
    let algorithm = name.map(algorithm::known).transpose()?;
    let cut = Cut::new(question.limit, question.offset);
    let pool = &app.reader.pool;
    let page = app
        .reader
        .run(async {
            let (total, mut coins) = read(pool, question, algorithm, cut).await?;
            add_chains(pool, &mut coins).await?;
            Ok::<_, sqlx::Error>(Page::new(coins, total, cut, &uri))
        })
        .await?;
    Ok(Json(page))
}

const MATCHING: &str = "FROM coins
    WHERE ($1::text[] IS NULL OR lower(id) = ANY($1))
      AND ($2::text IS NULL OR EXISTS
          (SELECT FROM chains WHERE chains.coin = coins.id AND chains.algorithm = $2))";

async fn read(
    pool: &PgPool,
    question: Question,
    algorithm: Option<&str>,
    cut: Cut,
) -> Result<(i64, Vec<Coin>), sqlx::Error> {
    let column = match question.sort.unwrap_or(CoinSort::Id) {
        CoinSort::Id => "id",
        CoinSort::Name => "name",
        CoinSort::Price => "price_usd",
        CoinSort::Updated => "updated_at",
    };
    let order = question.order.unwrap_or(Order::Asc).sql();
    let names = Names::filter(question.coin);
    let total = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) {MATCHING}")))
        .bind(&names)
        .bind(algorithm)
        .fetch_one(pool)
        .await?;
    let rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT id, name, price_usd, price_margin, price_sources,
                floor(extract(epoch FROM price_at))::bigint AS price_at,
                floor(extract(epoch FROM updated_at))::bigint AS updated_at
         {MATCHING} ORDER BY coins.{column} {order}, coins.id LIMIT $3 OFFSET $4"
    )))
    .bind(&names)
    .bind(algorithm)
    .bind(cut.rows())
    .bind(cut.skip())
    .fetch_all(pool)
    .await?;
    let coins: Result<_, _> = rows.iter().map(coin).collect();
    Ok((total, coins?))
}

fn coin(row: &PgRow) -> Result<Coin, sqlx::Error> {
    Ok(Coin {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        price_usd: row.try_get("price_usd")?,
        price_margin: row.try_get("price_margin")?,
        price_at: row.try_get("price_at")?,
        price_sources: row.try_get("price_sources")?,
        chains: Vec::new(),
        updated_at: row.try_get("updated_at")?,
    })
}

async fn add_chains(pool: &PgPool, coins: &mut [Coin]) -> Result<(), sqlx::Error> {
    let ids: Vec<&str> = coins.iter().map(|coin| coin.id.as_str()).collect();
    let rows = sqlx::query(
        "SELECT coin, algorithm, difficulty, hashes_per_block, network_hashrate, subsidy, fees,
                height, coins_per_hash_day, margin, work_source, reward_source,
                floor(extract(epoch FROM observed_at))::bigint AS observed_at
         FROM chains WHERE coin = ANY($1) ORDER BY algorithm",
    )
    .bind(ids)
    .fetch_all(pool)
    .await?;
    let mut chains: HashMap<String, Vec<Chain>> = HashMap::new();
    for row in &rows {
        chains
            .entry(row.try_get("coin")?)
            .or_default()
            .push(chain(row)?);
    }
    for coin in coins {
        coin.chains = chains.remove(&coin.id).unwrap_or_default();
    }
    Ok(())
}

fn chain(row: &PgRow) -> Result<Chain, sqlx::Error> {
    Ok(Chain {
        algorithm: row.try_get("algorithm")?,
        difficulty: row.try_get("difficulty")?,
        hashes_per_block: row.try_get("hashes_per_block")?,
        network_hashrate: row.try_get("network_hashrate")?,
        subsidy: row.try_get("subsidy")?,
        fees: row.try_get("fees")?,
        height: row.try_get("height")?,
        coins_per_hash_day: row.try_get("coins_per_hash_day")?,
        margin: row.try_get("margin")?,
        work_source: row.try_get("work_source")?,
        reward_source: row.try_get("reward_source")?,
        observed_at: row.try_get("observed_at")?,
    })
}
