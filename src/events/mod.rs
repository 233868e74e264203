//! What happened, for people: one line in the log, one row in the store, and
//! the newest ones in memory for the status page. The [`Code`]s are stable and are
//! explained in docs/events.md; a [`Subject`] says what it is about, and gives the
//! line its fields.

mod code;
mod repeats;
mod subject;

pub use code::Code;
pub use subject::Subject;

use crate::clock::unix_now;
use crate::journal::and_more;
use crate::store::{Record, Store};
use repeats::{Line, Repeats};
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

const KEPT: usize = 200;
/// Of a text, in characters: a stranger may have had a hand in it.
const LONGEST: usize = 600;

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Event {
    /// Unix seconds.
    pub at: u64,
    pub code: &'static str,
    /// What it is about: a pool, an algorithm, a file.
    pub subject: String,
    pub text: String,
}

pub struct Events {
    recent: Mutex<VecDeque<Event>>,
    repeats: Mutex<Repeats>,
    store: Store,
}

impl Events {
    pub fn new(store: Store) -> Self {
        Self {
            recent: Mutex::new(VecDeque::with_capacity(KEPT)),
            repeats: Mutex::default(),
            store,
        }
    }

    /// What repeats quickly is told later, once, with a count: see `repeats.rs`.
    pub fn record(&self, code: Code, subject: Subject<'_>, text: impl Into<String>) {
        let key = (code, subject.key().into_owned());
        let line = line(code, subject, text.into());
        let due = self.repeats().pass(key, line, Instant::now());
        self.write(due);
    }

    /// To be called every few seconds: tells what was held back for long enough.
    pub fn settle(&self) {
        let due = self.repeats().due(Instant::now());
        self.write(due);
    }

    /// Before the store is closed: tells all that was held back.
    pub fn finish(&self) {
        let held = self.repeats().all();
        self.write(held);
    }

    /// For the log and the page alone: the store has its row already.
    pub fn tell(&self, code: Code, subject: Subject<'_>, text: impl Into<String>) {
        self.show(line(code, subject, text.into()));
    }

    /// Newest first.
    pub fn recent(&self) -> Vec<Event> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.iter().rev().cloned().collect()
    }

    fn repeats(&self) -> std::sync::MutexGuard<'_, Repeats> {
        self.repeats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, due: Vec<(Line, u64)>) {
        for (mut line, more) in due {
            line.event.text.push_str(&and_more(more));
            let event = self.show(line);
            // A full queue is counted by the store itself.
            self.store.record(Record::Event {
                at: event.at,
                code: event.code,
                subject: event.subject,
                text: event.text,
            });
        }
    }

    fn show(&self, line: Line) -> Event {
        log(&line);
        let event = line.event;
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == KEPT {
            recent.pop_front();
        }
        recent.push_back(event.clone());
        event
    }
}

fn line(code: Code, subject: Subject<'_>, text: String) -> Line {
    let fields = subject.fields().into_iter();
    Line {
        code,
        event: Event {
            at: unix_now(),
            code: code.name(),
            subject: one_line(&subject.text()),
            text: one_line(&text),
        },
        fields: fields
            .map(|(name, value)| (name, one_line(&value)))
            .collect(),
    }
}

/// What is no character to be read is written as its escape, and too much of it is cut.
fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, c) in text.chars().enumerate() {
        if index == LONGEST {
            out.push('…');
            break;
        }
        match c.is_control() {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    out
}

fn log(line: &Line) {
    let level = line.code.level();
    if level > log::max_level() {
        return;
    }
    let event = &line.event;
    let mut fields = vec![("EVENT", event.code), ("SUBJECT", event.subject.as_str())];
    fields.extend(
        line.fields
            .iter()
            .map(|(name, value)| (*name, value.as_str())),
    );
    let fields = fields.as_slice();
    log::logger().log(
        &log::Record::builder()
            .level(level)
            .target(module_path!())
            .module_path_static(Some(module_path!()))
            .args(format_args!("{}: {}", event.subject, event.text))
            .key_values(&fields)
            .build(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use smart_mining_core::Algorithm;
    use std::net::IpAddr;

    fn fields(subject: Subject<'_>) -> String {
        let fields = line(Code::Started, subject, String::new())
            .fields
            .into_iter();
        let fields: Vec<String> = fields
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        fields.join(" ")
    }

    #[test]
    fn a_line_is_found_by_all_that_it_is_about() {
        let address = IpAddr::from([10, 0, 0, 7]);
        let algorithm = Algorithm::Sha256d;
        assert_eq!(fields(Subject::Pool("pool-a")), "POOL=pool-a");
        assert_eq!(fields(Subject::Snapshot(41)), "SNAPSHOT=41");
        assert_eq!(fields(Subject::Miner(Some(address))), "MINER=10.0.0.7");
        let worker = Subject::Worker {
            worker: "rig07",
            address,
        };
        assert_eq!(fields(worker), "WORKER=rig07 MINER=10.0.0.7");
        let switch = Subject::Switch {
            algorithm,
            from: Some("pool-a"),
            to: Some("pool-b"),
        };
        assert_eq!(fields(switch), "ROUTE=sha256d POOL=pool-a POOL=pool-b");
        let two = [("rig1".to_owned(), address), ("rig2".to_owned(), address)];
        let silent = Subject::Miners {
            algorithm,
            workers: &two,
        };
        assert_eq!(
            fields(silent),
            "ROUTE=sha256d WORKER=rig1 MINER=10.0.0.7 WORKER=rig2 MINER=10.0.0.7"
        );
    }

    #[test]
    fn what_a_pool_says_stays_one_line_of_bounded_length() {
        let text = format!("hello\nERROR forged\u{1b}[31m{}", "x".repeat(10_000));
        let line = line(Code::PoolNotice, Subject::Pool("a\nb"), text);
        assert!(
            line.event
                .text
                .starts_with(r"hello\nERROR forged\u{1b}[31mxxx")
        );
        assert!(line.event.text.ends_with('…') && line.event.text.len() < 700);
        assert_eq!(line.event.subject, r"a\nb");
        assert_eq!(line.fields[0].1, r"a\nb");
    }
}
