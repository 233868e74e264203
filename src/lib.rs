//! The appliance: a thin shell of sockets, files and threads around
//! `smart-mining-core`, which decides everything.
//!
//! | module | does | may touch |
//! |---|---|---|
//! | [`config`] | reads farm.toml | the file |
//! | [`store`] | keeps snapshots, totals, events | SQLite, one writer thread |
//! | [`refuge`] | opens the store, elsewhere if need be | files |
//! | [`sync`] | fetches snapshots from central | one ureq thread, the gate, the store |
//! | [`update`], `outcome` | asks for releases, and says what became of the last one | files of the updater |
//! | [`report`] | tells central how the farm fares | one ureq thread, the view, the store |
//! | [`lane`] | routes the miners of one algorithm | sockets to pools |
//! | [`listener`] | serves the miners of one algorithm | sockets to miners |
//! | [`workers`] | says which workers may come in | one thread that hashes |
//! | [`tls`] | encrypts both sides | files of certificates |
//! | [`doctor`] | finds the usual mistakes | everything, and changes nothing |
//! | [`operator`] | does what the operator asks for, and knows who that is | lanes, the sync thread, the image's units |
//! | [`ledger`], [`registry`], [`events`] | the books | memory, the store's queue |
//! | [`history`] | the past, for charts | the store, reading only |
//! | [`view`], [`status`] | what people see | the books, never the store |
//! | [`supervisor`] | starts, watches, stops | everything above |
#![deny(unsafe_code)]

pub mod clock;
pub mod config;
pub mod counts;
pub mod device;
pub mod doctor;
pub mod events;
mod files;
pub mod history;
pub mod journal;
pub mod lane;
pub mod ledger;
pub mod listener;
pub mod notify;
pub mod operator;
mod outcome;
pub mod per_algorithm;
pub mod provision;
pub mod pulse;
pub mod rate;
pub mod refuge;
pub mod registry;
mod renewal;
pub mod report;
pub mod rules;
pub mod silence;
mod socket;
pub mod status;
pub mod store;
pub mod supervisor;
pub mod sync;
pub mod tls;
pub mod update;
pub mod view;
pub mod workers;
