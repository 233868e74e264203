//! NiceHash: a market of hashrate. All of it is an offer, none is a coin's revenue.
//!
//! - `paying` is BTC per day and so many hashes per second, and how many the
//!   answer does not say: it was 1e9 in 2019 and clients use 1e8 today. So the
//!   request carries the number (`about`), from the setting `paying_per`.
//! - `paying` has eight decimals, so "0" is a price too small to print.
//! - Two rows of one algorithm (with and without AsicBoost) are one offer: the
//!   better one. Old names may stand for algorithms that no coin has any more.
//! - The numbers of algorithms in `stats` were given out again later; only those
//!   that were checked against names are read.

mod order_book;

use super::*;
use crate::source::Budget;
use crate::source::catalog::normalised;
use crate::source::chain::{Flag, Lax};
use crate::source::rows::{self, Maybe, Rows};
use std::collections::BTreeMap;

pub struct NiceHash;

const PUBLIC: &str = "https://api2.nicehash.com/main/api/v2";
const PAYING_PER: &str = "100000000";
const OLD: &str = "an old algorithm under a name that means another today";
const NOT_TRADED: &str = "not traded";

impl Source for NiceHash {
    fn name(&self) -> &'static str {
        "nicehash"
    }

    /// None is documented; this is polite.
    fn budget(&self) -> Budget {
        Budget {
            burst: 3,
            per_minute: 10.0,
        }
    }

    /// `about` names the algorithms whose order book is wanted, as NiceHash does.
    fn requests(&self, settings: &Settings, _catalog: &Catalog) -> Vec<Request> {
        let per = settings
            .more
            .get("paying_per")
            .map_or(PAYING_PER, String::as_str);
        let url = |path: &str| coin_url(settings, PUBLIC, "", path);
        let mut asked = vec![
            get("algorithms", "", url("/mining/algorithms"), 21_600),
            get("paying", per, url("/public/simplemultialgo/info"), 300),
        ];
        asked.extend(settings.about.iter().map(|algorithm| {
            let query = crate::source::address::escaped(algorithm);
            let path = format!("/hashpower/orderBook?algorithm={query}&page=0&size=100");
            get("orderbook", algorithm, url(&path), 300)
        }));
        asked
    }

    /// Besides what is asked: `paying_v1` and `stats`, the shapes of 2019.
    fn parse(
        &self,
        request: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        now: u64,
    ) -> Result<Parsed, SourceError> {
        let per = || Num::of_text(&request.about).positive();
        let mut table = Table::new(catalog);
        match request.kind {
            "algorithms" => algorithms(&mut table, &object(answer)?),
            "paying" => paying(
                &mut table,
                &object::<Listed>(answer)?.mining_algorithms.0,
                per(),
            ),
            "paying_v1" => paying_v1(&mut table, object(answer)?, per())?,
            "stats" => stats(&mut table, &object(answer)?, per()),
            "orderbook" => order_book::read(&mut table, &object(answer)?, &request.about, now),
            other => return Err(chain::no_such_kind(other)),
        }
        not_empty(table.parsed())
    }
}

/// The best of each algorithm.
struct Table<'a> {
    catalog: &'a Catalog,
    best: BTreeMap<(String, Fact), (Decimal, Option<u64>)>,
    left: Parsed,
}

impl<'a> Table<'a> {
    fn new(catalog: &'a Catalog) -> Self {
        Self {
            catalog,
            best: BTreeMap::new(),
            left: Parsed::default(),
        }
    }

    /// The algorithm of a row, or the row is reported.
    fn algorithm(&mut self, name: &str) -> Option<&'a str> {
        // BEAM was BeamHash I, DECRED was Blake-256: both ended before their names did.
        if matches!(normalised(name).as_str(), "beam" | "decred") {
            self.left.leave_out(name, OLD);
            return None;
        }
        let known = self.catalog.algorithm(name);
        if known.is_none() {
            self.left.leave_out(name, rows::NOT_IN_CATALOG);
        }
        known
    }

    fn put(&mut self, algorithm: &str, fact: Fact, value: Option<Decimal>, at: Option<u64>) {
        let Some(value) = value else { return };
        let best = self.best.entry((algorithm.to_owned(), fact));
        let best = best.or_insert_with(|| (value.clone(), at));
        if value > best.0 {
            *best = (value, at);
        }
    }

    fn parsed(self) -> Parsed {
        let mut parsed = self.left;
        for ((algorithm, fact), (value, at)) in self.best {
            parsed.push(&market("nicehash", &algorithm), fact, Some(value), at);
        }
        parsed
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Listed {
    mining_algorithms: Lax<Rows>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Row {
    #[serde(alias = "name")]
    algorithm: Text,
    paying: Num,
    enabled: Flag,
    orders_enabled: Flag,
    price_factor: Num,
    market_factor: Num,
}

/// Each row that can be read, with its algorithm.
fn each<'a>(table: &mut Table<'a>, list: &Rows) -> Vec<(&'a str, Row)> {
    let mut found = Vec::new();
    for row in list {
        let Some(row) = rows::read::<Row>(row) else {
            table.left.leave_out(excerpt(row.get()), rows::NOT_READABLE);
            continue;
        };
        if let Some(algorithm) = table.algorithm(row.algorithm.as_str()) {
            found.push((algorithm, row));
        }
    }
    found
}

/// What the prices of each algorithm are per.
fn algorithms(table: &mut Table<'_>, said: &Listed) {
    for (algorithm, row) in each(table, &said.mining_algorithms.0) {
        if row.enabled.0 == Some(false) || row.orders_enabled.0 == Some(false) {
            table.left.leave_out(row.algorithm.as_str(), NOT_TRADED);
            continue;
        }
        let unit = row.price_factor.positive().or(row.market_factor.positive());
        table.put(algorithm, Fact::MarketUnit, unit, None);
    }
}

fn paying(table: &mut Table<'_>, list: &Rows, per: Option<Decimal>) {
    for (algorithm, row) in each(table, list) {
        let offer = ratio(row.paying.positive(), per.clone());
        table.put(algorithm, Fact::OfferBtcPerHashDay, offer, None);
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FirstVersion {
    result: Maybe<FirstResult>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FirstResult {
    simplemultialgo: Lax<Rows>,
    error: Text,
}

fn paying_v1(
    table: &mut Table<'_>,
    said: FirstVersion,
    per: Option<Decimal>,
) -> Result<(), SourceError> {
    let result = said.result.0.unwrap_or_default();
    if let Some(words) = &result.error.0 {
        return Err(SourceError::Service(excerpt(words)));
    }
    paying(table, &result.simplemultialgo.0, per);
    Ok(())
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Global {
    algos: Lax<Rows>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Numbered {
    a: Num,
    p: Num,
    s: Num,
}

fn numbered(number: u64) -> Option<&'static str> {
    Some(match number {
        0 => "SCRYPT",
        1 => "SHA256",
        3 => "X11",
        8 => "NEOSCRYPT",
        11 => "QUBIT",
        14 => "LYRA2REV2",
        20 => "DAGGERHASHIMOTO",
        24 => "EQUIHASH",
        28 => "BLAKE2S",
        35 => "SHA256ASICBOOST",
        36 => "ZHASH",
        40 => "LYRA2REV3",
        43 => "CUCKOOCYCLE",
        _ => return None,
    })
}

fn stats(table: &mut Table<'_>, said: &Global, per: Option<Decimal>) {
    for row in &said.algos.0 {
        let Some(row) = rows::read::<Numbered>(row) else {
            table.left.leave_out(excerpt(row.get()), rows::NOT_READABLE);
            continue;
        };
        let number = row.a.whole();
        let Some(name) = number.and_then(numbered) else {
            let name = number.map_or_else(String::new, |number| number.to_string());
            table.left.leave_out(name, "a number of no known algorithm");
            continue;
        };
        if let Some(algorithm) = table.algorithm(name) {
            let offer = ratio(row.p.positive(), per.clone());
            table.put(algorithm, Fact::OfferBtcPerHashDay, offer, None);
            table.put(algorithm, Fact::PoolHashrate, row.s.positive(), None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{fails, left_out, lines, parse};
    use super::*;

    #[test]
    fn what_paying_is_per_stands_in_the_request() {
        let body = r#"{"miningAlgorithms":[
            {"algorithm":"SCRYPT","speed":"7","paying":"0.00025"},
            {"algorithm":"X11","speed":"7","paying":"0"},
            {"algorithm":"NEVERHEARD","paying":"1"}, null,
            {"algorithm":"BEAM","paying":"1"}, {"algorithm":"DECRED","paying":"1"}]}"#;
        for (per, expected) in [
            (
                "1000000000",
                "market scrypt OfferBtcPerHashDay 0.00000000000025",
            ),
            (
                "100000000",
                "market scrypt OfferBtcPerHashDay 0.0000000000025",
            ),
        ] {
            let parsed = parse(&NiceHash, "paying", per, body);
            assert_eq!(lines(&parsed), [expected]);
            assert_eq!(left_out(&parsed), ["NEVERHEARD", "null", "BEAM", "DECRED"]);
        }
        // Nothing is scaled by a guess.
        assert_eq!(lines(&parse(&NiceHash, "paying", "", body)), [""; 0]);
    }

    #[test]
    fn of_two_rows_of_one_algorithm_the_better_counts() {
        let body = r#"{"algos":[{"a":1,"p":2e-9,"s":3e17},{"a":35,"p":3e-9,"s":1e16},
            {"a":24,"p":-1,"s":0},{"a":42,"p":1,"s":1},{"p":1}]}"#;
        let parsed = parse(&NiceHash, "stats", "1000000000", body);
        assert_eq!(
            lines(&parsed),
            [
                "market sha256d PoolHashrate 300000000000000000",
                "market sha256d OfferBtcPerHashDay 0.000000000000000003",
            ]
        );
        assert_eq!(left_out(&parsed), ["42", ""]);
    }

    #[test]
    fn the_first_version_has_names_and_its_own_errors() {
        let body =
            r#"{"result":{"simplemultialgo":[{"paying":"0.5","name":"equihash","algo":24}]}}"#;
        assert_eq!(
            lines(&parse(&NiceHash, "paying_v1", "1000000000", body)),
            ["market equihash-200-9 OfferBtcPerHashDay 0.0000000005"]
        );
        let body = r#"{"result":{"error":"too often"},"method":"x"}"#;
        assert_eq!(
            fails(&NiceHash, "paying_v1", "1", body),
            SourceError::Service("too often".to_owned())
        );
    }

    #[test]
    fn factors_are_strings_with_or_without_decimals() {
        let body = r#"{"miningAlgorithms":[
            {"algorithm":"SCRYPT","enabled":true,"marketFactor":"1000000000000"},
            {"algorithm":"KAWPOW","priceFactor":"2000.00000000","marketFactor":"1000"},
            {"algorithm":"X11","enabled":false,"marketFactor":"1000"}]}"#;
        let parsed = parse(&NiceHash, "algorithms", "", body);
        assert_eq!(
            lines(&parsed),
            [
                "market kawpow MarketUnit 2000",
                "market scrypt MarketUnit 1000000000000"
            ]
        );
        assert_eq!(left_out(&parsed), ["X11"]);
    }

    #[test]
    fn the_setting_reaches_the_request() {
        let mut settings = Settings {
            about: vec!["SHA256".to_owned()],
            ..Settings::default()
        };
        settings
            .more
            .insert("paying_per".to_owned(), "5".to_owned());
        let asked = NiceHash.requests(&settings, Catalog::built_in());
        assert_eq!((asked[1].kind, &*asked[1].about), ("paying", "5"));
        assert!(asked[2].url.contains("/orderBook?algorithm=SHA256&"));
    }
}
