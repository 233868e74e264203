//! Every source this build can read, by name.

use super::explorer::{blockchain_info, blockchair, blockscout, mempool};
use super::rpc::{bitcoind, dcrdata, eth, kaspa_rest, kaspad, monero_explorer, monerod, zcashd};
use super::{Source, calculator, market, pool};

static NODES: [&dyn Source; 8] = [
    &bitcoind::Bitcoind,
    &zcashd::Zcashd,
    &monerod::Monerod,
    &eth::Eth,
    &kaspad::Kaspad,
    &kaspa_rest::KaspaRest,
    &dcrdata::Dcrdata,
    &monero_explorer::MoneroExplorer,
];

static EXPLORERS: [&dyn Source; 4] = [
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

pub fn find(name: &str) -> Option<&'static dyn Source> {
    all().into_iter().find(|source| source.name() == name)
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
