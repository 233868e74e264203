//! The public REST service of Kaspa.
//!
//! `/info/hashrate` is in *TH/s*, `/info/blockreward` whole coins a block, and
//! `/info/blockdag` is the node's own answer. The rate is difficulty times two
//! times blocks per second, so its block time is the one that the chain aims at.
//!
//! Trap. The reward is that of the emission table: what a block pays without fees.

use super::kaspad;
use super::network::Network;
use crate::source::chain::{self, get, no_such_kind, push_rate};
use crate::source::number::shifted;
use crate::source::{
    Answer, Budget, Catalog, Fact, Num, Parsed, Request, Settings, Source, SourceError,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::time::Duration;

pub struct KaspaRest;

const PUBLIC: &str = "https://api.kaspa.org";
/// From TH/s.
const TERA: i64 = 12;

impl Source for KaspaRest {
    fn name(&self) -> &'static str {
        "kaspa_rest"
    }

    /// Nothing is printed; this is what a polite reader does.
    fn budget(&self) -> Budget {
        Budget {
            burst: 3,
            per_minute: 12.0,
        }
    }

    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        let mut requests = Vec::new();
        for host in chain::public(settings, catalog, "KAS", PUBLIC) {
            for (kind, path, seconds) in [
                ("blockdag", "info/blockdag", 60),
                ("hashrate", "info/hashrate?stringOnly=false", 300),
                ("blockreward", "info/blockreward?stringOnly=false", 3_600),
            ] {
                let url = format!("{}/{path}", host.url);
                requests.push(get(kind, &host.coin.id, url, Duration::from_secs(seconds)));
            }
        }
        requests
    }

    fn parse(
        &self,
        request: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        now: u64,
    ) -> Result<Parsed, SourceError> {
        let coin = chain::coin(&request.about, catalog)?;
        let subject = chain::only(coin)?;
        let mut parsed = Parsed::default();
        match request.kind {
            "blockdag" => {
                let raw: Box<RawValue> = answer.json()?;
                return kaspad::dag_info(&raw, coin, catalog, (Network::Main, now));
            }
            "hashrate" => {
                let body: Hashrate = chain::object(answer)?;
                let rate = shifted(body.hashrate.positive(), TERA);
                let block_time = chain::decimal(coin.block_time);
                push_rate(&mut parsed, &subject, rate, block_time, None);
            }
            "blockreward" => {
                let body: Reward = chain::object(answer)?;
                let reward = body.blockreward.positive();
                parsed.push(&subject, Fact::Subsidy, reward, None);
            }
            other => return Err(no_such_kind(other)),
        }
        Ok(parsed)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Hashrate {
    hashrate: Num,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reward {
    blockreward: Num,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::{dec, of_chain, parse_about, value};

    #[test]
    fn the_rate_is_in_tera_and_the_reward_in_coins() {
        let kas = of_chain("KAS", "kheavyhash");
        let read = |kind, body| parse_about(&KaspaRest, kind, "KAS", 200, body).expect("good");
        for body in [r#"{"hashrate":400123.25}"#, r#"{"hashrate":"400123.25"}"#] {
            let parsed = read("hashrate", body);
            assert_eq!(
                value(&parsed, &kas, Fact::NetworkHashrate),
                dec("400123250000000000")
            );
            assert_eq!(value(&parsed, &kas, Fact::BlockTime), dec("0.1"));
        }
        let parsed = read("blockreward", r#"{"blockreward":2.06001}"#);
        assert_eq!(value(&parsed, &kas, Fact::Subsidy), dec("2.06001"));
        assert_eq!(read("hashrate", r#"{"hashrate":null}"#).observations, []);
        assert_eq!(read("blockreward", r#"{"blockreward":0}"#).observations, []);
    }

    #[test]
    fn it_needs_no_settings() {
        let requests = KaspaRest.requests(&Settings::default(), Catalog::built_in());
        assert_eq!(requests.len(), 3);
        assert!(requests.iter().all(|request| request.body.is_none()));
        assert_eq!(requests[0].url, "https://api.kaspa.org/info/blockdag");
    }
}
