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
//! synchronised at any height, and a template says nothing of either. The node's own
//! login is Digest, which is not spoken here: `key` is for a proxy before it.

use super::jsonrpc::{self, call, post};
use crate::source::chain::{self, Endpoint, Flag, fresh, no_such_kind, push_tip};
use crate::source::number::shifted;
use crate::source::rows::Text;
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

    /// A template is asked for only if `more["wallet.<COIN>"]` says whose it is.
    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        let mut requests = Vec::new();
        for node in chain::endpoints(settings, catalog, Some("XMR")) {
            requests.push(ask(&node, "get_info", &json!({}), 60));
            requests.push(ask(&node, "get_last_block_header", &json!({}), 60));
            if let Some(wallet) = settings.more.get(&format!("wallet.{}", node.coin.id)) {
                let params = json!({"wallet_address": wallet, "reserve_size": 8});
                requests.push(ask(&node, "get_block_template", &params, 120));
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
        let raw = jsonrpc::result(answer, SYNCING)?;
        all_is_well(&raw)?;
        match request.kind {
            "get_info" => info(&raw, coin),
            "get_last_block_header" => header(&raw, coin, now),
            "get_block_template" => template(&raw, coin),
            // The price of a byte says nothing of what a block pays.
            "get_fee_estimate" => Ok(Parsed::default()),
            other => Err(no_such_kind(other)),
        }
    }
}

fn ask(
    node: &Endpoint<'_>,
    method: &'static str,
    params: &serde_json::Value,
    seconds: u64,
) -> Request {
    post(
        method,
        &node.coin.id,
        format!("{}/json_rpc", node.url),
        node.key.as_deref(),
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

    /// Where the height counts blocks.
    fn tip(&self) -> Option<u64> {
        self.height.whole()?.checked_sub(1)
    }
}

fn info(raw: &RawValue, coin: &Coin) -> Result<Parsed, SourceError> {
    let info: Figures = chain::shape(raw)?;
    if !matches!(info.nettype.as_str(), "" | "mainnet") || info.mainnet.0 == Some(false) {
        return Err(chain::other_network(info.nettype.as_str()));
    }
    let unsure = [info.busy_syncing.0, info.offline.0].contains(&Some(true));
    if unsure || info.synchronized.0 == Some(false) {
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

fn header(raw: &RawValue, coin: &Coin, now: u64) -> Result<Parsed, SourceError> {
    let Header { block_header } = chain::shape(raw)?;
    let at = block_header.timestamp.whole();
    fresh(at, coin, now)?;
    let mut parsed = Parsed::default();
    let subject = chain::only(coin)?;
    let height = block_header.height.whole();
    push_tip(&mut parsed, &subject, block_header.difficulty(), height, at);
    let reward = shifted(block_header.reward.positive(), -coin.decimals);
    parsed.push(&subject, Fact::BlockReward, reward, at);
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
    use crate::source::testing::{NOW, dec, of_chain, parse_about, value};

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
    fn a_template_needs_to_know_whose_it_is() {
        let mut settings = Settings {
            url: Some("http://node:18081".to_owned()),
            ..Settings::default()
        };
        let ask = |settings: &Settings| Monerod.requests(settings, Catalog::built_in());
        assert_eq!(ask(&settings).len(), 2);
        assert_eq!(ask(&settings)[0].url, "http://node:18081/json_rpc");
        settings
            .more
            .insert("wallet.XMR".to_owned(), "4abc".to_owned());
        assert_eq!(ask(&settings).len(), 3);
    }
}
