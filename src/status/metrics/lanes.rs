//! What is counted for each algorithm.

use super::flag;
use super::text::{Family, Kind, Labels};
use crate::view::{AlgorithmStatus, CandidateStatus, FarmState};

type Rows<'a> = Vec<(Labels<'a>, f64)>;

/// `rows` gives an algorithm's samples, without the label that names it.
fn each<'a>(
    lanes: &'a [AlgorithmStatus],
    name: &'static str,
    kind: Kind,
    help: &'static str,
    rows: impl Fn(&'a AlgorithmStatus) -> Rows<'a>,
) -> Family<'a> {
    let named = |lane: &'a AlgorithmStatus| {
        rows(lane).into_iter().map(move |(mut labels, value)| {
            labels.insert(0, ("algorithm", lane.algorithm.name().into()));
            (labels, value)
        })
    };
    Family {
        name,
        kind,
        unit: None,
        help,
        samples: lanes.iter().flat_map(named).collect(),
    }
}

fn one<'a>(value: f64) -> Rows<'a> {
    vec![(Vec::new(), value)]
}

fn by<'a, const N: usize>(label: &'static str, values: [(&'static str, f64); N]) -> Rows<'a> {
    let row = |(word, value): (&'static str, f64)| (vec![(label, word.into())], value);
    values.into_iter().map(row).collect()
}

pub fn families(lanes: &[AlgorithmStatus]) -> Vec<Family<'_>> {
    let mut all = work(lanes);
    all.extend(routes(lanes));
    all
}

fn work(lanes: &[AlgorithmStatus]) -> Vec<Family<'_>> {
    vec![
        each(
            lanes,
            "smart_mining_miners",
            Kind::Gauge,
            "Miners connected now.",
            |lane| one(lane.miners as f64),
        ),
        each(
            lanes,
            "smart_mining_miners_by_state",
            Kind::Gauge,
            "Miners by what they do; offline ones are not connected any more.",
            by_state,
        ),
        each(
            lanes,
            "smart_mining_shares",
            Kind::Counter,
            "Shares by what became of them; accepted is the pool's word.",
            shares,
        ),
        each(
            lanes,
            "smart_mining_shares_refused_here",
            Kind::Counter,
            "Of the rejected and stale shares, those that no pool saw.",
            |lane| one(lane.totals.counts.refused_here as f64),
        ),
        each(
            lanes,
            "smart_mining_difficulty_accepted",
            Kind::Counter,
            "Pool difficulty of the accepted shares: what is paid for.",
            |lane| one(lane.totals.counts.difficulty_accepted),
        ),
        each(
            lanes,
            "smart_mining_work",
            Kind::Counter,
            "Difficulty of all work that was done: what hashrates are made of.",
            |lane| one(lane.totals.counts.work),
        ),
        each(
            lanes,
            "smart_mining_hashrate_hashes_per_second",
            Kind::Gauge,
            "From the work that was really done, over each time.",
            hashrates,
        )
        .in_unit("hashes_per_second"),
    ]
}

fn by_state(lane: &AlgorithmStatus) -> Rows<'_> {
    let works = lane.miners.saturating_sub(lane.silent + lane.no_work_yet);
    by(
        "state",
        [
            ("works", works as f64),
            ("silent", lane.silent as f64),
            ("no work yet", lane.no_work_yet as f64),
            ("offline", lane.offline as f64),
        ],
    )
}

fn shares(lane: &AlgorithmStatus) -> Rows<'_> {
    let counts = &lane.totals.counts;
    by(
        "verdict",
        [
            ("accepted", counts.accepted as f64),
            ("local", counts.local as f64),
            ("rejected", counts.rejected as f64),
            ("stale", counts.stale as f64),
            ("unknown", counts.unknown as f64),
            ("lost", counts.lost as f64),
        ],
    )
}

fn hashrates(lane: &AlgorithmStatus) -> Rows<'_> {
    let rates = &lane.totals.hashrates;
    by(
        "window",
        [
            ("1m", rates.hashrate_1m),
            ("10m", rates.hashrate_10m),
            ("1h", rates.hashrate_1h),
            ("24h", rates.hashrate_24h),
        ],
    )
}

fn routes(lanes: &[AlgorithmStatus]) -> Vec<Family<'_>> {
    vec![
        each(
            lanes,
            "smart_mining_algorithm_state",
            Kind::Gauge,
            "1 for the state the algorithm is in.",
            |lane| {
                let states = [
                    FarmState::Mining,
                    FarmState::MiningFromCache,
                    FarmState::Holding,
                ];
                by(
                    "state",
                    states.map(|state| (state.word(), flag(lane.state == state))),
                )
            },
        ),
        each(
            lanes,
            "smart_mining_unpaid",
            Kind::Gauge,
            "1 while miners are kept busy with work that nobody pays for.",
            |lane| one(flag(lane.unpaid)),
        ),
        each(
            lanes,
            "smart_mining_route",
            Kind::Gauge,
            "1 for the pool that the miners work for.",
            |lane| candidates(lane, |it| Some(flag(it.on_route))),
        ),
        each(
            lanes,
            "smart_mining_route_age_seconds",
            Kind::Gauge,
            "Since the miners work for it.",
            |lane| {
                let route = lane.route.as_ref();
                route.map_or_else(Vec::new, |route| one(route.seconds as f64))
            },
        )
        .in_unit("seconds"),
        each(
            lanes,
            "smart_mining_candidate_ready",
            Kind::Gauge,
            "1 for a pool that can be used at once.",
            |lane| candidates(lane, |it| Some(flag(it.ready))),
        ),
        each(
            lanes,
            "smart_mining_candidate_usd_per_hash_day",
            Kind::Gauge,
            "What the ranking says that a hash per second earns in a day, after fees.",
            |lane| candidates(lane, |it| it.usd_per_hash_day),
        ),
        each(
            lanes,
            "smart_mining_usd_per_day",
            Kind::Gauge,
            "What the hashrate of the last 10 minutes earns in a day, by the ranking.",
            |lane| lane.usd_per_day_now.map_or_else(Vec::new, one),
        ),
        each(
            lanes,
            "smart_mining_route_switches",
            Kind::Counter,
            "Changes of the route by the rule that made them.",
            switches,
        ),
    ]
}

fn candidates<'a>(
    lane: &'a AlgorithmStatus,
    value: impl Fn(&CandidateStatus) -> Option<f64>,
) -> Rows<'a> {
    let row = |candidate: &'a CandidateStatus| {
        let labels: Labels<'a> = vec![
            ("pool", candidate.pool.as_str().into()),
            ("coin", candidate.coin.as_str().into()),
        ];
        Some((labels, value(candidate)?))
    };
    lane.candidates.iter().filter_map(row).collect()
}

fn switches(lane: &AlgorithmStatus) -> Rows<'_> {
    let rules = lane.switches_by_rule.iter();
    rules
        .map(|(rule, count)| (vec![("rule", (*rule).into())], *count as f64))
        .collect()
}
