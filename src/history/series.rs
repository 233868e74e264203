//! From rows to what is drawn.

use super::outages;
use super::types::{
    AlgorithmSeries, PastCandidate, PastDecision, PastEvent, Point, Range, Series, Switch, Today,
    TodayAlgorithm,
};
use crate::rate::hashes_per_difficulty;
use crate::store::{Decision, DecisionRow, Reader, StepTotal, StoreError};
use serde::Deserialize;
use smart_mining_core::Algorithm;
use std::collections::BTreeMap;

const DAY: u64 = 24 * 3600;

pub(super) fn series(reader: &Reader, range: Range, now: u64) -> Result<Series, StoreError> {
    let step = range.step_seconds();
    let from = (now / step * step).saturating_sub((range.steps() - 1) * step);
    let mut algorithms: BTreeMap<Algorithm, Vec<StepTotal>> = BTreeMap::new();
    for total in reader.steps(from, now, step)? {
        algorithms.entry(total.algorithm).or_default().push(total);
    }
    let decisions = reader.decisions_since(from)?;
    Ok(Series {
        range,
        from,
        to: now,
        step_seconds: step,
        algorithms: algorithms
            .into_iter()
            .map(|(algorithm, totals)| AlgorithmSeries {
                algorithm,
                points: points(algorithm, &totals, from, now, step),
            })
            .collect(),
        switches: decisions
            .iter()
            .filter_map(|row| switch(row, from))
            .collect(),
        outages: outages::outages(reader, &decisions, from, now)?,
    })
}

fn points(
    algorithm: Algorithm,
    totals: &[StepTotal],
    from: u64,
    now: u64,
    step: u64,
) -> Vec<Point> {
    let mut points: Vec<Point> = (from..=now)
        .step_by(usize::try_from(step).unwrap_or(usize::MAX))
        .map(|at| Point {
            at,
            ..Point::default()
        })
        .collect();
    // How much work the pool of a point has.
    let mut most = vec![0.0; points.len()];
    for total in totals {
        let index = total.at.saturating_sub(from) / step;
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let (Some(point), Some(most)) = (points.get_mut(index), most.get_mut(index)) else {
            continue;
        };
        let counts = &total.counts;
        // The step that runs is as long as it has run.
        let seconds = step.min((now - point.at).max(60)) as f64;
        point.hashrate += counts.work * hashes_per_difficulty(algorithm) / seconds;
        point.accepted += counts.accepted;
        point.rejected += counts.rejected + counts.stale;
        point.lost_or_unknown += counts.lost + counts.unknown;
        point.usd = add(point.usd, total.usd);
        if counts.work > *most {
            *most = counts.work;
            point.pool = Some(total.pool.clone());
        }
    }
    points
}

/// Nothing known and nothing known is nothing known.
fn add(sum: Option<f64>, more: Option<f64>) -> Option<f64> {
    match (sum, more) {
        (None, None) => None,
        (sum, more) => Some(sum.unwrap_or(0.0) + more.unwrap_or(0.0)),
    }
}

/// `None`: it stands for what was before the range.
fn switch(row: &DecisionRow, from: u64) -> Option<Switch> {
    let decision = row.decision.clone();
    (decision.at >= from).then_some(Switch {
        at: decision.at,
        algorithm: decision.algorithm,
        from_pool: decision.from_pool,
        to_pool: decision.to_pool,
        coin: decision.coin,
        rule: decision.rule,
        text: decision.text,
    })
}

pub(super) fn today(reader: &Reader, now: u64) -> Result<Today, StoreError> {
    let since = now / DAY * DAY;
    let mut algorithms: BTreeMap<Algorithm, TodayAlgorithm> = BTreeMap::new();
    for total in reader.steps(since, now, DAY)? {
        let row = algorithms.entry(total.algorithm).or_insert(TodayAlgorithm {
            algorithm: total.algorithm,
            accepted: 0,
            rejected: 0,
            lost_or_unknown: 0,
            usd: None,
        });
        let counts = &total.counts;
        row.accepted += counts.accepted;
        row.rejected += counts.rejected + counts.stale;
        row.lost_or_unknown += counts.lost + counts.unknown;
        row.usd = add(row.usd, total.usd);
    }
    let usd = algorithms.values().fold(None, |sum, row| add(sum, row.usd));
    Ok(Today {
        since,
        usd,
        algorithms: algorithms.into_values().collect(),
    })
}

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
    let event = |row: crate::store::EventRow| PastEvent {
        id: row.id,
        at: row.at,
        code: row.code,
        subject: row.subject,
        text: row.text,
    };
    Ok(rows.into_iter().map(event).collect())
}
