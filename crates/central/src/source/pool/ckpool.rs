//! ckpool: files that the pool software writes, of the pool and of one user.
//!
//! - `pool.status` is three JSON objects on three lines; some servers join them.
//! - Hashrates are texts with an SI suffix (`1.12P`), or a plain `0`.
//! - `diff` is percent of a block's expected work in the round that is running;
//!   it says nothing of past luck and is not read.
//! - Shares are counted, a fee and the chain are not told.

use super::units::Suffixed;
use super::*;
use crate::source::Budget;
use crate::source::rows::NamedRows;

pub struct CkPool;

impl Source for CkPool {
    fn name(&self) -> &'static str {
        "ckpool"
    }

    /// None is documented; the files change once a minute.
    fn budget(&self) -> Budget {
        Budget {
            burst: 2,
            per_minute: 4.0,
        }
    }

    /// `about`: the coin, BTC if not told; `more["user"]`: an address of ours.
    fn requests(&self, settings: &Settings, _catalog: &Catalog) -> Vec<Request> {
        let coin = settings.about.first().map_or("BTC", String::as_str);
        let url = |path: &str| coin_url(settings, "https://solo.ckpool.org", "", path);
        let mut asked = vec![get("pool", coin, url("/pool/pool.status"), 120)];
        if let Some(user) = settings.more.get("user") {
            let path = format!("/users/{}", crate::source::address::escaped(user));
            asked.push(get("user", coin, url(&path), 300));
        }
        asked
    }

    fn parse(
        &self,
        request: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        now: u64,
    ) -> Result<Parsed, SourceError> {
        let place = Place::of(self.name(), &request.about, catalog)?;
        let mut parsed = Parsed::default();
        let pool = &place.pool;
        let said = Fields::of(answer)?;
        match request.kind {
            "pool" => {
                let at = stated::seconds(&said.number("lastupdate"), now);
                let users = said.number("Users").not_negative();
                parsed.push(pool, Fact::PoolHashrate, said.hashrate(), at);
                parsed.push(pool, Fact::PoolMiners, users, at);
            }
            "user" => parsed.push(pool, Fact::AccountHashrate, said.hashrate(), None),
            other => return Err(chain::no_such_kind(other)),
        }
        not_empty(parsed)
    }
}

/// The fields of all objects of the body.
struct Fields(NamedRows);

impl Fields {
    fn of(answer: &Answer<'_>) -> Result<Self, SourceError> {
        answer.check_status()?;
        let objects = serde_json::Deserializer::from_str(answer.text()?);
        let mut fields = NamedRows::new();
        for object in objects.into_iter::<NamedRows>() {
            let object = object.map_err(|error| SourceError::Malformed(error.to_string()))?;
            fields.extend(object);
        }
        Ok(Self(fields))
    }

    fn number(&self, name: &str) -> Num {
        let raw = self.0.get(name);
        raw.map_or(Num(None), |raw| Num::of_json(raw.get()))
    }

    /// Over an hour, or what comes nearest to it.
    fn hashrate(&self) -> Option<Decimal> {
        ["1hr", "6hr", "15m", "1d", "5m", "1m"]
            .iter()
            .find_map(|window| {
                let raw = self.0.get(&format!("hashrate{window}"))?;
                Suffixed::of_json(raw.get()).0
            })
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{fails, lines, parse};
    use super::*;

    #[test]
    fn three_objects_or_one_say_the_same() {
        let three = "{\"lastupdate\": 1700000000, \"Users\": 4}\n\
            {\"hashrate5m\": \"9T\", \"hashrate1hr\": \"1.25P\"}\n{\"diff\": 12.5}\n";
        let one = r#"{"lastupdate":1700000000,"Users":4,"hashrate1hr":"1.25P","diff":12.5}"#;
        for body in [three, one] {
            assert_eq!(
                lines(&parse(&CkPool, "pool", "BTC", body)),
                [
                    "pool BTC/sha256d PoolHashrate 1250000000000000 @1700000000",
                    "pool BTC/sha256d PoolMiners 4 @1700000000",
                ]
            );
        }
    }

    #[test]
    fn a_plain_zero_is_zero_and_a_dash_is_nothing() {
        for (hour, expected) in [("\"0\"", "0"), ("\"-\"", "3000000"), ("null", "3000000")] {
            let body = format!(r#"{{"hashrate1hr":{hour},"hashrate1d":"3M"}}"#);
            assert_eq!(
                lines(&parse(&CkPool, "user", "BTC", &body)),
                [format!("pool BTC/sha256d AccountHashrate {expected}")]
            );
        }
    }

    #[test]
    fn half_a_file_is_malformed() {
        for body in [
            "{\"Users\": 4}\n{\"hashrate1hr\": \"1",
            "[1]",
            "{}",
            "Not Found",
        ] {
            assert!(
                matches!(
                    fails(&CkPool, "pool", "BTC", body),
                    SourceError::Malformed(_)
                ),
                "{body}"
            );
        }
    }
}
