//! The lists among mempool's answers.

use super::mempool::Block;
use crate::source::chain::{self, ratio};
use crate::source::number::shifted;
use crate::source::rows::{self, Rows};
use crate::source::{Coin, Decimal, Fact, Num, Parsed, Subject, stated};
use serde::Deserialize;

const DAY: u64 = 86_400;

/// `[time, height, difficulty, ratio]` each; the newest is what holds now.
pub(super) fn adjustments(rows: &Rows, subject: &Subject, now: u64, parsed: &mut Parsed) {
    let read = |row: &str| {
        let [time, _, difficulty, _]: [Num; 4] = serde_json::from_str(row).ok()?;
        Some((stated::seconds(&time, now)?, difficulty.positive()?))
    };
    let mut newest: Option<(u64, Decimal)> = None;
    for row in rows {
        match read(row.get()) {
            Some(one) if newest.as_ref().is_none_or(|known| one.0 > known.0) => newest = Some(one),
            Some(_) => (),
            None => parsed.leave_out("an adjustment", rows::NOT_READABLE),
        }
    }
    if let Some((at, difficulty)) = newest {
        parsed.push(subject, Fact::Difficulty, Some(difficulty), Some(at));
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Mean {
    timestamp: Num,
    #[serde(rename = "avgFees")]
    fees: Num,
    #[serde(rename = "avgRewards")]
    rewards: Num,
}

/// The mean over the last day of the list, whole coins.
pub(super) fn average(
    list: &Rows,
    fact: Fact,
    coin: &Coin,
    subject: &Subject,
    now: u64,
    parsed: &mut Parsed,
) {
    let read = |mean: Mean| {
        let value = if fact == Fact::FeesPerBlock {
            mean.fees.not_negative()
        } else {
            mean.rewards.positive()
        };
        Some((stated::seconds(&mean.timestamp, now)?, value?))
    };
    let mut known = Vec::new();
    for row in list {
        match rows::read(row).and_then(read) {
            Some(one) => known.push(one),
            None => parsed.leave_out("a mean", rows::NOT_READABLE),
        }
    }
    let Some(newest) = known.iter().map(|(at, _)| *at).max() else {
        return;
    };
    known.retain(|(at, _)| at + DAY >= newest);
    let count = Decimal::from(known.len() as u64);
    let sum: Decimal = known.into_iter().map(|(_, value)| value).sum();
    let mean = ratio(shifted(Some(sum), -coin.decimals), Some(count));
    parsed.push(subject, fact, mean, Some(newest));
}

/// The highest of some blocks.
pub(super) fn newest(list: &Rows) -> Option<Block> {
    list.iter()
        .filter_map(|row| chain::shape::<Block>(row).ok())
        .max_by_key(|block| block.height.whole())
}
