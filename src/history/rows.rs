//! Tables: why routes changed, and what happened.

use super::types::{PastCandidate, PastDecision, PastEvent};
use crate::store::{Decision, DecisionRow, EventRow, Reader, StoreError};
use serde::Deserialize;
use smart_mining_core::Algorithm;

/// The part of a decision's detail that is shown.
#[derive(Default, Deserialize)]
struct Detail {
    #[serde(default)]
    candidates: Vec<PastCandidate>,
}

pub(super) fn decisions(
    reader: &Reader,
    limit: usize,
    algorithm: Option<Algorithm>,
) -> Result<Vec<PastDecision>, StoreError> {
    let rows = match algorithm {
        Some(algorithm) => reader.decisions_of(algorithm, limit)?,
        None => reader.decisions(limit)?,
    };
    Ok(rows.into_iter().map(past_decision).collect())
}

fn past_decision(row: DecisionRow) -> PastDecision {
    let Decision {
        at,
        algorithm,
        from_pool,
        to_pool,
        coin,
        rule,
        text,
        detail,
    } = row.decision;
    // Another release may have written it otherwise: then its words are left.
    let detail: Detail = serde_json::from_str(&detail).unwrap_or_default();
    PastDecision {
        id: row.id,
        at,
        algorithm,
        from_pool,
        to_pool,
        coin,
        rule,
        text,
        candidates: detail.candidates,
    }
}

pub(super) fn events(
    reader: &Reader,
    limit: usize,
    before: Option<i64>,
    code: Option<&str>,
) -> Result<Vec<PastEvent>, StoreError> {
    let rows = reader.events_before(limit, before, code)?;
    let event = |row: EventRow| PastEvent {
        id: row.id,
        at: row.at,
        code: row.code,
        subject: row.subject,
        text: row.text,
    };
    Ok(rows.into_iter().map(event).collect())
}
