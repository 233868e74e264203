//! Pools that run yiimp: zpool and zergpool.
//!
//! - `estimate_*` are BTC a day per `mbtc_mh_factor` million hashes per second;
//!   `actual_last24h` are thousandths of that: mBTC. Without the factor (as of
//!   old) neither has a scale, and in that age the actual was in whole BTC.
//! - A plain `estimate` of a currency is 1000 times `estimate_current`, which
//!   stands beside it: the plain one is not read.
//! - Estimates promise too much, up to threefold: they are offers, and what was
//!   paid over the last day is told apart.
//! - `fees` are percent. Numbers are strings or numbers as it happens.
//! - A currency is joined by its key, not by the symbol: a coin of several
//!   algorithms has several keys and one symbol.
//! - Asked too often they answer status 200 and an empty body.

use super::*;
use crate::source::Budget;
use crate::source::rows::{self, NamedRows};

pub struct Yiimp {
    name: &'static str,
    url: &'static str,
}

pub static ZPOOL: Yiimp = Yiimp {
    name: "zpool",
    url: "https://www.zpool.ca",
};

pub static ZERGPOOL: Yiimp = Yiimp {
    name: "zergpool",
    url: "https://zergpool.com",
};

impl Source for Yiimp {
    fn name(&self) -> &'static str {
        self.name
    }

    /// About ten a minute are answered; one is polite.
    fn budget(&self) -> Budget {
        Budget {
            burst: 1,
            per_minute: 1.0,
        }
    }

    fn requests(&self, settings: &Settings, _catalog: &Catalog) -> Vec<Request> {
        let url = |path| crate::source::address::url(settings, self.url, path);
        vec![
            get("status", "", url("/api/status"), 300),
            get("currencies", "", url("/api/currencies"), 600),
        ]
    }

    fn parse(
        &self,
        request: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        now: u64,
    ) -> Result<Parsed, SourceError> {
        let row: fn(&mut Parsed, &Self, &str, &Row, &Catalog, u64) = match request.kind {
            "status" => of_algorithm,
            "currencies" => of_currency,
            other => return Err(chain::no_such_kind(other)),
        };
        let table: NamedRows = match object(answer) {
            Err(SourceError::Empty) => return Err(SourceError::RateLimited(None)),
            read => read?,
        };
        let mut parsed = Parsed::default();
        for (name, raw) in &table {
            match rows::read::<Row>(raw) {
                Some(said) => row(&mut parsed, self, name, &said, catalog, now),
                None => parsed.leave_out(name, rows::NOT_READABLE),
            }
        }
        not_empty(parsed)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Row {
    algo: Text,
    name: Text,
    fees: Num,
    hashrate: Num,
    workers: Num,
    height: Num,
    difficulty: Num,
    network_hashrate: Num,
    lastblock: Num,
    timesincelast: Num,
    pub(super) estimate_current: Num,
    actual_last24h: Num,
    pub(super) mbtc_mh_factor: Num,
}

impl Row {
    /// Hashes per second that its prices are per.
    pub(super) fn per(&self) -> Option<Decimal> {
        shifted(self.mbtc_mh_factor.positive(), 6)
    }

    fn push_common(&self, parsed: &mut Parsed, subject: &Subject) {
        let per = self.per();
        let offer = ratio(self.estimate_current.positive(), per.clone());
        let paid = ratio(shifted(self.actual_last24h.positive(), -3), per);
        parsed.push(
            subject,
            Fact::PoolHashrate,
            self.hashrate.not_negative(),
            None,
        );
        parsed.push(subject, Fact::PoolMiners, self.workers.not_negative(), None);
        parsed.push(subject, Fact::OfferBtcPerHashDay, offer, None);
        parsed.push(subject, Fact::PaidBtcPerHashDay, paid, None);
    }

    fn priced(&self) -> bool {
        self.estimate_current.positive().is_some() || self.actual_last24h.positive().is_some()
    }
}

fn of_algorithm(
    parsed: &mut Parsed,
    pool: &Yiimp,
    key: &str,
    row: &Row,
    catalog: &Catalog,
    _now: u64,
) {
    let name = row.name.0.as_deref().unwrap_or(key);
    let Some(algorithm) = catalog.algorithm(name) else {
        return parsed.leave_out(key, rows::NOT_IN_CATALOG);
    };
    let subject = market(pool.name, algorithm);
    row.push_common(parsed, &subject);
    parsed.push(&subject, Fact::PoolFee, percent(&row.fees), None);
    if row.priced() && row.per().is_none() {
        parsed.leave_out(key, UNSCALED);
    }
}

fn of_currency(
    parsed: &mut Parsed,
    pool: &Yiimp,
    key: &str,
    row: &Row,
    catalog: &Catalog,
    now: u64,
) {
    let Some(coin) = catalog.coin_of(pool.name, key) else {
        return parsed.leave_out(key, rows::NOT_IN_CATALOG);
    };
    let algorithm = catalog.algorithm(row.algo.as_str());
    let Some(algorithm) = algorithm.filter(|algorithm| coin.has(algorithm)) else {
        return parsed.leave_out(key, rows::OTHER_ALGORITHM);
    };
    let place = Place::new(pool.name, coin, algorithm);
    row.push_common(parsed, &place.pool);
    // Of a pool that never found a block both are zero.
    let age = row.lastblock.positive().and(row.timesincelast.whole());
    let last = age.and_then(|age| now.checked_sub(age));
    parsed.push(
        &place.pool,
        Fact::PoolLastBlock,
        last.map(Decimal::from),
        None,
    );

    let (height, network) = (row.height.positive(), row.network_hashrate.positive());
    if network.is_some() && network == row.hashrate.positive() {
        parsed.leave_out(key, SAME_AS_NETWORK);
    }
    parsed.push(
        &place.chain,
        Fact::Difficulty,
        row.difficulty.positive(),
        None,
    );
    parsed.push(&place.chain, Fact::NetworkHashrate, network, None);
    parsed.push(&place.chain, Fact::Height, height, None);
}

#[cfg(test)]
mod tests {
    use super::testing::{fails, left_out, lines, parse, parse_at};
    use super::*;

    #[test]
    fn estimates_are_btc_and_actuals_are_thousandths_per_factor() {
        for (factor, scale) in [("1", 0), ("\"1000\"", 3), ("0.001", -3)] {
            let body = format!(
                r#"{{"scrypt":{{"name":"scrypt","fees":"0.5","hashrate":9,"workers":2,
                "estimate_current":"0.00000400","actual_last24h":"0.00300","mbtc_mh_factor":{factor}}}}}"#
            );
            let read = lines(&parse(&ZPOOL, "status", "", &body));
            let value = |digits: &str| {
                let value = shifted(digits.parse().ok(), -scale).expect("a number");
                value.normalized().to_plain_string()
            };
            assert_eq!(
                read,
                [
                    "market scrypt PoolHashrate 9".to_owned(),
                    "market scrypt PoolMiners 2".to_owned(),
                    format!("market scrypt OfferBtcPerHashDay {}", value("4e-12")),
                    format!("market scrypt PaidBtcPerHashDay {}", value("3e-12")),
                    "market scrypt PoolFee 0.005".to_owned(),
                ]
            );
        }
    }

    #[test]
    fn without_a_factor_prices_have_no_scale() {
        let body = r#"{"x11":{"name":"x11","fees":1,"hashrate":5,"estimate_current":"0.5"},
            "kawpow":{"mbtc_mh_factor":"","hashrate":0,"actual_last24h":0},
            "mystery":{"hashrate":1}, "skein":[1,2]}"#;
        let parsed = parse(&ZERGPOOL, "status", "", body);
        assert_eq!(
            lines(&parsed),
            [
                "market kawpow PoolHashrate 0",
                "market x11 PoolHashrate 5",
                "market x11 PoolFee 0.01",
            ]
        );
        assert_eq!(left_out(&parsed), ["mystery", "skein", "x11"]);
    }

    #[test]
    fn a_currency_is_joined_by_its_key_and_must_have_the_algorithm() {
        let body = r#"{
            "RVN":{"algo":"kawpow","name":"Raven","height":70,"difficulty":"12.5","workers":1,
                "hashrate":40,"network_hashrate":400,"estimate":"0.5","estimate_current":"0.0005",
                "mbtc_mh_factor":1,"lastblock":"69","timesincelast":600},
            "FIRO":{"algo":"mtp","name":"Firo","hashrate":4},
            "LTC":{"algo":"scrypt","hashrate":7,"network_hashrate":"7","lastblock":0,"timesincelast":0},
            "XYZ":{"algo":"kawpow","symbol":"RVN","hashrate":9}}"#;
        let parsed = parse(&ZERGPOOL, "currencies", "", body);
        assert_eq!(
            lines(&parsed),
            [
                "pool LTC/scrypt PoolHashrate 7",
                "LTC/scrypt NetworkHashrate 7",
                "pool RVN/kawpow PoolHashrate 40",
                "pool RVN/kawpow PoolMiners 1",
                "pool RVN/kawpow OfferBtcPerHashDay 0.0000000005",
                "pool RVN/kawpow PoolLastBlock 1899999400",
                "RVN/kawpow Difficulty 12.5",
                "RVN/kawpow NetworkHashrate 400",
                "RVN/kawpow Height 70",
            ]
        );
        assert_eq!(left_out(&parsed), ["FIRO", "LTC", "XYZ"]);
    }

    #[test]
    fn an_empty_answer_is_the_limit_and_503_is_a_status() {
        assert_eq!(
            fails(&ZPOOL, "status", "", " "),
            SourceError::RateLimited(None)
        );
        let overloaded = parse_at(&ZPOOL, ("status", "", ""), 503, "");
        assert_eq!(overloaded, Err(SourceError::Status(503)));
    }
}
