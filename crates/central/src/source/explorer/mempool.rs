//! mempool.space, and other instances of the same software.
//!
//! Rates are hashes per second; amounts are satoshi, in the reward statistics as
//! texts; times of the next adjustment are milliseconds, all others seconds.
//!
//! Traps. The printed example of the adjustment has seconds where the service sends
//! milliseconds: a block time far from the coin's is left out. The rate is over
//! another window than that block time. Old entries of another era may stand in the
//! same list as new ones: only the last day is averaged. `/v1/prices` is Bitcoin's
//! price even where another coin's chain is served; -1 is none.

use super::mempool_lists as lists;
use crate::source::chain::{self, fresh, get, no_such_kind, push_rate, push_tip, ratio};
use crate::source::number::shifted;
use crate::source::rows::Maybe;
use crate::source::{
    Answer, Budget, Catalog, Coin, Decimal, Fact, Num, Parsed, Request, Settings, Source,
    SourceError, Subject, stated,
};
use serde::Deserialize;
use std::time::Duration;

pub struct Mempool;

const PUBLIC: &str = "https://mempool.space";
/// From milliseconds.
const MILLI: i64 = -3;
const WEEK: u32 = 7 * 86_400;
/// Times shorter or longer than the coin's.
const APART: u32 = 20;

/// Kind, path, and seconds between two requests.
const ASKED: &[(&str, &str, u64)] = &[
    ("blocks", "api/v1/blocks", 60),
    ("hashrate", "api/v1/mining/hashrate/3d", 600),
    ("adjustment", "api/v1/difficulty-adjustment", 300),
    ("reward_stats", "api/v1/mining/reward-stats/144", 600),
    ("pools_1w", "api/v1/mining/pools/1w", 3_600),
    ("prices", "api/v1/prices", 300),
];

impl Source for Mempool {
    fn name(&self) -> &'static str {
        "mempool"
    }

    /// Limits are not printed; one in ten seconds has been safe.
    fn budget(&self) -> Budget {
        Budget {
            burst: 2,
            per_minute: 6.0,
        }
    }

    /// The kinds "block" (`api/v1/block/<hash>`), "adjustments"
    /// (`mining/difficulty-adjustments/1m`), "fees" and "rewards"
    /// (`mining/blocks/.../24h`) are read as well, for whoever wants them.
    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        let mut requests = Vec::new();
        for host in chain::public(settings, catalog, "BTC", PUBLIC) {
            for &(kind, path, seconds) in ASKED {
                if kind == "prices" && host.coin.id != "BTC" {
                    continue;
                }
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
        let mut parsed = Parsed::default();
        let subject = chain::only(coin)?;
        let out = &mut parsed;
        match request.kind {
            "hashrate" => hashrate(&chain::object(answer)?, &subject, out),
            "adjustment" => adjustment(&chain::object(answer)?, coin, &subject, out),
            "adjustments" => lists::adjustments(&answer.json()?, &subject, now, out),
            "fees" => lists::average(
                &answer.json()?,
                Fact::FeesPerBlock,
                coin,
                &subject,
                now,
                out,
            ),
            "rewards" => {
                lists::average(&answer.json()?, Fact::BlockReward, coin, &subject, now, out);
            }
            "reward_stats" => reward_stats(&chain::object(answer)?, coin, &subject, out),
            "block" => block(&chain::object(answer)?, coin, &subject, out),
            "blocks" => tip(lists::newest(&answer.json()?), coin, &subject, now, out)?,
            "pools_1w" => pools(&chain::object(answer)?, &subject, out),
            "prices" => prices(&chain::object(answer)?, coin, now, out),
            other => return Err(no_such_kind(other)),
        }
        Ok(parsed)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Hashrate {
    current_hashrate: Num,
    current_difficulty: Num,
}

fn hashrate(body: &Hashrate, subject: &Subject, parsed: &mut Parsed) {
    push_tip(
        parsed,
        subject,
        body.current_difficulty.positive(),
        None,
        None,
    );
    push_rate(
        parsed,
        subject,
        body.current_hashrate.positive(),
        None,
        None,
    );
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Adjustment {
    time_avg: Num,
}

fn adjustment(body: &Adjustment, coin: &Coin, subject: &Subject, parsed: &mut Parsed) {
    let seconds = shifted(body.time_avg.positive(), MILLI);
    let (Some(seconds), Some(aim)) = (seconds, chain::decimal(coin.block_time)) else {
        return;
    };
    let apart = Decimal::from(APART);
    if &seconds * &apart < aim || seconds > aim * apart {
        parsed.leave_out("timeAvg", "far from the coin's block time");
        return;
    }
    parsed.push(subject, Fact::BlockTime, Some(seconds), None);
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RewardStats {
    start_block: Num,
    end_block: Num,
    total_reward: Num,
    total_fee: Num,
}

/// Sums over a range whose both ends count.
fn reward_stats(body: &RewardStats, coin: &Coin, subject: &Subject, parsed: &mut Parsed) {
    let range = body.start_block.whole().zip(body.end_block.whole());
    let blocks = range.and_then(|(start, end)| end.checked_sub(start)?.checked_add(1));
    let blocks = blocks.map(Decimal::from);
    let a_block = |sum: Option<Decimal>| ratio(shifted(sum, -coin.decimals), blocks.clone());
    let reward = a_block(body.total_reward.positive());
    parsed.push(subject, Fact::BlockReward, reward, None);
    let fees = a_block(body.total_fee.not_negative());
    parsed.push(subject, Fact::FeesPerBlock, fees, None);
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Block {
    pub height: Num,
    timestamp: Num,
    difficulty: Num,
    extras: Maybe<Extras>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Extras {
    reward: Num,
    total_fees: Num,
}

/// A block of the past: its own time, and no tip.
fn block(body: &Block, coin: &Coin, subject: &Subject, parsed: &mut Parsed) {
    let at = body.timestamp.whole();
    let Some(extras) = &body.extras.0 else { return };
    let fees = extras.total_fees.not_negative();
    let whole = extras.reward.positive();
    let subsidy = whole.zip(fees.clone()).map(|(whole, fees)| whole - fees);
    let subsidy = chain::miners_part(Num(subsidy).positive(), coin);
    parsed.push(subject, Fact::Subsidy, shifted(subsidy, -coin.decimals), at);
    parsed.push(subject, Fact::BlockFees, shifted(fees, -coin.decimals), at);
}

fn tip(
    newest: Option<Block>,
    coin: &Coin,
    subject: &Subject,
    now: u64,
    parsed: &mut Parsed,
) -> Result<(), SourceError> {
    let none = || SourceError::Malformed("no blocks".to_owned());
    let newest = newest.ok_or_else(none)?;
    let at = newest.timestamp.whole();
    fresh(at, coin, now)?;
    let height = newest.height.whole();
    push_tip(parsed, subject, newest.difficulty.positive(), height, at);
    block(&newest, coin, subject, parsed);
    Ok(())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Pools {
    #[serde(rename = "blockCount")]
    block_count: Num,
    #[serde(rename = "lastEstimatedHashrate")]
    over_a_day: Num,
    #[serde(rename = "lastEstimatedHashrate1w")]
    over_the_week: Num,
}

/// The count is the week's. So is the newer figure of the rate; the older is a
/// day's and has no block time beside it.
fn pools(body: &Pools, subject: &Subject, parsed: &mut Parsed) {
    let block_time = ratio(Some(Decimal::from(WEEK)), body.block_count.positive());
    match body.over_the_week.positive() {
        Some(rate) => push_rate(parsed, subject, Some(rate), block_time, None),
        None => push_rate(parsed, subject, body.over_a_day.positive(), None, None),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Prices {
    time: Num,
    #[serde(rename = "USD")]
    usd: Num,
}

fn prices(body: &Prices, coin: &Coin, now: u64, parsed: &mut Parsed) {
    if coin.id != "BTC" {
        parsed.leave_out("USD", "Bitcoin's price, whatever the chain");
        return;
    }
    let at = stated::seconds(&body.time, now);
    let subject = Subject::Coin {
        coin: coin.id.clone(),
    };
    parsed.push(&subject, Fact::PriceUsd, body.usd.positive(), at);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::{NOW, dec, of_chain, of_coin, parse_about, unmapped, value};

    fn btc() -> Subject {
        of_chain("BTC", "sha256d")
    }

    fn read(kind: &'static str, body: &str) -> Parsed {
        parse_about(&Mempool, kind, "BTC", 200, body).expect("good")
    }

    #[test]
    fn the_rate_of_now_and_not_a_days_mean() {
        let parsed = read(
            "hashrate",
            r#"{"hashrates":[{"timestamp":1,"avgHashrate":7}],"difficulty":[],
                "currentHashrate":600000000000000000001,"currentDifficulty":0.0028}"#,
        );
        assert_eq!(
            value(&parsed, &btc(), Fact::NetworkHashrate),
            dec("600000000000000000001")
        );
        assert_eq!(value(&parsed, &btc(), Fact::Difficulty), dec("0.0028"));
    }

    #[test]
    fn the_adjustment_is_in_milliseconds() {
        let parsed = read("adjustment", r#"{"timeAvg":590123,"adjustedTimeAvg":1}"#);
        assert_eq!(value(&parsed, &btc(), Fact::BlockTime), dec("590.123"));
        let parsed = read("adjustment", r#"{"timeAvg":590}"#);
        assert_eq!(parsed.observations, [], "seconds would be 0.59 s");
        assert_eq!(
            unmapped(&parsed),
            [("timeAvg", "far from the coin's block time")]
        );
    }

    #[test]
    fn sums_are_texts_of_satoshi_over_both_ends() {
        let parsed = read(
            "reward_stats",
            r#"{"startBlock":800001,"endBlock":800010,"totalReward":"3200000000","totalFee":"75000000"}"#,
        );
        assert_eq!(value(&parsed, &btc(), Fact::BlockReward), dec("0.32e1"));
        assert_eq!(value(&parsed, &btc(), Fact::FeesPerBlock), dec("0.075"));
        let parsed = read(
            "reward_stats",
            r#"{"startBlock":9,"endBlock":8,"totalReward":"","totalFee":"5"}"#,
        );
        assert_eq!(parsed.observations, []);
    }

    #[test]
    fn a_past_block_is_no_tip_and_the_newest_is() {
        let block = |height: u64, time: u64| {
            format!(
                r#"{{"height":{height},"timestamp":{time},"difficulty":9e13,"extras":{{"reward":315000000,"totalFees":2500000}}}}"#
            )
        };
        let parsed = read("block", &block(800_000, 1_600_000_000));
        assert_eq!(value(&parsed, &btc(), Fact::Subsidy), dec("3.125"));
        assert_eq!(value(&parsed, &btc(), Fact::BlockFees), dec("0.025"));
        assert_eq!(value(&parsed, &btc(), Fact::Height), None);
        let list = |time| format!("[{},{}]", block(800_000, time - 600), block(800_001, time));
        let parsed = read("blocks", &list(NOW - 60));
        assert_eq!(value(&parsed, &btc(), Fact::Height), dec("800001"));
        assert_eq!(
            value(&parsed, &btc(), Fact::TipTime),
            Some((NOW - 60).into())
        );
        for bad in [list(1_600_000_000), "[]".to_owned()] {
            assert!(parse_about(&Mempool, "blocks", "BTC", 200, &bad).is_err());
        }
    }

    #[test]
    fn lists_are_rows_and_only_the_last_day_is_averaged() {
        let parsed = read(
            "adjustments",
            "[[1600000000,5,7e13,1.01],[1690000000,6,8e13,1.02],[1680000000,5,7.5e13],[0]]",
        );
        assert_eq!(value(&parsed, &btc(), Fact::Difficulty), dec("8e13"));
        assert_eq!(parsed.observations[0].at, Some(1_690_000_000));
        assert_eq!(parsed.unmapped.len(), 2);
        let fees = r#"[{"timestamp":1600000000,"avgFees":99999999},
            {"timestamp":1690000000,"avgFees":3000000},{"timestamp":1690000600,"avgFees":0},7]"#;
        let parsed = read("fees", fees);
        assert_eq!(value(&parsed, &btc(), Fact::FeesPerBlock), dec("0.015"));
        let parsed = read("rewards", &fees.replace("avgFees", "avgRewards"));
        assert_eq!(value(&parsed, &btc(), Fact::BlockReward), dec("0.03"));
    }

    #[test]
    fn the_weeks_blocks_go_with_the_weeks_rate_only() {
        let parsed = read(
            "pools_1w",
            r#"{"pools":[],"blockCount":1008,"lastEstimatedHashrate":5e20}"#,
        );
        assert_eq!(value(&parsed, &btc(), Fact::NetworkHashrate), dec("5e20"));
        assert_eq!(value(&parsed, &btc(), Fact::BlockTime), None);
        let parsed = read(
            "pools_1w",
            r#"{"blockCount":1008,"lastEstimatedHashrate":5e20,"lastEstimatedHashrate1w":6e20}"#,
        );
        assert_eq!(value(&parsed, &btc(), Fact::NetworkHashrate), dec("6e20"));
        assert_eq!(value(&parsed, &btc(), Fact::BlockTime), dec("600"));
    }

    #[test]
    fn the_price_is_bitcoins_wherever_it_is_served() {
        let body = r#"{"time":1699999000,"USD":37000,"EUR":-1}"#;
        let parsed = read("prices", body);
        assert_eq!(
            value(&parsed, &of_coin("BTC"), Fact::PriceUsd),
            dec("37000")
        );
        let parsed = parse_about(&Mempool, "prices", "FB", 200, body).expect("good");
        assert_eq!(parsed.observations, []);
        assert_eq!(read("prices", r#"{"USD":-1}"#).observations, []);
        let settings = Settings {
            url: Some("https://mempool.example".to_owned()),
            about: vec!["FB".to_owned()],
            ..Settings::default()
        };
        let requests = Mempool.requests(&settings, Catalog::built_in());
        assert!(requests.iter().all(|request| request.kind != "prices"));
        assert_eq!(requests[0].url, "https://mempool.example/api/v1/blocks");
    }
}
