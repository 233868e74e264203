//! Ports whose miners are told what is particular to a pool's connection, although
//! it could be hidden from them.

use crate::support::{Answer, FakeMiner, World, ms, secs};
use smart_mining_core::share::{Manner, Seat};

fn farm(manner: Manner) -> World {
    let mut world = World::running(&["a", "b"]);
    world.manner = manner;
    world
}

fn arrive(world: &mut World, group: u8, hears: bool) -> usize {
    let seat = Seat {
        group,
        prefix: world.miners.len() as u8 + 9,
    };
    let mut miner = FakeMiner::new(seat, &format!("acc.rig{}", world.miners.len()), world.now);
    miner.hears_extranonce = hears;
    world.join(miner)
}

#[test]
fn extranonce1_is_the_pools_with_the_seat_behind_it_and_coinb1_is_as_the_pool_sent_it() {
    let mut world = farm(Manner::Announce);
    let miner = arrive(&mut world, 3, true);
    let connection = world.pools["a"].connections.values().next().expect("one");
    let (first, size) = world.miners[miner].extranonce.clone();
    assert_eq!(size, 3);
    assert_eq!(first, format!("{}0300000009", connection.extranonce1));
    let (own, pools) = (&world.miners[miner].jobs[0], &world.pools["a"].jobs[0]);
    assert_eq!(own.coinbase1, pools.coinbase1);
    assert_eq!(world.mine_now(miner), Answer::True);
    world.assert_books();
}

#[test]
fn a_switch_is_announced_to_who_asked_and_the_others_come_again() {
    let mut world = farm(Manner::Announce);
    let hears = arrive(&mut world, 0, true);
    let deaf = arrive(&mut world, 0, false);
    for _ in 0..3 {
        world.mine_all();
        let from = world.route().expect("a route").to_string();
        world.cut(&from);
        world.run(secs(400));
    }
    world.mine_all();
    let changes = world.decisions.len() - 1;
    assert!(changes >= 3);
    assert_eq!(world.miners[hears].reconnects, 0);
    assert_eq!(world.miners[hears].extranonce_changes, changes);
    assert_eq!(world.miners[deaf].reconnects, changes);
    assert_eq!(world.miners[deaf].extranonce_changes, 0);
    world.assert_books();
}

#[test]
fn or_everybody_comes_again() {
    let mut world = farm(Manner::Reconnect);
    let miners = [true, false].map(|hears| arrive(&mut world, 0, hears));
    world.mine_all();
    world.cut("a");
    world.run(secs(3));
    assert_eq!(world.route(), Some("b"));
    for miner in miners {
        assert_eq!(world.miners[miner].reconnects, 1);
        assert_eq!(world.miners[miner].extranonce_changes, 0);
        assert_eq!(world.mine_now(miner), Answer::True);
    }
    world.assert_books();
}

#[test]
fn a_session_that_is_taken_up_again_changes_nothing() {
    for manner in [Manner::Announce, Manner::Reconnect] {
        let mut world = World::new(&["a"]);
        world.manner = manner;
        world.pool("a").resumes = true;
        world.rank(&[("a", 1.0)], 1);
        world.run(secs(3));
        let miner = arrive(&mut world, 0, true);
        world.mine_all();
        world.cut("a");
        world.run(ms(1500));
        world.mine_all();
        let fake = &world.miners[miner];
        assert_eq!((fake.reconnects, fake.extranonce_changes), (0, 0));
        world.assert_books();
    }
}

#[test]
fn with_every_pool_down_the_handshake_goes_through_and_the_extranonce_follows() {
    let mut world = World::new(&["a"]);
    world.manner = Manner::Announce;
    world.set_mode("a", crate::support::Mode::Refusing);
    world.rank(&[("a", 1.0)], 1);
    world.run(secs(3));
    let miner = arrive(&mut world, 0, true);
    assert_eq!(world.miners[miner].extranonce.1, 3);
    world.set_mode("a", crate::support::Mode::Up);
    world.run(secs(5));
    assert_eq!(world.miners[miner].extranonce_changes, 1);
    world.mine_all();
    world.assert_books();
}

#[test]
fn a_miner_that_asks_late_for_set_extranonce_is_not_sent_away_before() {
    for asks in [true, false] {
        let mut world = World::new(&["a"]);
        world.manner = Manner::Announce;
        world.set_mode("a", crate::support::Mode::Refusing);
        world.rank(&[("a", 1.0)], 1);
        world.run(secs(3));
        world.set_mode("a", crate::support::Mode::Up);
        let miner = arrive(&mut world, 0, false);
        world.run(ms(1500));
        assert_eq!(world.route(), Some("a"));
        assert!(world.miners[miner].jobs.is_empty(), "it may yet ask");
        if asks {
            world.miners[miner].hears_extranonce = true;
            let line = r#"{"id":0,"method":"mining.extranonce.subscribe","params":[]}"#;
            world.send(miner, line);
            assert_eq!(world.mine_now(miner), Answer::True);
        }
        world.run(secs(2));
        assert_eq!(world.miners[miner].reconnects, usize::from(!asks));
        world.mine_all();
        world.assert_books();
    }
}
