//! The queries behind the fleet view: one row for each farm, and never its reports.

use super::fleet::{FarmSort, Question};
use super::page::{Cut, Order};
use super::seen::unix_now;
use serde::Serialize;
use smart_mining_wire::report::{AlgorithmReport, FarmState, Update};
use smart_mining_wire::{Algorithm, Report};
use sqlx::{AssertSqlSafe, PgPool, Row as _, postgres::PgRow};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A farm, and how it fares by its newest report. What a report tells is null until
/// there is one.
#[derive(Serialize, ToSchema)]
pub struct FleetFarm {
    pub name: String,
    /// Its token is refused.
    pub disabled: bool,
    /// Unix seconds.
    pub enrolled_at: i64,
    /// When it was given another token.
    pub rotated_at: Option<i64>,
    /// Of any request with its token; up to a minute old.
    pub last_seen_at: Option<i64>,
    /// When its newest report was made.
    pub reported_at: Option<i64>,
    pub state: Option<FarmState>,
    /// The appliance's version.
    pub appliance: Option<String>,
    /// The board that it last named when it asked for its release; null if it never asked.
    pub board: Option<String>,
    /// Seconds since the appliance's process started.
    #[schema(minimum = 0)]
    pub uptime: Option<u64>,
    /// Of the snapshot in force; 0: it has none.
    #[schema(minimum = 0)]
    pub sequence: Option<u64>,
    /// Seconds since that snapshot was published; null if it is no longer stored.
    pub snapshot_age: Option<i64>,
    /// Route, hashrate and shares of each algorithm.
    #[schema(value_type = BTreeMap<String, AlgorithmReport>)]
    pub algorithms: BTreeMap<Algorithm, AlgorithmReport>,
    /// The last update that it tried.
    pub update: Option<Update>,
}

const MATCHING: &str = "FROM farms LEFT JOIN farm_state ON farm_state.farm = farms.id
    WHERE ($1 = '' OR strpos(lower(name), lower($1)) > 0)
      AND ($2::text IS NULL OR report->>'state' = $2)
      AND ($3::boolean IS NULL OR disabled = $3)
      AND ($4::bigint IS NULL OR last_seen_at IS NULL
           OR last_seen_at <= now() - make_interval(secs => $4))";

const COLUMNS: &str = "name, disabled, board, report::text AS report,
    floor(extract(epoch FROM enrolled_at))::bigint AS enrolled_at,
    floor(extract(epoch FROM rotated_at))::bigint AS rotated_at,
    floor(extract(epoch FROM last_seen_at))::bigint AS last_seen_at,
    floor(extract(epoch FROM reported_at))::bigint AS reported_at";

const PUBLISHED: &str =
    "(SELECT floor(extract(epoch FROM snapshots.created_at))::bigint FROM snapshots
     WHERE sequence = (report->>'sequence')::bigint) AS published_at";

pub async fn list(
    pool: &PgPool,
    question: &Question,
    cut: Cut,
) -> Result<(i64, Vec<FleetFarm>), sqlx::Error> {
    let name = question.name.as_deref().unwrap_or("");
    let state = question.state.map(state_name);
    let silent = question.silent.map(|silent| silent.0.cast_signed());
    let total = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) {MATCHING}")))
        .bind(name)
        .bind(state)
        .bind(question.disabled)
        .bind(silent)
        .fetch_one(pool)
        .await?;
    let column = match question.sort.unwrap_or(FarmSort::Name) {
        FarmSort::Name => "farms.name",
        FarmSort::Seen => "farm_state.last_seen_at",
        FarmSort::Enrolled => "farms.enrolled_at",
    };
    let order = question.order.unwrap_or(Order::Asc).sql();
    let rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT {COLUMNS}, {PUBLISHED} {MATCHING} ORDER BY {column} {order}, farms.name LIMIT $5 OFFSET $6"
    )))
    .bind(name)
    .bind(state)
    .bind(question.disabled)
    .bind(silent)
    .bind(cut.rows())
    .bind(cut.skip())
    .fetch_all(pool)
    .await?;
    let now = unix_now();
    let farms: Result<_, _> = rows.iter().map(|row| farm(row, now)).collect();
    Ok((total, farms?))
}

pub async fn one(pool: &PgPool, name: &str) -> Result<Option<FleetFarm>, sqlx::Error> {
    let row = sqlx::query(AssertSqlSafe(format!(
        "SELECT {COLUMNS}, {PUBLISHED}
         FROM farms LEFT JOIN farm_state ON farm_state.farm = farms.id WHERE name = $1"
    )))
    .bind(name)
    .fetch_optional(pool)
    .await?;
    row.map(|row| farm(&row, unix_now())).transpose()
}

/// Farms that the fleet page shows at most.
const MOST: i64 = 200_000;

/// All farms, for one look at the fleet. Their reports are yet to be read, which takes a
/// while ([`read_all`]); no age of a snapshot is looked up.
pub async fn all(pool: &PgPool) -> Result<Vec<PgRow>, sqlx::Error> {
    sqlx::query(AssertSqlSafe(format!(
        "SELECT {COLUMNS}, NULL::bigint AS published_at
         FROM farms LEFT JOIN farm_state ON farm_state.farm = farms.id ORDER BY name LIMIT $1"
    )))
    .bind(MOST)
    .fetch_all(pool)
    .await
}

/// Of [`all`].
pub fn read_all(rows: &[PgRow]) -> Result<Vec<FleetFarm>, sqlx::Error> {
    let now = unix_now();
    rows.iter().map(|row| farm(row, now)).collect()
}

/// When each of the newest snapshots was published, newest first; of those that are kept.
pub async fn publications(pool: &PgPool) -> Result<Vec<(i64, i64)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT sequence, floor(extract(epoch FROM created_at))::bigint
         FROM snapshots ORDER BY sequence DESC LIMIT 20000",
    )
    .fetch_all(pool)
    .await
}

const fn state_name(state: FarmState) -> &'static str {
    match state {
        FarmState::Mining => "mining",
        FarmState::MiningFromCache => "mining-from-cache",
        FarmState::Holding => "holding",
        FarmState::Trouble => "trouble",
    }
}

fn farm(row: &PgRow, now: i64) -> Result<FleetFarm, sqlx::Error> {
    let name: String = row.try_get("name")?;
    let text: Option<String> = row.try_get("report")?;
    let report = text.and_then(|text| match serde_json::from_str::<Report>(&text) {
        Ok(report) => Some(report),
        Err(error) => {
            log::warn!("the newest report of farm {name} cannot be read: {error}");
            None
        }
    });
    let published_at: Option<i64> = row.try_get("published_at")?;
    Ok(FleetFarm {
        name,
        disabled: row.try_get("disabled")?,
        board: row.try_get("board")?,
        enrolled_at: row.try_get("enrolled_at")?,
        rotated_at: row.try_get("rotated_at")?,
        last_seen_at: row.try_get("last_seen_at")?,
        reported_at: row.try_get("reported_at")?,
        state: report.as_ref().map(|report| report.state),
        appliance: report.as_ref().map(|report| report.appliance.clone()),
        uptime: report.as_ref().map(|report| report.uptime),
        sequence: report.as_ref().map(|report| report.sequence),
        snapshot_age: published_at.map(|at| (now - at).max(0)),
        update: report.as_ref().and_then(|report| report.update.clone()),
        algorithms: report.map(|report| report.algorithms).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_asked_for_as_they_are_stored() {
        for state in [
            FarmState::Mining,
            FarmState::MiningFromCache,
            FarmState::Holding,
            FarmState::Trouble,
        ] {
            let stored = serde_json::to_value(state).expect("a name");
            assert_eq!(stored, state_name(state));
        }
    }
}
