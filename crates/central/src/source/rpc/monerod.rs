//! monerod and the nodes that descend from it.
//!
//! Difficulty is in hashes, `reward` and `expected_reward` in the smallest unit
//! (1e-12 for Monero).
//!
//! Traps. Difficulty has 128 bits: `difficulty` holds the low 64, `wide_difficulty`
//! all of them in hex. A reward is subsidy *and* fees of that block. `height` of
//! `get_info` and of a template counts blocks and so is one more than the tip's;
//! `target_height` may lag behind it. "BUSY" and `synchronized: false` come with
//! status 200 and full figures; a node that was told to stay offline calls itself
//! synchronised at any height. A header says nothing of that nor of the network, so
//! headers are only asked for after a good `get_info`. The node's own login is Digest,
//! which is not spoken here: `key` is for a proxy before it.

use super::jsonrpc::{self, call, post};
use super::network::Network;
use crate::source::chain::{self, Endpoint, Flag, no_such_kind, push_tip};
use crate::source::number::shifted;
use crate::source::rows::{Maybe, Text};
use crate::source::{
    Answer, Budget, Catalog, Coin, Decimal, Fact, Num, Parsed, Request, Settings, Source,
    SourceError,
};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::time::Duration;

pub struct Monerod;

/// "Core is busy".
const SYNCING: &[i64] = &[-9];
/// Blocks that may be on their way.
const BEHIND: u64 = 2;
/// One block's fees jump about: its reward is told as the mean of this many, three
/// hours. A restricted node gives up to 1000 headers.
const BLOCKS: u64 = 100;
/// Fewer are no average, where it costs money.
const ENOUGH: usize = 24;
const NO_DIGEST: &str = "the node wants its own login (--rpc-login), which is HTTP Digest and not \
    spoken here: run monerod without it and with --rpc-restricted-bind-port, and give that port, or \
    put a proxy with a Basic login before it";

impl Source for Monerod {
    fn name(&self) -> &'static str {
        "monerod"
    }

    fn budget(&self) -> Budget {
        Budget {
            burst: 8,
            per_minute: 60.0,
        }
    }

    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        chain::endpoints(settings, catalog, Some("XMR"))
            .iter()
            .map(|node| ask(node, "get_info", &json!({}), 60))
            .collect()
    }

    /// Not a template: its reward has the fees of one moment, of which
    /// nobody knows how much a day will have.
    fn follow_up(&self, settings: &Settings, catalog: &Catalog, parsed: &Parsed) -> Vec<Request> {
        let ask = |node: &Endpoint<'_>| {
            let tip = chain::height(parsed, node.coin)?;
            // The first block of all paid by another rule.
            let oldest = tip.saturating_sub(BLOCKS - 1).max(1);
            let range = json!({"start_height": oldest, "end_height": tip});
            (oldest <= tip).then(|| ask(node, "get_block_headers_range", &range, 60))
        };
        chain::endpoints(settings, catalog, Some("XMR"))
            .iter()
            .filter_map(ask)
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
        let digest = |offer: &str| {
            offer
                .trim_start()
                .to_ascii_lowercase()
                .starts_with("digest")
        };
        if answer.status == 401 && answer.header("www-authenticate").is_some_and(digest) {
            return Err(SourceError::Key(NO_DIGEST.to_owned()));
        }
        let raw = jsonrpc::result(answer, SYNCING)?;
        all_is_well(&raw)?;
        match request.kind {
            "get_info" => info(&raw, coin, network),
            "get_last_block_header" => last_header(&raw, coin, (network, now)),
            "get_block_headers_range" => headers(&raw, coin, (network, now)),
            "get_block_template" => template(&raw, coin),
            // The price of a byte says nothing of what a block pays.
            "get_fee_estimate" => Ok(Parsed::default()),
            other => Err(no_such_kind(other)),
        }
        .map(|parsed| network.undated(parsed))
    }
}

fn ask(
    node: &Endpoint<'_>,
    method: &'static str,
    params: &serde_json::Value,
    seconds: u64,
) -> Request {
    let node = Endpoint {
        url: format!("{}/json_rpc", node.url),
        ..node.clone()
    };
    post(
        method,
        &node,
        &call(method, params),
        Duration::from_secs(seconds),
    )
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    status: Text,
}

fn all_is_well(raw: &RawValue) -> Result<(), SourceError> {
    let Status { status } = chain::shape(raw)?;
    match status.as_str() {
        "OK" => Ok(()),
        "BUSY" => Err(SourceError::Syncing("BUSY".to_owned())),
        "" => Err(SourceError::Malformed("no status".to_owned())),
        other => Err(SourceError::Service(crate::source::answer::excerpt(other))),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Figures {
    difficulty: Num,
    difficulty_top64: Num,
    wide_difficulty: Text,
    height: Num,
    timestamp: Num,
    reward: Num,
    expected_reward: Num,
    target_height: Num,
    synchronized: Flag,
    busy_syncing: Flag,
    offline: Flag,
    nettype: Text,
    mainnet: Flag,
    testnet: Flag,
    stagenet: Flag,
}

impl Figures {
    fn difficulty(&self) -> Option<Decimal> {
        Num::of_hex(self.wide_difficulty.as_str())
            .positive()
            .or_else(|| {
                let high = self.difficulty_top64.not_negative().unwrap_or_default();
                let whole = self.difficulty.not_negative()? + high * Decimal::from(1_u128 << 64);
                Num(Some(whole)).positive()
            })
    }

    /// The network's name; older nodes only have flags.
    fn network(&self) -> &str {
        let flags = [(self.testnet, "testnet"), (self.stagenet, "stagenet")];
        let flag = flags.iter().find(|(flag, _)| flag.0 == Some(true));
        match (self.nettype.as_str(), flag) {
            ("" | "mainnet", Some((_, name))) => name,
            ("" | "mainnet", None) if self.mainnet.0 == Some(false) => "another",
            (name, _) => name,
        }
    }

    /// Where the height counts blocks.
    fn tip(&self) -> Option<u64> {
        self.height.whole()?.checked_sub(1)
    }
}

fn info(raw: &RawValue, coin: &Coin, network: Network<'_>) -> Result<Parsed, SourceError> {
    let info: Figures = chain::shape(raw)?;
    network.named(info.network())?;
    // A private chain is where its only node is.
    let alone = info.offline.0 == Some(true) && !network.is_private();
    if alone || info.busy_syncing.0 == Some(true) || info.synchronized.0 == Some(false) {
        return Err(SourceError::Syncing("the node says so".to_owned()));
    }
    let height = info.height.whole().unwrap_or(0);
    let behind = info
        .target_height
        .whole()
        .unwrap_or(0)
        .saturating_sub(height);
    if behind > BEHIND {
        return Err(SourceError::Syncing(format!("{behind} blocks to go")));
    }
    let mut parsed = Parsed::default();
    push_tip(
        &mut parsed,
        &chain::only(coin)?,
        info.difficulty(),
        info.tip(),
        None,
    );
    Ok(parsed)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Header {
    block_header: Figures,
}

fn last_header(raw: &RawValue, coin: &Coin, when: When<'_>) -> Result<Parsed, SourceError> {
    let Header { block_header } = chain::shape(raw)?;
    let mut parsed = tip(&block_header, coin, when)?;
    let reward = shifted(block_header.reward.positive(), -coin.decimals);
    let at = block_header.timestamp.whole();
    parsed.push(&chain::only(coin)?, Fact::BlockReward, reward, at);
    Ok(parsed)
}

/// Where the node has to be, and what time it is.
type When<'a> = (Network<'a>, u64);

fn tip(header: &Figures, coin: &Coin, (network, now): When<'_>) -> Result<Parsed, SourceError> {
    let at = header.timestamp.whole();
    network.fresh(at, coin, now)?;
    let mut parsed = Parsed::default();
    let height = header.height.whole();
    push_tip(
        &mut parsed,
        &chain::only(coin)?,
        header.difficulty(),
        height,
        at,
    );
    Ok(parsed)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Headers {
    headers: Vec<Maybe<Figures>>,
}

fn headers(raw: &RawValue, coin: &Coin, when: When<'_>) -> Result<Parsed, SourceError> {
    let Headers { headers } = chain::shape(raw)?;
    let headers: Vec<Figures> = headers.into_iter().filter_map(|one| one.0).collect();
    let newest = headers.iter().max_by_key(|header| header.height.whole());
    let Some(newest) = newest else {
        return Err(SourceError::Malformed("no headers".to_owned()));
    };
    let mut parsed = tip(newest, coin, when)?;
    let rewards: Vec<Decimal> = headers
        .iter()
        .filter_map(|header| header.reward.positive())
        .collect();
    if rewards.len() < ENOUGH && !when.0.is_private() {
        let words = format!("rewards of {} blocks", rewards.len());
        parsed.leave_out(words, "too few for an average");
        return Ok(parsed);
    }
    let count = Decimal::from(rewards.len() as u64);
    let mean = chain::ratio(Some(rewards.iter().sum()), Some(count));
    let at = newest.timestamp.whole();
    let mean = shifted(mean, -coin.decimals);
    parsed.push(&chain::only(coin)?, Fact::BlockReward, mean, at);
    Ok(parsed)
}

fn template(raw: &RawValue, coin: &Coin) -> Result<Parsed, SourceError> {
    let template: Figures = chain::shape(raw)?;
    let mut parsed = Parsed::default();
    let subject = chain::only(coin)?;
    push_tip(
        &mut parsed,
        &subject,
        template.difficulty(),
        template.tip(),
        None,
    );
    let reward = shifted(template.expected_reward.positive(), -coin.decimals);
    parsed.push(&subject, Fact::BlockReward, reward, None);
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Subject;
    use crate::source::testing::{NOW, dec, of_chain, parse_about, parse_on, value};

    fn xmr() -> Subject {
        of_chain("XMR", "randomx")
    }

    fn read(kind: &'static str, result: &str) -> Result<Parsed, SourceError> {
        let body = format!(r#"{{"id":"x","jsonrpc":"2.0","result":{result}}}"#);
        parse_about(&Monerod, kind, "XMR", 200, &body)
    }

    #[test]
    fn difficulty_has_128_bits() {
        let two_to_64 = dec("18446744073709551616").expect("a number");
        for (figures, expected) in [
            (
                r#""difficulty":5,"difficulty_top64":0,"wide_difficulty":"0x5""#,
                dec("5"),
            ),
            (
                r#""difficulty":5,"difficulty_top64":1,"wide_difficulty":"0x10000000000000005""#,
                Some(&two_to_64 + Decimal::from(5)),
            ),
            (
                r#""difficulty":5,"difficulty_top64":1"#,
                Some(&two_to_64 + Decimal::from(5)),
            ),
            (
                r#""difficulty":0,"difficulty_top64":2,"wide_difficulty":"""#,
                Some(&two_to_64 * Decimal::from(2)),
            ),
            (
                r#""difficulty":"18446744073709551615""#,
                Some(&two_to_64 - Decimal::from(1)),
            ),
            (r#""difficulty":0"#, None),
            (r#""difficulty":-1"#, None),
        ] {
            let body = format!(r#"{{"status":"OK","height":11,{figures}}}"#);
            let parsed = read("get_info", &body).expect("good");
            assert_eq!(
                value(&parsed, &xmr(), Fact::Difficulty),
                expected,
                "{figures}"
            );
        }
    }

    #[test]
    fn height_is_the_tips_where_the_node_counts_blocks() {
        let info = r#"{"status":"OK","height":3000001,"target_height":2999990,"difficulty":7,"synchronized":true}"#;
        let parsed = read("get_info", info).expect("good");
        assert_eq!(value(&parsed, &xmr(), Fact::Height), dec("3000000"));
        let template =
            r#"{"status":"OK","height":3000001,"difficulty":7,"expected_reward":612000000001}"#;
        let parsed = read("get_block_template", template).expect("good");
        assert_eq!(value(&parsed, &xmr(), Fact::Height), dec("3000000"));
        assert_eq!(
            value(&parsed, &xmr(), Fact::BlockReward),
            dec("0.612000000001")
        );
    }

    #[test]
    fn a_header_has_height_time_and_a_reward_with_fees() {
        let header = |time: u64| {
            format!(
                r#"{{"status":"OK","block_header":{{"height":3000000,"timestamp":{time},"difficulty":7,"reward":600000000123}}}}"#
            )
        };
        let parsed = read("get_last_block_header", &header(NOW - 90)).expect("good");
        assert_eq!(value(&parsed, &xmr(), Fact::Height), dec("3000000"));
        assert_eq!(
            value(&parsed, &xmr(), Fact::TipTime),
            Some((NOW - 90).into())
        );
        assert_eq!(
            value(&parsed, &xmr(), Fact::BlockReward),
            dec("0.600000000123")
        );
        let old = read("get_last_block_header", &header(NOW - 2_500));
        assert!(matches!(old, Err(SourceError::Syncing(_))), "{old:?}");
    }

    #[test]
    fn a_node_that_catches_up_tells_nothing_with_status_200() {
        for body in [
            r#"{"status":"BUSY"}"#,
            r#"{"status":"OK","height":5,"difficulty":7,"synchronized":false}"#,
            r#"{"status":"OK","height":5,"difficulty":7,"busy_syncing":true}"#,
            r#"{"status":"OK","height":5,"difficulty":7,"target_height":8}"#,
            r#"{"status":"OK","height":5,"difficulty":7,"synchronized":true,"offline":true}"#,
        ] {
            let answer = read("get_info", body);
            assert!(matches!(answer, Err(SourceError::Syncing(_))), "{answer:?}");
        }
        let busy = r#"{"error":{"code":-9,"message":"Core is busy"}}"#;
        let answer = parse_about(&Monerod, "get_block_template", "XMR", 200, busy);
        assert!(matches!(answer, Err(SourceError::Syncing(_))));
        let answer = read("get_info", r#"{"status":"PAYMENT REQUIRED"}"#);
        assert!(matches!(answer, Err(SourceError::Service(_))));
        let answer = read(
            "get_info",
            r#"{"status":"OK","nettype":"stagenet","difficulty":7}"#,
        );
        assert!(matches!(answer, Err(SourceError::NotFound(_))));
    }

    #[test]
    fn the_price_of_a_byte_is_no_observation() {
        let answer = read("get_fee_estimate", r#"{"status":"OK","fee":20000}"#);
        assert_eq!(answer, Ok(Parsed::default()));
    }

    #[test]
    fn headers_are_asked_for_once_the_node_is_known_to_be_well() {
        let settings = Settings {
            url: Some("http://node:18081".to_owned()),
            ..Settings::default()
        };
        let first = Monerod.requests(&settings, Catalog::built_in());
        assert_eq!((first.len(), first[0].kind), (1, "get_info"));
        assert_eq!(first[0].url, "http://node:18081/json_rpc");
        let ask = |settings: &Settings, height: Option<u64>| {
            let mut parsed = Parsed::default();
            let height = height.map(Decimal::from);
            parsed.push(&xmr(), Fact::Height, height, None);
            Monerod.follow_up(settings, Catalog::built_in(), &parsed)
        };
        assert_eq!(ask(&settings, None), []);
        assert_eq!(ask(&settings, Some(0)), []);
        let range = |height| {
            ask(&settings, Some(height))[0]
                .body
                .clone()
                .expect("a POST")
        };
        assert!(range(3_000_000).contains(r#"{"end_height":3000000,"start_height":2999901}"#));
        assert!(range(5).contains(r#"{"end_height":5,"start_height":1}"#));
    }

    #[test]
    fn a_reward_is_the_mean_of_many_and_the_tip_the_newest() {
        let headers = |count: u64| {
            let one = |n: u64| {
                format!(
                    r#"{{"height":{},"timestamp":{},"difficulty":{},"reward":{}}}"#,
                    3_000_000 - n,
                    NOW - 90 - n,
                    700 - n,
                    600_000_000_000 + n * 1_000_000_000
                )
            };
            let all: Vec<String> = (0..count).map(one).collect();
            format!(r#"{{"status":"OK","headers":[{},7]}}"#, all.join(","))
        };
        let read = |network, count| {
            let body = format!(r#"{{"result":{}}}"#, headers(count));
            parse_on(&Monerod, "get_block_headers_range", "XMR", network, &body)
        };
        let parsed = read(None, 25).expect("good");
        assert_eq!(value(&parsed, &xmr(), Fact::BlockReward), dec("0.612"));
        assert_eq!(value(&parsed, &xmr(), Fact::Height), dec("3000000"));
        assert_eq!(value(&parsed, &xmr(), Fact::Difficulty), dec("700"));
        assert_eq!(parsed.observations[0].at, Some(NOW - 90));
        let few = read(None, 3).expect("good");
        assert_eq!(value(&few, &xmr(), Fact::BlockReward), None);
        let few = read(Some("fakechain"), 3).expect("good");
        assert_eq!(value(&few, &xmr(), Fact::BlockReward), dec("0.601"));
        assert_eq!(few.observations[0].at, None);
        assert!(matches!(read(None, 0), Err(SourceError::Malformed(_))));
    }

    #[test]
    fn a_private_chain_may_be_alone_and_has_to_be_the_named_one() {
        let info = |more: &str| {
            let body =
                format!(r#"{{"result":{{"status":"OK","height":5,"difficulty":7,{more}}}}}"#);
            move |network| parse_on(&Monerod, "get_info", "XMR", network, &body)
        };
        let alone = info(r#""nettype":"fakechain","mainnet":false,"offline":true"#);
        let parsed = alone(Some("fakechain")).expect("good");
        assert_eq!(value(&parsed, &xmr(), Fact::Height), dec("4"));
        for network in [None, Some("stagenet"), Some("regtest")] {
            let answer = alone(network);
            assert!(
                matches!(answer, Err(SourceError::NotFound(_))),
                "{answer:?}"
            );
        }
        let main = info(r#""nettype":"mainnet","mainnet":true"#);
        assert!(main(None).is_ok());
        assert!(matches!(
            main(Some("fakechain")),
            Err(SourceError::NotFound(_))
        ));
        let old = info(r#""mainnet":false,"stagenet":true"#);
        assert!(old(Some("stagenet")).is_ok());
        assert!(old(None).is_err());
        let busy = info(r#""nettype":"stagenet","busy_syncing":true"#);
        assert!(matches!(
            busy(Some("stagenet")),
            Err(SourceError::Syncing(_))
        ));
    }

    #[test]
    fn a_login_that_is_not_spoken_says_what_to_do() {
        let offer = r#"Digest qop="auth",algorithm=MD5,realm="monero-rpc",nonce="x",stale=false"#;
        let headers = [("www-authenticate".to_owned(), offer.to_owned())];
        let request = ask(
            &Endpoint {
                coin: Catalog::built_in().coin("XMR").expect("there"),
                url: String::new(),
                key: None,
                network: None,
            },
            "get_info",
            &json!({}),
            60,
        );
        let answer = Answer {
            status: 401,
            headers: &headers,
            body: b"<html>",
        };
        let said = Monerod.parse(&request, &answer, Catalog::built_in(), NOW);
        assert_eq!(said, Err(SourceError::Key(NO_DIGEST.to_owned())));
    }
}
