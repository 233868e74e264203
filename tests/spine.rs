//! The whole way: PostgreSQL, the API, a signed snapshot, SQLite, the route, the
//! pool's books. And what is left of it when parts of it go away.

mod support;

use smart_mining_wire::SecretKey;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use support::central::{Central, all_work, miners, pool};
use support::{PATIENCE, route};

#[tokio::test(flavor = "multi_thread")]
async fn a_ranking_in_postgresql_becomes_an_accepted_share_and_a_new_one_moves_the_farm() {
    let central = Central::start("spine").await;
    let (a, b) = (pool("a", 1).await, pool("b", 2).await);
    let first = central.publish(&[(&a, 4e-14), (&b, 3.9e-14)]).await;
    let appliance = central.farm().start();
    let status = appliance.on_pool("a").await;
    assert_eq!(status["snapshot"]["sequence"], first);
    let miners = miners(&appliance);
    all_work(&miners).await;
    let second = central.publish(&[(&a, 4e-14), (&b, 5e-14)]).await;
    let status = appliance.on_pool("b").await;
    assert_eq!(status["snapshot"]["sequence"], second);
    assert!(
        status["algorithms"][0]["why"]
            .as_str()
            .is_some_and(|why| why.contains("pays 25.0 % more")),
        "{}",
        status["algorithms"][0]["why"]
    );
    all_work(&miners).await;
    // Shares of a's last job are still welcome there; nothing is lost by the switch.
    for miner in &miners {
        miner
            .drain(PATIENCE)
            .await
            .expect("every share is answered");
    }
    for miner in &miners {
        let stats = miner.stats();
        assert_eq!((stats.disconnects, stats.unanswered), (0, 0));
        assert_eq!(stats.violations, Vec::<String>::new());
        assert_eq!(stats.rejected_total(), 0, "{:?}", stats.rejected);
    }
    let told: BTreeSet<String> = miners
        .iter()
        .flat_map(|miner| miner.stats().identities())
        .collect();
    let written: BTreeSet<String> = [&a, &b]
        .into_iter()
        .flat_map(|pool| pool.books().identities())
        .collect();
    assert_eq!(told, written);
}

#[tokio::test(flavor = "multi_thread")]
async fn central_away_for_the_whole_run_costs_no_share_and_a_restart_routes_from_the_store() {
    let mut central = Central::start("away").await;
    let a = pool("a", 1).await;
    central.publish(&[(&a, 4e-14)]).await;
    let mut appliance = central.farm().start();
    appliance.on_pool("a").await;
    let miners = miners(&appliance);
    all_work(&miners).await;
    central.stop().await;
    appliance
        .until("central's absence shows", |status| {
            status["central"]["state"] == "unreachable"
        })
        .await;
    all_work(&miners).await;
    let status = appliance.status().expect("it answers");
    assert_eq!(status["state"], "mining from cache");
    for miner in &miners {
        miner
            .drain(PATIENCE)
            .await
            .expect("every share is answered");
        assert_eq!(miner.stats().rejected_total(), 0);
        assert_eq!(miner.stats().disconnects, 0);
    }
    let told: BTreeSet<String> = miners
        .iter()
        .flat_map(|miner| miner.stats().identities())
        .collect();
    assert_eq!(told, a.books().identities().into_iter().collect());
    for miner in &miners {
        miner.resume();
    }
    // A power cut, and central still away: the stored snapshot is enough.
    appliance.kill();
    appliance.start_again();
    let started = Instant::now();
    appliance.on_pool("a").await;
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
    all_work(&miners).await;
    // And when central is back that shows at once, although it has nothing new;
    // and so do its rankings.
    central.serve().await;
    appliance
        .until("central is back", |status| {
            status["central"]["state"] == "reachable"
        })
        .await;
    let (b, sequence) = {
        let b = pool("b", 2).await;
        let sequence = central.publish(&[(&a, 4e-14), (&b, 9e-14)]).await;
        (b, sequence)
    };
    let status = appliance.on_pool("b").await;
    assert_eq!(status["snapshot"]["sequence"], sequence);
    b.next_accepted(PATIENCE).await.expect("work at b");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_wan_to_central_is_noticed_and_forgiven() {
    let central = Central::start("cut").await;
    let (a, b) = (pool("a", 1).await, pool("b", 2).await);
    central.publish(&[(&a, 4e-14)]).await;
    let appliance = central.farm().start();
    appliance.on_pool("a").await;
    central
        .relay
        .cut_and_refuse()
        .await
        .expect("the relay runs");
    // A blackholed poll would be given up after 35 s; the relay may take a reset and
    // the cut before it for one change, so it is told until it shows.
    appliance
        .until("the cut shows", |status| {
            central.relay.reset();
            status["central"]["state"] == "unreachable"
        })
        .await;
    central.publish(&[(&a, 4e-14), (&b, 9e-14)]).await;
    central.relay.restore().await.expect("the relay runs");
    appliance.on_pool("b").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_another_signer_is_refused_counted_and_changes_nothing() {
    let mut central = Central::start("signer").await;
    let (a, b) = (pool("a", 1).await, pool("b", 2).await);
    let good = central.publish(&[(&a, 4e-14)]).await;
    let appliance = central.farm().start();
    appliance.on_pool("a").await;
    central.key = SecretKey::from_bytes(&[8; 32]);
    central.publish(&[(&a, 4e-14), (&b, 9e-14)]).await;
    let status = appliance
        .until("the refusal shows", |status| {
            status["snapshot"]["refused"] != 0
        })
        .await;
    assert_eq!(status["snapshot"]["sequence"], good);
    assert_eq!(route(&status), Some("a"));
    let why = status["snapshot"]["last_refusal"].as_str().unwrap_or("");
    assert!(why.contains("signature does not match"), "{why}");
    drop(central.postgres);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_named_with_its_remedy() {
    let mut central = Central::start("token").await;
    central.token = "smf_wrong".to_owned();
    let appliance = central.farm().start();
    let status = appliance
        .until("the refusal shows", |status| {
            status["central"]["state"] == "unreachable"
        })
        .await;
    let error = status["central"]["last_error"].as_str().unwrap_or("");
    assert!(error.contains("check central.token"), "{error}");
}
