//! Blockscout, version 2 of its API: little of what mining needs.
//!
//! `average_block_time` is in milliseconds, `coin_price` in dollars.
//!
//! Traps. There is neither a difficulty nor a rate of the network, whatever older
//! readers looked for. `total_blocks` is a count with those that were reorganised
//! away: no height.

use crate::source::chain::{self, get, no_such_kind};
use crate::source::number::shifted;
use crate::source::{
    Answer, Budget, Catalog, Coin, Fact, Num, Parsed, Request, Settings, Source, SourceError,
    Subject,
};
use serde::Deserialize;
use std::time::Duration;

pub struct Blockscout;

const PUBLIC: &str = "https://etc.blockscout.com";
/// From milliseconds.
const MILLI: i64 = -3;

impl Source for Blockscout {
    fn name(&self) -> &'static str {
        "blockscout"
    }

    /// Nothing is printed; this is what a polite reader does.
    fn budget(&self) -> Budget {
        Budget {
            burst: 2,
            per_minute: 12.0,
        }
    }

    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        let ask = |host: chain::Endpoint<'_>| {
            let url = format!("{}/api/v2/stats", host.url);
            get("stats", &host.coin.id, url, Duration::from_secs(300))
        };
        chain::public(settings, catalog, "ETC", PUBLIC)
            .into_iter()
            .map(ask)
            .collect()
    }

    fn parse(
        &self,
        request: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        _now: u64,
    ) -> Result<Parsed, SourceError> {
        let coin = chain::coin(&request.about, catalog)?;
        match request.kind {
            "stats" => stats(&chain::object(answer)?, coin),
            other => Err(no_such_kind(other)),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stats {
    average_block_time: Num,
    coin_price: Num,
}

fn stats(stats: &Stats, coin: &Coin) -> Result<Parsed, SourceError> {
    let mut parsed = Parsed::default();
    let seconds = shifted(stats.average_block_time.positive(), MILLI);
    parsed.push(&chain::only(coin)?, Fact::BlockTime, seconds, None);
    let price = Subject::Coin {
        coin: coin.id.clone(),
    };
    parsed.push(&price, Fact::PriceUsd, stats.coin_price.positive(), None);
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::{dec, of_chain, of_coin, parse_about, value};

    #[test]
    fn only_block_time_and_price_are_there_to_be_read() {
        let body = r#"{"average_block_time":13800,"coin_price":"21.5","total_blocks":"24000000",
            "network_hashrate":"5","difficulty":"6"}"#;
        let parsed = parse_about(&Blockscout, "stats", "ETC", 200, body).expect("good");
        assert_eq!(
            value(&parsed, &of_chain("ETC", "etchash"), Fact::BlockTime),
            dec("13.8")
        );
        assert_eq!(value(&parsed, &of_coin("ETC"), Fact::PriceUsd), dec("21.5"));
        assert_eq!(parsed.observations.len(), 2);
    }

    #[test]
    fn null_is_absent() {
        let body = r#"{"average_block_time":0.0,"coin_price":null}"#;
        let parsed = parse_about(&Blockscout, "stats", "ETC", 200, body);
        assert_eq!(parsed, Ok(Parsed::default()));
    }
}
