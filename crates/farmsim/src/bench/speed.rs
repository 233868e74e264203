//! How quick jobs and answers are, and how many shares a second there can be.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::args::BenchArgs;
use super::job::Side;
use super::ledger::percentile;
use super::load::Load;
use super::process;
use super::report::Column;
use super::stage::Stage;
use super::world::World;

const ROUNDS: u32 = 20;
const RAMP: [u32; 8] = [4000, 8000, 16_000, 24_000, 32_000, 48_000, 64_000, 96_000];
/// What a step of the ramp may take longer.
const GRACE: Duration = Duration::from_millis(500);
/// How long late answers are waited for before a step is tried again.
const DRAIN: Duration = Duration::from_secs(3);
const QUICK: Duration = Duration::from_millis(200);

pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

pub fn connect(stage: &mut Stage, _: &BenchArgs, column: &mut Column) -> Result<()> {
    let mut took = Vec::new();
    for _ in 0..3 {
        took.push(stage.connect()?);
        stage.world.drop_all();
        // The next one must not pay for this one's end. A proxy that keeps
        // connections of its own gets a second for it.
        let end = Instant::now() + Duration::from_secs(1);
        let pools = |world: &World| world.pools.iter().all(|pool| pool.connected() == 0);
        stage.world.until(end, pools)?;
    }
    took.sort_unstable();
    column.number("connect_ms", took.get(1).copied().map(ms));
    Ok(())
}

pub fn notify(stage: &mut Stage, _: &BenchArgs, column: &mut Column) -> Result<()> {
    stage.connect()?;
    let mut took = Vec::new();
    let all = stage.world.miners.len();
    let mut missed = 0;
    let before = stage.proxy.pid.and_then(process::cpu_ms);
    for round in 0..ROUNDS {
        let times = stage
            .world
            .round(Side::A, round % 2 == 0, Duration::from_secs(5))?;
        missed += all - times.len();
        took.extend(times);
    }
    took.sort_unstable();
    for (key, part) in [
        ("notify_p50_ms", 0.5),
        ("notify_p99_ms", 0.99),
        ("notify_max_ms", 1.0),
    ] {
        column.number(key, percentile(&took, part).map(ms));
    }
    column.count("notify_missed", missed);
    cpu(stage, column, "cpu_notify_ms", before, took.len());
    Ok(())
}

pub fn rtt(stage: &mut Stage, args: &BenchArgs, column: &mut Column) -> Result<()> {
    stage.connect()?;
    step(
        stage,
        200,
        args.seconds,
        column,
        ["rtt_200_p50_ms", "rtt_200_p99_ms"],
    )?;
    let before = stage.proxy.pid.and_then(process::cpu_ms);
    let keys = ["rtt_2000_p50_ms", "rtt_2000_p99_ms"];
    let answered = step(stage, 2000, args.seconds, column, keys)?;
    cpu(stage, column, "cpu_shares_ms", before, answered);
    Ok(())
}

fn step(
    stage: &mut Stage,
    rate: u32,
    seconds: f64,
    column: &mut Column,
    [p50, p99]: [&'static str; 2],
) -> Result<usize> {
    let outcome = run_step(stage, rate, seconds)?;
    column.number(p50, percentile(&outcome.took, 0.5).map(ms));
    column.number(p99, percentile(&outcome.took, 0.99).map(ms));
    Ok(outcome.answered)
}

/// Shares at a rate, then up to [`GRACE`] for the last answers.
fn run_step(stage: &mut Stage, rate: u32, seconds: f64) -> Result<super::ledger::Outcome> {
    let world = &mut stage.world;
    let answered = world.floor.ledger.answered;
    let mut load = Load::new(world, f64::from(rate));
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    load.run(world, end, |_| false)?;
    let range = load.range(world);
    let wanted = answered + range.len();
    world.until(end + GRACE, |world| world.floor.ledger.answered >= wanted)?;
    let mut outcome = world.floor.ledger.outcome(range);
    // What could not be sent in time was not sustained either.
    outcome.sent = outcome.sent.max((f64::from(rate) * seconds) as usize);
    Ok(outcome)
}

pub fn max(stage: &mut Stage, args: &BenchArgs, column: &mut Column) -> Result<()> {
    stage.connect()?;
    let mut held = 0;
    for rate in RAMP {
        let seconds = args.seconds / 2.0;
        // A second try, for the machine may have been busy with something else.
        if !holds(stage, rate, seconds)? && !holds(stage, rate, seconds)? {
            break;
        }
        held = rate;
    }
    column.number("max_shares", f64::from(held));
    Ok(())
}

fn holds(stage: &mut Stage, rate: u32, seconds: f64) -> Result<bool> {
    let outcome = run_step(stage, rate, seconds)?;
    let p99 = percentile(&outcome.took, 0.99);
    let enough = outcome.answered * 100 >= outcome.sent * 99;
    let held = enough && p99.is_some_and(|p99| p99 < QUICK);
    if !held {
        eprintln!(
            "  {rate}/s: {} of {} answered in time, p99 {p99:?}",
            outcome.answered, outcome.sent
        );
        drain(stage)?;
    }
    Ok(held)
}

/// Waits for answers that are late, so that the next step does not pay for them.
fn drain(stage: &mut Stage) -> Result<()> {
    let sent = stage.world.floor.ledger.len();
    let end = Instant::now() + DRAIN;
    let answered = |world: &World| world.floor.ledger.answered >= sent;
    stage.world.until(end, answered)?;
    Ok(())
}

fn cpu(stage: &Stage, column: &mut Column, key: &'static str, before: Option<f64>, count: usize) {
    let after = stage.proxy.pid.and_then(process::cpu_ms);
    if let (Some(before), Some(after)) = (before, after)
        && count > 0
    {
        column.number(key, (after - before) * 1000.0 / count as f64);
    }
}
