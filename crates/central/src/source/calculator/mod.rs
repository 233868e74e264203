//! Calculators: difficulty, reward, hashrate and price, as others work them out.
//!
//! Their values of one chain belong together: a network hashrate is a difficulty
//! seen through a block time, and means little beside another's block time.
//! What they promise per hash is a check for our own sums, never an input.

pub mod braiins_insights;
pub mod f2pool_chart;
pub mod hashrateno;
pub mod minerstat;
pub mod whattomine;
pub mod whattomine_v1;

pub use braiins_insights::BraiinsInsights;
pub use f2pool_chart::F2PoolChart;
pub use hashrateno::HashrateNo;
pub use minerstat::Minerstat;
pub use whattomine::WhatToMine;
pub use whattomine_v1::WhatToMineV1;

use super::{Catalog, Coin, Decimal, Num, Source, Subject, catalog::normalised};

pub const fn all() -> [&'static dyn Source; 6] {
    [
        &WhatToMine,
        &WhatToMineV1,
        &Minerstat,
        &HashrateNo,
        &BraiinsInsights,
        &F2PoolChart,
    ]
}

fn coin_subject(coin: &Coin) -> Subject {
    Subject::Coin {
        coin: coin.id.clone(),
    }
}

/// The chain, if the coin is mined by the algorithm that the row names. A name
/// that several algorithms share (`Blake3`) means the one that the coin has.
fn chain_subject(catalog: &Catalog, coin: &Coin, algorithm: &str) -> Option<Subject> {
    let shared = format!("{}-", normalised(algorithm));
    let algorithm = catalog.algorithm(algorithm).or_else(|| {
        let mut own = coin
            .algorithms
            .iter()
            .filter(|own| own.starts_with(&shared));
        own.next()
            .filter(|_| own.next().is_none())
            .map(String::as_str)
    })?;
    coin.has(algorithm).then(|| Subject::Chain {
        coin: coin.id.clone(),
        algorithm: algorithm.to_owned(),
    })
}

/// What `per` hashes a second earn, for one hash a second.
fn per_hash(value: &Num, per: &Num) -> Option<Decimal> {
    Some(value.positive()? / per.positive()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_name_means_the_coins_own_algorithm() {
        let catalog = Catalog::built_in();
        let of = |coin: &str, algorithm: &str| {
            let coin = catalog.coin(coin).expect("a coin of the catalog");
            match chain_subject(catalog, coin, algorithm) {
                Some(Subject::Chain { algorithm, .. }) => algorithm,
                _ => "none".to_owned(),
            }
        };
        assert_eq!(of("ALPH", "Blake3"), "blake3-alephium");
        assert_eq!(of("DCR", "Blake3"), "blake3-decred");
        assert_eq!(of("DGB", "Qubit"), "qubit");
        for wrong in ["Blake", "", "-", "Scrypt"] {
            assert_eq!(of("ALPH", wrong), "none", "{wrong}");
        }
    }
}
