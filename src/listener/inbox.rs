//! What other tasks tell the thread that serves the miners.
//!
//! The newest board counts; verdicts are all kept, and there are never more of
//! them than shares in flight. Whoever finds the box empty wakes the thread.

use super::Published;
use mio::Waker;
use smart_mining_core::share::{Token, Verdict};
use smart_mining_core::sv1::Credentials;
use std::sync::{Mutex, PoisonError};

#[derive(Debug)]
pub(crate) struct Inbox {
    letters: Mutex<Letters>,
    waker: Waker,
}

/// A password was looked at; the guest may be gone by then.
#[derive(Debug)]
pub(super) struct Admitted {
    pub key: usize,
    pub serial: u64,
    pub credentials: Credentials,
    /// Why not, for the miner.
    pub outcome: Result<(), &'static str>,
}

#[derive(Debug, Default)]
pub(super) struct Letters {
    pub published: Option<Published>,
    pub verdicts: Vec<(Token, Verdict)>,
    pub admissions: Vec<Admitted>,
}

impl Letters {
    fn is_empty(&self) -> bool {
        self.published.is_none() && self.verdicts.is_empty() && self.admissions.is_empty()
    }
}

impl Inbox {
    pub fn new(waker: Waker) -> Self {
        Self {
            letters: Mutex::default(),
            waker,
        }
    }

    pub fn publish(&self, published: Published) {
        self.put(|letters| letters.published = Some(published));
    }

    /// Takes all that is in `verdicts`; its memory can be used again.
    pub fn judge(&self, verdicts: &mut Vec<(Token, Verdict)>) {
        if !verdicts.is_empty() {
            self.put(|letters| letters.verdicts.append(verdicts));
        }
    }

    pub(super) fn admit(&self, admitted: Admitted) {
        self.put(|letters| letters.admissions.push(admitted));
    }

    fn put(&self, write: impl FnOnce(&mut Letters)) {
        let mut letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        let was_empty = letters.is_empty();
        write(&mut letters);
        drop(letters);
        if was_empty && let Err(error) = self.waker.wake() {
            log::error!("the listener cannot be woken: {error}");
        }
    }

    /// Swap the letters for `read`, which has been read and emptied.
    pub(super) fn take(&self, read: &mut Letters) {
        let mut letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *letters, read);
    }

    #[cfg(test)]
    pub fn read_verdicts(&self) -> Vec<(Token, Verdict)> {
        let mut letters = Letters::default();
        self.take(&mut letters);
        letters.verdicts
    }
}
