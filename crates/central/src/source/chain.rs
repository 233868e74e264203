//! What the sources that tell of a chain have in common.

use super::{
    Answer, Catalog, Coin, Decimal, Fact, Observation, Parsed, Request, Settings, SourceError,
    Subject,
};
use bigdecimal::{ToPrimitive, Zero};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::str::FromStr;
use std::time::Duration;

/// A tip this many block times old belongs to a node that lags.
const STALE_BLOCKS: f64 = 20.0;
/// Chains with many blocks a second: less than this is clocks that disagree.
const STALE_AT_LEAST: f64 = 300.0;
/// A block may be stamped ahead of its time by two hours, on every chain we know.
const AHEAD: u64 = 2 * 60 * 60;
/// Digits that a quotient keeps.
const DIGITS: u64 = 34;

/// Where to ask about one coin.
#[derive(Clone, Debug)]
pub struct Endpoint<'a> {
    pub coin: &'a Coin,
    /// Without a slash at the end.
    pub url: String,
    pub key: Option<String>,
    /// The private chain that the node must be on, from `more["network.<COIN>"]`.
    pub network: Option<String>,
}

/// Addresses of nodes and of a service's other instances. One address knows one
/// chain: `url` counts if `about` names one coin (or none, and the source has a
/// usual one); for more there is `more["url.<COIN>"]` and `more["key.<COIN>"]`.
pub fn endpoints<'a>(
    settings: &Settings,
    catalog: &'a Catalog,
    usual: Option<&str>,
) -> Vec<Endpoint<'a>> {
    let mut about: Vec<&str> = settings.about.iter().map(String::as_str).collect();
    if about.is_empty() {
        about.extend(usual);
    }
    let alone = about.len() == 1;
    let of = |what: &str, coin: &Coin| settings.more.get(&format!("{what}.{}", coin.id)).cloned();
    about
        .into_iter()
        .filter_map(|id| catalog.coin(id))
        .filter_map(|coin| {
            let url = of("url", coin).or_else(|| settings.url.clone().filter(|_| alone))?;
            Some(Endpoint {
                coin,
                url: url.trim_end_matches('/').to_owned(),
                key: of("key", coin).or_else(|| settings.key.clone().filter(|_| alone)),
                network: of("network", coin),
            })
        })
        .collect()
}

/// The same for a public service whose own address is about one usual coin. Its
/// address is not used for another coin.
pub fn public<'a>(
    settings: &Settings,
    catalog: &'a Catalog,
    usual: &str,
    url: &str,
) -> Vec<Endpoint<'a>> {
    let mut found = endpoints(settings, catalog, Some(usual));
    let wanted = settings.about.is_empty() || settings.about.iter().any(|id| id == usual);
    let theirs = settings.url.is_none() && !found.iter().any(|one| one.coin.id == usual);
    if wanted && theirs {
        found.extend(catalog.coin(usual).map(|coin| Endpoint {
            coin,
            url: url.to_owned(),
            key: settings.key.clone(),
            network: None,
        }));
    }
    found
}

/// A plain GET.
pub fn get(kind: &'static str, about: &str, url: String, every: Duration) -> Request {
    Request {
        kind,
        about: about.to_owned(),
        url,
        headers: Vec::new(),
        body: None,
        every,
        network: None,
    }
}

/// A field that is of the expected form or as if it were not there.
#[derive(Clone, Debug, Default)]
pub struct Lax<T>(pub T);

impl<'de, T: DeserializeOwned + Default> Deserialize<'de> for Lax<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw: Box<RawValue> = Deserialize::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(raw.get()).unwrap_or_default()))
    }
}

/// An object, or one value. An array would be taken for an object's fields in
/// their order, and is refused.
pub fn shape<T: DeserializeOwned>(raw: &RawValue) -> Result<T, SourceError> {
    if raw.get().starts_with('[') {
        return Err(SourceError::Malformed("an array".to_owned()));
    }
    serde_json::from_str(raw.get()).map_err(|error| SourceError::Malformed(error.to_string()))
}

/// The whole body, which is an object.
pub fn object<T: DeserializeOwned>(answer: &Answer<'_>) -> Result<T, SourceError> {
    shape(&answer.json::<Box<RawValue>>()?)
}

/// Yes or no, of which some services make a text or a digit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flag(pub Option<bool>);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw: Box<RawValue> = Deserialize::deserialize(deserializer)?;
        Ok(Self(match raw.get().trim_matches('"') {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }))
    }
}

/// The coin that a request is about.
pub fn coin<'a>(about: &str, catalog: &'a Catalog) -> Result<&'a Coin, SourceError> {
    let unknown = || SourceError::NotFound(format!("no coin {about:?} in the catalog"));
    catalog.coin(about).ok_or_else(unknown)
}

/// A question that this source does not ask.
pub fn no_such_kind(kind: &str) -> SourceError {
    SourceError::NotFound(format!("no answer of the kind {kind:?} is known"))
}

pub fn subject(coin: &Coin, algorithm: &str) -> Subject {
    Subject::Chain {
        coin: coin.id.clone(),
        algorithm: algorithm.to_owned(),
    }
}

/// The chain of a coin that has one algorithm. Where there are several a plain
/// "difficulty" is that of an unnamed one, and must not be taken.
pub fn only(coin: &Coin) -> Result<Subject, SourceError> {
    let several = || {
        SourceError::NotFound(format!(
            "{} has several algorithms, and this answer names none",
            coin.id
        ))
    };
    coin.only_algorithm()
        .map(|algorithm| subject(coin, algorithm))
        .ok_or_else(several)
}

/// Whether anything was said of a chain of this coin.
pub fn tells_of(parsed: &Parsed, coin: &Coin) -> bool {
    let is =
        |subject: &Subject| matches!(subject, Subject::Chain { coin: id, .. } if *id == coin.id);
    parsed.observations.iter().any(|one| is(&one.subject))
}

/// The height of a coin's one chain, if this was said.
pub fn height(parsed: &Parsed, coin: &Coin) -> Option<u64> {
    let subject = only(coin).ok()?;
    let said = |one: &&Observation| one.fact == Fact::Height && one.subject == subject;
    parsed.observations.iter().find(said)?.value.to_u64()
}

/// Refuse what was said of an old tip: nothing that stands beside it is current.
pub fn fresh(tip: Option<u64>, coin: &Coin, now: u64) -> Result<(), SourceError> {
    let Some(tip) = tip else { return Ok(()) };
    if tip > now.saturating_add(AHEAD) {
        let words = format!("a tip of the time {tip}, which is to come");
        return Err(SourceError::Malformed(words));
    }
    let age = now.saturating_sub(tip);
    if age as f64 > (STALE_BLOCKS * coin.block_time).max(STALE_AT_LEAST) {
        return Err(SourceError::Syncing(format!("the tip is {age} s old")));
    }
    Ok(())
}

/// What belongs together and is true of one block: all or nothing, but that the
/// time may be missing where the source never says it.
pub fn push_tip(
    parsed: &mut Parsed,
    subject: &Subject,
    difficulty: Option<Decimal>,
    height: Option<u64>,
    time: Option<u64>,
) {
    if difficulty.is_none() {
        return;
    }
    parsed.push(subject, Fact::Difficulty, difficulty, time);
    parsed.push(subject, Fact::Height, height.map(Decimal::from), time);
    parsed.push(subject, Fact::TipTime, time.map(Decimal::from), time);
}

/// A network's rate and the block time that it was computed with. One without
/// the other only stands where the source never states the second.
pub fn push_rate(
    parsed: &mut Parsed,
    subject: &Subject,
    rate: Option<Decimal>,
    block_time: Option<Decimal>,
    at: Option<u64>,
) {
    if rate.is_none() {
        return;
    }
    parsed.push(subject, Fact::NetworkHashrate, rate, at);
    parsed.push(subject, Fact::BlockTime, block_time, at);
}

/// `a / b`; nothing if either is missing or `b` is zero.
pub fn ratio(a: Option<Decimal>, b: Option<Decimal>) -> Option<Decimal> {
    let (a, b) = (a?, b?);
    (!b.is_zero()).then(|| (a / b).with_prec(DIGITS).normalized())
}

/// A figure of the catalog as it is written there: 0.58, not its binary neighbour.
pub fn decimal(value: f64) -> Option<Decimal> {
    Decimal::from_str(&value.to_string()).ok()
}

/// The miner's part of a whole subsidy.
pub fn miners_part(subsidy: Option<Decimal>, coin: &Coin) -> Option<Decimal> {
    Some((subsidy? * decimal(coin.miner_share)?).normalized())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn an_old_tip_and_one_to_come_are_refused() {
        let btc = Catalog::built_in().coin("BTC").expect("there");
        let now = 2_000_000_000;
        assert_eq!(fresh(None, btc, now), Ok(()));
        assert_eq!(fresh(Some(now - 12_000), btc, now), Ok(()));
        assert_eq!(fresh(Some(now + 7_200), btc, now), Ok(()));
        assert!(matches!(
            fresh(Some(now - 12_001), btc, now),
            Err(SourceError::Syncing(_))
        ));
        // Milliseconds where seconds were promised.
        assert!(matches!(
            fresh(Some(now * 1000), btc, now),
            Err(SourceError::Malformed(_))
        ));
        let kas = Catalog::built_in().coin("KAS").expect("there");
        assert_eq!(fresh(Some(now - 200), kas, now), Ok(()));
    }

    #[test]
    fn one_address_is_never_asked_about_two_chains() {
        let catalog = Catalog::built_in();
        let mut settings = Settings {
            url: Some("http://node:1/".to_owned()),
            about: vec!["BTC".to_owned(), "LTC".to_owned(), "NONE".to_owned()],
            ..Settings::default()
        };
        assert!(endpoints(&settings, catalog, None).is_empty());
        settings.more = BTreeMap::from([("url.LTC".to_owned(), "http://other:2".to_owned())]);
        let found = endpoints(&settings, catalog, None);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (&*found[0].coin.id, &*found[0].url),
            ("LTC", "http://other:2")
        );
        settings.about = vec!["BTC".to_owned()];
        assert_eq!(endpoints(&settings, catalog, None)[0].url, "http://node:1");
        settings.about = Vec::new();
        assert!(endpoints(&settings, catalog, None).is_empty());
        assert_eq!(endpoints(&settings, catalog, Some("XMR"))[0].coin.id, "XMR");
    }

    #[test]
    fn a_public_address_is_not_asked_about_another_coin() {
        let catalog = Catalog::built_in();
        let of = |about: &[&str], url: Option<&str>| {
            let settings = Settings {
                url: url.map(str::to_owned),
                about: about.iter().map(|&id| id.to_owned()).collect(),
                ..Settings::default()
            };
            public(&settings, catalog, "BTC", "https://theirs")
                .into_iter()
                .map(|one| (one.coin.id.clone(), one.url))
                .collect::<Vec<_>>()
        };
        let one = |id: &str, url: &str| vec![(id.to_owned(), url.to_owned())];
        assert_eq!(of(&[], None), one("BTC", "https://theirs"));
        assert_eq!(of(&["BTC", "LTC"], None), one("BTC", "https://theirs"));
        assert_eq!(of(&["LTC"], None), []);
        assert_eq!(of(&["LTC"], Some("http://ours")), one("LTC", "http://ours"));
    }

    #[test]
    fn shares_are_the_written_figure() {
        let xec = Catalog::built_in().coin("XEC").expect("there");
        let whole = "3125000".parse().ok();
        assert_eq!(miners_part(whole, xec), "1812500".parse().ok());
        assert_eq!(ratio(Some(Decimal::from(1)), Some(Decimal::zero())), None);
    }
}
