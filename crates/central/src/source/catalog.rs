//! Our own coins and algorithms, and what each service calls them.
//!
//! Tickers are not names: DGB stands for five chains, BEAM for two coins. Every
//! row of a source is joined by that source's own id, listed in
//! `data/catalog.json`; what is not listed there is unknown, never guessed.

use serde::Deserialize;
use smart_mining_wire::Algorithm as Mined;
use std::collections::BTreeMap;
use std::sync::OnceLock;

const BUILT_IN: &str = include_str!("../../data/catalog.json");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    pub algorithms: BTreeMap<String, Algorithm>,
    pub coins: Vec<Coin>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Algorithm {
    /// Expected hashes for one unit of node difficulty; absent where no public
    /// figure was confirmed: then only the network form may be used.
    pub hashes_per_difficulty: Option<f64>,
    /// Other spellings, in the form of [`normalised`].
    #[serde(default)]
    pub aliases: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coin {
    /// Ours, upper case.
    pub id: String,
    pub name: String,
    /// The algorithms whose blocks the chain takes; most have one.
    pub algorithms: Vec<String>,
    /// Seconds between blocks of one algorithm that the chain aims at.
    pub block_time: f64,
    /// Decimals of the smallest unit (8: satoshi).
    pub decimals: i64,
    /// The share of the subsidy that goes to the miner.
    #[serde(default = "whole")]
    pub miner_share: f64,
    /// Service name to the service's own id of this coin.
    #[serde(default)]
    pub ids: BTreeMap<String, String>,
}

const fn whole() -> f64 {
    1.0
}

/// Lower case letters and digits only: `SHA-256` is `sha256`.
pub fn normalised(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// The catalog's name of what farms mine. Farms know one equihash, the catalog has
/// several: theirs is that of Zcash and its kin.
pub const fn catalog_name(algorithm: Mined) -> &'static str {
    match algorithm {
        Mined::Equihash => "equihash-200-9",
        Mined::Sha256d
        | Mined::Scrypt
        | Mined::Etchash
        | Mined::Kawpow
        | Mined::Randomx
        | Mined::Kheavyhash
        | Mined::X16r => algorithm.name(),
    }
}

impl Catalog {
    /// The one that was built in.
    pub fn built_in() -> &'static Self {
        static CATALOG: OnceLock<Catalog> = OnceLock::new();
        CATALOG.get_or_init(|| match serde_json::from_str(BUILT_IN) {
            Ok(catalog) => catalog,
            // A test reads it; a build that passed its tests cannot get here.
            Err(error) => unreachable!("data/catalog.json: {error}"),
        })
    }

    pub fn coin(&self, id: &str) -> Option<&Coin> {
        self.coins.iter().find(|coin| coin.id == id)
    }

    /// The coin that a service calls so.
    pub fn coin_of(&self, service: &str, name: &str) -> Option<&Coin> {
        let is = |coin: &&Coin| coin.ids.get(service).is_some_and(|id| id == name);
        self.coins.iter().find(is)
    }

    /// What a service calls the coins asked for; all that it has, if none were named.
    pub fn ids(&self, service: &str, about: &[String]) -> Vec<&str> {
        self.coins
            .iter()
            .filter(|coin| about.is_empty() || about.contains(&coin.id))
            .filter_map(|coin| coin.ids.get(service).map(String::as_str))
            .collect()
    }

    /// The canonical name of an algorithm.
    pub fn algorithm(&self, name: &str) -> Option<&str> {
        let wanted = normalised(name);
        self.algorithms
            .iter()
            .find(|(canonical, algorithm)| {
                normalised(canonical) == wanted || algorithm.aliases.contains(&wanted)
            })
            .map(|(canonical, _)| canonical.as_str())
    }

    pub fn hashes_per_difficulty(&self, algorithm: &str) -> Option<f64> {
        self.algorithms.get(algorithm)?.hashes_per_difficulty
    }
}

impl Coin {
    /// The coin's only algorithm; `None` where it has several.
    pub fn only_algorithm(&self) -> Option<&str> {
        match self.algorithms.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    pub fn has(&self, algorithm: &str) -> bool {
        self.algorithms.iter().any(|known| known == algorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_built_in_catalog_agrees_with_itself() {
        let catalog: Catalog = serde_json::from_str(BUILT_IN).expect("well formed");
        let mut ids = BTreeSet::new();
        let mut names = BTreeSet::new();
        for coin in &catalog.coins {
            assert!(ids.insert(&coin.id), "{} stands twice", coin.id);
            assert!(coin.block_time > 0.0 && coin.miner_share > 0.0 && coin.miner_share <= 1.0);
            assert!(!coin.algorithms.is_empty());
            for algorithm in &coin.algorithms {
                assert!(catalog.algorithms.contains_key(algorithm), "{algorithm}");
            }
            for (service, id) in &coin.ids {
                assert!(
                    names.insert((service, id)),
                    "{service} {id} names two coins"
                );
            }
        }
        let mut spellings = BTreeSet::new();
        for (canonical, algorithm) in &catalog.algorithms {
            let own = normalised(canonical);
            for spelling in algorithm.aliases.iter().chain([&own]) {
                assert_eq!(*spelling, normalised(spelling));
                assert!(
                    spellings.insert(spelling.clone()),
                    "{spelling} names two algorithms"
                );
            }
        }
    }

    #[test]
    fn what_farms_mine_stands_in_the_catalog() {
        for algorithm in Mined::ALL {
            let name = catalog_name(algorithm);
            assert!(
                Catalog::built_in().algorithms.contains_key(name),
                "{algorithm}"
            );
        }
    }

    #[test]
    fn names_are_joined_by_the_services_own_ids() {
        let catalog = Catalog::built_in();
        assert_eq!(catalog.algorithm("SHA-256"), Some("sha256d"));
        assert_eq!(catalog.algorithm("SHA256AsicBoost"), Some("sha256d"));
        assert_eq!(catalog.algorithm("something-new"), None);
        assert_eq!(
            catalog
                .coin_of("coingecko", "bitcoin")
                .map(|coin| &*coin.id),
            Some("BTC")
        );
        assert!(catalog.coin_of("coingecko", "btc").is_none());
    }
}
