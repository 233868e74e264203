//! Which connections are held, when they are tried, and that nobody spins.

use crate::support::{Mode, World, secs};
use smart_mining_core::lane::Lane;
use smart_mining_core::route::Policy;
use smart_mining_core::{Algorithm, Duration};

const FIVE: [&str; 5] = ["a", "b", "c", "d", "e"];

#[test]
fn the_route_and_the_two_best_others_are_connected_and_no_more() {
    let mut world = World::running(&FIVE);
    world.run(secs(600));
    assert_eq!(world.live_links(), ["a", "b", "c"]);
    assert_eq!(world.opened.len(), 3);
}

#[test]
fn a_standby_that_fell_behind_makes_room_for_a_better_one() {
    let mut world = World::running(&FIVE);
    world.rank(
        &[("a", 1.0), ("e", 0.99), ("d", 0.98), ("b", 0.5), ("c", 0.4)],
        2,
    );
    world.run(secs(60));
    let mut live = world.live_links();
    live.sort_unstable();
    assert_eq!(live, ["a", "d", "e"]);
    assert_eq!(world.route(), Some("a"));
}

#[test]
fn a_pool_that_stays_away_is_tried_ever_more_rarely() {
    let mut world = World::running(&["a", "b"]);
    world.set_mode("a", Mode::Refusing);
    let start = world.now;
    world.opened.clear();
    world.run(secs(3600));
    let tries: Vec<u64> = world
        .opened
        .iter()
        .map(|(when, _)| (*when - start).as_secs())
        .collect();
    assert_eq!(tries, [1, 3, 8, 18, 38, 68, 128, 248, 488, 968, 1868, 2768]);
}

#[test]
fn retries_of_dead_pools_do_not_push_out_the_standbys() {
    let mut world = World::new(&FIVE);
    for pool in ["a", "b"] {
        world.set_mode(pool, Mode::Refusing);
    }
    let scores = [1.0, 0.99, 0.98, 0.97, 0.96];
    world.rank(&FIVE.into_iter().zip(scores).collect::<Vec<_>>(), 1);
    world.run(secs(900));
    let connections = |pool: &str| world.opened.iter().filter(|(_, name)| name == pool).count();
    assert_eq!(FIVE.map(connections)[2..], [1, 1, 1]);
    assert_eq!(world.route(), Some("c"));
}

#[test]
fn a_live_pool_behind_dead_better_ones_is_reached_although_its_login_is_slow() {
    // The dead ones are asked again every 0.5 s while nothing is usable; the
    // fourth needs four round trips of 0.24 s.
    for mode in [Mode::Refusing, Mode::BlackHole] {
        let mut world = World::new(&FIVE);
        world.latency = Duration::from_millis(120);
        for pool in ["a", "b", "c"] {
            world.set_mode(pool, mode);
        }
        let scores = [1.0, 0.99, 0.98, 0.97, 0.96];
        world.rank(&FIVE.into_iter().zip(scores).collect::<Vec<_>>(), 1);
        world.run(secs(5));
        assert_eq!(world.route(), Some("d"), "{mode:?}");
    }
}

#[test]
fn many_dead_pools_are_all_asked_and_nobody_spins() {
    let names: Vec<String> = (0..20).map(|n| format!("p{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for mode in [Mode::Refusing, Mode::BlackHole] {
        let mut world = World::new(&names);
        for name in &names {
            world.set_mode(name, mode);
        }
        let ranking = names
            .iter()
            .enumerate()
            .map(|(n, name)| (*name, 1.0 - n as f64 / 1000.0));
        world.rank(&ranking.collect::<Vec<_>>(), 1);
        world.run(secs(120));
        for name in &names {
            let tries = world.opened.iter().filter(|(_, pool)| pool == name).count();
            assert!(tries >= 3, "{name} was tried {tries} times, {mode:?}");
        }
        assert!(world.live_links().len() <= 6);
        // The last of them comes up: it is found.
        world.set_mode("p19", Mode::Up);
        world.run(secs(20));
        assert_eq!(world.route(), Some("p19"), "{mode:?}");
    }
}

#[test]
fn a_farm_at_rest_is_woken_only_by_its_own_timers() {
    let mut world = World::running(&FIVE);
    world.miner("acc.rig");
    let mut wakes = 0;
    let end = world.now + secs(600);
    while let Some(due) = world.lane.deadline().filter(|due| *due <= end) {
        assert!(due > world.now, "a deadline lies ahead");
        world.run_until(due);
        wakes += 1;
    }
    assert_eq!(wakes, 600 / 30);
}

#[test]
fn a_candidate_that_moves_house_is_connected_anew() {
    let mut world = World::running(&["a", "b"]);
    let mut moved = crate::support::candidate("a", "BTC", 1.0);
    moved.url.port = 4444;
    world.candidates(
        vec![moved.clone(), crate::support::candidate("b", "BTC", 0.99)],
        2,
    );
    assert_eq!(world.route(), Some("b"), "until it is ready there");
    world.run(secs(400));
    assert_eq!(world.route(), Some("a"));
    assert_eq!(world.opened.len(), 3);
    assert_eq!(world.live_links().len(), 2);
}

#[test]
fn a_new_process_begins_with_job_ids_of_its_own() {
    // cpuminer keeps its job over a reconnect and ignores a new one of the same id.
    let mut world = World::new(&["a"]);
    world.lane =
        Lane::new(Algorithm::Sha256d, Policy::default(), 100, world.now).with_first_job(0xfeed);
    world.rank(&[("a", 1.0)], 1);
    world.run(secs(3));
    let miner = world.miner("acc.rig");
    world.run(secs(1));
    assert_eq!(world.miners[miner].jobs[0].id, "feed");
}
