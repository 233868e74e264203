//! From sources to answers: what is configured, what is due, who is asked, what was said.
//!
//! ```text
//!   config --> worker: schedule says whom to ask --thread each--> transport
//!                 |                                                  |
//!                 |<----------------- as it came --------------------'
//!                 +--> recording (if wanted)
//!                 `--> parse --> Heard --> whoever merges
//! ```

pub mod config;
pub mod health;
pub mod recording;
pub mod schedule;
pub(crate) mod secrets;
#[cfg(test)]
mod testing;
pub mod worker;

pub use config::Config;
pub use health::{SourceHealth, State};
pub use recording::{Recorder, Recording, RecordingError};
pub use worker::{Answered, Collector};

use crate::source::Parsed;
use crate::transport::fetch::FetchError;

/// One answer to one question, or why there is none.
#[derive(Clone, Debug)]
pub struct Heard {
    pub source: &'static str,
    pub kind: &'static str,
    pub about: String,
    /// Unix seconds at which the answer was in hand.
    pub at: u64,
    pub result: Result<Parsed, FetchError>,
}
