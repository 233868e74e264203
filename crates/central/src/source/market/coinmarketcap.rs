//! CoinMarketCap.
//!
//! - Symbols are shared by many coins; only the number of a coin is its own.
//! - Errors stand in `status.error_code`, sometimes with HTTP status 200.
//! - One question for 5000 coins costs 25 credits of 10,000 a month.

use super::super::{
    Answer, Budget, Catalog, Num, Parsed, Request, Settings, Source, SourceError, address,
    answer::excerpt,
    rows::{self, Maybe, Rows, Text},
    stated,
};
use super::Quote;
use serde::Deserialize;
use std::time::Duration;

const SERVICE: &str = "coinmarketcap";
const PUBLIC: &str = "https://pro-api.coinmarketcap.com";

pub const LISTINGS: &str = "listings";

pub struct CoinMarketCap;

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    data: Option<Rows>,
}

#[derive(Deserialize)]
struct Complaint {
    #[serde(default)]
    status: Maybe<Status>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    error_code: Num,
    #[serde(default)]
    error_message: Text,
}

#[derive(Deserialize)]
struct Listing {
    #[serde(default)]
    id: Text,
    #[serde(default)]
    name: Text,
    #[serde(default)]
    last_updated: Text,
    #[serde(default)]
    quote: Maybe<Quotes>,
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
    #[serde(default)]
    last_updated: Text,
}

impl Source for CoinMarketCap {
    fn name(&self) -> &'static str {
        SERVICE
    }

    fn budget(&self) -> Budget {
        Budget {
            burst: 2,
            per_minute: 30.0,
        }
    }

    fn needs_key(&self) -> bool {
        true
    }

    fn requests(&self, settings: &Settings, _: &Catalog) -> Vec<Request> {
        let path = "/v1/cryptocurrency/listings/latest?start=1&limit=5000&convert=USD";
        let key = settings.key.iter();
        vec![Request {
            kind: LISTINGS,
            about: String::new(),
            url: address::url(settings, PUBLIC, path),
            headers: key.map(|key| ("x-cmc_pro_api_key", key.clone())).collect(),
            body: None,
            // 9,000 credits a month.
            every: Duration::from_secs(7200),
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
        check(answer)?;
        let envelope: Envelope = answer.json()?;
        let listings = envelope
            .data
            .ok_or_else(|| SourceError::Malformed("no data".to_owned()))?;
        let mut out = Parsed::default();
        for row in &listings {
            match rows::read::<Listing>(row) {
                Some(listing) => push(listing, catalog, now, &mut out),
                None => out.leave_out("", rows::NOT_READABLE),
            }
        }
        Ok(out)
    }
}

fn push(listing: Listing, catalog: &Catalog, now: u64, out: &mut Parsed) {
    let Some(coin) = catalog.coin_of(SERVICE, listing.id.as_str()) else {
        let name = format!("{} {}", listing.id.as_str(), listing.name.as_str());
        return out.leave_out(name.trim(), rows::NOT_IN_CATALOG);
    };
    let usd = listing.quote.0.and_then(|quote| quote.usd.0);
    let usd = usd.unwrap_or_default();
    let at = stated::iso8601(usd.last_updated.as_str())
        .or_else(|| stated::iso8601(listing.last_updated.as_str()));
    let quote = Quote {
        price: &usd.price,
        market_cap: &usd.market_cap,
        volume: &usd.volume_24h,
        at: stated::believable(at, now),
    };
    quote.push(coin, out);
}

fn check(answer: &Answer<'_>) -> Result<(), SourceError> {
    let status = answer
        .text()
        .ok()
        .filter(|text| text.starts_with('{'))
        .and_then(|text| serde_json::from_str::<Complaint>(text).ok())
        .and_then(|complaint| complaint.status.0);
    let Some(status) = status else {
        return answer.check_status();
    };
    let words = excerpt(status.error_message.as_str());
    match status.error_code.whole() {
        None | Some(0) => answer.check_status(),
        // Missing, unknown, unpaid, disabled, or not for this question.
        Some(1001..=1007) => Err(SourceError::Key(words)),
        // This minute's limit, of the key or of the address.
        Some(1008 | 1011) => Err(SourceError::RateLimited(answer.retry_after())),
        // The day's or the month's credits are gone.
        Some(1009 | 1010) => Err(SourceError::Stop(words)),
        Some(code) => {
            let words = format!("{code} {words}");
            answer.check_status().and(Err(SourceError::Service(words)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Fact, testing::*};

    #[test]
    fn coins_are_known_by_number() {
        let body = r#"{"status":{"error_code":0,"error_message":null},"data":[
            {"id":1,"symbol":"BTC","last_updated":"2001-01-01T00:00:00Z","quote":{"USD":{
              "price":61000.25,"market_cap":"12","volume_24h":null,
              "last_updated":"2023-11-14T22:13:20.000Z"}}},
            {"id":"2","quote":{"USD":{"price":80},"EUR":{}}}, {"id":1831,"quote":[]},
            {"id":99999,"name":"Bitcoin","symbol":"BTC","quote":{"USD":{"price":1}}}, []]}"#;
        let parsed = parse(&CoinMarketCap, LISTINGS, 200, body).expect("prices");
        let of = |coin, fact| value(&parsed, &of_coin(coin), fact);
        assert_eq!(of("BTC", Fact::PriceUsd), dec("61000.25"));
        assert_eq!(of("BTC", Fact::MarketCapUsd), dec("12"));
        assert_eq!(of("LTC", Fact::PriceUsd), dec("80"));
        assert_eq!(parsed.observations.len(), 3);
        assert_eq!(parsed.observations[0].at, Some(1_700_000_000));
        let left_out = [
            ("99999 Bitcoin", rows::NOT_IN_CATALOG),
            ("", rows::NOT_READABLE),
        ];
        assert_eq!(unmapped(&parsed), left_out);
    }

    #[test]
    fn an_error_may_come_with_status_200() {
        let ask = |status, code: &str| {
            let body = format!(
                "{{\"status\":{{\"error_code\":{code},\"error_message\":\"why\"}},\"data\":null}}"
            );
            parse(&CoinMarketCap, LISTINGS, status, &body)
        };
        let why = || "why".to_owned();
        for status in [200, 400, 401, 402, 403] {
            assert_eq!(ask(status, "1001"), Err(SourceError::Key(why())));
            assert_eq!(ask(status, "\"1002\""), Err(SourceError::Key(why())));
        }
        for code in ["1008", "1011"] {
            assert_eq!(ask(200, code), Err(SourceError::RateLimited(None)));
        }
        for code in ["1009", "1010"] {
            assert_eq!(ask(429, code), Err(SourceError::Stop(why())));
        }
        let service = Err(SourceError::Service("500 why".to_owned()));
        assert_eq!(ask(200, "500"), service);
        assert_eq!(ask(500, "500"), Err(SourceError::Status(500)));
        assert!(matches!(ask(200, "0"), Err(SourceError::Malformed(_))));
    }
}
