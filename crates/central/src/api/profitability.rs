//! `GET /api/v1/profitability`: what each coin pays on each pool, now or in the past.
//!
//! | `step` | rows of                      | range of time                       |
//! |--------|------------------------------|-------------------------------------|
//! | `now`  | the current ranking          | all, unless one is asked for        |
//! | `raw`  | its history, as it was taken | a day, at most 8 days before `to`   |
//! | `hour` | its hourly roll-up           | a week, at most 400 days before `to`|
//!
//! Without `step` it is `now`, or `raw` where a range is asked for. A longer range is cut
//! short at its beginning, so that no question costs more than the database should give;
//! the answer says which range it covers.

use super::App;
use super::algorithm;
use super::history;
use super::openapi::{Away, BadQuery, LongQuery, TooMany};
use super::page::{Cut, Limit, Offset, Order};
use super::problem::Problem;
use super::request::{Names, Params, Whole};
use super::seen::unix_now;
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use smart_mining_wire::Algorithm;
use smart_mining_wire::report::MAX_TIME;
use utoipa::{IntoParams, ToSchema};

const DAY: i64 = 24 * 3600;

type Time = Whole<0, MAX_TIME>;

#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    Now,
    Raw,
    Hour,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProfitSort {
    Net,
    At,
    Coin,
    Pool,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Only this algorithm, by any name that it goes by.
    #[param(value_type = Option<algorithm::Mineable>, inline)]
    algo: Option<String>,
    /// Only these coins, separated by commas; in any case.
    #[param(value_type = Option<String>, max_length = 1000, pattern = "^[A-Za-z0-9._, -]*$")]
    coin: Option<Names>,
    /// Only these pools, separated by commas; in any case.
    #[param(value_type = Option<String>, max_length = 1000, pattern = "^[A-Za-z0-9._, -]*$")]
    pool: Option<Names>,
    /// Current rows, or history as it was taken or by the hour.
    #[param(inline)]
    step: Option<Step>,
    /// Unix seconds; the first moment of the range.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 253402300799_i64)]
    from: Option<Time>,
    /// Unix seconds; the end of the range, which is not part of it. A range that ends
    /// before it begins is empty.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 253402300799_i64)]
    to: Option<Time>,
    /// `net` for current rows and `at` for history, unless given.
    #[param(inline)]
    sort: Option<ProfitSort>,
    /// `desc` for current rows and `asc` for history, unless given.
    #[param(inline)]
    order: Option<Order>,
    #[param(value_type = Option<u64>, minimum = 1, maximum = 500, default = 100)]
    limit: Option<Limit>,
    #[param(value_type = Option<u64>, minimum = 0, maximum = 100000, default = 0)]
    offset: Option<Offset>,
}

/// A part of the rows, and the range of time they were taken from.
#[derive(Serialize, ToSchema)]
pub struct Profits {
    pub step: Step,
    /// Unix seconds, included; absent where all current rows are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub from: Option<i64>,
    /// Unix seconds, not included.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub to: Option<i64>,
    pub items: Vec<Profit>,
    #[schema(minimum = 1, maximum = 500)]
    pub limit: u64,
    #[schema(minimum = 0, maximum = 100000)]
    pub offset: u64,
    /// Path and query of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next: Option<String>,
}

/// What one coin paid on one pool. USD and coins are for one hash per second kept up
/// for a day.
#[derive(Serialize, ToSchema)]
pub struct Profit {
    /// Unix seconds; of an hour, its beginning.
    pub at: i64,
    pub coin: String,
    pub pool: String,
    pub algorithm: Algorithm,
    /// After everything, the pool's fee included; of an hour, the mean.
    pub net_usd_per_hash_day: f64,
    /// The net figure in the unit that people compare this algorithm in.
    pub display: super::decision::Display,
    /// After scheme and orphans, before the fee; null for an hour.
    pub usd_per_hash_day: Option<f64>,
    /// Margin of error as a fraction; null for an hour.
    pub margin: Option<f64>,
    /// What only current rows have.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub now: Option<Terms>,
    /// What only hours have.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub hour: Option<Spread>,
}

/// Beside a current figure: what it was made of.
#[derive(Serialize, ToSchema)]
pub struct Terms {
    /// `import` or `sources`: where the figure comes from.
    pub origin: String,
    #[schema(minimum = 0, exclusive_maximum = 1)]
    pub fee: f64,
    pub scheme: String,
    /// Before scheme, fee, stale and orphan shares; null in imported rows.
    pub gross_usd_per_hash_day: Option<f64>,
    /// Coins of the main chain, after everything; null in imported rows.
    pub net_coins_per_hash_day: Option<f64>,
}

/// Beside an hour's mean: how far the net figures were apart.
#[derive(Serialize, ToSchema)]
pub struct Spread {
    pub samples: i32,
    pub min: f64,
    pub max: f64,
    pub last: f64,
}

/// What coins pay on pools, now or in the past.
#[utoipa::path(get, path = "/api/v1/profitability", operation_id = "profitability", tag = "ranking",
    params(Question),
    responses(
        (status = 200, description = "The rows.", body = Profits),
        BadQuery, LongQuery, TooMany, Away,
    ))]
pub async fn get(
    State(app): State<App>,
    uri: Uri,
    Params(question): Params<Question>,
) -> Result<Json<Profits>, Problem> {
    let asked = question.read(unix_now())?;
    let mut items = app
        .reader
        .run(history::read(&app.reader.pool, &asked))
        .await?;
    let next = asked.cut.next(&mut items, &uri);
    Ok(Json(Profits {
        step: asked.step,
        from: asked.from,
        to: asked.to,
        items,
        limit: asked.cut.limit,
        offset: asked.cut.offset,
        next,
    }))
}

/// The question with its defaults filled in.
pub struct Asked {
    pub step: Step,
    pub algorithm: Option<Algorithm>,
    pub coins: Option<Vec<String>>,
    pub pools: Option<Vec<String>>,
    pub from: Option<i64>,
    pub to: Option<i64>,
    pub sort: ProfitSort,
    pub order: Order,
    pub cut: Cut,
}

impl Question {
    fn read(self, now: i64) -> Result<Asked, Problem> {
        let name = self.algo.as_deref();
        let time = |time: Time| time.0.cast_signed();
        let (from, to) = (self.from.map(time), self.to.map(time));
        let ranged = from.is_some() || to.is_some();
        let step = self.step.unwrap_or(match ranged {
            true => Step::Raw,
            false => Step::Now,
        });
        let (sort, order) = match step {
            Step::Now => (ProfitSort::Net, Order::Desc),
            Step::Raw | Step::Hour => (ProfitSort::At, Order::Asc),
        };
        let (from, to) = range(step, from, to, now);
        Ok(Asked {
            step,
            algorithm: name.map(algorithm::mineable).transpose()?,
            coins: Names::filter(self.coin),
            pools: Names::filter(self.pool),
            from,
            to,
            sort: self.sort.unwrap_or(sort),
            order: self.order.unwrap_or(order),
            cut: Cut::new(self.limit, self.offset),
        })
    }
}

fn range(step: Step, from: Option<i64>, to: Option<i64>, now: i64) -> (Option<i64>, Option<i64>) {
    let (usual, longest) = match step {
        Step::Now => return (from, to),
        Step::Raw => (DAY, 8 * DAY),
        Step::Hour => (7 * DAY, 400 * DAY),
    };
    // The present second included.
    let to = to.unwrap_or(now + 1);
    let from = from.unwrap_or(to - usual).max(to - longest).max(0);
    (Some(from), Some(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_an_end_a_usual_length_and_a_greatest() {
        let now = 1_790_000_000;
        assert_eq!(range(Step::Now, None, None, now), (None, None));
        assert_eq!(range(Step::Now, Some(5), None, now), (Some(5), None));
        let raw = |from, to| range(Step::Raw, from, to, now);
        assert_eq!(raw(None, None), (Some(now + 1 - DAY), Some(now + 1)));
        assert_eq!(raw(Some(0), Some(now)), (Some(now - 8 * DAY), Some(now)));
        assert_eq!(raw(Some(now), Some(5)), (Some(now), Some(5)), "empty");
        assert_eq!(raw(None, Some(5)), (Some(0), Some(5)));
        let hour = range(Step::Hour, None, Some(now), now);
        assert_eq!(hour, (Some(now - 7 * DAY), Some(now)));
    }
}
