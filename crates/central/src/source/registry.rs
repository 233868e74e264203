//! Every source this build can read, by name.

use super::explorer::{blockchain_info, blockchair, blockscout, mempool};
use super::rpc::{bitcoind, dcrdata, eth, kaspa_rest, kaspad, monero_explorer, monerod, zcashd};
use super::{Source, calculator, market, pool};
use crate::merge::authority::Authority;

/// Run by ourselves.
static NODES: [&dyn Source; 5] = [
    &bitcoind::Bitcoind,
    &zcashd::Zcashd,
    &monerod::Monerod,
    &eth::Eth,
    &kaspad::Kaspad,
];

/// Of others; some of these are views of a node.
static EXPLORERS: [&dyn Source; 7] = [
    &kaspa_rest::KaspaRest,
    &dcrdata::Dcrdata,
    &monero_explorer::MoneroExplorer,
    &mempool::Mempool,
    &blockchair::Blockchair,
    &blockchain_info::BlockchainInfo,
    &blockscout::Blockscout,
];

/// In the order of their authority: own nodes, explorers, pools, calculators, markets.
pub fn all() -> Vec<&'static dyn Source> {
    let mut all: Vec<&'static dyn Source> = Vec::new();
    all.extend(NODES);
    all.extend(EXPLORERS);
    all.extend(pool::ALL);
    all.extend(calculator::all());
    all.extend(market::all());
    all
}

/// Those run by ourselves.
pub fn nodes() -> [&'static dyn Source; 5] {
    NODES
}

pub fn find(name: &str) -> Option<&'static dyn Source> {
    all().into_iter().find(|source| source.name() == name)
}

/// Whose word it is, by the part of the list that a source stands in.
pub fn authority(name: &str) -> Authority {
    let among = |sources: &[&'static dyn Source]| sources.iter().any(|it| it.name() == name);
    if among(&NODES) {
        Authority::Node
    } else if among(&EXPLORERS) {
        Authority::Explorer
    } else if among(&pool::ALL) {
        Authority::Pool
    } else if among(&calculator::all()) {
        Authority::Calculator
    } else if among(&market::all()) {
        Authority::Market
    } else {
        Authority::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_source_has_a_name_of_its_own_and_a_budget_that_lets_it_ask() {
        let mut names = BTreeSet::new();
        for source in all() {
            assert!(
                names.insert(source.name()),
                "{} stands twice",
                source.name()
            );
            let budget = source.budget();
            assert!(
                budget.burst >= 1 && budget.per_minute > 0.0,
                "{}",
                source.name()
            );
        }
    }
}
