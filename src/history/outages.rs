//! When something was missing: a pool, central, the appliance itself.

use super::types::{Outage, OutageKind};
use crate::store::{DecisionRow, EventRow, Reader, Run, StoreError};
use smart_mining_core::Algorithm;
use std::collections::BTreeMap;

/// `decisions` begin with the last one of each algorithm before `from`.
pub(super) fn outages(
    reader: &Reader,
    decisions: &[DecisionRow],
    from: u64,
    now: u64,
) -> Result<Vec<Outage>, StoreError> {
    let mut outages = without_pool(decisions);
    outages.extend(without_central(&reader.events_of_central(from)?));
    outages.extend(away(&reader.runs(from)?));
    outages.retain(|outage| outage.to.unwrap_or(now) > from);
    outages.sort_by_key(|outage| outage.from);
    Ok(outages)
}

/// From a hold to the next start.
fn without_pool(decisions: &[DecisionRow]) -> Vec<Outage> {
    let mut open: BTreeMap<Algorithm, Outage> = BTreeMap::new();
    let mut over = Vec::new();
    for DecisionRow { decision, .. } in decisions {
        let algorithm = decision.algorithm;
        match (&decision.to_pool, open.remove(&algorithm)) {
            (Some(_), Some(outage)) => over.push(ended(outage, decision.at)),
            (Some(_), None) => {}
            (None, Some(outage)) => drop(open.insert(algorithm, outage)),
            (None, None) => drop(open.insert(
                algorithm,
                Outage {
                    from: decision.at,
                    to: None,
                    what: OutageKind::NoPool,
                    algorithm: Some(algorithm),
                    text: decision.text.clone(),
                },
            )),
        }
    }
    over.extend(open.into_values());
    over
}

/// `events` are those about central, oldest first.
fn without_central(events: &[EventRow]) -> Vec<Outage> {
    let mut open: Option<Outage> = None;
    let mut over = Vec::new();
    for event in events {
        let away = event.code == "central-unreachable";
        match (away, open.take()) {
            (true, Some(outage)) => open = Some(outage),
            (true, None) => {
                open = Some(Outage {
                    from: event.at,
                    to: None,
                    what: OutageKind::NoCentral,
                    algorithm: None,
                    text: event.text.clone(),
                });
            }
            (false, Some(outage)) => over.push(ended(outage, event.at)),
            (false, None) => {}
        }
    }
    over.extend(open);
    over
}

/// Between the last sign of life of a run and the start of the next.
fn away(runs: &[Run]) -> Vec<Outage> {
    let between = |pair: &[Run]| {
        let [before, after] = pair else { return None };
        let (what, text) = match (before.clean, before.boot == after.boot) {
            (true, _) => (OutageKind::Stopped, "the appliance was stopped"),
            (false, false) => (
                OutageKind::PowerCut,
                "the power went, or the machine was reset",
            ),
            (false, true) => (OutageKind::Crash, "the program ended by itself"),
        };
        let outage = Outage {
            from: before.seen_at,
            to: None,
            what,
            algorithm: None,
            text: text.to_owned(),
        };
        Some(ended(outage, after.started_at))
    };
    runs.windows(2).filter_map(between).collect()
}

fn ended(outage: Outage, at: u64) -> Outage {
    Outage {
        to: Some(at.max(outage.from)),
        ..outage
    }
}
