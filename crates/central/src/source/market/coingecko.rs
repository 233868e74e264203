//! CoinGecko.
//!
//! - Ids are no tickers: Firo is still `zcoin`, and `beam-2` is a game's token.
//! - An id that it does not know is left out without a word, and a coin without
//!   a market is `{}` or a row of nulls.
//! - One shape dates its values in Unix seconds, the other in ISO 8601.
//! - A key belongs to one host: the paid one is `pro-api.coingecko.com`. Its own
//!   error codes say so, whatever the status.
//! - Without a key the budget is shared by all who come from one address;
//!   refused requests count too.

use super::super::{
    Answer, Budget, Catalog, Num, Parsed, Request, Settings, Source, SourceError, address,
    rows::{self, Maybe, NamedRows, Rows, Text},
    stated,
};
use super::Quote;
use serde::Deserialize;
use std::time::Duration;

const SERVICE: &str = "coingecko";
const PUBLIC: &str = "https://api.coingecko.com/api/v3";
const PAID_HOST: &str = "pro-api.coingecko.com";

/// A map of ids to prices.
pub const SIMPLE: &str = "simple";
/// A table with more columns.
pub const MARKETS: &str = "markets";

pub struct CoinGecko;

#[derive(Deserialize)]
struct Simple {
    #[serde(default)]
    usd: Num,
    #[serde(default)]
    usd_market_cap: Num,
    #[serde(default)]
    usd_24h_vol: Num,
    #[serde(default)]
    last_updated_at: Num,
}

#[derive(Deserialize)]
struct Market {
    #[serde(default)]
    id: Text,
    #[serde(default)]
    current_price: Num,
    #[serde(default)]
    market_cap: Num,
    #[serde(default)]
    total_volume: Num,
    #[serde(default)]
    last_updated: Text,
}

#[derive(Deserialize)]
struct Complaint {
    #[serde(default)]
    error_code: Num,
    #[serde(default)]
    status: Maybe<Status>,
    #[serde(default)]
    error: Text,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    error_code: Num,
    #[serde(default)]
    error_message: Text,
}

impl Source for CoinGecko {
    fn name(&self) -> &'static str {
        SERVICE
    }

    fn budget(&self) -> Budget {
        Budget {
            burst: 2,
            per_minute: 5.0,
        }
    }

    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        let ids = catalog.ids(SERVICE, &settings.about).join(",");
        if ids.is_empty() {
            return Vec::new();
        }
        let ids = address::escaped(&ids);
        let ask = |kind, path: String, every| Request {
            kind,
            about: String::new(),
            url: address::url(settings, PUBLIC, &path),
            headers: key_header(settings),
            body: None,
            every: Duration::from_secs(every),
            network: None,
        };
        // Together below 10,000 a month, the quota of a free key.
        vec![
            ask(
                SIMPLE,
                format!(
                    "/simple/price?ids={ids}&vs_currencies=usd&include_market_cap=true\
                     &include_24hr_vol=true&include_last_updated_at=true&precision=full"
                ),
                300,
            ),
            ask(
                MARKETS,
                format!("/coins/markets?vs_currency=usd&ids={ids}&per_page=250&page=1"),
                3600,
            ),
        ]
    }

    fn parse(
        &self,
        request: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        now: u64,
    ) -> Result<Parsed, SourceError> {
        check(answer)?;
        if request.kind == MARKETS {
            return Ok(markets(&answer.json()?, catalog, now));
        }
        Ok(simple(&answer.json()?, catalog, now))
    }
}

fn key_header(settings: &Settings) -> Vec<(&'static str, String)> {
    let paid = settings
        .url
        .as_ref()
        .is_some_and(|url| url.contains(PAID_HOST));
    let name = if paid {
        "x-cg-pro-api-key"
    } else {
        "x-cg-demo-api-key"
    };
    settings.key.iter().map(|key| (name, key.clone())).collect()
}

fn simple(answer: &NamedRows, catalog: &Catalog, now: u64) -> Parsed {
    let mut out = Parsed::default();
    for (id, row) in answer {
        let Some(coin) = catalog.coin_of(SERVICE, id) else {
            out.leave_out(id, rows::NOT_IN_CATALOG);
            continue;
        };
        let Some(row) = rows::read::<Simple>(row) else {
            out.leave_out(id, rows::NOT_READABLE);
            continue;
        };
        let quote = Quote {
            price: &row.usd,
            market_cap: &row.usd_market_cap,
            volume: &row.usd_24h_vol,
            at: stated::seconds(&row.last_updated_at, now),
        };
        quote.push(coin, &mut out);
    }
    out
}

fn markets(answer: &Rows, catalog: &Catalog, now: u64) -> Parsed {
    let mut out = Parsed::default();
    for row in answer {
        let Some(row) = rows::read::<Market>(row) else {
            out.leave_out("", rows::NOT_READABLE);
            continue;
        };
        let Some(coin) = catalog.coin_of(SERVICE, row.id.as_str()) else {
            out.leave_out(row.id.as_str(), rows::NOT_IN_CATALOG);
            continue;
        };
        let at = stated::iso8601(row.last_updated.as_str());
        let quote = Quote {
            price: &row.current_price,
            market_cap: &row.market_cap,
            volume: &row.total_volume,
            at: stated::believable(at, now),
        };
        quote.push(coin, &mut out);
    }
    out
}

/// Its own codes count more than the status, except that a 429 is a 429 whatever
/// page comes with it.
fn check(answer: &Answer<'_>) -> Result<(), SourceError> {
    if answer.status == 429 {
        return answer.check_status();
    }
    let text = match answer.text() {
        // The firewall before the service: a key does not help.
        Err(SourceError::Html(page)) if answer.status == 403 => {
            return Err(SourceError::Stop(page));
        }
        Err(_) => return answer.check_status(),
        Ok(text) => text,
    };
    let complaint: Complaint = match serde_json::from_str(text) {
        Ok(complaint) if text.starts_with('{') => complaint,
        _ => return answer.check_status(),
    };
    let status = complaint.status.0.unwrap_or_default();
    let code = status.error_code.whole().or(complaint.error_code.whole());
    let words = [&status.error_message, &complaint.error]
        .into_iter()
        .find_map(|text| text.0.clone())
        .unwrap_or_default();
    match code {
        Some(10002 | 10005 | 10010 | 10011) => Err(SourceError::Key(words)),
        Some(429) => Err(SourceError::RateLimited(answer.retry_after())),
        Some(1020) => Err(SourceError::Stop(words)),
        None if words.is_empty() => answer.check_status(),
        _ => answer.check_status().and(Err(SourceError::Service(words))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Fact, testing::*};

    #[test]
    fn simple_prices_are_joined_by_id_and_may_lack_anything() {
        let body = r#"{"bitcoin":{"usd":61000.5,"usd_market_cap":1.2e12,"usd_24h_vol":"33",
              "last_updated_at":1699990000},
            "monero":{"usd":null,"usd_market_cap":0},
            "litecoin":{"usd":"NaN","usd_24h_vol":5},
            "zcoin":{"usd":1.17e-05}, "kaspa":{}, "ravencoin":[1], "beam-2":{"usd":1}}"#;
        let parsed = parse(&CoinGecko, SIMPLE, 200, body).expect("prices");
        let price = |coin| value(&parsed, &of_coin(coin), Fact::PriceUsd);
        assert_eq!(price("BTC"), dec("61000.5"));
        assert_eq!(price("FIRO"), dec("0.0000117"));
        for absent in ["XMR", "LTC", "KAS", "RVN", "BEAM"] {
            assert_eq!(price(absent), None, "{absent}");
        }
        let of = |coin, fact| value(&parsed, &of_coin(coin), fact);
        assert_eq!(of("BTC", Fact::MarketCapUsd), dec("1200000000000"));
        assert_eq!(of("LTC", Fact::VolumeUsdDay), dec("5"));
        assert_eq!(of("XMR", Fact::MarketCapUsd), None);
        assert_eq!(parsed.observations[0].at, Some(1_699_990_000));
        let left_out = [
            ("beam-2", rows::NOT_IN_CATALOG),
            ("ravencoin", rows::NOT_READABLE),
        ];
        assert_eq!(unmapped(&parsed), left_out);
        assert_eq!(parse(&CoinGecko, SIMPLE, 200, "{}"), Ok(Parsed::default()));
    }

    #[test]
    fn the_table_dates_its_rows_in_iso_8601() {
        let body = r#"[{"id":"dogecoin","current_price":"0.1","market_cap":null,
              "total_volume":12,"last_updated":"2023-11-14T22:13:20.5Z"},
            {"id":"siacoin","current_price":-1}, 7, {"id":"btc","current_price":2}]"#;
        let parsed = parse(&CoinGecko, MARKETS, 200, body).expect("prices");
        assert_eq!(parsed.observations.len(), 2);
        assert_eq!(parsed.observations[0].at, Some(1_700_000_000));
        assert_eq!(
            unmapped(&parsed),
            [("", rows::NOT_READABLE), ("btc", rows::NOT_IN_CATALOG)]
        );
    }

    #[test]
    fn its_own_codes_and_the_cdn_are_told_apart() {
        let ask = |status, body: &str| parse(&CoinGecko, SIMPLE, status, body);
        for code in [10002, 10005, 10010, 10011] {
            let body = format!("{{\"status\":{{\"error_code\":{code},\"error_message\":\"k\"}}}}");
            for status in [200, 400, 401, 403] {
                assert_eq!(ask(status, &body), Err(SourceError::Key("k".to_owned())));
            }
            let flat = format!("{{\"error_code\":{code}}}");
            assert!(matches!(ask(400, &flat), Err(SourceError::Key(_))));
        }
        let limited = Err(SourceError::RateLimited(None));
        assert_eq!(ask(429, "<html>slow down</html>"), limited);
        assert_eq!(ask(429, ""), limited);
        assert_eq!(ask(200, r#"{"status":{"error_code":429}}"#), limited);
        assert!(matches!(ask(403, "<html>"), Err(SourceError::Stop(_))));
        assert!(matches!(ask(200, "<html>"), Err(SourceError::Html(_))));
        let service = Err(SourceError::Service("no".to_owned()));
        assert_eq!(ask(200, r#"{"error":"no"}"#), service);
        assert_eq!(ask(503, "{}"), Err(SourceError::Status(503)));
        assert!(matches!(
            ask(404, r#"{"error":"no"}"#),
            Err(SourceError::NotFound(_))
        ));
    }

    #[test]
    fn a_key_goes_with_its_host() {
        let header = |settings: &Settings| {
            let requests = CoinGecko.requests(settings, Catalog::built_in());
            requests[0].headers.first().map(|(name, _)| *name)
        };
        let mut settings = Settings::default();
        assert_eq!(header(&settings), None);
        settings.key = Some("k".to_owned());
        assert_eq!(header(&settings), Some("x-cg-demo-api-key"));
        settings.url = Some("https://pro-api.coingecko.com/api/v3".to_owned());
        assert_eq!(header(&settings), Some("x-cg-pro-api-key"));
        settings.about = vec!["FIRO".to_owned()];
        let requests = CoinGecko.requests(&settings, Catalog::built_in());
        assert!(requests[0].url.contains("/simple/price?ids=zcoin&"));
        // Nothing that it knows: asking for no id would be an error.
        settings.about = vec!["?".to_owned()];
        let requests = CoinGecko.requests(&settings, Catalog::built_in());
        assert_eq!(requests, []);
    }
}
