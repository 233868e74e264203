//! A pool that gives a later connection the session of an earlier one, and one
//! that does not.

use crate::support::bare::{AUTHORIZED, PoolWire, share};
use crate::support::{Answer, FakePool, Mode, World, login, ms, secs};
use serde_json::json;
use smart_mining_core::sv1::{Opening, Outcome, PoolEvent};

#[test]
fn the_session_of_before_is_named_in_subscribe() {
    let first = PoolWire::logged_in();
    let opening = Opening {
        resume: first.session.resumable().map(String::from),
        suggest: None,
    };
    let mut second = PoolWire::opened(login(), opening);
    assert_eq!(second.said()[1]["params"], json!(["test/1", "1"]));
    let mut fresh = PoolWire::new(login());
    assert_eq!(fresh.said()[1]["params"], json!(["test/1"]));
}

#[test]
fn a_share_is_sent_only_where_the_extranonce1_of_its_job_holds() {
    for (extranonce1, size, good) in [
        ("0a0b0c0d", 8, true),
        ("0a0b0c0e", 8, false),
        ("0a0b0c", 8, false),
        ("0a0b0c0d", 7, false),
    ] {
        let opening = Opening {
            resume: Some("1".into()),
            suggest: None,
        };
        let mut wire = PoolWire::opened(login(), opening);
        wire.hear(&format!(
            r#"{{"id":2,"result":[[["mining.notify","1"]],"{extranonce1}",{size}],"error":null}}"#
        ));
        wire.hear(AUTHORIZED);
        assert!(matches!(wire.events()[..], [PoolEvent::LoggedIn]));
        let sent = wire.session.submit(share("rig", 1), wire.now);
        assert_eq!(sent.is_ok(), good, "{extranonce1} {size}");
    }
}

/// One pool, and a miner that finds a share every half second.
fn at_work(resumes: bool) -> (World, usize) {
    let mut world = World::running(&["a"]);
    world.pool("a").resumes = resumes;
    let miner = world.miner("acc.rig");
    world.mine_every(miner, ms(500));
    // The last share was answered, the next one is not there yet.
    world.run(secs(20) + ms(250));
    (world, miner)
}

fn blip(world: &mut World, span: u64) {
    world.set_mode("a", Mode::Refusing);
    world.run(secs(span));
    world.set_mode("a", Mode::Up);
    world.run(secs(30) + ms(250));
}

#[test]
fn a_blip_of_5_s_costs_no_share_where_the_pool_takes_the_session_up() {
    let (mut world, miner) = at_work(true);
    blip(&mut world, 5);
    world.run(ms(240));
    let fake = &world.miners[miner];
    assert!(fake.submits > 100);
    assert_eq!(fake.accepted(), fake.submits, "not one");
    world.assert_books();
    assert!(world.pools["a"].refused.is_empty());
}

#[test]
fn where_the_pool_begins_another_session_the_shares_of_a_blip_are_lost_and_said_so() {
    let (mut world, miner) = at_work(false);
    blip(&mut world, 5);
    world.run(ms(240));
    let lost = world.outcomes(Outcome::Lost);
    assert!((9..=13).contains(&lost), "{lost} in 5 s");
    let fake = &world.miners[miner];
    assert_eq!(fake.accepted() + lost, fake.submits);
    world.assert_books();
    // None was tried on a session in which it is worth nothing.
    assert!(world.pools["a"].refused.is_empty());
}

#[test]
fn a_pool_that_restarted_and_forgot_its_sessions_is_told_apart_too() {
    let (mut world, _) = at_work(true);
    world.pool("a").forget_sessions();
    blip(&mut world, 5);
    assert!(world.outcomes(Outcome::Lost) >= 9);
    world.assert_books();
    assert!(world.pools["a"].refused.is_empty());
}

#[test]
fn what_waited_20_s_is_lost_although_the_session_comes_back_later() {
    let (mut world, _) = at_work(true);
    blip(&mut world, 30);
    let lost = world.outcomes(Outcome::Lost);
    // Those of the first ten seconds waited too long.
    assert!((18..=24).contains(&lost), "{lost}");
    world.run(ms(240));
    world.assert_books();
    assert!(world.pools["a"].refused.is_empty());
}

#[test]
fn shares_of_a_pool_that_was_left_wait_for_it_within_their_10_s() {
    let mut world = World::running(&["a", "b"]);
    world.pool("a").resumes = true;
    let miner = world.miner("acc.rig");
    let old = world.miners[miner].find().expect("a job of a");
    world.cut("a");
    world.run(ms(2));
    assert_eq!(world.route(), Some("b"));
    world.send(miner, &old.1);
    world.run(secs(2));
    assert_eq!(world.miners[miner].answer(old.0), Some(&Answer::True));
    assert_eq!(world.pools["a"].accepted, 1);
    assert_eq!(world.pools["b"].accepted, 0);
    world.assert_books();
}

#[test]
fn two_pools_may_give_the_same_session_extranonce_and_job_ids() {
    let mut world = World::new(&["a", "b"]);
    let mut twin = FakePool::new("a");
    twin.jobs[0].coinbase2 = "00".repeat(20);
    world.pools.insert("b".into(), twin);
    world.rank(&[("a", 1.0), ("b", 0.9)], 1);
    world.run(secs(3));
    let miner = world.miner("acc.rig");
    let old = world.miners[miner].find().expect("a job of a");
    world.set_mode("a", Mode::Refusing);
    world.run(ms(2));
    assert_eq!(world.route(), Some("b"));
    world.send(miner, &old.1);
    world.run(secs(25));
    assert_eq!(world.miners[miner].answer(old.0), Some(&Answer::Error(20)));
    assert_eq!(world.pools["b"].accepted, 0, "it was a's share");
    assert_eq!(world.mine_now(miner), Answer::True);
    world.assert_books();
}
