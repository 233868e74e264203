//! Pools whose extranonce2 is too short to tell groups apart: one connection
//! for each group of 256 miners.

use crate::support::{Answer, FakeMiner, Mode, World, ms, secs};
use smart_mining_core::share::{LinkId, Seats};
use smart_mining_core::sv1::Outcome;
use std::collections::BTreeSet;

/// A farm of so many miners on these pools, each with 4 bytes of extranonce2.
fn farm(pools: &[&str], miners: usize) -> World {
    let mut world = World::new(pools);
    for pool in pools {
        world.pool(pool).size = 4;
    }
    let scores = (0..pools.len()).map(|i| 1.0 - i as f64 / 100.0);
    world.rank(&pools.iter().copied().zip(scores).collect::<Vec<_>>(), 1);
    world.run(secs(3));
    populate(&mut world, miners);
    world.run(secs(1));
    world
}

fn populate(world: &mut World, miners: usize) {
    let mut seats = Seats::new(4096);
    for number in 0..miners {
        let seat = seats.take().expect("a seat");
        world.join(FakeMiner::new(seat, &format!("acc.rig{number}"), world.now));
    }
}

/// One miner of each of three groups.
fn three_groups(pools: &[&str]) -> (World, [usize; 3]) {
    let mut world = farm(pools, 0);
    let miners = [0, 1, 2].map(|group| {
        let seat = smart_mining_core::share::Seat {
            group,
            prefix: group * 7,
        };
        world.miner_on(seat, &format!("acc.rig{group}"), true)
    });
    world.run(secs(1));
    (world, miners)
}

fn submits(world: &World, pool: &str) -> Vec<usize> {
    let connections = world.pools[pool].connections.values();
    connections
        .map(|connection| {
            let lines = connection.heard.iter();
            lines.filter(|line| line.contains("mining.submit")).count()
        })
        .collect()
}

#[test]
fn six_hundred_miners_use_three_connections_and_each_share_counts() {
    let mut world = farm(&["a"], 600);
    let connections = &world.pools["a"].connections;
    let extranonces: BTreeSet<_> = connections.values().map(|it| &it.extranonce1).collect();
    assert_eq!((connections.len(), extranonces.len()), (3, 3));
    assert_eq!(world.lane.view()[0].connections, 3);
    world.mine_all();
    assert_eq!(submits(&world, "a"), [256, 256, 88]);
    world.assert_books();
    assert_eq!(world.pools["a"].accepted, 600);
    assert!(world.pools["a"].refused.is_empty());
    world.notify("a", true);
    world.run(secs(1));
    world.mine_all();
    assert_eq!(world.pools["a"].accepted, 1200);
}

#[test]
fn a_failover_finds_the_connections_of_all_groups_there() {
    let mut world = farm(&["a", "b"], 600);
    assert_eq!(world.pools["b"].connections.len(), 3, "before it is needed");
    world.set_mode("a", Mode::Refusing);
    world.run(ms(1));
    assert_eq!(world.route(), Some("b"));
    world.mine_all();
    assert_eq!(submits(&world, "b"), [256, 256, 88]);
    world.assert_books();
}

#[test]
fn a_wide_pool_takes_over_all_groups_with_one_connection_and_hands_them_back() {
    let (mut world, miners) = three_groups(&["a", "b"]);
    world.pool("b").size = 8;
    world.cut("b");
    world.run(secs(15));
    assert_eq!(world.pools["b"].connections.len(), 1);
    for _ in 0..2 {
        world.cut("a");
        world.run(secs(1));
        assert_eq!(world.route(), Some("b"));
        world.mine_all();
        world.run(secs(400));
        assert_eq!(world.route(), Some("a"));
        world.mine_all();
        for miner in miners {
            let jobs = &world.miners[miner].jobs;
            assert!(jobs[0].clean, "each change of pool is a clean job");
        }
    }
    world.assert_books();
}

#[test]
fn a_group_that_opens_later_gets_a_connection_and_then_work() {
    let mut world = farm(&["a"], 256);
    assert_eq!(world.pools["a"].connections.len(), 1);
    let seat = smart_mining_core::share::Seat {
        group: 1,
        prefix: 0,
    };
    let miner = world.miner_on(seat, "acc.late", true);
    assert!(world.miners[miner].jobs.is_empty(), "nothing false before");
    world.run(secs(1));
    assert_eq!(world.pools["a"].connections.len(), 2);
    assert_eq!(world.mine_now(miner), Answer::True);
    let others = &world.miners[..256];
    assert!(
        others.iter().all(|miner| miner.jobs.len() == 1),
        "nobody else was told anything"
    );
}

fn link_of(world: &World, miner: usize) -> LinkId {
    let spot = world.miners[miner].session.spot();
    world.board.current(spot).expect("a job").link
}

#[test]
fn one_groups_connection_fails_alone_and_only_its_shares_wait() {
    for resumes in [true, false] {
        let (mut world, miners) = three_groups(&["a", "b"]);
        world.pool("a").resumes = resumes;
        world.run(secs(100));
        let decisions = world.decisions.len();
        world.cut_link(link_of(&world, miners[1]));
        world.run(ms(2));
        let id = world.mine(miners[1]).expect("the job at hand");
        assert_eq!(world.mine_now(miners[0]), Answer::True);
        assert_eq!(world.mine_now(miners[2]), Answer::True);
        assert_eq!(world.miners[miners[1]].answer(id), None, "it waits");
        world.run(secs(2));
        let answer = if resumes {
            Answer::True
        } else {
            Answer::Error(20)
        };
        assert_eq!(world.miners[miners[1]].answer(id), Some(&answer));
        assert_eq!(world.outcomes(Outcome::Lost), usize::from(!resumes));
        world.mine_all();
        world.assert_books();
        assert_eq!(world.decisions.len(), decisions, "the pool is fine");
    }
}

#[test]
fn a_groups_old_jobs_live_10_s_after_a_switch_also_if_its_connection_failed_before() {
    let (mut world, miners) = three_groups(&["a", "b"]);
    world.pool("a").resumes = true;
    world.run(secs(100));
    world.cut_link(link_of(&world, miners[1]));
    world.run(secs(8));
    let shares = miners.map(|miner| (miner, world.miners[miner].find().expect("a job")));
    // The ranking drops a: its connections are fine.
    world.rank(&[("b", 0.5)], 2);
    assert_eq!(world.route(), Some("b"));
    world.run(secs(9));
    for (miner, (id, line)) in shares {
        world.send(miner, &line);
        world.run(ms(50));
        assert_eq!(world.miners[miner].answer(id), Some(&Answer::True));
    }
    world.assert_books();
}

#[test]
fn a_group_whose_connection_stays_away_is_told_nothing_false() {
    let (mut world, miners) = three_groups(&["a"]);
    // Some pools allow an address two connections and no more.
    world.pool("a").most_connections = 2;
    world.cut_link(link_of(&world, miners[1]));
    let third = world.ids("a");
    world.run(secs(1));
    let told = world.miners[miners[1]].heard.len();
    world.run(secs(300));
    let heard = &world.miners[miners[1]].heard[told..];
    assert!(heard.len() >= 9, "a sign of life in 30 s");
    assert!(
        heard
            .iter()
            .all(|line| line.contains("mining.set_difficulty")),
        "and no job that nobody pays"
    );
    for miner in [miners[0], miners[2]] {
        assert_eq!(world.mine_now(miner), Answer::True);
    }
    assert_eq!(third.len(), 3);
    world.pool("a").most_connections = 9;
    world.run(secs(40));
    world.mine_all();
}

#[test]
fn after_an_outage_of_everything_all_groups_work_again_within_2_s() {
    let (mut world, _) = three_groups(&["a", "b"]);
    for pool in ["a", "b"] {
        world.set_mode(pool, Mode::Refusing);
    }
    world.run(secs(3600));
    assert_eq!(world.route(), None);
    for pool in ["a", "b"] {
        world.set_mode(pool, Mode::Up);
    }
    world.run(secs(2));
    world.mine_all();
    world.assert_books();
}

#[test]
fn a_pool_that_was_long_away_is_returned_to_with_all_its_connections() {
    let (mut world, _) = three_groups(&["a", "b"]);
    world.set_mode("a", Mode::Refusing);
    world.run(secs(3600));
    assert_eq!(world.route(), Some("b"));
    world.set_mode("a", Mode::Up);
    while world.route() == Some("b") {
        world.run(secs(1));
    }
    world.run(ms(100));
    world.mine_all();
    assert_eq!(world.pools["a"].connections.len(), 3);
    world.assert_books();
}
