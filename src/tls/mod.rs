//! TLS, with rustls and ring. See docs/stratum.md.
//!
//! | file | does |
//! |---|---|
//! | `client` | a connection to a pool, plain or not, and its handshake |
//! | `verify` | whether a pool's certificate is accepted, and why not |
//! | `server` | the certificate that miners see |
//! | `guest` | one miner's TLS, between its socket and its lines |

pub(crate) mod client;
pub(crate) mod guest;
pub mod server;
mod verify;

use sha2::{Digest, Sha256};
use std::fmt::Write;

/// A certificate's SHA-256.
pub type Fingerprint = [u8; 32];

pub fn fingerprint(certificate: &[u8]) -> Fingerprint {
    Sha256::digest(certificate).into()
}

/// As openssl prints it, and as farm.toml takes it.
pub fn colons(fingerprint: &Fingerprint) -> String {
    let mut text = String::with_capacity(fingerprint.len() * 3);
    for (index, byte) in fingerprint.iter().enumerate() {
        // Writing to a String does not fail.
        let _ = write!(text, "{}{byte:02X}", if index == 0 { "" } else { ":" });
    }
    text
}
