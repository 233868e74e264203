//! Single sessions, without a farm around them.

use super::front::Front;
use super::hash::{JobText, difficulty, meets, word};
use super::{FakePool, at, login, secs};
use serde_json::Value;
use smart_mining_core::share::{
    Board, Job, Seat, Split, Submit, Terms, Token, Verdict, Work, WorkText,
};
use smart_mining_core::sv1::miner::Shown;
use smart_mining_core::sv1::{
    Judged, Login, MinerSession, Opening, PoolEvent, PoolSession, Share, Step,
};
use smart_mining_core::{Algorithm, Instant};
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

/// Below what any device is ever asked.
pub const TRIVIAL: f64 = 1e-10;

pub fn terms() -> Terms {
    Terms {
        work: Arc::new(work(&FakePool::new("a").make_job(true))),
        split: Split::new(&[10, 11, 12, 13], 8).expect("room"),
        difficulty: TRIVIAL,
        version_mask: 0x1fff_e000,
    }
}

pub fn job_of(id: u32, terms: Terms) -> Job {
    Job::new(id, 1, Algorithm::Sha256d, terms).expect("a difficulty")
}

/// A job of link 1 that every nonce solves.
pub fn job(id: u32) -> Job {
    job_of(id, terms())
}

pub fn with_difficulty(id: u32, difficulty: f64) -> Job {
    let terms = Terms {
        difficulty,
        ..terms()
    };
    job_of(id, terms)
}

pub fn board(job: Job) -> Board {
    let mut board = Board::new();
    board.put_up(job, true);
    board
}

pub struct MinerWire {
    pub session: MinerSession,
    pub board: Board,
    pub front: Front,
    pub now: Instant,
}

impl MinerWire {
    pub fn new(board: Board) -> Self {
        let seat = Seat {
            group: 0,
            prefix: 0x2a,
        };
        let now = at(0);
        Self {
            session: MinerSession::new(Algorithm::Sha256d, seat, 7, secs(15), now),
            board,
            front: Front::default(),
            now,
        }
    }

    /// Subscribed and authorized as `acc.rig`, on a chip that is never asked
    /// less than difficulty 1 where its pool asks more.
    pub fn working(board: Board) -> Self {
        Self::working_as("bitaxe/BM1370/v2.9", "x", board)
    }

    pub fn working_as(agent: &str, password: &str, board: Board) -> Self {
        let mut wire = Self::new(board);
        wire.tell(&format!(
            r#"{{"id":1,"method":"mining.subscribe","params":["{agent}"]}}"#
        ));
        wire.tell(&format!(
            r#"{{"id":2,"method":"mining.authorize","params":["acc.rig","{password}"]}}"#
        ));
        assert!(wire.session.is_working());
        wire
    }

    pub fn step(&mut self, line: &str) -> Step {
        self.step_bytes(line.as_bytes())
    }

    pub fn step_bytes(&mut self, line: &[u8]) -> Step {
        let (session, board) = (&mut self.session, &self.board);
        self.front.line(session, line, board, self.now)
    }

    /// Several lines that came in one packet.
    pub fn burst(&mut self, lines: &[&str]) -> Vec<Value> {
        let (session, board) = (&mut self.session, &self.board);
        for line in lines {
            let step = self.front.part(session, line.as_bytes(), board, self.now);
            assert!(!matches!(step, Step::Close(_)), "{step:?}");
        }
        self.show()
    }

    /// What the miner hears at once.
    pub fn tell(&mut self, line: &str) -> Vec<Value> {
        let step = self.step(line);
        assert!(!matches!(step, Step::Close(_)), "{step:?}");
        self.heard()
    }

    pub fn show(&mut self) -> Vec<Value> {
        let shown = self.front.show(&mut self.session, &self.board, self.now);
        assert_eq!(shown, Shown::Done);
        self.heard()
    }

    /// A further job, and what the miner hears of it.
    pub fn put_up(&mut self, job: Job, clean: bool) -> Vec<Value> {
        self.board.put_up(job, clean);
        self.show()
    }

    pub fn raw(&mut self) -> String {
        self.front.heard()
    }

    pub fn heard(&mut self) -> Vec<Value> {
        values(&self.raw())
    }

    /// Submit a nonce on a job; the share that goes to the pool.
    pub fn share(&mut self, id: &str, job: u32, nonce: u32) -> Share {
        let step = self.step(&submit_line(id, "acc.rig", job, nonce));
        let Step::Submit(share) = step else {
            panic!("{step:?} {}", self.raw());
        };
        share
    }

    /// The same, put on its way.
    pub fn submit(&mut self, id: &str, job: u32, nonce: u32) -> Token {
        let share = self.share(id, job, nonce);
        self.front.put(0, share, self.now).1.token
    }

    /// Submit a nonce on a job; the answer that the appliance gives itself.
    pub fn judged(&mut self, job: u32, nonce: u32) -> Judged {
        let step = self.step(&submit_line("4", "acc.rig", job, nonce));
        let Step::Judged(judged) = step else {
            panic!("{step:?}");
        };
        judged
    }

    /// `None`: the share had its answer before.
    pub fn verdict(&mut self, token: Token, verdict: &Verdict) -> Option<Judged> {
        let flight = self.front.close(token)?;
        Some(self.front.answer(&mut self.session, &flight, verdict))
    }

    /// Give up what has waited too long; how many those were.
    pub fn overdue(&mut self) -> Vec<Judged> {
        let why = Verdict::Unknown("the pool did not answer in time");
        let late = self.front.overdue(self.now);
        let session = &mut self.session;
        late.iter()
            .map(|flight| self.front.answer(session, flight, &why))
            .collect()
    }
}

pub fn submit_line(id: &str, user: &str, job: u32, nonce: u32) -> String {
    format!(
        r#"{{"id":{id},"method":"mining.submit","params":["{user}","{job:x}","000001","6700003c","{nonce:08x}"]}}"#
    )
}

/// The first nonce from `from` on whose submit on [`job`]'s work is worth that much.
pub fn nonce_worth(from: u32, range: std::ops::Range<f64>) -> u32 {
    let text = FakePool::new("a").make_job(true);
    let extranonce = "0a0b0c0d000000002a000001";
    let mut header = text.header(extranonce, word(&text.version), 0x6700_003c, 0);
    let mut nonces = from..;
    let found = nonces.find(|nonce| {
        header[76..].copy_from_slice(&nonce.to_le_bytes());
        meets(&header, range.start) && difficulty(&header) < range.end
    });
    found.expect("some nonce")
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
    pub session: PoolSession,
    pub now: Instant,
}

pub const SUBSCRIBED: &str =
    r#"{"id":2,"result":[[["mining.notify","1"]],"0a0b0c0d",8],"error":null}"#;
pub const AUTHORIZED: &str = r#"{"id":3,"result":true,"error":null}"#;

impl PoolWire {
    pub fn new(login: Login) -> Self {
        Self::opened(login, Opening::default())
    }

    pub fn opened(login: Login, opening: Opening) -> Self {
        let now = at(1000);
        let session = PoolSession::new(login, opening, now);
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

    pub fn events(&mut self) -> Vec<PoolEvent> {
        std::iter::from_fn(|| self.session.next_event()).collect()
    }

    /// Send a share for the worker; the `mining.submit` that it became.
    pub fn submit(&mut self, worker: &str, token: Token) -> Value {
        let submit = share(worker, token);
        self.session.submit(submit, self.now).expect("room");
        let mut said = self.said();
        let submit = said.pop().expect("a line");
        assert_eq!(submit["method"], "mining.submit");
        submit
    }
}

pub fn share(worker: &str, token: Token) -> Submit {
    Submit {
        token,
        worker: worker.try_into().expect("short"),
        job: Arc::new(job(1)),
        extranonce2: heapless::Vec::from_slice(&[0, 0, 0, 0, 0x2a, 0, 0, 1]).expect("fits"),
        ntime: 0x6700_003c,
        nonce: token as u32,
        version_bits: None,
    }
}
