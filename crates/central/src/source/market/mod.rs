//! Markets: what a coin costs.
//!
//! All speak of coins as such, so the subject is always [`Subject::Coin`]. A
//! price of zero is no price, and so is a market capitalisation of zero.

pub mod binance;
pub mod coingecko;
pub mod coinmarketcap;
pub mod coinpaprika;

pub use binance::Binance;
pub use coingecko::CoinGecko;
pub use coinmarketcap::CoinMarketCap;
pub use coinpaprika::CoinPaprika;

use super::{Coin, Fact, Num, Parsed, Source, Subject};

pub const fn all() -> [&'static dyn Source; 4] {
    [&CoinGecko, &Binance, &CoinPaprika, &CoinMarketCap]
}

/// What a market says of one coin, in USD.
struct Quote<'a> {
    price: &'a Num,
    market_cap: &'a Num,
    volume: &'a Num,
    at: Option<u64>,
}

impl Quote<'_> {
    fn push(&self, coin: &Coin, out: &mut Parsed) {
        let subject = Subject::Coin {
            coin: coin.id.clone(),
        };
        out.push(&subject, Fact::PriceUsd, self.price.positive(), self.at);
        let market_cap = self.market_cap.positive();
        out.push(&subject, Fact::MarketCapUsd, market_cap, self.at);
        out.push(
            &subject,
            Fact::VolumeUsdDay,
            self.volume.positive(),
            self.at,
        );
    }
}
