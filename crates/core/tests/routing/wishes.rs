//! What the operator pins and excludes: obeyed at once, ended in time, and said.

use crate::support::{Answer, Mode, World, candidate, ms, secs};
use smart_mining_core::route::{Exclusion, Pin, Rule, Wishes};

const MINUTE: u64 = 60;

fn pin(world: &mut World, pool: &str, minutes: u64) {
    let mut wishes = world.lane.wishes().clone();
    wishes.pin = Some(Pin {
        pool: pool.into(),
        coin: None,
        until: world.now + secs(minutes * MINUTE),
    });
    world.wish(wishes);
}

fn exclude(world: &mut World, pool: &str, minutes: Option<u64>) {
    let mut wishes = world.lane.wishes().clone();
    wishes.excluded.push(Exclusion {
        pool: pool.into(),
        until: minutes.map(|minutes| world.now + secs(minutes * MINUTE)),
    });
    world.wish(wishes);
}

fn last(world: &World) -> (Rule, &str) {
    let (_, decision) = world.decisions.last().expect("a decision");
    (decision.rule, &decision.why)
}

#[test]
fn a_pin_moves_the_miners_at_once_and_no_profit_moves_them_away() {
    let mut world = World::running(&["a", "b", "c"]);
    let miner = world.miner("acc.rig");
    world.mine_every(miner, ms(500));
    pin(&mut world, "c", 125);
    assert_eq!(world.route(), Some("c"));
    let pinned = (Rule::Pin, "the operator pinned it, for another 2 h 5 min");
    assert_eq!(last(&world), pinned);
    for sequence in 2..100 {
        world.rank(&[("a", 9.0), ("b", 1.0), ("c", 0.1)], sequence);
        world.run(secs(MINUTE));
    }
    assert_eq!(world.route(), Some("c"));
    assert_eq!(last(&world), pinned, "nothing was decided since");
    world.assert_books_within(1);
}

#[test]
fn when_a_pin_ends_the_other_rules_go_on() {
    let mut world = World::running(&["a", "b"]);
    pin(&mut world, "b", 60);
    world.rank(&[("a", 2.0), ("b", 1.0)], 2);
    world.rank(&[("a", 2.0), ("b", 1.0)], 3);
    world.run(secs(60 * MINUTE) - ms(1));
    assert_eq!(world.route(), Some("b"));
    world.run(secs(1));
    assert_eq!(world.lane.wishes(), &Wishes::default());
    // A lead that was seen while the pin held has to be confirmed now.
    assert_eq!(world.route(), Some("b"));
    world.rank(&[("a", 2.0), ("b", 1.0)], 4);
    assert_eq!((world.route(), last(&world).0), (Some("a"), Rule::Profit));
}

#[test]
fn a_pin_that_is_taken_back_from_an_own_pool_returns_to_the_ranking() {
    let mut world = World::new(&["a", "own"]);
    let list = || vec![candidate("a", "BTC", 1.0), candidate("own", "BTC", None)];
    world.candidates(list(), 1);
    world.run(secs(3));
    pin(&mut world, "own", 60);
    world.run(secs(10 * MINUTE));
    assert_eq!(world.route(), Some("own"));
    world.wish(Wishes::default());
    world.run(secs(1));
    assert_eq!((world.route(), last(&world).0), (Some("a"), Rule::Return));
}

#[test]
fn a_pinned_pool_that_fails_is_left_and_taken_again_when_it_is_ready() {
    let mut world = World::running(&["a", "b"]);
    pin(&mut world, "b", 600);
    let miner = world.miner("acc.rig");
    world.set_mode("b", Mode::Refusing);
    world.run(ms(2));
    assert_eq!((world.route(), last(&world).0), (Some("a"), Rule::Failover));
    assert_eq!(world.mine_now(miner), Answer::True);
    world.run(secs(5 * MINUTE));
    world.set_mode("b", Mode::Up);
    world.run(secs(5 * MINUTE));
    assert_eq!((world.route(), last(&world).0), (Some("b"), Rule::Pin));
    assert_eq!(world.mine_now(miner), Answer::True);
}

#[test]
fn a_pool_far_down_is_connected_to_while_it_is_pinned() {
    let pools = ["a", "b", "c", "d", "e", "f"];
    let mut world = World::running(&pools);
    assert!(!world.live_links().contains(&"f"), "it ranks too low");
    pin(&mut world, "f", 60);
    assert_eq!(world.route(), Some("a"), "until there is work from it");
    world.run(secs(1));
    assert_eq!(world.route(), Some("f"));
    // It fails, and three better ones are ready: it is asked for all the same.
    world.set_mode("f", Mode::Refusing);
    world.run(secs(30));
    world.set_mode("f", Mode::Up);
    world.run(secs(2 * MINUTE));
    assert_eq!(world.route(), Some("f"));
}

#[test]
fn after_a_start_the_pinned_pool_has_its_moment_to_connect() {
    let mut world = World::new(&["a", "b"]);
    world.latency = ms(300);
    pin(&mut world, "b", 60);
    world.rank(&[("a", 1.0), ("b", 0.5)], 1);
    world.run(secs(10));
    assert_eq!(world.route(), Some("b"));
    let other = world.decisions.iter().find(|(_, it)| {
        let to = it.to.as_ref();
        to.is_some_and(|to| to.pool == "a")
    });
    assert!(other.is_none(), "{other:?}");
}

#[test]
fn one_coin_of_a_pool_can_be_pinned() {
    let mut world = World::new(&["a", "b"]);
    let list = vec![
        candidate("a", "BTC", 1.0),
        candidate("b", "BTC", 0.9),
        candidate("b", "BCH", 0.8),
    ];
    world.candidates(list, 1);
    world.run(secs(3));
    let pin = Pin {
        pool: "b".into(),
        coin: Some("BCH".into()),
        until: world.now + secs(60),
    };
    world.wish(Wishes {
        pin: Some(pin),
        ..Wishes::default()
    });
    let (choice, _) = world.lane.route().expect("a route");
    assert_eq!((&*choice.pool, &*choice.coin), ("b", "BCH"));
}

#[test]
fn an_excluded_pool_is_left_at_once_and_not_even_connected_to() {
    let mut world = World::running(&["a", "b"]);
    let miner = world.miner("acc.rig");
    let (old, line) = world.miners[miner].find().expect("a job");
    exclude(&mut world, "a", Some(90));
    assert_eq!(world.route(), Some("b"));
    let why = "the operator excluded a, for another 1 h 30 min; b is the best that is ready";
    assert_eq!(last(&world), (Rule::Exclude, why));
    // What was found for it before is still brought there.
    world.send(miner, &line);
    world.run(secs(1));
    assert_eq!(world.miners[miner].answer(old), Some(&Answer::True));
    world.run(secs(20));
    assert!(!world.live_links().contains(&"a"));
    let excluded: Vec<_> = world.lane.excluded().map(|it| &*it.pool).collect();
    assert_eq!(excluded, ["a"]);
    assert_eq!(world.mine_now(miner), Answer::True);
    world.assert_books();
}

#[test]
fn an_excluded_pool_is_no_failover_either_and_holding_says_why() {
    let mut world = World::running(&["a", "b"]);
    exclude(&mut world, "b", None);
    world.set_mode("a", Mode::Refusing);
    world.run(secs(10 * MINUTE));
    assert_eq!(world.route(), None);
    world.set_mode("a", Mode::Up);
    world.run(secs(MINUTE));
    assert_eq!(world.route(), Some("a"));
    exclude(&mut world, "a", None);
    let why = "the operator excluded a and no other pool is ready";
    assert_eq!(last(&world), (Rule::Hold, why));
    world.wish(Wishes::default());
    world.run(secs(3));
    assert!(world.route().is_some());
}

#[test]
fn when_an_exclusion_ends_the_pool_is_a_candidate_again() {
    let mut world = World::running(&["a", "b"]);
    exclude(&mut world, "a", Some(1));
    world.run(secs(2 * MINUTE));
    assert!(world.lane.view().iter().all(|row| row.ready));
    assert_eq!(world.lane.view().len(), 2);
    // One percent more is no reason to go back.
    assert_eq!(world.route(), Some("b"));
}

#[test]
fn an_exclusion_goes_before_a_pin() {
    let mut world = World::running(&["a", "b"]);
    pin(&mut world, "b", 60);
    exclude(&mut world, "b", Some(1));
    assert_eq!((world.route(), last(&world).0), (Some("a"), Rule::Exclude));
    world.run(secs(70));
    assert_eq!((world.route(), last(&world).0), (Some("b"), Rule::Pin));
}
