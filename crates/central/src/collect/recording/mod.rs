//! What was answered, as it came, so that a day can be run again.
//!
//! One JSON object a line, a file for each day (UTC) named `YYYY-MM-DD.jsonl`:
//!
//! ```json
//! {"at":1790000000,"source":"zpool","kind":"status","about":"","url":"https://www.zpool.ca/api/status","status":200,"headers":[["content-type","application/json"]],"body":"{}"}
//! {"at":1790000007,"source":"ocean","kind":"pool","about":"BTC","error":"timeout: connect"}
//! ```
//!
//! `network` is there for a private chain, `question` for a request with a body, and
//! `body_base64` in place of a `body` that is no UTF-8. No key is written: neither
//! what was sent in headers nor the address behind its `?`, and of a configured
//! address only what a source put behind it.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::{Recording, RecordingError};
pub use writer::Recorder;

use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    at: u64,
    source: String,
    kind: String,
    about: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    /// Some sources put into it what their answer is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    question: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}
