//! What a block of a chain pays the miner, subsidy and fees apart.
//!
//! Either both are said by themselves, or a whole is said and the subsidy is taken
//! from it. Fees are averages over many blocks; one block's fees are no average and
//! are not used. Three or more sources whose sums differ are held against their
//! middle (`off-the-median`), two against each other (`contradicts-better-source`).

use super::age::{self, Age};
use super::authority::{self, Authority};
use super::work::{self, CONFIRM, REJECT, WorkEstimate};
use super::{Book, Rejection, median, times_apart};
use crate::source::{Fact, Subject};

const DAY: f64 = 86_400.0;
/// A day's fees say this much about the next day's.
const MARGIN_OF_FEES: f64 = 0.25;
/// Nothing is known of the fees, which most chains hardly have.
const MARGIN_WITHOUT_FEES: f64 = 0.02;
/// What a source says a day's coins of a whole network are, over its hashrate.
const MARGIN_EMISSION: f64 = 0.1;

#[derive(Clone, Debug, PartialEq)]
pub struct RewardEstimate {
    /// Coins.
    pub subsidy: f64,
    pub fees: f64,
    pub margin: f64,
    pub source: String,
    /// Unix seconds of the answer.
    pub received: u64,
    /// Sources that agree on the sum, itself included.
    pub confirmed: usize,
}

impl RewardEstimate {
    pub fn total(&self) -> f64 {
        self.subsidy + self.fees
    }
}

/// The first one of these orders is the best.
type Order = (bool, Authority, bool, u64, String);

#[derive(Clone, Debug)]
struct Part {
    value: f64,
    source: String,
    age: Age,
    received: u64,
}

impl Part {
    fn order(&self) -> Order {
        (
            !self.age.is_fresh(),
            authority::of(&self.source),
            false,
            u64::MAX - self.received,
            self.source.clone(),
        )
    }
}

/// Each source's newest statement, best first.
fn parts(book: &Book, subject: &Subject, fact: Fact, now: u64) -> Vec<Part> {
    let mut parts: Vec<Part> = book
        .newest(subject, fact)
        .into_iter()
        .filter_map(|(source, seen)| {
            let age = age::of(fact, &seen, now);
            (!age.is_gone()).then(|| Part {
                value: seen.value,
                source: source.to_owned(),
                age,
                received: seen.received,
            })
        })
        .collect();
    parts.sort_by_key(Part::order);
    parts
}

struct Candidate {
    estimate: RewardEstimate,
    fresh: bool,
    authority: Authority,
    split: bool,
}

impl Candidate {
    fn order(&self) -> Order {
        (
            !self.fresh,
            self.authority,
            !self.split,
            u64::MAX - self.estimate.received,
            self.estimate.source.clone(),
        )
    }
}

pub fn estimate(
    book: &Book,
    subject: &Subject,
    now: u64,
    rejections: &mut Vec<Rejection>,
) -> Option<RewardEstimate> {
    let subsidies = parts(book, subject, Fact::Subsidy, now);
    let fees = parts(book, subject, Fact::FeesPerBlock, now);
    let wholes = parts(book, subject, Fact::BlockReward, now);
    let mut all: Vec<Candidate> = Vec::new();
    for subsidy in &subsidies {
        all.push(of_parts(subsidy, fees.first()));
    }
    for whole in &wholes {
        all.push(of_whole(whole, subsidies.first()));
    }
    if all.iter().any(|one| one.fresh) {
        all.retain(|one| one.fresh);
    }
    all.sort_by_key(Candidate::order);
    drop_outliers(subject, &mut all, rejections);
    let mut chosen = all.first()?.estimate.clone();
    let sources: std::collections::BTreeSet<&str> = all
        .iter()
        .filter(|one| times_apart(one.estimate.total(), chosen.total()) <= CONFIRM)
        .map(|one| one.estimate.source.as_str())
        .collect();
    chosen.confirmed = sources.len();
    Some(chosen)
}

fn of_parts(subsidy: &Part, fees: Option<&Part>) -> Candidate {
    let value = fees.map_or(0.0, |fees| fees.value);
    let total = subsidy.value + value;
    let margin = match fees {
        Some(fees) => (MARGIN_OF_FEES * value / total).hypot(fees.age.drift()),
        None => MARGIN_WITHOUT_FEES,
    };
    let received = fees.map_or(subsidy.received, |fees| fees.received.min(subsidy.received));
    Candidate {
        estimate: RewardEstimate {
            subsidy: subsidy.value,
            fees: value,
            margin: margin.hypot(subsidy.age.drift()).min(1.0),
            source: subsidy.source.clone(),
            received,
            confirmed: 1,
        },
        fresh: subsidy.age.is_fresh(),
        authority: authority::of(&subsidy.source),
        split: fees.is_some(),
    }
}

fn of_whole(whole: &Part, subsidy: Option<&Part>) -> Candidate {
    // A subsidy that exceeds the whole is of another block, or of another unit.
    let subsidy = subsidy.filter(|it| it.value <= whole.value);
    let (part, fees) = subsidy.map_or((whole.value, 0.0), |it| (it.value, whole.value - it.value));
    let margin = match subsidy {
        Some(_) => MARGIN_OF_FEES * fees / whole.value,
        None => MARGIN_WITHOUT_FEES,
    };
    Candidate {
        estimate: RewardEstimate {
            subsidy: part,
            fees,
            margin: margin.hypot(whole.age.drift()).min(1.0),
            source: whole.source.clone(),
            received: whole.received,
            confirmed: 1,
        },
        fresh: whole.age.is_fresh(),
        authority: authority::of(&whole.source),
        split: true,
    }
}

fn drop_outliers(subject: &Subject, all: &mut Vec<Candidate>, rejections: &mut Vec<Rejection>) {
    let mut refuse = |one: &Candidate, rule, detail| {
        let total = one.estimate.total().to_string();
        let source = &one.estimate.source;
        rejections.push(Rejection::new(
            source,
            subject,
            "BlockReward",
            rule,
            total,
            detail,
        ));
    };
    let mut totals: Vec<f64> = all.iter().map(|one| one.estimate.total()).collect();
    match (all.len(), median(&mut totals)) {
        (3.., Some(middle)) => all.retain(|one| {
            let apart = times_apart(one.estimate.total(), middle);
            if apart > REJECT {
                let detail =
                    format!("{apart:.1} times off the middle of all sources, {middle} coins");
                refuse(one, "off-the-median", detail);
            }
            apart <= REJECT
        }),
        (2, _) => {
            let apart = times_apart(all[0].estimate.total(), all[1].estimate.total());
            if apart <= REJECT {
                return;
            }
            let first_is_stranger = all[0].authority == all[1].authority
                && all[0].estimate.total() > all[1].estimate.total();
            let last = all.remove(usize::from(!first_is_stranger));
            let detail = format!(
                "{apart:.1} times off {}, whose word counts more",
                all[0].estimate.source
            );
            refuse(&last, "contradicts-better-source", detail);
        }
        _ => {}
    }
}

/// A source's coins of a day over the hashrate beside it: a whole answer that
/// needs neither difficulty nor block time.
pub fn by_emission(place: &work::Place<'_>) -> Option<(WorkEstimate, RewardEstimate)> {
    let mut found: Vec<(Authority, &str, f64, f64, u64)> = Vec::new();
    for (source, group) in place.book.about(place.subject) {
        let usable = |fact: Fact| {
            let seen = group.get(&fact)?;
            let good = seen.value > 0.0 && !age::of(fact, seen, place.now).is_gone();
            good.then_some(*seen)
        };
        if let (Some(coins), Some(rate)) =
            (usable(Fact::CoinsPerDay), usable(Fact::NetworkHashrate))
        {
            found.push((
                authority::of(source),
                source,
                coins.value,
                rate.value,
                coins.received,
            ));
        }
    }
    found.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
    let (_, source, coins, rate, received) = found.first().copied()?;
    let work = WorkEstimate {
        hashes_per_block: rate * place.block_time,
        margin: MARGIN_EMISSION,
        difficulty: None,
        height: None,
        source: source.to_owned(),
        received,
        confirmed: 1,
    };
    let reward = RewardEstimate {
        subsidy: coins * place.block_time / DAY,
        fees: 0.0,
        margin: 0.0,
        source: source.to_owned(),
        received,
        confirmed: 1,
    };
    Some((work, reward))
}
