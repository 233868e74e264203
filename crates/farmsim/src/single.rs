//! One pool or a few miners alone.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use smart_mining_farmsim::miner::{Miner, MinerConfig, Personality};
use smart_mining_farmsim::pool::{Pool, PoolConfig};
use smart_mining_farmsim::pow::Algorithm;

use crate::demo::{Stop, quantity};

const EVERY: Duration = Duration::from_secs(5);

#[derive(Args)]
pub struct PoolArgs {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:3333")]
    bind: SocketAddr,
    /// sha256d or scrypt
    #[arg(long, default_value = "sha256d")]
    algorithm: Algorithm,
    #[arg(long, default_value = "pool")]
    name: String,
    /// Jobs and extranonces follow from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Start difficulty [default: suits a simulated miner]
    #[arg(long)]
    difficulty: Option<f64>,
    #[arg(long, default_value_t = 8)]
    extranonce2_size: usize,
    /// Adjust the difficulty to one share in this many seconds
    #[arg(long)]
    vardiff_seconds: Option<f64>,
    /// A new block this often
    #[arg(long)]
    block_seconds: Option<f64>,
}

#[derive(Args)]
pub struct MinerArgs {
    /// The pool or proxy, HOST:PORT
    #[arg(long, default_value = "127.0.0.1:3333")]
    pool: String,
    /// Worker name; several miners get 01, 02, .. added
    #[arg(long, default_value = "demo.rig")]
    name: String,
    #[arg(long, default_value = "x")]
    password: String,
    /// sha256d or scrypt
    #[arg(long, default_value = "sha256d")]
    algorithm: Algorithm,
    /// minerd, bitaxe or cgminer
    #[arg(long, default_value = "minerd", value_parser = personality)]
    personality: Personality,
    /// Hashes per second of each miner
    #[arg(long)]
    hashrate: Option<f64>,
    #[arg(long, default_value_t = 1)]
    count: usize,
}

fn personality(text: &str) -> Result<Personality, String> {
    match text {
        "minerd" => Ok(Personality::Minerd),
        "bitaxe" => Ok(Personality::Bitaxe),
        "cgminer" => Ok(Personality::Cgminer),
        other => Err(format!(
            "unknown personality {other:?}: use minerd, bitaxe or cgminer"
        )),
    }
}

/// Runs a pool until told to stop.
pub async fn pool(args: PoolArgs) -> Result<()> {
    let mut config = PoolConfig::new(&args.name, args.algorithm, args.seed);
    config.bind = args.bind;
    config.extranonce2_size = args.extranonce2_size;
    config.vardiff = args.vardiff_seconds.map(Duration::from_secs_f64);
    config.block_interval = args.block_seconds.map(Duration::from_secs_f64);
    config.difficulty = args.difficulty.unwrap_or(config.difficulty);
    config.keep_shares = 1000;
    let pool = Pool::start(config)
        .await
        .with_context(|| format!("cannot listen on {}: choose another --bind", args.bind))?;
    println!(
        "{} pool at stratum+tcp://{}",
        args.algorithm,
        pool.address()
    );
    let mut stop = Stop::new()?;
    while !stop.within(EVERY).await {
        println!("{}", describe_pool(&pool));
    }
    println!("{}", describe_pool(&pool));
    Ok(())
}

fn describe_pool(pool: &Pool) -> String {
    pool.read(|books| {
        format!(
            "connections {} ({} ready), accepted {}, rejected {:?}, blocks {}, difficulty accepted {:.6}",
            books.connections_now,
            books.ready_now,
            books.total.accepted,
            books.total.rejected,
            books.total.blocks,
            books.total.difficulty,
        )
    })
}

/// Runs miners until told to stop.
pub async fn miner(args: MinerArgs) -> Result<()> {
    let pool = tokio::net::lookup_host(&args.pool)
        .await
        .with_context(|| format!("--pool {}: HOST:PORT is needed", args.pool))?
        .next()
        .with_context(|| format!("--pool {}: no address", args.pool))?;
    let miners: Vec<Miner> = (1..=args.count)
        .map(|number| start_miner(&args, pool, number))
        .collect();
    let mut stop = Stop::new()?;
    while !stop.within(EVERY).await {
        miners
            .iter()
            .for_each(|miner| println!("{}", describe_miner(miner)));
    }
    for miner in &miners {
        let _ = miner.drain(Duration::from_secs(2)).await;
        println!("{}", describe_miner(miner));
    }
    Ok(())
}

fn start_miner(args: &MinerArgs, pool: SocketAddr, number: usize) -> Miner {
    let name = if args.count == 1 {
        args.name.clone()
    } else {
        format!("{}{number:02}", args.name)
    };
    let mut config = MinerConfig::new(pool, &name, args.personality, args.algorithm);
    config.password.clone_from(&args.password);
    config.hashrate = args.hashrate.unwrap_or(config.hashrate);
    config.keep_shares = 1000;
    Miner::start(config)
}

fn describe_miner(miner: &Miner) -> String {
    miner.read(|stats| {
        format!(
            "{}: {}, {}H made, accepted {}, rejected {:?}, unanswered {}, disconnects {}{}{}",
            miner.name(),
            if stats.working {
                "working"
            } else {
                "not working"
            },
            quantity(stats.hashes as f64),
            stats.accepted,
            stats.rejected,
            stats.unanswered,
            stats.disconnects,
            match &stats.last_disconnect {
                Some(reason) if !stats.working => format!(" ({reason})"),
                Some(_) | None => String::new(),
            },
            match stats.violations.last() {
                Some(last) => format!(", {} violations: {last}", stats.violations.len()),
                None => String::new(),
            }
        )
    })
}
