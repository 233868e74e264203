//! bitcoind and what descends from it: Core, Litecoin, Dogecoin, DigiByte, Komodo.
//!
//! Rates are hashes (or solutions) per second over 120 blocks, difficulty is of
//! 2^32 hashes, `subsidy`, `totalfee` and `coinbasevalue` are in the smallest unit.
//!
//! Traps. While it catches up, or on a test network, a node answers all this about
//! other blocks, and only `getblockchaininfo` tells: so it is asked in one body with
//! `getmininginfo`, and whatever cannot be in that body is asked after it.
//! `time` of the tip is new; older nodes have only the median of eleven blocks. The
//! plain `difficulty` of DigiByte is that of the one algorithm the node is set to.
//! Where blocks are allowed to be easy (Komodo's notaries) difficulty and rate do
//! not belong together. zcashd turns the sense of "downloading" round.

mod block;
mod fees;
mod state;

pub(super) use state::{chain_info, mining_info};

use super::jsonrpc::{self, Reply, call, post};
use super::network::Network;
use crate::source::chain::{self, no_such_kind};
use crate::source::{
    Answer, Budget, Catalog, Coin, Parsed, Request, Settings, Source, SourceError,
};
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::time::Duration;

pub struct Bitcoind;

/// No peers, and still downloading: both mean old blocks.
const SYNCING: &[i64] = &[-9, -10];
/// A private chain need not have peers.
const PRIVATE_SYNCING: &[i64] = &[-10];

impl Source for Bitcoind {
    fn name(&self) -> &'static str {
        "bitcoind"
    }

    /// Ours to use: it has a queue of 16 calls.
    fn budget(&self) -> Budget {
        Budget {
            burst: 8,
            per_minute: 60.0,
        }
    }

    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        chain::endpoints(settings, catalog, None)
            .iter()
            .map(state)
            .collect()
    }

    fn follow_up(&self, settings: &Settings, catalog: &Catalog, parsed: &Parsed) -> Vec<Request> {
        let mut requests = Vec::new();
        for node in chain::endpoints(settings, catalog, None) {
            let told = chain::tells_of(parsed, node.coin);
            if told && node.coin.only_algorithm().is_some() {
                // A node takes no notice of rules that it does not know.
                let rules = json!([{"rules": ["segwit", "mweb"]}]);
                requests.push(post(
                    "getblocktemplate",
                    &node,
                    &call("getblocktemplate", &rules),
                    Duration::from_secs(600),
                ));
            }
            let height = chain::height(parsed, node.coin);
            requests.extend(height.map(|height| fees::ask(&node, height)));
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
        parse(request, answer, catalog, now, read)
    }
}

/// All that is true of one moment, in one body.
pub(super) fn state(node: &chain::Endpoint<'_>) -> Request {
    post(
        "state",
        node,
        &json!([
            call("getblockchaininfo", &json!([])),
            call("getmininginfo", &json!([])),
        ]),
        Duration::from_secs(60),
    )
}

/// What a result is read with.
pub(super) struct Context<'a> {
    pub coin: &'a Coin,
    pub catalog: &'a Catalog,
    pub network: Network<'a>,
    pub now: u64,
}

pub(super) type Reader = fn(&str, &RawValue, &Context<'_>, &mut Parsed) -> Result<(), SourceError>;

pub(super) fn parse(
    request: &Request,
    answer: &Answer<'_>,
    catalog: &Catalog,
    now: u64,
    reader: Reader,
) -> Result<Parsed, SourceError> {
    let coin = chain::coin(&request.about, catalog)?;
    let network = Network::of(request);
    let context = Context {
        coin,
        catalog,
        network,
        now,
    };
    let syncing = if network.is_private() {
        PRIVATE_SYNCING
    } else {
        SYNCING
    };
    let mut parsed = Parsed::default();
    match request.kind {
        "state" => state_of_now(
            jsonrpc::results(answer, syncing)?,
            &context,
            reader,
            &mut parsed,
        )?,
        "fees" => fees::read(jsonrpc::results(answer, syncing)?, &context, &mut parsed)?,
        kind => reader(
            kind,
            &jsonrpc::result(answer, syncing)?,
            &context,
            &mut parsed,
        )?,
    }
    Ok(network.undated(parsed))
}

fn state_of_now(
    mut replies: Vec<Reply>,
    context: &Context<'_>,
    reader: Reader,
    parsed: &mut Parsed,
) -> Result<(), SourceError> {
    replies.sort_by_key(|reply| reply.method != "getblockchaininfo");
    if replies.is_empty() {
        return Err(SourceError::Malformed("no replies".to_owned()));
    }
    for reply in replies {
        match reply.result {
            Ok(raw) => reader(&reply.method, &raw, context, parsed)?,
            // Without this one nobody knows whether the rest is of today.
            Err(error) if reply.method == "getblockchaininfo" => return Err(error),
            Err(error @ SourceError::Syncing(_)) => return Err(error),
            Err(error) => {
                parsed.leave_out(format!("{}: {error}", reply.method), "the call failed");
            }
        }
    }
    first_of_each(parsed);
    Ok(())
}

/// `getmininginfo` repeats what `getblockchaininfo` said with a time.
fn first_of_each(parsed: &mut Parsed) {
    let mut seen = BTreeSet::new();
    parsed
        .observations
        .retain(|one| seen.insert((one.subject.clone(), one.fact)));
}

fn read(
    method: &str,
    raw: &RawValue,
    context: &Context<'_>,
    parsed: &mut Parsed,
) -> Result<(), SourceError> {
    match method {
        "getblockchaininfo" => chain_info(raw, context, parsed),
        "getmininginfo" => mining_info(raw, context, parsed),
        "getnetworkhashps" => state::network_rate(raw, context, parsed),
        "getblockstats" => block::stats(raw, context, parsed),
        "getblocktemplate" => block::template(raw, context, parsed),
        other => Err(no_such_kind(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::{NOW, dec, of_chain, parse_about, parse_on, unmapped, value};
    use crate::source::{Fact, Subject};

    fn btc() -> Subject {
        of_chain("BTC", "sha256d")
    }

    fn read(kind: &'static str, coin: &str, result: &str) -> Result<Parsed, SourceError> {
        let body = format!(r#"{{"result":{result},"error":null,"id":"{kind}"}}"#);
        parse_about(&Bitcoind, kind, coin, 200, &body)
    }

    fn chain_info(more: &str) -> String {
        let time = NOW - 700;
        format!(
            r#"{{"chain":"main","blocks":800002,"headers":800003,"difficulty":5.5e13,"time":{time}{more}}}"#
        )
    }

    #[test]
    fn one_body_asks_for_what_is_true_of_one_moment() {
        let settings = Settings {
            url: Some("http://127.0.0.1:8332/".to_owned()),
            key: Some("user:password".to_owned()),
            about: vec!["BTC".to_owned()],
            ..Settings::default()
        };
        let requests = Bitcoind.requests(&settings, Catalog::built_in());
        let kinds: Vec<_> = requests.iter().map(|request| request.kind).collect();
        // A template of a test network does not say that it is one.
        assert_eq!(kinds, ["state"]);
        let body = requests[0].body.as_deref().expect("a POST");
        assert!(
            body.starts_with('[') && body.contains("getmininginfo"),
            "{body}"
        );
        assert_eq!(requests[0].url, "http://127.0.0.1:8332");
        assert!(
            Bitcoind
                .requests(&Settings::default(), Catalog::built_in())
                .is_empty()
        );
    }

    #[test]
    fn difficulty_stands_with_its_height_and_time() {
        let body = format!(
            r#"[{{"id":"getmininginfo","result":{{"blocks":800002,"difficulty":5.5e13,"networkhashps":4e20}}}},
                {{"id":"getblockchaininfo","result":{}}}]"#,
            chain_info("")
        );
        let parsed = parse_about(&Bitcoind, "state", "BTC", 200, &body).expect("good");
        assert_eq!(value(&parsed, &btc(), Fact::Difficulty), dec("5.5e13"));
        assert_eq!(value(&parsed, &btc(), Fact::Height), dec("800002"));
        assert_eq!(
            value(&parsed, &btc(), Fact::TipTime),
            Some((NOW - 700).into())
        );
        assert_eq!(value(&parsed, &btc(), Fact::NetworkHashrate), dec("4e20"));
        assert_eq!(parsed.observations[0].at, Some(NOW - 700));
    }

    #[test]
    fn a_node_that_catches_up_tells_nothing_at_all() {
        let old = format!(r#","mediantime":{}"#, NOW - 100_000);
        let syncing = [
            chain_info(r#","initialblockdownload":true"#),
            chain_info(r#","initialblockdownload":"true""#),
            chain_info(r#","initial_block_download_complete":false"#),
            chain_info(r#","estimatedheight":800099"#),
            chain_info("").replace("800003", "800005"),
            chain_info("").replace(&format!("{}", NOW - 700), "1600000000"),
            chain_info(&old).replace("\"time\"", "\"other\""),
        ];
        for info in syncing {
            let alone = read("getblockchaininfo", "BTC", &info);
            assert!(
                matches!(alone, Err(SourceError::Syncing(_))),
                "{info}: {alone:?}"
            );
            let body = format!(
                r#"[{{"id":"getblockchaininfo","result":{info}}},
                    {{"id":"getmininginfo","result":{{"networkhashps":4e20}}}}]"#
            );
            let both = parse_about(&Bitcoind, "state", "BTC", 200, &body);
            assert!(matches!(both, Err(SourceError::Syncing(_))), "{both:?}");
        }
        for code in [-28, -10, -9] {
            let body = format!(r#"{{"result":null,"error":{{"code":{code},"message":"wait"}}}}"#);
            let answer = parse_about(&Bitcoind, "state", "BTC", 500, &body);
            assert!(matches!(answer, Err(SourceError::Syncing(_))), "{answer:?}");
        }
    }

    #[test]
    fn one_call_that_fails_does_not_take_the_other_along() {
        let failed = r#"{"id":"getmininginfo","error":{"code":-32601,"message":"gone"}}"#;
        let body = format!(
            r#"[{{"id":"getblockchaininfo","result":{}}},{failed}]"#,
            chain_info("")
        );
        let parsed = parse_about(&Bitcoind, "state", "BTC", 200, &body).expect("good");
        assert_eq!(value(&parsed, &btc(), Fact::Height), dec("800002"));
        assert_eq!(parsed.unmapped[0].why, "the call failed");
        // But not the other way round.
        let body = body.replace("getmininginfo", "getblockchaininfo");
        let answer = parse_about(&Bitcoind, "state", "BTC", 200, &body);
        assert!(matches!(answer, Err(SourceError::Service(_))), "{answer:?}");
    }

    #[test]
    fn a_test_network_tells_nothing_of_the_coin() {
        for info in [r#"{"chain":"test","difficulty":7}"#, r#"{"testnet":true}"#] {
            let answer = read("getmininginfo", "BTC", info);
            assert!(
                matches!(answer, Err(SourceError::NotFound(_))),
                "{answer:?}"
            );
        }
    }

    #[test]
    fn a_private_chain_rests_and_is_still_the_named_one() {
        let state = |network, info: &str| {
            let body = format!(r#"{{"result":{info}}}"#);
            parse_on(&Bitcoind, "getblockchaininfo", "BTC", network, &body)
        };
        let resting = r#"{"chain":"regtest","blocks":9,"headers":9,"difficulty":4.6e-10,"time":1600000000,"initialblockdownload":true}"#;
        let parsed = state(Some("regtest"), resting).expect("good");
        assert_eq!(value(&parsed, &btc(), Fact::Difficulty), dec("4.6e-10"));
        assert_eq!(value(&parsed, &btc(), Fact::TipTime), dec("1600000000"));
        // It is true now, however old the tip.
        assert_eq!(parsed.observations[0].at, None);
        let unnamed = resting.replace(r#""chain":"regtest","#, "");
        for (network, info) in [
            (None, resting),
            (Some("signet"), resting),
            (Some("regtest"), &unnamed),
        ] {
            let answer = state(network, info);
            assert!(
                matches!(answer, Err(SourceError::NotFound(_))),
                "{answer:?}"
            );
        }
        let main = state(Some("regtest"), &chain_info(""));
        assert!(matches!(main, Err(SourceError::NotFound(_))), "{main:?}");
        // What the flag or the headers say of blocks to come still counts.
        for (from, to) in [
            ("\"headers\":9", "\"headers\":12"),
            ("\"blocks\":9", "\"blocks\":0"),
        ] {
            let answer = state(Some("regtest"), &resting.replace(from, to));
            assert!(matches!(answer, Err(SourceError::Syncing(_))), "{answer:?}");
        }
        let alone = r#"{"error":{"code":-9,"message":"not connected"}}"#;
        let answer = parse_on(&Bitcoind, "getblocktemplate", "BTC", Some("regtest"), alone);
        assert!(matches!(answer, Err(SourceError::Service(_))), "{answer:?}");
    }

    #[test]
    fn several_algorithms_have_a_difficulty_each_and_the_plain_one_is_nobodys() {
        for info in [
            r#"{"blocks":9,"difficulty":70.5,"difficulty_scrypt":70.5,"difficulty_odo":3,
                "difficulty_groestl":4,"difficulty_skein":0,"pow_algo":"scrypt"}"#,
            r#"{"blocks":9,"difficulty":70.5,
                "difficulties":{"scrypt":70.5,"odo":3,"groestl":4,"skein":0},
                "networkhashesps":{"scrypt":5e12},"networkhashps":8}"#,
        ] {
            let parsed = read("getmininginfo", "DGB", info).expect("good");
            let of = |algorithm| value(&parsed, &of_chain("DGB", algorithm), Fact::Difficulty);
            assert_eq!(of("scrypt"), dec("70.5"));
            assert_eq!(of("odocrypt"), dec("3"));
            assert_eq!(of("skein"), None);
            assert_eq!(of("sha256d"), None);
            let height = value(&parsed, &of_chain("DGB", "odocrypt"), Fact::Height);
            assert_eq!(height, dec("9"));
            assert_eq!(
                unmapped(&parsed),
                [("groestl", "no algorithm of this coin")]
            );
        }
        let answer = read("getnetworkhashps", "DGB", "5");
        assert!(matches!(answer, Err(SourceError::NotFound(_))));
    }

    #[test]
    fn a_difficulty_that_cannot_give_the_rate_is_left_out() {
        let info = r#"{"blocks":5,"difficulty":4e7,"networksolps":1.1e7,"networkhashps":3}"#;
        let parsed = read("getmininginfo", "ZEC", info).expect("good");
        let zec = of_chain("ZEC", "equihash-200-9");
        assert_eq!(value(&parsed, &zec, Fact::Difficulty), None);
        assert_eq!(value(&parsed, &zec, Fact::NetworkHashrate), dec("1.1e7"));
    }

    #[test]
    fn a_bad_field_is_absent_and_the_rest_counts() {
        for bad in ["0", "-1", "null", "\"NaN\"", "{\"proof-of-work\":3}", "[]"] {
            let info =
                format!(r#"{{"chain":7,"blocks":5,"difficulty":{bad},"networkhashps":"4e20"}}"#);
            let info = info.replace("\"chain\":7", "\"chain\":\"\"");
            let parsed = read("getmininginfo", "BTC", &info).expect("good");
            assert_eq!(value(&parsed, &btc(), Fact::Difficulty), None, "{bad}");
            assert_eq!(value(&parsed, &btc(), Fact::NetworkHashrate), dec("4e20"));
            let info = format!(r#"{{"blocks":5,"difficulty":5.5e13,"networkhashps":{bad}}}"#);
            let parsed = read("getmininginfo", "BTC", &info).expect("good");
            assert_eq!(value(&parsed, &btc(), Fact::Height), dec("5"));
            assert_eq!(value(&parsed, &btc(), Fact::NetworkHashrate), None, "{bad}");
        }
        for none in ["0", "-1"] {
            let parsed = read("getnetworkhashps", "BTC", none).expect("good");
            assert_eq!(parsed, Parsed::default());
        }
    }

    #[test]
    fn amounts_are_of_the_smallest_unit_and_of_the_miner() {
        let stats = r#"{"height":7,"time":1600000000,"subsidy":312500000,"totalfee":12345678}"#;
        let parsed = read("getblockstats", "BTC", stats).expect("good");
        assert_eq!(value(&parsed, &btc(), Fact::Subsidy), dec("3.125"));
        assert_eq!(value(&parsed, &btc(), Fact::BlockFees), dec("0.12345678"));
        assert_eq!(value(&parsed, &btc(), Fact::Height), None);
        let parsed = read("getblockstats", "XEC", stats).expect("good");
        let xec = of_chain("XEC", "sha256d");
        assert_eq!(value(&parsed, &xec, Fact::Subsidy), dec("1812500"));
    }

    #[test]
    fn the_subsidy_of_a_template_is_its_value_without_all_fees() {
        let of = |body: &str| read("getblocktemplate", "BTC", body).expect("good");
        let parsed = of(r#"{"coinbasevalue":312500700,"transactions":[{"fee":300},{"fee":400}]}"#);
        assert_eq!(value(&parsed, &btc(), Fact::Subsidy), dec("3.125"));
        assert_eq!(parsed.observations.len(), 1);
        for unknown in [
            r#"{"coinbasevalue":312500700,"transactions":[{"fee":300},{}]}"#,
            r#"{"coinbasevalue":312500700}"#,
            r#"{"coinbasevalue":312500700,"transactions":[],"superblock":[{"amount":5}]}"#,
        ] {
            assert_eq!(of(unknown).observations, [], "{unknown}");
            assert_eq!(of(unknown).unmapped.len(), 1);
        }
    }
}
