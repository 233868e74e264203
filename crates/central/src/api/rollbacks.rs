//! What becomes of a release at the farms, and when that halts it.
//!
//! ```text
//!   report --> the newest outcome of this release at this farm
//!                | becomes `rolled-back`, and was not before: a new rollback
//!                v
//!              is the release offered? --no--> nothing
//!                | yes
//!                v
//!              too many? --no--> nothing: the next new rollback asks again
//!                | yes
//!                v
//!              halted, with the reason, for all replicas
//! ```
//!
//! Only a new rollback asks. So the operator who takes a halted release up again is not
//! overruled by the rollbacks that were known by then, and no report that is sent again,
//! and no later report of the same farm, halts it anew; the next farm that rolls back does,
//! with all rollbacks counted. What happened before but was told later is new: nobody could
//! have known of it.
//!
//! Counted are the farms of the same board that really tried it: a board of which many farms
//! keep it does not speak for another one, and who never started it speaks for nothing. A farm's
//! board is the one that it last named when it asked for its release. While that is not known,
//! it is the release's own if it is for one board alone; else such farms are counted by
//! themselves. The halt is on all boards all the same.
//!
//! Why these bounds. A farm can roll back for a fault of its own: a worn card, a power cut
//! at the wrong moment. One among many must not hold up everybody, two are no chance unless
//! they are few among many. But while no farm has kept the release nothing speaks for it,
//! and the first rollback halts it: a first wave is often one farm. A good release does not
//! get there easily, for an appliance keeps one after 5 min and gives it up after 15.
//! A halt that was wrong costs one PATCH, and meanwhile the farms mine on; one that did
//! not come costs every further farm a quarter of an hour.

use super::release_store;
use serde::Serialize;
use smart_mining_wire::report::{Update, UpdateOutcome};
use sqlx::{Postgres, Transaction};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A release is halted when so many farms rolled it back ...
const FARMS: u64 = 2;
/// ... that are so many percent of those that tried it on the same board, ...
const PERCENT: u64 = 5;
/// ... or, while no farm has kept it, when so many did.
const FARMS_AT_FIRST: u64 = 1;

/// Farms by the newest outcome that they told of a release; those of one board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Counts {
    /// Farms at which it proved itself and stays.
    #[schema(minimum = 0)]
    pub kept: u64,
    /// Farms that started it and went back.
    #[schema(minimum = 0)]
    pub rolled_back: u64,
    /// Farms that never started it; no rollbacks.
    #[schema(minimum = 0)]
    pub refused: u64,
}

impl Counts {
    /// Why it is to be halted, if it is. `board`: whose farms these are, if that is known.
    fn verdict(self, board: Option<&str>) -> Option<String> {
        let Self {
            kept, rolled_back, ..
        } = self;
        let tried = kept + rolled_back;
        let board = board.map_or_else(String::new, |board| format!(" on {board}"));
        let told = format!("rolled back by {rolled_back} of {tried} farms that tried it{board}");
        if kept == 0 && rolled_back >= FARMS_AT_FIRST {
            Some(format!(
                "{told}, and kept by none; {FARMS_AT_FIRST} of these is enough"
            ))
        } else if rolled_back >= FARMS && rolled_back * 100 >= tried * PERCENT {
            Some(format!("{told}; {FARMS} farms and {PERCENT} % are enough"))
        } else {
            None
        }
    }
}

/// What one farm tells of one release.
pub struct Outcome<'r> {
    pub update: &'r Update,
    /// When the report was made: Unix seconds, never later than now.
    pub at: i64,
}

/// A release that was halted just now.
#[derive(Debug)]
pub struct Halt {
    version: String,
    reason: String,
}

impl Halt {
    /// After the commit: before, it may yet come to nothing.
    pub fn log(&self) {
        let Self { version, reason } = self;
        log::warn!(
            "release {version} is halted: {reason}; PATCH /api/v1/releases/{version} \
             with {{\"halted\":false}} takes it up again"
        );
    }
}

/// Keep what a farm tells, and halt what it brings down. `told`: the newest outcome of
/// each release, by version.
pub async fn record(
    tx: &mut Transaction<'static, Postgres>,
    farm: i64,
    told: &BTreeMap<&str, Outcome<'_>>,
) -> Result<Vec<Halt>, sqlx::Error> {
    let mut halts = Vec::new();
    if told.is_empty() {
        return Ok(halts);
    }
    // In the order of their names, for all: writers that meet lock in the same order.
    for version in keep(tx, farm, told).await? {
        // Locked before it is counted: of two farms that roll back at the same moment the
        // second one sees both.
        if !release_store::lock(tx, &version).await? {
            continue;
        }
        let (counts, board) = count(tx, &version, farm).await?;
        let Some(reason) = counts.verdict(board.as_deref()) else {
            continue;
        };
        release_store::halt(tx, &version, &reason).await?;
        halts.push(Halt { version, reason });
    }
    Ok(halts)
}

/// Answers the versions with a new rollback, sorted. What is not known here is passed over.
async fn keep(
    tx: &mut Transaction<'static, Postgres>,
    farm: i64,
    told: &BTreeMap<&str, Outcome<'_>>,
) -> Result<Vec<String>, sqlx::Error> {
    let versions: Vec<&str> = told.keys().copied().collect();
    let outcomes: Vec<&str> = (told.values())
        .map(|told| told.update.outcome.name())
        .collect();
    let reasons: Vec<&str> = told.values().map(|t| t.update.reason.as_str()).collect();
    let times: Vec<i64> = told.values().map(|told| told.at).collect();
    let rows: Vec<(String, bool)> = sqlx::query_as(
        "INSERT INTO release_outcomes (version, farm, outcome, reason, reported_at)
         SELECT version, $1, outcome, reason, to_timestamp(at)
         FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[])
             AS told (version, outcome, reason, at)
         WHERE version IN (SELECT version FROM releases)
         ORDER BY version COLLATE \"C\"
         ON CONFLICT (version, farm) DO UPDATE SET
             outcome = excluded.outcome, reason = excluded.reason,
             reported_at = excluded.reported_at,
             changed_at = CASE WHEN release_outcomes.outcome = excluded.outcome
                 THEN release_outcomes.changed_at ELSE excluded.changed_at END
         WHERE release_outcomes.reported_at <= excluded.reported_at
         RETURNING version, outcome = $6 AND changed_at = now()",
    )
    .bind(farm)
    .bind(versions)
    .bind(outcomes)
    .bind(reasons)
    .bind(times)
    .bind(UpdateOutcome::RolledBack.name())
    .fetch_all(&mut **tx)
    .await?;
    let new = rows.into_iter().filter(|(_, is_new)| *is_new);
    let mut versions: Vec<String> = new.map(|(version, _)| version).collect();
    versions.sort_unstable();
    Ok(versions)
}

/// Of the farms with the same board as this one, and that board.
async fn count(
    tx: &mut Transaction<'static, Postgres>,
    version: &str,
    farm: i64,
) -> Result<(Counts, Option<String>), sqlx::Error> {
    let (kept, rolled_back, refused, board): (i64, i64, i64, Option<String>) = sqlx::query_as(
        "WITH known AS (SELECT CASE count(*) WHEN 1 THEN min(board) END AS single
                        FROM releases WHERE version = $1),
         told AS (SELECT farm, outcome, coalesce(board, single) AS board
                  FROM known, release_outcomes LEFT JOIN farm_state USING (farm)
                  WHERE version = $1)
         SELECT count(*) FILTER (WHERE outcome = 'kept'),
             count(*) FILTER (WHERE outcome = 'rolled-back'),
             count(*) FILTER (WHERE outcome = 'refused'), min(board)
         FROM told
         WHERE board IS NOT DISTINCT FROM (SELECT board FROM told WHERE farm = $2)",
    )
    .bind(version)
    .bind(farm)
    .fetch_one(&mut **tx)
    .await?;
    let counts = Counts {
        kept: kept.cast_unsigned(),
        rolled_back: rolled_back.cast_unsigned(),
        refused: refused.cast_unsigned(),
    };
    Ok((counts, board))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halts(kept: u64, rolled_back: u64, refused: u64) -> bool {
        let counts = Counts {
            kept,
            rolled_back,
            refused,
        };
        counts.verdict(Some("pi")).is_some()
    }

    #[test]
    fn two_farms_and_five_percent_halt_it() {
        assert!(halts(38, 2, 0));
        assert!(!halts(39, 2, 0), "less than 5 %");
        assert!(halts(950, 50, 0));
        assert!(!halts(951, 49, 0));
        assert!(!halts(1, 1, 0), "one of two may be its own fault");
        assert!(halts(1, 2, 0));
    }

    #[test]
    fn one_farm_halts_what_nobody_has_kept() {
        assert!(halts(0, 1, 0));
        assert!(halts(0, 1, 30), "who refused it cannot speak for it");
        assert!(!halts(0, 0, 0));
    }

    #[test]
    fn who_refused_it_speaks_neither_against_it_nor_for_it() {
        assert!(!halts(0, 0, 40));
        assert!(!halts(3, 0, 40));
        assert!(halts(20, 2, 1000));
        assert!(!halts(39, 2, 1000));
    }

    #[test]
    fn the_reason_has_the_figures_and_fits_its_column() {
        let counts = Counts {
            kept: 38,
            rolled_back: 2,
            refused: 0,
        };
        let reason = "rolled back by 2 of 40 farms that tried it on pi; 2 farms and 5 % are enough";
        assert_eq!(counts.verdict(Some("pi")).as_deref(), Some(reason));
        let reason = "rolled back by 2 of 40 farms that tried it; 2 farms and 5 % are enough";
        assert_eq!(counts.verdict(None).as_deref(), Some(reason));
        let most = u64::MAX / 1000;
        let board = "b".repeat(63);
        for kept in [0, most] {
            let counts = Counts {
                kept,
                rolled_back: most,
                refused: most,
            };
            let reason = counts.verdict(Some(&board));
            assert!(reason.is_some_and(|reason| reason.len() <= 300));
        }
    }
}
