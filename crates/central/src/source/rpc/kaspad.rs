//! kaspad, through a bridge: the node speaks gRPC and WebSockets, and expects
//! something in between that takes its JSON over HTTP.
//!
//! Difficulty is *half* the hashes of a block, `networkHashesPerSecond` hashes per
//! second, `pastMedianTime` milliseconds; whole numbers of 64 bits are texts in one
//! transport and numbers in the other.
//!
//! Traps. There are many blocks a second, so "height" is the DAA score; `blockCount`
//! is what the node has not pruned. `pastMedianTime` lies minutes behind the newest
//! block and is no tip time.

use super::jsonrpc::post;
use super::network::Network;
use crate::source::answer::excerpt;
use crate::source::chain::{self, no_such_kind, push_rate};
use crate::source::rows::Text;
use crate::source::{
    Answer, Budget, Catalog, Coin, Decimal, Fact, Num, Parsed, Request, Settings, Source,
    SourceError,
};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::time::Duration;

pub struct Kaspad;

const EVERY: Duration = Duration::from_secs(60);

impl Source for Kaspad {
    fn name(&self) -> &'static str {
        "kaspad"
    }

    fn budget(&self) -> Budget {
        Budget {
            burst: 8,
            per_minute: 60.0,
        }
    }

    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        let dag = json!({"getBlockDagInfoRequest": {}});
        chain::endpoints(settings, catalog, Some("KAS"))
            .iter()
            .map(|node| post("getBlockDagInfo", node, &dag, EVERY))
            .collect()
    }

    /// A rate says neither of which network nor of which day it is.
    fn follow_up(&self, settings: &Settings, catalog: &Catalog, parsed: &Parsed) -> Vec<Request> {
        let window = json!({"windowSize": 1000, "startHash": ""});
        let rate = json!({"estimateNetworkHashesPerSecondRequest": window});
        chain::endpoints(settings, catalog, Some("KAS"))
            .iter()
            .filter(|node| chain::tells_of(parsed, node.coin))
            .map(|node| post("estimateNetworkHashesPerSecond", node, &rate, EVERY))
            .collect()
    }

    fn parse(
        &self,
        request: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        now: u64,
    ) -> Result<Parsed, SourceError> {
        let coin = chain::coin(&request.about, catalog)?;
        let network = Network::of(request);
        let raw = opened(answer, request.kind)?;
        match request.kind {
            "getBlockDagInfo" => dag_info(&raw, coin, catalog, (network, now)),
            "estimateNetworkHashesPerSecond" => rate(&raw, coin),
            other => Err(no_such_kind(other)),
        }
        .map(|parsed| network.undated(parsed))
    }
}

/// The response without what it is wrapped in.
fn opened(answer: &Answer<'_>, kind: &str) -> Result<Box<RawValue>, SourceError> {
    let mut fields: BTreeMap<String, Box<RawValue>> = chain::object(answer)?;
    let inner = fields
        .remove(&format!("{kind}Response"))
        .or_else(|| fields.remove("params"));
    // WebSockets put an error beside the response, gRPC into it.
    let error = fields.remove("error");
    let raw: Box<RawValue> = match inner {
        Some(raw) => raw,
        None => answer.json()?,
    };
    let inside = chain::shape::<Failed>(&raw)
        .ok()
        .and_then(|failed| failed.error);
    match error.or(inside).filter(|error| error.get() != "null") {
        Some(error) => Err(SourceError::Service(words(&error))),
        None => Ok(raw),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Failed {
    error: Option<Box<RawValue>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    message: String,
}

fn words(error: &RawValue) -> String {
    let message = chain::shape::<Message>(error).map(|message| message.message);
    excerpt(&message.unwrap_or_else(|_| error.get().to_owned()))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DagInfo {
    #[serde(alias = "network")]
    #[serde(rename = "networkName")]
    network_name: Text,
    difficulty: Num,
    #[serde(rename = "pastMedianTime")]
    past_median_time: Num,
    #[serde(rename = "virtualDaaScore")]
    virtual_daa_score: Num,
}

/// Also what the public REST service passes on.
pub(super) fn dag_info(
    raw: &RawValue,
    coin: &Coin,
    catalog: &Catalog,
    (network, now): (Network<'_>, u64),
) -> Result<Parsed, SourceError> {
    let info: DagInfo = chain::shape(raw)?;
    network.named(info.network_name.as_str())?;
    let at = info.past_median_time.whole().map(|ms| ms / 1000);
    network.fresh(at, coin, now)?;
    let subject = chain::only(coin)?;
    let mut parsed = Parsed::default();
    let Some(difficulty) = info.difficulty.positive() else {
        return Ok(parsed);
    };
    let work = coin
        .only_algorithm()
        .and_then(|algorithm| catalog.hashes_per_difficulty(algorithm))
        .and_then(chain::decimal);
    let block_time = chain::decimal(coin.block_time);
    let rate = chain::ratio(work.map(|work| work * &difficulty), block_time.clone());
    let score = info.virtual_daa_score.whole().map(Decimal::from);
    parsed.push(&subject, Fact::Difficulty, Some(difficulty), at);
    parsed.push(&subject, Fact::Height, score, at);
    push_rate(&mut parsed, &subject, rate, block_time, at);
    Ok(parsed)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rate {
    #[serde(rename = "networkHashesPerSecond")]
    network_hashes_per_second: Num,
}

fn rate(raw: &RawValue, coin: &Coin) -> Result<Parsed, SourceError> {
    let rate: Rate = chain::shape(raw)?;
    let mut parsed = Parsed::default();
    let rate = rate.network_hashes_per_second.positive();
    push_rate(&mut parsed, &chain::only(coin)?, rate, None, None);
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Subject;
    use crate::source::testing::{NOW, dec, of_chain, parse_about, parse_on, value};

    fn kas() -> Subject {
        of_chain("KAS", "kheavyhash")
    }

    fn dag(network: &str) -> String {
        let ms = (NOW - 150) * 1000 + 516;
        format!(
            r#"{{"networkName":"{network}","blockCount":"15","difficulty":2.5e16,"pastMedianTime":"{ms}","virtualDaaScore":"400000000"}}"#
        )
    }

    #[test]
    fn the_rate_is_twice_the_difficulty_for_each_block_of_a_second() {
        let ms = (NOW - 150) * 1000;
        let wrpc = format!(
            r#"{{"id":1,"params":{{"network":"mainnet","difficulty":2.5e16,"pastMedianTime":{ms},"virtualDaaScore":400000000}}}}"#
        );
        let grpc = format!(r#"{{"getBlockDagInfoResponse":{}}}"#, dag("kaspa-mainnet"));
        for body in [grpc, wrpc, dag("kaspa-mainnet")] {
            let parsed = parse_about(&Kaspad, "getBlockDagInfo", "KAS", 200, &body).expect("good");
            assert_eq!(value(&parsed, &kas(), Fact::Difficulty), dec("2.5e16"));
            assert_eq!(value(&parsed, &kas(), Fact::NetworkHashrate), dec("5e17"));
            assert_eq!(value(&parsed, &kas(), Fact::BlockTime), dec("0.1"));
            assert_eq!(value(&parsed, &kas(), Fact::Height), dec("400000000"));
            // It lags too much to stand for the newest block.
            assert_eq!(value(&parsed, &kas(), Fact::TipTime), None);
            assert_eq!(parsed.observations[0].at, Some(NOW - 150));
        }
    }

    #[test]
    fn the_rate_is_asked_for_once_the_network_is_known() {
        let settings = Settings {
            url: Some("http://bridge:17110".to_owned()),
            ..Settings::default()
        };
        let first = Kaspad.requests(&settings, Catalog::built_in());
        assert_eq!((first.len(), first[0].kind), (1, "getBlockDagInfo"));
        let further = |parsed: &Parsed| Kaspad.follow_up(&settings, Catalog::built_in(), parsed);
        assert_eq!(further(&Parsed::default()), []);
        let test = "kaspa-testnet-10";
        let body = dag(test).replace("\"1699999850516\"", "\"1600000000000\"");
        let read = |network| parse_on(&Kaspad, "getBlockDagInfo", "KAS", network, &body);
        let parsed = read(Some(test)).expect("the named network, at rest");
        assert_eq!(further(&parsed)[0].kind, "estimateNetworkHashesPerSecond");
        for network in [None, Some("kaspa-devnet")] {
            assert!(matches!(read(network), Err(SourceError::NotFound(_))));
        }
    }

    #[test]
    fn another_network_and_an_old_view_are_errors() {
        let answer = |body: &str| parse_about(&Kaspad, "getBlockDagInfo", "KAS", 200, body);
        assert!(matches!(
            answer(&dag("kaspa-testnet-10")),
            Err(SourceError::NotFound(_))
        ));
        let old = dag("kaspa-mainnet").replace("1699999850516", "1699990000000");
        assert!(matches!(answer(&old), Err(SourceError::Syncing(_))));
    }

    #[test]
    fn whole_numbers_are_texts_or_numbers_and_errors_stand_in_or_beside() {
        let kind = "estimateNetworkHashesPerSecond";
        let read = |body: &str| parse_about(&Kaspad, kind, "KAS", 200, body);
        for value_ in ["\"319000000000000001\"", "319000000000000001"] {
            let body = format!(
                r#"{{"estimateNetworkHashesPerSecondResponse":{{"networkHashesPerSecond":{value_},"error":null}}}}"#
            );
            let parsed = read(&body).expect("good");
            assert_eq!(
                value(&parsed, &kas(), Fact::NetworkHashrate),
                dec("319000000000000001")
            );
        }
        let said = Err(SourceError::Service("too large a window".to_owned()));
        let inside = r#"{"estimateNetworkHashesPerSecondResponse":{"error":{"message":"too large a window"}}}"#;
        assert_eq!(read(inside), said);
        assert_eq!(
            read(r#"{"id":1,"error":{"message":"too large  a window"}}"#),
            said
        );
    }
}
