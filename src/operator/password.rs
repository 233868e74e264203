//! The operator's password: in farm.toml, or set at the first visit and kept in the store.
//!
//! ```text
//!   farm.toml has one ------------------> FromFile: what the store kept is let go
//!   else, the store has one ------------> Kept
//!   else --first visit sets one, once---> Kept
//!   the store cannot be read -----------> Locked: only farm.toml can help
//! ```
//!
//! One password is hashed at a time, and only a few may wait for that: the workers'
//! checker would make an operator wait for thousands of miners after a power cut.
//! Whoever guesses is slowed as miners are, and all together may try
//! [`A_MINUTE`] times a minute.

use crate::clock::Clock;
use crate::store::{Record, Store};
use crate::workers::hash::StoredPassword;
use smart_mining_core::Instant;
use smart_mining_core::attempts::Attempts;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Passwords that may be tried, from everywhere together.
const A_MINUTE: u32 = 60;
/// Those that may wait while one is hashed.
const WAITING: usize = 8;
/// Addresses that guessed lately.
const ADDRESSES: usize = 1024;
pub const SHORTEST: usize = 8;
/// Where the store keeps it.
const KEY: &str = "operator-password";

/// Why somebody was not let in, or could not set a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Nobody has set one.
    Unset,
    Wrong,
    /// Too many were wrong; seconds.
    Wait(u64),
    Busy,
    /// There is one already.
    Set,
    Locked,
    /// What is wrong with the one that was to be set.
    Unusable(String),
}

#[derive(Clone)]
enum Known {
    FromFile(StoredPassword),
    Kept(StoredPassword),
    Unset,
    Locked,
}

/// Tries from everywhere: one a second, after a minute's worth at once.
#[derive(Debug)]
struct Allowance {
    left: u32,
    since: Instant,
}

impl Allowance {
    fn take(&mut self, now: Instant) -> bool {
        let earned = now.saturating_duration_since(self.since).as_secs();
        let earned = u32::try_from(earned).unwrap_or(A_MINUTE);
        if earned > 0 {
            self.left = A_MINUTE.min(self.left.saturating_add(earned));
            self.since = now;
        }
        let allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        allowed
    }
}

struct State {
    known: Known,
    attempts: Attempts,
    allowance: Allowance,
}

pub struct Password {
    state: Mutex<State>,
    hashing: tokio::sync::Mutex<()>,
    waiting: Arc<tokio::sync::Semaphore>,
    store: Store,
    clock: Clock,
}

impl Password {
    /// `is_elsewhere`: the store is not the farm's own, which may have a password.
    /// May block for a moment.
    pub fn new(
        from_file: Option<StoredPassword>,
        is_elsewhere: bool,
        store: &Store,
        clock: Clock,
    ) -> Self {
        let kept = store.reader().and_then(|reader| reader.meta(KEY));
        let known = match (from_file, kept) {
            (Some(password), kept) => {
                if kept.is_ok_and(|kept| kept.is_some_and(|kept| !kept.is_empty())) {
                    keep(store, String::new());
                }
                Known::FromFile(password)
            }
            (None, Ok(Some(kept))) if !kept.is_empty() => match StoredPassword::parse(&kept) {
                Ok(password) => Known::Kept(password),
                Err(_) => Known::Locked,
            },
            (None, Ok(_)) if !is_elsewhere => Known::Unset,
            (None, Ok(_) | Err(_)) => Known::Locked,
        };
        let now = clock.now();
        Self {
            state: Mutex::new(State {
                known,
                attempts: Attempts::new(ADDRESSES),
                allowance: Allowance {
                    left: A_MINUTE,
                    since: now,
                },
            }),
            hashing: tokio::sync::Mutex::new(()),
            waiting: Arc::new(tokio::sync::Semaphore::new(WAITING)),
            store: store.clone(),
            clock,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next visitor may set one.
    pub fn is_unset(&self) -> bool {
        matches!(self.state().known, Known::Unset)
    }

    /// Neither is there one, nor can one be set here.
    pub fn is_locked(&self) -> bool {
        matches!(self.state().known, Known::Locked)
    }

    pub fn is_from_file(&self) -> bool {
        matches!(self.state().known, Known::FromFile(_))
    }

    pub async fn check(&self, password: String, address: IpAddr) -> Result<(), Denied> {
        self.may_try(address)?;
        let place = self.waiting.clone().try_acquire_owned();
        let _place = place.map_err(|_| Denied::Busy)?;
        let _one_at_a_time = self.hashing.lock().await;
        // Guesses that waited together count one by one.
        let right = self.may_try(address)?;
        if !self.state().allowance.take(self.clock.now()) {
            return Err(Denied::Busy);
        }
        let hashed = tokio::task::spawn_blocking(move || right.is(&password)).await;
        if hashed.unwrap_or(false) {
            return Ok(());
        }
        let now = self.clock.now();
        self.state().attempts.failed(address, now);
        Err(Denied::Wrong)
    }

    /// The password, if this address may try one.
    fn may_try(&self, address: IpAddr) -> Result<StoredPassword, Denied> {
        let state = self.state();
        if let Some(wait) = state.attempts.wait(address, self.clock.now()) {
            return Err(Denied::Wait(wait.as_secs() + 1));
        }
        match &state.known {
            Known::FromFile(password) | Known::Kept(password) => Ok(password.clone()),
            Known::Unset => Err(Denied::Unset),
            Known::Locked => Err(Denied::Locked),
        }
    }

    /// At the first visit. It is in force once it is on the disk.
    pub async fn set(&self, password: String) -> Result<(), Denied> {
        if password.len() < SHORTEST {
            let what = format!("a password of {} bytes", password.len());
            return Err(Denied::Unusable(format!(
                "{what}; use at least {SHORTEST} characters"
            )));
        }
        let place = self.waiting.clone().try_acquire_owned();
        let _place = place.map_err(|_| Denied::Busy)?;
        let _one_at_a_time = self.hashing.lock().await;
        match self.state().known {
            Known::Unset => {}
            Known::FromFile(_) | Known::Kept(_) => return Err(Denied::Set),
            Known::Locked => return Err(Denied::Locked),
        }
        let store = self.store.clone();
        let made = tokio::task::spawn_blocking(move || {
            let made = StoredPassword::of(&password)?;
            match keep(&store, made.to_string()) {
                true => Ok(made),
                false => Err("a password that the disk did not take; is the card full?".to_owned()),
            }
        });
        let made = made.await.unwrap_or_else(|fault| Err(fault.to_string()));
        // Nobody else sets one meanwhile: we hold the lock for hashing.
        self.state().known = Known::Kept(made.map_err(Denied::Unusable)?);
        Ok(())
    }
}

/// Blocks. `false`: the disk did not take it.
fn keep(store: &Store, value: String) -> bool {
    let queued = store.record(Record::Meta { key: KEY, value });
    queued && store.flush().is_ok()
}

/// In words, with what to do.
impl Denied {
    pub fn words(&self) -> (String, &'static str) {
        match self {
            Self::Unset => (
                "no operator's password is set".to_owned(),
                "open /operator of this appliance in a browser and set one, or write password_hash in \
                 [operator] of farm.toml",
            ),
            Self::Wrong => (
                "the password is wrong".to_owned(),
                "try again; a forgotten one is replaced by password_hash in [operator] of farm.toml \
                 and a restart",
            ),
            Self::Wait(wait) => (
                format!(
                    "too many wrong passwords came from this address; {wait} s are left to wait"
                ),
                "wait, and try again then",
            ),
            Self::Busy => (
                "too many passwords are being checked".to_owned(),
                "try again in a minute",
            ),
            Self::Set => (
                "an operator's password is set already".to_owned(),
                "log in with it; a forgotten one is replaced by password_hash in [operator] of farm.toml \
                 and a restart",
            ),
            Self::Locked => (
                "the store cannot be read, so nobody knows whether a password was set".to_owned(),
                "mend the store (the events say what is wrong), or write password_hash in [operator] \
                 of farm.toml and restart",
            ),
            Self::Unusable(what) => (what.clone(), "choose another one"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smart_mining_core::Duration;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, _) = Store::open(&folder.path().join("farm.sqlite")).expect("a new store");
        (folder, store)
    }

    async fn tried(password: &Password, text: &str, address: IpAddr) -> Result<(), Denied> {
        password.check(text.to_owned(), address).await
    }

    #[tokio::test]
    async fn the_first_visit_sets_it_once_and_a_restart_knows_it() {
        let (_folder, store) = store();
        let clock = Clock::start();
        let password = Password::new(None, false, &store, clock);
        assert_eq!(tried(&password, "x", HERE).await, Err(Denied::Unset));
        assert!(matches!(
            password.set("short".to_owned()).await,
            Err(Denied::Unusable(_))
        ));
        assert!(password.is_unset());
        assert_eq!(password.set("correct horse".to_owned()).await, Ok(()));
        let again = password.set("another horse".to_owned()).await;
        assert_eq!(again, Err(Denied::Set));
        let restarted = Password::new(None, false, &store, clock);
        assert_eq!(tried(&restarted, "correct horse", HERE).await, Ok(()));
        let wrong = tried(&restarted, "another horse", HERE).await;
        assert_eq!(wrong, Err(Denied::Wrong));
    }

    #[tokio::test]
    async fn farm_toml_goes_before_what_was_set_and_resets_it() {
        let (_folder, store) = store();
        let clock = Clock::start();
        let first = Password::new(None, false, &store, clock);
        assert_eq!(first.set("from the page".to_owned()).await, Ok(()));
        let hash = StoredPassword::of("from the file").expect("made");
        let file = Password::new(Some(hash), false, &store, clock);
        assert_eq!(tried(&file, "from the file", HERE).await, Ok(()));
        assert_eq!(
            tried(&file, "from the page", HERE).await,
            Err(Denied::Wrong)
        );
        assert!(Password::new(None, false, &store, clock).is_unset());
    }

    #[tokio::test]
    async fn a_store_in_another_place_lets_nobody_set_one() {
        let (_folder, store) = store();
        let password = Password::new(None, true, &store, Clock::start());
        assert_eq!(
            password.set("correct horse".to_owned()).await,
            Err(Denied::Locked)
        );
    }

    #[tokio::test]
    async fn guessing_is_slowed_for_its_address_and_the_operator_comes_in_from_another() {
        let (_folder, store) = store();
        let hash = StoredPassword::of("correct horse").expect("made");
        let password = Arc::new(Password::new(Some(hash), false, &store, Clock::start()));
        // Together, so that none of them saw another one fail.
        let guesses: Vec<_> = (0..7)
            .map(|n| {
                let password = password.clone();
                tokio::spawn(async move { password.check(format!("guess {n}"), HERE).await })
            })
            .collect();
        let mut outcomes = Vec::new();
        for guess in guesses {
            outcomes.push(guess.await.expect("no panic"));
        }
        let wrong = outcomes.iter().filter(|it| **it == Err(Denied::Wrong));
        assert_eq!(wrong.count(), 5, "{outcomes:?}");
        assert!(matches!(
            tried(&password, "correct horse", HERE).await,
            Err(Denied::Wait(1..=61))
        ));
        assert_eq!(tried(&password, "correct horse", THERE).await, Ok(()));
    }

    #[test]
    fn all_together_may_try_once_a_second_after_a_minutes_worth() {
        let begin = Instant::from_secs(1000);
        let mut allowance = Allowance {
            left: A_MINUTE,
            since: begin,
        };
        let at_once = (0..100).filter(|_| allowance.take(begin)).count();
        assert_eq!(at_once, 60);
        let later = begin + Duration::from_secs(3);
        assert_eq!((0..9).filter(|_| allowance.take(later)).count(), 3);
    }
}
