//! Releases: the operator lists, adds, widens and halts them; a farm asks for its own.
//!
//! A farm is offered the newest release for its board that is not halted and whose wave
//! it is in. The wave is a function of farm and version, so every replica answers alike
//! and a growing wave only adds farms. The list is small and in memory (the feed reads
//! it), so that farms that ask cost no query and go on being answered in an outage.
//!
//! ```text
//!                 too many farms roll it back (rollbacks.rs), with a reason
//!             .--------------------------------------------------------------.
//!             |                                                              v
//!   POST --> offered --- PATCH {"halted": true}, without a reason --------> halted
//!             ^                                                              |
//!             '------------------- PATCH {"halted": false} ------------------'
//! ```

use super::App;
use super::openapi::{
    Away, BadBody, BadContent, BadQuery, Conflict, LongQuery, NoOperator, NoToken, NotJson,
    Nothing, SlowBody, TooLarge, TooMany,
};
use super::operator::ByOperator;
use super::problem::Problem;
use super::release_store::{self, Releases};
use super::request::{Body, Params, Segment, bad_content};
use super::rollbacks::Counts;
use super::tokens::ByFarm;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use smart_mining_wire::Release;
use smart_mining_wire::release::is_version;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// A release, how far it is rolled out, and what became of it at the farms.
#[derive(Clone, Serialize, ToSchema)]
pub struct Rollout {
    #[serde(flatten)]
    pub release: Release,
    /// Of the farms.
    #[schema(minimum = 0, maximum = 100)]
    pub wave_percent: u8,
    /// Offered to nobody.
    pub halted: bool,
    /// Unix seconds; null if it is not halted, or was before this was noted.
    pub halted_at: Option<i64>,
    /// In words, if it was halted for its rollbacks; null if the operator halted it.
    pub halted_reason: Option<String>,
    #[serde(flatten)]
    pub outcomes: Counts,
    /// Unix seconds.
    pub created_at: i64,
}

/// The releases, newest first.
#[derive(Serialize, ToSchema)]
pub struct ReleaseList {
    pub items: Vec<Rollout>,
}

/// The newest releases, at most 200.
#[utoipa::path(get, path = "/api/v1/releases", operation_id = "releases", tag = "operator",
    security(("operator" = [])),
    responses(
        (status = 200, description = "The releases, newest first.", body = ReleaseList),
        NoToken, NoOperator, TooMany, Away,
    ))]
pub async fn list(State(app): State<App>, _: ByOperator) -> Result<Json<ReleaseList>, Problem> {
    let releases = app
        .reader
        .run(release_store::read(&app.reader.pool))
        .await?;
    let items = Arc::unwrap_or_clone(releases);
    Ok(Json(ReleaseList { items }))
}

#[derive(Deserialize, ToSchema)]
pub struct NewRelease {
    #[serde(flatten)]
    release: Release,
    /// Of the farms; more can follow with PATCH.
    #[schema(minimum = 0, maximum = 100)]
    wave_percent: u8,
}

/// Add a release for one board.
#[utoipa::path(post, path = "/api/v1/releases", operation_id = "add_release", tag = "operator",
    security(("operator" = [])),
    request_body = NewRelease,
    responses(
        (status = 201, description = "The release is there.", body = Rollout),
        BadBody, NoToken, NoOperator, SlowBody, Conflict, TooLarge, NotJson, BadContent, TooMany, Away,
    ))]
pub async fn add(
    State(app): State<App>,
    _: ByOperator,
    Body(new): Body<NewRelease>,
) -> Result<Response, Problem> {
    new.release.check().map_err(bad_content)?;
    check_wave(new.wave_percent)?;
    let insert = release_store::insert(&app.reader.pool, &new.release, new.wave_percent);
    let rollout = app.reader.run(insert).await?;
    let Some(rollout) = rollout else {
        let Release { version, board, .. } = &new.release;
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "release-exists",
            format!(
                "release {version} for {board} is there already and cannot change; use a new version"
            ),
        ));
    };
    log::info!(
        "release {} for {} is offered to {} % of the farms",
        rollout.release.version,
        rollout.release.board,
        rollout.wave_percent
    );
    Ok((StatusCode::CREATED, Json(rollout)).into_response())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseChange {
    /// Of the farms; left as it is if absent.
    #[schema(minimum = 0, maximum = 100, nullable = false)]
    #[serde(default, deserialize_with = "present")]
    wave_percent: Option<u8>,
    /// Offer it to nobody; left as it is if absent. `false` takes it up again: rollbacks that
    /// were known by then halt it no more, the next new one can.
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "present")]
    halted: Option<bool>,
}

/// `null` is no value of these, it is a mistake.
fn present<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Widen a release's wave, halt it, or take it up again; on all boards.
#[utoipa::path(patch, path = "/api/v1/releases/{version}", operation_id = "change_release", tag = "operator",
    security(("operator" = [])),
    params(("version" = String, Path, min_length = 1, max_length = 63, pattern = "^[A-Za-z0-9][A-Za-z0-9.+_-]{0,62}$")),
    request_body = ReleaseChange,
    responses(
        (status = 200, description = "The release as it is now, on each board.", body = ReleaseList),
        BadBody, NoToken, NoOperator, Nothing, SlowBody, TooLarge, NotJson, BadContent, TooMany, Away,
    ))]
pub async fn change(
    State(app): State<App>,
    _: ByOperator,
    Segment(version): Segment,
    Body(change): Body<ReleaseChange>,
) -> Result<Json<ReleaseList>, Problem> {
    if let Some(percent) = change.wave_percent {
        check_wave(percent)?;
    }
    let unknown = || {
        Problem::new(
            StatusCode::NOT_FOUND,
            "no-such-release",
            format!("there is no release {version:?}; GET /api/v1/releases lists them"),
        )
    };
    if !is_version(&version) {
        return Err(unknown());
    }
    let work = release_store::update(
        &app.reader.pool,
        &version,
        change.wave_percent,
        change.halted,
    );
    let items = app.reader.run(work).await?;
    match items.is_empty() {
        true => Err(unknown()),
        false => Ok(Json(ReleaseList { items })),
    }
}

fn check_wave(percent: u8) -> Result<(), Problem> {
    match percent {
        0..=100 => Ok(()),
        _ => Err(bad_content(format!(
            "wave_percent is {percent}; use 0 to 100"
        ))),
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// As the appliance names its own board.
    #[param(
        min_length = 1,
        max_length = 63,
        pattern = "^[A-Za-z0-9][A-Za-z0-9.+_-]{0,62}$"
    )]
    board: String,
}

/// The release that this farm is to run.
#[utoipa::path(get, path = "/api/v1/release", operation_id = "release", tag = "farm",
    security(("farm" = [])),
    params(Question),
    responses(
        (status = 200, description = "The release that this farm is to run.", body = Release),
        (status = 204, description = "There is none for this board and farm."),
        BadQuery, NoToken, LongQuery, TooMany, Away,
    ))]
pub async fn desired(
    State(app): State<App>,
    ByFarm(farm): ByFarm,
    Params(question): Params<Question>,
) -> Result<Response, Problem> {
    let board = question.board;
    if !is_version(&board) {
        return Err(Problem::bad_query(format!(
            "board is {board:?}; use 1 to 63 characters of A-Z a-z 0-9 . + _ -, \
             the first of them a letter or digit"
        )));
    }
    app.seen.note_board(&farm, board.clone());
    let releases = app.feed.releases.borrow().clone();
    let releases: Releases = releases.ok_or_else(Problem::database_away)?;
    let fitting = |rollout: &&Rollout| rollout.release.board == board && rollout.is_for(&farm);
    match releases.iter().find(fitting) {
        Some(rollout) => {
            let fresh = [(header::CACHE_CONTROL, "no-store")];
            Ok((fresh, Json(rollout.release.clone())).into_response())
        }
        None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

impl Rollout {
    fn is_for(&self, farm: &str) -> bool {
        let place = place(farm, &self.release.version);
        !self.halted && place < u64::from(self.wave_percent)
    }
}

/// 0 to 99: a farm's place in the order in which this version reaches the farms.
fn place(farm: &str, version: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(format!("{version} {farm}")).into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    u64::from_be_bytes([a, b, c, d, e, f, g, h]) % 100
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout(wave_percent: u8) -> Rollout {
        Rollout {
            release: Release {
                version: "1.2.3".into(),
                board: "b".into(),
                url: "https://x/y".into(),
                sha256: "0".repeat(64),
                size: 1,
                rollback_index: 0,
                notes: String::new(),
            },
            wave_percent,
            halted: false,
            halted_at: None,
            halted_reason: None,
            outcomes: Counts::default(),
            created_at: 0,
        }
    }

    fn reached(percent: u8) -> Vec<usize> {
        let reached = |farm: &usize| rollout(percent).is_for(&format!("farm-{farm}"));
        (0..1000).filter(reached).collect()
    }

    #[test]
    fn a_growing_wave_only_adds_farms() {
        assert!(reached(0).is_empty());
        assert_eq!(reached(100).len(), 1000);
        let (tenth, half) = (reached(10), reached(50));
        assert!((60..140).contains(&tenth.len()), "{}", tenth.len());
        assert!((420..580).contains(&half.len()), "{}", half.len());
        assert!(tenth.iter().all(|farm| half.contains(farm)));
    }

    #[test]
    fn versions_reach_the_farms_in_different_orders() {
        let first = |version: &str| {
            let early = |farm: &usize| place(&format!("farm-{farm}"), version) < 10;
            (0..1000).filter(early).collect::<Vec<_>>()
        };
        assert_ne!(first("1.0.0"), first("1.0.1"));
        // Another figure here would send half-finished waves to other farms.
        assert_eq!(place("hill", "1.0.0"), 82);
    }

    #[test]
    fn a_halted_release_is_offered_to_nobody() {
        let mut halted = rollout(100);
        halted.halted = true;
        assert!(!halted.is_for("hill"));
    }
}
