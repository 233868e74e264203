//! Braiins Insights: Bitcoin's network in one row.
//!
//! - Hashrates are EH/s; `hash_price` is USD for one TH/s in a day, with three
//!   decimals, good to some percent.
//! - `hash_value` is BTC for the same, rounded to one digit: of no use.
//! - Nothing is dated. The public name redirects to this one.

use super::super::{
    Answer, Budget, Catalog, Fact, Num, Parsed, Request, Settings, Source, SourceError, Subject,
    address, number::shifted,
};
use serde::Deserialize;
use std::time::Duration;

const SERVICE: &str = "braiins_insights";
const PUBLIC: &str = "https://learn.braiins.com/api/v1.0";

pub const STATS: &str = "hashrate-stats";

pub struct BraiinsInsights;

#[derive(Deserialize)]
struct Stats {
    #[serde(default)]
    avg_fees_per_block: Num,
    #[serde(default)]
    current_hashrate: Num,
    #[serde(default)]
    hash_price: Num,
}

impl Source for BraiinsInsights {
    fn name(&self) -> &'static str {
        SERVICE
    }

    /// None is written down.
    fn budget(&self) -> Budget {
        Budget {
            burst: 1,
            per_minute: 1.0,
        }
    }

    fn requests(&self, settings: &Settings, _: &Catalog) -> Vec<Request> {
        vec![Request {
            kind: STATS,
            about: "BTC".to_owned(),
            url: address::url(settings, PUBLIC, "/hashrate-stats"),
            headers: Vec::new(),
            body: None,
            every: Duration::from_secs(600),
            network: None,
        }]
    }

    fn parse(
        &self,
        _: &Request,
        answer: &Answer<'_>,
        _: &Catalog,
        _: u64,
    ) -> Result<Parsed, SourceError> {
        let stats: Stats = answer.json()?;
        let chain = Subject::Chain {
            coin: "BTC".to_owned(),
            algorithm: "sha256d".to_owned(),
        };
        let hashrate = shifted(stats.current_hashrate.positive(), 18);
        let price = shifted(stats.hash_price.positive(), -12);
        let mut out = Parsed::default();
        for (fact, value) in [
            (Fact::NetworkHashrate, hashrate),
            (Fact::OfferUsdPerHashDay, price),
            (Fact::FeesPerBlock, stats.avg_fees_per_block.not_negative()),
        ] {
            out.push(&chain, fact, value, None);
        }
        match out.observations.is_empty() {
            true => Err(SourceError::Malformed("none of the fields".to_owned())),
            false => Ok(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::*;

    #[test]
    fn exahashes_and_terahash_days_become_hashes() {
        let body = r#"{"avg_fees_per_block":0,"current_hashrate":980.25,"hash_price":"0.051",
            "current_hashrate_estimated":1100,"hash_value":5e-7,"rev_usd":1}"#;
        let parsed = parse(&BraiinsInsights, STATS, 200, body).expect("stats");
        let of = |fact| value(&parsed, &of_chain("BTC", "sha256d"), fact);
        assert_eq!(of(Fact::NetworkHashrate), dec("980250000000000000000"));
        assert_eq!(of(Fact::OfferUsdPerHashDay), dec("0.051e-12"));
        assert_eq!(of(Fact::FeesPerBlock), dec("0"));
        assert_eq!(parsed.observations.len(), 3);
    }

    #[test]
    fn a_field_may_be_absent_but_not_all() {
        let ask = |body: &str| parse(&BraiinsInsights, STATS, 200, body);
        let parsed = ask(r#"{"current_hashrate":null,"hash_price":1,"avg_fees_per_block":-1}"#);
        assert_eq!(parsed.map(|parsed| parsed.observations.len()), Ok(1));
        assert!(matches!(ask("{}"), Err(SourceError::Malformed(_))));
        let moved = parse(&BraiinsInsights, STATS, 302, "");
        assert_eq!(moved, Err(SourceError::Status(302)));
    }
}
