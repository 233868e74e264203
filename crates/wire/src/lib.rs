//! The contract between central and the appliance.
//!
//! Everything that crosses that boundary is defined here and nowhere else, is
//! versioned, and has golden bytes in `tests/golden.rs`. A change that breaks
//! those bytes breaks appliances in the field.
//!
//! - [`algorithm`]: the canonical names of the mining algorithms and their aliases.
//! - [`snapshot`]: one ranking of (coin, pool) pairs, as central saw it.
//! - [`envelope`]: the signed form in which a snapshot travels and is stored.
//! - [`pool_url`]: where a pool listens.
//! - [`report`]: what an appliance tells of itself.
//! - [`release`]: the software that an appliance is to run.
//! - [`key`]: Ed25519 keys in the text form used by configuration files.
// The derived schemas, which only central has, name `std`.
#![cfg_attr(not(feature = "schema"), no_std)]
extern crate alloc;

pub mod algorithm;
pub mod envelope;
pub mod key;
pub mod pool_url;
pub mod release;
pub mod report;
pub mod snapshot;

pub use algorithm::Algorithm;
pub use envelope::{Envelope, EnvelopeError};
pub use key::{KeyError, PublicKey, SecretKey};
pub use pool_url::{PoolUrl, PoolUrlError};
pub use release::Release;
pub use report::{Report, ReportError, Reports};
pub use snapshot::{Entry, PoolOffer, Snapshot, SnapshotError};
