//! What one algorithm's miners do, for whom, for how much, and why.

use super::facts::Facts;
use super::why::{Unit, explain};
use crate::view::{AlgorithmStatus, CandidateStatus};
use askama::Template;
use smart_mining_core::route::Policy;
use smart_mining_page::words::{count, duration, hashrate, ratio, usd};

struct Lane {
    id: &'static str,
    listener: String,
    route: Option<Route>,
    unpaid: bool,
    now: String,
    then: String,
    /// What the operator asked for.
    wishes: String,
    facts: Vec<Fact>,
    counts: Vec<Fact>,
    unit: &'static str,
    candidates: Vec<Row>,
    skipped: Vec<Skipped>,
}

struct Route {
    pool: String,
    coin: String,
    since: String,
}

pub(super) struct Fact {
    pub name: &'static str,
    pub figure: String,
    pub big: bool,
    pub class: &'static str,
}

impl Fact {
    pub fn new(name: &'static str, figure: String) -> Self {
        Self {
            name,
            figure,
            big: false,
            class: "",
        }
    }

    pub fn big(self) -> Self {
        Self { big: true, ..self }
    }

    pub fn class(self, class: &'static str) -> Self {
        Self { class, ..self }
    }
}

struct Row {
    rank: usize,
    pool: String,
    coin: String,
    pays: String,
    earns: String,
    against: String,
    state: String,
    class: &'static str,
    on: bool,
}

struct Skipped {
    pool: String,
    coin: String,
    why: &'static str,
}

#[derive(Template)]
#[template(path = "lanes.html")]
struct Lanes {
    lanes: Vec<Lane>,
}

pub(super) fn lanes(facts: &Facts) -> Result<String, askama::Error> {
    let default = Policy::default();
    let lanes = facts
        .status
        .algorithms
        .iter()
        .enumerate()
        .map(|(place, status)| {
            let policy = facts.policies.get(place).unwrap_or(&default);
            lane(facts, status, policy)
        });
    Lanes {
        lanes: lanes.collect(),
    }
    .render()
}

fn lane(facts: &Facts, status: &AlgorithmStatus, policy: &Policy) -> Lane {
    let why = explain(status, policy);
    let unit = Unit::of(&status.candidates);
    Lane {
        id: status.algorithm.name(),
        listener: status.listener.clone(),
        route: status.route.as_ref().map(|route| Route {
            pool: route.pool.clone(),
            coin: route.coin.clone(),
            since: duration(route.seconds),
        }),
        unpaid: status.unpaid,
        now: why.now,
        then: why.then,
        wishes: wishes(status),
        facts: figures(facts, status),
        counts: counts(status),
        unit: unit.name(),
        candidates: candidates(status, &unit),
        skipped: status
            .skipped
            .iter()
            .map(|it| Skipped {
                pool: it.pool.clone(),
                coin: it.coin.clone(),
                why: it.why,
            })
            .collect(),
    }
}

fn wishes(lane: &AlgorithmStatus) -> String {
    let mut told = Vec::new();
    if let Some(pin) = &lane.pin {
        let coin = pin.coin.as_ref().map(|coin| format!(" ({coin})"));
        told.push(format!(
            "The operator pinned {}{} for {} more.",
            pin.pool,
            coin.unwrap_or_default(),
            duration(pin.seconds_left)
        ));
    }
    for out in &lane.excluded {
        let until = out
            .seconds_left
            .map(|left| format!(" for {} more", duration(left)));
        told.push(format!(
            "The operator excluded {}{}.",
            out.pool,
            until.unwrap_or_default()
        ));
    }
    told.join(" ")
}

fn figures(facts: &Facts, lane: &AlgorithmStatus) -> Vec<Fact> {
    let (rates, counts) = (&lane.totals.hashrates, &lane.totals.counts);
    let today = facts.usd_today(lane.algorithm);
    let refused = counts.rejected + counts.stale;
    let miners = count(lane.miners as u64);
    let miners = match lane.silent {
        0 => Fact::new("Miners", miners),
        silent => Fact::new("Miners", format!("{miners}, {silent} silent")).class("bad"),
    };
    let mut figures = vec![Fact::new("Hashrate, 10 min", hashrate(rates.hashrate_10m)).big()];
    // Nobody ranks the farm's own pools.
    figures.extend(
        lane.usd_per_day_now
            .map(|amount| Fact::new("A day at this rate", usd(amount)).big()),
    );
    figures.extend(today.map(|amount| Fact::new("Today (UTC)", usd(amount)).big()));
    figures.extend([
        Fact::new("1 min", hashrate(rates.hashrate_1m)),
        Fact::new("1 h", hashrate(rates.hashrate_1h)),
        Fact::new("24 h", hashrate(rates.hashrate_24h)),
        Fact::new("Accepted", count(counts.accepted)),
        Fact::new(
            "Refused",
            match refused {
                0 => "0".to_owned(),
                refused => {
                    let rate = lane.reject_rate.map(ratio).unwrap_or_default();
                    format!("{} ({rate})", count(refused))
                }
            },
        ),
        miners,
    ]);
    figures
}

/// Every word of the books, since the start.
fn counts(lane: &AlgorithmStatus) -> Vec<Fact> {
    let counts = &lane.totals.counts;
    [
        ("Accepted by pools", counts.accepted),
        ("Local: below the pool's difficulty", counts.local),
        ("Rejected", counts.rejected),
        ("Stale", counts.stale),
        ("Of both, refused here", counts.refused_here),
        ("Of both, refused by pools", counts.refused_by_pools()),
        ("Unknown: the pool never answered", counts.unknown),
        ("Lost: no pool could take them", counts.lost),
        ("Changes of the route", lane.switches),
    ]
    .map(|(name, number)| Fact::new(name, count(number)))
    .into()
}

fn candidates(lane: &AlgorithmStatus, unit: &Unit) -> Vec<Row> {
    let rate = lane.totals.hashrates.hashrate_10m;
    let row = |(place, it): (usize, &CandidateStatus)| {
        let on = it.on_route;
        let (state, class) = state(it, on);
        let score = it.usd_per_hash_day;
        Row {
            rank: place + 1,
            pool: it.pool.clone(),
            coin: it.coin.clone(),
            pays: score.map_or_else(|| "own pool".to_owned(), |pays| unit.figure(pays)),
            earns: match score {
                Some(pays) if rate > 0.0 => usd(pays * rate),
                Some(_) | None => "-".to_owned(),
            },
            against: match it.lead_percent {
                _ if on => "the route".to_owned(),
                Some(percent) => format!("{percent:+.1} %"),
                None => "-".to_owned(),
            },
            state,
            class,
            on,
        }
    };
    lane.candidates.iter().enumerate().map(row).collect()
}

fn state(candidate: &CandidateStatus, on: bool) -> (String, &'static str) {
    match (candidate.ready, &candidate.last_failure) {
        (true, _) => {
            let connections = match candidate.connections {
                0 | 1 => String::new(),
                many => format!(", {many} connections"),
            };
            let word = if on { "mined for" } else { "ready" };
            (format!("{word}{connections}"), "good")
        }
        (false, Some(failure)) => (failure.clone(), "bad"),
        (false, None) => ("not connected: not needed now".to_owned(), "soft"),
    }
}
