//! Blockchair: one shape for the bitcoin-likes and Monero.
//!
//! `hashrate_24h` is hashes per second (a text for some chains, a number for
//! others), `inflation_24h` the smallest unit, times are UTC without saying so.
//!
//! Traps. `blocks` counts from zero and is one more than the height. Inflation is
//! subsidy alone, for everyone together. A price of 0 is unknown. Monero has no
//! count of the day's blocks, so its rate stands alone. A ban grows with every
//! request sent during it, so what may be one is not asked again soon.

use crate::source::answer::excerpt;
use crate::source::chain::{self, fresh, get, no_such_kind, push_rate, push_tip, ratio};
use crate::source::number::shifted;
use crate::source::rows::{Maybe, Text};
use crate::source::{
    Answer, Budget, Catalog, Coin, Decimal, Fact, Num, Parsed, Request, Settings, Source,
    SourceError, Subject, address, stated,
};
use serde::Deserialize;
use std::time::Duration;

pub struct Blockchair;

const NAME: &str = "blockchair";
const PUBLIC: &str = "https://api.blockchair.com";
const DAY: u32 = 86_400;
/// A broken server or a ban: the status is the same.
const LONG: Duration = Duration::from_secs(3_600);

impl Source for Blockchair {
    fn name(&self) -> &'static str {
        NAME
    }

    /// 30 a minute and 1,440 a day without a key; the day is the tighter one.
    fn budget(&self) -> Budget {
        Budget {
            burst: 10,
            per_minute: 1.0,
        }
    }

    /// All coins that it has, or those that are asked for.
    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        let wanted = |coin: &&Coin| settings.about.is_empty() || settings.about.contains(&coin.id);
        let ask = |coin: &Coin| {
            let name = coin.ids.get(NAME)?;
            let mut url = address::url(settings, PUBLIC, &format!("/{name}/stats"));
            if let Some(key) = &settings.key {
                url = format!("{url}?key={}", address::escaped(key));
            }
            Some(get("stats", &coin.id, url, Duration::from_secs(900)))
        };
        catalog
            .coins
            .iter()
            .filter(wanted)
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
        if request.kind != "stats" {
            return Err(no_such_kind(request.kind));
        }
        let words = || excerpt(&String::from_utf8_lossy(answer.body));
        refusal(answer.status, answer, words)?;
        let body: Body = chain::object(answer)?;
        let context = body.context.0.unwrap_or_default();
        let code = context.code.whole().unwrap_or(200);
        let words = || excerpt(context.error.as_str());
        refusal(u16::try_from(code).unwrap_or(0), answer, words)?;
        match body.data.0 {
            Some(data) if code == 200 => stats(&data, coin, now),
            _ => Err(SourceError::Service(format!("{code}: {}", words()))),
        }
    }
}

/// Limits, as its documentation has them, from the status or from the body.
fn refusal(code: u16, answer: &Answer<'_>, words: impl Fn() -> String) -> Result<(), SourceError> {
    match code {
        402 | 430 | 434 => Err(SourceError::Stop(format!("{code}: {}", words()))),
        429 | 435..=437 => Err(SourceError::RateLimited(answer.retry_after())),
        503 => Err(SourceError::RateLimited(Some(LONG))),
        _ => Ok(()),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    data: Maybe<Stats>,
    context: Maybe<Context>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Context {
    code: Num,
    error: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stats {
    difficulty: Num,
    hashrate_24h: Num,
    blocks_24h: Num,
    inflation_24h: Num,
    best_block_height: Num,
    best_block_time: Text,
    market_price_usd: Num,
    market_price_btc: Num,
}

fn stats(stats: &Stats, coin: &Coin, now: u64) -> Result<Parsed, SourceError> {
    let subject = chain::only(coin)?;
    let at = stated::iso8601(&format!("{}Z", stats.best_block_time.as_str()));
    fresh(at, coin, now)?;
    let mut parsed = Parsed::default();
    let height = stats.best_block_height.whole();
    push_tip(
        &mut parsed,
        &subject,
        stats.difficulty.positive(),
        height,
        at,
    );
    let blocks = stats.blocks_24h.positive();
    let block_time = ratio(Some(Decimal::from(DAY)), blocks.clone());
    let rate = stats.hashrate_24h.positive();
    push_rate(&mut parsed, &subject, rate, block_time, at);
    let inflation = shifted(stats.inflation_24h.positive(), -coin.decimals);
    let subsidy = chain::miners_part(ratio(inflation, blocks), coin);
    parsed.push(&subject, Fact::Subsidy, subsidy, at);
    let price = Subject::Coin {
        coin: coin.id.clone(),
    };
    parsed.push(
        &price,
        Fact::PriceUsd,
        stats.market_price_usd.positive(),
        at,
    );
    if coin.id != "BTC" {
        parsed.push(
            &price,
            Fact::PriceBtc,
            stats.market_price_btc.positive(),
            at,
        );
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::{NOW, dec, of_chain, of_coin, parse_about, value};

    /// Two minutes before [`NOW`].
    const RECENT: &str = "2023-11-14 22:11:20";

    fn read(coin: &str, data: &str) -> Result<Parsed, SourceError> {
        let body = format!(r#"{{"data":{data},"context":{{"code":200}}}}"#);
        parse_about(&Blockchair, "stats", coin, 200, &body)
    }

    #[test]
    fn a_day_of_a_bitcoin_like() {
        let data = format!(
            r#"{{"blocks":800001,"best_block_height":800000,"best_block_time":"{RECENT}","difficulty":2e11,
                "blocks_24h":160,"hashrate_24h":"1600000000000000001","inflation_24h":50000000000,
                "market_price_usd":250.5,"market_price_btc":0.004}}"#
        );
        let (parsed, bch) = (
            read("BCH", &data).expect("good"),
            of_chain("BCH", "sha256d"),
        );
        for (fact, expected) in [
            (Fact::Height, "800000"),
            (Fact::Difficulty, "2e11"),
            (Fact::NetworkHashrate, "1600000000000000001"),
            (Fact::BlockTime, "540"),
            (Fact::Subsidy, "3.125"),
        ] {
            assert_eq!(value(&parsed, &bch, fact), dec(expected), "{fact:?}");
        }
        let tip = Some((NOW - 120).into());
        assert_eq!(value(&parsed, &bch, Fact::TipTime), tip);
        assert_eq!(
            value(&parsed, &of_coin("BCH"), Fact::PriceUsd),
            dec("250.5")
        );
        assert_eq!(
            value(&parsed, &of_coin("BCH"), Fact::PriceBtc),
            dec("0.004")
        );
    }

    #[test]
    fn the_subsidy_is_everyones_until_it_is_shared_out() {
        let data = format!(
            r#"{{"best_block_time":"{RECENT}","blocks_24h":1000,"inflation_24h":156250000000,"market_price_usd":0}}"#
        );
        let parsed = read("ZEC", &data).expect("good");
        let zec = of_chain("ZEC", "equihash-200-9");
        assert_eq!(value(&parsed, &zec, Fact::Subsidy), dec("1.25"));
        assert_eq!(parsed.observations.len(), 1, "a price of 0 is unknown");
    }

    #[test]
    fn monero_has_a_number_for_a_rate_and_no_count_of_blocks() {
        let data = format!(
            r#"{{"best_block_time":"{RECENT}","difficulty":7e11,"hashrate_24h":6000000001}}"#
        );
        let (parsed, xmr) = (
            read("XMR", &data).expect("good"),
            of_chain("XMR", "randomx"),
        );
        assert_eq!(
            value(&parsed, &xmr, Fact::NetworkHashrate),
            dec("6000000001")
        );
        assert_eq!(value(&parsed, &xmr, Fact::BlockTime), None);
    }

    #[test]
    fn limits_and_bans_are_told_by_status_or_by_body() {
        let answer = |status: u16, code: u16| {
            let body = format!(r#"{{"data":null,"context":{{"code":{code},"error":"enough"}}}}"#);
            parse_about(&Blockchair, "stats", "BTC", status, &body).expect_err("refused")
        };
        for code in [402, 430, 434] {
            assert!(matches!(answer(code, code), SourceError::Stop(_)));
            assert_eq!(
                answer(200, code),
                SourceError::Stop(format!("{code}: enough"))
            );
        }
        for code in [429, 435, 436, 437] {
            assert_eq!(answer(code, code), SourceError::RateLimited(None));
            assert_eq!(answer(200, code), SourceError::RateLimited(None));
        }
        assert_eq!(answer(503, 503), SourceError::RateLimited(Some(LONG)));
        assert_eq!(
            answer(200, 400),
            SourceError::Service("400: enough".to_owned())
        );
        assert_eq!(answer(500, 500), SourceError::Status(500));
        let empty = r#"{"data":[],"context":{"code":200}}"#;
        let answer = parse_about(&Blockchair, "stats", "BTC", 200, empty);
        assert!(matches!(answer, Err(SourceError::Service(_))));
    }

    #[test]
    fn an_old_tip_is_no_news() {
        let answer = read(
            "BTC",
            r#"{"best_block_time":"2023-11-14 18:00:00","difficulty":7}"#,
        );
        assert!(matches!(answer, Err(SourceError::Syncing(_))));
    }

    #[test]
    fn all_its_coins_are_asked_for_by_its_own_names() {
        let settings = Settings {
            key: Some("k&y".to_owned()),
            ..Settings::default()
        };
        let requests = Blockchair.requests(&settings, Catalog::built_in());
        assert!(requests.len() > 5);
        let urls: Vec<_> = requests.iter().map(|request| &*request.url).collect();
        assert!(urls.contains(&"https://api.blockchair.com/bitcoin-cash/stats?key=k%26y"));
        // The day's quota is not spent on it.
        let a_day: u64 = requests
            .iter()
            .map(|one| 86_400 / one.every.as_secs())
            .sum();
        assert!(a_day < 1_440);
    }
}
