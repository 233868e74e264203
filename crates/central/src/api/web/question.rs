//! What the fleet page is asked for, and the links that ask for something else. Pure.

use super::condition::Condition;
use super::view::{Seen, Snapshot};
use form_urlencoded::Serializer;
use serde::Deserialize;
use smart_mining_wire::Algorithm;
use smart_mining_wire::report::Shares;
use std::cmp::Ordering;

/// Farms of one page: with the longest names there are, it stays below 100 KiB.
pub const ROWS: usize = 50;
const MAX_TEXT: usize = 64;

/// As a browser sends it: a form's empty field is no filter.
#[derive(Default, Deserialize)]
pub struct Sent {
    #[serde(default)]
    q: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    algorithm: String,
    #[serde(default)]
    sort: String,
    #[serde(default)]
    order: String,
    #[serde(default)]
    page: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Name,
    State,
    Route,
    Hashrate,
    Miners,
    Rejected,
    Version,
    Snapshot,
    Seen,
}

impl Sort {
    pub const ALL: [Self; 9] = [
        Self::Name,
        Self::State,
        Self::Route,
        Self::Hashrate,
        Self::Miners,
        Self::Rejected,
        Self::Version,
        Self::Snapshot,
        Self::Seen,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::State => "state",
            Self::Route => "route",
            Self::Hashrate => "hashrate",
            Self::Miners => "miners",
            Self::Rejected => "rejected",
            Self::Version => "version",
            Self::Snapshot => "snapshot",
            Self::Seen => "seen",
        }
    }

    /// What one wants to see first when one sorts by it.
    const fn begins_with_the_greatest(self) -> bool {
        match self {
            Self::Hashrate | Self::Miners | Self::Rejected => true,
            Self::Name
            | Self::State
            | Self::Route
            | Self::Version
            | Self::Snapshot
            | Self::Seen => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// In a farm's name, or a pool's or coin's that it mines for; small letters.
    pub text: String,
    pub state: Option<Condition>,
    pub version: Option<String>,
    pub algorithm: Option<Algorithm>,
    pub sort: Sort,
    pub descending: bool,
    /// From 1.
    pub page: usize,
}

impl Question {
    /// An error is for a person.
    pub fn read(sent: Sent) -> Result<Self, String> {
        let unknown = |what: &str, value: &str| format!("{what} is {value:?}, which is none");
        if sent.q.len() > MAX_TEXT || sent.version.len() > MAX_TEXT {
            return Err(format!("look for at most {MAX_TEXT} characters"));
        }
        let sort = match sent.sort.as_str() {
            // What wants attention comes first.
            "" => Sort::State,
            name => Sort::ALL
                .into_iter()
                .find(|sort| sort.name() == name)
                .ok_or_else(|| unknown("sort", name))?,
        };
        let descending = match sent.order.as_str() {
            "" => sort.begins_with_the_greatest(),
            "asc" => false,
            "desc" => true,
            other => return Err(unknown("order", other)),
        };
        let page = match sent.page.as_str() {
            "" => 1,
            text => match text.parse() {
                Ok(page @ 1..=1_000_000) => page,
                Ok(_) | Err(_) => return Err(unknown("page", text)),
            },
        };
        Ok(Self {
            text: sent.q.trim().to_lowercase(),
            state: filter(&sent.state, Condition::parse).map_err(|v| unknown("state", &v))?,
            version: Some(sent.version).filter(|version| !version.is_empty()),
            algorithm: filter(&sent.algorithm, |name| name.parse().ok())
                .map_err(|v| unknown("algorithm", &v))?,
            sort,
            descending,
            page,
        })
    }

    /// The address of this question.
    pub fn link(&self) -> String {
        let mut query = Serializer::new(String::new());
        let mut add = |name: &str, value: &str| {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        };
        add("q", &self.text);
        add("state", self.state.map_or("", Condition::name));
        add("version", self.version.as_deref().unwrap_or(""));
        add("algorithm", self.algorithm.map_or("", Algorithm::name));
        if self.sort != Sort::State {
            add("sort", self.sort.name());
        }
        if self.descending != self.sort.begins_with_the_greatest() {
            add("order", if self.descending { "desc" } else { "asc" });
        }
        if self.page > 1 {
            add("page", &self.page.to_string());
        }
        match query.finish() {
            query if query.is_empty() => "/fleet".to_owned(),
            query => format!("/fleet?{query}"),
        }
    }

    pub fn with_state(&self, state: Option<Condition>) -> Self {
        Self {
            state,
            page: 1,
            ..self.clone()
        }
    }

    pub fn at_page(&self, page: usize) -> Self {
        Self {
            page,
            ..self.clone()
        }
    }

    /// By a column; the other way round if it is that one already.
    pub fn by(&self, sort: Sort) -> Self {
        let descending = match sort == self.sort {
            true => !self.descending,
            false => sort.begins_with_the_greatest(),
        };
        Self {
            sort,
            descending,
            page: 1,
            ..self.clone()
        }
    }

    pub const fn is_filtered(&self) -> bool {
        !self.text.is_empty()
            || self.state.is_some()
            || self.version.is_some()
            || self.algorithm.is_some()
    }

    fn takes(&self, seen: &Seen) -> bool {
        let farm = &seen.farm;
        let has = |text: &str| text.to_lowercase().contains(&self.text);
        let routes = || farm.algorithms.values().filter_map(|it| it.route.as_ref());
        self.state.is_none_or(|state| state == seen.condition)
            && (self.version.is_none() || farm.appliance == self.version)
            && (self.algorithm.as_ref()).is_none_or(|it| farm.algorithms.contains_key(it))
            && (self.text.is_empty()
                || has(&farm.name)
                || routes().any(|route| has(&route.pool) || has(&route.coin)))
    }

    /// Those that are asked for, in order. `farms`: by name.
    pub fn select<'f>(&self, farms: &'f [Seen]) -> Vec<&'f Seen> {
        let mut found: Vec<&Seen> = farms.iter().filter(|seen| self.takes(seen)).collect();
        // Stable: what is alike stays in the order of the names.
        found.sort_by(|a, b| {
            let order = self.compare(a, b);
            match self.descending {
                true => order.reverse(),
                false => order,
            }
        });
        found
    }

    fn compare(&self, a: &Seen, b: &Seen) -> Ordering {
        match self.sort {
            Sort::Name => a.farm.name.cmp(&b.farm.name),
            Sort::State => a.condition.cmp(&b.condition),
            Sort::Route => self.route(a).cmp(&self.route(b)),
            Sort::Hashrate => {
                let ((first, x), (second, y)) = (self.hashrate(a), self.hashrate(b));
                second.cmp(&first).then(x.total_cmp(&y))
            }
            Sort::Miners => miners(a).cmp(&miners(b)),
            Sort::Rejected => rejected(a).total_cmp(&rejected(b)),
            Sort::Version => a.farm.appliance.cmp(&b.farm.appliance),
            // Smallest first: the freshest.
            Sort::Snapshot => a.snapshot.cmp(&b.snapshot),
            // Smallest first: the longest silent.
            Sort::Seen => a.farm.last_seen_at.cmp(&b.farm.last_seen_at),
        }
    }

    fn route<'f>(&self, seen: &'f Seen) -> Option<(&'f str, &'f str)> {
        let wanted = |algorithm: &Algorithm| self.algorithm.is_none_or(|it| it == *algorithm);
        let mut routes = seen.farm.algorithms.iter();
        let (_, report) = routes.find(|(algorithm, it)| wanted(algorithm) && it.route.is_some())?;
        let route = report.route.as_ref()?;
        Some((&route.pool, &route.coin))
    }

    /// Hashrates of two algorithms say nothing of each other: farms of the first one stand
    /// together.
    fn hashrate(&self, seen: &Seen) -> (Option<Algorithm>, f64) {
        let wanted = |algorithm: &Algorithm| self.algorithm.is_none_or(|it| it == *algorithm);
        let mut all = seen.farm.algorithms.iter();
        let found = all.find(|(algorithm, _)| wanted(algorithm));
        found.map_or((None, 0.0), |(algorithm, it)| {
            (Some(*algorithm), it.hashrate)
        })
    }
}

fn filter<T>(value: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, String> {
    match value {
        "" => Ok(None),
        value => read(value).map(Some).ok_or_else(|| value.to_owned()),
    }
}

pub fn miners(seen: &Seen) -> u64 {
    let all = seen.farm.algorithms.values();
    all.map(|report| u64::from(report.miners)).sum()
}

/// Shares that were refused, and all that were answered, since the report before the newest.
pub fn shares(seen: &Seen) -> (u64, u64) {
    let all = seen.farm.algorithms.values().map(|report| report.shares);
    all.fold((0, 0), |(refused, answered), shares| {
        let (r, a) = counts(shares);
        // Each is bounded, their sum need not be.
        (
            u64::saturating_add(refused, r),
            u64::saturating_add(answered, a),
        )
    })
}

fn counts(shares: Shares) -> (u64, u64) {
    let refused = shares.rejected.saturating_add(shares.stale);
    (refused, shares.accepted.saturating_add(refused))
}

fn rejected(seen: &Seen) -> f64 {
    match shares(seen) {
        // After those with shares and none refused.
        (_, 0) => -1.0,
        (refused, answered) => refused as f64 / answered as f64,
    }
}

impl Snapshot {
    pub const fn is_old(self) -> bool {
        match self {
            Self::Kept { behind, .. } => behind > 1,
            Self::Unknown | Self::None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::condition::tests::farm;
    use super::*;
    use smart_mining_wire::report::{AlgorithmReport, FarmState, Route};

    fn asked(query: &str) -> Result<Question, String> {
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
        let mut sent = Sent::default();
        for (name, value) in pairs {
            let field = match name.as_str() {
                "q" => &mut sent.q,
                "state" => &mut sent.state,
                "version" => &mut sent.version,
                "algorithm" => &mut sent.algorithm,
                "sort" => &mut sent.sort,
                "order" => &mut sent.order,
                "page" => &mut sent.page,
                other => panic!("{other}"),
            };
            *field = value;
        }
        Question::read(sent)
    }

    fn seen(name: &str, condition: Condition, algorithm: Algorithm, hashrate: f64) -> Seen {
        let mut farm = farm(name, FarmState::Mining);
        let report = AlgorithmReport {
            route: Some(Route {
                pool: format!("pool-of-{name}"),
                coin: "BTC".into(),
                since: 0,
            }),
            hashrate,
            shares: Shares {
                accepted: 99,
                rejected: hashrate as u64,
                ..Shares::default()
            },
            miners: name.len() as u32,
        };
        farm.algorithms.insert(algorithm, report);
        Seen {
            farm,
            condition,
            snapshot: Snapshot::None,
        }
    }

    fn some() -> Vec<Seen> {
        vec![
            seen("dale", Condition::Mining, Algorithm::Sha256d, 1.0),
            seen("hill", Condition::Trouble, Algorithm::Scrypt, 5.0),
            seen("moor", Condition::Mining, Algorithm::Sha256d, 3.0),
        ]
    }

    fn names(query: &str) -> Vec<String> {
        let farms = some();
        let found = asked(query).expect(query).select(&farms);
        found
            .into_iter()
            .map(|seen| seen.farm.name.clone())
            .collect()
    }

    #[test]
    fn farms_are_found_by_what_is_asked() {
        assert_eq!(names("sort=name"), ["dale", "hill", "moor"]);
        assert_eq!(names("q=+OOR"), ["moor"]);
        assert_eq!(names("q=pool-of-d"), ["dale"], "by its pool");
        assert_eq!(names("state=trouble"), ["hill"]);
        assert_eq!(names("algorithm=sha256d&state="), ["dale", "moor"]);
        assert_eq!(names("version=9"), [""; 0]);
        assert_eq!(names("version=0.1.0").len(), 3);
    }

    #[test]
    fn farms_stand_in_the_order_that_is_asked() {
        assert_eq!(names(""), ["hill", "dale", "moor"], "trouble first");
        assert_eq!(names("sort=state&order=desc"), ["dale", "moor", "hill"]);
        assert_eq!(names("sort=name&order=desc"), ["moor", "hill", "dale"]);
        assert_eq!(
            names("sort=hashrate"),
            ["moor", "dale", "hill"],
            "sha256d first"
        );
        assert_eq!(names("sort=rejected"), ["hill", "moor", "dale"]);
        assert_eq!(names("sort=route&order=desc"), ["moor", "hill", "dale"]);
        assert_eq!(
            names("sort=miners"),
            ["dale", "hill", "moor"],
            "alike: by name"
        );
    }

    #[test]
    fn a_link_asks_the_same_question() {
        for query in [
            "",
            "q=a%26b%3D%3Cx%3E",
            "q=hill&state=mining-from-cache&version=0.1.0%2Bx&algorithm=scrypt&sort=seen&order=desc&page=3",
            "sort=hashrate",
            "sort=hashrate&order=asc",
        ] {
            let question = asked(query).expect(query);
            let link = question.link();
            let again = link.split_once('?').map_or("", |(_, query)| query);
            assert_eq!(again, query);
            assert_eq!(asked(again), Ok(question));
        }
    }

    #[test]
    fn a_column_turns_round_and_a_filter_goes_back_to_the_first_page() {
        let question = asked("page=4&sort=miners").expect("a question");
        assert!(question.descending);
        assert_eq!(
            question.by(Sort::Miners).link(),
            "/fleet?sort=miners&order=asc"
        );
        assert_eq!(question.by(Sort::State).link(), "/fleet");
        assert_eq!(
            question.by(Sort::Name).by(Sort::Name).link(),
            "/fleet?sort=name&order=desc"
        );
        let state = question.with_state(Some(Condition::Holding));
        assert_eq!(state.link(), "/fleet?state=holding&sort=miners");
    }

    #[test]
    fn what_is_no_question_is_refused_in_words() {
        let long = format!("q={}", "x".repeat(65));
        for query in [
            "state=ill",
            "sort=luck",
            "order=up",
            "page=0",
            "page=x",
            "algorithm=md5",
            &long,
        ] {
            asked(query).expect_err(query);
        }
        assert_eq!(
            asked("state=ill"),
            Err("state is \"ill\", which is none".into())
        );
    }
}
