//! What happens when pool A fails, and what memory thousands of miners take.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::args::BenchArgs;
use super::job::Side;
use super::load::Load;
use super::process::{cpu_ms, rss_kib};
use super::report::{Column, Figure};
use super::speed::ms;
use super::stage::Stage;

/// Shares go on while a pool fails.
const RATE: f64 = 200.0;
const STORMS: u32 = 3;
const SETTLE: Duration = Duration::from_secs(1);

pub fn kill(stage: &mut Stage, args: &BenchArgs, column: &mut Column) -> Result<()> {
    stage.connect()?;
    warm_up(stage)?;
    stage.world.pools[Side::A.index()].kill();
    all_work_for_b(
        stage,
        args,
        column,
        ["kill_ms", "kill_dropped", "kill_failed"],
    )
}

pub fn blackhole(stage: &mut Stage, args: &BenchArgs, column: &mut Column) -> Result<()> {
    stage.connect()?;
    warm_up(stage)?;
    stage.world.pools[Side::A.index()].frozen = true;
    all_work_for_b(
        stage,
        args,
        column,
        ["blackhole_ms", "blackhole_dropped", "blackhole_failed"],
    )
}

/// A pool fails in the middle of work, not at its beginning.
fn warm_up(stage: &mut Stage) -> Result<()> {
    let mut load = Load::new(&stage.world, RATE);
    load.run(&mut stage.world, Instant::now() + SETTLE, |_| false)?;
    Ok(())
}

fn all_work_for_b(
    stage: &mut Stage,
    args: &BenchArgs,
    column: &mut Column,
    [time, dropped, failed]: [&'static str; 3],
) -> Result<()> {
    let world = &mut stage.world;
    let all = world.miners.len();
    let before = world.dropped;
    let started = Instant::now();
    let end = started + Duration::from_secs(args.bound);
    let mut load = Load::new(world, RATE);
    let moved = load.run(world, end, |world| {
        world.floor.holding[Side::B.index()] >= all
    })?;
    let figure = if moved {
        Figure::Number(ms(started.elapsed()))
    } else {
        Figure::Never
    };
    column.set(time, figure);
    column.count(dropped, world.dropped - before);
    // Work goes on, and the last answers come in.
    load.run(world, Instant::now() + SETTLE, |_| false)?;
    let range = load.range(world);
    world.until(Instant::now() + SETTLE, |_| false)?;
    let outcome = world.floor.ledger.outcome(range);
    column.count(failed, outcome.sent + load.unsent - outcome.good());
    Ok(())
}

pub fn rss(stage: &mut Stage, _: &BenchArgs, column: &mut Column) -> Result<()> {
    let memory = |stage: &Stage| stage.proxy.pid.and_then(rss_kib);
    let idle = memory(stage);
    stage.connect()?;
    settle(stage)?;
    let connected = memory(stage);
    idle_cpu(stage, column)?;
    let mut worst = Duration::ZERO;
    for _ in 0..STORMS {
        stage.world.drop_all();
        worst = worst.max(stage.connect()?);
        settle(stage)?;
    }
    let after = memory(stage);
    column.number("storm_ms", ms(worst));
    column.number("rss_idle_kib", idle);
    column.number("rss_connected_kib", connected);
    column.number("rss_storms_kib", after);
    if let (Some(idle), Some(connected), Some(after)) = (idle, connected, after) {
        let miners = stage.world.miners.len() as f64;
        column.number("kib_per_miner", (connected - idle) / miners);
        column.number("rss_growth_kib", after - connected);
    }
    Ok(())
}

/// What connected miners cost that do nothing.
fn idle_cpu(stage: &mut Stage, column: &mut Column) -> Result<()> {
    const TIME: Duration = Duration::from_secs(2);
    let before = stage.proxy.pid.and_then(cpu_ms);
    stage.world.until(Instant::now() + TIME, |_| false)?;
    let after = stage.proxy.pid.and_then(cpu_ms);
    if let (Some(before), Some(after)) = (before, after) {
        column.number("cpu_idle_ms", (after - before) / TIME.as_secs_f64());
    }
    Ok(())
}

fn settle(stage: &mut Stage) -> Result<()> {
    stage.world.until(Instant::now() + SETTLE, |_| false)?;
    Ok(())
}
