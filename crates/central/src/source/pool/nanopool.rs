//! Nanopool: what a hashrate is thought to earn, and the pool's own size.
//!
//! - The hashrate in the question, and the one in an answer, is in a unit that
//!   depends on the coin: MH/s for most, plain hashes or solutions for Monero and
//!   Zcash. So the earnings belong to the hashrate in the request's address.
//! - Figures are rounded to a few digits: a large hashrate is asked about.
//! - An error comes with status 200 and `"status": false`.
//! - The prices beside them have two digits and are left to the markets.

use super::*;
use crate::source::Budget;
use crate::source::rows::Maybe;

pub struct Nanopool;

/// In the coin's unit.
const ASKED: u32 = 10_000;

impl Source for Nanopool {
    fn name(&self) -> &'static str {
        "nanopool"
    }

    /// Documented: 30 a minute.
    fn budget(&self) -> Budget {
        Budget {
            burst: 5,
            per_minute: 24.0,
        }
    }

    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        wanted("nanopool", settings, catalog)
            .flat_map(|(coin, id)| {
                let public = "https://api.nanopool.org/v1/{coin}";
                let url = |path: &str| coin_url(settings, public, id, path);
                let earnings = url(&format!("/approximated_earnings/{ASKED}"));
                [
                    get("earnings", &coin.id, earnings, 600),
                    get("hashrate", &coin.id, url("/pool/hashrate"), 300),
                    get("miners", &coin.id, url("/pool/activeminers"), 900),
                ]
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
        let place = Place::of(self.name(), &request.about, catalog)?;
        let power = power(place.coin);
        let mut parsed = Parsed::default();
        match request.kind {
            "earnings" => {
                let said: Envelope<Maybe<Earnings>> = object(answer)?;
                let asked = request.url.rsplit('/').next().unwrap_or_default();
                let hashes = shifted(Num::of_text(asked).positive(), power);
                earnings(&mut parsed, said.good()?, &place, hashes);
            }
            "hashrate" => {
                let said: Envelope<Num> = object(answer)?;
                let hashrate = shifted(said.good()?.not_negative(), power);
                parsed.push(&place.pool, Fact::PoolHashrate, hashrate, None);
            }
            "miners" => {
                let said: Envelope<Num> = object(answer)?;
                let miners = said.good()?.not_negative();
                parsed.push(&place.pool, Fact::PoolMiners, miners, None);
            }
            other => return Err(chain::no_such_kind(other)),
        }
        not_empty(parsed)
    }
}

/// The power of ten of the unit that this service uses for a coin.
fn power(coin: &Coin) -> i64 {
    match coin.only_algorithm() {
        Some("randomx" | "equihash-200-9") => 0,
        _ => 6,
    }
}

#[derive(Deserialize)]
struct Envelope<T: Default> {
    #[serde(default)]
    status: chain::Flag,
    #[serde(default)]
    data: T,
}

impl<T: Default> Envelope<T> {
    fn good(self) -> Result<T, SourceError> {
        if self.status.0 == Some(false) {
            let words = "status false, and no word why".to_owned();
            return Err(SourceError::Service(words));
        }
        Ok(self.data)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Earnings {
    day: Maybe<Day>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Day {
    coins: Num,
    dollars: Num,
    bitcoins: Num,
}

fn earnings(
    parsed: &mut Parsed,
    said: Maybe<Earnings>,
    place: &Place<'_>,
    hashes: Option<Decimal>,
) {
    let Some(day) = said.0.and_then(|earnings| earnings.day.0) else {
        return;
    };
    for (fact, sum) in [
        (Fact::OfferCoinPerHashDay, day.coins),
        (Fact::OfferBtcPerHashDay, day.bitcoins),
        (Fact::OfferUsdPerHashDay, day.dollars),
    ] {
        let offer = ratio(sum.positive(), hashes.clone());
        parsed.push(&place.pool, fact, offer, None);
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{fails, lines, parse, parse_at};
    use super::*;

    const EARNINGS: &str = r#"{"status":true,"data":{"hour":{"coins":0.5},
        "day":{"coins":12.5,"dollars":0.05,"bitcoins":5e-7},"prices":{"price_usd":0.004}}}"#;

    fn asked(coin: &str, url: &str) -> Vec<String> {
        let read = parse_at(&Nanopool, ("earnings", coin, url), 200, EARNINGS);
        read.map_or_else(|error| vec![error.to_string()], |parsed| lines(&parsed))
    }

    #[test]
    fn earnings_are_per_the_hashrate_that_was_asked_about_in_the_coins_unit() {
        assert_eq!(
            asked("RVN", "https://x/v1/rvn/approximated_earnings/10"),
            [
                "pool RVN/kawpow OfferCoinPerHashDay 0.00000125",
                "pool RVN/kawpow OfferBtcPerHashDay 0.00000000000005",
                "pool RVN/kawpow OfferUsdPerHashDay 0.000000005",
            ]
        );
        // Hashes for Monero, not millions of them.
        assert_eq!(
            asked("XMR", "https://x/v1/xmr/approximated_earnings/1000")[0],
            "pool XMR/randomx OfferCoinPerHashDay 0.0125"
        );
        // Without the hashrate there is no unit.
        assert!(asked("RVN", "https://x/")[0].contains("not of the expected form"));
        assert!(asked("RVN", "https://x/0")[0].contains("not of the expected form"));
    }

    #[test]
    fn an_error_has_status_200() {
        for body in [
            r#"{"status":false,"error":"Nothing here"}"#,
            r#"{"status":false}"#,
        ] {
            assert!(matches!(
                fails(&Nanopool, "earnings", "RVN", body),
                SourceError::Service(_)
            ));
        }
    }

    #[test]
    fn the_pools_hashrate_is_in_the_coins_unit() {
        let body = r#"{"status":true,"data":2500.5}"#;
        assert_eq!(
            lines(&parse(&Nanopool, "hashrate", "ETC", body)),
            ["pool ETC/etchash PoolHashrate 2500500000"]
        );
        assert_eq!(
            lines(&parse(&Nanopool, "hashrate", "ZEC", body)),
            ["pool ZEC/equihash-200-9 PoolHashrate 2500.5"]
        );
        assert_eq!(
            lines(&parse(
                &Nanopool,
                "miners",
                "ETC",
                r#"{"status":true,"data":"12"}"#
            )),
            ["pool ETC/etchash PoolMiners 12"]
        );
    }

    #[test]
    fn the_address_carries_what_parse_needs() {
        let settings = Settings {
            about: vec!["RVN".to_owned()],
            ..Settings::default()
        };
        let asked = Nanopool.requests(&settings, Catalog::built_in());
        assert_eq!(
            asked[0].url,
            "https://api.nanopool.org/v1/rvn/approximated_earnings/10000"
        );
    }
}
