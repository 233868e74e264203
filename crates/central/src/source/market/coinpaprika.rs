//! CoinPaprika.
//!
//! - All coins come in one answer; ids are ticker and name, `btc-bitcoin`.
//! - A market capitalisation or a price of 0 means that it is not known.
//! - The free plan's quota is monthly; a 402 says that it is gone.

use super::super::{
    Answer, Budget, Catalog, Num, Parsed, Request, Settings, Source, SourceError, address,
    rows::{self, Maybe, Rows, Text},
    stated,
};
use super::Quote;
use serde::Deserialize;
use std::time::Duration;

const SERVICE: &str = "coinpaprika";
const PUBLIC: &str = "https://api.coinpaprika.com/v1";

pub const TICKERS: &str = "tickers";

pub struct CoinPaprika;

#[derive(Deserialize)]
struct Ticker {
    #[serde(default)]
    id: Text,
    #[serde(default)]
    last_updated: Text,
    #[serde(default)]
    quotes: Maybe<Quotes>,
}

#[derive(Deserialize)]
struct Quotes {
    #[serde(default, rename = "USD")]
    usd: Maybe<Usd>,
}

#[derive(Default, Deserialize)]
struct Usd {
    #[serde(default)]
    price: Num,
    #[serde(default)]
    market_cap: Num,
    #[serde(default)]
    volume_24h: Num,
}

impl Source for CoinPaprika {
    fn name(&self) -> &'static str {
        SERVICE
    }

    /// 20,000 a month.
    fn budget(&self) -> Budget {
        Budget {
            burst: 2,
            per_minute: 20_000.0 / 43_200.0,
        }
    }

    fn requests(&self, settings: &Settings, _: &Catalog) -> Vec<Request> {
        let key = settings.key.iter();
        vec![Request {
            kind: TICKERS,
            about: String::new(),
            url: address::url(settings, PUBLIC, "/tickers?quotes=USD"),
            headers: key
                .map(|key| ("authorization", format!("Bearer {key}")))
                .collect(),
            body: None,
            every: Duration::from_secs(300),
            network: None,
        }]
    }

    fn parse(
        &self,
        _: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        now: u64,
    ) -> Result<Parsed, SourceError> {
        let mut out = Parsed::default();
        for row in &answer.json::<Rows>()? {
            let Some(row) = rows::read::<Ticker>(row) else {
                out.leave_out("", rows::NOT_READABLE);
                continue;
            };
            let Some(coin) = catalog.coin_of(SERVICE, row.id.as_str()) else {
                out.leave_out(row.id.as_str(), rows::NOT_IN_CATALOG);
                continue;
            };
            let usd = row.quotes.0.and_then(|quotes| quotes.usd.0);
            let usd = usd.unwrap_or_default();
            let at = stated::iso8601(row.last_updated.as_str());
            let quote = Quote {
                price: &usd.price,
                market_cap: &usd.market_cap,
                volume: &usd.volume_24h,
                at: stated::believable(at, now),
            };
            quote.push(coin, &mut out);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Fact, testing::*};

    #[test]
    fn zero_means_unknown_and_rows_may_lack_their_quote() {
        let body = r#"[{"id":"btc-bitcoin","symbol":"BTC","total_supply":0,
              "last_updated":"2023-11-14T22:13:20Z",
              "quotes":{"USD":{"price":61000.125,"volume_24h":77,"market_cap":0,"ath_date":null}}},
            {"id":"ltc-litecoin","quotes":{"USD":{"price":0,"market_cap":5}}},
            {"id":"xmr-monero","quotes":{}}, {"id":"zec-zcash","quotes":null},
            {"id":"btc-bitcoin-token","symbol":"BTC","quotes":{"USD":{"price":1}}}, null]"#;
        let parsed = parse(&CoinPaprika, TICKERS, 200, body).expect("prices");
        let of = |coin, fact| value(&parsed, &of_coin(coin), fact);
        assert_eq!(of("BTC", Fact::PriceUsd), dec("61000.125"));
        assert_eq!(of("BTC", Fact::VolumeUsdDay), dec("77"));
        assert_eq!(of("BTC", Fact::MarketCapUsd), None);
        assert_eq!(of("LTC", Fact::PriceUsd), None);
        assert_eq!(of("LTC", Fact::MarketCapUsd), dec("5"));
        assert_eq!(parsed.observations.len(), 3);
        assert_eq!(parsed.observations[0].at, Some(1_700_000_000));
        let left_out = [
            ("btc-bitcoin-token", rows::NOT_IN_CATALOG),
            ("", rows::NOT_READABLE),
        ];
        assert_eq!(unmapped(&parsed), left_out);
    }

    #[test]
    fn a_spent_quota_stops() {
        let ask = |status, body: &str| parse(&CoinPaprika, TICKERS, status, body);
        assert!(matches!(ask(402, "{}"), Err(SourceError::Stop(_))));
        assert_eq!(ask(429, ""), Err(SourceError::RateLimited(None)));
        let body = r#"{"error":"id not found"}"#;
        assert!(matches!(ask(404, body), Err(SourceError::NotFound(_))));
        assert!(matches!(ask(200, body), Err(SourceError::Malformed(_))));
    }
}
