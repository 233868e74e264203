//! A lock that stays usable after a panic elsewhere, and waiting for a
//! condition with a deadline instead of sleeping.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// Locks; the books of a simulation are worth reading even after a panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The deadline passed before the condition held.
#[derive(Debug, Clone)]
pub struct TimedOut {
    /// What was waited for, with the values seen last.
    pub what: String,
    /// How long.
    pub after: Duration,
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} within {:?}", self.what, self.after)
    }
}

impl std::error::Error for TimedOut {}

/// Waits until `check` answers, looking again each time `changed` fires.
pub(crate) async fn until<T>(
    mut changed: watch::Receiver<u64>,
    deadline: Duration,
    mut check: impl FnMut() -> Option<T>,
) -> Option<T> {
    let wait = async {
        loop {
            changed.borrow_and_update();
            if let Some(found) = check() {
                return Some(found);
            }
            if changed.changed().await.is_err() {
                return check();
            }
        }
    };
    tokio::time::timeout(deadline, wait).await.ok().flatten()
}
