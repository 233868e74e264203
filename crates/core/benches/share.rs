//! What one share, one notify and one verdict cost, without a socket.
//!
//! `cargo bench -p smart-mining-core`; figures and what they mean for a farm are
//! in docs/performance.md.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use smart_mining_core::share::{
    Board, Flight, Job, MINER_SIZE, Manner, Renderings, Seat, Split, Submit, Terms, Work, check,
};
use smart_mining_core::sv1::{Login, MinerSession, Opening, PoolSession, Step, conclude};
use smart_mining_core::{Algorithm, Duration, Instant};
use std::hint::black_box;
use std::sync::Arc;

const SEAT: Seat = Seat {
    group: 3,
    prefix: 0x2a,
};

fn now() -> Instant {
    Instant::from_secs(1000)
}

/// As large as those of a busy chain: 12 branches, a coinbase of 250 bytes.
fn job(algorithm: Algorithm, difficulty: f64) -> Job {
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
    Job::new(1, 1, algorithm, terms).expect("positive")
}

fn board(difficulty: f64) -> Board {
    let mut board = Board::new();
    board.put_up(job(Algorithm::Sha256d, difficulty), true);
    board
}

fn working(board: &Board, difficulty: &str) -> MinerSession {
    let mut session =
        MinerSession::new(Algorithm::Sha256d, SEAT, 7, Duration::from_secs(15), now());
    let mut out = Vec::new();
    let subscribe = br#"{"id":1,"method":"mining.subscribe","params":["bench/1"]}"#;
    session.line(subscribe, board, now(), &mut out);
    let authorize =
        format!(r#"{{"id":2,"method":"mining.authorize","params":["a.rig","{difficulty}"]}}"#);
    if let Step::Authorize(credentials) = session.line(authorize.as_bytes(), board, now(), &mut out)
    {
        assert!(session.admit(&credentials, &mut out));
    }
    let _ = session.show(board, &mut Renderings::new(), now(), &mut out);
    session
}

fn submit_line(nonce: u32) -> Vec<u8> {
    format!(r#"{{"id":4711,"method":"mining.submit","params":["a.rig","1","000001","6700003c","{nonce:08x}"]}}"#).into_bytes()
}

fn shares(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("share");
    group.throughput(Throughput::Elements(1));
    // Every hash meets it: each share goes to the pool.
    let (all, mut nonce, mut out) = (board(1e-10), 0u32, Vec::new());
    let mut session = working(&all, "x");
    group.bench_function("line to Submit, sha256d", |bencher| {
        bencher.iter_batched(
            || {
                nonce = nonce.wrapping_add(1);
                submit_line(nonce)
            },
            |line| {
                out.clear();
                let step = session.line(&line, &all, now(), &mut out);
                assert!(matches!(step, Step::Submit(_)));
                session.answered();
            },
            BatchSize::SmallInput,
        );
    });
    let hard = board(1e9);
    let mut session = working(&hard, "d=0.0000000001");
    group.bench_function("line to a local verdict, sha256d", |bencher| {
        bencher.iter_batched(
            || {
                nonce = nonce.wrapping_add(1);
                submit_line(nonce)
            },
            |line| {
                out.clear();
                let step = session.line(&line, &hard, now(), &mut out);
                assert!(matches!(step, Step::Judged(_)));
            },
            BatchSize::SmallInput,
        );
    });
    for algorithm in [Algorithm::Sha256d, Algorithm::Scrypt] {
        let job = job(algorithm, 1e-10);
        let mut nonce = 0;
        group.bench_function(format!("check alone, {algorithm}"), |bencher| {
            bencher.iter(|| {
                nonce += 1;
                let claim = smart_mining_core::share::Claim {
                    seat: SEAT,
                    rolled: [0; MINER_SIZE].into_iter().collect(),
                    ntime: 0x6700_003c,
                    nonce,
                    version_bits: 0,
                    mask: 0,
                    asked: 1e-10,
                };
                black_box(check(&job, &claim)).expect("every hash is a share")
            });
        });
    }
    group.finish();
}

fn notifies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("notify");
    let one = job(Algorithm::Sha256d, 1.0);
    let mut line = Vec::new();
    group.bench_function("render for a group", |bencher| {
        bencher.iter(|| {
            line.clear();
            assert!(black_box(&one).render(3, Manner::Constant, &mut line));
        });
    });
    let boards: Vec<Board> = (1..=2)
        .map(|id| {
            let mut board = Board::new();
            board.put_up(one.again(id, 30), false);
            board
        })
        .collect();
    let mut session = working(&board(1.0), "x");
    let (mut renderings, mut out, mut turn) = (Renderings::new(), Vec::new(), 0);
    group.bench_function("show to one miner, and render", |bencher| {
        bencher.iter(|| {
            turn += 1;
            out.clear();
            let _ = session.show(&boards[turn % 2], &mut renderings, now(), &mut out);
            assert!(!out.is_empty());
        });
    });
    group.finish();
}

fn upstream(criterion: &mut Criterion) {
    let login = Login {
        user: "account.{worker}".to_owned(),
        password: "x".to_owned(),
        farm: "barn".to_owned(),
        agent: "bench/1".to_owned(),
        per_worker: false,
        extensions: false,
    };
    let mut pool = PoolSession::new(login, Opening::default(), now());
    pool.line(
        br#"{"id":2,"result":[[["mining.notify","1"]],"01020304",8],"error":null}"#,
        now(),
    );
    pool.line(br#"{"id":3,"result":true,"error":null}"#, now());
    while pool.next_event().is_some() {}
    let job = Arc::new(job(Algorithm::Sha256d, 1e-10));
    let extranonce2 = job.split.extranonce2(SEAT, &[0, 0, 1]).expect("room");
    let (mut id, mut out) = (15, Vec::new());
    criterion.bench_function("pool/submit, and its verdict to the miner", |bencher| {
        bencher.iter(|| {
            id += 1;
            let submit = Submit {
                token: u64::from(id),
                worker: "rig".try_into().expect("short"),
                job: job.clone(),
                extranonce2: extranonce2.clone(),
                ntime: 1,
                nonce: id,
                version_bits: None,
            };
            pool.submit(submit, now()).expect("room");
            pool.output().clear();
            let mut answer: heapless::Vec<u8, 64> = heapless::Vec::new();
            let text = format_args!(r#"{{"id":{id},"result":true,"error":null}}"#).to_string();
            answer.extend_from_slice(text.as_bytes()).expect("fits");
            pool.line(&answer, now());
            out.clear();
            while let Some(event) = pool.next_event() {
                let flight = Flight {
                    owner: (),
                    id: "4711".try_into().expect("short"),
                    link: 1,
                    difficulty: 1.0,
                    pool_difficulty: 1.0,
                    since: now(),
                };
                if let smart_mining_core::sv1::PoolEvent::Verdict { verdict, .. } = event {
                    black_box(conclude(&flight, &verdict, &mut out));
                }
            }
        });
    });
}

criterion_group!(benches, shares, notifies, upstream);
criterion_main!(benches);
