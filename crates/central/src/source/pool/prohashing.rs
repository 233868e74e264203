//! ProHashing: a pool that mines what pays best and pays in what the miner likes.
//!
//! - `status` is the table of yiimp's kind within `data`: BTC a day per
//!   `mbtc_mh_factor` million hashes per second. What it calls actual has no
//!   documented scale and is not read. `pps_fee` is a fraction, not percent.
//! - `profitability`, of a proxy to its live feed, says USD and BTC a day per `mh`
//!   million hashes per second. Few have seen it: a row is read only with its `mh`.

use super::yiimp::Row as Priced;
use super::*;
use crate::source::Budget;
use crate::source::chain::Lax;
use crate::source::rows::{self, NamedRows};

pub struct ProHashing;

impl Source for ProHashing {
    fn name(&self) -> &'static str {
        "prohashing"
    }

    /// None is documented; this is polite.
    fn budget(&self) -> Budget {
        Budget {
            burst: 1,
            per_minute: 2.0,
        }
    }

    /// `more["proxy"]`: the address of a proxy to the live feed.
    fn requests(&self, settings: &Settings, _catalog: &Catalog) -> Vec<Request> {
        let url = coin_url(settings, "https://prohashing.com", "", "/api/v1/status");
        let mut asked = vec![get("status", "", url, 600)];
        if let Some(proxy) = settings.more.get("proxy") {
            let url = format!("{}/profitability", proxy.trim_end_matches('/'));
            asked.push(get("profitability", "", url, 300));
        }
        asked
    }

    fn parse(
        &self,
        request: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        _now: u64,
    ) -> Result<Parsed, SourceError> {
        let mut parsed = Parsed::default();
        match request.kind {
            "status" => {
                let said: Envelope = object(answer)?;
                for (key, row) in &said.data.0 {
                    status(&mut parsed, key, rows::read(row), rows::read(row), catalog);
                }
            }
            "profitability" => {
                let said: NamedRows = object(answer)?;
                for (key, row) in &said {
                    profitability(&mut parsed, key, rows::read(row), catalog);
                }
            }
            other => return Err(chain::no_such_kind(other)),
        }
        not_empty(parsed)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope {
    data: Lax<NamedRows>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Algorithm {
    name: Text,
    hashrate: Num,
    pps_fee: Num,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Profit {
    algorithm_name: Text,
    usd: Num,
    btc: Num,
    mh: Num,
}

fn status(
    parsed: &mut Parsed,
    key: &str,
    row: Option<Algorithm>,
    priced: Option<Priced>,
    catalog: &Catalog,
) {
    let (Some(row), Some(priced)) = (row, priced) else {
        return parsed.leave_out(key, rows::NOT_READABLE);
    };
    let name = row.name.0.as_deref().unwrap_or(key);
    let Some(algorithm) = catalog.algorithm(name) else {
        return parsed.leave_out(key, rows::NOT_IN_CATALOG);
    };
    let subject = market("prohashing", algorithm);
    let fee = row
        .pps_fee
        .not_negative()
        .filter(|fee| *fee < Decimal::one());
    let estimate = priced.estimate_current.positive();
    if estimate.is_some() && priced.per().is_none() {
        parsed.leave_out(key, UNSCALED);
    }
    let offer = ratio(estimate, priced.per());
    parsed.push(
        &subject,
        Fact::PoolHashrate,
        row.hashrate.not_negative(),
        None,
    );
    parsed.push(&subject, Fact::OfferBtcPerHashDay, offer, None);
    parsed.push(&subject, Fact::PoolFee, fee, None);
}

fn profitability(parsed: &mut Parsed, key: &str, row: Option<Profit>, catalog: &Catalog) {
    let Some(row) = row else {
        return parsed.leave_out(key, rows::NOT_READABLE);
    };
    let name = row.algorithm_name.as_str();
    let Some(algorithm) = catalog.algorithm(name) else {
        return parsed.leave_out(format!("{key} {name}"), rows::NOT_IN_CATALOG);
    };
    let Some(per) = shifted(row.mh.positive(), 6) else {
        return parsed.leave_out(format!("{key} {name}"), UNSCALED);
    };
    let subject = market("prohashing", algorithm);
    let per_hash = |sum: &Num| ratio(sum.positive(), Some(per.clone()));
    parsed.push(&subject, Fact::OfferBtcPerHashDay, per_hash(&row.btc), None);
    parsed.push(&subject, Fact::OfferUsdPerHashDay, per_hash(&row.usd), None);
}

#[cfg(test)]
mod tests {
    use super::testing::{left_out, lines, parse};
    use super::*;

    #[test]
    fn profits_are_per_so_many_million_hashes() {
        let body = r#"{"1":{"algorithm_name":"Scrypt","usd":0.5,"btc":2e-6,"mh":10},
            "2":{"algorithm_name":"X11","usd":1,"btc":1}, "3":{"algorithm_name":"Novel","mh":1},
            "4":7}"#;
        let parsed = parse(&ProHashing, "profitability", "", body);
        assert_eq!(
            lines(&parsed),
            [
                "market scrypt OfferBtcPerHashDay 0.0000000000002",
                "market scrypt OfferUsdPerHashDay 0.00000005",
            ]
        );
        assert_eq!(left_out(&parsed), ["2 X11", "3 Novel", "4"]);
    }

    #[test]
    fn the_status_has_yiimps_scale_and_a_fee_that_is_a_fraction() {
        let body = r#"{"data":{"scrypt":{"name":"scrypt","estimate_current":"0.000002",
            "actual_last24h":"9","mbtc_mh_factor":1,"hashrate":5,"pps_fee":0.05},
            "x11":{"estimate_current":1,"pps_fee":5}}}"#;
        let parsed = parse(&ProHashing, "status", "", body);
        assert_eq!(
            lines(&parsed),
            [
                "market scrypt PoolHashrate 5",
                "market scrypt OfferBtcPerHashDay 0.000000000002",
                "market scrypt PoolFee 0.05",
            ]
        );
        assert_eq!(left_out(&parsed), ["x11"]);
    }
}
