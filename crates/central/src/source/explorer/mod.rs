//! Public block explorers: what they say of a chain, without a node of our own.

pub mod blockchain_info;
pub mod blockchair;
pub mod blockscout;
pub mod mempool;
mod mempool_lists;
