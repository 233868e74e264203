//! What the table of miners says.

use super::*;
use smart_mining_core::sv1::{Judge, Outcome};

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 168, 1, 7], port))
}

fn share(outcome: Outcome, by: Judge) -> Judged {
    Judged {
        link: None,
        difficulty: 1000.0,
        pool_difficulty: 4000.0,
        outcome,
        by,
    }
}

#[test]
fn what_is_kept_of_a_miner_has_a_size() {
    // The two counts of its Arc, its place in the table (key, pointer and what a
    // half-full node wastes), and a firmware's name of the longest kind.
    let all = size_of::<Miner>() + 16 + 32 + 48 + 16;
    assert!(all <= 600, "{all} bytes, {} in the row", size_of::<Miner>());
    // One that left: a place in a table that may be half empty, and the miner itself.
    let left = 2 * size_of::<(Identity, Left)>() + all;
    assert!(left <= 900, "{left} bytes");
}

#[test]
fn counting_follows_who_comes_and_goes() {
    let registry = Registry::new(Clock::start());
    let keys: Vec<u64> = (0..5000)
        .map(|port| registry.join(Algorithm::Sha256d, address(port)).0)
        .collect();
    registry.join(Algorithm::Scrypt, address(1));
    assert_eq!(registry.count(Algorithm::Sha256d), 5000);
    for key in &keys {
        registry.leave(*key);
        registry.leave(*key);
    }
    assert_eq!(registry.count(Algorithm::Sha256d), 0);
    assert_eq!(registry.count(Algorithm::Scrypt), 1);
    // They said no name: nobody misses them.
    assert_eq!(registry.view().len(), 1);
    assert_eq!(registry.disconnected.load(Ordering::Relaxed), 5000);
}

#[test]
fn a_share_below_the_pool_s_difficulty_is_work_and_not_accepted() {
    let registry = Registry::new(Clock::start());
    let (_, miner) = registry.join(Algorithm::Sha256d, address(1));
    let now = registry.clock.now();
    miner.named("rig07", "bmminer/2.0");
    miner.judged(&share(Outcome::Local, Judge::Appliance), now);
    let row = registry.view().remove(0);
    assert_eq!((row.counts.accepted, row.counts.local), (0, 1));
    assert_eq!(row.counts.difficulty_accepted, 0.0);
    assert!(row.hashrates.hashrate_1m > 0.0 && row.hashrates.hashrate_24h > 0.0);
    assert_eq!(
        (row.worker.as_str(), row.agent.as_str()),
        ("rig07", "bmminer/2.0")
    );
    // A share that was refused here is no work.
    miner.judged(&share(Outcome::Rejected, Judge::Appliance), now);
    assert_eq!(registry.view().remove(0).counts.work, 1000.0);
}

#[test]
fn a_miner_is_silent_only_while_it_should_find_shares() {
    let registry = Registry::new(Clock::start());
    let (_, miner) = registry.join(Algorithm::Sha256d, address(1));
    let start = registry.clock.now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let look = |seconds, has_route| {
        let tell_after = Duration::from_secs(120);
        let look = registry.look(Algorithm::Sha256d, has_route, tell_after, at(seconds));
        let silent = registry.silent(Algorithm::Sha256d);
        (silent, look.silent.len(), look.back.len())
    };
    // It has not been given work.
    assert_eq!(look(300, true), (0, 0, 0));
    miner.difficulty(1000.0);
    assert_eq!(look(355, true), (0, 0, 0));
    assert_eq!(look(360, true), (1, 0, 0));
    // No pool: nobody can find anything, and the time starts anew.
    assert_eq!(look(365, false), (0, 0, 0));
    assert_eq!(look(420, true), (0, 0, 0));
    assert_eq!(look(425, true), (1, 0, 0));
    assert_eq!(look(485, true), (1, 1, 0));
    // Until it was told it waits to be told.
    assert_eq!(look(490, true), (1, 1, 0));
    miner.told(true);
    assert_eq!(look(495, true), (1, 0, 0));
    // Refused here: that is not work.
    miner.judged(&share(Outcome::Stale, Judge::Appliance), at(496));
    assert_eq!(look(500, true), (1, 0, 0));
    miner.judged(&share(Outcome::Rejected, Judge::Pool), at(501));
    assert!(!registry.view().remove(0).silent);
    assert_eq!(look(505, true), (0, 0, 1));
    miner.told(false);
    assert_eq!(look(510, true), (0, 0, 0));
}

fn worker(registry: &Registry, name: &str, port: u16) -> (u64, Arc<Miner>) {
    let (key, miner) = registry.join(Algorithm::Sha256d, address(port));
    miner.named(name, "bmminer/2.0");
    miner.difficulty(1000.0);
    (key, miner)
}

#[test]
fn a_miner_that_left_stays_in_the_table_and_comes_back_as_the_same_row() {
    let registry = Registry::new(Clock::start());
    let now = registry.clock.now();
    let (key, miner) = worker(&registry, "rig07", 1);
    miner.judged(&share(Outcome::Accepted, Judge::Pool), now);
    miner.judged(&share(Outcome::Rejected, Judge::Pool), now);
    registry.leave(key);
    let rows = registry.view();
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!(
        (row.state, row.worker.as_str()),
        (MinerState::Offline, "rig07")
    );
    assert_eq!((row.counts.accepted, row.reject_rate), (1, Some(0.5)));
    assert_eq!((row.connected_seconds, row.silent), (None, false));
    assert!(row.hashrates.hashrate_24h > 0.0);
    assert_eq!(registry.states(Algorithm::Sha256d).offline, 1);

    // From another port, and it found a share before anybody looked.
    let (key, miner) = worker(&registry, "rig07", 2);
    miner.judged(&share(Outcome::Accepted, Judge::Pool), now);
    let rows = registry.view();
    assert_eq!((rows.len(), rows[0].state), (1, MinerState::Works));
    assert_eq!((rows[0].counts.accepted, rows[0].counts.work), (2, 3000.0));
    // Once only.
    assert_eq!(registry.view()[0].counts.accepted, 2);
    registry.leave(key);
    assert_eq!(registry.view()[0].counts.accepted, 2);
}

#[test]
fn another_worker_algorithm_or_address_is_another_miner() {
    let registry = Registry::new(Clock::start());
    let (key, _) = worker(&registry, "rig07", 1);
    registry.leave(key);
    worker(&registry, "rig08", 2);
    let (_, scrypt) = registry.join(Algorithm::Scrypt, address(3));
    scrypt.named("rig07", "");
    let elsewhere = SocketAddr::from(([192, 168, 1, 8], 1));
    let (_, other) = registry.join(Algorithm::Sha256d, elsewhere);
    other.named("rig07", "");
    let states: Vec<_> = registry.view().iter().map(|row| row.state).collect();
    let expected = [
        MinerState::Works,
        MinerState::NoWorkYet,
        MinerState::NoWorkYet,
        MinerState::Offline,
    ];
    assert_eq!(states, expected);
}

#[test]
fn a_connection_that_dies_late_leaves_its_counts_to_the_one_that_took_over() {
    let registry = Registry::new(Clock::start());
    let now = registry.clock.now();
    let (half_dead, before) = worker(&registry, "rig07", 1);
    before.judged(&share(Outcome::Accepted, Judge::Pool), now);
    worker(&registry, "rig07", 2);
    assert_eq!(registry.view().len(), 2);
    registry.leave(half_dead);
    let rows = registry.view();
    assert_eq!((rows.len(), rows[0].counts.accepted), (1, 1));
}

#[test]
fn of_too_many_that_left_the_oldest_are_forgotten() {
    let registry = Registry::new(Clock::start());
    for first in [0, offline::KEPT] {
        for number in first..first + offline::KEPT {
            let (key, _) = worker(&registry, &format!("rig{number}"), 1);
            registry.leave(key);
        }
        registry.view();
    }
    let rows = registry.view();
    assert_eq!(rows.len(), offline::KEPT);
    let number = |row: &MinerView| {
        row.worker["rig".len()..]
            .parse::<usize>()
            .expect("a number")
    };
    assert!(rows.iter().all(|row| number(row) >= offline::KEPT));
    // One name that comes and goes fills nothing.
    for _ in 0..100 {
        let (key, _) = worker(&registry, "flaps", 1);
        registry.leave(key);
    }
    let rows = registry.view();
    assert_eq!(rows.len(), offline::KEPT);
    assert_eq!(rows.iter().filter(|row| row.worker == "flaps").count(), 1);
}

#[test]
fn the_states_add_up_to_the_miners() {
    let registry = Registry::new(Clock::start());
    let (gone, _) = worker(&registry, "gone", 1);
    registry.leave(gone);
    worker(&registry, "quiet", 2);
    registry
        .join(Algorithm::Sha256d, address(3))
        .1
        .named("new", "");
    let (_, busy) = worker(&registry, "busy", 4);
    let later = registry.clock.now() + Duration::from_secs(61);
    busy.judged(&share(Outcome::Local, Judge::Appliance), later);
    registry.look(Algorithm::Sha256d, true, Duration::from_secs(120), later);
    let expected = States {
        silent: 1,
        offline: 1,
        no_work_yet: 1,
        works: 1,
    };
    assert_eq!(registry.states(Algorithm::Sha256d), expected);
}
