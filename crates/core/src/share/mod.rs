//! What is hashed and how it is judged. Knows no dialect and no connection.

mod board;
mod check;
mod dedicated;
mod extranonce;
mod flights;
mod job;
mod pow;
mod renderings;
mod seats;
mod seen;
mod target;
mod vardiff;
mod verdict;

pub use board::{Board, MAX_JOBS, Slot};
pub use check::{Checked, Claim, check};
pub use dedicated::{Berth, Dedicated};
pub use extranonce::{Extranonce, MINER_SIZE, Manner, Room, Seat, Split, SplitError, Spot};
pub use flights::{Flight, Flights, MAX_FLIGHTS, RequestId, Token};
pub use job::{Job, JobId, LinkId, Place, Terms, Work, WorkError, WorkText};
pub use pow::{header_hash, header_hash_is_known, header_id, merkle_parent, sha256d};
pub use renderings::Renderings;
pub use seats::Seats;
pub use seen::Seen;
pub use target::Target;
pub use vardiff::{Range, Vardiff};
pub use verdict::{Reject, Submit, Verdict, WorkerName, code};
