//! One simulated miner: a small struct, for there are thousands.

use std::io::Write;
use std::time::{Duration, Instant};

use smart_mining_farmsim::hex;
use smart_mining_farmsim::pow::{Algorithm, Hash, Target, search};
use smart_mining_farmsim::work::{Notify, Solution};

use super::job::Side;
use super::ledger::Ledger;
use super::link::Link;
use super::scan;

/// What all miners share.
pub struct Floor {
    pub ledger: Ledger,
    /// Miners with a job of each pool.
    pub holding: [usize; 2],
    pub watch: Option<Watch>,
    /// Whether miners keep whole jobs, to search for honest shares.
    pub keep_jobs: bool,
}

/// A job on its way to everybody.
pub struct Watch {
    pub ntime: u32,
    pub started: Instant,
    pub took: Vec<Duration>,
}

/// Extranonces that are tried for one share.
const EXTRANONCES: usize = 64;

/// An honest share.
pub struct Found {
    pub extranonce2: usize,
    pub nonce: u32,
    pub hash: Hash,
}

#[derive(Default)]
pub struct Miner {
    pub link: Option<Link>,
    side: Option<Side>,
    job: Vec<u8>,
    ntime: [u8; 8],
    extranonce1: Vec<u8>,
    extranonce2_size: usize,
    difficulty: f64,
    kept: Option<Box<Notify>>,
}

impl Miner {
    pub fn has_job(&self) -> bool {
        self.side.is_some()
    }

    /// Forgets the session.
    pub fn reset(&mut self, floor: &mut Floor) {
        self.hold(None, floor);
        self.link = None;
        self.ntime = [0; 8];
        self.kept = None;
    }

    fn hold(&mut self, side: Option<Side>, floor: &mut Floor) {
        if self.side != side {
            if let Some(old) = self.side {
                floor.holding[old.index()] -= 1;
            }
            if let Some(new) = side {
                floor.holding[new.index()] += 1;
            }
            self.side = side;
        }
    }

    pub fn line(&mut self, number: u32, line: &[u8], now: Instant, floor: &mut Floor) {
        if !scan::is_call(line) {
            self.answer(number, line, now, floor);
            return;
        }
        let method = scan::after(line, b"\"method\"").and_then(scan::text);
        match method.map(|(name, _)| name) {
            Some(b"mining.notify") => self.notify(line, now, floor),
            Some(b"mining.set_difficulty") => {
                self.difficulty = scan::difficulty(line).unwrap_or(self.difficulty);
            }
            Some(b"mining.set_extranonce") => self.extranonce(line, "params", 0),
            Some(_) | None => {}
        }
    }

    fn answer(&mut self, number: u32, line: &[u8], now: Instant, floor: &mut Floor) {
        match scan::id(line).and_then(scan::number) {
            Some(1) => self.extranonce(line, "result", 1),
            Some(id) => floor.ledger.miner_heard(number, id, line, now),
            None => {}
        }
    }

    /// Rare enough to be parsed properly.
    fn extranonce(&mut self, line: &[u8], key: &str, at: usize) {
        let Ok(value) = serde_json::from_slice::<serde_json::Value>(line) else {
            return;
        };
        let list = &value[key];
        if let (Some(text), Some(size)) = (list[at].as_str(), list[at + 1].as_u64()) {
            self.extranonce1 = hex::decode(text).unwrap_or_default();
            self.extranonce2_size = usize::try_from(size).unwrap_or(0);
        }
    }

    fn notify(&mut self, line: &[u8], now: Instant, floor: &mut Floor) {
        let Some(job) = scan::job(line) else { return };
        self.job.clear();
        self.job.extend_from_slice(job.id);
        // A job that is told twice arrived with the first.
        let again = self.ntime == job.ntime;
        if let Ok(ntime) = job.ntime.try_into() {
            self.ntime = ntime;
        }
        self.hold(Side::of(job.prev_hash), floor);
        if floor.keep_jobs {
            self.kept = serde_json::from_slice::<serde_json::Value>(line)
                .ok()
                .and_then(|value| Notify::parse(&value["params"]).ok())
                .map(Box::new);
        }
        if let Some(watch) = &mut floor.watch
            && !again
            && scan::hex_u32(job.ntime) == Some(watch.ntime)
        {
            watch
                .took
                .push(now.saturating_duration_since(watch.started));
        }
    }

    /// Searches a hash that is good for the difficulty the miner was told, among the
    /// 256 nonces of one share and some extranonces.
    pub fn search(&self, miner: usize, first: u32) -> Option<Found> {
        let notify = self.kept.as_deref()?;
        let target = Target::from_difficulty(Algorithm::Sha256d, self.difficulty);
        (0..EXTRANONCES).find_map(|roll| {
            let extranonce2 = miner | roll << 16;
            let digits = self.extranonce2_size * 2;
            let solution = Solution {
                extranonce2: hex::decode(&format!("{extranonce2:0digits$x}"))?,
                ntime: notify.ntime,
                nonce: first,
                version: notify.version,
            };
            let header = notify.header(&self.extranonce1, &solution);
            let (nonce, hash) = search(Algorithm::Sha256d, &header, &target, first, 256)?;
            Some(Found {
                extranonce2,
                nonce,
                hash,
            })
        })
    }

    /// Submits a share of the newest job; `number` is the share's, `nonce` one of its own.
    pub fn submit(
        &mut self,
        miner: u32,
        number: usize,
        nonce: u32,
        extranonce2: usize,
        line: &mut Vec<u8>,
    ) {
        let Some(link) = &mut self.link else { return };
        line.clear();
        // Writing to a Vec cannot fail, and a broken connection shows when it is read.
        let _ = write!(
            line,
            r#"{{"id":{},"method":"mining.submit","params":["{}",""#,
            Ledger::id(number),
            user(miner),
        );
        line.extend_from_slice(&self.job);
        let digits = self.extranonce2_size * 2;
        let _ = write!(line, "\",\"{extranonce2:0digits$x}\",\"");
        line.extend_from_slice(&self.ntime);
        let _ = writeln!(line, "\",\"{nonce:08x}\"]}}");
        let _ = link.send(line);
    }
}

pub fn user(miner: u32) -> String {
    format!("account.rig{miner:04}")
}

/// Subscribe and authorize in one go, as firmware with a quick start does.
pub fn hello(miner: u32, password: &str) -> String {
    format!(
        "{{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"bench/1\"]}}\n\
         {{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"{}\",\"{password}\"]}}\n",
        user(miner)
    )
}
