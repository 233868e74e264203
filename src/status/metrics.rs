//! Prometheus text. Label values come from farm.toml and the ranking only, so
//! their number is bounded.

use crate::counts::Counts;
use crate::view::{AlgorithmStatus, Status};
use std::fmt::Write;

pub fn render(status: &Status) -> String {
    let mut out = String::new();
    per_algorithm(
        &mut out,
        status,
        "miners",
        "gauge",
        "Miners connected now.",
        |a| vec![(String::new(), a.miners as f64)],
    );
    per_algorithm(
        &mut out,
        status,
        "miners_silent",
        "gauge",
        "Miners with work and without a share for a minute.",
        |a| vec![(String::new(), a.silent as f64)],
    );
    shares(&mut out, status);
    per_algorithm(
        &mut out,
        status,
        "hashrate_hashes_per_second",
        "gauge",
        "From the work that was really done, over each time.",
        |a| {
            let rates = &a.totals.hashrates;
            [
                ("1m", rates.hashrate_1m),
                ("10m", rates.hashrate_10m),
                ("1h", rates.hashrate_1h),
                ("24h", rates.hashrate_24h),
            ]
            .map(|(window, rate)| (format!(",window=\"{window}\""), rate))
            .to_vec()
        },
    );
    per_algorithm(
        &mut out,
        status,
        "route",
        "gauge",
        "1 for the pool the miners work for.",
        |a| {
            let row = |candidate: &crate::view::CandidateStatus| {
                let on = a.route.as_ref().is_some_and(|route| {
                    route.pool == candidate.pool && route.coin == candidate.coin
                });
                let labels = format!(",pool=\"{}\",coin=\"{}\"", candidate.pool, candidate.coin);
                (labels, f64::from(u8::from(on)))
            };
            a.candidates.iter().map(row).collect()
        },
    );
    let snapshot = &status.snapshot;
    let plain = [
        (
            "snapshot_sequence",
            "gauge",
            "Sequence of the snapshot in force.",
            Some(snapshot.sequence),
        ),
        (
            "snapshot_age_seconds",
            "gauge",
            "Since it was received.",
            snapshot.age_seconds,
        ),
        (
            "snapshots_refused_total",
            "counter",
            "Snapshots the gate refused.",
            Some(snapshot.refused),
        ),
        (
            "miners_refused_total",
            "counter",
            "Connections turned away.",
            Some(status.miners.refused),
        ),
        (
            "store_dropped_total",
            "counter",
            "Records that did not fit the queue.",
            Some(status.store.dropped),
        ),
        (
            "reports_waiting",
            "gauge",
            "Reports that central does not have yet.",
            status.reports.as_ref().map(|reports| reports.waiting),
        ),
        (
            "reports_oldest_seconds",
            "gauge",
            "Since the oldest of them was made.",
            status
                .reports
                .as_ref()
                .and_then(|reports| reports.oldest_seconds),
        ),
        (
            "reports_delivered_total",
            "counter",
            "Reports that central has, since the start.",
            status.reports.as_ref().map(|reports| reports.delivered),
        ),
        (
            "reports_set_aside",
            "gauge",
            "Reports that central refused and that are kept.",
            status.reports.as_ref().map(|reports| reports.set_aside),
        ),
        (
            "reports_dropped_total",
            "counter",
            "Reports dropped for want of room, since the store was made.",
            status.reports.as_ref().map(|reports| reports.dropped),
        ),
    ];
    for (name, kind, help, value) in plain {
        if let Some(value) = value {
            head(&mut out, name, kind, help);
            let _ = writeln!(out, "smart_mining_{name} {value}");
        }
    }
    out
}

fn shares(out: &mut String, status: &Status) {
    per_algorithm(
        out,
        status,
        "shares_total",
        "counter",
        "Shares answered, by what became of them. Accepted is the pool's word.",
        |a| {
            let counts = &a.totals.counts;
            [
                ("accepted", counts.accepted),
                ("local", counts.local),
                ("rejected", counts.rejected),
                ("stale", counts.stale),
                ("unknown", counts.unknown),
                ("lost", counts.lost),
            ]
            .map(|(verdict, count)| (format!(",verdict=\"{verdict}\""), count as f64))
            .to_vec()
        },
    );
    type Value = fn(&Counts) -> f64;
    let plain: [(&str, &str, Value); 3] = [
        (
            "shares_refused_here_total",
            "Of the rejected and stale shares, those that no pool saw.",
            |counts| counts.refused_here as f64,
        ),
        (
            "difficulty_accepted_total",
            "Pool difficulty of the accepted shares: what is paid for.",
            |counts| counts.difficulty_accepted,
        ),
        (
            "work_total",
            "Difficulty of all work that was done: what hashrates are made of.",
            |counts| counts.work,
        ),
    ];
    for (name, help, value) in plain {
        per_algorithm(out, status, name, "counter", help, |a| {
            vec![(String::new(), value(&a.totals.counts))]
        });
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a String does not fail.
    let _ = writeln!(
        out,
        "# HELP smart_mining_{name} {help}\n# TYPE smart_mining_{name} {kind}"
    );
}

fn per_algorithm(
    out: &mut String,
    status: &Status,
    name: &str,
    kind: &str,
    help: &str,
    rows: impl Fn(&AlgorithmStatus) -> Vec<(String, f64)>,
) {
    head(out, name, kind, help);
    for algorithm in &status.algorithms {
        for (labels, value) in rows(algorithm) {
            let _ = writeln!(
                out,
                "smart_mining_{name}{{algorithm=\"{}\"{labels}}} {value}",
                algorithm.algorithm
            );
        }
    }
}
