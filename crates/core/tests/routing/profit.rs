//! Switches for profit: rare, confirmed, and never back and forth.

use crate::support::{Answer, World, candidate, secs};
use smart_mining_core::route::{Policy, Rule};

const MINUTE: u64 = 60;

fn on_a() -> World {
    let mut world = World::new(&["a", "b", "c"]);
    world.rank(&[("a", 1.0), ("b", 0.9)], 1);
    world.run(secs(3));
    assert_eq!(world.route(), Some("a"));
    world
}

/// One snapshot every minute, and how often the route changed meanwhile.
fn publish(world: &mut World, first: u64, snapshots: &[&[(&str, f64)]]) -> usize {
    let before = world.decisions.len();
    for (ranking, sequence) in snapshots.iter().zip(first..) {
        let mut ranking = ranking.to_vec();
        ranking.sort_by(|a, b| b.1.total_cmp(&a.1));
        world.rank(&ranking, sequence);
        world.run(secs(MINUTE));
    }
    world.decisions.len() - before
}

#[test]
fn a_better_pool_is_taken_after_the_dwell_once_two_snapshots_confirm_it() {
    let mut world = on_a();
    world.run(secs(20 * MINUTE));
    world.rank(&[("b", 1.1), ("a", 1.0)], 2);
    world.run(secs(MINUTE));
    assert_eq!(world.route(), Some("a"), "one snapshot is not enough");
    world.rank(&[("b", 1.1), ("a", 1.0)], 3);
    assert_eq!(world.route(), Some("b"));
    let (_, decision) = world.decisions.last().expect("one");
    assert_eq!(decision.rule, Rule::Profit);
    assert_eq!(
        decision.why,
        "b pays 10.0 % more, needed 3 %, seen in 2 snapshots"
    );
}

#[test]
fn a_confirmed_lead_waits_for_the_end_of_the_dwell() {
    let mut world = on_a();
    let switches = publish(&mut world, 2, &[&[("b", 1.1), ("a", 1.0)][..]; 14]);
    assert_eq!(switches, 0);
    world.run(secs(2 * MINUTE));
    assert_eq!(world.route(), Some("b"));
}

#[test]
fn a_lead_that_nothing_contradicts_for_a_whole_dwell_needs_no_second_snapshot() {
    let mut world = on_a();
    world.run(secs(60 * MINUTE));
    world.rank(&[("b", 1.1), ("a", 1.0)], 2);
    world.run(secs(15 * MINUTE - 1));
    assert_eq!(world.route(), Some("a"));
    world.run(secs(2));
    assert_eq!(world.route(), Some("b"));
}

#[test]
fn the_same_snapshot_twice_is_no_confirmation() {
    let mut world = on_a();
    world.run(secs(60 * MINUTE));
    let switches = {
        let before = world.decisions.len();
        for _ in 0..5 {
            world.rank(&[("b", 1.1), ("a", 1.0)], 2);
            world.run(secs(MINUTE));
        }
        world.decisions.len() - before
    };
    assert_eq!(switches, 0);
}

#[test]
fn less_than_the_hysteresis_is_no_reason_and_another_coin_needs_more() {
    for (coin, score, expected) in [
        ("BTC", 1.029, "a"),
        ("BTC", 1.031, "b"),
        ("BCH", 1.049, "a"),
        ("BCH", 1.051, "b"),
    ] {
        let mut world = on_a();
        let ranking = || vec![candidate("b", coin, score), candidate("a", "BTC", 1.0)];
        for sequence in 2..40 {
            world.candidates(ranking(), sequence);
            world.run(secs(MINUTE));
        }
        assert_eq!(world.route(), Some(expected), "{coin} {score}");
    }
}

#[test]
fn oscillation_around_the_threshold_does_not_flap() {
    let mut world = on_a();
    let (up, down) = (
        &[("b", 1.04), ("a", 1.0)][..],
        &[("a", 1.0), ("b", 1.02)][..],
    );
    let snapshots: Vec<_> = [up, down].into_iter().cycle().take(240).collect();
    assert_eq!(publish(&mut world, 2, &snapshots), 0, "never confirmed");
    // Longer waves switch there, and stay: the way back needs 3 % too.
    let snapshots: Vec<_> = [up, up, down].into_iter().cycle().take(240).collect();
    assert_eq!(publish(&mut world, 500, &snapshots), 1);
    assert_eq!(world.route(), Some("b"));
}

#[test]
fn wild_prices_switch_at_most_once_a_dwell() {
    let mut world = on_a();
    let (up, down) = (&[("b", 1.5), ("a", 1.0)][..], &[("a", 1.5), ("b", 1.0)][..]);
    let snapshots: Vec<_> = [up, up, down, down].into_iter().cycle().take(240).collect();
    let switches = publish(&mut world, 2, &snapshots);
    assert!((1..=16).contains(&switches), "{switches} in four hours");
}

#[test]
fn two_leaders_that_change_places_do_not_keep_the_farm_on_the_worst() {
    let mut world = on_a();
    let b = &[("b", 1.3), ("c", 1.29), ("a", 1.0)][..];
    let c = &[("c", 1.3), ("b", 1.29), ("a", 1.0)][..];
    let snapshots: Vec<_> = [b, c].into_iter().cycle().take(20).collect();
    assert_eq!(publish(&mut world, 2, &snapshots), 1);
    assert_ne!(world.route(), Some("a"));
}

#[test]
fn a_leader_that_cannot_be_reached_is_not_followed() {
    let mut world = on_a();
    world.set_mode("b", crate::support::Mode::BlackHole);
    world.cut("b");
    let snapshots = [&[("b", 2.0), ("a", 1.0)][..]; 40];
    assert_eq!(publish(&mut world, 2, &snapshots), 0);
    assert_eq!(world.route(), Some("a"));
}

#[test]
fn a_dwell_without_end_turns_profit_switches_off() {
    let policy = Policy {
        minimum_dwell: smart_mining_core::Duration::MAX,
        ..Policy::default()
    };
    let mut world = World::with(policy, &["a", "b"]);
    world.rank(&[("a", 1.0), ("b", 0.9)], 1);
    world.run(secs(3));
    let snapshots = [&[("b", 2.0), ("a", 1.0)][..]; 100];
    assert_eq!(publish(&mut world, 2, &snapshots), 0);
}

#[test]
fn a_switch_for_profit_loses_no_share() {
    let mut world = on_a();
    let miner = world.miner("acc.rig");
    world.mine_every(miner, crate::support::ms(500));
    let snapshots = [&[("b", 1.1), ("a", 1.0)][..]; 20];
    assert_eq!(publish(&mut world, 2, &snapshots), 1);
    world.run(secs(1));
    world.assert_books_within(1);
    let submits = world.miners[miner].submits;
    assert!(submits > 2000);
    assert!(world.miners[miner].accepted() >= submits - 1);
}

#[test]
fn the_old_pools_jobs_live_10_s_after_a_switch_for_profit() {
    let mut world = on_a();
    world.run(secs(20 * MINUTE));
    world.rank(&[("b", 1.1), ("a", 1.0)], 2);
    let miner = world.miner("acc.rig");
    let shares = [(); 2].map(|()| world.miners[miner].find().expect("a job"));
    world.rank(&[("b", 1.1), ("a", 1.0)], 3);
    assert_eq!(world.route(), Some("b"));
    for ((id, line), answer) in shares.iter().zip([Answer::True, Answer::Error(21)]) {
        world.run(secs(9));
        world.send(miner, line);
        world.run(secs(1));
        assert_eq!(world.miners[miner].answer(*id), Some(&answer));
    }
    assert_eq!(world.pools["a"].accepted, 1);
    assert!(world.live_links().contains(&"a"), "it stays at hand");
}
