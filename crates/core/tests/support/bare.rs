//! Single sessions, without a farm around them.

use super::hash::JobText;
use super::{FakePool, at, login};
use serde_json::Value;
use smart_mining_core::Algorithm;
use smart_mining_core::Instant;
use smart_mining_core::share::{Board, Job, Seat, Split, Submit, Target, Work, WorkText};
use smart_mining_core::sv1::{Login, MinerSession, PoolEvent, PoolSession, Step};
use std::sync::Arc;

pub fn work(text: &JobText) -> Work {
    let branches: Vec<&str> = text.branches.iter().map(String::as_str).collect();
    Work::decode(&WorkText {
        job_id: &text.id,
        prev_hash: &text.prev_hash,
        coinbase1: &text.coinbase1,
        coinbase2: &text.coinbase2,
        branches: &branches,
        version: &text.version,
        nbits: &text.nbits,
        ntime: &text.ntime,
        clean: text.clean,
    })
    .expect("a readable job")
}

/// A job of link 1 that every nonce solves.
pub fn job(id: u32) -> Job {
    with_difficulty(id, 1e-10)
}

pub fn with_difficulty(id: u32, difficulty: f64) -> Job {
    Job {
        id,
        link: 1,
        algorithm: Algorithm::Sha256d,
        work: Arc::new(work(&FakePool::new("a").make_job(true))),
        split: Split::new(&[1, 2, 3, 4], 8).expect("room"),
        difficulty,
        target: Target::of_difficulty(Algorithm::Sha256d, difficulty).expect("positive"),
        version_mask: 0x1fff_e000,
    }
}

pub fn board(job: Job) -> Board {
    let mut board = Board::new();
    board.put_up(job, 1, true);
    board
}

pub struct MinerWire {
    pub session: MinerSession,
    pub board: Board,
    pub now: Instant,
}

impl MinerWire {
    pub fn new(board: Board) -> Self {
        let seat = Seat {
            group: 0,
            prefix: 0x2a,
        };
        Self {
            session: MinerSession::new(seat, 7, at(15_000)),
            board,
            now: at(0),
        }
    }

    /// Subscribed and authorized as `acc.rig`.
    pub fn working(board: Board) -> Self {
        let mut wire = Self::new(board);
        wire.tell(r#"{"id":1,"method":"mining.subscribe","params":["cpuminer/2.5.1"]}"#);
        wire.tell(r#"{"id":2,"method":"mining.authorize","params":["acc.rig","x"]}"#);
        assert!(wire.session.is_working());
        wire
    }

    pub fn step(&mut self, line: &str) -> Step {
        self.session.line(line.as_bytes(), &self.board, self.now)
    }

    /// What the miner hears at once.
    pub fn tell(&mut self, line: &str) -> Vec<Value> {
        let step = self.step(line);
        assert!(!matches!(step, Step::Close(_)), "{step:?}");
        self.heard()
    }

    pub fn show(&mut self) -> Vec<Value> {
        self.session.show(&self.board);
        self.heard()
    }

    pub fn raw(&mut self) -> String {
        let output = std::mem::take(self.session.output());
        String::from_utf8(output).expect("UTF-8")
    }

    pub fn heard(&mut self) -> Vec<Value> {
        values(&self.raw())
    }

    /// Submit a nonce on a job; the share that goes to the pool.
    pub fn submit(&mut self, id: &str, job: u32, nonce: u32) -> Submit {
        let step = self.step(&submit_line(id, "acc.rig", job, nonce));
        let Step::Submit(submit) = step else {
            panic!("{step:?} {}", self.raw());
        };
        submit
    }
}

pub fn submit_line(id: &str, user: &str, job: u32, nonce: u32) -> String {
    format!(
        r#"{{"id":{id},"method":"mining.submit","params":["{user}","{job:x}","000001","6700003c","{nonce:08x}"]}}"#
    )
}

pub fn values(lines: &str) -> Vec<Value> {
    let parse = |line| serde_json::from_str(line).expect("JSON");
    lines.lines().map(parse).collect()
}

pub fn methods(lines: &[Value]) -> Vec<&str> {
    let notes = lines.iter().filter(|line| line["id"].is_null());
    notes.filter_map(|line| line["method"].as_str()).collect()
}

pub struct PoolWire {
    pub session: PoolSession<u32>,
    pub now: Instant,
}

pub const SUBSCRIBED: &str =
    r#"{"id":2,"result":[[["mining.notify","1"]],"0a0b0c0d",8],"error":null}"#;
pub const AUTHORIZED: &str = r#"{"id":3,"result":true,"error":null}"#;

impl PoolWire {
    pub fn new(login: Login) -> Self {
        let now = at(1000);
        let session = PoolSession::new(login, now);
        Self { session, now }
    }

    /// Logged in, everything said so far forgotten.
    pub fn logged_in() -> Self {
        Self::logged_in_as(login())
    }

    pub fn logged_in_as(login: Login) -> Self {
        let mut wire = Self::new(login);
        wire.hear(SUBSCRIBED);
        wire.hear(AUTHORIZED);
        assert!(matches!(wire.events()[..], [PoolEvent::LoggedIn]));
        wire.said();
        wire
    }

    pub fn hear(&mut self, line: &str) {
        self.session.line(line.as_bytes(), self.now);
    }

    pub fn said(&mut self) -> Vec<Value> {
        let output = std::mem::take(self.session.output());
        values(&String::from_utf8(output).expect("UTF-8"))
    }

    pub fn events(&mut self) -> Vec<PoolEvent<u32>> {
        self.session.take_events()
    }

    /// Send a share for the worker; the `mining.submit` that it became.
    pub fn submit(&mut self, worker: &str, token: u32) -> Value {
        let submit = share(worker, token);
        self.session.submit(submit, token, self.now).expect("room");
        let mut said = self.said();
        let submit = said.pop().expect("a line");
        assert_eq!(submit["method"], "mining.submit");
        submit
    }
}

pub fn share(worker: &str, token: u32) -> Submit {
    Submit {
        token,
        worker: worker.try_into().expect("short"),
        job: Arc::new(job(1)),
        extranonce2: heapless_of(&[0, 0, 0, 0, 0x2a, 0, 0, 1]),
        ntime: 0x6700_003c,
        nonce: token,
        version_bits: None,
    }
}

fn heapless_of(bytes: &[u8]) -> heapless::Vec<u8, 16> {
    heapless::Vec::from_slice(bytes).expect("fits")
}
