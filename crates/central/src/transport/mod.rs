//! Sending a source's requests within what each host allows.
//!
//! - [`host`]: one host's state: budget, waits, circuit breaker. Pure.
//! - [`fetch`]: one request over HTTP, with a limit on everything.
//! - [`site`]: which addresses share a host's state.

pub mod fetch;
pub mod host;
pub mod site;

pub use host::{Host, Verdict};
