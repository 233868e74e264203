//! What the thread that serves the miners has for one link.
//!
//! Shares of one round of the thread go over together, under one lock and with
//! one wake-up: on a small board both run on the same core, and a link that is
//! woken by each share does nothing but wake up.

use super::Delivery;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Shares that wait to be written to one pool.
const CAPACITY: usize = 8 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    letters: Mutex<Letters>,
    ready: Notify,
}

#[derive(Debug, Default)]
struct Letters {
    waiting: Vec<Delivery>,
    closed: bool,
}

/// Why something was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Closed,
}

impl Outbox {
    fn letters(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hand over as many as there is room for; the others stay in `batch`.
    pub fn post(&self, batch: &mut Vec<Delivery>) -> Result<(), Refused> {
        let mut letters = self.letters();
        if letters.closed {
            return Err(Refused::Closed);
        }
        let room = CAPACITY.saturating_sub(letters.waiting.len());
        let taken = room.min(batch.len());
        letters.waiting.extend(batch.drain(..taken));
        drop(letters);
        self.ready.notify_one();
        if batch.is_empty() {
            Ok(())
        } else {
            Err(Refused::Full)
        }
    }

    /// One that may be lost: a full box has what the link needs to know.
    pub fn post_if_room(&self, delivery: Delivery) {
        let mut letters = self.letters();
        if !letters.closed && letters.waiting.len() < CAPACITY {
            letters.waiting.push(delivery);
            drop(letters);
            self.ready.notify_one();
        }
    }

    /// Wait until something is there. Losing the wait loses nothing.
    pub async fn ready(&self) {
        loop {
            if !self.is_empty() {
                return;
            }
            self.ready.notified().await;
        }
    }

    /// Swap what is there for `read`, which has been read and emptied.
    pub fn take(&self, read: &mut Vec<Delivery>) {
        std::mem::swap(&mut self.letters().waiting, read);
    }

    pub fn is_empty(&self) -> bool {
        self.letters().waiting.is_empty()
    }

    /// From here on nothing is taken; what is there can still be read.
    pub fn close(&self) {
        self.letters().closed = true;
    }

    #[cfg(test)]
    pub fn is_closed(&self) -> bool {
        self.letters().closed
    }
}
