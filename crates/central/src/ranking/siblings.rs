//! Coins of one algorithm pay about the same: miners see to that. One that pays far
//! more is a wrong figure until two independent sources say each of its figures.
//!
//! | others of the algorithm | refused                                           |
//! |-------------------------|---------------------------------------------------|
//! | two or more             | more than 3 times their median, and not confirmed |
//! | one                     | more than 3 times it, and only that one confirmed |
//! | none                    | never                                             |

use super::chain_subject;
use crate::merge::{Rejection, median};
use smart_mining_wire::Algorithm;
use std::collections::BTreeMap;

/// Arbitrage keeps siblings within some ten per cent; this leaves room for small coins.
const TIMES: f64 = 3.0;
/// What one chain, with those mined along, pays for a hash.
#[derive(Clone, Debug)]
pub struct Sum {
    pub algorithm: Algorithm,
    pub coin: String,
    pub merged: Vec<String>,
    pub usd: f64,
    pub confirmed: bool,
}

pub struct Refusal {
    sum: Sum,
    times: f64,
    middle: f64,
}

impl Refusal {
    pub fn is_about(&self, algorithm: Algorithm, coin: &str, merged: &[String]) -> bool {
        let Sum {
            algorithm: own_algorithm,
            coin: own,
            merged: along,
            ..
        } = &self.sum;
        *own_algorithm == algorithm && own == coin && along == merged
    }

    pub fn detail(&self) -> String {
        format!(
            "{:.1} times the median of the other {} coins, {:e} USD, and not said by two sources",
            self.times, self.sum.algorithm, self.middle
        )
    }

    pub fn rejection(&self) -> Rejection {
        Rejection::new(
            "ranking",
            &chain_subject(&self.sum.coin, self.sum.algorithm),
            "usd_per_hash_day",
            "far-above-its-siblings",
            self.sum.usd.to_string(),
            self.detail(),
        )
    }
}

pub fn refuse(sums: &[Sum]) -> Vec<Refusal> {
    // Several pools offer the same.
    let distinct: BTreeMap<(&str, &str, &[String]), &Sum> = sums
        .iter()
        .map(|sum| {
            let key = (sum.algorithm.name(), &*sum.coin, &*sum.merged);
            (key, sum)
        })
        .collect();
    let mut refusals = Vec::new();
    for sum in distinct.values() {
        let others: Vec<&&Sum> = distinct
            .values()
            // A coin with and without the chains mined along is no witness for itself.
            .filter(|other| other.algorithm == sum.algorithm && other.coin != sum.coin)
            .collect();
        let mut figures: Vec<f64> = others.iter().map(|other| other.usd).collect();
        let Some(middle) = median(&mut figures) else {
            continue;
        };
        let times = sum.usd / middle;
        let doubtful = match others.as_slice() {
            [only] => only.confirmed,
            _ => true,
        };
        if times > TIMES && doubtful && !sum.confirmed {
            refusals.push(Refusal {
                sum: (*sum).clone(),
                times,
                middle,
            });
        }
    }
    refusals
}
