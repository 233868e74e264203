//! The one place where the monotonic clock becomes the core's time.

use smart_mining_core::{Duration, Instant};
use std::time::{SystemTime, UNIX_EPOCH};

/// Core time starts here, so that "an hour ago" exists from the first second.
const BASE: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: std::time::Instant,
}

impl Clock {
    pub fn start() -> Self {
        Self {
            origin: std::time::Instant::now(),
        }
    }

    pub fn now(&self) -> Instant {
        let elapsed = u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX / 2);
        Instant::from_micros(BASE.as_micros() + elapsed)
    }

    /// Since the process started.
    pub fn uptime(&self) -> std::time::Duration {
        self.origin.elapsed()
    }

    /// Seconds since `then`, 0 for the future.
    pub fn seconds_since(&self, then: Instant) -> u64 {
        self.now().saturating_duration_since(then).as_secs()
    }

    /// Wait until `deadline`; for ever if there is none.
    pub async fn sleep_until(&self, deadline: Option<Instant>) {
        match deadline {
            Some(deadline) => {
                let wait = deadline.saturating_duration_since(self.now());
                tokio::time::sleep(std::time::Duration::from_micros(wait.as_micros())).await;
            }
            None => std::future::pending().await,
        }
    }
}

/// The wall clock, for what people read; nothing is timed by it.
pub fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
