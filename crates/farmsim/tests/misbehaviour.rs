//! Each way a pool can misbehave does what it says, and miners live through it.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking where it stands"
)]

use std::time::{Duration, Instant};

use serde_json::json;
use smart_mining_farmsim::miner::{Miner, MinerConfig, Personality};
use smart_mining_farmsim::pool::{FirstJob, Pool, PoolConfig, STALE};
use smart_mining_farmsim::pow::Algorithm;
use smart_mining_farmsim::raw::RawClient;

const PATIENCE: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(300);

async fn pool() -> Pool {
    Pool::start(PoolConfig::default()).await.unwrap()
}

fn config(pool: &Pool, personality: Personality) -> MinerConfig {
    MinerConfig::new(pool.address(), "farm.rig", personality, Algorithm::Sha256d)
}

fn miner(pool: &Pool, personality: Personality) -> Miner {
    Miner::start(config(pool, personality))
}

async fn client(pool: &Pool) -> RawClient {
    RawClient::connect(pool.address(), PATIENCE).await.unwrap()
}

#[tokio::test]
async fn a_killed_pool_is_gone_at_once_and_comes_back_on_its_port() {
    let pool = pool().await;
    let miner = miner(&pool, Personality::Minerd);
    miner.next_accepted(PATIENCE).await.unwrap();
    let port = pool.address();
    pool.kill().await.unwrap();
    assert_eq!(pool.books().connections_now, 0);
    assert!(RawClient::connect(port, SHORT).await.is_err(), "refused");
    miner
        .wait_for("disconnect", PATIENCE, |stats| stats.disconnects == 1)
        .await
        .unwrap();
    pool.revive().await.unwrap();
    assert_eq!(pool.address(), port);
    miner.next_accepted(PATIENCE).await.unwrap();
    let books = pool.books();
    assert_eq!(books.sessions_resumed, 1, "minerd sent its session id");
    assert_eq!(books.total.duplicates(), 0);
    assert_eq!(miner.stats().violations, Vec::<String>::new());
}

#[tokio::test]
async fn a_pool_can_be_killed_and_revived_again_and_again() {
    let pool = pool().await;
    let miner = miner(&pool, Personality::Cgminer);
    for _ in 0..5 {
        miner.next_accepted(PATIENCE).await.unwrap();
        pool.kill().await.unwrap();
        pool.kill().await.unwrap();
        pool.revive().await.unwrap();
        pool.revive().await.unwrap();
    }
    miner.next_accepted(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_silent_pool_reads_and_never_writes() {
    let pool = pool().await;
    let mut client = client(&pool).await;
    client.call(1, "mining.ping", json!([])).await.unwrap();
    pool.silence();
    client.request(2, "mining.ping", json!([])).await.unwrap();
    pool.new_block();
    client.quiet_for(SHORT).await.unwrap();
    pool.normal();
    let answer = client.call(3, "mining.ping", json!([])).await.unwrap();
    assert_eq!(answer["result"], "pong");
    assert!(client.skipped.is_empty(), "{:?}", client.skipped);
}

#[tokio::test]
async fn a_miner_gives_a_silent_pool_up() {
    let pool = pool().await;
    let mut config = config(&pool, Personality::Cgminer);
    config.patience = Some(Duration::from_millis(500));
    let miner = Miner::start(config);
    miner.next_accepted(PATIENCE).await.unwrap();
    pool.silence();
    miner
        .wait_for("disconnect", PATIENCE, |stats| {
            stats.last_disconnect.as_deref() == Some("the pool is silent")
        })
        .await
        .unwrap();
    pool.normal();
    miner.next_accepted(PATIENCE).await.unwrap();
    // What the miner never heard of, the pool never judged.
    miner.drain(PATIENCE).await.unwrap();
    assert_eq!(miner.stats().accepted, pool.books().total.accepted);
}

#[tokio::test]
async fn a_half_open_pool_handles_later_what_came_meanwhile() {
    let pool = pool().await;
    let mut client = client(&pool).await;
    client.call(1, "mining.ping", json!([])).await.unwrap();
    pool.half_open();
    client.request(2, "mining.ping", json!([])).await.unwrap();
    client.quiet_for(SHORT).await.unwrap();
    pool.normal();
    assert_eq!(client.until_id(&json!(2)).await.unwrap()["result"], "pong");
}

#[tokio::test]
async fn a_slow_pool_answers_late_and_in_order() {
    let pool = pool().await;
    pool.slow(SHORT);
    let mut client = client(&pool).await;
    let asked = Instant::now();
    client.request(1, "mining.ping", json!([])).await.unwrap();
    client.request(2, "mining.ping", json!([])).await.unwrap();
    assert_eq!(client.json().await.unwrap()["id"], 1);
    assert!(asked.elapsed() >= SHORT);
    assert_eq!(client.json().await.unwrap()["id"], 2);
}

#[tokio::test]
async fn rejected_shares_are_rejected_with_the_wanted_code() {
    let pool = pool().await;
    let miner = miner(&pool, Personality::Bitaxe);
    miner.next_accepted(PATIENCE).await.unwrap();
    pool.reject_shares(STALE);
    miner
        .wait_for("rejection", PATIENCE, |stats| {
            stats.rejected_with(STALE) >= 2
        })
        .await
        .unwrap();
    pool.normal();
    miner.next_accepted(PATIENCE).await.unwrap();
    miner.drain(PATIENCE).await.unwrap();
    let (stats, books) = (miner.stats(), pool.books());
    assert_eq!(stats.rejected, books.total.rejected);
    assert_eq!(stats.accepted, books.total.accepted);
}

#[tokio::test]
async fn refused_logins_keep_miners_from_work() {
    let pool = pool().await;
    pool.reject_logins();
    let miner = miner(&pool, Personality::Cgminer);
    miner
        .wait_for("two refusals", PATIENCE, |stats| stats.disconnects >= 2)
        .await
        .unwrap();
    assert!(pool.books().logins_refused >= 2);
    assert!(!miner.stats().working);
    pool.normal();
    miner.next_accepted(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn garbage_is_what_firmware_complains_about() {
    let pool = pool().await;
    let miner = miner(&pool, Personality::Bitaxe);
    miner.next_accepted(PATIENCE).await.unwrap();
    pool.garbage();
    miner
        .wait_for("disconnect", PATIENCE, |stats| stats.disconnects >= 1)
        .await
        .unwrap();
    assert!(!miner.stats().violations.is_empty());
    pool.normal();
    miner.next_accepted(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_pool_that_refuses_connections_keeps_those_it_has() {
    let pool = pool().await;
    let miner = miner(&pool, Personality::Bitaxe);
    miner.next_accepted(PATIENCE).await.unwrap();
    pool.refuse_connections().await.unwrap();
    assert!(RawClient::connect(pool.address(), SHORT).await.is_err());
    miner.next_accepted(PATIENCE).await.unwrap();
    pool.revive().await.unwrap();
    client(&pool).await;
    assert_eq!(miner.stats().disconnects, 0);
}

#[tokio::test]
async fn everyone_reconnects_when_asked_to() {
    let pool = pool().await;
    let miner = miner(&pool, Personality::Cgminer);
    miner.next_accepted(PATIENCE).await.unwrap();
    let mut client = client(&pool).await;
    client.call(1, "mining.ping", json!([])).await.unwrap();
    pool.reconnect_everyone();
    client.until_method("client.reconnect").await.unwrap();
    client.closed().await.unwrap();
    miner
        .wait_for("second connection", PATIENCE, |stats| stats.connects == 2)
        .await
        .unwrap();
    miner.next_accepted(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn miners_answer_what_a_pool_asks() {
    let pool = pool().await;
    let miner = miner(&pool, Personality::Bitaxe);
    miner.working(PATIENCE).await.unwrap();
    for (id, method) in [(7, "mining.ping"), (8, "client.get_version")] {
        pool.broadcast(&json!({"id": id, "method": method, "params": []}));
    }
    pool.broadcast(&json!({"id": null, "method": "client.show_message", "params": ["hi"]}));
    pool.wait_for("two answers", PATIENCE, |books| books.answers.len() == 2)
        .await
        .unwrap();
    let books = pool.books();
    assert_eq!(
        books.answers[0],
        json!({"id": 7, "result": "pong", "error": null})
    );
    assert_eq!(books.answers[1]["id"], 8);
    assert_eq!(books.malformed, 0);
}

#[tokio::test]
async fn a_pool_can_drop_who_asks_for_what_it_does_not_know() {
    let pool = Pool::start(PoolConfig {
        drops_on: vec!["mining.configure".to_owned()],
        ..PoolConfig::default()
    })
    .await
    .unwrap();
    let mut client = client(&pool).await;
    client.call(1, "mining.ping", json!([])).await.unwrap();
    client
        .request(2, "mining.configure", json!([[], {}]))
        .await
        .unwrap();
    client.closed().await.unwrap();
}

#[tokio::test]
async fn a_job_before_the_subscribe_answer_is_kept_by_bitaxe_and_breaks_minerd() {
    let pool = Pool::start(PoolConfig {
        first_job: FirstJob::BeforeSubscribeAnswer,
        ..PoolConfig::default()
    })
    .await
    .unwrap();
    let bitaxe = miner(&pool, Personality::Bitaxe);
    bitaxe.next_accepted(PATIENCE).await.unwrap();
    let minerd = miner(&pool, Personality::Minerd);
    minerd
        .wait_for("violation", PATIENCE, |stats| !stats.violations.is_empty())
        .await
        .unwrap();
    assert_eq!(minerd.stats().accepted, 0);
}

#[tokio::test]
async fn an_extranonce2_that_firmware_cannot_use_is_noted() {
    for (size, personality, works) in [
        (9, Personality::Cgminer, false),
        (9, Personality::Minerd, true),
        (1, Personality::Bitaxe, true),
    ] {
        let pool = Pool::start(PoolConfig {
            extranonce2_size: size,
            ..PoolConfig::default()
        })
        .await
        .unwrap();
        let miner = miner(&pool, personality);
        miner
            .wait_for("violation", PATIENCE, |stats| !stats.violations.is_empty())
            .await
            .unwrap();
        assert_eq!(
            miner.working(SHORT * 3).await.is_ok(),
            works,
            "{personality:?}"
        );
    }
}

#[tokio::test]
async fn a_pool_ends_with_its_handle() {
    let pool = pool().await;
    let mut client = client(&pool).await;
    client.call(1, "mining.ping", json!([])).await.unwrap();
    let port = pool.address();
    drop(pool);
    client.closed().await.unwrap();
    assert!(RawClient::connect(port, SHORT).await.is_err());
}
