//! No memory is asked for on the way of a share, of a verdict or of a notify:
//! neither in the core nor in the books. Counted, once everything has grown to
//! its size.
// An allocator cannot be written without it; this one counts and passes on.
#![allow(unsafe_code)]

use smart_mining_core::share::{
    Board, Flight, Flights, Job, Renderings, Seat, Split, Submit, Terms, Work,
};
use smart_mining_core::sv1::miner::Shown;
use smart_mining_core::sv1::{
    Login, MinerSession, Opening, PoolEvent, PoolSession, Step, conclude,
};
use smart_mining_core::{Algorithm, Duration, Instant};
use smart_mining_proxy::clock::Clock;
use smart_mining_proxy::ledger::Ledger;
use smart_mining_proxy::registry::Registry;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write;
use std::sync::Arc;

struct Counting;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is the system's own; counting touches a plain cell only.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.with(|asked| asked.set(asked.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ASKED.with(|asked| asked.set(asked.get() + 1));
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ASKED.with(Cell::get);
    work();
    ASKED.with(Cell::get) - before
}

fn now() -> Instant {
    Instant::from_secs(90_000)
}

fn job(id: u32, difficulty: f64) -> Job {
    let work = Work {
        pool_job_id: "6f1d2c".to_owned(),
        prev_hash: [7; 32],
        coinbase1: vec![1; 100],
        coinbase2: vec![2; 150],
        branches: vec![[9; 32]; 12],
        version: 0x2000_0000,
        nbits: 0x1703_a30c,
        ntime: 0x6700_0000,
        clean: true,
    };
    let terms = Terms {
        work: Arc::new(work),
        split: Split::new(&[1, 2, 3, 4], 8).expect("in range"),
        difficulty,
        version_mask: 0x1fff_e000,
    };
    Job::new(id, 1, Algorithm::Sha256d, terms).expect("positive")
}

/// A farm of one miner and one pool, in memory.
struct Farm {
    board: Board,
    session: MinerSession,
    renderings: Renderings,
    flights: Flights<()>,
    pool: PoolSession,
    registry: Registry,
    ledger: Ledger,
    out: Vec<u8>,
    line: String,
    next: u32,
    pool_id: u32,
}

impl Farm {
    fn new(difficulty: f64, password: &str) -> Self {
        let login = Login {
            user: "account.{worker}".to_owned(),
            password: "x".to_owned(),
            farm: "barn".to_owned(),
            agent: "test/1".to_owned(),
            per_worker: true,
            extensions: false,
        };
        let mut pool = PoolSession::new(login, Opening::default(), now());
        pool.line(
            br#"{"id":2,"result":[[["mining.notify","1"]],"01020304",8],"error":null}"#,
            now(),
        );
        pool.line(br#"{"id":3,"result":true,"error":null}"#, now());
        while pool.next_event().is_some() {}
        let mut board = Board::new();
        board.put_up(job(1, difficulty), true);
        let seat = Seat {
            group: 3,
            prefix: 0x2a,
        };
        let handshake = Duration::from_secs(15);
        let clock = Clock::start();
        let mut farm = Self {
            board,
            session: MinerSession::new(Algorithm::Sha256d, seat, 7, handshake, now()),
            renderings: Renderings::new(),
            flights: Flights::new(),
            pool,
            registry: Registry::new(clock),
            ledger: Ledger::new(clock),
            out: Vec::new(),
            line: String::with_capacity(1024),
            next: 0,
            // The worker is authorized under the first free number.
            pool_id: 16,
        };
        farm.greet(password);
        farm
    }

    fn greet(&mut self, password: &str) {
        let subscribe = br#"{"id":1,"method":"mining.subscribe","params":["test/1"]}"#;
        self.session
            .line(subscribe, &self.board, now(), &mut self.out);
        let line =
            format!(r#"{{"id":2,"method":"mining.authorize","params":["a.rig","{password}"]}}"#);
        let step = self
            .session
            .line(line.as_bytes(), &self.board, now(), &mut self.out);
        let Step::Authorize(credentials) = step else {
            panic!("{step:?}");
        };
        assert!(self.session.admit(&credentials, &mut self.out));
        self.show();
    }

    fn show(&mut self) {
        self.out.clear();
        let shown = self
            .session
            .show(&self.board, &mut self.renderings, now(), &mut self.out);
        assert_eq!(shown, Shown::Done);
        assert!(!self.out.is_empty(), "there was something to show");
    }

    /// One share, from the miner's line to what the session makes of it.
    fn share(&mut self) -> Step {
        self.next += 1;
        self.line.clear();
        let nonce = self.next;
        write!(
            self.line,
            r#"{{"id":{nonce},"method":"mining.submit","params":["a.rig","1","000001","6700003c","{nonce:08x}"]}}"#
        )
        .expect("there is room");
        self.out.clear();
        self.session
            .line(self.line.as_bytes(), &self.board, now(), &mut self.out)
    }

    /// To the pool and back, and into the books.
    fn judged_by_the_pool(&mut self, miner: &smart_mining_proxy::registry::Miner, name: &Arc<str>) {
        let Step::Submit(share) = self.share() else {
            panic!("it pays");
        };
        let flight = Flight {
            owner: (),
            id: share.id.clone(),
            link: 1,
            difficulty: share.difficulty,
            pool_difficulty: share.job.difficulty,
            since: now(),
        };
        let token = self.flights.open(flight).expect("room");
        let submit = Submit {
            token,
            worker: share.worker,
            job: share.job,
            extranonce2: share.extranonce2,
            ntime: share.ntime,
            nonce: share.nonce,
            version_bits: share.version_bits,
        };
        self.pool.submit(submit, now()).expect("logged in");
        self.pool.output().clear();
        self.pool_id += 1;
        self.line.clear();
        write!(
            self.line,
            r#"{{"id":{},"result":true,"error":null}}"#,
            self.pool_id
        )
        .expect("room");
        self.pool.line(self.line.as_bytes(), now());
        let Some(PoolEvent::Verdict { token, verdict }) = self.pool.next_event() else {
            panic!("a verdict");
        };
        let flight = self.flights.close(token).expect("it was open");
        let judged = conclude(&flight, &verdict, &mut self.out);
        self.session.answered();
        miner.judged(&judged, now());
        self.ledger.add(
            Algorithm::Sha256d,
            self.session.worker(),
            name,
            &judged,
            now(),
        );
    }
}

#[test]
fn a_share_that_a_pool_judges_asks_for_no_memory() {
    let mut farm = Farm::new(1e-10, "x");
    let address = "192.0.2.1:1000".parse().expect("an address");
    let (_, miner) = farm.registry.join(Algorithm::Sha256d, address);
    let name: Arc<str> = "pool".into();
    for _ in 0..200 {
        farm.judged_by_the_pool(&miner, &name);
    }
    let asked = allocations(|| {
        for _ in 0..10_000 {
            farm.judged_by_the_pool(&miner, &name);
        }
    });
    assert_eq!(asked, 0, "for 10,000 shares");
}

#[test]
fn a_share_that_is_judged_here_asks_for_no_memory() {
    let mut farm = Farm::new(1e9, "d=0.0000000001");
    let name: Arc<str> = "pool".into();
    let one = |farm: &mut Farm| {
        let Step::Judged(judged) = farm.share() else {
            panic!("it is no share for the pool");
        };
        farm.ledger.add(
            Algorithm::Sha256d,
            farm.session.worker(),
            &name,
            &judged,
            now(),
        );
    };
    one(&mut farm);
    let asked = allocations(|| (0..10_000).for_each(|_| one(&mut farm)));
    assert_eq!(asked, 0, "for 10,000 shares");
}

#[test]
fn a_notify_to_a_miner_asks_for_no_memory() {
    let mut farm = Farm::new(1.0, "x");
    let boards: Vec<Board> = (2..1002)
        .map(|id| {
            let mut board = Board::new();
            board.put_up(job(id, 1.0), id % 2 == 0);
            board
        })
        .collect();
    let asked = allocations(|| {
        for board in boards {
            let old = std::mem::replace(&mut farm.board, board);
            farm.show();
            // What the lane made is the lane's to free.
            drop(old);
        }
    });
    assert_eq!(asked, 0, "for 1,000 jobs, rendering included");
}
