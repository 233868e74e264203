//! `smart-mining-farmsim`: the simulated farm as a program.
//!
//! - `demo`: pools, WAN and miners around a running appliance, with keys and a
//!   control socket to break things
//! - `control`: sends a command to a running demo
//! - `farms`, `requests`: load for central's API
//! - `bench`: measures proxies side by side
//! - `pool`, `miner`: one of them alone, to point something else at

mod bench;
mod demo;
mod load;
mod single;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(version, about = "Simulated pools, miners and WAN for a mining proxy")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run three pools, their WAN and a farm of miners around an appliance
    Demo(demo::DemoArgs),
    /// Send a command to a running demo, e.g. `control farm.sock wan down`
    Control(demo::ControlArgs),
    /// Run one simulated pool
    Pool(single::PoolArgs),
    /// Run simulated miners
    Miner(single::MinerArgs),
    /// Poll central's API as a crowd of farms does; prints JSON
    Farms(load::FarmsArgs),
    /// Measure proxies between thousands of miners and two pools
    Bench(bench::BenchArgs),
    /// Ask one address again and again; prints JSON
    Requests(load::RequestsArgs),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Demo(args) => on_runtime(demo::run(args)),
        Command::Control(args) => demo::control(&args),
        Command::Pool(args) => on_runtime(single::pool(args)),
        Command::Miner(args) => on_runtime(single::miner(args)),
        Command::Bench(args) => bench::run(&args),
        Command::Farms(args) => on_runtime(load::farms(args)),
        Command::Requests(args) => on_runtime(load::requests(args)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("smart-mining-farmsim: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn on_runtime(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let result = runtime.block_on(work);
    // A thread that waits for a key or an answer must not hold the program up.
    runtime.shutdown_background();
    result
}
