//! F2Pool's public chart of a coin.
//!
//! - It wants a POST, with the coin in the address.
//! - `miners` is a text with commas; the time is in milliseconds.
//! - `estimated_profit` is coins a day for `estimated_profit_scales` hashes per
//!   second, after F2Pool's own averages: about a percent below the formula.
//! - `blockreward` is the subsidy alone; `blocktime` is the target, and
//!   `blocktime_real` may be 0 for "not known".

use super::super::{
    Answer, Budget, Catalog, Coin, Decimal, Fact, Num, Parsed, Request, Settings, Source,
    SourceError, Subject, address,
    answer::excerpt,
    rows::{self, Maybe, Text},
    stated,
};
use serde::Deserialize;
use std::time::Duration;

const SERVICE: &str = "f2pool_chart";
const POOL: &str = "f2pool";
const PUBLIC: &str = "https://www.f2pool.com";

pub const CHART: &str = "chart";

pub struct F2PoolChart;

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    status: Text,
    #[serde(default)]
    data: Maybe<Chart>,
}

#[derive(Deserialize)]
struct Chart {
    #[serde(default)]
    code: Text,
    #[serde(default)]
    algorithm: Text,
    #[serde(default)]
    miners: Text,
    #[serde(default)]
    marketcap: Num,
    #[serde(default)]
    price: Num,
    #[serde(default)]
    volume24h: Num,
    #[serde(default)]
    blocknumber: Num,
    #[serde(default)]
    blockreward: Num,
    #[serde(default)]
    blocktime_real: Num,
    #[serde(default)]
    network_hashrate: Num,
    #[serde(default)]
    difficulty: Num,
    #[serde(default)]
    estimated_profit: Num,
    #[serde(default)]
    estimated_profit_usd: Num,
    #[serde(default)]
    estimated_profit_scales: Num,
    #[serde(default)]
    timestamp: Num,
}

impl Source for F2PoolChart {
    fn name(&self) -> &'static str {
        SERVICE
    }

    /// None is written down: it is made for the pool's own pages.
    fn budget(&self) -> Budget {
        Budget {
            burst: 1,
            per_minute: 1.0,
        }
    }

    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        let codes = catalog.ids(SERVICE, &settings.about);
        let path = |code: &str| format!("/coins-chart?currency_code={}", address::escaped(code));
        codes
            .into_iter()
            .map(|code| Request {
                kind: CHART,
                about: code.to_owned(),
                url: address::url(settings, PUBLIC, &path(code)),
                headers: Vec::new(),
                body: Some("{}".to_owned()),
                every: Duration::from_secs(1800),
                network: None,
            })
            .collect()
    }

    fn parse(
        &self,
        _: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        now: u64,
    ) -> Result<Parsed, SourceError> {
        let envelope: Envelope = answer.json()?;
        if envelope.status.as_str() != "ok" {
            let words = format!("status {}", excerpt(envelope.status.as_str()));
            return Err(SourceError::Service(words));
        }
        let Some(chart) = envelope.data.0 else {
            return Err(SourceError::Malformed("no data".to_owned()));
        };
        let mut out = Parsed::default();
        let code = chart.code.as_str();
        let Some(coin) = catalog.coin_of(SERVICE, code) else {
            out.leave_out(code, rows::NOT_IN_CATALOG);
            return Ok(out);
        };
        let Some(chain) = super::chain_subject(catalog, coin, chart.algorithm.as_str()) else {
            out.leave_out(code, rows::OTHER_ALGORITHM);
            return Ok(out);
        };
        let at = stated::milliseconds(&chart.timestamp, now);
        push_coin(&chart, coin, at, &mut out);
        push_chain(&chart, chain, at, &mut out);
        Ok(out)
    }
}

fn push_coin(chart: &Chart, coin: &Coin, at: Option<u64>, out: &mut Parsed) {
    let subject = super::coin_subject(coin);
    for (fact, value) in [
        (Fact::PriceUsd, &chart.price),
        (Fact::MarketCapUsd, &chart.marketcap),
        (Fact::VolumeUsdDay, &chart.volume24h),
    ] {
        out.push(&subject, fact, value.positive(), at);
    }
}

fn push_chain(chart: &Chart, chain: Subject, at: Option<u64>, out: &mut Parsed) {
    let height = chart.blocknumber.whole().filter(|height| *height > 0);
    let scale = &chart.estimated_profit_scales;
    for (fact, value) in [
        (Fact::Difficulty, chart.difficulty.positive()),
        (Fact::NetworkHashrate, chart.network_hashrate.positive()),
        (Fact::BlockTime, chart.blocktime_real.positive()),
        (Fact::Subsidy, chart.blockreward.positive()),
        (Fact::Height, height.map(Decimal::from)),
        (
            Fact::OfferCoinPerHashDay,
            super::per_hash(&chart.estimated_profit, scale),
        ),
        (
            Fact::OfferUsdPerHashDay,
            super::per_hash(&chart.estimated_profit_usd, scale),
        ),
    ] {
        out.push(&chain, fact, value, at);
    }
    if let Subject::Chain { coin, algorithm } = chain {
        let pool = Subject::Pool {
            pool: POOL.to_owned(),
            coin,
            algorithm,
        };
        let miners = chart.miners.grouped_number().not_negative();
        out.push(&pool, Fact::PoolMiners, miners, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::*;

    fn body(code: &str, algorithm: &str) -> String {
        format!(
            r#"{{"status":"ok","data":{{"code":"{code}","algorithm":"{algorithm}",
            "blocktime":600,"blocktime_real":0,"miners":"98,765","marketcap":5,"price":61000.5,
            "volume24h":null,"blocknumber":900000,"blockreward":3.125,"timestamp":1699999000123,
            "network_hashrate":980000000000000000000,"difficulty":1.3e14,
            "estimated_profit":0.0000005,"estimated_profit_usd":"0.03",
            "estimated_profit_scales":1000000000000}}}}"#
        )
    }

    #[test]
    fn commas_milliseconds_and_scales_are_undone() {
        let parsed = parse(&F2PoolChart, CHART, 200, &body("btc", "SHA256d")).expect("a chart");
        let btc = |fact| value(&parsed, &of_chain("BTC", "sha256d"), fact);
        assert_eq!(btc(Fact::NetworkHashrate), dec("980000000000000000000"));
        assert_eq!(btc(Fact::Difficulty), dec("130000000000000"));
        assert_eq!(btc(Fact::Subsidy), dec("3.125"));
        assert_eq!(btc(Fact::BlockTime), None);
        assert_eq!(btc(Fact::Height), dec("900000"));
        assert_eq!(btc(Fact::OfferCoinPerHashDay), dec("5e-19"));
        assert_eq!(btc(Fact::OfferUsdPerHashDay), dec("3e-14"));
        assert_eq!(
            value(&parsed, &of_coin("BTC"), Fact::PriceUsd),
            dec("61000.5")
        );
        let pool = Subject::Pool {
            pool: POOL.to_owned(),
            coin: "BTC".to_owned(),
            algorithm: "sha256d".to_owned(),
        };
        assert_eq!(value(&parsed, &pool, Fact::PoolMiners), dec("98765"));
        let at = Some(1_699_999_000);
        assert!(parsed.observations.iter().all(|seen| seen.at == at));
    }

    #[test]
    fn other_coins_and_errors_are_told() {
        let ask = |body: &str| parse(&F2PoolChart, CHART, 200, body);
        let parsed = ask(&body("bitcoin", "SHA256d")).expect("a chart");
        assert_eq!(unmapped(&parsed), [("bitcoin", rows::NOT_IN_CATALOG)]);
        let parsed = ask(&body("btc", "Scrypt")).expect("a chart");
        assert_eq!(unmapped(&parsed), [("btc", rows::OTHER_ALGORITHM)]);
        let error = ask(r#"{"status":"error","data":null}"#);
        assert_eq!(error, Err(SourceError::Service("status error".to_owned())));
        assert!(matches!(
            ask(r#"{"status":"ok"}"#),
            Err(SourceError::Malformed(_))
        ));
    }

    #[test]
    fn the_question_is_a_post_for_each_coin() {
        let requests = F2PoolChart.requests(&Settings::default(), Catalog::built_in());
        assert_eq!(requests.len(), 1);
        assert!(requests[0].url.ends_with("/coins-chart?currency_code=btc"));
        assert!(requests[0].body.is_some());
    }
}
