//! Markets and calculators may answer anything: no parser panics, and whatever it
//! lets through is a value that can be.

use bigdecimal::{BigDecimal, Zero};
use proptest::prelude::*;
use smart_mining_central::source::{
    Answer, Catalog, Fact, Parsed, Request, Settings, Source, SourceError, Subject, calculator,
    market,
};
use std::time::Duration;

const NOW: u64 = 1_700_000_000;

/// One sound answer of each shape: source, kind, about, body.
const SOUND: [(&str, &str, &str, &str); 13] = [
    (
        "coingecko",
        "simple",
        "",
        r#"{"bitcoin":{"usd":6.1e4,"usd_market_cap":12,"usd_24h_vol":"3",
        "last_updated_at":1699990000},"zcoin":{}}"#,
    ),
    (
        "coingecko",
        "markets",
        "",
        r#"[{"id":"bitcoin","current_price":6,
        "market_cap":null,"total_volume":1,"last_updated":"2023-11-14T22:13:20.5Z"}]"#,
    ),
    (
        "binance",
        "all",
        "",
        r#"[{"symbol":"LTCUSDT","price":"81.5"},{"symbol":"BTCUSDT","price":"6"}]"#,
    ),
    (
        "binance",
        "average",
        "LTCUSDT",
        r#"{"mins":5,"price":"80.25","closeTime":1699999999165}"#,
    ),
    (
        "binance",
        "book",
        "LTCUSDT",
        r#"{"symbol":"LTCUSDT","bidPrice":"8.1","askPrice":"8.2"}"#,
    ),
    (
        "coinpaprika",
        "tickers",
        "",
        r#"[{"id":"btc-bitcoin","last_updated":"2023-11-14T22:13:20Z",
        "quotes":{"USD":{"price":6.5,"volume_24h":7,"market_cap":0}}}]"#,
    ),
    (
        "coinmarketcap",
        "listings",
        "",
        r#"{"status":{"error_code":0,"error_message":null},"data":[{"id":1,
        "quote":{"USD":{"price":6,"market_cap":1,"volume_24h":2,
        "last_updated":"2023-11-14T22:13:20.000Z"}}}]}"#,
    ),
    (
        "whattomine",
        "asic",
        "",
        r#"{"coins":{"Bitcoin":{"tag":"BTC","algorithm":"SHA-256","block_time":"590.5",
        "block_reward":3.15,"last_block":900000,"difficulty":1.25e14,"nethash":9e20,
        "exchange_rate":61000.5,"market_cap":"$1,200.50","lagging":false,
        "timestamp":1699999000},"Litecoin":{"algorithm":"Scrypt","exchange_rate":0.001}}}"#,
    ),
    (
        "whattomine_v1",
        "calculate",
        "sha256d",
        r#"[{"id":1,"name":"Bitcoin","estimated_rewards":"0.4","btc_revenue":"0.4","revenue":"9"}]"#,
    ),
    (
        "minerstat",
        "coins",
        "",
        r#"[{"coin":"BTC","type":"coin","algorithm":"SHA-256","network_hashrate":9e20,
        "difficulty":1.3e14,"reward":6.5e-20,"reward_unit":"BTC","reward_block":3.125,
        "price":61000.5,"volume":-1,"updated":1699999000}]"#,
    ),
    (
        "hashrateno",
        "coins",
        "",
        r#"{"RVN":{"ticker":"RVN","algorithm":"KawPow","price":{"USD":"0.01","volume":"0"},
        "network":{"hashrate":"9e12","difficulty":"12000.5","emission":1800000}}}"#,
    ),
    (
        "braiins_insights",
        "hashrate-stats",
        "BTC",
        r#"{"avg_fees_per_block":0.01,"current_hashrate":980.25,"hash_price":0.051}"#,
    ),
    (
        "f2pool_chart",
        "chart",
        "btc",
        r#"{"status":"ok","data":{"code":"btc","algorithm":"SHA256d","miners":"98,765",
        "price":6,"blocknumber":900000,"blockreward":3.125,"blocktime_real":0,
        "timestamp":1699999000123,"network_hashrate":9e20,"difficulty":1.3e14,
        "estimated_profit":5e-7,"estimated_profit_usd":0.03,"estimated_profit_scales":1e12}}"#,
    ),
];

/// What may stand where a value was.
const NASTY: [&str; 20] = [
    "null",
    "-1",
    "0",
    "-0.0",
    "1e120",
    "1e-120",
    "1e999999999",
    "\"NaN\"",
    "\"\"",
    "\"-\"",
    "true",
    "[]",
    "{}",
    "[[[[]]]]",
    "{\"a\":{\"a\":{}}}",
    "\"\\ud800\"",
    "18446744073709551616",
    "\"9999-12-31T23:59:59Z\"",
    "\"$,,,\"",
    "99999999999999999999999999999999999999999999999999999999999999999999999999999999",
];

fn sources() -> Vec<&'static dyn Source> {
    market::all().into_iter().chain(calculator::all()).collect()
}

fn read(
    shape: &(&str, &'static str, &str, &str),
    status: u16,
    body: &[u8],
) -> Result<Parsed, SourceError> {
    let (name, kind, about, _) = *shape;
    let source = sources().into_iter().find(|source| source.name() == name);
    let source = source.expect("a source of this name");
    let catalog = Catalog::built_in();
    let asked = source.requests(&Settings::default(), catalog);
    let question = asked.first().and_then(|request| request.body.clone());
    let request = Request {
        kind,
        about: about.to_owned(),
        url: String::new(),
        headers: Vec::new(),
        body: question,
        every: Duration::ZERO,
        network: None,
    };
    let headers = [("retry-after".to_owned(), "x".to_owned())];
    let answer = Answer {
        status,
        headers: &headers,
        body,
    };
    source.parse(&request, &answer, catalog, NOW)
}

fn check(shape: &(&str, &'static str, &str, &str), status: u16, body: &[u8]) {
    let parsed = read(shape, status, body).unwrap_or_default();
    for seen in parsed.observations {
        let (subject, fact, value, at) = (seen.subject, seen.fact, seen.value, seen.at);
        let may_be_zero = matches!(fact, Fact::FeesPerBlock | Fact::PoolMiners);
        let zero = BigDecimal::zero();
        assert!(
            value > zero || (may_be_zero && value == zero),
            "{fact:?} {value}"
        );
        assert!(at.is_none_or(|at| at <= NOW + 3600), "{fact:?} {at:?}");
        let (Subject::Coin { coin } | Subject::Chain { coin, .. } | Subject::Pool { coin, .. }) =
            subject
        else {
            panic!("{fact:?} of {subject:?}");
        };
        assert!(Catalog::built_in().coin(&coin).is_some(), "{coin}");
    }
}

/// `body` with the value after its `place`-th colon replaced.
fn replaced(body: &str, place: usize, value: &str) -> String {
    let colons: Vec<usize> = body.match_indices("\":").map(|(at, _)| at + 2).collect();
    let start = colons[place % colons.len()];
    let rest = &body[start..];
    let end = rest
        .find([',', '}', ']'])
        .map_or(body.len(), |at| start + at);
    format!("{}{value}{}", &body[..start], &body[end..])
}

#[test]
fn the_sound_ones_are_read() {
    for shape in &SOUND {
        let seen = read(shape, 200, shape.3.as_bytes());
        assert!(
            seen.is_ok_and(|seen| !seen.observations.is_empty()),
            "{shape:?}"
        );
        check(shape, 200, shape.3.as_bytes());
    }
}

#[test]
fn all_are_asked_at_public_addresses_and_leak_no_key() {
    let settings = Settings {
        key: Some("secret&more".to_owned()),
        ..Settings::default()
    };
    for source in sources() {
        let asked = source.requests(&settings, Catalog::built_in());
        assert!(!asked.is_empty(), "{}", source.name());
        assert!(source.budget().burst > 0 && source.budget().per_minute > 0.0);
        for request in asked {
            assert!(request.url.starts_with("https://"), "{}", request.url);
            assert!(!request.url.contains("secret&more"), "{}", request.url);
            let names = request.headers.iter().map(|(name, _)| *name);
            assert!(names.into_iter().all(|name| name == name.to_lowercase()));
        }
    }
}

proptest! {
    #[test]
    fn values_may_be_anything(
        shape in 0..SOUND.len(),
        status in prop_oneof![Just(200_u16), any::<u16>()],
        changes in prop::collection::vec((any::<usize>(), 0..NASTY.len()), 1..4),
    ) {
        let shape = &SOUND[shape];
        let mut body = shape.3.to_owned();
        for (place, value) in changes {
            if body.contains("\":") {
                body = replaced(&body, place, NASTY[value]);
            }
        }
        check(shape, status, body.as_bytes());
    }

    #[test]
    fn bytes_may_be_missing_or_wrong(
        shape in 0..SOUND.len(),
        status in any::<u16>(),
        length in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let shape = &SOUND[shape];
        let mut body = shape.3.as_bytes().to_vec();
        for (place, byte) in changes {
            let place = place.index(body.len());
            body[place] = byte;
        }
        check(shape, 200, &body);
        body.truncate(length.index(body.len()));
        check(shape, 200, &body);
        check(shape, status, &body);
    }

    #[test]
    fn one_shape_may_come_where_another_was_asked_for(
        shape in 0..SOUND.len(),
        other in 0..SOUND.len(),
        status in any::<u16>(),
    ) {
        check(&SOUND[shape], 200, SOUND[other].3.as_bytes());
        check(&SOUND[shape], status, SOUND[other].3.as_bytes());
    }
}
