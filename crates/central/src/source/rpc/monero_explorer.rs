//! Explorers of Monero, and the network page of a large pool.
//!
//! Difficulty is in hashes, as number or text; `hash_rate` is difficulty over the
//! target, whole hashes per second; `value` is the last block's reward in the
//! smallest unit, fees included.
//!
//! Traps. An explorer's `height` counts blocks and is one more than the tip's; the
//! pool's is the tip's. What the pool says of itself is not asked here.

use super::network::Network;
use crate::source::answer::excerpt;
use crate::source::chain::{self, Flag, fresh, get, no_such_kind, push_rate, push_tip};
use crate::source::number::shifted;
use crate::source::rows::{Maybe, Text};
use crate::source::{
    Answer, Budget, Catalog, Coin, Fact, Num, Parsed, Request, Settings, Source, SourceError,
};
use serde::Deserialize;
use std::time::Duration;

pub struct MoneroExplorer;

const PUBLIC: &str = "https://xmrchain.net";
const POOL: &str = "https://supportxmr.com/api/network/stats";

impl Source for MoneroExplorer {
    fn name(&self) -> &'static str {
        "monero_explorer"
    }

    /// Nothing is printed; this is what a polite reader does.
    fn budget(&self) -> Budget {
        Budget {
            burst: 2,
            per_minute: 6.0,
        }
    }

    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        let every = Duration::from_secs(120);
        let mut requests = Vec::new();
        for host in chain::public(settings, catalog, "XMR", PUBLIC) {
            let id = &host.coin.id;
            let url = format!("{}/api/networkinfo", host.url);
            requests.push(get("networkinfo", id, url, every));
            if host.url == PUBLIC {
                requests.push(get("network_stats", id, POOL.to_owned(), every));
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
        match request.kind {
            "networkinfo" => network_info(chain::object(answer)?, coin),
            "network_stats" => network_stats(&chain::object(answer)?, coin, now),
            other => Err(no_such_kind(other)),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope {
    status: Text,
    data: Maybe<NetworkInfo>,
    message: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NetworkInfo {
    difficulty: Num,
    hash_rate: Num,
    target: Num,
    height: Num,
    testnet: Flag,
    stagenet: Flag,
}

fn network_info(body: Envelope, coin: &Coin) -> Result<Parsed, SourceError> {
    let info = body.data.0.unwrap_or_default();
    if body.status.as_str() != "success" {
        let words = format!("{} {}", body.status.as_str(), body.message.as_str());
        return Err(SourceError::Service(excerpt(&words)));
    }
    for (said, name) in [(info.testnet, "testnet"), (info.stagenet, "stagenet")] {
        Network::Main.if_named(if said.0 == Some(true) { name } else { "" })?;
    }
    let subject = chain::only(coin)?;
    let mut parsed = Parsed::default();
    let tip = info.height.whole().and_then(|count| count.checked_sub(1));
    push_tip(&mut parsed, &subject, info.difficulty.positive(), tip, None);
    let (rate, target) = (info.hash_rate.positive(), info.target.positive());
    push_rate(&mut parsed, &subject, rate, target, None);
    Ok(parsed)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NetworkStats {
    difficulty: Num,
    height: Num,
    value: Num,
    ts: Num,
}

fn network_stats(stats: &NetworkStats, coin: &Coin, now: u64) -> Result<Parsed, SourceError> {
    let at = stats.ts.whole();
    fresh(at, coin, now)?;
    let subject = chain::only(coin)?;
    let mut parsed = Parsed::default();
    let (difficulty, height) = (stats.difficulty.positive(), stats.height.whole());
    push_tip(&mut parsed, &subject, difficulty, height, at);
    let reward = shifted(stats.value.positive(), -coin.decimals);
    parsed.push(&subject, Fact::BlockReward, reward, at);
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::{NOW, dec, of_chain, parse_about, value};

    #[test]
    fn a_rate_comes_with_the_target_it_was_made_with() {
        let xmr = of_chain("XMR", "randomx");
        for difficulty in ["720000000007", "\"720000000007\""] {
            let body = format!(
                r#"{{"status":"success","data":{{"difficulty":{difficulty},"hash_rate":6000000000,"target":120,"height":3700001}}}}"#
            );
            let read = parse_about(&MoneroExplorer, "networkinfo", "XMR", 200, &body);
            let parsed = read.expect("good");
            assert_eq!(value(&parsed, &xmr, Fact::Difficulty), dec("720000000007"));
            assert_eq!(value(&parsed, &xmr, Fact::NetworkHashrate), dec("6e9"));
            assert_eq!(value(&parsed, &xmr, Fact::BlockTime), dec("120"));
            assert_eq!(value(&parsed, &xmr, Fact::Height), dec("3700000"));
        }
    }

    #[test]
    fn what_is_no_success_is_the_services_error() {
        for body in [
            r#"{"status":"fail","message":"no node"}"#,
            r#"{"status":"error","data":null}"#,
            "{}",
        ] {
            let answer = parse_about(&MoneroExplorer, "networkinfo", "XMR", 200, body);
            assert!(
                matches!(answer, Err(SourceError::Service(_))),
                "{body}: {answer:?}"
            );
        }
        let test = r#"{"status":"success","data":{"testnet":true,"difficulty":7}}"#;
        let answer = parse_about(&MoneroExplorer, "networkinfo", "XMR", 200, test);
        assert!(matches!(answer, Err(SourceError::NotFound(_))));
    }

    #[test]
    fn the_pools_page_tells_the_last_blocks_reward() {
        let xmr = of_chain("XMR", "randomx");
        let ts = NOW - 30;
        let body = format!(
            r#"{{"difficulty":720000000007,"value":601000000002,"height":3700000,"ts":{ts}}}"#
        );
        let read = |body: &str| parse_about(&MoneroExplorer, "network_stats", "XMR", 200, body);
        let parsed = read(&body).expect("good");
        assert_eq!(
            value(&parsed, &xmr, Fact::BlockReward),
            dec("0.601000000002")
        );
        assert_eq!(value(&parsed, &xmr, Fact::Height), dec("3700000"));
        assert_eq!(value(&parsed, &xmr, Fact::TipTime), Some(ts.into()));
        let old = body.replace(&ts.to_string(), "1600000000");
        assert!(matches!(read(&old), Err(SourceError::Syncing(_))));
    }
}
