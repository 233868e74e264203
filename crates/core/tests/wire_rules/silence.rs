//! Pools that are there and say nothing, and pools that are not there and look
//! as if they were.

use crate::support::{Answer, Mode, World, ms, secs};
use smart_mining_core::sv1::{Failure, Outcome};

#[test]
fn a_route_that_vanishes_is_left_within_10_s_without_any_share() {
    // Whenever in the rhythm of questions it happens.
    for phase in 0..10 {
        let mut world = World::running(&["a", "b"]);
        let miner = world.miner("acc.rig");
        world.run(secs(60) + ms(500 * phase));
        world.set_mode("a", Mode::BlackHole);
        world.run(secs(10));
        assert_eq!(world.route(), Some("b"), "phase {phase}");
        assert!(matches!(world.failures[0].2, Failure::Deaf));
        assert_eq!(world.mine_now(miner), Answer::True);
    }
}

#[test]
fn a_route_that_vanishes_is_left_within_10_s_with_shares_under_way() {
    for phase in 0..10 {
        let mut world = World::running(&["a", "b"]);
        let miner = world.miner("acc.rig");
        world.mine_every(miner, ms(700));
        world.run(secs(60) + ms(500 * phase));
        world.set_mode("a", Mode::BlackHole);
        world.run(secs(10));
        assert_eq!(world.route(), Some("b"), "phase {phase}");
        world.run(secs(30));
        // What it took down with it is unknown, and nothing else is.
        let fake = &world.miners[miner];
        let unknown = world.outcomes(Outcome::Unknown);
        assert!((1..=15).contains(&unknown), "{unknown}");
        assert!(fake.accepted() + unknown + 1 >= fake.submits);
        world.assert_books_within(1);
    }
}

#[test]
fn a_pool_that_answers_no_question_is_judged_by_its_answers_to_shares() {
    let mut world = World::new(&["a", "b"]);
    world.pool("a").answers_configure = false;
    world.pool("a").answers_extranonce = false;
    world.rank(&[("a", 1.0), ("b", 0.9)], 1);
    world.run(secs(3));
    let miner = world.miner("acc.rig");
    world.run(secs(110));
    assert_eq!(world.route(), Some("a"), "quiet is no fault");
    world.set_mode("a", Mode::BlackHole);
    world.mine(miner).expect("a job");
    world.run(secs(5));
    assert_eq!(world.route(), Some("b"));
    assert!(matches!(world.failures[0].2, Failure::Deaf));
}

#[test]
fn a_quiet_pool_is_asked_what_it_answered_before_and_nothing_else() {
    for (configure, extranonce, question) in [
        (true, false, Some("mining.configure")),
        (false, true, Some("mining.extranonce.subscribe")),
        (false, false, None),
    ] {
        let mut world = World::new(&["a"]);
        world.pool("a").answers_configure = configure;
        world.pool("a").answers_extranonce = extranonce;
        world.rank(&[("a", 1.0)], 1);
        world.run(secs(3));
        let said = |world: &World| {
            let connections = world.pools["a"].connections.values();
            let lines = connections.flat_map(|it| it.heard.clone());
            lines.collect::<Vec<_>>()
        };
        let before = said(&world).len();
        world.run(secs(60));
        let lines = said(&world).split_off(before);
        match question {
            Some(question) => {
                assert!(lines.len() >= 10, "{lines:?}");
                assert!(lines.iter().all(|line| line.contains(question)));
            }
            None => assert!(lines.is_empty(), "{lines:?}"),
        }
        assert!(world.failures.is_empty());
    }
}

#[test]
fn the_silence_of_a_stand_by_is_noticed_and_disturbs_nobody() {
    let mut world = World::running(&["a", "b", "c"]);
    let miner = world.miner("acc.rig");
    world.notify_every("a", secs(20));
    world.run(secs(60));
    let (decisions, told) = (world.decisions.len(), world.miners[miner].heard.len());
    world.set_mode("b", Mode::BlackHole);
    world.run(secs(36));
    let (_, pool, failure) = world.failures.first().expect("noticed");
    assert!(matches!(failure, Failure::Deaf), "{failure}");
    assert_eq!(pool, "b");
    assert_eq!(world.decisions.len(), decisions);
    let heard = &world.miners[miner].heard[told..];
    assert_eq!(heard.len(), 2, "the jobs of a and no more: {heard:?}");
    // So a failover goes to one that is there.
    world.set_mode("a", Mode::Refusing);
    world.run(ms(2));
    assert_eq!(world.route(), Some("c"));
    assert_eq!(world.mine_now(miner), Answer::True);
}

#[test]
fn a_wan_that_swallows_everything_is_held_out_within_10_s() {
    let mut world = World::running(&["a", "b", "c"]);
    let miner = world.miner("acc.rig");
    world.run(secs(60));
    for pool in ["a", "b", "c"] {
        world.set_mode(pool, Mode::BlackHole);
    }
    let since = world.now;
    world.run(secs(60));
    assert_eq!(world.route(), None);
    assert!(world.failures[0].0 - since <= secs(10), "a was noticed");
    for pool in ["a", "b", "c"] {
        world.set_mode(pool, Mode::Up);
    }
    world.run(secs(5));
    assert_eq!(world.mine_now(miner), Answer::True);
}

#[test]
fn one_share_without_an_answer_is_an_accident_and_three_in_20_s_are_not() {
    let mut world = World::running(&["a", "b"]);
    let miner = world.miner("acc.rig");
    world.set_mode("a", Mode::Mute);
    let lone = world.mine(miner).expect("a job");
    world.run(secs(31));
    assert_eq!(world.route(), Some("a"));
    assert_eq!(world.miners[miner].answer(lone), Some(&Answer::Error(20)));
    world.mine_every(miner, secs(3));
    world.run(secs(30));
    assert_eq!(world.route(), Some("b"));
    assert!(matches!(world.failures[0].2, Failure::Mute));
    assert_eq!(world.pools["a"].accepted, 0);
    world.assert_books_within(1);
}
