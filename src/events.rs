//! What happened, for people: one line in the log, one row in the store, and
//! the newest ones in memory for the status page. The codes are stable; they
//! are explained in docs/events.md.

use crate::clock::unix_now;
use crate::store::{Record, Store};
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

const KEPT: usize = 200;

#[derive(Clone, Debug, Serialize)]
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
    store: Store,
}

impl Events {
    pub fn new(store: Store) -> Self {
        Self {
            recent: Mutex::new(VecDeque::with_capacity(KEPT)),
            store,
        }
    }

    pub fn record(&self, code: &'static str, subject: &str, text: impl Into<String>) {
        let event = self.tell(code, subject, text);
        // A full queue is counted by the store itself.
        self.store.record(Record::Event {
            at: event.at,
            code: event.code,
            subject: event.subject,
            text: event.text,
        });
    }

    /// For the log and the page alone: the store has its row already.
    pub fn tell(&self, code: &'static str, subject: &str, text: impl Into<String>) -> Event {
        let event = Event {
            at: unix_now(),
            code,
            subject: subject.to_owned(),
            text: text.into(),
        };
        log::info!(EVENT = code, SUBJECT = subject; "{subject}: {}", event.text);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == KEPT {
            recent.pop_front();
        }
        recent.push_back(event.clone());
        event
    }

    /// Newest first.
    pub fn recent(&self) -> Vec<Event> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.iter().rev().cloned().collect()
    }
}
