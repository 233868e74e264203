//! Which workers may come in: `[workers]` and `[[worker]]` of farm.toml.
//!
//! ```text
//!   mode open ------------------------------> welcome
//!   not in the list ------------------------> refused
//!   mode list ------------------------------> welcome
//!   the same name and password were right --> welcome
//!   its address has to wait ----------------> refused
//!   else: later ---queue---> hashed by a thread of its own --> welcome, refused
//! ```
//!
//! A password is hashed once while the appliance runs: what is remembered of a
//! right one is its SHA-256 under a key that is never written, so that thousands
//! of miners that come back at once cost nothing, and a stolen card tells no more
//! than its hashes.
//!
//! | file | does |
//! |---|---|
//! | `hash` | makes and checks what farm.toml keeps of a password |
//! | `refused` | who was turned away lately |
//! | `checker` | the thread that hashes |

mod checker;
pub mod hash;
mod refused;

pub use checker::Checker;
pub use refused::RefusedWorker;

use crate::clock::Clock;
use crate::config::{Admissions, WorkersMode};
use crate::events::Events;
use checker::Question;
use hash::StoredPassword;
use refused::Refused;
use sha2::{Digest, Sha256};
use smart_mining_core::Instant;
use smart_mining_core::attempts::Attempts;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Passwords that wait to be hashed: as many as miners of a large farm.
const QUEUE: usize = 8 * 1024;
/// Addresses that guessed lately.
const ADDRESSES: usize = 4096;

/// What the miner is told: nobody learns whether the name or the password was wrong.
const UNKNOWN: &str = "worker or password is not known on this farm";
const UNLISTED: &str = "worker is not known on this farm";
const WAIT: &str = "too many wrong passwords, come again later";
const BUSY: &str = "too many passwords wait to be checked, come again";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Welcome,
    /// The text is for the miner.
    Refused(&'static str),
    /// [`Workers::ask`] brings the answer.
    Later,
}

/// The text is for the miner.
pub type Answer = Box<dyn FnOnce(Result<(), &'static str>) + Send>;

pub struct Workers {
    mode: WorkersMode,
    shared: Arc<Shared>,
    queue: SyncSender<Question>,
}

struct Shared {
    known: BTreeMap<String, Known>,
    /// Of this process alone.
    key: [u8; 32],
    attempts: Mutex<Attempts>,
    refused: Refused,
    clock: Clock,
}

struct Known {
    password: Option<StoredPassword>,
    /// Under the key; a worker has one right password.
    proven: OnceLock<[u8; 32]>,
}

impl Workers {
    /// The checker has to be run for passwords to be judged at all.
    pub fn new(
        config: &Admissions,
        events: Arc<Events>,
        clock: Clock,
    ) -> anyhow::Result<(Arc<Self>, Checker)> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
        let known = config.workers.iter().map(|worker| {
            let known = Known {
                password: worker.password.clone(),
                proven: OnceLock::new(),
            };
            (worker.name.clone(), known)
        });
        let shared = Arc::new(Shared {
            known: known.collect(),
            key,
            attempts: Mutex::new(Attempts::new(ADDRESSES)),
            refused: Refused::new(events),
            clock,
        });
        let (queue, questions) = sync_channel(QUEUE);
        let checker = Checker::new(shared.clone(), questions);
        let workers = Self {
            mode: config.mode,
            shared,
            queue,
        };
        Ok((Arc::new(workers), checker))
    }

    /// Every worker is welcome, and nobody hashes.
    #[cfg(test)]
    pub fn open(events: Arc<Events>, clock: Clock) -> Arc<Self> {
        let made = Self::new(&Admissions::default(), events, clock);
        made.expect("random numbers").0
    }

    /// Never waits, and never hashes with argon2.
    pub fn judge(&self, worker: &str, password: &str, address: IpAddr, now: Instant) -> Admission {
        let shared = &self.shared;
        match (self.mode, shared.known.get(worker)) {
            (WorkersMode::Open, _) | (WorkersMode::List, Some(_)) => Admission::Welcome,
            (WorkersMode::List, None) => {
                shared.refused.add(worker, address, "not in the list");
                Admission::Refused(UNLISTED)
            }
            (WorkersMode::Password, None) => {
                let refused = shared.must_wait(worker, address, now);
                let refused = refused.unwrap_or_else(|| {
                    shared.attempts().failed(address, now);
                    shared.refused.add(worker, address, "not in the list");
                    UNKNOWN
                });
                Admission::Refused(refused)
            }
            (WorkersMode::Password, Some(known)) => {
                if shared.is_proven(known, worker, password) {
                    return Admission::Welcome;
                }
                (shared.must_wait(worker, address, now))
                    .map_or(Admission::Later, Admission::Refused)
            }
        }
    }

    /// Have it hashed. The answer is given by another thread, or here if the queue
    /// is full.
    pub fn ask(&self, worker: &str, password: &str, address: IpAddr, answer: Answer) {
        let question = Question {
            worker: worker.to_owned(),
            password: password.to_owned(),
            address,
            answer,
        };
        if let Err(full) = self.queue.try_send(question) {
            use std::sync::mpsc::TrySendError::{Disconnected, Full};
            let (Full(question) | Disconnected(question)) = full;
            let why = "too many passwords wait to be checked";
            self.shared.refused.add(worker, address, why);
            (question.answer)(Err(BUSY));
        }
    }

    /// The latest first.
    pub fn refused(&self) -> Vec<RefusedWorker> {
        self.shared.refused.list()
    }
}

impl Shared {
    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn must_wait(&self, worker: &str, address: IpAddr, now: Instant) -> Option<&'static str> {
        self.attempts().wait(address, now)?;
        let why = "its address gave too many wrong passwords and has to wait";
        self.refused.add(worker, address, why);
        Some(WAIT)
    }

    fn is_proven(&self, known: &Known, worker: &str, password: &str) -> bool {
        // Without the key nobody can choose a password by how long this takes.
        known.proven.get() == Some(&self.proof(worker, password))
    }

    fn proof(&self, worker: &str, password: &str) -> [u8; 32] {
        Sha256::new()
            .chain_update(self.key)
            // A name has no NUL in it.
            .chain_update(worker)
            .chain_update([0])
            .chain_update(password)
            .finalize()
            .into()
    }
}

#[cfg(test)]
mod tests;
