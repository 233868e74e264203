//! F2Pool, first version: one account of ours.
//!
//! - `hashes_last_day` are hashes, not hashes per second; with `value_last_day`,
//!   the coins they earned, they tell what a hash was really paid.
//! - Workers are arrays whose columns have no names; the account's sums suffice.
//! - An account that does not mine has zeros everywhere: no pay, not pay of zero.

use super::*;
use crate::source::Budget;

pub struct F2Pool;

impl Source for F2Pool {
    fn name(&self) -> &'static str {
        "f2pool"
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

    /// `more["user"]`: the account's name.
    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        let Some(user) = settings.more.get("user") else {
            return Vec::new();
        };
        wanted("f2pool", settings, catalog)
            .map(|(coin, id)| {
                let public = "https://api.f2pool.com/{coin}";
                let path = format!("/{}", crate::source::address::escaped(user));
                let url = coin_url(settings, public, id, &path);
                let mut asked = get("account", &coin.id, url, 900);
                let key = settings.key.clone().unwrap_or_default();
                asked.headers.push(("F2P-API-SECRET", key));
                asked
            })
            .collect()
    }

    fn parse(
        &self,
        request: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        _now: u64,
    ) -> Result<Parsed, SourceError> {
        if request.kind != "account" {
            return Err(chain::no_such_kind(request.kind));
        }
        let place = Place::of(self.name(), &request.about, catalog)?;
        let said: Account = object(answer)?;
        let mut parsed = Parsed::default();
        let day = Decimal::from(86_400);
        let earned = said.value_last_day.positive().map(|coins| coins * day);
        let paid = ratio(earned, said.hashes_last_day.positive());
        let hashrate = said.hashrate.not_negative();
        parsed.push(&place.pool, Fact::AccountHashrate, hashrate, None);
        parsed.push(&place.pool, Fact::PaidCoinPerHashDay, paid, None);
        not_empty(parsed)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Account {
    hashrate: Num,
    hashes_last_day: Num,
    value_last_day: Num,
}

#[cfg(test)]
mod tests {
    use super::testing::{fails, lines, parse};
    use super::*;

    #[test]
    fn pay_is_per_hash_per_second() {
        // A day at 1000 H/s earned half a coin.
        let body = r#"{"hashrate":1100,"hashes_last_day":86400000,"value_last_day":"0.5"}"#;
        assert_eq!(
            lines(&parse(&F2Pool, "account", "LTC", body)),
            [
                "pool LTC/scrypt AccountHashrate 1100",
                "pool LTC/scrypt PaidCoinPerHashDay 0.0005",
            ]
        );
    }

    #[test]
    fn who_does_not_mine_is_paid_nothing_and_that_is_no_rate() {
        let body = r#"{"hashrate":0,"hashes_last_day":0,"value_last_day":0}"#;
        assert_eq!(
            lines(&parse(&F2Pool, "account", "BTC", body)),
            ["pool BTC/sha256d AccountHashrate 0"]
        );
        assert!(matches!(
            fails(&F2Pool, "account", "BTC", r#"{"error":"who?"}"#),
            SourceError::Service(_)
        ));
    }
}
