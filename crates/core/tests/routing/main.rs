//! Stories of the route, in virtual time: which pool the miners work for, when
//! that changes, and what becomes of the shares in between.

mod candidates;
mod links;
mod outage;
mod profit;
#[path = "../support/mod.rs"]
mod support;
mod warm;
mod wishes;
