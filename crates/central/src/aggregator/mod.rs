//! The aggregator's work: hear sources, rank, publish.
//!
//! ```text
//!   Collector --Heard--> Desk --Edition--> store, in one transaction --NOTIFY--> API
//!                         ^
//!   recording --Heard-----'      (replay: the recording's clock, the same desk)
//! ```
//!
//! - [`desk`]: what was heard, and when a new edition is due. Pure; time is an argument.
//! - [`store`]: an edition into the tables and a signed snapshot, one transaction.
//! - [`leader`]: which of several aggregators works; the others stand by.
//! - [`run`]: the commands `run` and `once`. [`replay`]: recorded answers again.

pub mod desk;
pub mod leader;
pub mod replay;
pub mod run;
pub mod show;
pub mod store;

pub use desk::{Desk, Edition};

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix seconds.
pub fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
