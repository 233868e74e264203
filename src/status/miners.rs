//! `GET /api/miners`: which rows of the table, in which order.

use super::problem::Problem;
use super::query::{self, Asked};
use crate::registry::{MinerState, MinerView};
use smart_mining_core::Algorithm;
use std::cmp::Ordering;

/// More than the table can have.
const MOST: usize = 100_000;

type Compare = fn(&MinerView, &MinerView) -> Ordering;

/// By what rows can be sorted. What a row does not have comes last.
const ORDERS: [(&str, Compare); 14] = [
    ("worker", |a, b| a.worker.cmp(&b.worker)),
    ("address", |a, b| a.address.cmp(&b.address)),
    ("agent", |a, b| a.agent.cmp(&b.agent)),
    ("algorithm", |a, b| a.algorithm.cmp(&b.algorithm)),
    ("state", |a, b| a.state.cmp(&b.state)),
    ("difficulty", |a, b| a.difficulty.total_cmp(&b.difficulty)),
    ("accepted", |a, b| a.counts.accepted.cmp(&b.counts.accepted)),
    ("reject_rate", |a, b| {
        let rate = |row: &MinerView| row.reject_rate.unwrap_or(f64::INFINITY);
        rate(a).total_cmp(&rate(b))
    }),
    ("last_share_seconds", |a, b| {
        let ago = |row: &MinerView| row.last_share_seconds.unwrap_or(u64::MAX);
        ago(a).cmp(&ago(b))
    }),
    ("last_seen_seconds", |a, b| {
        a.last_seen_seconds.cmp(&b.last_seen_seconds)
    }),
    ("hashrate_1m", |a, b| {
        let rate = |row: &MinerView| row.hashrates.hashrate_1m;
        rate(a).total_cmp(&rate(b))
    }),
    ("hashrate_10m", |a, b| {
        let rate = |row: &MinerView| row.hashrates.hashrate_10m;
        rate(a).total_cmp(&rate(b))
    }),
    ("hashrate_1h", |a, b| {
        let rate = |row: &MinerView| row.hashrates.hashrate_1h;
        rate(a).total_cmp(&rate(b))
    }),
    ("hashrate_24h", |a, b| {
        let rate = |row: &MinerView| row.hashrates.hashrate_24h;
        rate(a).total_cmp(&rate(b))
    }),
];

const PARAMETERS: [&str; 6] = ["algorithm", "state", "text", "sort", "limit", "offset"];

/// What a program, or the page, wants of the table.
#[derive(Clone, Default)]
pub(super) struct MinersQuery {
    algorithm: Option<Algorithm>,
    state: Option<MinerState>,
    /// In small letters: part of the worker, its name, the address or the firmware.
    text: Option<String>,
    order: Option<(Compare, bool)>,
    limit: Option<usize>,
    offset: usize,
}

impl MinersQuery {
    pub fn read(asked: Asked) -> Result<Self, Problem> {
        let mut query = Self::default();
        query::each(asked, &PARAMETERS, |name, value| {
            match name {
                "algorithm" => query.algorithm = Some(algorithm(value)?),
                "state" => query.state = Some(state(value)?),
                "text" => query.text = Some(value.to_lowercase()),
                "sort" => query.order = Some(order(value)?),
                "limit" => query.limit = Some(query::number(name, value, 0, MOST)?),
                "offset" => query.offset = query::number(name, value, 0, MOST)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(query)
    }

    /// How many rows match, and those of them that are wanted.
    pub fn select(&self, mut rows: Vec<MinerView>) -> (usize, Vec<MinerView>) {
        rows.retain(|row| self.matches(row));
        if let Some((compare, descending)) = self.order {
            rows.sort_by(|a, b| {
                let order = compare(a, b);
                if descending { order.reverse() } else { order }
            });
        }
        let total = rows.len();
        let limit = self.limit.unwrap_or(MOST);
        let rows = rows.into_iter().skip(self.offset).take(limit);
        (total, rows.collect())
    }

    fn matches(&self, row: &MinerView) -> bool {
        let found = |text: &str| {
            let fields = [&row.worker, &row.address, &row.agent].into_iter();
            let mut fields = fields.chain(&row.name);
            fields.any(|field| field.to_lowercase().contains(text))
        };
        self.algorithm.is_none_or(|it| it == row.algorithm)
            && self.state.is_none_or(|it| it == row.state)
            && self.text.as_deref().is_none_or(found)
    }
}

pub(super) fn algorithm(value: &str) -> Result<Algorithm, Problem> {
    let names = Algorithm::ALL.map(Algorithm::name);
    value
        .parse()
        .map_err(|_| Problem::none_of("algorithm", value, names))
}

fn state(value: &str) -> Result<MinerState, Problem> {
    let words = MinerState::ALL.map(MinerState::word);
    MinerState::of_word(value).ok_or_else(|| Problem::none_of("state", value, words))
}

/// `-` before the name: the largest first.
fn order(value: &str) -> Result<(Compare, bool), Problem> {
    let (name, descending) = match value.strip_prefix('-') {
        Some(name) => (name, true),
        None => (value, false),
    };
    let known = ORDERS.iter().find(|(known, _)| *known == name);
    let names = ORDERS.iter().map(|(name, _)| *name);
    let (_, compare) = known.ok_or_else(|| Problem::none_of("sort", value, names))?;
    Ok((*compare, descending))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::registry::Registry;
    use axum::extract::Query;

    fn asked(text: &str) -> Result<MinersQuery, Problem> {
        let address = format!("/api/miners?{text}").parse().expect("an address");
        MinersQuery::read(Query::try_from_uri(&address))
    }

    fn rows() -> Vec<MinerView> {
        let registry = Registry::new(Clock::start());
        for (name, agent, difficulty) in [
            ("rig02", "bmminer/2.0", 512.0),
            ("rig10", "cgminer/4.11", 4096.0),
            ("rig01", "BMMiner/1.9", 0.0),
        ] {
            let (_, miner) = registry.join(Algorithm::Sha256d, ([10, 0, 0, 7], 1).into());
            miner.named(name, agent);
            miner.difficulty(difficulty);
        }
        let (key, gone) = registry.join(Algorithm::Scrypt, ([10, 0, 0, 8], 1).into());
        gone.named("rig03", "");
        registry.leave(key);
        registry.view()
    }

    fn names(text: &str) -> (usize, Vec<String>) {
        let query = asked(text).unwrap_or_else(|problem| panic!("{text}: {problem:?}"));
        let (total, rows) = query.select(rows());
        (total, rows.into_iter().map(|row| row.worker).collect())
    }

    #[test]
    fn rows_are_found_sorted_and_cut_as_asked() {
        let all = ["rig02", "rig10", "rig01", "rig03"];
        assert_eq!(names(""), (4, all.map(str::to_owned).to_vec()));
        let is = |text: &str, total: usize, expected: &[&str]| {
            let expected: Vec<String> = expected.iter().map(|it| (*it).to_owned()).collect();
            assert_eq!(names(text), (total, expected), "{text}");
        };
        is("sort=worker", 4, &["rig01", "rig02", "rig03", "rig10"]);
        is("sort=-difficulty&limit=2", 4, &["rig10", "rig02"]);
        is("sort=worker&offset=3", 4, &["rig10"]);
        is("offset=9", 4, &[]);
        is("text=BmMiner", 2, &["rig02", "rig01"]);
        is("text=10.0.0.8", 1, &["rig03"]);
        is("state=offline", 1, &["rig03"]);
        is("state=no+work+yet", 1, &["rig01"]);
        is("state=no%20work%20yet", 1, &["rig01"]);
        is("algorithm=scrypt&state=works", 0, &[]);
    }

    #[test]
    fn what_is_not_understood_is_told_with_what_would_be() {
        let refused = |text: &str| {
            let problem = asked(text).err().expect("a problem");
            serde_json::to_value(problem).expect("JSON")
        };
        let of_sort = refused("sort=karma");
        assert_eq!(of_sort["status"], 400);
        let detail = of_sort["detail"].as_str().expect("text");
        assert!(
            detail.starts_with("sort=\"karma\" is none; use one of worker, address"),
            "{detail}"
        );
        assert_eq!(of_sort["known"][0], "worker");
        for (text, words) in [
            ("limit=-1", "limit=\"-1\" is no number from 0 to 100000"),
            ("offset=%2B1", "offset=\"+1\" is no number"),
            (
                "state=Works",
                "use one of silent, offline, no work yet, works",
            ),
            ("algorithm=md5", "use one of sha256d, scrypt"),
            (
                "page=2",
                "no parameter \"page\"; there are algorithm, state",
            ),
        ] {
            let problem = refused(text);
            let detail = problem["detail"].as_str().expect("text");
            assert!(detail.contains(words), "{text}: {detail}");
        }
        let long = refused(&format!("text={}", "x".repeat(101)));
        assert_eq!(long["detail"], "text is longer than 100 characters");
    }
}
