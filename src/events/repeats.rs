//! Lets what repeats quickly through a few times, then holds it back, counts it, and tells the
//! latest of it once a minute. A card is worn by what is written to it, and a person
//! reads none of a thousand lines that say the same.
//!
//! ```text
//!   new --> told, up to 5 in a minute --> held back: the latest is kept, the others are a number
//!                    ^                          |  minute over
//!                    |                          v
//!         a minute without any <-------- the latest is told, with the number; one more minute
//! ```

use super::Event;
use super::code::Code;
use std::collections::HashMap;
use std::time::{Duration, Instant};

const BURST: u32 = 5;
const WINDOW: Duration = Duration::from_secs(60);
/// Things that are watched at once; of more, the one that began first is let go.
const MOST: usize = 64;

pub(super) type Key = (Code, String);

/// An event, and the fields of its line.
pub(super) struct Line {
    pub code: Code,
    pub event: Event,
    pub fields: Vec<(&'static str, String)>,
}

struct Watched {
    began: Instant,
    told: u32,
    held: Option<(Line, u64)>,
}

#[derive(Default)]
pub(super) struct Repeats {
    watched: HashMap<Key, Watched>,
}

impl Repeats {
    /// What is to be told now, the number of others that it stands for with it.
    pub fn pass(&mut self, key: Key, line: Line, now: Instant) -> Vec<(Line, u64)> {
        let mut due = self.due(now);
        if !self.watched.contains_key(&key) {
            due.extend(self.make_room());
        }
        let watched = self.watched.entry(key).or_insert(Watched {
            began: now,
            told: 0,
            held: None,
        });
        if watched.told < BURST {
            watched.told += 1;
            due.push((line, 0));
        } else {
            let others = watched.held.take().map_or(0, |(_, others)| others + 1);
            watched.held = Some((line, others));
        }
        due
    }

    /// Those that waited for long enough.
    pub fn due(&mut self, now: Instant) -> Vec<(Line, u64)> {
        let mut due = Vec::new();
        self.watched.retain(|_, watched| {
            if now.saturating_duration_since(watched.began) < WINDOW {
                return true;
            }
            let held = watched.held.take();
            let goes_on = held.is_some();
            due.extend(held);
            watched.began = now;
            // Whatever comes within the next minute waits for its end.
            watched.told = BURST;
            goes_on
        });
        due.sort_by_key(|(line, _)| line.event.at);
        due
    }

    /// All that wait, however short.
    pub fn all(&mut self) -> Vec<(Line, u64)> {
        let held = self.watched.drain();
        let mut held: Vec<_> = held.filter_map(|(_, watched)| watched.held).collect();
        held.sort_by_key(|(line, _)| line.event.at);
        held
    }

    fn make_room(&mut self) -> Option<(Line, u64)> {
        if self.watched.len() < MOST {
            return None;
        }
        let first = self.watched.iter().min_by_key(|(_, it)| it.began);
        let key = first.map(|(key, _)| key.clone())?;
        self.watched.remove(&key)?.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line {
            code: Code::PoolFailed,
            event: Event {
                at: 0,
                code: Code::PoolFailed.name(),
                subject: "pool-a".to_owned(),
                text: text.to_owned(),
            },
            fields: Vec::new(),
        }
    }

    fn key(pool: &str) -> Key {
        (Code::PoolFailed, pool.to_owned())
    }

    fn words(told: Vec<(Line, u64)>) -> Vec<(String, u64)> {
        let word = |(line, more): (Line, u64)| (line.event.text, more);
        told.into_iter().map(word).collect()
    }

    #[test]
    fn a_pool_that_flaps_is_told_five_times_and_then_once_a_minute() {
        let start = Instant::now();
        let mut repeats = Repeats::default();
        let mut told = Vec::new();
        // Twice a second for ten minutes.
        for half in 0..1200_u32 {
            let now = start + Duration::from_millis(500) * half;
            told.extend(words(repeats.pass(
                key("pool-a"),
                line(&half.to_string()),
                now,
            )));
        }
        let within_the_first_minute = ["0", "1", "2", "3", "4"].map(|text| (text.to_owned(), 0));
        assert_eq!(told[..5], within_the_first_minute);
        assert_eq!(told[5], ("119".to_owned(), 114));
        assert_eq!(told.len(), 5 + 9);
        let rest = words(repeats.all());
        let others: u64 = told.iter().chain(&rest).map(|(_, more)| more + 1).sum();
        assert_eq!(others, 1200, "each is told or counted");
    }

    #[test]
    fn the_last_word_is_told_although_nothing_comes_after_it() {
        let start = Instant::now();
        let mut repeats = Repeats::default();
        for index in 0..7 {
            repeats.pass(key("pool-a"), line(&index.to_string()), start);
        }
        assert!(repeats.due(start + Duration::from_secs(59)).is_empty());
        let later = words(repeats.due(start + Duration::from_secs(60)));
        assert_eq!(later, [("6".to_owned(), 1)]);
        assert!(repeats.due(start + Duration::from_secs(120)).is_empty());
        // A quiet minute later it is news again.
        let again = repeats.pass(key("pool-a"), line("again"), start + WINDOW * 3);
        assert_eq!(words(again), [("again".to_owned(), 0)]);
    }

    #[test]
    fn one_pool_does_not_silence_another_and_ten_thousand_take_no_room() {
        let start = Instant::now();
        let mut repeats = Repeats::default();
        for index in 0..10_000_u32 {
            let now = start + Duration::from_millis(1) * index;
            let told = repeats.pass(key(&index.to_string()), line("fails"), now);
            assert_eq!(words(told), [("fails".to_owned(), 0)]);
            assert!(repeats.watched.len() <= MOST);
        }
    }

    #[test]
    fn what_makes_room_is_told_first() {
        let start = Instant::now();
        let mut repeats = Repeats::default();
        for index in 0..6 {
            repeats.pass(key("pool-a"), line(&index.to_string()), start);
        }
        let mut told = Vec::new();
        for index in 0..MOST {
            let now = start + Duration::from_millis(1);
            told.extend(words(repeats.pass(key(&index.to_string()), line("x"), now)));
        }
        assert!(told.contains(&("5".to_owned(), 0)), "{told:?}");
    }
}
