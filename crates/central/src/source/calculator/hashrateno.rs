//! hashrate.no's table of coins.
//!
//! - Prices and hashrates are texts, perhaps empty; `emission` is a number: the
//!   coins that the whole network earns in a day.
//! - Errors come as `{"title", "detail"}` with status 200.
//! - The key stands in the address: such an address belongs in no log.
//! - The free plan allows 100 questions a month.

use super::super::{
    Answer, Budget, Catalog, Coin, Fact, Num, Parsed, Request, Settings, Source, SourceError,
    address,
    answer::excerpt,
    rows::{self, Maybe, NamedRows, Text},
};
use serde::Deserialize;
use std::time::Duration;

const SERVICE: &str = "hashrateno";
const PUBLIC: &str = "https://hashrate.no/api/v2";

pub const COINS: &str = "coins";

pub struct HashrateNo;

#[derive(Deserialize)]
struct Complaint {
    #[serde(default)]
    title: Text,
    #[serde(default)]
    detail: Text,
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    ticker: Text,
    #[serde(default)]
    algorithm: Text,
    #[serde(default)]
    price: Maybe<Price>,
    #[serde(default)]
    network: Maybe<Network>,
}

#[derive(Default, Deserialize)]
struct Price {
    #[serde(default, rename = "USD")]
    usd: Num,
    #[serde(default)]
    volume: Num,
}

#[derive(Default, Deserialize)]
struct Network {
    #[serde(default)]
    hashrate: Num,
    #[serde(default)]
    difficulty: Num,
    #[serde(default)]
    emission: Num,
}

impl Source for HashrateNo {
    fn name(&self) -> &'static str {
        SERVICE
    }

    fn budget(&self) -> Budget {
        Budget {
            burst: 1,
            per_minute: 100.0 / 43_200.0,
        }
    }

    fn needs_key(&self) -> bool {
        true
    }

    fn requests(&self, settings: &Settings, _: &Catalog) -> Vec<Request> {
        let key = settings.key.as_deref().unwrap_or_default();
        let path = format!("/coins?apiKey={}", address::escaped(key));
        vec![Request {
            kind: COINS,
            about: String::new(),
            url: address::url(settings, PUBLIC, &path),
            headers: Vec::new(),
            body: None,
            // 90 a month.
            every: Duration::from_secs(8 * 3600),
            network: None,
        }]
    }

    fn parse(
        &self,
        _: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        _: u64,
    ) -> Result<Parsed, SourceError> {
        check(answer)?;
        let mut out = Parsed::default();
        for (name, row) in &answer.json::<NamedRows>()? {
            let Some(row) = rows::read::<Row>(row) else {
                out.leave_out(name, rows::NOT_READABLE);
                continue;
            };
            match catalog.coin_of(SERVICE, name) {
                _ if row.ticker.as_str() == "NICEHASH" => {
                    out.leave_out(name, rows::PSEUDO_COIN);
                }
                Some(coin) => push(name, row, coin, catalog, &mut out),
                None => out.leave_out(name, rows::NOT_IN_CATALOG),
            }
        }
        Ok(out)
    }
}

fn push(name: &str, row: Row, coin: &Coin, catalog: &Catalog, out: &mut Parsed) {
    let Some(chain) = super::chain_subject(catalog, coin, row.algorithm.as_str()) else {
        return out.leave_out(name, rows::OTHER_ALGORITHM);
    };
    let price = row.price.0.unwrap_or_default();
    let network = row.network.0.unwrap_or_default();
    let subject = super::coin_subject(coin);
    for (subject, fact, value) in [
        (&subject, Fact::PriceUsd, &price.usd),
        (&subject, Fact::VolumeUsdDay, &price.volume),
        (&chain, Fact::NetworkHashrate, &network.hashrate),
        (&chain, Fact::Difficulty, &network.difficulty),
        (&chain, Fact::CoinsPerDay, &network.emission),
    ] {
        out.push(subject, fact, value.positive(), None);
    }
}

fn check(answer: &Answer<'_>) -> Result<(), SourceError> {
    answer.check_status()?;
    let text = answer.text()?;
    let complaint = serde_json::from_str::<Complaint>(text).ok();
    let complaint = complaint.filter(|_| text.starts_with('{'));
    let Some(Complaint { title, detail }) = complaint else {
        return Ok(());
    };
    let Some(words) = detail.0.or(title.0).map(|words| excerpt(&words)) else {
        return Ok(());
    };
    let lower = words.to_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    Err(if says(&["rate limit", "too many"]) {
        SourceError::RateLimited(answer.retry_after())
    } else if says(&["usage", "quota", "limit", "exceeded"]) {
        SourceError::Stop(words)
    } else if says(&["key", "unauthori"]) {
        SourceError::Key(words)
    } else {
        SourceError::Service(words)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::*;

    #[test]
    fn texts_may_be_empty_and_parts_missing() {
        let body = r#"{"RVN":{"ticker":"RVN","algorithm":"KawPow",
              "price":{"USD":"0.0125","day":"-1.4","volume":"0"},
              "network":{"hashrate":"9000000000000.5","difficulty":"12000.5","emission":1800000}},
            "KAS":{"ticker":"KAS","algorithm":"kHeavyHash","price":{"USD":""},
              "network":{"hashrate":"4e17","difficulty":"","emission":-1}},
            "NICEHASH-X":{"ticker":"NICEHASH","algorithm":"KawPow","price":{"USD":"61000"}},
            "RVN2":{"ticker":"RVN","algorithm":"KawPow"}, "AAA":"x"}"#;
        let parsed = parse(&HashrateNo, COINS, 200, body).expect("coins");
        let rvn = |fact| value(&parsed, &of_chain("RVN", "kawpow"), fact);
        assert_eq!(rvn(Fact::NetworkHashrate), dec("9000000000000.5"));
        assert_eq!(rvn(Fact::Difficulty), dec("12000.5"));
        assert_eq!(rvn(Fact::CoinsPerDay), dec("1800000"));
        assert_eq!(
            value(&parsed, &of_coin("RVN"), Fact::PriceUsd),
            dec("0.0125")
        );
        let kas = |fact| value(&parsed, &of_chain("KAS", "kheavyhash"), fact);
        assert_eq!(kas(Fact::NetworkHashrate), dec("400000000000000000"));
        assert_eq!(parsed.observations.len(), 5);
        let left_out = [
            ("AAA", rows::NOT_READABLE),
            ("NICEHASH-X", rows::PSEUDO_COIN),
            ("RVN2", rows::NOT_IN_CATALOG),
        ];
        assert_eq!(unmapped(&parsed), left_out);
    }

    #[test]
    fn errors_come_with_status_200() {
        let ask = |detail: &str| {
            let body = format!("{{\"title\":\"Oh\",\"detail\":\"{detail}\"}}");
            parse(&HashrateNo, COINS, 200, &body)
        };
        assert!(matches!(
            ask("Your key is unknown"),
            Err(SourceError::Key(_))
        ));
        assert!(matches!(
            ask("No usage left for this key"),
            Err(SourceError::Stop(_))
        ));
        assert_eq!(ask("Too many"), Err(SourceError::RateLimited(None)));
        let service = Err(SourceError::Service("Under repair".to_owned()));
        assert_eq!(ask("Under repair"), service);
        let parsed = parse(&HashrateNo, COINS, 200, r#"{"title":"Oh"}"#);
        assert_eq!(parsed, Err(SourceError::Service("Oh".to_owned())));
    }
}
