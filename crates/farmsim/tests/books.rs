//! Miners against a pool directly: what they were told is what the books say.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking where it stands"
)]

use std::time::Duration;

use smart_mining_farmsim::miner::{Miner, MinerConfig, Personality};
use smart_mining_farmsim::pool::{FirstJob, Pool, PoolConfig};
use smart_mining_farmsim::pow::Algorithm;

const PATIENCE: Duration = Duration::from_secs(30);

const ALL: [Personality; 3] = [
    Personality::Minerd,
    Personality::Bitaxe,
    Personality::Cgminer,
];

fn farm(pool: &Pool, count: usize) -> Vec<Miner> {
    (0..count)
        .map(|number| {
            let name = format!("farm.rig{number:02}");
            Miner::start(MinerConfig::new(
                pool.address(),
                &name,
                ALL[number % 3],
                pool.algorithm(),
            ))
        })
        .collect()
}

async fn settle(pool: &Pool, miners: &[Miner]) {
    for miner in miners {
        miner.drain(PATIENCE).await.unwrap();
    }
    let books = pool.books();
    let mut told: Vec<String> = Vec::new();
    for miner in miners {
        let stats = miner.stats();
        assert_eq!(stats.violations, Vec::<String>::new(), "{}", miner.name());
        let mut entered = books.identities_of(miner.name());
        entered.sort();
        assert_eq!(stats.identities(), entered, "{}", miner.name());
        let tally = &books.workers[miner.name()];
        assert_eq!(stats.accepted, tally.accepted);
        assert_eq!(stats.rejected, tally.rejected);
        assert!((stats.accepted_difficulty - tally.difficulty).abs() < 1e-12);
        told.extend(entered);
    }
    told.sort();
    assert_eq!(told, books.identities());
    let unique: std::collections::BTreeSet<_> = told.iter().collect();
    assert_eq!(unique.len(), told.len(), "an identity occurs twice");
    assert_eq!(books.malformed, 0);
    assert!(
        books.unknown_methods.is_empty(),
        "{:?}",
        books.unknown_methods
    );
}

#[tokio::test]
async fn the_books_equal_what_sha256d_miners_were_told() {
    let pool = Pool::start(PoolConfig::default()).await.unwrap();
    let miners = farm(&pool, 6);
    for round in 0..3 {
        for miner in &miners {
            miner.next_accepted(PATIENCE).await.unwrap();
        }
        match round {
            0 => pool.new_job(),
            1 => pool.new_block(),
            _ => pool.set_difficulty(2e-7),
        }
    }
    settle(&pool, &miners).await;
    assert_eq!(pool.books().connections_opened, 6);
    assert_eq!(pool.books().ready_now, 6);
}

#[tokio::test]
async fn the_books_equal_what_scrypt_miners_were_told() {
    let config = PoolConfig::new("ltc", Algorithm::Scrypt, 5);
    let pool = Pool::start(config).await.unwrap();
    let miners = farm(&pool, 3);
    for miner in &miners {
        miner.next_accepted(PATIENCE).await.unwrap();
    }
    pool.new_block();
    for miner in &miners {
        miner.next_accepted(PATIENCE).await.unwrap();
    }
    settle(&pool, &miners).await;
}

#[tokio::test]
async fn pools_of_every_shape_serve_every_miner() {
    for (first_job, extranonce1_bytes, extranonce2_size, branches) in [
        (FirstJob::AfterSubscribe, 4, 8, 0),
        (FirstJob::AfterAuthorize, 8, 2, 1),
        (FirstJob::AfterAuthorize, 1, 4, 12),
    ] {
        let pool = Pool::start(PoolConfig {
            first_job,
            extranonce1_bytes,
            extranonce2_size,
            branches,
            ..PoolConfig::default()
        })
        .await
        .unwrap();
        let miners = farm(&pool, 3);
        for miner in &miners {
            miner.next_accepted(PATIENCE).await.unwrap();
        }
        settle(&pool, &miners).await;
    }
}

#[tokio::test]
async fn minerd_gives_every_submit_the_same_id_and_each_answer_finds_its_share() {
    let pool = Pool::start(PoolConfig::default()).await.unwrap();
    let mut config = MinerConfig::new(
        pool.address(),
        "farm.cpu",
        Personality::Minerd,
        Algorithm::Sha256d,
    );
    // Several shares a portion: their answers queue up behind one id.
    config.hashrate = 60_000.0;
    let miner = Miner::start(config);
    miner
        .wait_for("30 shares", PATIENCE, |stats| stats.accepted >= 30)
        .await
        .unwrap();
    settle(&pool, &[miner]).await;
}

#[tokio::test]
async fn vardiff_slows_a_fast_miner_down() {
    let pool = Pool::start(PoolConfig {
        difficulty: 1e-8,
        vardiff: Some(Duration::from_millis(500)),
        ..PoolConfig::default()
    })
    .await
    .unwrap();
    let miners = farm(&pool, 1);
    miners[0]
        .wait_for("8 shares", PATIENCE, |stats| stats.accepted >= 8)
        .await
        .unwrap();
    // The new difficulty counts from the next job.
    pool.new_job();
    miners[0]
        .wait_for("more difficulty", PATIENCE, |stats| stats.difficulty > 1e-8)
        .await
        .unwrap();
    miners[0].next_accepted(PATIENCE).await.unwrap();
    settle(&pool, &miners).await;
}

#[tokio::test]
async fn a_simulated_block_is_noted_and_ends_the_round() {
    let pool = Pool::start(PoolConfig {
        nbits: 0x207f_ffff,
        block_ends_round: true,
        ..PoolConfig::default()
    })
    .await
    .unwrap();
    let miners = farm(&pool, 1);
    miners[0]
        .wait_for("3 clean jobs", PATIENCE, |stats| stats.clean_jobs >= 3)
        .await
        .unwrap();
    let books = pool.books();
    assert!(books.total.blocks >= 2, "{:?}", books.total);
    assert!(books.accepted.iter().all(|share| share.block));
}
