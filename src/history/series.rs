//! From rows to what is drawn.

use super::types::{AlgorithmSeries, Point, Range, Series, Switch, Today, TodayAlgorithm};
use super::{Past, outages};
use crate::rate::hashes_per_difficulty;
use crate::store::{DecisionRow, MinerCount, StepTotal, StoreError};
use smart_mining_core::Algorithm;
use std::collections::BTreeMap;
use std::sync::Arc;

const DAY: u64 = 24 * 3600;
/// A step that has just begun says nothing yet: its first share would look like a farm.
const LEAST_SECONDS: u64 = 60;

pub(super) fn series(past: &Past<'_>, range: Range, now: u64) -> Result<Series, StoreError> {
    let step = range.step_seconds();
    let from = (now / step * step).saturating_sub((range.steps() - 1) * step);
    let mut algorithms: BTreeMap<Algorithm, Vec<Point>> = BTreeMap::new();
    let empty = || points(from, now, step);
    for count in miners(past, from, now, step)? {
        let points = algorithms.entry(count.algorithm).or_insert_with(empty);
        if let Some(point) = point(points, count.at, step) {
            point.miners = Some(count.miners as f64 / count.counts.max(1) as f64);
        }
    }
    // How much work the pool of a point has.
    let mut most = BTreeMap::new();
    for total in totals(past, from, now, step)? {
        let points = algorithms.entry(total.algorithm).or_insert_with(empty);
        let Some(point) = point(points, total.at, step) else {
            continue;
        };
        add_up(point, &total, step.min((now - point.at).max(LEAST_SECONDS)));
        let most = most.entry((total.algorithm, total.at)).or_insert(0.0);
        if total.counts.work > *most {
            *most = total.counts.work;
            point.pool = Some(total.pool.to_string());
        }
    }
    let decisions = past.reader.decisions_since(from)?;
    let series = |(algorithm, points)| AlgorithmSeries { algorithm, points };
    Ok(Series {
        range,
        from,
        to: now,
        step_seconds: step,
        algorithms: algorithms.into_iter().map(series).collect(),
        switches: decisions
            .iter()
            .filter_map(|row| switch(row, from))
            .collect(),
        outages: outages::outages(past.reader, &decisions, from, now)?,
    })
}

fn points(from: u64, now: u64, step: u64) -> Vec<Point> {
    let empty = |at| Point {
        at,
        ..Point::default()
    };
    (0..=(now - from) / step)
        .map(|index| empty(from + index * step))
        .collect()
}

fn point(points: &mut [Point], at: u64, step: u64) -> Option<&mut Point> {
    let since = at.checked_sub(points.first()?.at)?;
    points.get_mut(usize::try_from(since / step).ok()?)
}

fn add_up(point: &mut Point, total: &StepTotal, seconds: u64) {
    let counts = &total.counts;
    point.hashrate += counts.work * hashes_per_difficulty(total.algorithm) / seconds as f64;
    point.accepted += counts.accepted;
    point.rejected += counts.rejected + counts.stale;
    point.lost_or_unknown += counts.lost + counts.unknown;
    point.usd = add(point.usd, total.usd);
}

/// What the store has, and what it does not have yet.
fn totals(past: &Past<'_>, from: u64, now: u64, step: u64) -> Result<Vec<StepTotal>, StoreError> {
    let mut sums: BTreeMap<(u64, Algorithm, Arc<str>), StepTotal> = BTreeMap::new();
    let beyond = past.beyond.totals.iter();
    let beyond = beyond.filter(|total| (from..=now).contains(&total.minute));
    let beyond = beyond.map(|total| StepTotal {
        at: total.minute / step * step,
        algorithm: total.algorithm,
        pool: total.pool.clone(),
        counts: total.counts,
        usd: total.usd,
    });
    for total in past
        .reader
        .steps(from, now, step)?
        .into_iter()
        .chain(beyond)
    {
        let key = (total.at, total.algorithm, total.pool.clone());
        match sums.get_mut(&key) {
            Some(sum) => {
                sum.counts += &total.counts;
                sum.usd = add(sum.usd, total.usd);
            }
            None => drop(sums.insert(key, total)),
        }
    }
    Ok(sums.into_values().collect())
}

fn miners(past: &Past<'_>, from: u64, now: u64, step: u64) -> Result<Vec<MinerCount>, StoreError> {
    let mut sums: BTreeMap<(u64, Algorithm), MinerCount> = BTreeMap::new();
    let beyond = past.beyond.miners.iter().copied();
    let beyond = beyond.filter(|count| (from..=now).contains(&count.at));
    for count in past
        .reader
        .miners(from, now, step)?
        .into_iter()
        .chain(beyond)
    {
        let at = count.at / step * step;
        let sum = sums.entry((at, count.algorithm)).or_insert(MinerCount {
            at,
            miners: 0,
            counts: 0,
            ..count
        });
        sum.miners += count.miners;
        sum.counts += count.counts;
    }
    Ok(sums.into_values().collect())
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

pub(super) fn today(past: &Past<'_>, now: u64) -> Result<Today, StoreError> {
    let since = now / DAY * DAY;
    let mut algorithms: BTreeMap<Algorithm, TodayAlgorithm> = BTreeMap::new();
    for total in totals(past, since, now, DAY)? {
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
