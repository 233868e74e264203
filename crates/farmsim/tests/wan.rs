//! The relay: cut, restore, reset, delay.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking where it stands"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde_json::json;
use smart_mining_farmsim::miner::{Miner, MinerConfig, Personality};
use smart_mining_farmsim::pool::{Pool, PoolConfig};
use smart_mining_farmsim::pow::Algorithm;
use smart_mining_farmsim::raw::RawClient;
use smart_mining_farmsim::wan::Relay;

const PATIENCE: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(300);

async fn pool_behind_relay() -> (Pool, Relay) {
    let pool = Pool::start(PoolConfig::default()).await.unwrap();
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let relay = Relay::start(any_port, pool.address()).await.unwrap();
    (pool, relay)
}

async fn client(relay: &Relay) -> RawClient {
    let mut client = RawClient::connect(relay.address(), PATIENCE).await.unwrap();
    client.call(1, "mining.ping", json!([])).await.unwrap();
    client
}

#[tokio::test]
async fn a_cut_link_carries_nothing_and_hides_the_end_of_the_other_side() {
    let (pool, relay) = pool_behind_relay().await;
    let mut old = client(&relay).await;
    relay.cut();
    old.request(2, "mining.ping", json!([])).await.unwrap();
    pool.kill().await.unwrap();
    old.quiet_for(SHORT).await.unwrap();
    // New connections hang.
    let mut new = RawClient::connect(relay.address(), PATIENCE).await.unwrap();
    new.request(1, "mining.ping", json!([])).await.unwrap();
    new.quiet_for(SHORT).await.unwrap();
    assert!(relay.traffic().lost > 0);

    pool.revive().await.unwrap();
    relay.restore().await.unwrap();
    old.closed().await.unwrap();
    new.closed().await.unwrap();
    client(&relay).await;
}

#[tokio::test]
async fn a_cut_link_can_refuse_new_connections() {
    let (_pool, relay) = pool_behind_relay().await;
    let mut old = client(&relay).await;
    relay.cut_and_refuse().await.unwrap();
    assert!(RawClient::connect(relay.address(), SHORT).await.is_err());
    old.request(2, "mining.ping", json!([])).await.unwrap();
    old.quiet_for(SHORT).await.unwrap();
    relay.restore().await.unwrap();
    old.closed().await.unwrap();
    client(&relay).await;
}

#[tokio::test]
async fn a_reset_ends_connections_and_leaves_the_link_up() {
    let (pool, relay) = pool_behind_relay().await;
    let mut old = client(&relay).await;
    relay.reset();
    old.closed().await.unwrap();
    pool.wait_for("end", PATIENCE, |books| books.connections_now == 0)
        .await
        .unwrap();
    client(&relay).await;
    assert_eq!(relay.traffic().connections, 2);
}

#[tokio::test]
async fn a_delay_holds_for_both_directions_and_keeps_the_order() {
    let (_pool, relay) = pool_behind_relay().await;
    let mut client = client(&relay).await;
    relay.delay(SHORT);
    let asked = Instant::now();
    for id in 2..5 {
        client.request(id, "mining.ping", json!([])).await.unwrap();
    }
    for id in 2..5 {
        assert_eq!(client.json().await.unwrap()["id"], id);
    }
    assert!(asked.elapsed() >= SHORT * 2);
    assert!(asked.elapsed() < SHORT * 8, "delays do not add up");
}

#[tokio::test]
async fn bytes_are_counted() {
    let (_pool, relay) = pool_behind_relay().await;
    let mut client = RawClient::connect(relay.address(), PATIENCE).await.unwrap();
    let line = json!({"id": 1, "method": "mining.ping", "params": []}).to_string();
    client.send(&line).await.unwrap();
    let answer = client.line().await.unwrap();
    let traffic = relay.traffic();
    assert_eq!(traffic.sent, line.len() as u64 + 1);
    assert_eq!(traffic.received, answer.len() as u64 + 1);
    assert_eq!((traffic.lost, traffic.connections_now), (0, 1));
}

#[tokio::test]
async fn a_relay_to_nowhere_closes() {
    let (pool, relay) = pool_behind_relay().await;
    pool.kill().await.unwrap();
    let mut client = RawClient::connect(relay.address(), PATIENCE).await.unwrap();
    client.closed().await.unwrap();
}

#[tokio::test]
async fn a_miner_finds_its_pool_again_after_the_cut() {
    let (pool, relay) = pool_behind_relay().await;
    let address = relay.address();
    let config = MinerConfig::new(address, "farm.rig", Personality::Bitaxe, Algorithm::Sha256d);
    let miner = Miner::start(config);
    miner.next_accepted(PATIENCE).await.unwrap();
    relay.cut();
    miner
        .wait_for("shares without answer", PATIENCE, |stats| {
            stats.in_flight >= 3
        })
        .await
        .unwrap();
    relay.restore().await.unwrap();
    miner.next_accepted(PATIENCE).await.unwrap();
    miner.drain(PATIENCE).await.unwrap();
    let (stats, books) = (miner.stats(), pool.books());
    assert_eq!(stats.disconnects, 1);
    assert!(stats.unanswered >= 3);
    // An answer that was under way at the cut is in the books only.
    let told = stats.identities();
    assert!(told.iter().all(|one| books.identities().contains(one)));
    assert_eq!(stats.violations, Vec::<String>::new());
}
