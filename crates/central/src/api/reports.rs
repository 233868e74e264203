//! `POST /api/v1/reports`: what farms tell of themselves, each stored once.
//!
//! One transaction for a body: all of it is stored, or nothing. A report is known by its
//! farm and the id that the farm gave it; its content is known by the SHA-256 of the JSON
//! as it was sent, members sorted, so that the same report is the same in any spelling
//! and under any version of central.
//!
//! | the id is       | with the same content | with another                    |
//! |-----------------|-----------------------|---------------------------------|
//! | new             | stored                |                                 |
//! | there already   | 200, nothing stored   | 409 with the ids; nothing stored|
//!
//! What reports that are new tell of updates is kept apart, in the same transaction, and can
//! halt a release (rollbacks.rs). What was there already has been told.

use super::App;
use super::openapi::{Away, BadBody, BadContent, NoToken, NotJson, SlowBody, TooLarge, TooMany};
use super::problem::{Problem, ProblemBody};
use super::request::{Body, bad_content};
use super::rollbacks::{self, Halt, Outcome};
use super::seen::unix_now;
use super::tokens::{self, ByFarm};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use smart_mining_wire::report::Update;
use smart_mining_wire::{Report, Reports};
use sqlx::{PgPool, Postgres, Transaction};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// All of these are stored now, by this request or an earlier one.
#[derive(Serialize, ToSchema)]
pub struct Accepted {
    /// The ids, in the order in which they were sent.
    pub accepted: Vec<String>,
}

/// Store what a farm reports; the same report again is stored once.
#[utoipa::path(post, path = "/api/v1/reports", operation_id = "report", tag = "farm",
    security(("farm" = [])),
    request_body = Reports,
    responses(
        (status = 200, description = "All reports are stored, by this request or an earlier one.", body = Accepted),
        BadBody, NoToken, SlowBody,
        (status = 409, description = "Reports with these ids are there already, with other content; `known` lists them. Nothing was stored.",
            body = ProblemBody, content_type = "application/problem+json"),
        TooLarge, NotJson, BadContent, TooMany, Away,
    ))]
pub async fn post(
    State(app): State<App>,
    ByFarm(farm): ByFarm,
    Body(sent): Body<Value>,
) -> Result<Json<Accepted>, Problem> {
    let batch = Batch::read(sent)?;
    let work = store(&app.reader.pool, &farm, &batch);
    app.reader.run(work).await.map(|()| {
        Json(Accepted {
            accepted: batch.ids,
        })
    })
}

/// One row for each id, sorted by it: writers that meet take locks in the same order.
struct Batch {
    rows: BTreeMap<String, Row>,
    /// As they were sent.
    ids: Vec<String>,
}

struct Row {
    hash: Vec<u8>,
    /// Unix seconds; never later than now.
    at: i64,
    body: String,
    update: Option<Update>,
}

impl Batch {
    fn read(sent: Value) -> Result<Self, Problem> {
        let hashes = hashes(&sent);
        let read = Reports::deserialize(sent).map_err(|error| bad_content(error.to_string()))?;
        read.check()
            .map_err(|error| bad_content(error.to_string()))?;
        let ids: Vec<String> = read.reports.iter().map(|r| r.id.clone()).collect();
        let now = unix_now();
        let mut rows = BTreeMap::new();
        let mut differ = Vec::new();
        for (report, hash) in read.reports.into_iter().zip(hashes) {
            let row = row(&report, hash, now);
            let same = rows
                .get(&report.id)
                .map(|known: &Row| known.hash == row.hash);
            match same {
                Some(true) => {}
                Some(false) => differ.push(report.id),
                None => {
                    rows.insert(report.id, row);
                }
            }
        }
        match differ.is_empty() {
            true => Ok(Self { rows, ids }),
            false => Err(conflict(differ)),
        }
    }

    fn newest(&self) -> Option<&Row> {
        // Of two at the same second, the id decides; some order is all that matters.
        self.rows.values().max_by_key(|row| row.at)
    }

    /// The newest outcome of each release that these reports tell of.
    fn outcomes(&self, ids: &BTreeSet<String>) -> BTreeMap<&str, Outcome<'_>> {
        let new = self.rows.iter().filter(|(id, _)| ids.contains(*id));
        let mut rows: Vec<&Row> = new.map(|(_, row)| row).collect();
        rows.sort_by_key(|row| row.at);
        let told = rows.into_iter().filter_map(|row| {
            let update = row.update.as_ref()?;
            let at = row.at;
            Some((update.release.as_str(), Outcome { update, at }))
        });
        // Of one release the last one stays.
        told.collect()
    }
}

/// Of each report as it was sent. `Value` sorts members by name.
fn hashes(sent: &Value) -> Vec<Vec<u8>> {
    let reports = sent.get("reports").and_then(Value::as_array);
    let reports = reports.map_or(&[][..], Vec::as_slice);
    let hash = |report: &Value| Sha256::digest(report.to_string()).to_vec();
    reports.iter().map(hash).collect()
}

fn row(report: &Report, hash: Vec<u8>, now: i64) -> Row {
    Row {
        hash,
        at: report.created_at.cast_signed().min(now),
        // Plain data of checked bounds: serialising it cannot fail.
        body: serde_json::to_string(report).unwrap_or_default(),
        update: report.update.clone(),
    }
}

fn conflict(ids: Vec<String>) -> Problem {
    let detail = format!(
        "{} of the reports have an id that another report of this farm has; \
         nothing was stored, leave those in `known` out or give them new ids",
        ids.len()
    );
    Problem::new(StatusCode::CONFLICT, "report-id", detail).known(ids)
}

async fn store(pool: &PgPool, farm: &str, batch: &Batch) -> Result<(), Problem> {
    let mut tx = pool.begin().await?;
    let farm: Option<i64> =
        sqlx::query_scalar("SELECT id FROM farms WHERE name = $1 AND NOT disabled")
            .bind(farm)
            .fetch_optional(&mut *tx)
            .await?;
    let farm = farm.ok_or_else(tokens::unknown)?;
    let stored = insert(&mut tx, farm, batch).await?;
    let differ = differing(&mut tx, farm, batch).await?;
    if !differ.is_empty() {
        return Err(conflict(differ));
    }
    if let Some(newest) = batch.newest().filter(|_| !stored.is_empty()) {
        keep_newest(&mut tx, farm, newest).await?;
    }
    let halts = rollbacks::record(&mut tx, farm, &batch.outcomes(&stored)).await?;
    tx.commit().await?;
    halts.iter().for_each(Halt::log);
    Ok(())
}

/// Answers the ids that were new. Waits for a writer of the same ids, and then finds them
/// there.
async fn insert(
    tx: &mut Transaction<'static, Postgres>,
    farm: i64,
    batch: &Batch,
) -> Result<BTreeSet<String>, sqlx::Error> {
    let ids: Vec<&str> = batch.rows.keys().map(String::as_str).collect();
    let hashes: Vec<&[u8]> = batch.rows.values().map(|row| row.hash.as_slice()).collect();
    let times: Vec<i64> = batch.rows.values().map(|row| row.at).collect();
    let bodies: Vec<&str> = batch.rows.values().map(|row| row.body.as_str()).collect();
    let new: Vec<String> = sqlx::query_scalar(
        "INSERT INTO reports (farm, id, body_sha256, created_at, body)
         SELECT $1, id, hash, to_timestamp(at), body::jsonb
         FROM unnest($2::text[], $3::bytea[], $4::bigint[], $5::text[]) AS sent (id, hash, at, body)
         ORDER BY id COLLATE \"C\"
         ON CONFLICT (farm, id) DO NOTHING RETURNING id",
    )
    .bind(farm)
    .bind(ids)
    .bind(hashes)
    .bind(times)
    .bind(bodies)
    .fetch_all(&mut **tx)
    .await?;
    Ok(new.into_iter().collect())
}

async fn differing(
    tx: &mut Transaction<'static, Postgres>,
    farm: i64,
    batch: &Batch,
) -> Result<Vec<String>, sqlx::Error> {
    let ids: Vec<&str> = batch.rows.keys().map(String::as_str).collect();
    let hashes: Vec<&[u8]> = batch.rows.values().map(|row| row.hash.as_slice()).collect();
    sqlx::query_scalar(
        "SELECT id FROM reports JOIN unnest($2::text[], $3::bytea[]) AS sent (id, hash) USING (id)
         WHERE farm = $1 AND body_sha256 <> hash ORDER BY id",
    )
    .bind(farm)
    .bind(ids)
    .bind(hashes)
    .fetch_all(&mut **tx)
    .await
}

async fn keep_newest(
    tx: &mut Transaction<'static, Postgres>,
    farm: i64,
    newest: &Row,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO farm_state (farm, last_seen_at, reported_at, report)
         VALUES ($1, now(), to_timestamp($2), $3::jsonb)
         ON CONFLICT (farm) DO UPDATE SET
             last_seen_at = greatest(farm_state.last_seen_at, excluded.last_seen_at),
             reported_at = excluded.reported_at, report = excluded.report
         WHERE farm_state.reported_at IS NULL OR farm_state.reported_at <= excluded.reported_at",
    )
    .bind(farm)
    .bind(newest.at)
    .bind(&newest.body)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report(id: &str, uptime: u64) -> Value {
        json!({"id": id, "created_at": 1_790_000_000, "appliance": "0.1.0", "uptime": uptime,
               "sequence": 7, "state": "mining", "algorithms": {}})
    }

    fn read(reports: Vec<Value>) -> Result<Batch, Problem> {
        Batch::read(json!({"version": 1, "reports": reports}))
    }

    #[test]
    fn the_same_report_is_the_same_in_any_spelling() {
        let spelled = r#"{"uptime":5, "state":"mining","sequence":7,"id":"a",
            "created_at":1790000000,"appliance":"0.1.0","algorithms":{ }}"#;
        let spelled: Value = serde_json::from_str(spelled).expect("JSON");
        let batch = read(vec![report("a", 5), spelled]).expect("one report");
        assert_eq!((batch.rows.len(), batch.ids.len()), (1, 2));
        let mut newer = report("a", 5);
        newer["temperature"] = json!(61.5);
        assert!(
            read(vec![report("a", 5), newer]).is_err(),
            "more is other content"
        );
        assert!(read(vec![report("a", 5), report("a", 6)]).is_err());
    }

    #[test]
    fn a_clock_that_runs_ahead_does_not_make_a_report_the_newest_for_ever() {
        let mut ahead = report("a", 5);
        ahead["created_at"] = json!(200_000_000_000_u64);
        let before = unix_now();
        let batch = read(vec![ahead]).expect("taken");
        let at = batch.newest().expect("one").at;
        assert!((before..=unix_now()).contains(&at));
    }

    #[test]
    fn what_is_no_report_is_refused_as_a_whole() {
        for sent in [
            json!(null),
            json!([]),
            json!({"version": 1}),
            json!({"version": 1, "reports": []}),
            json!({"version": 2, "reports": [report("a", 5)]}),
            json!({"version": 1, "reports": [report("a", 5), report("", 5)]}),
        ] {
            assert!(Batch::read(sent.clone()).is_err(), "{sent}");
        }
    }
}
