//! The data file of `smart-mining-aggregator import`.
//!
//! ```json
//! {
//!   "note": "free text, not used",
//!   "coins": [{"id": "BTC", "name": "Bitcoin"}],
//!   "pools": [{"id": "pool-a", "name": "Pool A", "offers": [
//!     {"coin": "BTC", "algorithm": "sha256d", "url": "stratum+tcp://a.example:3333",
//!      "fee": 0.01, "scheme": "FPPS"}]}],
//!   "profitability": [{"coin": "BTC", "pool": "pool-a", "algorithm": "sha256d",
//!     "usd_per_hash_day": 4.0e-14, "margin": 0.02, "computed_at": 1790000000}]
//! }
//! ```
//!
//! Each of the three lists may be absent. `usd_per_hash_day` is gross: before the
//! pool's fee. `margin` is 0 and `computed_at` (Unix seconds) is now when absent.
//!
//! A person writes this file, so it is read leniently and judged completely: every
//! mistake is collected, each with where it stands, what stands there and what to
//! write instead ([`reader`]); nothing is used while there is one.

mod reader;

use reader::Reader;
use smart_mining_wire::{Algorithm, PoolUrl, snapshot::is_name};
use std::collections::BTreeSet;
use std::fmt;

/// What a pool offers for a coin with an algorithm: (coin, pool, algorithm).
pub type Key = (String, String, Algorithm);

#[derive(Debug, Default)]
pub struct Dataset {
    pub coins: Vec<Named>,
    pub pools: Vec<Named>,
    pub offers: Vec<Offer>,
    pub profitability: Vec<Profit>,
    /// What the file refers to, with the place, to be looked up here or in the tables.
    references: Vec<(String, Reference)>,
    declared: Known,
    ranked: BTreeSet<Key>,
}

#[derive(Debug)]
pub struct Named {
    pub id: String,
    pub name: String,
}

#[derive(Debug)]
pub struct Offer {
    pub key: Key,
    pub url: String,
    pub fee: f64,
    pub scheme: String,
}

#[derive(Debug)]
pub struct Profit {
    pub key: Key,
    pub usd_per_hash_day: f64,
    pub margin: f64,
    /// Unix seconds; the import's own time when absent.
    pub computed_at: Option<f64>,
}

/// The rows that references may lead to.
#[derive(Debug, Default)]
pub struct Known {
    pub coins: BTreeSet<String>,
    pub pools: BTreeSet<String>,
    pub offers: BTreeSet<Key>,
}

#[derive(Debug)]
enum Reference {
    Coin(String),
    Offer(Key),
}

/// One mistake in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub place: String,
    pub value: String,
    pub remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.value, self.remedy)
    }
}

pub(crate) const ALGORITHM: &str =
    "write one of sha256d, scrypt, etchash, kawpow, randomx, kheavyhash, equihash, x16r";
const COIN_ID: &str = "write a coin id of 1 to 63 characters of A-Z 0-9 . _ - (\"BTC\")";
pub(crate) const POOL_ID: &str =
    "write a pool id of 1 to 63 characters of A-Z a-z 0-9 . _ - (\"pool-a\")";
pub(crate) const NAME: &str = "write a name of 1 to 100 characters";

impl Dataset {
    /// Read the whole file. The rows are only of use when there are no faults.
    pub fn parse(text: &str) -> (Self, Vec<Fault>) {
        let mut data = Self::default();
        let root = match serde_json::from_str(text) {
            Ok(root) => root,
            Err(error) => {
                let fault = Fault {
                    place: format!("line {}, column {}", error.line(), error.column()),
                    value: error.to_string(),
                    remedy: "mend the JSON here; nothing after it was looked at".into(),
                };
                return (data, vec![fault]);
            }
        };
        let mut reader = Reader::default();
        let keys = ["note", "coins", "pools", "profitability"];
        if let Some(root) = reader.object("the file", &root, &keys) {
            for (at, value) in reader.list("", root, "coins", false) {
                data.read_coin(&mut reader, &at, value);
            }
            for (at, value) in reader.list("", root, "pools", false) {
                data.read_pool(&mut reader, &at, value);
            }
            for (at, value) in reader.list("", root, "profitability", false) {
                data.read_profit(&mut reader, &at, value);
            }
        }
        (data, reader.faults)
    }

    /// References that lead neither to a row of the file nor to a `known` one.
    pub fn dangling(&self, known: &Known) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (place, reference) in &self.references {
            let found = |known: &Known| match reference {
                Reference::Coin(id) => known.coins.contains(id),
                Reference::Offer(key) => known.offers.contains(key),
            };
            if found(&self.declared) || found(known) {
                continue;
            }
            faults.push(match reference {
                Reference::Coin(id) => Fault {
                    place: place.clone(),
                    value: format!("{id:?}"),
                    remedy: "no such coin; add it to \"coins\"".into(),
                },
                Reference::Offer((coin, pool, algorithm)) => Fault {
                    place: place.clone(),
                    value: format!("{coin} on {pool:?} with {algorithm}"),
                    remedy: "no such offer; add it to the pool's \"offers\" in \"pools\"".into(),
                },
            });
        }
        faults
    }

    fn read_coin(&mut self, reader: &mut Reader, at: &str, value: &serde_json::Value) {
        let Some(object) = reader.object(at, value, &["id", "name"]) else {
            return;
        };
        let id = reader.text(at, object, "id", is_coin, COIN_ID);
        let name = reader.text(at, object, "name", is_title, NAME);
        let Some(id) = id else { return };
        if !self.declared.coins.insert(id.clone()) {
            reader.fault(at, format!("{id:?}"), "this coin stands twice; leave one");
        }
        if let Some(name) = name {
            self.coins.push(Named { id, name });
        }
    }

    fn read_pool(&mut self, reader: &mut Reader, at: &str, value: &serde_json::Value) {
        let Some(object) = reader.object(at, value, &["id", "name", "offers"]) else {
            return;
        };
        let id = reader.text(at, object, "id", is_name, POOL_ID);
        let name = reader.text(at, object, "name", is_title, NAME);
        let offers = reader.list(at, object, "offers", true);
        if let Some(id) = &id
            && !self.declared.pools.insert(id.clone())
        {
            reader.fault(at, format!("{id:?}"), "this pool stands twice; leave one");
        }
        for (at, value) in offers {
            // An offer of a pool without an id is still judged.
            self.read_offer(reader, &at, value, id.as_deref());
        }
        if let (Some(id), Some(name)) = (id, name) {
            self.pools.push(Named { id, name });
        }
    }

    fn read_offer(
        &mut self,
        reader: &mut Reader,
        at: &str,
        value: &serde_json::Value,
        pool: Option<&str>,
    ) {
        let keys = ["coin", "algorithm", "url", "fee", "scheme"];
        let Some(object) = reader.object(at, value, &keys) else {
            return;
        };
        let coin = reader.text(at, object, "coin", is_coin, COIN_ID);
        let algorithm = reader.text(at, object, "algorithm", is_algorithm, ALGORITHM);
        let url = reader.text(
            at,
            object,
            "url",
            |text| text.parse::<PoolUrl>().is_ok(),
            "write stratum+tcp://host:port or stratum+ssl://host:port",
        );
        let fee = reader.number(
            at,
            object,
            "fee",
            |fee| (0.0..1.0).contains(&fee),
            "write the fee as a fraction from 0 up to, not including, 1 (0.01 is 1 %)",
        );
        let scheme = reader.text(
            at,
            object,
            "scheme",
            is_scheme,
            "write the payment scheme in capitals (\"PPLNS\", \"FPPS\", \"PPS+\", \"SOLO\")",
        );
        if let Some(coin) = &coin {
            let place = format!("{at}.coin");
            self.references.push((place, Reference::Coin(coin.clone())));
        }
        let (Some(coin), Some(pool), Some(algorithm)) = (coin, pool, parsed(algorithm)) else {
            return;
        };
        let key = (coin, pool.to_owned(), algorithm);
        if !self.declared.offers.insert(key.clone()) {
            let value = format!("{} with {algorithm}", key.0);
            reader.fault(at, value, "this pool offers it twice; leave one");
        }
        if let (Some(url), Some(fee), Some(scheme)) = (url, fee, scheme) {
            self.offers.push(Offer {
                key,
                url,
                fee,
                scheme,
            });
        }
    }

    fn read_profit(&mut self, reader: &mut Reader, at: &str, value: &serde_json::Value) {
        let keys = [
            "coin",
            "pool",
            "algorithm",
            "usd_per_hash_day",
            "margin",
            "computed_at",
        ];
        let Some(object) = reader.object(at, value, &keys) else {
            return;
        };
        let coin = reader.text(at, object, "coin", is_coin, COIN_ID);
        let pool = reader.text(at, object, "pool", is_name, POOL_ID);
        let algorithm = reader.text(at, object, "algorithm", is_algorithm, ALGORITHM);
        let usd_per_hash_day = reader.number(
            at,
            object,
            "usd_per_hash_day",
            |usd| usd.is_finite() && usd > 0.0,
            "write a positive number: USD for one hash per second kept up for a day, before the fee",
        );
        let margin = reader.optional_number(
            at,
            object,
            "margin",
            |margin| (0.0..=1.0).contains(&margin),
            "write the margin of error as a fraction from 0 to 1 (0.02 is 2 %)",
        );
        let computed_at = reader.optional_number(
            at,
            object,
            "computed_at",
            |seconds| (0.0..=32_503_680_000.0).contains(&seconds),
            "write Unix seconds, or leave it out for now",
        );
        let (Some(coin), Some(pool), Some(algorithm)) = (coin, pool, parsed(algorithm)) else {
            return;
        };
        let key = (coin, pool, algorithm);
        if !self.ranked.insert(key.clone()) {
            let value = format!("{} on {:?} with {algorithm}", key.0, key.1);
            reader.fault(at, value, "stands twice; leave one");
        }
        self.references
            .push((at.into(), Reference::Offer(key.clone())));
        if let Some(usd_per_hash_day) = usd_per_hash_day {
            self.profitability.push(Profit {
                key,
                usd_per_hash_day,
                margin: margin.unwrap_or(0.0),
                computed_at,
            });
        }
    }
}

/// The text was checked by [`is_algorithm`] already.
fn parsed(algorithm: Option<String>) -> Option<Algorithm> {
    algorithm.and_then(|name| name.parse().ok())
}

fn is_algorithm(text: &str) -> bool {
    text.parse::<Algorithm>().is_ok()
}

pub(crate) fn is_coin(text: &str) -> bool {
    is_name(text) && !text.bytes().any(|b| b.is_ascii_lowercase())
}

pub(crate) fn is_title(text: &str) -> bool {
    (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn is_scheme(text: &str) -> bool {
    (1..=15).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b"+_-".contains(&b))
}

#[cfg(test)]
mod tests;
