//! The queries behind one farm's page: what its reports of some time say, by steps.
//!
//! They follow the farm in the reports' primary key: some 8,600 rows for 30 days of reports
//! every five minutes.

use sqlx::PgPool;

/// Switches and changes of state; a page with more would be read by nobody.
const MOST: i64 = 100;
const OUTCOMES: i64 = 20;

/// One algorithm in one step.
pub struct Step {
    pub at: i64,
    pub algorithm: String,
    pub hashrate: f64,
    pub accepted: f64,
    pub refused: f64,
}

/// The first report with another route, or the first one there is.
pub struct Turn {
    pub at: i64,
    pub algorithm: String,
    pub pool: Option<String>,
    pub coin: Option<String>,
    /// On the farm's clock.
    pub since: Option<i64>,
}

/// The first report with another state, or the first one there is.
pub struct Change {
    pub at: i64,
    pub state: String,
}

/// What became of a release.
pub struct Outcome {
    pub version: String,
    pub outcome: String,
    pub reason: String,
    pub at: i64,
}

/// All that one page needs; times in the order of time.
pub struct History {
    pub steps: Vec<Step>,
    pub turns: Vec<Turn>,
    pub changes: Vec<Change>,
    pub outcomes: Vec<Outcome>,
    /// Of the newest report within the time.
    pub last: Option<i64>,
}

pub async fn history(
    pool: &PgPool,
    name: &str,
    from: i64,
    step: i64,
) -> Result<History, sqlx::Error> {
    let farm: Option<i64> = sqlx::query_scalar("SELECT id FROM farms WHERE name = $1")
        .bind(name)
        .fetch_optional(pool)
        .await?;
    // None has this number.
    let farm = farm.unwrap_or(0);
    let mut turns = turns(pool, farm, from).await?;
    turns.reverse();
    let mut changes = changes(pool, farm, from).await?;
    changes.reverse();
    let last = sqlx::query_scalar(
        "SELECT floor(extract(epoch FROM max(created_at)))::bigint FROM reports
         WHERE farm = $1 AND created_at >= to_timestamp($2)",
    );
    Ok(History {
        steps: steps(pool, farm, from, step).await?,
        turns,
        changes,
        outcomes: outcomes(pool, farm).await?,
        last: last.bind(farm).bind(from).fetch_one(pool).await?,
    })
}

async fn steps(pool: &PgPool, farm: i64, from: i64, step: i64) -> Result<Vec<Step>, sqlx::Error> {
    let rows: Vec<(i64, String, f64, f64, f64)> = sqlx::query_as(
        "SELECT floor(extract(epoch FROM created_at))::bigint / $3 * $3 AS at,
             key AS algorithm, avg((value->>'hashrate')::float8) AS hashrate,
             sum((value->'shares'->>'accepted')::float8) AS accepted,
             sum((value->'shares'->>'rejected')::float8
                 + (value->'shares'->>'stale')::float8) AS refused
         FROM reports, jsonb_each(body->'algorithms')
         WHERE farm = $1 AND created_at >= to_timestamp($2)
         GROUP BY 1, 2 ORDER BY 1, 2",
    )
    .bind(farm)
    .bind(from)
    .bind(step)
    .fetch_all(pool)
    .await?;
    let read = |(at, algorithm, hashrate, accepted, refused)| Step {
        at,
        algorithm,
        hashrate,
        accepted,
        refused,
    };
    Ok(rows.into_iter().map(read).collect())
}

type TurnRow = (i64, String, Option<String>, Option<String>, Option<i64>);

/// Newest first.
async fn turns(pool: &PgPool, farm: i64, from: i64) -> Result<Vec<Turn>, sqlx::Error> {
    let rows: Vec<TurnRow> = sqlx::query_as(
        "SELECT at, algorithm, pool, coin, since FROM (
             SELECT *, (pool, coin) IS NOT DISTINCT FROM (lag(pool) OVER told, lag(coin) OVER told)
                 AND row_number() OVER told > 1 AS same
             FROM (SELECT floor(extract(epoch FROM created_at))::bigint AS at, id, key AS algorithm,
                       value->'route'->>'pool' AS pool, value->'route'->>'coin' AS coin,
                       (value->'route'->>'since')::bigint AS since
                   FROM reports, jsonb_each(body->'algorithms')
                   WHERE farm = $1 AND created_at >= to_timestamp($2)) AS routes
             WINDOW told AS (PARTITION BY algorithm ORDER BY at, id)) AS turns
         WHERE NOT same ORDER BY at DESC, algorithm LIMIT $3",
    )
    .bind(farm)
    .bind(from)
    .bind(MOST)
    .fetch_all(pool)
    .await?;
    let read = |(at, algorithm, pool, coin, since)| Turn {
        at,
        algorithm,
        pool,
        coin,
        since,
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Newest first.
async fn changes(pool: &PgPool, farm: i64, from: i64) -> Result<Vec<Change>, sqlx::Error> {
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT at, state FROM (
             SELECT floor(extract(epoch FROM created_at))::bigint AS at, id, body->>'state' AS state,
                 lag(body->>'state') OVER (ORDER BY created_at, id) AS before
             FROM reports WHERE farm = $1 AND created_at >= to_timestamp($2)) AS states
         WHERE state IS DISTINCT FROM before ORDER BY at DESC, id DESC LIMIT $3",
    )
    .bind(farm)
    .bind(from)
    .bind(MOST)
    .fetch_all(pool)
    .await?;
    let read = |(at, state)| Change { at, state };
    Ok(rows.into_iter().map(read).collect())
}

/// By way of the releases, which are few: the key of the outcomes begins with the version.
async fn outcomes(pool: &PgPool, farm: i64) -> Result<Vec<Outcome>, sqlx::Error> {
    let rows: Vec<(String, String, String, i64)> = sqlx::query_as(
        "SELECT version, outcome, reason, floor(extract(epoch FROM changed_at))::bigint AS at
         FROM (SELECT DISTINCT version FROM releases) AS known
         JOIN release_outcomes USING (version)
         WHERE farm = $1 ORDER BY changed_at DESC, version LIMIT $2",
    )
    .bind(farm)
    .bind(OUTCOMES)
    .fetch_all(pool)
    .await?;
    let read = |(version, outcome, reason, at)| Outcome {
        version,
        outcome,
        reason,
        at,
    };
    Ok(rows.into_iter().map(read).collect())
}

/// How many snapshots are newer.
pub async fn behind(pool: &PgPool, sequence: u64) -> Result<usize, sqlx::Error> {
    let newer: i64 = sqlx::query_scalar("SELECT count(*) FROM snapshots WHERE sequence > $1")
        .bind(sequence.cast_signed())
        .fetch_one(pool)
        .await?;
    Ok(usize::try_from(newer).unwrap_or(0))
}
