//! Simulated miners with the habits of real firmware.
//!
//! A miner really hashes, at a configured rate and a tiny difficulty, so that
//! a share it was told is accepted can be found in a pool's books by its hash.
//! It keeps the rules that firmware keeps and notes who breaks them
//! ([`MinerStats::violations`]). One task per miner; it ends with the handle.

mod answers;
mod config;
mod firmware;
mod link;
mod search;
mod stats;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use self::config::{MinerConfig, Personality};
pub use self::stats::{AcceptedShare, MinerStats};
pub use crate::sync::TimedOut;

use crate::sync::{lock, until};

/// What the miner is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Work,
    /// Stay connected, make no hashes.
    Pause,
    /// Disconnect and stay away.
    Leave,
}

/// What the miner's task shares with its handle.
struct Desk {
    config: MinerConfig,
    stats: Mutex<MinerStats>,
    changed: watch::Sender<u64>,
    order: watch::Sender<Order>,
}

impl Desk {
    fn change<T>(&self, change: impl FnOnce(&mut MinerStats) -> T) -> T {
        let result = change(&mut lock(&self.stats));
        self.changed.send_modify(|version| *version += 1);
        result
    }

    /// Told to pause, it hashes no more.
    fn rest(&self) {
        if !lock(&self.stats).resting {
            self.change(|stats| stats.resting = true);
        }
    }

    /// Nobody waits for hashes.
    fn count_hashes(&self, hashes: u64) {
        lock(&self.stats).hashes += hashes;
    }
}

/// A running miner; it ends when this value is dropped.
pub struct Miner {
    desk: Arc<Desk>,
    task: JoinHandle<()>,
}

impl Miner {
    /// Connects in the background, and again whenever the connection is lost.
    /// Must be called within a tokio runtime.
    #[must_use]
    pub fn start(config: MinerConfig) -> Self {
        let desk = Arc::new(Desk {
            config,
            stats: Mutex::new(MinerStats::default()),
            changed: watch::Sender::new(0),
            order: watch::Sender::new(Order::Work),
        });
        let task = tokio::spawn(link::run(Arc::clone(&desk)));
        Self { desk, task }
    }

    /// The worker name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.desk.config.name
    }

    #[must_use]
    pub fn config(&self) -> &MinerConfig {
        &self.desk.config
    }

    /// A copy of what it saw.
    #[must_use]
    pub fn stats(&self) -> MinerStats {
        self.read(Clone::clone)
    }

    /// Looks without copying.
    pub fn read<T>(&self, look: impl FnOnce(&MinerStats) -> T) -> T {
        look(&lock(&self.desk.stats))
    }

    /// Waits until the stats answer `true`.
    pub async fn wait_for(
        &self,
        what: &str,
        deadline: Duration,
        mut check: impl FnMut(&MinerStats) -> bool,
    ) -> Result<(), TimedOut> {
        let changed = self.desk.changed.subscribe();
        until(changed, deadline, || {
            self.read(|stats| check(stats).then_some(()))
        })
        .await
        .ok_or_else(|| TimedOut {
            what: format!("miner {}: no {what} ({})", self.name(), self.describe()),
            after: deadline,
        })
    }

    /// Waits for the next share answered `true`, counted from the call.
    pub async fn next_accepted(&self, deadline: Duration) -> Result<AcceptedShare, TimedOut> {
        let before = self.read(|stats| stats.accepted);
        let next = |stats: &MinerStats| stats.accepted > before;
        self.wait_for("next accepted share", deadline, next).await?;
        self.read(|stats| stats.accepted_shares.back().cloned())
            .ok_or_else(|| TimedOut {
                what: format!("miner {} keeps no accepted shares", self.name()),
                after: deadline,
            })
    }

    /// Waits until it is subscribed, authorized and has a job.
    pub async fn working(&self, deadline: Duration) -> Result<(), TimedOut> {
        self.wait_for("work", deadline, |stats| stats.working).await
    }

    /// Stops hashing, stays connected.
    pub fn pause(&self) {
        self.desk.order.send_replace(Order::Pause);
    }

    /// Hashes again, connects again.
    pub fn resume(&self) {
        self.desk.change(|stats| stats.resting = false);
        self.desk.order.send_replace(Order::Work);
    }

    /// Disconnects and stays away until [`Miner::resume`].
    pub fn leave(&self) {
        self.desk.order.send_replace(Order::Leave);
    }

    /// Stops hashing and waits for the answers that are due: after it the
    /// counters can be compared with a pool's books.
    pub async fn drain(&self, deadline: Duration) -> Result<(), TimedOut> {
        self.pause();
        self.wait_for("end of the shares in flight", deadline, |stats| {
            (stats.resting || !stats.connected) && stats.in_flight == 0
        })
        .await
    }

    fn describe(&self) -> String {
        self.read(|stats| {
            format!(
                "working: {}, accepted: {}, rejected: {:?}, in flight: {}, disconnects: {}, last: {}",
                stats.working,
                stats.accepted,
                stats.rejected,
                stats.in_flight,
                stats.disconnects,
                stats.last_disconnect.as_deref().unwrap_or("-")
            )
        })
    }
}

impl Drop for Miner {
    fn drop(&mut self) {
        self.task.abort();
    }
}
