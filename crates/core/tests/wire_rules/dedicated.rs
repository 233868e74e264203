//! Pools whose extranonce2 has no room for more than one miner: a connection for
//! each, and a miner that has to learn what is particular to it.

use crate::support::{Answer, FakeMiner, Mode, World, ms, secs};
use smart_mining_core::sv1::Outcome;
use std::collections::BTreeSet;

/// These pools in this order, a per cent apart; `a` has so little room.
fn farm(size: usize, pools: &[&str]) -> World {
    let mut world = World::new(pools);
    world.pool("a").size = size;
    let scores = (0..pools.len()).map(|i| 1.0 - i as f64 / 100.0);
    world.rank(&pools.iter().copied().zip(scores).collect::<Vec<_>>(), 1);
    world.run(secs(3));
    world
}

/// So many miners that know `mining.set_extranonce`, or do not.
fn arrive(world: &mut World, count: usize, hears: bool) -> Vec<usize> {
    // One after the other, as technicians switch them on.
    let numbers = (0..count).map(|_| {
        world.run(ms(500));
        let name = format!("acc.rig{}", world.miners.len());
        world.miner_like(&name, |miner| miner.hears_extranonce = hears)
    });
    numbers.collect()
}

fn connections(world: &World, pool: &str) -> usize {
    world.pools[pool].connections.len()
}

fn nobody_was_let_go(world: &World) {
    for miner in &world.miners {
        assert_eq!(
            (miner.closed, miner.reconnects),
            (None, 0),
            "{}",
            miner.user
        );
    }
}

#[test]
fn each_miner_has_a_connection_with_an_extranonce_of_its_own() {
    for size in [2, 3] {
        let mut world = farm(size, &["a"]);
        arrive(&mut world, 5, true);
        world.run(secs(2));
        for _ in 0..3 {
            world.mine_all();
            world.notify("a", true);
            world.run(secs(1));
        }
        let told: BTreeSet<_> = world.miners.iter().map(|it| &it.extranonce).collect();
        assert_eq!(told.len(), 5, "all different");
        assert!(told.iter().all(|(_, rolled)| *rolled == size));
        assert_eq!(connections(&world, "a"), 6, "one to spare");
        assert_eq!(world.pools["a"].accepted, 15);
        assert!(world.pools["a"].refused.is_empty());
        nobody_was_let_go(&world);
        world.assert_books();
    }
}

#[test]
fn a_miner_that_knows_no_set_extranonce_comes_again_once_and_gets_it_at_once() {
    let mut world = farm(3, &["b", "a"]);
    let dumb = arrive(&mut world, 4, false);
    let wise = arrive(&mut world, 4, true);
    world.run(secs(1));
    world.mine_all();
    world.set_mode("b", Mode::Refusing);
    world.run(secs(3));
    assert_eq!(world.route(), Some("a"));
    world.mine_all();
    for miner in dumb {
        assert_eq!(world.miners[miner].reconnects, 1);
        assert_eq!(world.miners[miner].extranonce.1, 3);
    }
    for miner in wise {
        assert_eq!(world.miners[miner].reconnects, 0);
        assert_eq!(world.miners[miner].extranonce_changes, 1);
    }
    world.assert_books();
    // It stays so.
    world.run(secs(300));
    world.mine_all();
    let reconnects: usize = world.miners.iter().map(|miner| miner.reconnects).sum();
    assert_eq!(reconnects, 4);
}

#[test]
fn a_pool_with_room_takes_over_and_hands_back() {
    let mut world = farm(3, &["a", "b"]);
    arrive(&mut world, 3, true);
    world.run(secs(2));
    for round in 1..=2 {
        world.cut("a");
        world.set_mode("a", Mode::Refusing);
        world.run(ms(1500));
        assert_eq!(world.route(), Some("b"));
        world.mine_all();
        assert_eq!(connections(&world, "b"), 1, "they share it");
        world.set_mode("a", Mode::Up);
        world.run(secs(700));
        assert_eq!(world.route(), Some("a"), "round {round}");
        world.mine_all();
    }
    nobody_was_let_go(&world);
    world.assert_books();
}

#[test]
fn a_stand_by_is_held_with_one_connection_and_is_left_with_none_to_spare() {
    let mut world = farm(3, &["b", "a"]);
    arrive(&mut world, 5, true);
    world.run(secs(30));
    assert_eq!(connections(&world, "a"), 1);
    world.set_mode("b", Mode::Refusing);
    world.run(secs(2));
    assert_eq!(connections(&world, "a"), 6);
    world.set_mode("b", Mode::Up);
    world.run(secs(700));
    assert_eq!(world.route(), Some("b"));
    assert_eq!(connections(&world, "a"), 1);
    world.mine_all();
    world.assert_books();
}

#[test]
fn a_switch_for_profit_leaves_nobody_without_work() {
    let mut world = farm(3, &["b", "a"]);
    let miners = arrive(&mut world, 5, true);
    world.run(secs(400));
    world.rank(&[("a", 2.0), ("b", 1.0)], 2);
    while world.route() == Some("b") {
        world.run(secs(1));
        world.rank(&[("a", 2.0), ("b", 1.0)], 3);
    }
    // Until its own connection is there each works on for the pool that is left.
    for miner in miners {
        assert_eq!(world.mine_now(miner), Answer::True);
    }
    world.run(secs(2));
    world.mine_all();
    assert_eq!(world.outcomes(Outcome::Accepted), 10);
    world.assert_books();
}

#[test]
fn a_newcomer_finds_a_connection_ready_and_needs_to_be_told_nothing_twice() {
    let mut world = farm(3, &["a"]);
    for count in 1..=4 {
        let miner = arrive(&mut world, 1, false)[0];
        world.run(secs(1));
        assert_eq!(world.miners[miner].reconnects, 0);
        assert_eq!(world.mine_now(miner), Answer::True);
        assert_eq!(connections(&world, "a"), count + 1);
    }
    world.assert_books();
}

#[test]
fn when_all_come_at_once_some_come_twice_and_then_each_has_its_own() {
    let mut world = farm(3, &["a"]);
    for number in 0..10 {
        world.miner(&format!("acc.rig{number}"));
    }
    world.run(secs(5));
    world.mine_all();
    assert!(world.miners.iter().all(|miner| miner.reconnects <= 1));
    assert_eq!(connections(&world, "a"), 11);
    world.assert_books();
}

#[test]
fn after_a_power_cut_of_the_farm_each_finds_new_work_within_2_s() {
    let mut world = farm(3, &["a"]);
    arrive(&mut world, 6, false);
    for _ in 0..3 {
        world.run(secs(2));
        world.mine_all();
        for number in 0..6 {
            world.leave(number, "power cut");
        }
        world.run(ms(100));
        for number in 0..6 {
            let seat = world.miners[number].session.seat();
            world.greet(number, seat);
        }
        world.run(secs(2));
        world.mine_all();
        assert!(world.pools["a"].refused.is_empty());
        nobody_was_let_go(&world);
    }
    world.assert_books();
}

#[test]
fn who_comes_after_a_miner_that_left_does_not_find_its_shares_again() {
    let mut world = farm(3, &["a"]);
    arrive(&mut world, 2, false);
    world.run(secs(1));
    for turn in 0..6 {
        world.mine_all();
        world.leave(0, "power cut");
        world.run(ms(300));
        let seat = world.miners[0].session.seat();
        world.greet(0, seat);
        world.run(secs(2));
        world.mine_all();
        assert!(world.pools["a"].refused.is_empty(), "turn {turn}");
    }
    world.assert_books();
}

#[test]
fn one_connection_is_lost_alone_whichever_it_is() {
    for victim in 0..4 {
        for resumes in [true, false] {
            let mut world = farm(3, &["a", "b"]);
            world.pool("a").resumes = resumes;
            arrive(&mut world, 3, true);
            world.run(secs(100));
            let decisions = world.decisions.len();
            let link = world.ids("a")[victim];
            world.cut_link(link);
            world.run(secs(2));
            world.mine_all();
            assert_eq!(world.decisions.len(), decisions, "the pool is fine");
            assert_eq!(connections(&world, "a"), 4);
            nobody_was_let_go(&world);
            world.assert_books();
        }
    }
}

#[test]
fn a_miner_whose_connection_does_not_come_back_gets_another() {
    let mut world = farm(3, &["a"]);
    arrive(&mut world, 2, true);
    world.run(secs(100));
    let link = world.miners[0].session.spot().link.expect("its own");
    // The address may have no more than there are.
    world.pool("a").most_connections = 2;
    world.cut_link(link);
    world.run(secs(5));
    assert_ne!(world.miners[0].session.spot().link, Some(link));
    world.mine_all();
    nobody_was_let_go(&world);
    world.assert_books();
}

#[test]
fn a_pool_that_dies_is_left_at_once_although_it_had_many_connections() {
    for mode in [Mode::Refusing, Mode::BlackHole] {
        let mut world = farm(3, &["a", "b"]);
        arrive(&mut world, 20, true);
        world.run(secs(100));
        world.mine_all();
        let before = world.now;
        world.set_mode("a", mode);
        while world.route() == Some("a") {
            world.run(ms(50));
        }
        let took = world.now - before;
        let within = if mode == Mode::Refusing {
            ms(50)
        } else {
            secs(65)
        };
        assert!(took <= within, "{mode:?} took {took:?}");
        world.run(secs(1));
        world.mine_all();
        nobody_was_let_go(&world);
    }
}

#[test]
fn where_the_pool_allows_too_few_connections_the_rest_is_told_nothing_false() {
    let mut world = farm(3, &["a"]);
    world.pool("a").most_connections = 3;
    let miners = arrive(&mut world, 5, false);
    // The others are served all the while.
    world.notify_every("a", secs(10));
    world.run(secs(10));
    let told: Vec<usize> = world.miners.iter().map(|miner| miner.heard.len()).collect();
    world.run(secs(303));
    let (busy, idle): (Vec<usize>, Vec<usize>) =
        (miners.iter()).partition(|miner| !world.miners[**miner].jobs.is_empty());
    assert_eq!((busy.len(), idle.len()), (3, 2));
    for miner in busy {
        assert_eq!(world.mine_now(miner), Answer::True);
    }
    for miner in &idle {
        assert!(
            world.miners[*miner].heard.len() >= told[*miner] + 9,
            "a sign of life in 30 s"
        );
    }
    let reconnects = |world: &World| world.miners.iter().map(|it| it.reconnects).sum::<usize>();
    let before = reconnects(&world);
    assert!(before <= 2);
    world.pool("a").most_connections = 9;
    world.run(secs(40));
    world.mine_all();
    let after = reconnects(&world) - before;
    assert!(after <= 4, "{after} to find a place for two");
    world.assert_books();
}

#[test]
fn shares_of_the_job_before_the_change_still_count() {
    let mut world = farm(3, &["a", "b"]);
    let miner = arrive(&mut world, 1, true)[0];
    world.run(secs(100));
    let (id, line) = world.miners[miner].find().expect("a job");
    world.rank(&[("b", 0.5)], 2);
    assert_eq!(world.route(), Some("b"));
    world.run(secs(9));
    world.send(miner, &line);
    world.run(ms(50));
    assert_eq!(world.miners[miner].answer(id), Some(&Answer::True));
    assert_eq!(world.pools["a"].accepted, 1);
}

#[test]
fn a_pool_that_shrinks_and_grows_is_followed() {
    let mut world = farm(8, &["a"]);
    arrive(&mut world, 3, true);
    world.run(secs(1));
    for size in [3, 4, 2, 8] {
        world.pool("a").size = size;
        world.cut("a");
        world.run(secs(5));
        world.mine_all();
        let connections = match size {
            2 | 3 => 4,
            _ => 1,
        };
        world.run(secs(15));
        assert_eq!(self::connections(&world, "a"), connections, "size {size}");
    }
    nobody_was_let_go(&world);
    world.assert_books();
}

#[test]
fn a_farm_that_shrank_does_not_reopen_what_it_does_not_need() {
    let mut world = farm(3, &["a"]);
    arrive(&mut world, 8, true);
    world.run(secs(2));
    for number in 2..8 {
        world.leave(number, "switched off");
    }
    world.run(secs(60));
    assert_eq!(connections(&world, "a"), 9, "none is cut off for that");
    let idle: Vec<_> = world.ids("a")[3..].to_vec();
    // The pool lets go who sends no shares.
    for link in idle {
        world.cut_link(link);
    }
    world.run(secs(60));
    assert_eq!(connections(&world, "a"), 3);
    let present: Vec<&FakeMiner> = world.miners[..2].iter().collect();
    assert!(present.iter().all(|miner| miner.closed.is_none()));
    assert_eq!(world.mine_now(0), Answer::True);
    assert_eq!(world.mine_now(1), Answer::True);
}
