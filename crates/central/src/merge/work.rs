//! How many hashes a block of a chain takes, from all who say something of it.
//!
//! Two forms count: difficulty times the algorithm's hashes per difficulty, and a
//! hashrate times the block time that it was computed with. A hashrate alone, seen
//! through the time that the chain aims at, is the last resort.
//!
//! Rules, each with its name in the rejections:
//!
//! - `difficulty-and-hashrate-disagree`: within one answer, beyond 2x: a unit slip.
//!   An own node keeps its difficulty, which it validated; its hashrate goes.
//! - `height-behind`: far behind the middle of three or more sources.
//! - `off-the-median`: beyond 2x from the middle of three or more sources.
//! - `contradicts-better-source`: two sources beyond 2x: the higher authority stays.

use super::age::{self, Age};
use super::authority::{self, Authority};
use super::book::Group;
use super::{Book, Rejection, Seen, median, times_apart};
use crate::source::{Fact, Subject};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Beyond this two figures for the same thing are not two views of it.
pub const REJECT: f64 = 2.0;
/// Up to this they confirm each other.
pub const CONFIRM: f64 = 1.3;
/// A chain's difficulty is exact until it adjusts; some adjust with every block.
const MARGIN_DIFFICULTY: f64 = 0.005;
/// A rate counted from some 120 blocks scatters by 1/sqrt(120).
const MARGIN_RATE: f64 = 0.09;
/// The same through the aimed-at block time, which chains miss by this and more.
const MARGIN_BARE_RATE: f64 = 0.2;
/// A source that lags by this many blocks tells of the past.
const LAG_BLOCKS: f64 = 20.0;
/// Chains with many blocks a second: less than this is clocks that disagree.
const LAG_SECONDS: f64 = 300.0;

/// Where to look, and what is known of the chain beforehand.
pub struct Place<'a> {
    pub book: &'a Book,
    pub subject: &'a Subject,
    pub block_time: f64,
    pub hashes_per_difficulty: Option<f64>,
    pub now: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct WorkEstimate {
    pub hashes_per_block: f64,
    pub margin: f64,
    /// As the node reports it, if that is what was used.
    pub difficulty: Option<f64>,
    pub height: Option<f64>,
    pub source: String,
    /// Unix seconds of the answer.
    pub received: u64,
    /// Sources that agree with it, itself included.
    pub confirmed: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    Difficulty,
    RateAndTime,
    BareRate,
}

#[derive(Clone, Debug)]
struct Candidate<'a> {
    source: &'a str,
    authority: Authority,
    form: Form,
    hashes: f64,
    /// Difficulty or hashrate, as the source gave it.
    said: f64,
    height: Option<f64>,
    age: Age,
    received: u64,
}

impl Candidate<'_> {
    /// The better one first.
    fn better(&self, other: &Self) -> Ordering {
        let bare = |it: &Self| it.form == Form::BareRate;
        bare(self)
            .cmp(&bare(other))
            .then_with(|| other.age.is_fresh().cmp(&self.age.is_fresh()))
            .then_with(|| self.authority.cmp(&other.authority))
            .then_with(|| self.form.cmp(&other.form))
            .then_with(|| other.received.cmp(&self.received))
            .then_with(|| self.source.cmp(other.source))
    }

    fn refused(&self, subject: &Subject, rule: &'static str, detail: String) -> Rejection {
        let fact = match self.form {
            Form::Difficulty => "Difficulty",
            Form::RateAndTime | Form::BareRate => "NetworkHashrate",
        };
        let value = self.said.to_string();
        Rejection::new(self.source, subject, fact, rule, value, detail)
    }
}

pub fn estimate(place: &Place<'_>, rejections: &mut Vec<Rejection>) -> Option<WorkEstimate> {
    let mut best: BTreeMap<&str, Candidate<'_>> = BTreeMap::new();
    for (source, group) in place.book.about(place.subject) {
        for candidate in candidates(place, source, group, rejections) {
            match best.get(source) {
                Some(held) if held.better(&candidate) != Ordering::Greater => {}
                Some(_) | None => {
                    best.insert(source, candidate);
                }
            }
        }
    }
    let mut all: Vec<Candidate<'_>> = best.into_values().collect();
    drop_lagging(place, &mut all, rejections);
    // Old figures may differ from new ones for the best of reasons.
    if all.iter().any(|one| one.age.is_fresh()) {
        all.retain(|one| one.age.is_fresh());
    }
    all.sort_by(Candidate::better);
    drop_outliers(place.subject, &mut all, rejections);
    let chosen = all.first()?;
    let agreeing: Vec<f64> = all
        .iter()
        .map(|one| times_apart(one.hashes, chosen.hashes))
        .filter(|apart| *apart <= CONFIRM)
        .collect();
    let own = match chosen.form {
        Form::Difficulty => MARGIN_DIFFICULTY,
        Form::RateAndTime => MARGIN_RATE,
        Form::BareRate => MARGIN_BARE_RATE,
    };
    Some(WorkEstimate {
        hashes_per_block: chosen.hashes,
        margin: own.hypot(chosen.age.drift()).min(1.0),
        difficulty: (chosen.form == Form::Difficulty).then_some(chosen.said),
        height: chosen.height,
        source: chosen.source.to_owned(),
        received: chosen.received,
        confirmed: agreeing.len(),
    })
}

fn candidates<'a>(
    place: &Place<'_>,
    source: &'a str,
    group: &Group,
    rejections: &mut Vec<Rejection>,
) -> Vec<Candidate<'a>> {
    let get = |fact| -> Option<(Seen, Age)> {
        let seen = group.get(&fact).copied()?;
        let age = age::of(fact, &seen, place.now);
        (seen.value > 0.0 && !age.is_gone()).then_some((seen, age))
    };
    let difficulty = get(Fact::Difficulty);
    let rate = get(Fact::NetworkHashrate);
    let time = get(Fact::BlockTime).map(|(seen, _)| seen.value);
    let authority = authority::of(source);
    let height = get(Fact::Height).map(|(seen, _)| seen.value);
    let make = |form, (seen, age): (Seen, Age), hashes_per_unit: f64| Candidate {
        source,
        authority,
        form,
        hashes: seen.value * hashes_per_unit,
        said: seen.value,
        height,
        age,
        received: seen.received,
    };
    let by_difficulty =
        difficulty.and_then(|it| Some(make(Form::Difficulty, it, place.hashes_per_difficulty?)));
    let by_rate = rate.map(|it| match time {
        Some(time) => make(Form::RateAndTime, it, time),
        None => make(Form::BareRate, it, place.block_time),
    });
    let (Some(a), Some(b)) = (&by_difficulty, &by_rate) else {
        return by_difficulty.into_iter().chain(by_rate).collect();
    };
    let apart = times_apart(a.hashes, b.hashes);
    if apart <= REJECT {
        return by_difficulty.into_iter().chain(by_rate).collect();
    }
    let detail = format!(
        "the difficulty stands for {:e} hashes a block and the hashrate for {:e}, {apart:.1} times apart",
        a.hashes, b.hashes
    );
    let rule = "difficulty-and-hashrate-disagree";
    rejections.push(b.refused(place.subject, rule, detail.clone()));
    if authority == Authority::Node {
        return by_difficulty.into_iter().collect();
    }
    rejections.push(a.refused(place.subject, rule, detail));
    Vec::new()
}

fn drop_lagging(place: &Place<'_>, all: &mut Vec<Candidate<'_>>, rejections: &mut Vec<Rejection>) {
    let fresh = |one: &&Candidate<'_>| one.age.is_fresh();
    let mut heights: Vec<f64> = all
        .iter()
        .filter(fresh)
        .filter_map(|it| it.height)
        .collect();
    if heights.len() < 3 {
        return;
    }
    let Some(middle) = median(&mut heights) else {
        return;
    };
    let allowed = LAG_BLOCKS.max(LAG_SECONDS / place.block_time);
    all.retain(|one| {
        let behind = one.height.map_or(0.0, |height| middle - height);
        let lags = one.age.is_fresh() && behind > allowed;
        if lags {
            let detail =
                format!("{behind:.0} blocks behind the middle of all sources, {middle:.0}");
            rejections.push(one.refused(place.subject, "height-behind", detail));
        }
        !lags
    });
}

fn drop_outliers(subject: &Subject, all: &mut Vec<Candidate<'_>>, rejections: &mut Vec<Rejection>) {
    let mut hashes: Vec<f64> = all.iter().map(|one| one.hashes).collect();
    match (all.len(), median(&mut hashes)) {
        (3.., Some(middle)) => all.retain(|one| {
            let apart = times_apart(one.hashes, middle);
            if apart > REJECT {
                let detail = format!(
                    "{apart:.1} times off the middle of all sources, {middle:e} hashes a block"
                );
                rejections.push(one.refused(subject, "off-the-median", detail));
            }
            apart <= REJECT
        }),
        (2, _) => {
            let apart = times_apart(all[0].hashes, all[1].hashes);
            if apart <= REJECT {
                return;
            }
            // Of two strangers the one that promises less.
            let last = match all[0].authority == all[1].authority && all[0].hashes < all[1].hashes {
                true => all.remove(0),
                false => all.remove(1),
            };
            let detail = format!(
                "{apart:.1} times off {}, whose word counts more",
                all[0].source
            );
            rejections.push(last.refused(subject, "contradicts-better-source", detail));
        }
        _ => {}
    }
}
