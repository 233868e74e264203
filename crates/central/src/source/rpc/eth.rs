//! Nodes of the Ethereum kind, for the chains that are still mined.
//!
//! Quantities are hex texts, difficulty is in hashes, times are seconds.
//!
//! Traps. The block says nothing of its reward: it follows from the height. The
//! difficulty of one block jumps about: average over a hundred. Uncles pay a little
//! on top, which is left to the average of what pools see. `totalDifficulty` is
//! null or gone. A chain that is no longer mined has difficulty 0.

use super::jsonrpc::{self, call, post};
use crate::source::chain::{self, fresh, no_such_kind, push_tip};
use crate::source::rows::Text;
use crate::source::{
    Answer, Budget, Catalog, Coin, Decimal, Fact, Num, Parsed, Request, Settings, Source,
    SourceError,
};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

pub struct Eth;

/// Blocks between two cuts of Ethereum Classic's reward.
const ERA: u64 = 5_000_000;
/// A height this far on is not one.
const MAX_ERA: u64 = 100;

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
        let ask = |node: chain::Endpoint<'_>| {
            post(
                "eth_getBlockByNumber",
                &node.coin.id,
                node.url.clone(),
                node.key.as_deref(),
                &call("eth_getBlockByNumber", &json!(["latest", false])),
                Duration::from_secs(30),
            )
        };
        chain::endpoints(settings, catalog, Some("ETC"))
            .into_iter()
            .map(ask)
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
        match request.kind {
            "eth_getBlockByNumber" => block(answer, coin, now),
            other => Err(no_such_kind(other)),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Block {
    number: Text,
    difficulty: Text,
    timestamp: Text,
}

fn block(answer: &Answer<'_>, coin: &Coin, now: u64) -> Result<Parsed, SourceError> {
    let raw = jsonrpc::result(answer, &[])?;
    let block: Block = chain::shape(&raw)?;
    let at = quantity(&block.timestamp).whole();
    fresh(at, coin, now)?;
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
    use crate::source::testing::{NOW, dec, of_chain, parse_about, value};

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
