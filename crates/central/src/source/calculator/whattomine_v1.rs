//! WhatToMine's paid calculator.
//!
//! - It answers for the hashrate that was asked with: the question's own body
//!   says which, and everything is divided by it. The printed digits are few, so
//!   the question is about a whole hall and costs nothing for power.
//! - Rows do not name their algorithm, so each question is about one.
//! - Rows carry the service's number of a coin, the catalog's `whattomine_v1`.
//! - The quota is monthly: a 429 with nothing left is no minute's matter.

use super::super::{
    Answer, Budget, Catalog, Fact, Num, Parsed, Request, Settings, Source, SourceError, Subject,
    address,
    rows::{self, Rows, Text},
};
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use std::time::Duration;

const SERVICE: &str = "whattomine_v1";
const PUBLIC: &str = "https://whattomine.com/api/v1";

pub const CALCULATE: &str = "calculate";

/// Our algorithm, theirs, and the hashrate to ask with.
const ALGORITHMS: [(&str, &str, u64); 2] = [
    ("sha256d", "sha256", 1_000_000_000_000_000_000),
    ("ethash", "eth", 1_000_000_000_000),
];

pub struct WhatToMineV1;

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    id: Text,
    #[serde(default)]
    name: Text,
    #[serde(default)]
    estimated_rewards: Num,
    #[serde(default)]
    btc_revenue: Num,
    #[serde(default)]
    revenue: Num,
}

#[derive(Deserialize)]
struct Question {
    settings: [Asked; 1],
}

#[derive(Deserialize)]
struct Asked {
    hashrate: Num,
}

impl Source for WhatToMineV1 {
    fn name(&self) -> &'static str {
        SERVICE
    }

    /// 10,000 a month in the documentation's example; a plan may allow less.
    fn budget(&self) -> Budget {
        Budget {
            burst: 2,
            per_minute: 10_000.0 / 43_200.0,
        }
    }

    fn needs_key(&self) -> bool {
        true
    }

    /// `about` names our algorithms.
    fn requests(&self, settings: &Settings, _: &Catalog) -> Vec<Request> {
        let about = &settings.about;
        ALGORITHMS
            .iter()
            .filter(|(ours, ..)| about.is_empty() || about.iter().any(|name| name == ours))
            .map(|(ours, theirs, hashrate)| Request {
                kind: CALCULATE,
                about: (*ours).to_owned(),
                url: address::url(settings, PUBLIC, "/calculate"),
                headers: headers(settings),
                body: Some(question(theirs, *hashrate)),
                every: Duration::from_secs(1800),
                network: None,
            })
            .collect()
    }

    fn parse(
        &self,
        request: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        _: u64,
    ) -> Result<Parsed, SourceError> {
        if answer.status == 429 && answer.header("x-ratelimit-remaining") == Some("0") {
            return Err(SourceError::Stop("this month's quota is gone".to_owned()));
        }
        let table: Rows = answer.json()?;
        let hashrate = asked_with(request);
        let mut out = Parsed::default();
        for row in &table {
            push(row, &request.about, &hashrate, catalog, &mut out);
        }
        Ok(out)
    }
}

fn headers(settings: &Settings) -> Vec<(&'static str, String)> {
    let key = settings.key.iter();
    key.map(|key| ("authorization", format!("Token {key}")))
        .collect()
}

fn question(algorithm: &str, hashrate: u64) -> String {
    let settings = json!([{"algorithm": algorithm, "power": 0, "hashrate": hashrate}]);
    json!({"cost": 0, "settings": settings}).to_string()
}

fn asked_with(request: &Request) -> Num {
    let body = request.body.as_deref().unwrap_or_default();
    serde_json::from_str::<Question>(body).map_or(Num(None), |question| {
        let [asked] = question.settings;
        asked.hashrate
    })
}

fn push(row: &RawValue, algorithm: &str, hashrate: &Num, catalog: &Catalog, out: &mut Parsed) {
    let Some(row) = rows::read::<Row>(row) else {
        return out.leave_out("", rows::NOT_READABLE);
    };
    let Some(coin) = catalog.coin_of(SERVICE, row.id.as_str()) else {
        let name = format!("{} {}", row.id.as_str(), row.name.as_str());
        return out.leave_out(name.trim(), rows::NOT_IN_CATALOG);
    };
    if !coin.has(algorithm) {
        return out.leave_out(row.name.as_str(), rows::OTHER_ALGORITHM);
    }
    let chain = Subject::Chain {
        coin: coin.id.clone(),
        algorithm: algorithm.to_owned(),
    };
    for (fact, value) in [
        (Fact::OfferCoinPerHashDay, &row.estimated_rewards),
        (Fact::OfferBtcPerHashDay, &row.btc_revenue),
        (Fact::OfferUsdPerHashDay, &row.revenue),
    ] {
        out.push(&chain, fact, super::per_hash(value, hashrate), None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::*;

    fn ask(status: u16, headers: &[(String, String)], body: &str) -> Result<Parsed, SourceError> {
        let settings = Settings {
            key: Some("k".to_owned()),
            ..Settings::default()
        };
        let catalog = Catalog::built_in();
        let request = WhatToMineV1.requests(&settings, catalog).remove(0);
        assert_eq!(request.headers, [("authorization", "Token k".to_owned())]);
        let answer = Answer {
            status,
            headers,
            body: body.as_bytes(),
        };
        WhatToMineV1.parse(&request, &answer, catalog, NOW)
    }

    #[test]
    fn answers_are_divided_by_the_hashrate_asked_with() {
        let body = r#"[{"id":1,"tag":"BTC","name":"Bitcoin","estimated_rewards":"0.42",
              "estimated_rewards24":"0.5","btc_revenue":"0.42","revenue":"25000.5","profit":"1"},
            {"id":"193","estimated_rewards":"","btc_revenue":null,"revenue":"-1"},
            {"id":4,"name":"Litecoin","estimated_rewards":"1"},
            {"id":9999,"name":"Bitcoin","estimated_rewards":"1"}, "x"]"#;
        let parsed = ask(200, &[], body).expect("coins");
        let of = |fact| value(&parsed, &of_chain("BTC", "sha256d"), fact);
        assert_eq!(of(Fact::OfferCoinPerHashDay), dec("0.42e-18"));
        assert_eq!(of(Fact::OfferBtcPerHashDay), dec("0.42e-18"));
        assert_eq!(of(Fact::OfferUsdPerHashDay), dec("25000.5e-18"));
        assert_eq!(parsed.observations.len(), 3);
        let left_out = [
            ("Litecoin", rows::OTHER_ALGORITHM),
            ("9999 Bitcoin", rows::NOT_IN_CATALOG),
            ("", rows::NOT_READABLE),
        ];
        assert_eq!(unmapped(&parsed), left_out);
    }

    #[test]
    fn a_spent_month_stops() {
        let left = |left: &str| [("x-ratelimit-remaining".to_owned(), left.to_owned())];
        assert!(matches!(
            ask(429, &left("0"), "{}"),
            Err(SourceError::Stop(_))
        ));
        assert_eq!(
            ask(429, &left("7"), "{}"),
            Err(SourceError::RateLimited(None))
        );
        assert!(matches!(ask(401, &[], "{}"), Err(SourceError::Key(_))));
        // Without the question nothing can be divided.
        let body = r#"[{"id":1,"revenue":"5"}]"#;
        let parsed = parse_about(&WhatToMineV1, CALCULATE, "sha256d", 200, body);
        assert_eq!(parsed, Ok(Parsed::default()));
    }
}
