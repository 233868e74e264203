//! From a snapshot and the farm's rules to the ranked list.

use crate::support::{Answer, Mode, World, candidate, login, secs};
use smart_mining_core::Algorithm;
use smart_mining_core::route::candidate::candidates;
use smart_mining_core::route::{Account, AccountFor, FarmRules, Rule, StaticPool};
use smart_mining_wire::{Entry, PoolOffer, Snapshot};

fn entry(pool: &str, coin: &str, usd: f64, fee: f64) -> Entry {
    Entry {
        coin: coin.into(),
        algorithm: Algorithm::Sha256d,
        pool: PoolOffer {
            id: pool.into(),
            url: format!("stratum+tcp://{pool}.example:3333"),
            fee,
            scheme: "FPPS".into(),
        },
        usd_per_hash_day: usd,
        margin: 0.02,
    }
}

fn snapshot(entries: Vec<Entry>) -> Snapshot {
    Snapshot {
        version: 1,
        sequence: 1,
        created_at: 1,
        entries,
    }
}

fn account(paid_for: AccountFor, user: &str) -> Account {
    Account {
        paid_for,
        user: user.into(),
        password: "x".into(),
    }
}

fn own(id: &str) -> StaticPool {
    StaticPool {
        id: id.into(),
        algorithm: Algorithm::Sha256d,
        coin: "BTC".into(),
        url: format!("stratum+tcp://{id}.example:3333")
            .parse()
            .expect("url"),
        tls_pin: None,
        login: login(),
        fee: None,
    }
}

fn rules() -> FarmRules {
    FarmRules {
        farm: "barn".into(),
        agent: "test/1".into(),
        accounts: vec![account(AccountFor::Coin("BTC".into()), "wallet.{worker}")],
        pools: Vec::new(),
    }
}

#[test]
fn an_entry_without_an_account_is_skipped_with_the_reason() {
    let ranking = snapshot(vec![
        entry("b", "BCH", 9.0, 0.0),
        entry("a", "BTC", 1.0, 0.0),
    ]);
    let (list, skipped) = candidates(Algorithm::Sha256d, &rules(), Some(&ranking));
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].pool, "a");
    assert_eq!(skipped[0].pool, "b");
    assert!(skipped[0].why.contains("no account"));
}

#[test]
fn a_pools_own_account_goes_before_the_coins() {
    let mut rules = rules();
    rules
        .accounts
        .push(account(AccountFor::Pool("a".into()), "member7"));
    let ranking = snapshot(vec![
        entry("a", "BTC", 1.0, 0.0),
        entry("b", "BTC", 0.5, 0.0),
    ]);
    let (list, _) = candidates(Algorithm::Sha256d, &rules, Some(&ranking));
    let users: Vec<_> = list
        .iter()
        .map(|candidate| &*candidate.login.user)
        .collect();
    assert_eq!(users, ["member7", "wallet.{worker}"]);
}

#[test]
fn the_ranking_counts_what_is_left_after_the_fee_and_ties_are_stable() {
    let ranking = snapshot(vec![
        entry("dear", "BTC", 1.0, 0.04),
        entry("z", "BTC", 0.97, 0.0),
        entry("y", "BTC", 0.97, 0.0),
    ]);
    let (list, _) = candidates(Algorithm::Sha256d, &rules(), Some(&ranking));
    let order: Vec<_> = list.iter().map(|candidate| &*candidate.pool).collect();
    assert_eq!(order, ["y", "z", "dear"]);
}

#[test]
fn other_algorithms_are_left_out_and_tls_is_not() {
    let mut other = entry("a", "BTC", 1.0, 0.0);
    other.algorithm = Algorithm::Scrypt;
    let mut tls = entry("b", "BTC", 1.0, 0.0);
    tls.pool.url = "stratum+ssl://b.example:443".into();
    let ranking = snapshot(vec![other, tls]);
    let (list, skipped) = candidates(Algorithm::Sha256d, &rules(), Some(&ranking));
    assert_eq!((list.len(), skipped.len()), (1, 0));
    assert!(list[0].url.tls && list[0].tls_pin.is_none());
}

#[test]
fn another_certificate_is_another_connection() {
    let pinned = |pin| StaticPool {
        tls_pin: pin,
        ..own("a")
    };
    let of = |pool: StaticPool| {
        let rules = FarmRules {
            pools: vec![pool],
            ..rules()
        };
        candidates(Algorithm::Sha256d, &rules, None).0.remove(0)
    };
    let (none, one, two) = (
        of(pinned(None)),
        of(pinned(Some([1; 32]))),
        of(pinned(Some([2; 32]))),
    );
    assert!(one.same_connection(&one.clone()));
    assert!(!one.same_connection(&two) && !one.same_connection(&none));
}

#[test]
fn the_farms_own_pools_come_last_in_the_order_of_the_file_and_once() {
    let mut rules = rules();
    rules.pools = vec![own("z"), own("y"), own("a")];
    let ranking = snapshot(vec![entry("a", "BTC", 1.0, 0.0)]);
    let (list, _) = candidates(Algorithm::Sha256d, &rules, Some(&ranking));
    let order: Vec<_> = list
        .iter()
        .map(|candidate| (&*candidate.pool, candidate.score))
        .collect();
    assert_eq!(order, [("a", Some(1.0)), ("z", None), ("y", None)]);
    let (list, _) = candidates(Algorithm::Sha256d, &rules, None);
    assert_eq!(list.len(), 3, "they are what is left without any snapshot");
}

#[test]
fn own_pools_serve_while_nothing_ranked_can_be_reached_and_step_back_after() {
    let mut world = World::new(&["ranked", "first", "second"]);
    world.set_mode("ranked", Mode::Refusing);
    let list = || {
        vec![
            candidate("ranked", "BTC", 1.0),
            candidate("first", "BTC", None),
            candidate("second", "BTC", None),
        ]
    };
    world.candidates(list(), 1);
    world.run(secs(3));
    let miner = world.miner("acc.rig");
    assert_eq!(world.route(), Some("first"));
    assert_eq!(world.mine_now(miner), Answer::True);
    world.set_mode("first", Mode::Refusing);
    world.run(secs(1));
    assert_eq!(world.route(), Some("second"));
    world.set_mode("first", Mode::Up);
    world.run(secs(400));
    assert_eq!(world.route(), Some("first"), "the order of the file");
    world.set_mode("ranked", Mode::Up);
    world.run(secs(1300));
    assert_eq!(world.route(), Some("ranked"));
    assert_eq!(world.last_rule(), Rule::Return);
}

#[test]
fn a_route_that_leaves_the_ranking_is_left_and_forgotten() {
    let mut world = World::running(&["a", "b"]);
    world.rank(&[("b", 0.5)], 2);
    assert_eq!(world.route(), Some("b"));
    assert_eq!(world.last_rule(), Rule::Failover);
    world.run(secs(3600));
    assert_eq!(world.decisions.len(), 2);
    assert_eq!(world.live_links(), ["b"]);
}

#[test]
fn an_empty_ranking_holds_and_a_later_one_starts_again() {
    let mut world = World::running(&["a"]);
    let miner = world.miner("acc.rig");
    world.candidates(Vec::new(), 2);
    assert_eq!(world.route(), None);
    world.run(secs(60));
    assert_eq!(world.mine_now(miner), Answer::Error(20));
    world.rank(&[("a", 1.0)], 3);
    world.run(secs(1));
    assert_eq!(world.mine_now(miner), Answer::True);
    assert!(world.miners[miner].jobs[0].clean);
}

#[test]
fn what_the_farm_says_of_a_pool_goes_before_what_central_says() {
    let own = StaticPool {
        fee: Some(0.001),
        ..own("near")
    };
    let rules = FarmRules {
        pools: vec![own.clone()],
        ..rules()
    };
    let mut ranked = entry("near", "BTC", 1.0, 0.02);
    ranked.pool.url = "stratum+tcp://elsewhere.example:1".into();
    let snapshot = snapshot(vec![entry("far", "BTC", 1.0, 0.01), ranked]);
    let (list, _) = candidates(Algorithm::Sha256d, &rules, Some(&snapshot));
    // Ranked by central's figure less the fee that was agreed, at the farm's own address.
    assert_eq!((&*list[0].pool, &list[0].url), ("near", &own.url));
    assert_eq!(list[0].score, Some(0.999));
    assert_eq!(list.len(), 2, "and not a second time among the own pools");
}

#[test]
fn a_connection_never_mixes_the_accounts_of_two_coins() {
    // Some pools build the coinbase for the first login's address.
    let mut world = World::new(&["a"]);
    let of = |coin: &str, score: f64| {
        let mut candidate = candidate("a", coin, score);
        candidate.login.user = format!("{coin}wallet.{{worker}}");
        candidate
    };
    world.candidates(vec![of("BTC", 1.0), of("BCH", 0.9)], 1);
    world.run(secs(3));
    let miner = world.miner("acc.rig");
    world.mine_now(miner);
    assert_eq!(world.mine_now(miner), Answer::True);
    let connections = world.pools["a"].connections.values();
    let names: Vec<Vec<_>> = connections
        .map(|connection| connection.names.iter().map(String::as_str).collect())
        .collect();
    assert_eq!(
        names,
        [
            vec!["BTCwallet.barn", "BTCwallet.rig"],
            vec!["BCHwallet.barn"]
        ]
    );
    let paid = &world.pools["a"].paid;
    assert!(paid.keys().all(|name| name.starts_with("BTC")), "{paid:?}");
}
