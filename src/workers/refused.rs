//! Who was turned away lately: a bounded list for the page, and one event a minute.

use crate::clock::unix_now;
use crate::events::{Code, Events, Subject};
use crate::journal::{RateLimit, and_more};
use serde::Serialize;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const KEPT: usize = 32;
const A_MINUTE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct RefusedWorker {
    pub worker: String,
    #[cfg_attr(test, schema(value_type = String))]
    pub address: IpAddr,
    /// Why it was refused the last time.
    pub why: &'static str,
    pub count: u64,
    /// Unix seconds.
    pub last: u64,
}

#[derive(Debug)]
struct Book {
    /// The latest at the end.
    list: Vec<RefusedWorker>,
    told: RateLimit,
}

pub(super) struct Refused {
    book: Mutex<Book>,
    events: Arc<Events>,
}

impl Refused {
    pub fn new(events: Arc<Events>) -> Self {
        let book = Mutex::new(Book {
            list: Vec::new(),
            told: RateLimit::new(A_MINUTE),
        });
        Self { book, events }
    }

    /// Counted always, told once a minute.
    pub fn add(&self, worker: &str, address: IpAddr, why: &'static str) {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.count(worker, address, why);
        let suppressed = book.told.allow(Instant::now());
        drop(book);
        if let Some(suppressed) = suppressed {
            let text = format!("refused, from {address}: {why}{}", and_more(suppressed));
            let subject = Subject::Worker { worker, address };
            self.events.record(Code::WorkerRefused, subject, text);
        }
    }

    /// The latest first.
    pub fn list(&self) -> Vec<RefusedWorker> {
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.list.iter().rev().cloned().collect()
    }
}

impl Book {
    fn count(&mut self, worker: &str, address: IpAddr, why: &'static str) {
        let known = self
            .list
            .iter()
            .position(|old| old.worker == worker && old.address == address);
        let count = match known {
            Some(index) => self.list.remove(index).count,
            None => 0,
        };
        if self.list.len() >= KEPT {
            self.list.remove(0);
        }
        self.list.push(RefusedWorker {
            worker: worker.to_owned(),
            address,
            why,
            count: count.saturating_add(1),
            last: unix_now(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_kept_and_counted() {
        let mut book = Book {
            list: Vec::new(),
            told: RateLimit::new(A_MINUTE),
        };
        let here = IpAddr::from([10, 0, 0, 1]);
        for index in 0..40 {
            book.count(&format!("rig{index}"), here, "first");
            book.count("rig0", here, "then");
        }
        assert_eq!(book.list.len(), KEPT);
        let last = book.list.last().expect("full");
        assert_eq!((&*last.worker, last.count, last.why), ("rig0", 41, "then"));
        book.count("rig0", IpAddr::from([10, 0, 0, 2]), "elsewhere");
        assert_eq!(book.list.last().expect("full").count, 1);
    }
}
