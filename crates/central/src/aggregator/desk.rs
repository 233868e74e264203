//! When is the next edition due, and what is in it?
//!
//! ```text
//!              heard something                2 s later: changed beyond noise
//!   Settled ----------------------> Stirred ------------------------------> publish
//!      ^  |                            |  `-- not changed: settled again       |
//!      |  `-- heartbeat ---------------+--------------------------> publish   |
//!      `----------------------------------------------------------------------'
//! ```
//!
//! Two seconds let answers that come together be one edition. Before the first
//! edition the desk waits until it is told that everybody was asked once.

use crate::collect::Heard;
use crate::collect::config::{PoolTerms, Publish};
use crate::merge::{Book, Picture, Rejection, merge};
use crate::ranking::{self, Ranking};
use crate::source::Catalog;
use smart_mining_wire::Entry;
use std::collections::BTreeMap;

/// Answers that come within this are one edition, in seconds.
const STIR: u64 = 2;
/// A margin that moved by this much is news.
const MARGIN_NOISE: f64 = 0.05;

/// Why an edition was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    First,
    Changed,
    Heartbeat,
}

/// All that one transaction writes.
#[derive(Clone, Debug)]
pub struct Edition {
    pub why: Why,
    /// Unix seconds.
    pub now: u64,
    pub picture: Picture,
    pub ranking: Ranking,
    /// With how many times each occurred since the last edition.
    pub rejections: Vec<(Rejection, u32)>,
}

impl Edition {
    pub fn entries(&self) -> Vec<Entry> {
        let entries = self.ranking.rows.iter().map(ranking::Row::entry);
        ranking::in_order(entries.collect())
    }
}

pub struct Desk {
    pub book: Book,
    pools: Vec<PoolTerms>,
    publish: Publish,
    /// The last edition's time and entries.
    last: Option<(u64, Vec<Entry>)>,
    stirred: Option<u64>,
    /// Nothing is published before this.
    complete: bool,
    refused: Vec<Rejection>,
}

impl Desk {
    pub const fn new(book: Book, pools: Vec<PoolTerms>, publish: Publish) -> Self {
        Self {
            book,
            pools,
            publish,
            last: None,
            stirred: None,
            complete: false,
            refused: Vec::new(),
        }
    }

    /// Everybody was asked once, or a former aggregator's readings are there.
    pub const fn begin(&mut self) {
        self.complete = true;
    }

    pub const fn has_begun(&self) -> bool {
        self.complete
    }

    pub fn hear(&mut self, heard: &Heard) {
        let refused = self.book.hear(heard);
        self.refused.extend(refused);
        if heard.result.is_ok() || !self.refused.is_empty() {
            self.stirred.get_or_insert(heard.at);
        }
    }

    /// When [`Self::edition`] may have something, in Unix seconds.
    pub fn deadline(&self, now: u64) -> Option<u64> {
        if !self.complete {
            return None;
        }
        let Some((last, _)) = &self.last else {
            return Some(now);
        };
        // A clock that was set back must not silence the desk.
        if now < *last {
            return Some(now);
        }
        let heartbeat = last + self.publish.heartbeat;
        Some(
            self.stirred
                .map_or(heartbeat, |at| heartbeat.min(at + STIR)),
        )
    }

    /// The edition that is due now, if one is. It counts as published only after
    /// [`Self::published`].
    pub fn edition(&mut self, now: u64) -> Option<Edition> {
        if self.deadline(now)? > now {
            return None;
        }
        self.stirred = None;
        self.book.forget_old(now);
        let picture = merge(&self.book, Catalog::built_in(), now);
        let ranking = ranking::rank(&picture, &self.pools);
        let mut edition = Edition {
            why: Why::Heartbeat,
            now,
            rejections: Vec::new(),
            picture,
            ranking,
        };
        edition.why = match &self.last {
            None => Why::First,
            Some((last, _)) if now < *last || now - last >= self.publish.heartbeat => {
                Why::Heartbeat
            }
            Some((_, entries)) if differs(entries, &edition.entries(), self.publish.noise) => {
                Why::Changed
            }
            Some(_) => return None,
        };
        edition.rejections = counted(
            self.refused
                .drain(..)
                .chain(edition.picture.rejections.iter().cloned())
                .chain(edition.ranking.rejections.iter().cloned()),
        );
        Some(edition)
    }

    pub fn published(&mut self, edition: &Edition) {
        self.last = Some((edition.now, edition.entries()));
    }

    /// It could not be stored: what is in it is still to be told.
    pub fn not_published(&mut self, edition: Edition) {
        self.stirred.get_or_insert(edition.now);
        self.refused
            .extend(edition.rejections.into_iter().map(|(one, _)| one));
        self.refused.truncate(MAX_REFUSED);
    }
}

/// While the database is away, these wait in memory.
const MAX_REFUSED: usize = 10_000;

type RejectionKey = (String, String, String, String, String, &'static str);

fn counted(rejections: impl Iterator<Item = Rejection>) -> Vec<(Rejection, u32)> {
    let mut counted: BTreeMap<RejectionKey, (Rejection, u32)> = BTreeMap::new();
    for one in rejections {
        let key = (
            one.source.clone(),
            one.coin.clone(),
            one.algorithm.clone(),
            one.pool.clone(),
            one.fact.clone(),
            one.rule,
        );
        let held = counted.entry(key).or_insert_with(|| (one.clone(), 0));
        *held = (one, held.1 + 1);
    }
    counted.into_values().collect()
}

/// Is this more than noise?
fn differs(old: &[Entry], new: &[Entry], noise: f64) -> bool {
    let by_key = |entries: &[Entry]| -> BTreeMap<_, Entry> {
        entries
            .iter()
            .map(|one| {
                let key = (one.algorithm.name(), one.coin.clone(), one.pool.id.clone());
                (key, one.clone())
            })
            .collect()
    };
    let (old, new) = (by_key(old), by_key(new));
    if !old.keys().eq(new.keys()) {
        return true;
    }
    old.values().zip(new.values()).any(|(old, new)| {
        old.pool != new.pool
            || (new.usd_per_hash_day / old.usd_per_hash_day - 1.0).abs() > noise
            || (new.margin - old.margin).abs() > MARGIN_NOISE
    })
}

#[cfg(test)]
mod tests;
