//! ViaBTC: one account of ours.
//!
//! Everything comes with status 200; `code` is zero if it is good. Hashrates are
//! texts in hashes per second. `account` tells what is owed, which is no figure
//! to rank by: it is read to know that the key is good.

use super::*;
use crate::source::Budget;
use crate::source::rows::Maybe;

pub struct ViaBtc;

impl Source for ViaBtc {
    fn name(&self) -> &'static str {
        "viabtc"
    }

    /// None was found; this is polite.
    fn budget(&self) -> Budget {
        Budget {
            burst: 2,
            per_minute: 6.0,
        }
    }

    fn needs_key(&self) -> bool {
        true
    }

    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        let public = "https://www.viabtc.com/res/openapi/v1";
        let ask = |kind, about: &str, path: &str, every| {
            let mut asked = get(kind, about, coin_url(settings, public, "", path), every);
            let key = settings.key.clone().unwrap_or_default();
            asked.headers.push(("X-API-KEY", key));
            asked
        };
        let coins = wanted("viabtc", settings, catalog);
        let hashrates = coins.map(|(coin, id)| {
            let path = format!("/hashrate?coin={}", crate::source::address::escaped(id));
            ask("hashrate", &coin.id, &path, 300)
        });
        hashrates
            .chain([ask("account", "", "/account", 86_400)])
            .collect()
    }

    fn parse(
        &self,
        request: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        _now: u64,
    ) -> Result<Parsed, SourceError> {
        let said: Said = object(answer)?;
        if said.code.whole() != Some(0) {
            return Err(SourceError::Service(excerpt(said.message.as_str())));
        }
        let data = said.data.0.unwrap_or_default();
        let mut parsed = Parsed::default();
        match request.kind {
            "account" => return Ok(parsed),
            "hashrate" => {}
            other => return Err(chain::no_such_kind(other)),
        }
        let place = Place::of(self.name(), &request.about, catalog)?;
        let coin = catalog.coin_of(self.name(), data.coin.as_str());
        if coin.is_none_or(|coin| coin.id != place.coin.id) {
            parsed.leave_out(data.coin.as_str(), ANSWERS_OTHER);
            return Ok(parsed);
        }
        let hour = data.hashrate_1hour.not_negative();
        let hashrate = hour
            .or_else(|| data.hashrate_24hour.not_negative())
            .or_else(|| data.hashrate_10min.not_negative());
        parsed.push(&place.pool, Fact::AccountHashrate, hashrate, None);
        not_empty(parsed)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    code: Num,
    data: Maybe<Data>,
    message: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    coin: Text,
    hashrate_10min: Num,
    hashrate_1hour: Num,
    hashrate_24hour: Num,
}

#[cfg(test)]
mod tests {
    use super::testing::{fails, left_out, lines, parse};
    use super::*;

    #[test]
    fn a_code_other_than_zero_is_an_error_with_status_200() {
        for body in [
            r#"{"code":2,"data":{},"message":"bad key"}"#,
            r#"{"message":"bad key"}"#,
        ] {
            assert_eq!(
                fails(&ViaBtc, "account", "", body),
                SourceError::Service("bad key".to_owned())
            );
        }
        let good = r#"{"code":0,"data":{"balance":[{"amount":"1","coin":"BTC"}]},"message":"OK"}"#;
        assert_eq!(parse(&ViaBtc, "account", "", good), Parsed::default());
    }

    #[test]
    fn the_hour_counts_and_the_coin_must_be_the_one_asked_for() {
        let body = |coin: &str| {
            format!(
                r#"{{"code":0,"data":{{"coin":"{coin}","hashrate_10min":"9",
                "hashrate_1hour":"41000000000001","hashrate_24hour":"8"}}}}"#
            )
        };
        assert_eq!(
            lines(&parse(&ViaBtc, "hashrate", "BTC", &body("BTC"))),
            ["pool BTC/sha256d AccountHashrate 41000000000001"]
        );
        let other = parse(&ViaBtc, "hashrate", "BTC", &body("LTC"));
        assert!(other.observations.is_empty());
        assert_eq!(left_out(&other), ["LTC"]);
    }
}
