//! Work as a pool sent it, and the job that miners get of it.

use super::{Extranonce, Manner, Seat, Split, Spot, Target};
use crate::{Algorithm, hex};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use sha2::{Digest, Sha256};

/// The miner's name of a job. Ours alone, and never reused while the process lives.
pub type JobId = u32;
/// One connection to a pool. A reconnect is a new link.
pub type LinkId = u32;

const MAX_POOL_JOB_ID: usize = 128;
const MAX_COINBASE_HALF: usize = 8 * 1024;
const MAX_BRANCHES: usize = 32;

/// A `mining.notify`, decoded once. Byte orders are those of the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    pub pool_job_id: String,
    pub prev_hash: [u8; 32],
    pub coinbase1: Vec<u8>,
    pub coinbase2: Vec<u8>,
    pub branches: Vec<[u8; 32]>,
    pub version: u32,
    pub nbits: u32,
    pub ntime: u32,
    pub clean: bool,
}

/// Which part of a notify cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("mining.notify: {0}")]
pub struct WorkError(pub &'static str);

/// The text parts of a notify, as they stand in the message.
pub struct WorkText<'a> {
    pub job_id: &'a str,
    pub prev_hash: &'a str,
    pub coinbase1: &'a str,
    pub coinbase2: &'a str,
    pub branches: &'a [&'a str],
    pub version: &'a str,
    pub nbits: &'a str,
    pub ntime: &'a str,
    pub clean: bool,
}

impl Work {
    pub fn decode(text: &WorkText<'_>) -> Result<Self, WorkError> {
        if text.job_id.is_empty() || text.job_id.len() > MAX_POOL_JOB_ID {
            return Err(WorkError("the job id is empty or too long"));
        }
        if text.branches.len() > MAX_BRANCHES {
            return Err(WorkError("more merkle branches than a block can have"));
        }
        let half = |text| hex::bounded(text, MAX_COINBASE_HALF);
        let branches: Option<Vec<[u8; 32]>> =
            text.branches.iter().map(|text| hex::array(text)).collect();
        let number = |text: &str| hex::array(text).map(u32::from_be_bytes);
        Ok(Self {
            pool_job_id: text.job_id.into(),
            prev_hash: hex::array(text.prev_hash)
                .ok_or(WorkError("prevhash is not 32 bytes of hex"))?,
            coinbase1: half(text.coinbase1).ok_or(WorkError("coinb1 is not hex or too long"))?,
            coinbase2: half(text.coinbase2).ok_or(WorkError("coinb2 is not hex or too long"))?,
            branches: branches.ok_or(WorkError("a merkle branch is not 32 bytes of hex"))?,
            version: number(text.version).ok_or(WorkError("version is not 4 bytes of hex"))?,
            nbits: number(text.nbits).ok_or(WorkError("nbits is not 4 bytes of hex"))?,
            ntime: number(text.ntime).ok_or(WorkError("ntime is not 4 bytes of hex"))?,
            clean: text.clean,
        })
    }

    /// The same work, but for the time in it and for how it was announced.
    fn is_same(&self, other: &Self) -> bool {
        self.pool_job_id == other.pool_job_id
            && self.prev_hash == other.prev_hash
            && self.coinbase1 == other.coinbase1
            && self.coinbase2 == other.coinbase2
            && self.branches == other.branches
            && self.version == other.version
            && self.nbits == other.nbits
    }
}

/// A pool's work, and the terms that hold for it on its connection.
#[derive(Clone, Debug)]
pub struct Terms {
    pub work: Arc<Work>,
    pub split: Split,
    /// What the pool asks of a share.
    pub difficulty: f64,
    /// Version bits that the pool lets miners roll; 0 = none.
    pub version_mask: u32,
}

impl Terms {
    /// The same, with a time that is later than `ntime` by so many seconds at least.
    #[must_use]
    pub fn later_than(mut self, ntime: u32, seconds: u32) -> Self {
        let later = ntime.wrapping_add(seconds);
        if self.work.ntime < later {
            Arc::make_mut(&mut self.work).ntime = later;
        }
        self
    }
}

/// Whose job it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Farm,
    Group(u8),
    /// Of the one miner that has the job's link to itself.
    Miner,
}

/// Work under one of our job ids, bound to the link it came from.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: JobId,
    pub link: LinkId,
    pub place: Place,
    pub algorithm: Algorithm,
    pub work: Arc<Work>,
    pub split: Split,
    /// What the pool asks of a share of this job.
    pub difficulty: f64,
    pub target: Target,
    /// Version bits that the pool lets miners roll; 0 = none.
    pub version_mask: u32,
    coinbase_head: Sha256,
}

impl Job {
    /// `None`: the difficulty is no positive finite number.
    pub fn new(id: JobId, link: LinkId, algorithm: Algorithm, terms: Terms) -> Option<Self> {
        let coinbase_head = Sha256::new()
            .chain_update(&terms.work.coinbase1)
            .chain_update(terms.split.extranonce1());
        Some(Self {
            id,
            link,
            place: Place::Farm,
            algorithm,
            target: Target::of_difficulty(algorithm, terms.difficulty)?,
            work: terms.work,
            split: terms.split,
            difficulty: terms.difficulty,
            version_mask: terms.version_mask,
            coinbase_head,
        })
    }

    /// The same work under another id, its time moved on.
    pub fn again(&self, id: JobId, seconds: u32) -> Self {
        let mut work = Work::clone(&self.work);
        work.ntime = work.ntime.wrapping_add(seconds);
        Self {
            id,
            work: Arc::new(work),
            ..self.clone()
        }
    }

    /// Are these terms for the work of this job once more, on the same session?
    pub fn is_of(&self, terms: &Terms) -> bool {
        self.split == terms.split && self.work.is_same(&terms.work)
    }

    /// The coinbase up to the extranonce2, as far as it is hashed.
    pub(super) const fn coinbase_head(&self) -> &Sha256 {
        &self.coinbase_head
    }

    /// Which part of the connection's room is this group's: one that has the
    /// connection to itself has all of it.
    const fn part(&self, group: u8) -> u8 {
        match self.place {
            Place::Farm => group,
            Place::Group(_) | Place::Miner => 0,
        }
    }

    const fn on_link(&self, seat: Seat) -> Seat {
        Seat {
            group: self.part(seat.group),
            ..seat
        }
    }

    /// What the miner of this seat has to hash with. `None`: no room for it.
    pub fn extranonce(&self, seat: Seat, manner: Manner) -> Option<Extranonce> {
        self.split.extranonce(self.on_link(seat), manner)
    }

    /// The extranonce2 of a share, as the pool sees it.
    pub(super) fn extranonce2(
        &self,
        seat: Seat,
        rolled: &[u8],
    ) -> Option<heapless::Vec<u8, 16, u8>> {
        self.split.extranonce2(self.on_link(seat), rolled)
    }

    /// Is this job handed out there?
    pub fn is_for(&self, spot: Spot) -> bool {
        match self.place {
            Place::Farm => true,
            Place::Group(group) => group == spot.group,
            Place::Miner => spot.link == Some(self.link),
        }
    }

    /// The `mining.notify` for one group, up to the `clean_jobs` flag, which
    /// depends on what each miner missed. `false`: no room for that group.
    pub fn render(&self, group: u8, manner: Manner, out: &mut Vec<u8>) -> bool {
        let Some(middle) = self.split.middle(self.part(group)) else {
            return false;
        };
        let work = &*self.work;
        out.extend_from_slice(br#"{"id":null,"method":"mining.notify","params":[""#);
        push_job_id(out, self.id);
        out.extend_from_slice(br#"",""#);
        hex::push(out, &work.prev_hash);
        out.extend_from_slice(br#"",""#);
        hex::push(out, &work.coinbase1);
        if !self.split.is_told(manner) {
            hex::push(out, self.split.extranonce1());
            hex::push(out, &middle);
        }
        out.extend_from_slice(br#"",""#);
        hex::push(out, &work.coinbase2);
        out.extend_from_slice(br#"",["#);
        for (index, branch) in work.branches.iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
            hex::push(out, branch);
            out.push(b'"');
        }
        out.extend_from_slice(br#"],""#);
        hex::push_number(out, work.version);
        out.extend_from_slice(br#"",""#);
        hex::push_number(out, work.nbits);
        out.extend_from_slice(br#"",""#);
        hex::push_number(out, work.ntime);
        out.extend_from_slice(br#"","#);
        true
    }
}

/// Lower-case hex without leading zeros.
fn push_job_id(out: &mut Vec<u8>, id: JobId) {
    let start = out.len();
    hex::push_number(out, id);
    let digits = &out[start..];
    let zeros = digits.iter().take(7).take_while(|&&digit| digit == b'0');
    let zeros = zeros.count();
    out.drain(start..start + zeros);
}
