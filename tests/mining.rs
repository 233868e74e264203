//! Miners mine through the appliance; pools come, go and misbehave.

mod support;

use serde_json::json;
use smart_mining_farmsim::miner::{Miner, MinerConfig, Personality};
use smart_mining_farmsim::pool::{PerWorkerAuthorize, Pool, PoolConfig};
use smart_mining_farmsim::pow::Algorithm;
use smart_mining_farmsim::raw::RawClient;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use support::{Appliance, Farm, PATIENCE, route};

async fn pool(name: &str, seed: u64) -> Pool {
    Pool::start(PoolConfig::new(name, Algorithm::Sha256d, seed))
        .await
        .expect("a pool on loopback")
}

async fn pool_with(name: &str, seed: u64, extranonce2_size: usize) -> Pool {
    let config = PoolConfig {
        extranonce2_size,
        ..PoolConfig::new(name, Algorithm::Sha256d, seed)
    };
    Pool::start(config).await.expect("a pool on loopback")
}

fn miner(address: SocketAddr, worker: &str, personality: Personality) -> Miner {
    let name = format!("someone.{worker}");
    Miner::start(MinerConfig::new(
        address,
        &name,
        personality,
        Algorithm::Sha256d,
    ))
}

fn one_of_each(appliance: &Appliance) -> Vec<Miner> {
    let address = appliance.farm.sha256d;
    vec![
        miner(address, "minerd", Personality::Minerd),
        miner(address, "bitaxe", Personality::Bitaxe),
        miner(address, "cgminer", Personality::Cgminer),
    ]
}

async fn all_work(miners: &[Miner]) {
    for miner in miners {
        miner
            .next_accepted(PATIENCE)
            .await
            .expect("an accepted share");
    }
}

/// No more shares, and every answer in.
async fn rest(miners: &[Miner]) {
    for miner in miners {
        miner.pause();
    }
    for miner in miners {
        miner
            .drain(PATIENCE)
            .await
            .expect("every share is answered");
    }
}

fn assert_untroubled(miners: &[Miner]) {
    for miner in miners {
        let stats = miner.stats();
        assert_eq!(stats.violations, Vec::<String>::new(), "{}", miner.name());
        assert_eq!(
            stats.disconnects,
            0,
            "{}: {:?}",
            miner.name(),
            stats.last_disconnect
        );
        assert_eq!(stats.unanswered, 0, "{}", miner.name());
    }
}

/// What miners were told is exactly what the pools wrote down.
fn assert_books_agree(miners: &[Miner], pools: &[&Pool]) {
    let told: BTreeSet<String> = miners
        .iter()
        .flat_map(|miner| miner.stats().identities())
        .collect();
    let written: BTreeSet<String> = pools
        .iter()
        .flat_map(|pool| pool.books().identities())
        .collect();
    assert!(!told.is_empty());
    assert_eq!(told, written);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_miner_is_paid_over_one_connection_under_its_own_name() {
    let a = pool("a", 1).await;
    let appliance = Farm::new().pool("a", a.address(), "").start();
    appliance.on_pool("a").await;
    let miners = one_of_each(&appliance);
    all_work(&miners).await;
    all_work(&miners).await;
    a.new_block();
    all_work(&miners).await;
    rest(&miners).await;
    assert_untroubled(&miners);
    assert_books_agree(&miners, &[&a]);
    let books = a.books();
    assert_eq!(books.connections_opened, 1);
    for worker in ["farmer.minerd", "farmer.bitaxe", "farmer.cgminer"] {
        assert!(
            books.workers[worker].accepted > 0,
            "{worker}: {:?}",
            books.workers
        );
    }
    let status = appliance.status().expect("it answers");
    let lane = &status["algorithms"][0];
    assert_eq!(lane["accepted"], books.total.accepted);
    assert_eq!(status["state"], "mining");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_pool_costs_two_seconds_and_no_miner() {
    let (a, b) = (pool("a", 1).await, pool("b", 2).await);
    let appliance = Farm::new()
        .pool("a", a.address(), "")
        .pool("b", b.address(), "")
        .text("[routing]\nreturn_after_seconds = 1\n")
        .start();
    appliance.on_pool("a").await;
    let miners = one_of_each(&appliance);
    all_work(&miners).await;
    let killed = Instant::now();
    a.kill().await.expect("it runs");
    b.next_accepted(PATIENCE).await.expect("work goes on at b");
    let gap = killed.elapsed();
    assert!(
        gap < Duration::from_secs(2),
        "the next accepted share came after {gap:?}"
    );
    appliance.on_pool("b").await;
    a.revive().await.expect("the port is free");
    appliance.on_pool("a").await;
    a.next_accepted(PATIENCE).await.expect("and back");
    rest(&miners).await;
    for miner in &miners {
        let stats = miner.stats();
        assert_eq!(stats.violations, Vec::<String>::new());
        assert_eq!(stats.disconnects, 0, "{:?}", stats.last_disconnect);
    }
    // The pool took a share or two whose answer the kill swallowed.
    let told: BTreeSet<String> = miners
        .iter()
        .flat_map(|miner| miner.stats().identities())
        .collect();
    let written: BTreeSet<String> = [&a, &b]
        .into_iter()
        .flat_map(|pool| pool.books().identities())
        .collect();
    assert!(told.is_subset(&written), "an accept that no pool gave");
}

/// Start on `a`, spoil it, and see work go on at `b` without losing a miner.
async fn survives(spoil: impl AsyncFnOnce(&Pool)) {
    let (a, b) = (pool("a", 1).await, pool("b", 2).await);
    let appliance = Farm::new()
        .pool("a", a.address(), "")
        .pool("b", b.address(), "")
        .start();
    appliance.on_pool("a").await;
    let miners = one_of_each(&appliance);
    all_work(&miners).await;
    spoil(&a).await;
    appliance.on_pool("b").await;
    all_work(&miners).await;
    for miner in &miners {
        let stats = miner.stats();
        assert_eq!(stats.violations, Vec::<String>::new());
        assert_eq!(stats.disconnects, 0, "{:?}", stats.last_disconnect);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_falls_silent_is_left_after_ten_seconds_of_unanswered_shares() {
    survives(async |pool| pool.silence()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_pool_is_left() {
    survives(async |pool| pool.half_open()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_sends_garbage_is_left() {
    survives(async |pool| pool.garbage()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_drops_us_and_then_refuses_is_left() {
    survives(async |pool| {
        pool.refuse_connections().await.expect("it runs");
        pool.reconnect_everyone();
        pool.kill().await.expect("it runs");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_refuses_the_login_is_passed_over_and_named() {
    let (a, b) = (pool("a", 1).await, pool("b", 2).await);
    a.reject_logins();
    let appliance = Farm::new()
        .pool("a", a.address(), "")
        .pool("b", b.address(), "")
        .start();
    let status = appliance.on_pool("b").await;
    let first = &status["algorithms"][0]["candidates"][0];
    assert_eq!(first["pool"], "a");
    let failure = first["last_failure"].as_str().unwrap_or("");
    assert!(failure.contains("refused the login"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_takes_one_name_only_still_pays_every_worker() {
    for habit in [
        PerWorkerAuthorize::AcceptButShareMustCarryFirst,
        PerWorkerAuthorize::Refuse,
        PerWorkerAuthorize::Silent,
    ] {
        let config = PoolConfig {
            per_worker_authorize: habit,
            extranonce2_size: 4,
            ..PoolConfig::new("a", Algorithm::Sha256d, 1)
        };
        let a = Pool::start(config).await.expect("a pool on loopback");
        let appliance = Farm::new().pool("a", a.address(), "").start();
        appliance.on_pool("a").await;
        let miners = one_of_each(&appliance);
        all_work(&miners).await;
        all_work(&miners).await;
        rest(&miners).await;
        assert_untroubled(&miners);
        assert_books_agree(&miners, &[&a]);
        for miner in &miners {
            assert_eq!(miner.stats().rejected_total(), 0, "{habit:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pools_own_refusal_reaches_the_miner_with_its_code() {
    let a = pool("a", 1).await;
    let appliance = Farm::new().pool("a", a.address(), "").start();
    appliance.on_pool("a").await;
    let one = miner(appliance.farm.sha256d, "rig", Personality::Minerd);
    one.next_accepted(PATIENCE)
        .await
        .expect("an accepted share");
    a.reject_shares(23);
    one.wait_for("a refusal", PATIENCE, |stats| stats.rejected_with(23) > 0)
        .await
        .expect("the pool's 23 arrives");
    assert_eq!(one.stats().disconnects, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_pool_miners_stay_and_nothing_is_called_accepted() {
    let a = pool("a", 1).await;
    let appliance = Farm::new().pool("a", a.address(), "").start();
    appliance.on_pool("a").await;
    let miners = one_of_each(&appliance);
    all_work(&miners).await;
    a.kill().await.expect("it runs");
    appliance
        .until("it holds", |status| status["state"] == "holding")
        .await;
    // A newcomer is answered, and given no job that nobody pays for.
    let mut newcomer = RawClient::connect(appliance.farm.sha256d, PATIENCE)
        .await
        .expect("it is let in");
    let asked = Instant::now();
    newcomer
        .call(1, "mining.subscribe", json!(["late/1.0"]))
        .await
        .expect("answered");
    newcomer
        .call(2, "mining.authorize", json!(["someone.late", "x"]))
        .await
        .expect("answered");
    assert!(asked.elapsed() < Duration::from_secs(1));
    newcomer
        .quiet_for(Duration::from_millis(500))
        .await
        .expect("no job");
    a.revive().await.expect("the port is free");
    let back = Instant::now();
    a.next_accepted(PATIENCE).await.expect("work again");
    assert!(
        back.elapsed() < Duration::from_secs(2),
        "{:?}",
        back.elapsed()
    );
    newcomer
        .until_method("mining.notify")
        .await
        .expect("the newcomer has a job too");
    for miner in &miners {
        assert_eq!(miner.stats().disconnects, 0);
        assert_eq!(miner.stats().violations, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_without_any_room_is_refused_with_its_figure() {
    let narrow = pool_with("narrow", 1, 1).await;
    let appliance = Farm::new().pool("narrow", narrow.address(), "").start();
    let status = appliance
        .until("the failure shows", |status| {
            status["algorithms"][0]["candidates"][0]["last_failure"].is_string()
        })
        .await;
    assert_eq!(route(&status), None);
    let failure = &status["algorithms"][0]["candidates"][0]["last_failure"];
    assert!(
        failure
            .as_str()
            .is_some_and(|text| text.contains("of 1 bytes")),
        "{failure}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_shares_one_connection() {
    let a = pool("a", 1).await;
    let appliance = Farm::new().pool("a", a.address(), "").start();
    appliance.on_pool("a").await;
    let kinds = [
        Personality::Minerd,
        Personality::Bitaxe,
        Personality::Cgminer,
    ];
    let miners: Vec<Miner> = (0..30)
        .map(|n| {
            let name = format!("someone.rig{n:02}");
            let address = appliance.farm.sha256d;
            let config = MinerConfig::new(address, &name, kinds[n % 3], Algorithm::Sha256d);
            Miner::start(MinerConfig {
                hashrate: 400.0,
                ..config
            })
        })
        .collect();
    all_work(&miners).await;
    rest(&miners).await;
    assert_untroubled(&miners);
    assert_books_agree(&miners, &[&a]);
    assert_eq!(a.books().connections_opened, 1);
    assert_eq!(a.books().total.duplicates(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn miners_beyond_a_narrow_pools_room_get_a_connection_of_their_own() {
    let a = pool_with("a", 1, 4).await;
    let appliance = Farm::new().pool("a", a.address(), "").start();
    appliance.on_pool("a").await;
    let mut guests = Vec::new();
    for _ in 0..256 {
        let guest = RawClient::connect(appliance.farm.sha256d, PATIENCE).await;
        guests.push(guest.expect("let in"));
    }
    let address = appliance.farm.sha256d;
    let miners = [miner(address, "rig257", Personality::Minerd)];
    all_work(&miners).await;
    rest(&miners).await;
    assert_untroubled(&miners);
    assert_books_agree(&miners, &[&a]);
    assert_eq!(a.books().connections_opened, 2);
}

/// Miners that know `mining.set_extranonce` stay; the others come again so often.
fn assert_came_again(miners: &[Miner], at_most: u64) {
    for miner in miners {
        let stats = miner.stats();
        assert_eq!(stats.violations, Vec::<String>::new(), "{}", miner.name());
        let most = match miner.config().personality {
            Personality::Bitaxe => 0,
            Personality::Minerd | Personality::Cgminer => at_most,
        };
        assert!(
            stats.disconnects <= most,
            "{}: {:?}",
            miner.name(),
            stats.last_disconnect
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_with_room_for_one_miner_has_a_connection_for_each() {
    for size in [2, 3] {
        let a = pool_with("a", 1, size).await;
        let appliance = Farm::new().pool("a", a.address(), "").start();
        appliance.on_pool("a").await;
        let miners = one_of_each(&appliance);
        all_work(&miners).await;
        a.new_block();
        all_work(&miners).await;
        rest(&miners).await;
        // Who came before its connection was there was asked to come again.
        assert_came_again(&miners, 1);
        assert_books_agree(&miners, &[&a]);
        let books = a.books();
        assert_eq!(books.connections_opened, 4, "one for each and one to spare");
        assert_eq!(books.total.duplicates(), 0);
        assert_eq!(books.workers.len(), 3, "each under its own name");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_with_room_for_one_miner_takes_over_and_hands_back() {
    let (a, b) = (pool("a", 1).await, pool_with("b", 2, 3).await);
    let appliance = Farm::new()
        .pool("a", a.address(), "")
        .pool("b", b.address(), "")
        .text("[routing]\nreturn_after_seconds = 1\n")
        .start();
    appliance.on_pool("a").await;
    let miners = one_of_each(&appliance);
    all_work(&miners).await;
    a.kill().await.expect("it runs");
    appliance.on_pool("b").await;
    all_work(&miners).await;
    a.revive().await.expect("the port is free");
    appliance.on_pool("a").await;
    a.next_accepted(PATIENCE).await.expect("and back");
    all_work(&miners).await;
    rest(&miners).await;
    assert_came_again(&miners, 2);
    let page = appliance.get("/").expect("it answers");
    assert!(page.contains("miner-reconnects"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_may_tell_its_miners_each_pools_extranonce() {
    for (manner, stays) in [("announce", true), ("reconnect", false)] {
        let (a, b) = (pool("a", 1).await, pool("b", 2).await);
        let appliance = Farm::new()
            .pool("a", a.address(), "")
            .pool("b", b.address(), "")
            .start_with(&format!("extranonce = \"{manner}\"\n"));
        appliance.on_pool("a").await;
        let miners = one_of_each(&appliance);
        all_work(&miners).await;
        a.kill().await.expect("it runs");
        appliance.on_pool("b").await;
        all_work(&miners).await;
        rest(&miners).await;
        for miner in &miners {
            let stats = miner.stats();
            assert_eq!(stats.violations, Vec::<String>::new(), "{}", miner.name());
            let knows = miner.config().personality == Personality::Bitaxe;
            let expected = u64::from(!(stays && knows));
            assert_eq!(stats.disconnects, expected, "{manner}: {}", miner.name());
        }
        assert_eq!(b.books().connections_opened, 1, "shared all the same");
    }
}
