//! What is hashed and how it is judged. Knows no dialect and no connection.

mod board;
mod check;
mod extranonce;
mod job;
mod pow;
mod seats;
mod seen;
mod target;
mod verdict;

pub use board::{Board, MAX_JOBS};
pub use check::{Checked, Claim, check};
pub use extranonce::{MINER_SIZE, Seat, Split, SplitError};
pub use job::{Job, JobId, LinkId, Work, WorkError, WorkText};
pub use pow::{header_hash, sha256d};
pub use seats::Seats;
pub use seen::Seen;
pub use target::Target;
pub use verdict::{Reject, Submit, Verdict, WorkerName, code};
