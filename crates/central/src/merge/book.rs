//! The last good value of everything that every source said.
//!
//! An answer replaces what the same question gave before, subject by subject. A
//! field that is missing this time keeps its last good value and grows old, with
//! one exception: facts that only mean something together (difficulty and height,
//! hashrate and block time) are replaced together.
//!
//! A node that says it is catching up takes back all that it said: it may have
//! lagged for a while before it noticed.

use super::{Rejection, age, parts};
use crate::collect::Heard;
use crate::source::{Fact, SourceError, Subject};
use crate::transport::fetch::FetchError;
use bigdecimal::ToPrimitive as _;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One value and when it was true.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub value: f64,
    /// Unix seconds, as the source states it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// Unix seconds at which the answer came.
    pub received: u64,
}

impl Seen {
    /// When it was true, as far as one knows; nothing is true before it was said.
    pub fn observed(&self) -> u64 {
        self.at.map_or(self.received, |at| at.min(self.received))
    }
}

/// A question that a source was asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    pub source: String,
    pub kind: String,
    pub about: String,
}

/// What one answer said of one subject.
pub type Group = BTreeMap<Fact, Seen>;

/// One row of a stored reading.
#[derive(Debug, Serialize, Deserialize)]
pub struct Stored {
    pub subject: Subject,
    pub fact: Fact,
    #[serde(flatten)]
    pub seen: Seen,
}

#[derive(Debug, Default)]
pub struct Book {
    answers: BTreeMap<Question, BTreeMap<Subject, Group>>,
    /// Changed since [`Book::take_changed`].
    changed: BTreeSet<Question>,
}

/// Replaced together or not at all.
const TOGETHER: [Fact; 6] = [
    Fact::Difficulty,
    Fact::Height,
    Fact::TipTime,
    Fact::NetworkHashrate,
    Fact::BlockTime,
    Fact::CoinsPerDay,
];

impl Book {
    /// Take an answer in. Tells what of it was refused.
    pub fn hear(&mut self, heard: &Heard) -> Vec<Rejection> {
        let question = Question {
            source: heard.source.to_owned(),
            kind: heard.kind.to_owned(),
            about: heard.about.clone(),
        };
        let parsed = match &heard.result {
            Ok(parsed) => parsed,
            Err(FetchError::Source(SourceError::Syncing(words))) => {
                return vec![self.take_back(&question, words)];
            }
            Err(_) => return Vec::new(),
        };
        let mut groups: BTreeMap<Subject, Group> = BTreeMap::new();
        for one in &parsed.observations {
            let Some(value) = one.value.to_f64().filter(|value| value.is_finite()) else {
                continue;
            };
            let seen = Seen {
                value,
                at: one.at,
                received: heard.at,
            };
            let group = groups.entry(one.subject.clone()).or_default();
            group.entry(one.fact).or_insert(seen);
        }
        let held = self.answers.entry(question.clone()).or_default();
        let mut rejections = Vec::new();
        for (subject, group) in groups {
            let old = held.entry(subject.clone()).or_default();
            match height_went_back(old, &group, heard.at) {
                Some((was, is)) => rejections.push(Rejection::new(
                    &question.source,
                    &subject,
                    "Height",
                    "height-went-back",
                    is.to_string(),
                    format!("it was {was} before; the former answer stands"),
                )),
                None => replace(old, group),
            }
        }
        self.changed.insert(question);
        rejections
    }

    /// Forget what a source said of what the question is about.
    fn take_back(&mut self, question: &Question, words: &str) -> Rejection {
        let theirs: Vec<Question> = self
            .answers
            .keys()
            .filter(|held| held.source == question.source && held.about == question.about)
            .cloned()
            .collect();
        for held in theirs {
            self.answers.remove(&held);
            self.changed.insert(held);
        }
        let subject = Subject::Coin {
            coin: question.about.clone(),
        };
        let detail = "the node is catching up; all that it said is taken back";
        Rejection::new(&question.source, &subject, "all", "syncing", words, detail)
    }

    /// Drop what is of no use to anybody any more.
    pub fn forget_old(&mut self, now: u64) {
        for (question, subjects) in &mut self.answers {
            let before: usize = subjects.values().map(BTreeMap::len).sum();
            for group in subjects.values_mut() {
                group.retain(|_, seen| now.saturating_sub(seen.received) <= age::LONGEST);
            }
            subjects.retain(|_, group| !group.is_empty());
            let after: usize = subjects.values().map(BTreeMap::len).sum();
            if after != before {
                self.changed.insert(question.clone());
            }
        }
        self.answers.retain(|_, subjects| !subjects.is_empty());
    }

    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// Everything, in a fixed order.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Subject, Fact, &Seen)> {
        self.answers.iter().flat_map(|(question, subjects)| {
            subjects.iter().flat_map(move |(subject, group)| {
                group
                    .iter()
                    .map(move |(fact, seen)| (question.source.as_str(), subject, *fact, seen))
            })
        })
    }

    /// Each answer's statements about one subject, with its source.
    pub fn about<'a>(&'a self, subject: &'a Subject) -> impl Iterator<Item = (&'a str, &'a Group)> {
        self.answers.iter().filter_map(move |(question, subjects)| {
            Some((question.source.as_str(), subjects.get(subject)?))
        })
    }

    /// The newest statement of each source about one fact.
    pub fn newest<'a>(&'a self, subject: &'a Subject, fact: Fact) -> BTreeMap<&'a str, Seen> {
        let mut newest: BTreeMap<&str, Seen> = BTreeMap::new();
        for (source, group) in self.about(subject) {
            let Some(seen) = group.get(&fact) else {
                continue;
            };
            let held = newest.entry(source).or_insert(*seen);
            if seen.observed() > held.observed() {
                *held = *seen;
            }
        }
        newest
    }

    /// Each question that has an answer here, and when that came.
    pub fn answered(&self) -> impl Iterator<Item = (&Question, u64)> {
        self.answers.iter().filter_map(|(question, subjects)| {
            let seen = subjects.values().flat_map(BTreeMap::values);
            Some((question, seen.map(|seen| seen.received).max()?))
        })
    }

    fn subjects(&self) -> BTreeSet<&Subject> {
        self.answers.values().flat_map(BTreeMap::keys).collect()
    }

    pub fn chains(&self) -> impl Iterator<Item = &Subject> {
        let is_chain = |subject: &&Subject| matches!(subject, Subject::Chain { .. });
        self.subjects().into_iter().filter(is_chain)
    }

    pub fn pools(&self) -> impl Iterator<Item = &Subject> {
        let is_pool = |subject: &&Subject| matches!(subject, Subject::Pool { .. });
        self.subjects().into_iter().filter(is_pool)
    }

    /// Coins that somebody gave a price of.
    pub fn coins(&self) -> BTreeSet<&str> {
        let is_coin = |subject: &&Subject| matches!(subject, Subject::Coin { .. });
        self.subjects()
            .into_iter()
            .filter(is_coin)
            .map(|subject| parts(subject).0)
            .collect()
    }

    /// What has to be stored again: a question's rows, or that there are none left.
    pub fn take_changed(&mut self) -> Vec<(Question, Vec<Stored>)> {
        let changed = std::mem::take(&mut self.changed);
        let rows = |question: &Question| {
            let subjects = self.answers.get(question).into_iter().flatten();
            let rows = subjects.flat_map(|(subject, group)| {
                group.iter().map(|(fact, seen)| Stored {
                    subject: subject.clone(),
                    fact: *fact,
                    seen: *seen,
                })
            });
            rows.collect()
        };
        changed
            .into_iter()
            .map(|question| {
                let rows = rows(&question);
                (question, rows)
            })
            .collect()
    }

    /// They could not be stored: ask for them again next time.
    pub fn give_back(&mut self, questions: impl IntoIterator<Item = Question>) {
        self.changed.extend(questions);
    }

    /// A stored reading, as some aggregator left it. What was heard here later stays.
    pub fn restore(&mut self, question: Question, rows: Vec<Stored>) {
        let newest = rows.iter().map(|row| row.seen.received).max();
        let subjects = self.answers.entry(question).or_default();
        let seen = subjects.values().flat_map(BTreeMap::values);
        if seen.map(|seen| seen.received).max() >= newest {
            return;
        }
        subjects.clear();
        for row in rows {
            let group = subjects.entry(row.subject).or_default();
            group.insert(row.fact, row.seen);
        }
    }
}

/// The former height and the new one, if it fell while the former still counts.
fn height_went_back(old: &Group, new: &Group, now: u64) -> Option<(f64, f64)> {
    let was = old.get(&Fact::Height)?;
    let is = new.get(&Fact::Height)?;
    let counts = !age::of(Fact::Height, was, now).is_gone();
    (counts && is.value < was.value).then_some((was.value, is.value))
}

fn replace(old: &mut Group, new: Group) {
    if TOGETHER.iter().any(|fact| new.contains_key(fact)) {
        for fact in TOGETHER {
            old.remove(&fact);
        }
    }
    old.extend(new);
}
