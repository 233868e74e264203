//! Start, failover, hold, return.

use crate::support::{Answer, EASY, Mode, WAITS_FOR, World, ms, secs};
use smart_mining_core::lane::GRACE;
use smart_mining_core::route::Rule;
use smart_mining_core::sv1::Outcome;

#[test]
fn at_the_start_the_best_gets_2_s_to_connect_then_the_best_that_is_ready() {
    let mut world = World::new(&["a", "b"]);
    world.set_mode("a", Mode::BlackHole);
    world.rank(&[("a", 1.0), ("b", 0.99)], 1);
    world.run(ms(1999));
    assert_eq!(world.route(), None, "b is ready and waits for a");
    world.run(ms(1));
    assert_eq!(world.route(), Some("b"));
    assert_eq!(world.last_rule(), Rule::Start);
}

#[test]
fn at_the_start_the_best_is_taken_at_once_when_it_is_ready() {
    let mut world = World::new(&["a", "b"]);
    world.rank(&[("a", 1.0), ("b", 0.99)], 1);
    world.run(ms(200));
    assert_eq!(world.route(), Some("a"));
    assert_eq!(world.decisions.len(), 1);
}

#[test]
fn the_best_gets_its_2_s_also_when_the_first_snapshot_comes_late() {
    let mut world = World::new(&["a", "b"]);
    world.run(secs(60));
    world.set_mode("a", Mode::Refusing);
    world.rank(&[("a", 1.0), ("b", 0.99)], 1);
    world.run(ms(500));
    world.set_mode("a", Mode::Up);
    world.run(ms(1400));
    assert_eq!(world.route(), Some("a"), "its second attempt came in time");
    assert_eq!(world.decisions.len(), 1);
}

#[test]
fn a_pool_that_fails_is_replaced_at_once_whatever_dwell_and_hysteresis_say() {
    let mut world = World::new(&["a", "b"]);
    world.rank(&[("a", 1.0), ("b", 0.2)], 1);
    world.run(secs(3));
    let miner = world.miner("acc.rig");
    assert_eq!(world.mine_now(miner), Answer::True);
    world.set_mode("a", Mode::Refusing);
    world.run(ms(2));
    assert_eq!(world.route(), Some("b"));
    assert_eq!(world.last_rule(), Rule::Failover);
    assert_eq!(world.mine_now(miner), Answer::True);
    assert_eq!(world.pools["b"].accepted, 1);
    let (_, decision) = world.decisions.last().expect("one");
    assert_eq!(decision.from.as_ref().map(|from| &*from.pool), Some("a"));
    assert!(
        decision.why.contains("a cannot be used"),
        "{}",
        decision.why
    );
}

#[test]
fn without_any_pool_the_lane_holds_and_tells_nobody_anything_false() {
    let mut world = World::running(&["a", "b"]);
    let miner = world.miner("acc.rig");
    world.set_mode("a", Mode::Refusing);
    world.set_mode("b", Mode::Refusing);
    world.run(ms(100));
    assert_eq!(world.route(), None);
    assert_eq!(world.last_rule(), Rule::Hold);
    let told = world.miners[miner].heard.len();
    let late = world.miner("acc.late");
    world.run(secs(600));
    // A sign of life, or clients would leave; but not even the old job again.
    let signs = &world.miners[miner].heard[told..];
    assert_eq!(signs.len(), 20, "one in 30 s");
    assert!(
        signs
            .iter()
            .all(|line| line.contains("mining.set_difficulty"))
    );
    assert!(
        world.miners[late].jobs.is_empty(),
        "a new miner gets no job"
    );
    let id = world.mine(miner).expect("the old job");
    world.run(WAITS_FOR);
    assert_eq!(world.miners[miner].answer(id), Some(&Answer::Error(20)));
    assert_eq!(
        world.outcomes(Outcome::Lost),
        1,
        "a share meanwhile counts as lost"
    );
    assert_eq!(world.miners[miner].closed, None);
}

#[test]
fn when_the_wan_returns_the_miners_work_again_within_2_s_without_reconnecting() {
    for mode in [Mode::Refusing, Mode::BlackHole] {
        let mut world = World::running(&["a", "b", "c"]);
        let miner = world.miner("acc.rig");
        for pool in ["a", "b", "c"] {
            world.set_mode(pool, mode);
            world.cut(pool);
        }
        world.run(secs(1800));
        assert_eq!(world.route(), None);
        for pool in ["a", "b", "c"] {
            world.set_mode(pool, Mode::Up);
        }
        // A connection attempt that was made in the outage takes its 2 s.
        let wait = if mode == Mode::BlackHole { 2000 } else { 0 };
        world.run(ms(wait + 700));
        assert!(world.route().is_some(), "{mode:?}");
        assert_eq!(world.mine_now(miner), Answer::True, "{mode:?}");
        assert_eq!(world.miners[miner].closed, None);
    }
}

#[test]
fn an_outage_of_everything_is_not_held_against_one_pool() {
    let mut world = World::running(&["a", "b"]);
    world.set_mode("a", Mode::Refusing);
    world.set_mode("b", Mode::Refusing);
    world.run(secs(3600));
    world.set_mode("b", Mode::Up);
    world.run(secs(2));
    assert_eq!(world.route(), Some("b"));
    world.set_mode("a", Mode::Up);
    world.run(secs(10));
    assert!(
        world.live_links().contains(&"a"),
        "a was not put off for minutes"
    );
}

#[test]
fn the_pool_that_failed_is_returned_to_after_5_min_without_fault() {
    let mut world = World::new(&["a", "b"]);
    // Less apart than the hysteresis: it is no gamble on a price.
    world.rank(&[("a", 1.0), ("b", 0.99)], 1);
    world.run(secs(3));
    world.cut("a");
    world.run(ms(100));
    assert_eq!(world.route(), Some("b"));
    world.run(secs(200));
    world.cut("a");
    world.run(secs(299));
    assert_eq!(world.route(), Some("b"), "the five minutes began again");
    world.run(secs(10));
    assert_eq!(world.route(), Some("a"));
    assert_eq!(world.last_rule(), Rule::Return);
}

#[test]
fn what_no_longer_pays_more_is_not_returned_to() {
    let mut world = World::new(&["a", "b"]);
    world.rank(&[("a", 1.0), ("b", 0.99)], 1);
    world.run(secs(3));
    world.cut("a");
    world.run(secs(10));
    world.rank(&[("b", 1.0), ("a", 0.99)], 2);
    world.run(secs(10));
    world.rank(&[("a", 1.0), ("b", 0.99)], 3);
    world.run(secs(3600));
    assert_eq!(world.route(), Some("b"), "one percent is no reason");
}

#[test]
fn after_a_chain_of_failures_the_first_one_is_wanted_back() {
    let mut world = World::running(&["a", "b", "c"]);
    world.set_mode("a", Mode::Refusing);
    world.run(secs(1));
    world.set_mode("b", Mode::Refusing);
    world.run(secs(1));
    assert_eq!(world.route(), Some("c"));
    world.set_mode("a", Mode::Up);
    world.run(secs(360));
    assert_eq!(world.route(), Some("a"));
    assert_eq!(world.last_rule(), Rule::Return);
}

#[test]
fn shares_of_the_old_pools_jobs_are_honoured_10_s_after_a_switch_and_then_stale() {
    let mut world = World::new(&["a", "b"]);
    world.rank(&[("a", 1.0), ("b", 0.5)], 1);
    world.run(secs(3));
    let miner = world.miner("acc.rig");
    // The ranking drops a: its connection is fine.
    let (first, old) = world.miners[miner].find().expect("a job");
    let (second, older) = world.miners[miner].find().expect("a job");
    world.rank(&[("b", 0.5)], 2);
    assert_eq!(world.route(), Some("b"));
    world.run(GRACE - ms(100));
    world.send(miner, &old);
    world.run(ms(100));
    world.send(miner, &older);
    assert_eq!(world.miners[miner].answer(second), Some(&Answer::Error(21)));
    assert_eq!(world.miners[miner].answer(first), Some(&Answer::True));
    assert_eq!(world.pools["a"].accepted, 1);
    assert!(!world.live_links().contains(&"a"), "and then let go");
}

#[test]
fn a_miner_that_works_on_through_a_failover_loses_only_what_was_under_way() {
    let mut world = World::running(&["a", "b"]);
    let miners: Vec<usize> = (0..3)
        .map(|n| world.miner(&format!("acc.rig{n}")))
        .collect();
    for miner in &miners {
        world.mine_every(*miner, ms(400));
    }
    world.notify_every("a", secs(20));
    world.notify_every("b", secs(20));
    for _ in 0..5 {
        world.run(secs(60));
        let pool = world.route().expect("a route").to_string();
        world.cut(&pool);
    }
    world.run(secs(60));
    world.assert_books_within(5 * 3);
    let submits: usize = world.miners.iter().map(|miner| miner.submits).sum();
    let (lost, unknown) = (
        world.outcomes(Outcome::Lost),
        world.outcomes(Outcome::Unknown),
    );
    assert!(submits > 2500);
    assert!(lost + unknown <= 5 * 3, "{lost} lost, {unknown} unknown");
    assert_eq!(
        world.outcomes(Outcome::Rejected),
        0,
        "no duplicates, no false difficulty"
    );
    let stale = world.outcomes(Outcome::Stale);
    assert!(
        stale <= 5 * 30,
        "{stale} of {submits} met a job change under way"
    );
}

#[test]
fn a_harder_pool_is_told_with_the_switch_and_its_shares_are_accepted() {
    let mut world = World::new(&["a", "b"]);
    world.pool("b").difficulty = EASY * 4.0;
    world.rank(&[("a", 1.0), ("b", 0.5)], 1);
    world.run(secs(3));
    let miner = world.miner("acc.rig");
    world.set_mode("a", Mode::Refusing);
    world.run(ms(100));
    for _ in 0..5 {
        assert_eq!(world.mine_now(miner), Answer::True);
    }
}

#[test]
fn a_pool_that_accepts_nothing_is_left_and_asked_again_ever_more_rarely() {
    let mut world = World::new(&["a", "b"]);
    world.rank(&[("a", 1.0), ("b", 0.5)], 1);
    for pool in ["a", "b"] {
        world.notify_every(pool, secs(30));
    }
    world.run(secs(3));
    let miner = world.miner("acc.rig");
    assert_eq!(world.mine_now(miner), Answer::True);
    world.mine_every(miner, secs(1));
    world.pool("a").refuses_shares = true;
    world.run(secs(60));
    assert_eq!(world.route(), Some("b"));
    assert_eq!(world.last_rule(), Rule::Failover);
    world.pool("a").refuses_shares = false;
    world.run(secs(14 * 60));
    assert_eq!(world.route(), Some("b"), "too early to try again");
    world.run(secs(7 * 60));
    assert_eq!(world.route(), Some("a"), "it gets another chance");
    world.pool("a").refuses_shares = true;
    world.run(secs(60));
    assert_eq!(world.route(), Some("b"));
    world.pool("a").refuses_shares = false;
    world.run(secs(30 * 60));
    assert_eq!(world.route(), Some("b"), "and the next one comes later");
}

#[test]
fn the_only_pool_is_mined_on_although_it_accepts_nothing() {
    let mut world = World::new(&["a"]);
    world.rank(&[("a", 1.0)], 1);
    world.run(secs(3));
    let miner = world.miner("acc.rig");
    world.mine_every(miner, secs(1));
    world.pool("a").refuses_shares = true;
    world.run(secs(60));
    assert!(world.failures.iter().any(|(_, pool, _)| pool == "a"));
    world.pool("a").refuses_shares = false;
    world.run(secs(5));
    assert_eq!(world.route(), Some("a"));
    assert_eq!(world.mine_now(miner), Answer::True);
}

#[test]
fn every_miner_is_on_the_stand_bys_job_in_the_very_instant_the_pool_is_lost() {
    let mut world = World::running(&["a", "b"]);
    for number in 0..100 {
        world.miner(&format!("acc.rig{number}"));
    }
    world.run(secs(10));
    let opened = world.opened.len();
    world.set_mode("a", Mode::Refusing);
    let seen = world.now + ms(1);
    world.run_until(seen);
    let (when, decision) = world.decisions.last().expect("one");
    assert_eq!((*when, decision.rule), (seen, Rule::Failover));
    let of_b = world.pools["b"]
        .jobs
        .last()
        .expect("a job")
        .prev_hash
        .clone();
    for miner in &world.miners {
        assert_eq!(miner.jobs.len(), 1, "clean");
        assert_eq!(miner.jobs[0].prev_hash, of_b);
    }
    assert_eq!(world.opened.len(), opened, "it was at hand");
    world.mine_all();
    world.assert_books();
}
