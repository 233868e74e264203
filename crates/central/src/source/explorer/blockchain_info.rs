//! blockchain.info: Bitcoin's day in figures.
//!
//! `hash_rate` is in GH/s, `timestamp` in milliseconds, `n_btc_mined` and
//! `total_fees_btc` in satoshi in spite of their names; only `miners_revenue_btc`
//! is in coins, and cut to whole ones.
//!
//! Traps. The rate was computed with the blocks of the day, so its block time is a
//! day over `n_blocks_mined`; `minutes_between_blocks` is another figure. Fees have
//! been negative, and dollars 0: both absent.

use crate::source::chain::{self, get, no_such_kind, push_rate, ratio};
use crate::source::number::shifted;
use crate::source::{
    Answer, Budget, Catalog, Coin, Decimal, Fact, Num, Parsed, Request, Settings, Source,
    SourceError, Subject, stated,
};
use serde::Deserialize;
use std::time::Duration;

pub struct BlockchainInfo;

const PUBLIC: &str = "https://api.blockchain.info";
/// From GH/s.
const GIGA: i64 = 9;
const DAY: u32 = 86_400;

impl Source for BlockchainInfo {
    fn name(&self) -> &'static str {
        "blockchain_info"
    }

    /// One request in ten seconds is asked for.
    fn budget(&self) -> Budget {
        Budget {
            burst: 1,
            per_minute: 6.0,
        }
    }

    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        let ask = |host: chain::Endpoint<'_>| {
            let url = format!("{}/stats?format=json", host.url);
            get("stats", &host.coin.id, url, Duration::from_secs(600))
        };
        chain::public(settings, catalog, "BTC", PUBLIC)
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
            "stats" => stats(&chain::object(answer)?, coin, now),
            other => Err(no_such_kind(other)),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stats {
    market_price_usd: Num,
    hash_rate: Num,
    difficulty: Num,
    n_blocks_mined: Num,
    n_btc_mined: Num,
    total_fees_btc: Num,
    timestamp: Num,
}

fn stats(stats: &Stats, coin: &Coin, now: u64) -> Result<Parsed, SourceError> {
    let at = stated::milliseconds(&stats.timestamp, now);
    let subject = chain::only(coin)?;
    let blocks = stats.n_blocks_mined.positive();
    let a_block = |sum: &Num| {
        let coins = shifted(sum.positive(), -coin.decimals);
        ratio(coins, blocks.clone())
    };
    let mut parsed = Parsed::default();
    parsed.push(&subject, Fact::Difficulty, stats.difficulty.positive(), at);
    let rate = shifted(stats.hash_rate.positive(), GIGA);
    let block_time = ratio(Some(Decimal::from(DAY)), blocks.clone());
    push_rate(&mut parsed, &subject, rate, block_time, at);
    let subsidy = chain::miners_part(a_block(&stats.n_btc_mined), coin);
    parsed.push(&subject, Fact::Subsidy, subsidy, at);
    parsed.push(
        &subject,
        Fact::FeesPerBlock,
        a_block(&stats.total_fees_btc),
        at,
    );
    let price = Subject::Coin {
        coin: coin.id.clone(),
    };
    parsed.push(
        &price,
        Fact::PriceUsd,
        stats.market_price_usd.positive(),
        at,
    );
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::{NOW, dec, of_chain, of_coin, parse_about, value};

    fn read(body: &str) -> Parsed {
        parse_about(&BlockchainInfo, "stats", "BTC", 200, body).expect("good")
    }

    #[test]
    fn units_are_what_they_are_and_not_what_the_names_say() {
        let ms = (NOW - 10) * 1000;
        let body = format!(
            r#"{{"market_price_usd":60000.5,"hash_rate":6.0E11,"difficulty":8.0E13,"n_blocks_mined":160,
                "n_btc_mined":50000000000,"total_fees_btc":1600000000,"miners_revenue_btc":516,
                "minutes_between_blocks":8.1,"timestamp":{ms}}}"#
        );
        let (parsed, btc) = (read(&body), of_chain("BTC", "sha256d"));
        for (fact, expected) in [
            (Fact::Difficulty, "8e13"),
            (Fact::NetworkHashrate, "6e20"),
            // A day over 160 blocks, not 8.1 minutes.
            (Fact::BlockTime, "540"),
            (Fact::Subsidy, "3.125"),
            (Fact::FeesPerBlock, "0.1"),
        ] {
            assert_eq!(value(&parsed, &btc, fact), dec(expected), "{fact:?}");
        }
        assert_eq!(
            value(&parsed, &of_coin("BTC"), Fact::PriceUsd),
            dec("60000.5")
        );
        assert!(
            parsed
                .observations
                .iter()
                .all(|seen| seen.at == Some(NOW - 10))
        );
    }

    #[test]
    fn negative_fees_and_a_price_of_zero_are_absent_alone() {
        let parsed = read(
            r#"{"market_price_usd":0,"hash_rate":6E11,"n_blocks_mined":0,"n_btc_mined":5,"total_fees_btc":-7}"#,
        );
        let btc = of_chain("BTC", "sha256d");
        assert_eq!(value(&parsed, &btc, Fact::NetworkHashrate), dec("6e20"));
        assert_eq!(parsed.observations.len(), 1);
    }
}
