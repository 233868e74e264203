//! A simulated Stratum V1 pool that judges every share by hashing it.
//!
//! [`Pool`] is a handle: it may be cloned, and the pool ends with its last
//! clone. Its books are the truth that a test compares with what miners saw;
//! its controls make it misbehave at any moment.
//!
//! Tasks: one accepts, one makes jobs, one per connection. A
//! connection's task is cancelled by [`Pool::kill`] and at the end of the pool.

mod books;
mod config;
mod connection;
mod floor;
mod jobs;
mod mode;
mod session;
mod verdict;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use self::books::{AcceptedShare, Books, Tally};
pub use self::config::{FirstJob, Logins, PerWorkerAuthorize, PoolConfig};
pub use self::mode::Mode;
pub use crate::sync::TimedOut;

use self::floor::Floor;
use crate::door::Door;
use crate::pow::Algorithm;
use crate::sync::{lock, until};
use crate::work::Notify;

/// Error code: anything without a code of its own.
pub const OTHER: i64 = 20;
/// Error code: the job is unknown or older than the last clean job.
pub const STALE: i64 = 21;
/// Error code: this share was accepted before.
pub const DUPLICATE: i64 = 22;
/// Error code: the hash does not meet the difficulty.
pub const LOW_DIFFICULTY: i64 = 23;
/// Error code: the worker name was not authorized here.
pub const UNAUTHORIZED: i64 = 24;
/// Error code: a share before `mining.subscribe`.
pub const NOT_SUBSCRIBED: i64 = 25;

/// What the tasks of a pool share.
struct Core {
    floor: Mutex<Floor>,
    mode: watch::Sender<Mode>,
    changed: watch::Sender<u64>,
}

impl Core {
    fn change<T>(&self, change: impl FnOnce(&mut Floor) -> T) -> T {
        let result = change(&mut lock(&self.floor));
        self.changed.send_modify(|version| *version += 1);
        result
    }

    fn now(&self) -> Mode {
        *self.mode.borrow()
    }

    fn end_connections(&self) {
        for session in lock(&self.floor).sessions.values() {
            if let Some(task) = &session.task {
                task.abort();
            }
        }
    }
}

struct Running {
    core: Arc<Core>,
    door: Door,
    jobs: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.jobs.abort();
        self.core.end_connections();
    }
}

/// A running pool.
#[derive(Clone)]
pub struct Pool(Arc<Running>);

impl Pool {
    /// Listens and makes its first job.
    pub async fn start(config: PoolConfig) -> io::Result<Self> {
        let mode = watch::Sender::new(Mode::Normal);
        let bind = config.bind;
        let intervals = (config.job_interval, config.block_interval);
        let core = Arc::new(Core {
            floor: Mutex::new(Floor::new(config, mode.subscribe())),
            mode,
            changed: watch::Sender::new(0),
        });
        let host = Arc::clone(&core);
        let door = Door::open(bind, move |stream| connection::admit(&host, stream)).await?;
        let jobs = tokio::spawn(make_jobs(Arc::clone(&core), intervals.0, intervals.1));
        Ok(Self(Arc::new(Running { core, door, jobs })))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.door.address()
    }

    #[must_use]
    pub fn name(&self) -> String {
        lock(&self.0.core.floor).config.name.clone()
    }

    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        lock(&self.0.core.floor).config.algorithm
    }

    /// A copy of the books.
    #[must_use]
    pub fn books(&self) -> Books {
        self.read(Clone::clone)
    }

    /// Looks into the books without copying them.
    pub fn read<T>(&self, look: impl FnOnce(&Books) -> T) -> T {
        look(&lock(&self.0.core.floor).books)
    }

    /// The newest job.
    #[must_use]
    pub fn current_job(&self) -> Option<Notify> {
        lock(&self.0.core.floor).jobs.newest().cloned()
    }

    /// Waits until the books answer `true`.
    pub async fn wait_for(
        &self,
        what: &str,
        deadline: Duration,
        mut check: impl FnMut(&Books) -> bool,
    ) -> Result<(), TimedOut> {
        let changed = self.0.core.changed.subscribe();
        until(changed, deadline, || {
            self.read(|books| check(books).then_some(()))
        })
        .await
        .ok_or_else(|| {
            let (total, now) = self.read(|books| (books.total.clone(), books.connections_now));
            TimedOut {
                what: format!(
                    "pool {}: no {what} (connections now: {now}, {total:?})",
                    self.name()
                ),
                after: deadline,
            }
        })
    }

    /// Waits for one more accepted share.
    pub async fn next_accepted(&self, deadline: Duration) -> Result<(), TimedOut> {
        let before = self.read(|books| books.total.accepted);
        self.wait_for("next accepted share", deadline, |books| {
            books.total.accepted > before
        })
        .await
    }

    /// Closes the port and every connection. From its return on the pool is gone.
    pub async fn kill(&self) -> io::Result<()> {
        self.0.door.shut().await?;
        self.0.core.end_connections();
        let core = &self.0.core;
        let ended = || lock(&core.floor).sessions.is_empty().then_some(());
        let _ = until(core.changed.subscribe(), Duration::from_secs(5), ended).await;
        Ok(())
    }

    /// Listens again on the same port, behaving normally.
    pub async fn revive(&self) -> io::Result<()> {
        self.normal();
        self.0.door.reopen().await
    }

    /// New connections are refused; those inside go on.
    pub async fn refuse_connections(&self) -> io::Result<()> {
        self.0.door.shut().await
    }

    /// The present behaviour.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.0.core.now()
    }

    /// Behaves like this from now on.
    pub fn behave(&self, mode: Mode) {
        self.0.core.mode.send_replace(mode);
        if mode == Mode::Garbage {
            self.0.core.change(Floor::send_all_junk);
        }
    }

    /// Ends any misbehaviour but a closed port ([`Pool::revive`] opens it).
    pub fn normal(&self) {
        self.behave(Mode::Normal);
    }

    /// Lives, reads, never writes; shares sent meanwhile are never judged.
    pub fn silence(&self) {
        self.behave(Mode::Silent);
    }

    /// Neither reads nor writes; what came is handled after [`Pool::normal`].
    pub fn half_open(&self) {
        self.behave(Mode::HalfOpen);
    }

    /// Every line goes out this much later.
    pub fn slow(&self, delay: Duration) {
        self.behave(Mode::Slow(delay));
    }

    /// Rejects every share that would be accepted.
    pub fn reject_shares(&self, code: i64) {
        self.behave(Mode::RejectShares(code));
    }

    /// Refuses every `mining.authorize`.
    pub fn reject_logins(&self) {
        self.behave(Mode::RejectLogins);
    }

    /// Sends junk at once, and instead of every answer.
    pub fn garbage(&self) {
        self.behave(Mode::Garbage);
    }

    /// A block was found somewhere: a clean job for everyone.
    pub fn new_block(&self) {
        self.0.core.change(|floor| floor.new_job(true));
    }

    /// A fresh job for the same block.
    pub fn new_job(&self) {
        self.0.core.change(|floor| floor.new_job(false));
    }

    /// For everyone, counting from the next job.
    pub fn set_difficulty(&self, difficulty: f64) {
        self.0.core.change(|floor| floor.set_difficulty(difficulty));
    }

    /// Sends any message to everyone: `mining.ping`, `client.get_version`,
    /// `mining.set_extranonce`, ... Answers are in [`Books::answers`].
    pub fn broadcast(&self, message: &Value) {
        self.0.core.change(|floor| floor.broadcast(message));
    }

    /// `client.reconnect` without parameters to everyone, then closes them.
    pub fn reconnect_everyone(&self) {
        self.0.core.change(Floor::reconnect_everyone);
    }
}

async fn make_jobs(core: Arc<Core>, every: Duration, block_every: Option<Duration>) {
    let mut next_block = block_every.map(|every| Instant::now() + every);
    loop {
        tokio::time::sleep(every.min(block_every.unwrap_or(every))).await;
        let block = next_block.is_some_and(|due| Instant::now() >= due);
        if block {
            next_block = block_every.map(|every| Instant::now() + every);
        }
        match core.now() {
            Mode::Garbage => core.change(Floor::send_all_junk),
            Mode::Normal
            | Mode::Silent
            | Mode::HalfOpen
            | Mode::Slow(_)
            | Mode::RejectShares(_)
            | Mode::RejectLogins => core.change(|floor| floor.new_job(block)),
        }
    }
}
