//! Being told to stop: Ctrl-C and SIGTERM.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

pub struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Stop {
    /// From here on the signals do not end the process by themselves.
    pub fn new() -> Result<Self> {
        let of = |kind| signal(kind).context("listening for signals");
        Ok(Self {
            interrupt: of(SignalKind::interrupt())?,
            terminate: of(SignalKind::terminate())?,
            hang_up: of(SignalKind::hangup())?,
        })
    }

    /// Returns when told to stop.
    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }

    /// Whether it was told to stop within this time.
    pub async fn within(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.asked()).await.is_ok()
    }
}
