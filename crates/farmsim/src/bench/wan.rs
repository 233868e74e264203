//! What a farm costs its WAN: honest shares, most of them too easy for the pool.

use std::time::{Duration, Instant};

use anyhow::Result;
use smart_mining_farmsim::pow::{Algorithm, Target};

use super::args::BenchArgs;
use super::job::Side;
use super::report::Column;
use super::stage::Stage;
use super::world::World;

const JOBS: usize = 2;
const SHARES_PER_JOB: usize = 5;
/// Hashes that a miner's share takes on average.
const HASHES_PER_SHARE: f64 = 4.0;
/// Shares of the whole farm that meet a difficulty chosen by [`pool_difficulty`].
const FOR_THE_POOL: f64 = 40.0;
/// Shares on their way at once.
const WINDOW: usize = 512;
const BOUND: Duration = Duration::from_secs(30);

pub fn miner_difficulty() -> f64 {
    HASHES_PER_SHARE / Algorithm::Sha256d.hashes_per_share(1.0)
}

/// What a pool asks of a farm whose shares it wants to see some of; never less
/// than what a miner asks.
pub fn pool_difficulty(miners: u32) -> f64 {
    let shares = f64::from(miners) * (JOBS * SHARES_PER_JOB) as f64;
    miner_difficulty() * (shares / FOR_THE_POOL).max(1.0)
}

pub fn run(stage: &mut Stage, _: &BenchArgs, column: &mut Column) -> Result<()> {
    let world = &mut stage.world;
    world.floor.keep_jobs = true;
    world.password = format!("d={}", miner_difficulty());
    stage.connect()?;
    let world = &mut stage.world;
    for _ in 0..JOBS {
        world.round(Side::A, true, BOUND)?;
        for _ in 0..SHARES_PER_JOB {
            one_each(world)?;
        }
        // The next job would make late shares stale.
        let sent = world.floor.ledger.len();
        let answered = |world: &World| world.floor.ledger.answered >= sent;
        world.until(Instant::now() + BOUND, answered)?;
    }
    column.count("wan_mined", world.floor.ledger.len());
    let mut all = super::pool::Traffic::default();
    for pool in &world.pools {
        all.connections += pool.traffic.connections;
        all.from_farm += pool.traffic.from_farm;
        all.to_farm += pool.traffic.to_farm;
        all.shares += pool.traffic.shares;
    }
    column.count("wan_connections", all.connections);
    column.count("wan_from_farm", all.from_farm);
    column.count("wan_to_farm", all.to_farm);
    column.count("wan_shares", all.shares);
    Ok(())
}

fn one_each(world: &mut World) -> Result<()> {
    let target = Target::from_difficulty(Algorithm::Sha256d, world.difficulty);
    let end = Instant::now() + BOUND;
    for number in 0..world.miners.len() {
        world.mine(number, &target)?;
        let wanted = world.floor.ledger.len().saturating_sub(WINDOW);
        if number % 32 == 31 {
            world.turn(Duration::ZERO)?;
        }
        world.until(end, |world| world.floor.ledger.answered >= wanted)?;
    }
    Ok(())
}
