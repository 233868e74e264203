//! WhatToMine's two free tables, of ASIC and of GPU coins; both look alike.
//!
//! - The key of a row is a display name, and the only one that is the row's own:
//!   a coin with several algorithms has a row for each, all with one tag. The
//!   catalog lists further rows of a coin as `whattomine/<algorithm>`.
//! - `exchange_rate` is BTC for one coin, except in Bitcoin's own row, where it
//!   is USD although the row says BTC.
//! - `nethash` is the difficulty seen through `block_time`, which is the
//!   observed one and not the target: without it `nethash` is left out.
//! - `block_reward` includes fees.
//! - Rows of a market have the tag `NICEHASH`; their difficulty is 1 and their
//!   reward is an offer. `lagging` marks a node that has fallen behind.
//! - The same field is a number in one row and a text in the next.

use super::super::{
    Answer, Budget, Catalog, Coin, Decimal, Fact, Num, Parsed, Request, Settings, Source,
    SourceError, address,
    rows::{self, NamedRows, Text},
    stated,
};
use serde::Deserialize;
use std::time::Duration;

const SERVICE: &str = "whattomine";
const FURTHER: &str = "whattomine/";
const PUBLIC: &str = "https://whattomine.com";

pub const ASIC: &str = "asic";
pub const GPU: &str = "gpu";

const LAGGING: &str = "its node has fallen behind";

pub struct WhatToMine;

#[derive(Deserialize)]
struct Envelope {
    coins: NamedRows,
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    tag: Text,
    #[serde(default)]
    algorithm: Text,
    #[serde(default)]
    block_time: Num,
    #[serde(default)]
    block_reward: Num,
    #[serde(default)]
    last_block: Num,
    #[serde(default)]
    difficulty: Num,
    #[serde(default)]
    nethash: Num,
    #[serde(default)]
    exchange_rate: Num,
    #[serde(default)]
    market_cap: Text,
    #[serde(default)]
    lagging: Text,
    #[serde(default)]
    timestamp: Num,
}

impl Source for WhatToMine {
    fn name(&self) -> &'static str {
        SERVICE
    }

    /// None is written down; a page behind a CDN that is cached for minutes.
    fn budget(&self) -> Budget {
        Budget {
            burst: 2,
            per_minute: 1.0,
        }
    }

    fn requests(&self, settings: &Settings, _: &Catalog) -> Vec<Request> {
        let ask = |kind, path| Request {
            kind,
            about: String::new(),
            url: address::url(settings, PUBLIC, path),
            headers: Vec::new(),
            body: None,
            every: Duration::from_secs(300),
            network: None,
        };
        vec![ask(ASIC, "/asic.json"), ask(GPU, "/coins.json")]
    }

    fn parse(
        &self,
        _: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        now: u64,
    ) -> Result<Parsed, SourceError> {
        let envelope: Envelope = answer.json()?;
        let mut out = Parsed::default();
        for (name, row) in &envelope.coins {
            let Some(row) = rows::read::<Row>(row) else {
                out.leave_out(name, rows::NOT_READABLE);
                continue;
            };
            match usable(&row, coin_of(catalog, name)) {
                Ok(coin) => push(name, &row, coin, catalog, now, &mut out),
                Err(why) => out.leave_out(name, why),
            }
        }
        Ok(out)
    }
}

fn coin_of<'a>(catalog: &'a Catalog, name: &str) -> Option<&'a Coin> {
    let ours = |service: &str| service == SERVICE || service.starts_with(FURTHER);
    let called = |coin: &&Coin| coin.ids.iter().any(|(by, id)| ours(by) && id == name);
    catalog.coins.iter().find(called)
}

fn usable<'a>(row: &Row, coin: Option<&'a Coin>) -> Result<&'a Coin, &'static str> {
    let made_up = row.difficulty.0 == Some(Decimal::from(1));
    if row.tag.as_str() == "NICEHASH" || made_up {
        return Err(rows::PSEUDO_COIN);
    }
    if row.lagging.as_str() == "true" {
        return Err(LAGGING);
    }
    coin.ok_or(rows::NOT_IN_CATALOG)
}

fn push(name: &str, row: &Row, coin: &Coin, catalog: &Catalog, now: u64, out: &mut Parsed) {
    let Some(chain) = super::chain_subject(catalog, coin, row.algorithm.as_str()) else {
        return out.leave_out(name, rows::OTHER_ALGORITHM);
    };
    let at = stated::seconds(&row.timestamp, now);
    let price = match coin.id.as_str() {
        "BTC" => Fact::PriceUsd,
        _ => Fact::PriceBtc,
    };
    let subject = super::coin_subject(coin);
    out.push(&subject, price, row.exchange_rate.positive(), at);
    let market_cap = row.market_cap.grouped_number().positive();
    out.push(&subject, Fact::MarketCapUsd, market_cap, at);

    let block_time = row.block_time.positive();
    let nethash = block_time.as_ref().and_then(|_| row.nethash.positive());
    let height = row.last_block.whole().filter(|height| *height > 0);
    for (fact, value) in [
        (Fact::Difficulty, row.difficulty.positive()),
        (Fact::NetworkHashrate, nethash),
        (Fact::BlockTime, block_time),
        (Fact::BlockReward, row.block_reward.positive()),
        (Fact::Height, height.map(Decimal::from)),
    ] {
        out.push(&chain, fact, value, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::*;

    const BODY: &str = r#"{"coins":{
        "Bitcoin":{"tag":"BTC","algorithm":"SHA-256","block_time":"590.5","block_reward":3.15,
          "last_block":900000,"difficulty":1.25e14,"nethash":909494702000000000000,
          "exchange_rate":61000.5,"exchange_rate_curr":"BTC","market_cap":"$1,200,000.50",
          "estimated_rewards":"0.1","lagging":false,"timestamp":1699999000},
        "Litecoin":{"algorithm":"Scrypt","block_time":150,"exchange_rate":"0.0013",
          "nethash":"5035756860936.261716596213931262635544936592538136","market_cap":"$0.00",
          "block_reward":-1,"difficulty":null,"last_block":0,"timestamp":2018},
        "DGB-SHA":{"tag":"DGB","algorithm":"SHA-256","difficulty":4e8,"nethash":5e15},
        "DGB-Scrypt":{"tag":"DGB","algorithm":"Scrypt","difficulty":"77"},
        "DGB-Skein":{"tag":"DGB","algorithm":"Skein","difficulty":5},
        "Zcash":{"algorithm":"SHA-256","difficulty":5},
        "Monero":{"algorithm":"SomethingNew","difficulty":5},
        "eCash":{"algorithm":"SHA-256","difficulty":7,"lagging":true},
        "Nicehash-SHA":{"tag":"NICEHASH","algorithm":"SHA-256","difficulty":3,"block_time":1},
        "Ravencoin":{"algorithm":"KawPow","difficulty":1,"exchange_rate":1},
        "Ergo":"none"}}"#;

    #[test]
    fn the_rate_is_usd_for_bitcoin_and_btc_for_all_others() {
        let parsed = parse(&WhatToMine, ASIC, 200, BODY).expect("coins");
        let of = |coin, fact| value(&parsed, &of_coin(coin), fact);
        assert_eq!(of("BTC", Fact::PriceUsd), dec("61000.5"));
        assert_eq!(of("BTC", Fact::PriceBtc), None);
        assert_eq!(of("BTC", Fact::MarketCapUsd), dec("1200000.5"));
        assert_eq!(of("LTC", Fact::PriceBtc), dec("0.0013"));
        assert_eq!(of("LTC", Fact::PriceUsd), None);
        assert_eq!(of("LTC", Fact::MarketCapUsd), None);
    }

    #[test]
    fn a_hashrate_comes_with_the_block_time_it_was_seen_through() {
        let parsed = parse(&WhatToMine, GPU, 200, BODY).expect("coins");
        let of = |coin, algorithm, fact| value(&parsed, &of_chain(coin, algorithm), fact);
        let btc = |fact| of("BTC", "sha256d", fact);
        assert_eq!(btc(Fact::NetworkHashrate), dec("909494702000000000000"));
        assert_eq!(btc(Fact::BlockTime), dec("590.5"));
        assert_eq!(btc(Fact::BlockReward), dec("3.15"));
        assert_eq!(btc(Fact::Difficulty), dec("125000000000000"));
        assert_eq!(btc(Fact::Height), dec("900000"));
        assert_eq!(parsed.observations[0].at, Some(1_699_999_000));
        let ltc = |fact| of("LTC", "scrypt", fact);
        assert_eq!(
            ltc(Fact::NetworkHashrate),
            dec("5035756860936.261716596213931262635544936592538136")
        );
        for absent in [Fact::BlockReward, Fact::Difficulty, Fact::Height] {
            assert_eq!(ltc(absent), None, "{absent:?}");
        }
        let dgb = |algorithm, fact| of("DGB", algorithm, fact);
        assert_eq!(dgb("sha256d", Fact::NetworkHashrate), None);
        assert_eq!(dgb("sha256d", Fact::Difficulty), dec("400000000"));
        assert_eq!(dgb("scrypt", Fact::Difficulty), dec("77"));
    }

    #[test]
    fn what_is_no_coin_of_ours_is_left_out_with_a_reason() {
        let parsed = parse(&WhatToMine, ASIC, 200, BODY).expect("coins");
        let expected = [
            ("DGB-Skein", rows::NOT_IN_CATALOG),
            ("Ergo", rows::NOT_READABLE),
            ("Monero", rows::OTHER_ALGORITHM),
            ("Nicehash-SHA", rows::PSEUDO_COIN),
            ("Ravencoin", rows::PSEUDO_COIN),
            ("Zcash", rows::OTHER_ALGORITHM),
            ("eCash", LAGGING),
        ];
        assert_eq!(unmapped(&parsed), expected);
    }

    #[test]
    fn a_page_of_the_cdn_is_no_table() {
        let ask = |status, body: &str| parse(&WhatToMine, ASIC, status, body);
        assert!(matches!(ask(200, "<html>"), Err(SourceError::Html(_))));
        assert_eq!(ask(200, " "), Err(SourceError::Empty));
        assert!(matches!(ask(200, "{}"), Err(SourceError::Malformed(_))));
    }
}
