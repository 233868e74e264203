//! The appliance's software that central wants a farm to run.
//!
//! This says where an image is and what it must hash to; whether it may be installed
//! is for the appliance to decide, by the image's own signature and rollback index.

use crate::report::MAX_COUNT;
use alloc::string::String;
use serde::{Deserialize, Serialize};

const MAX_TEXT: usize = 63;
const MAX_URL: usize = 500;
const MAX_HOST: usize = 253;
const MAX_NOTES: usize = 2000;

/// The answer to `GET /api/v1/release`. Unknown members are tolerated, so that an older
/// appliance can read a newer central.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Release {
    #[cfg_attr(
        feature = "schema",
        schema(
            min_length = 1,
            max_length = 63,
            pattern = "^[A-Za-z0-9][A-Za-z0-9.+_-]{0,62}$"
        )
    )]
    pub version: String,
    /// What the image is built for, as the appliance names its own board.
    #[cfg_attr(
        feature = "schema",
        schema(
            min_length = 1,
            max_length = 63,
            pattern = "^[A-Za-z0-9][A-Za-z0-9.+_-]{0,62}$"
        )
    )]
    pub board: String,
    /// Where the image is fetched: `https://`, a DNS name or an IPv4 address, perhaps a
    /// port, and a path.
    #[cfg_attr(
        feature = "schema",
        schema(
            min_length = 10,
            max_length = 500,
            pattern = "^https://[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?/[!-~]*$"
        )
    )]
    pub url: String,
    /// Of the image, in lower-case hexadecimal digits.
    #[cfg_attr(
        feature = "schema",
        schema(min_length = 64, max_length = 64, pattern = "^[0-9a-f]{64}$")
    )]
    pub sha256: String,
    /// Bytes of the image.
    #[cfg_attr(
        feature = "schema",
        schema(minimum = 1, maximum = 9223372036854775807_i64)
    )]
    pub size: u64,
    /// An appliance never installs one that is lower than the highest it has run.
    #[cfg_attr(
        feature = "schema",
        schema(minimum = 0, maximum = 9223372036854775807_i64)
    )]
    pub rollback_index: u64,
    /// For a person: printable characters and spaces.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(max_length = 2000, pattern = "^[ -~]*$"))]
    pub notes: String,
}

impl Release {
    /// What is wrong with it, and what would do.
    pub fn check(&self) -> Result<(), &'static str> {
        if !is_version(&self.version) {
            return Err(
                "version must be 1 to 63 characters of A-Z a-z 0-9 . + _ -, the first of them a letter or digit",
            );
        }
        if !is_version(&self.board) {
            return Err(
                "board must be 1 to 63 characters of A-Z a-z 0-9 . + _ -, the first of them a letter or digit",
            );
        }
        if self.url.len() > MAX_URL || !is_https(&self.url) {
            return Err(
                "url must be https://host/path or https://host:port/path, with at most 500 characters and without spaces",
            );
        }
        let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if self.sha256.len() != 64 || !self.sha256.bytes().all(hex) {
            return Err("sha256 must be 64 lower-case hexadecimal digits");
        }
        if self.size == 0 || self.size > MAX_COUNT || self.rollback_index > MAX_COUNT {
            return Err("size must be at least 1, and size and rollback_index below 2^63");
        }
        let plain = |b: u8| b.is_ascii_graphic() || b == b' ';
        if self.notes.len() > MAX_NOTES || !self.notes.bytes().all(plain) {
            return Err("notes must be at most 2000 printable ASCII characters");
        }
        Ok(())
    }
}

/// Goes into paths and file names, so it cannot begin with a dot.
pub fn is_version(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'_' | b'-');
    text.len() <= MAX_TEXT
        && text.bytes().all(plain)
        && text
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric())
}

fn is_https(url: &str) -> bool {
    let address = url.strip_prefix("https://").unwrap_or_default();
    let Some((place, path)) = address.split_once('/') else {
        return false;
    };
    let (host, port) = match place.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (place, None),
    };
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    let is_port = |text: &str| !text.starts_with(['0', '+']) && text.parse::<u16>().is_ok();
    host.len() <= MAX_HOST
        && host.bytes().all(inner)
        && edge(host.bytes().next())
        && edge(host.bytes().next_back())
        && port.is_none_or(is_port)
        && path.bytes().all(|b| b.is_ascii_graphic())
}
