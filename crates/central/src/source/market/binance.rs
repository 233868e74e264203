//! Binance, the spot market.
//!
//! - Prices are texts, in USDT and not in USD: no other pairs are in the catalog.
//! - One unknown symbol in a list spoils the whole question, so all prices are
//!   asked at once, or one symbol at a time.
//! - Asking on after a 429 leads to 418, a ban of minutes to days; 451 says that
//!   the service may not be used from here; 403 is its firewall.
//! - The average does not name its symbol: it is the question's.

use super::super::{
    Answer, Budget, Catalog, Decimal, Fact, Num, Parsed, Request, Settings, Source, SourceError,
    Subject, address,
    answer::excerpt,
    rows::{self, Rows, Text},
    stated,
};
use serde::Deserialize;
use std::time::Duration;

const SERVICE: &str = "binance";
const PUBLIC: &str = "https://api.binance.com/api/v3";

/// The last price of every pair.
pub const ALL: &str = "all";
/// The last price of one pair.
pub const ONE: &str = "one";
/// The average of the last minutes of one pair.
pub const AVERAGE: &str = "average";
/// The best bid and ask of one pair.
pub const BOOK: &str = "book";

const CROSSED: &str = "bid and ask contradict each other";

pub struct Binance;

#[derive(Deserialize)]
struct Pair {
    #[serde(default)]
    symbol: Text,
    #[serde(default)]
    price: Num,
    #[serde(default, rename = "closeTime")]
    close_time: Num,
    #[serde(default, rename = "bidPrice")]
    bid: Num,
    #[serde(default, rename = "askPrice")]
    ask: Num,
}

#[derive(Deserialize)]
struct Complaint {
    code: i64,
    #[serde(default)]
    msg: Text,
}

impl Source for Binance {
    fn name(&self) -> &'static str {
        SERVICE
    }

    /// 6000 of weight a minute; the heaviest question weighs 4.
    fn budget(&self) -> Budget {
        Budget {
            burst: 20,
            per_minute: 1500.0,
        }
    }

    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        let ask = |kind, about: &str, path: String| Request {
            kind,
            about: about.to_owned(),
            url: address::url(settings, PUBLIC, &path),
            headers: Vec::new(),
            body: None,
            every: Duration::from_secs(60),
            network: None,
        };
        let mut requests = vec![ask(ALL, "", "/ticker/price".to_owned())];
        if settings.about.is_empty() {
            return requests;
        }
        for symbol in catalog.ids(SERVICE, &settings.about) {
            let query = address::escaped(symbol);
            requests.push(ask(AVERAGE, symbol, format!("/avgPrice?symbol={query}")));
            let book = format!("/ticker/bookTicker?symbol={query}");
            requests.push(ask(BOOK, symbol, book));
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
        check(answer)?;
        let mut out = Parsed::default();
        if request.kind == ALL {
            for row in &answer.json::<Rows>()? {
                match rows::read::<Pair>(row) {
                    Some(pair) => push(&pair, pair.symbol.as_str(), catalog, now, &mut out),
                    None => out.leave_out("", rows::NOT_READABLE),
                }
            }
            return Ok(out);
        }
        let pair: Pair = answer.json()?;
        let symbol = pair.symbol.0.as_deref().unwrap_or(&request.about);
        push(&pair, symbol, catalog, now, &mut out);
        Ok(out)
    }
}

fn push(pair: &Pair, symbol: &str, catalog: &Catalog, now: u64, out: &mut Parsed) {
    let Some(coin) = catalog.coin_of(SERVICE, symbol) else {
        return out.leave_out(symbol, rows::NOT_IN_CATALOG);
    };
    let subject = Subject::Coin {
        coin: coin.id.clone(),
    };
    let price = match (pair.bid.positive(), pair.ask.positive()) {
        (Some(bid), Some(ask)) if bid <= ask => Some((bid + ask) / Decimal::from(2)),
        (Some(_), Some(_)) => return out.leave_out(symbol, CROSSED),
        // One side alone is no price: the other may be anywhere.
        (Some(_), None) | (None, Some(_)) => None,
        (None, None) => pair.price.positive(),
    };
    let at = stated::milliseconds(&pair.close_time, now);
    out.push(&subject, Fact::PriceUsd, price, at);
}

fn check(answer: &Answer<'_>) -> Result<(), SourceError> {
    if answer.status == 403 {
        let words = excerpt(&String::from_utf8_lossy(answer.body));
        return Err(SourceError::Stop(words));
    }
    let complaint: Option<Complaint> = answer
        .text()
        .ok()
        .filter(|text| text.starts_with('{'))
        .and_then(|text| serde_json::from_str(text).ok());
    match (answer.status, complaint) {
        (418 | 429 | 451, _) | (_, None) => answer.check_status(),
        (_, Some(Complaint { code: -1003, .. })) => {
            Err(SourceError::RateLimited(answer.retry_after()))
        }
        (500.., _) => answer.check_status(),
        (_, Some(Complaint { code, msg })) => Err(SourceError::Service(format!(
            "{code} {}",
            excerpt(msg.as_str())
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::*;

    fn price(kind: &'static str, about: &str, body: &str) -> Option<Decimal> {
        let parsed = parse_about(&Binance, kind, about, 200, body).expect("a price");
        value(&parsed, &of_coin("LTC"), Fact::PriceUsd)
    }

    #[test]
    fn all_prices_are_texts_and_only_known_pairs_count() {
        let body = r#"[{"symbol":"LTCUSDT","price":"81.50000000"},
            {"symbol":"LTCBTC","price":"0.001"}, {"symbol":"BEAMXUSDT","price":"9"},
            {"symbol":"BCHUSDT","price":"0.00000000"}, {"symbol":"BTCUSDT","price":""}, 1]"#;
        let parsed = parse(&Binance, ALL, 200, body).expect("prices");
        let price = |coin| value(&parsed, &of_coin(coin), Fact::PriceUsd);
        assert_eq!(price("LTC"), dec("81.5"));
        assert_eq!(parsed.observations.len(), 1);
        let left_out = [
            ("LTCBTC", rows::NOT_IN_CATALOG),
            ("BEAMXUSDT", rows::NOT_IN_CATALOG),
            ("", rows::NOT_READABLE),
        ];
        assert_eq!(unmapped(&parsed), left_out);
    }

    #[test]
    fn the_average_is_of_the_symbol_that_was_asked_for() {
        let body = r#"{"mins":5,"price":"80.25","closeTime":1699999999165}"#;
        assert_eq!(price(AVERAGE, "LTCUSDT", body), dec("80.25"));
        let parsed = parse_about(&Binance, AVERAGE, "LTCUSDT", 200, body).expect("a price");
        assert_eq!(parsed.observations[0].at, Some(1_699_999_999));
        assert_eq!(price(AVERAGE, "SOMEUSDT", body), None);
    }

    #[test]
    fn a_book_has_a_middle_only_with_both_sides() {
        let body = |bid, ask| {
            format!("{{\"symbol\":\"LTCUSDT\",\"bidPrice\":\"{bid}\",\"askPrice\":\"{ask}\"}}")
        };
        assert_eq!(
            price(BOOK, "LTCUSDT", &body("80.00", "80.01")),
            dec("80.005")
        );
        assert_eq!(price(BOOK, "LTCUSDT", &body("0.00000000", "80")), None);
        assert_eq!(price(BOOK, "LTCUSDT", &body("80", "79")), None);
        assert_eq!(
            price(ONE, "", r#"{"symbol":"LTCUSDT","price":"3"}"#),
            dec("3")
        );
    }

    #[test]
    fn errors_have_the_type_that_the_transport_acts_on() {
        let ask = |status, body: &str| parse(&Binance, ALL, status, body);
        let unknown = ask(400, r#"{"code":-1121,"msg":"No such symbol."}"#);
        let words = "-1121 No such symbol.".to_owned();
        assert_eq!(unknown, Err(SourceError::Service(words)));
        let body = r#"{"code":-1003,"msg":"Too much."}"#;
        let limited = Err(SourceError::RateLimited(None));
        assert_eq!(ask(429, body), limited);
        assert_eq!(ask(400, body), limited);
        for status in [403, 418, 451] {
            assert!(matches!(ask(status, body), Err(SourceError::Stop(_))));
            assert!(matches!(ask(status, "<html>"), Err(SourceError::Stop(_))));
        }
        assert_eq!(ask(502, "<html>"), Err(SourceError::Status(502)));
        assert!(matches!(ask(200, "{"), Err(SourceError::Malformed(_))));
    }

    #[test]
    fn coins_named_in_the_settings_are_asked_for_singly() {
        let mut settings = Settings::default();
        let kinds = |settings: &Settings| -> Vec<(&str, String)> {
            let requests = Binance.requests(settings, Catalog::built_in());
            requests.into_iter().map(|r| (r.kind, r.about)).collect()
        };
        assert_eq!(kinds(&settings), [(ALL, String::new())]);
        // Monero is not traded there.
        settings.about = vec!["BTC".to_owned(), "XMR".to_owned()];
        let symbol = "BTCUSDT".to_owned();
        let expected = [
            (ALL, String::new()),
            (AVERAGE, symbol.clone()),
            (BOOK, symbol),
        ];
        assert_eq!(kinds(&settings), expected);
    }
}
