//! What a coin is worth: the median of what markets say.
//!
//! - Each source has one vote, its newest. Markets vote first; others only where
//!   fewer than two markets do.
//! - `off-the-median`: a quote more than 5 % (coins that every exchange trades) or
//!   20 % (others) off the middle of three or more.
//! - `two-disagree`: two quotes as far apart as that: nobody knows which one is
//!   wrong, so the lower one counts, and the margin says how unsure that is.
//! - A quote in BTC is one in USD by the price of BTC.

use super::age::{self, Age};
use super::authority::{self, Authority};
use super::{Book, Rejection, Seen, median};
use crate::source::{Fact, Subject};
use std::collections::BTreeMap;

/// Traded everywhere and all day, so that quotes hardly differ.
const MAJORS: [&str; 8] = ["BTC", "BCH", "LTC", "DOGE", "ETC", "XMR", "ZEC", "DASH"];
const OFF_MAJOR: f64 = 0.05;
const OFF_SMALL: f64 = 0.20;
/// One voice alone.
const MARGIN_ALONE: f64 = 0.05;
/// Even quotes that agree are of different moments.
const MARGIN_LEAST: f64 = 0.005;

#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    pub usd: f64,
    pub margin: f64,
    /// Unix seconds: when the oldest quote in it was true.
    pub observed: u64,
    /// In a fixed order.
    pub sources: Vec<String>,
    /// Taken out by the caller.
    pub(super) rejected: Vec<Rejection>,
}

#[derive(Clone, Debug)]
struct Quote {
    source: String,
    usd: f64,
    age: Age,
    observed: u64,
}

/// All coins that have one.
pub fn all(book: &Book, now: u64) -> BTreeMap<String, Price> {
    let mut prices = BTreeMap::new();
    let btc = of(book, "BTC", None, now);
    for coin in book.coins() {
        let price = match coin {
            "BTC" => btc.clone(),
            _ => of(book, coin, btc.as_ref(), now),
        };
        if let Some(price) = price {
            prices.insert(coin.to_owned(), price);
        }
    }
    prices
}

fn of(book: &Book, coin: &str, btc: Option<&Price>, now: u64) -> Option<Price> {
    let subject = Subject::Coin {
        coin: coin.to_owned(),
    };
    let mut quotes = voters(book, &subject, btc, now);
    let limit = match MAJORS.contains(&coin) {
        true => OFF_MAJOR,
        false => OFF_SMALL,
    };
    let mut rejected = Vec::new();
    let mut values: Vec<f64> = quotes.iter().map(|quote| quote.usd).collect();
    let middle = median(&mut values)?;
    let off = |quote: &Quote| (quote.usd / middle - 1.0).abs();
    let refuse = |quote: &Quote, rule, detail| {
        let value = quote.usd.to_string();
        Rejection::new(&quote.source, &subject, "PriceUsd", rule, value, detail)
    };
    let mut unsure: f64 = 0.0;
    match quotes.len() {
        3.. => quotes.retain(|quote| {
            let refused = off(quote) > limit;
            if refused {
                let percent = off(quote) * 100.0;
                let detail = format!("{percent:.1} % off the median of all sources, {middle} USD");
                rejected.push(refuse(quote, "off-the-median", detail));
            }
            !refused
        }),
        2 if off(&quotes[0]) > limit => {
            let higher = usize::from(quotes[1].usd > quotes[0].usd);
            let higher = quotes.remove(higher);
            let lower = &quotes[0];
            unsure = 1.0 - lower.usd / higher.usd;
            let detail = format!(
                "{} says {} USD; the lower one counts",
                lower.source, lower.usd
            );
            rejected.push(refuse(&higher, "two-disagree", detail));
        }
        _ => {}
    }
    let mut values: Vec<f64> = quotes.iter().map(|quote| quote.usd).collect();
    let usd = median(&mut values)?;
    let spread = (values.last()? - values.first()?) / 2.0 / usd;
    let alone = if quotes.len() == 1 { MARGIN_ALONE } else { 0.0 };
    let drift = quotes
        .iter()
        .map(|quote| quote.age.drift())
        .fold(0.0, f64::max);
    let margin = MARGIN_LEAST
        .max(spread)
        .max(alone)
        .max(unsure)
        .hypot(drift)
        .min(1.0);
    Some(Price {
        usd,
        margin,
        observed: quotes.iter().map(|quote| quote.observed).min()?,
        sources: quotes.into_iter().map(|quote| quote.source).collect(),
        rejected,
    })
}

/// Who is heard: fresh quotes if there is one, markets if there are two.
fn voters(book: &Book, subject: &Subject, btc: Option<&Price>, now: u64) -> Vec<Quote> {
    let mut by_source: BTreeMap<&str, (Seen, Fact)> = BTreeMap::new();
    for fact in [Fact::PriceUsd, Fact::PriceBtc] {
        for (source, seen) in book.newest(subject, fact) {
            // One that says both was asked for USD.
            by_source.entry(source).or_insert((seen, fact));
        }
    }
    let mut quotes: Vec<Quote> = by_source
        .into_iter()
        .filter_map(|(source, (seen, fact))| {
            let usd = match (fact == Fact::PriceBtc, btc) {
                (true, Some(btc)) => seen.value * btc.usd,
                (true, None) => return None,
                (false, _) => seen.value,
            };
            let age = age::of(fact, &seen, now);
            (usd > 0.0 && usd.is_finite() && !age.is_gone()).then(|| Quote {
                source: source.to_owned(),
                usd,
                age,
                observed: seen.observed(),
            })
        })
        .collect();
    if quotes.iter().any(|quote| quote.age.is_fresh()) {
        quotes.retain(|quote| quote.age.is_fresh());
    }
    let is_market = |quote: &Quote| authority::of(&quote.source) == Authority::Market;
    if quotes.iter().filter(|quote| is_market(quote)).count() >= 2 {
        quotes.retain(is_market);
    }
    quotes
}
