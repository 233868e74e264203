//! The order book: what buyers of hashrate pay now.
//!
//! It says itself what its prices are per (`priceFactor`) and what its speeds are
//! in (`marketFactor`). It has orders that nobody serves: no accepted speed, or a
//! price far below the rest. The offer is the mean of the others by their speed.

use super::{Table, UNSCALED};
use crate::source::chain::{Flag, Lax, ratio};
use crate::source::rows::{self, NamedRows, Rows, Text};
use crate::source::{Decimal, Fact, Num, stated};
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct OrderBook {
    stats: Lax<NamedRows>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Side {
    price_factor: Num,
    market_factor: Num,
    orders: Lax<Rows>,
    updated_ts: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Order {
    price: Num,
    accepted_speed: Num,
    alive: Flag,
}

pub(super) fn read(table: &mut Table<'_>, said: &OrderBook, name: &str, now: u64) {
    let Some(algorithm) = table.algorithm(name) else {
        return;
    };
    for (region, row) in &said.stats.0 {
        let Some(side) = rows::read::<Side>(row) else {
            table.left.leave_out(region, rows::NOT_READABLE);
            continue;
        };
        let Some(per) = side.price_factor.positive() else {
            table.left.leave_out(region, UNSCALED);
            continue;
        };
        let at = stated::believable(stated::iso8601(side.updated_ts.as_str()), now);
        let orders = served(&side);
        let speed: Decimal = orders.iter().map(|(_, speed)| speed).sum();
        let paid: Decimal = orders.iter().map(|(price, speed)| price * speed).sum();
        let offer = ratio(ratio(Some(paid), Some(speed.clone())), Some(per));
        table.put(algorithm, Fact::OfferBtcPerHashDay, offer, at);
        let hashrate = side.market_factor.positive().map(|factor| factor * speed);
        table.put(algorithm, Fact::PoolHashrate, hashrate, at);
    }
}

/// Price and speed of the orders that miners do serve.
fn served(side: &Side) -> Vec<(Decimal, Decimal)> {
    let orders = side
        .orders
        .0
        .iter()
        .filter_map(|row| rows::read::<Order>(row));
    let mut orders: Vec<(Decimal, Decimal)> = orders
        .filter(|order| order.alive.0 != Some(false))
        .filter_map(|order| Some((order.price.positive()?, order.accepted_speed.positive()?)))
        .collect();
    orders.sort();
    if let Some((median, _)) = orders.get(orders.len() / 2).cloned() {
        orders.retain(|(price, _)| price * Decimal::from(2) >= median);
    }
    orders
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{left_out, lines, parse};
    use super::super::NiceHash;

    #[test]
    fn orders_that_nobody_serves_do_not_count() {
        let body = r#"{"stats":{"EU":{"updatedTs":"2023-11-14T22:13:20Z",
            "priceFactor":"1000.00000000","marketFactor":"100","orders":[
            {"price":"2.0","acceptedSpeed":"3","alive":true},
            {"price":"4.0","acceptedSpeed":"1"},
            {"price":"99","acceptedSpeed":"0"},
            {"price":"0.2","acceptedSpeed":"50"},
            {"price":"8","acceptedSpeed":"5","alive":false}, 7]},
            "USA":{"orders":[{"price":"1","acceptedSpeed":"1"}]}, "ASIA":null}}"#;
        let parsed = parse(&NiceHash, "orderbook", "SHA256", body);
        assert_eq!(
            lines(&parsed),
            [
                "market sha256d PoolHashrate 400 @1700000000",
                "market sha256d OfferBtcPerHashDay 0.0025 @1700000000"
            ]
        );
        assert_eq!(left_out(&parsed), ["ASIA", "USA"]);
    }

    #[test]
    fn a_book_without_orders_offers_nothing() {
        let body = r#"{"stats":{"EU":{"priceFactor":"1","orders":null}}}"#;
        let parsed = parse(&NiceHash, "orderbook", "SOMETHING", body);
        assert_eq!(left_out(&parsed), ["SOMETHING"]);
    }
}
