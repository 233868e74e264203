//! Nodes of the Ethereum kind, for the chains that are still mined.
//!
//! Quantities are hex texts, difficulty is in hashes, times are seconds.
//!
//! Traps. The block says nothing of its reward: it follows from the height. The
//! difficulty of one block jumps about: what counts is the harmonic mean over more
//! than a hundred, for a miner's blocks follow 1/difficulty. Uncles pay a little on
//! top, which is left to the average of what pools see. `totalDifficulty` is null or
//! gone. A chain that is no longer mined has difficulty 0. All these chains have the
//! same first blocks and the same ports: only the chain's id tells them apart.

use super::jsonrpc::{self, Reply, call, post};
use super::network::Network;
use crate::source::chain::{self, no_such_kind, push_rate, push_tip};
use crate::source::rows::Text;
use crate::source::{
    Answer, Budget, Catalog, Coin, Decimal, Fact, Num, Parsed, Request, Settings, Source,
    SourceError,
};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

pub struct Eth;

/// Blocks between two cuts of Ethereum Classic's reward.
const ERA: u64 = 5_000_000;
/// A height this far on is not one.
const MAX_ERA: u64 = 100;
/// Half an hour of difficulties.
const BLOCKS: u64 = 128;
/// Fewer are no average, where it costs money.
const ENOUGH: usize = 24;

impl Source for Eth {
    fn name(&self) -> &'static str {
        "eth"
    }

    fn budget(&self) -> Budget {
        Budget {
            burst: 8,
            per_minute: 60.0,
        }
    }

    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        let calls = json!([
            call("eth_chainId", &json!([])),
            call("eth_syncing", &json!([])),
            call("eth_getBlockByNumber", &json!(["latest", false])),
        ]);
        chain::endpoints(settings, catalog, Some("ETC"))
            .iter()
            .map(|node| post("state", node, &calls, Duration::from_secs(30)))
            .collect()
    }

    fn follow_up(&self, settings: &Settings, catalog: &Catalog, parsed: &Parsed) -> Vec<Request> {
        let ask = |node: &chain::Endpoint<'_>| {
            let tip = chain::height(parsed, node.coin)?;
            let oldest = tip.saturating_sub(BLOCKS - 1).max(1);
            let calls: Vec<_> = (oldest..=tip)
                .map(|height| json!([format!("{height:#x}"), false]))
                .map(|params| call("eth_getBlockByNumber", &params))
                .collect();
            let every = Duration::from_secs(120);
            (!calls.is_empty()).then(|| post("blocks", node, &json!(calls), every))
        };
        chain::endpoints(settings, catalog, Some("ETC"))
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
        // Whoever names the main network by its id means the main network.
        let network = match (Network::of(request), chain_id(&coin.id)) {
            (Network::Private(name), Some(id)) if name == id => Network::Main,
            (network, _) => network,
        };
        match request.kind {
            "state" => state(jsonrpc::results(answer, &[])?, coin, (network, now)),
            "blocks" => blocks(jsonrpc::results(answer, &[])?, coin, (network, now)),
            "eth_getBlockByNumber" => block(answer, coin, (network, now)),
            other => Err(no_such_kind(other)),
        }
        .map(|parsed| network.undated(parsed))
    }
}

/// Of the main network, where it is known.
fn chain_id(coin: &str) -> Option<&'static str> {
    match coin {
        "ETC" => Some("61"),
        "ETHW" => Some("10001"),
        _ => None,
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Block {
    number: Text,
    difficulty: Text,
    timestamp: Text,
}

/// Where the node has to be, and what time it is.
type When<'a> = (Network<'a>, u64);

/// Height, time and subsidy of the tip. Its difficulty comes with that of others.
fn state(replies: Vec<Reply>, coin: &Coin, when: When<'_>) -> Result<Parsed, SourceError> {
    let (mut id, mut tip) = (Num(None), None);
    let mut parsed = Parsed::default();
    for reply in replies {
        match (reply.method.as_str(), reply.result) {
            ("eth_chainId", Ok(raw)) => id = quantity(&chain::shape(&raw)?),
            ("eth_syncing", Ok(raw)) if raw.get() != "false" => {
                return Err(SourceError::Syncing("the node says so".to_owned()));
            }
            ("eth_getBlockByNumber", Ok(raw)) => tip = Some(chain::shape::<Block>(&raw)?),
            ("eth_getBlockByNumber", Err(error)) => return Err(error),
            (_, Ok(_)) => {}
            (method, Err(error)) => {
                parsed.leave_out(format!("{method}: {error}"), "the call failed");
            }
        }
    }
    right_chain(id.whole(), coin, when.0)?;
    let Some(tip) = tip else {
        return Err(SourceError::Malformed("no block".to_owned()));
    };
    let at = quantity(&tip.timestamp).whole();
    when.0.fresh(at, coin, when.1)?;
    if quantity(&tip.difficulty).positive().is_none() {
        parsed.leave_out("difficulty", "this chain is not mined");
        return Ok(parsed);
    }
    let (subject, height) = (chain::only(coin)?, quantity(&tip.number).whole());
    parsed.push(&subject, Fact::Height, height.map(Decimal::from), at);
    parsed.push(&subject, Fact::TipTime, at.map(Decimal::from), at);
    let subsidy = height.and_then(|height| subsidy(&coin.id, height));
    parsed.push(&subject, Fact::Subsidy, subsidy, at);
    Ok(parsed)
}

fn right_chain(id: Option<u64>, coin: &Coin, network: Network<'_>) -> Result<(), SourceError> {
    let said = id.map(|id| id.to_string()).unwrap_or_default();
    match (network, chain_id(&coin.id)) {
        (Network::Private(_), _) => network.named(&said),
        // A node too old to know its id, or a coin whose id we do not know.
        (Network::Main, known) if said.is_empty() || known.is_none_or(|known| known == said) => {
            Ok(())
        }
        (Network::Main, _) => network.named(&format!("chain {said}")),
    }
}

/// The harmonic mean of the difficulty, and the rate and block time that these very
/// blocks tell of.
fn blocks(
    replies: Vec<Reply>,
    coin: &Coin,
    (network, now): When<'_>,
) -> Result<Parsed, SourceError> {
    let (mut blocks, mut failed) = (BTreeMap::new(), None);
    for reply in replies {
        match reply.result.and_then(|raw| chain::shape::<Block>(&raw)) {
            Ok(block) => blocks.extend(block.mined()),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    let Some((newest, tip)) = blocks.last_key_value() else {
        return Err(failed.unwrap_or_else(|| SourceError::Malformed("no block".to_owned())));
    };
    network.fresh(Some(tip.1), coin, now)?;
    let mut parsed = Parsed::default();
    if blocks.len() < ENOUGH && !network.is_private() {
        let words = format!("difficulties of {} blocks", blocks.len());
        parsed.leave_out(words, "too few for an average");
        return Ok(parsed);
    }
    let (subject, at) = (chain::only(coin)?, Some(tip.1));
    let one = Decimal::from(1);
    let shares: Option<Decimal> = blocks
        .values()
        .map(|(difficulty, _)| chain::ratio(Some(one.clone()), Some(difficulty.clone())))
        .sum();
    let count = Decimal::from(blocks.len() as u64);
    let difficulty = chain::ratio(Some(count), shares);
    parsed.push(&subject, Fact::Difficulty, difficulty, at);
    // The oldest block's work was done before its time.
    let oldest = blocks.first_key_value();
    let whole = oldest.filter(|(height, _)| *newest - *height + 1 == blocks.len() as u64);
    let span = whole.and_then(|(_, (_, from))| tip.1.checked_sub(*from));
    let span = span.filter(|span| *span > 0).map(Decimal::from);
    let work: Decimal = blocks.values().skip(1).map(|block| &block.0).sum();
    let rate = chain::ratio(Some(work), span.clone());
    let gaps = Decimal::from(blocks.len() as u64 - 1);
    let block_time = chain::ratio(span, Some(gaps));
    push_rate(&mut parsed, &subject, rate, block_time, at);
    Ok(parsed)
}

impl Block {
    /// Height, difficulty, time; nothing if one is missing.
    fn mined(&self) -> Option<(u64, (Decimal, u64))> {
        let height = quantity(&self.number).whole()?;
        let difficulty = quantity(&self.difficulty).positive()?;
        Some((height, (difficulty, quantity(&self.timestamp).whole()?)))
    }
}

fn block(answer: &Answer<'_>, coin: &Coin, when: When<'_>) -> Result<Parsed, SourceError> {
    let raw = jsonrpc::result(answer, &[])?;
    let block: Block = chain::shape(&raw)?;
    let at = quantity(&block.timestamp).whole();
    when.0.fresh(at, coin, when.1)?;
    let height = quantity(&block.number).whole();
    let subject = chain::only(coin)?;
    let mut parsed = Parsed::default();
    let difficulty = quantity(&block.difficulty).positive();
    push_tip(&mut parsed, &subject, difficulty, height, at);
    let subsidy = height.and_then(|height| subsidy(&coin.id, height));
    parsed.push(&subject, Fact::Subsidy, subsidy, at);
    Ok(parsed)
}

/// Only with the mark: bare digits would be read as hex and mean another number.
fn quantity(text: &Text) -> Num {
    if text.as_str().starts_with("0x") {
        Num::of_hex(text.as_str())
    } else {
        Num(None)
    }
}

/// Whole coins, exactly.
fn subsidy(coin: &str, height: u64) -> Option<Decimal> {
    match coin {
        "ETC" => {
            let era = height.checked_sub(1)? / ERA;
            let cut = Decimal::new(8.into(), 1);
            (era <= MAX_ERA).then(|| {
                (0..era)
                    .fold(Decimal::from(5), |reward, _| reward * &cut)
                    .normalized()
            })
        }
        "ETHW" => Some(Decimal::from(2)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::{NOW, dec, of_chain, parse_about, parse_on, value};

    fn read(coin: &str, block: &str) -> Result<Parsed, SourceError> {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{block}}}"#);
        parse_about(&Eth, "eth_getBlockByNumber", coin, 200, &body)
    }

    fn block(number: u64, time: u64) -> String {
        format!(
            r#"{{"number":"{number:#x}","difficulty":"0x38d7ea4c68000","timestamp":"{time:#x}","totalDifficulty":null}}"#
        )
    }

    #[test]
    fn hex_becomes_numbers_and_the_height_tells_the_reward() {
        let parsed = read("ETC", &block(20_000_001, NOW - 20)).expect("good");
        let etc = of_chain("ETC", "etchash");
        assert_eq!(
            value(&parsed, &etc, Fact::Difficulty),
            dec("1000000000000000")
        );
        assert_eq!(value(&parsed, &etc, Fact::Height), dec("20000001"));
        assert_eq!(value(&parsed, &etc, Fact::TipTime), Some((NOW - 20).into()));
        assert_eq!(value(&parsed, &etc, Fact::Subsidy), dec("2.048"));
        let parsed = read("ETHW", &block(20_000_001, NOW - 20)).expect("good");
        let ethw = of_chain("ETHW", "ethash");
        assert_eq!(value(&parsed, &ethw, Fact::Subsidy), dec("2"));
    }

    #[test]
    fn the_reward_is_cut_after_the_last_block_of_an_era() {
        for (height, expected) in [
            (0, None),
            (1, dec("5")),
            (5_000_000, dec("5")),
            (5_000_001, dec("4")),
            (10_000_000, dec("4")),
            (25_000_001, dec("1.6384")),
            (u64::MAX, None),
        ] {
            assert_eq!(subsidy("ETC", height), expected, "{height}");
        }
        assert_eq!(subsidy("BTC", 7), None);
    }

    #[test]
    fn digits_without_the_mark_and_a_difficulty_of_zero_are_absent() {
        let etc = of_chain("ETC", "etchash");
        for bad in [
            "\"1000\"", "1000", "null", "\"0x\"", "\"0x0\"", "\"0xzz\"", "[]",
        ] {
            let parsed =
                read("ETC", &format!(r#"{{"number":"0x10","difficulty":{bad}}}"#)).expect("good");
            assert_eq!(value(&parsed, &etc, Fact::Difficulty), None, "{bad}");
            assert_eq!(value(&parsed, &etc, Fact::Height), None, "{bad}");
        }
    }

    fn state(
        network: Option<&str>,
        id: &str,
        syncing: &str,
        block: &str,
    ) -> Result<Parsed, SourceError> {
        let body = format!(
            r#"[{{"id":"eth_chainId","result":"{id}"}},{{"id":"eth_syncing","result":{syncing}}},
                {{"id":"eth_getBlockByNumber","result":{block}}}]"#
        );
        parse_on(&Eth, "state", "ETC", network, &body)
    }

    #[test]
    fn only_the_chains_id_tells_it_apart() {
        let etc = of_chain("ETC", "etchash");
        let tip = block(20_000_001, NOW - 20);
        let parsed = state(None, "0x3d", "false", &tip).expect("good");
        assert_eq!(value(&parsed, &etc, Fact::Height), dec("20000001"));
        assert_eq!(value(&parsed, &etc, Fact::Subsidy), dec("2.048"));
        assert_eq!(value(&parsed, &etc, Fact::Difficulty), None);
        assert_eq!(state(Some("61"), "0x3d", "false", &tip), Ok(parsed));
        for (network, id) in [
            (None, "0x1"),
            (None, "0x3f"),
            (Some("63"), "0x3d"),
            (Some("63"), ""),
        ] {
            let answer = state(network, id, "false", &tip);
            assert!(
                matches!(answer, Err(SourceError::NotFound(_))),
                "{id}: {answer:?}"
            );
        }
        let old = block(7, NOW - 400_000);
        let parsed = state(Some("63"), "0x3f", "false", &old).expect("good");
        assert_eq!(value(&parsed, &etc, Fact::Height), dec("7"));
        assert!(parsed.observations.iter().all(|one| one.at.is_none()));
        for (syncing, tip) in [("{\"currentBlock\":\"0x1\"}", &tip), ("false", &old)] {
            let answer = state(None, "0x3d", syncing, tip);
            assert!(matches!(answer, Err(SourceError::Syncing(_))), "{answer:?}");
        }
    }

    #[test]
    fn difficulty_is_the_harmonic_mean_and_the_rate_of_the_same_blocks() {
        let etc = of_chain("ETC", "etchash");
        let body = |heights: &[u64]| {
            let one = |height: &u64| {
                // 100 and 300 in turn, 13 s apart.
                let difficulty = if height.is_multiple_of(2) {
                    "0x64"
                } else {
                    "0x12c"
                };
                let time = NOW - 4_000 + height * 13;
                format!(
                    r#"{{"id":"b","result":{{"number":"{height:#x}","difficulty":"{difficulty}","timestamp":"{time:#x}"}}}}"#
                )
            };
            let all: Vec<String> = heights.iter().map(one).collect();
            format!("[{}]", all.join(","))
        };
        let read =
            |network, heights: &[u64]| parse_on(&Eth, "blocks", "ETC", network, &body(heights));
        let mut heights: Vec<u64> = (201..=300).rev().collect();
        let parsed = read(None, &heights).expect("good");
        assert_eq!(value(&parsed, &etc, Fact::Difficulty), dec("150"));
        assert_eq!(value(&parsed, &etc, Fact::BlockTime), dec("13"));
        let rate = value(&parsed, &etc, Fact::NetworkHashrate).expect("a rate");
        // 50 blocks of 100 and 49 of 300 after the oldest, in 99 times 13 s.
        assert_eq!(
            rate.with_scale(6),
            (Decimal::from(19_700) / Decimal::from(1_287)).with_scale(6)
        );
        // With a gap the time between is not of these blocks' work.
        heights.retain(|height| *height != 250);
        let parsed = read(None, &heights).expect("good");
        assert_eq!(value(&parsed, &etc, Fact::NetworkHashrate), None);
        assert!(value(&parsed, &etc, Fact::Difficulty).is_some());
        let few = read(None, &[299, 300]).expect("good");
        assert_eq!(few.observations, []);
        let few = read(Some("1337"), &[299, 300]).expect("good");
        assert_eq!(value(&few, &etc, Fact::Difficulty), dec("150"));
        assert!(matches!(read(None, &[]), Err(SourceError::Malformed(_))));
        assert!(matches!(read(None, &[1]), Err(SourceError::Syncing(_))));
    }

    #[test]
    fn the_last_blocks_are_asked_for_once_the_height_is_known() {
        let settings = Settings {
            url: Some("http://node:8545".to_owned()),
            ..Settings::default()
        };
        let mut parsed = Parsed::default();
        assert_eq!(Eth.follow_up(&settings, Catalog::built_in(), &parsed), []);
        let etc = of_chain("ETC", "etchash");
        parsed.push(&etc, Fact::Height, dec("20000001"), None);
        let requests = Eth.follow_up(&settings, Catalog::built_in(), &parsed);
        let body = requests[0].body.as_deref().expect("a POST");
        assert_eq!(body.matches("eth_getBlockByNumber\",\"params").count(), 128);
        assert!(
            body.contains("0x1312d01") && body.contains("0x1312c82"),
            "{body}"
        );
    }

    #[test]
    fn an_old_block_and_no_block_are_errors() {
        assert!(matches!(
            read("ETC", &block(5, NOW - 400)),
            Err(SourceError::Syncing(_))
        ));
        assert!(matches!(
            read("ETC", "null"),
            Err(SourceError::Malformed(_))
        ));
    }
}
