//! What each source is asked about if nobody said so: what the pools mine, no more.

use super::PoolTerms;
use crate::source::{Catalog, catalog::catalog_name};

/// What a source makes of its `about`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// One question for all it has, or for a market of hashrate.
    Whole,
    /// Prices of coins; some services price a coin in BTC only.
    Prices,
    /// Coins, of which it takes those that it has.
    Coins,
    /// One usual coin at its own address.
    Usual,
    /// The same, but it would take another coin for the one of its address.
    Only(&'static str),
    /// Algorithms.
    Algorithms,
    /// It has no address of its own: only what is configured.
    Told,
}

/// A test holds the list against the registry.
fn scope(source: &str) -> Option<Scope> {
    Some(match source {
        "bitcoind" | "zcashd" | "monerod" | "eth" | "kaspad" | "open-ethereum-pool" => Scope::Told,
        "kaspa_rest" | "dcrdata" | "monero_explorer" | "mempool" | "blockchain_info"
        | "blockscout" => Scope::Usual,
        "blockchair" | "2miners" | "herominers" | "nanopool" | "miningpoolhub" | "f2pool"
        | "viabtc" | "f2pool_chart" | "minerstat" => Scope::Coins,
        "binance" | "coingecko" => Scope::Prices,
        "braiins-pool" | "braiins_insights" | "ckpool" | "public-pool" | "ocean" => {
            Scope::Only("BTC")
        }
        "whattomine_v1" => Scope::Algorithms,
        "nicehash" | "zpool" | "zergpool" | "prohashing" | "luxor" | "whattomine"
        | "hashrateno" | "coinpaprika" | "coinmarketcap" => Scope::Whole,
        _ => return None,
    })
}

/// Coins and algorithms that the pools mine, merged ones too.
#[derive(Debug, Default)]
pub(super) struct Mined {
    coins: Vec<String>,
    algorithms: Vec<String>,
}

impl Mined {
    /// In the catalog's order, so that the same pools always ask the same.
    pub fn by(pools: &[PoolTerms]) -> Self {
        let offers = || pools.iter().flat_map(|pool| &pool.offers);
        let mined =
            |id: &String| offers().any(|offer| offer.coin == *id || offer.merged.contains(id));
        let catalog = Catalog::built_in();
        let coins = catalog.coins.iter().map(|coin| coin.id.clone());
        let algorithms = catalog.algorithms.keys().cloned();
        let used = |name: &String| offers().any(|offer| catalog_name(offer.algorithm) == name);
        Self {
            coins: coins.filter(mined).collect(),
            algorithms: algorithms.filter(used).collect(),
        }
    }

    /// What to ask a source about; `None`: it has nothing to do with these coins.
    /// Without pools, and at an address of the user's, it is what the source usually asks.
    pub fn about(&self, source: &str, own_address: bool) -> Option<Vec<String>> {
        let theirs = Some(Vec::new());
        if self.coins.is_empty() {
            return theirs;
        }
        match scope(source) {
            None | Some(Scope::Whole | Scope::Told) => theirs,
            Some(Scope::Coins) => Some(self.coins.clone()),
            Some(Scope::Prices) => {
                let mut coins = self.coins.clone();
                if !coins.iter().any(|id| id == "BTC") {
                    coins.push("BTC".to_owned());
                }
                Some(coins)
            }
            Some(Scope::Usual | Scope::Only(_)) if own_address => theirs,
            Some(Scope::Usual) => Some(self.coins.clone()),
            Some(Scope::Only(coin)) => self.coins.iter().any(|id| id == coin).then(Vec::new),
            Some(Scope::Algorithms) => Some(self.algorithms.clone()),
        }
    }
}

/// Whether what stands in `about` are ids of the catalog.
pub(super) fn is_about_coins(source: &str) -> bool {
    match scope(source) {
        None | Some(Scope::Whole | Scope::Algorithms) => false,
        Some(Scope::Prices | Scope::Coins | Scope::Usual | Scope::Only(_) | Scope::Told) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::registry;

    #[test]
    fn every_source_has_a_scope() {
        for source in registry::all() {
            assert!(scope(source.name()).is_some(), "{}", source.name());
        }
    }
}
