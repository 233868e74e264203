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

use super::{Catalog, Coin, Decimal, Num, Source, Subject};

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

/// The chain, if the coin is mined by the algorithm that the row names.
fn chain_subject(catalog: &Catalog, coin: &Coin, algorithm: &str) -> Option<Subject> {
    let algorithm = catalog.algorithm(algorithm)?;
    coin.has(algorithm).then(|| Subject::Chain {
        coin: coin.id.clone(),
        algorithm: algorithm.to_owned(),
    })
}

/// What `per` hashes a second earn, for one hash a second.
fn per_hash(value: &Num, per: &Num) -> Option<Decimal> {
    Some(value.positive()? / per.positive()?)
}
