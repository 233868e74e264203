//! What a node says of now.

use super::Context;
use crate::source::chain::{self, Flag, Lax, push_rate, push_tip, subject};
use crate::source::rows::Text;
use crate::source::{Decimal, Num, Parsed, SourceError};
use bigdecimal::ToPrimitive;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Headers may be ahead of blocks by what is on its way.
const BEHIND: u64 = 2;
/// zcashd guesses the height from the clock; blocks come as they please.
const GUESS: u64 = 20;
/// The median of eleven blocks lies five to six blocks behind the tip.
const MEDIAN_BLOCKS: f64 = 6.0;
/// Difficulty and rate of one chain do not differ more than this.
const APART: f64 = 100.0;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ChainInfo {
    chain: Text,
    blocks: Num,
    headers: Num,
    estimatedheight: Num,
    difficulty: Num,
    /// DigiByte 8: by the node's names of its algorithms.
    difficulties: Lax<BTreeMap<String, Num>>,
    time: Num,
    mediantime: Num,
    initialblockdownload: Flag,
    initial_block_download_complete: Flag,
}

pub(in crate::source::rpc) fn chain_info(
    raw: &RawValue,
    context: &Context<'_>,
    parsed: &mut Parsed,
) -> Result<(), SourceError> {
    let info: ChainInfo = chain::shape(raw)?;
    context.network.named(info.chain.as_str())?;
    caught_up(&info, context)?;
    let (height, time) = (info.blocks.whole(), info.time.whole());
    if let Some(algorithm) = context.coin.only_algorithm() {
        let subject = subject(context.coin, algorithm);
        push_tip(parsed, &subject, info.difficulty.positive(), height, time);
    }
    for (algorithm, difficulty) in by_algorithm(&info.difficulties.0, context, parsed) {
        let subject = subject(context.coin, &algorithm);
        push_tip(parsed, &subject, Some(difficulty), height, time);
    }
    Ok(())
}

fn caught_up(info: &ChainInfo, context: &Context<'_>) -> Result<(), SourceError> {
    let downloading = info.initialblockdownload.0 == Some(true)
        || info.initial_block_download_complete.0 == Some(false);
    let blocks = info.blocks.whole().unwrap_or(0);
    // The flag falls when a tip younger than a day comes, so on a chain that rests it
    // stays for ever. There it means something only while the node knows no block but
    // the first; later its headers, which come before the blocks, tell what it lacks.
    if downloading && (!context.network.is_private() || blocks == 0) {
        let words = "the first download is not done";
        return Err(SourceError::Syncing(words.to_owned()));
    }
    for (known, slack) in [(&info.headers, BEHIND), (&info.estimatedheight, GUESS)] {
        let behind = known.whole().unwrap_or(0).saturating_sub(blocks);
        if behind > slack {
            return Err(SourceError::Syncing(format!("{behind} blocks to go")));
        }
    }
    let median = (MEDIAN_BLOCKS * context.coin.block_time) as u64;
    let tip = info
        .time
        .whole()
        .or_else(|| Some(info.mediantime.whole()?.saturating_add(median)));
    context.network.fresh(tip, context.coin, context.now)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MiningInfo {
    chain: Text,
    testnet: Flag,
    blocks: Num,
    difficulty: Num,
    difficulties: Lax<BTreeMap<String, Num>>,
    networkhashps: Num,
    networksolps: Num,
    networkhashesps: Lax<BTreeMap<String, Num>>,
}

pub(in crate::source::rpc) fn mining_info(
    raw: &RawValue,
    context: &Context<'_>,
    parsed: &mut Parsed,
) -> Result<(), SourceError> {
    let info: MiningInfo = chain::shape(raw)?;
    context.network.if_named(match info.chain.as_str() {
        "" if info.testnet.0 == Some(true) => "testnet",
        said => said,
    })?;
    let height = info.blocks.whole();
    if let Some(algorithm) = context.coin.only_algorithm() {
        let subject = subject(context.coin, algorithm);
        let rate = info
            .networksolps
            .positive()
            .or(info.networkhashps.positive());
        let mut difficulty = info.difficulty.positive();
        if apart(difficulty.as_ref(), rate.as_ref(), algorithm, context) {
            parsed.leave_out("difficulty", "does not belong to the rate beside it");
            difficulty = None;
        }
        push_tip(parsed, &subject, difficulty, height, None);
        push_rate(parsed, &subject, rate, None, None);
        return Ok(());
    }
    let mut difficulties = info.difficulties.0;
    let fields: BTreeMap<String, Num> = chain::shape(raw)?;
    difficulties.extend(
        fields.into_iter().filter_map(|(name, value)| {
            Some((name.strip_prefix("difficulty_")?.to_owned(), value))
        }),
    );
    for (algorithm, difficulty) in by_algorithm(&difficulties, context, parsed) {
        let subject = subject(context.coin, &algorithm);
        push_tip(parsed, &subject, Some(difficulty), height, None);
    }
    for (algorithm, rate) in by_algorithm(&info.networkhashesps.0, context, parsed) {
        let subject = subject(context.coin, &algorithm);
        push_rate(parsed, &subject, Some(rate), None, None);
    }
    Ok(())
}

/// The positive figures of the coin's own algorithms; the others are reported.
fn by_algorithm(
    named: &BTreeMap<String, Num>,
    context: &Context<'_>,
    parsed: &mut Parsed,
) -> BTreeMap<String, Decimal> {
    let mut known = BTreeMap::new();
    for (name, value) in named {
        let ours = context.catalog.algorithm(name);
        match ours.filter(|algorithm| context.coin.has(algorithm)) {
            Some(algorithm) => {
                known.extend(value.positive().map(|value| (algorithm.to_owned(), value)));
            }
            None => parsed.leave_out(name, "no algorithm of this coin"),
        }
    }
    known
}

/// Whether the block time that follows from both is far from the coin's. On a private
/// chain blocks come whenever somebody wants one.
fn apart(
    difficulty: Option<&Decimal>,
    rate: Option<&Decimal>,
    algorithm: &str,
    context: &Context<'_>,
) -> bool {
    if context.network.is_private() {
        return false;
    }
    let work = context.catalog.hashes_per_difficulty(algorithm);
    let (Some(difficulty), Some(rate), Some(work)) = (difficulty, rate, work) else {
        return false;
    };
    let (Some(difficulty), Some(rate)) = (difficulty.to_f64(), rate.to_f64()) else {
        return true;
    };
    let off = difficulty * work / rate / context.coin.block_time;
    !(1.0 / APART..=APART).contains(&off)
}

/// A bare number; 0 or null while there are too few blocks.
pub(super) fn network_rate(
    raw: &RawValue,
    context: &Context<'_>,
    parsed: &mut Parsed,
) -> Result<(), SourceError> {
    let subject = chain::only(context.coin)?;
    let rate: Num = chain::shape(raw)?;
    push_rate(parsed, &subject, rate.positive(), None, None);
    Ok(())
}
