//! Nodes, and the services that pass on what a node says.
//!
//! ```text
//!   bitcoind  zcashd  monerod  eth     own nodes, JSON-RPC over HTTP
//!   kaspad                             own node behind a bridge
//!   kaspa_rest  dcrdata  monero_explorer   public, plain GET
//! ```
//!
//! Which network a node must be on is in [`network`].
//!
//! A node that is catching up answers with confidence about old blocks. Whatever
//! tells of that is [`SourceError::Syncing`](super::SourceError::Syncing).

pub mod bitcoind;
pub mod dcrdata;
pub mod eth;
pub mod jsonrpc;
pub mod kaspa_rest;
pub mod kaspad;
pub mod monero_explorer;
pub mod monerod;
pub mod network;
pub mod zcashd;
