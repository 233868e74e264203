//! What to measure, and how long.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Args)]
pub struct BenchArgs {
    /// Simulated miners
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub miners: u32,
    /// What stands between miners and pools
    #[arg(long, value_delimiter = ',', default_value = "none,haproxy,appliance")]
    pub proxies: Vec<Known>,
    /// A proxy that runs already; it needs pool A and B as its pools
    #[arg(long, value_name = "NAME=ADDRESS:PORT[,PID]")]
    pub external: Vec<External>,
    /// Scenarios; all unless told
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<Scenario>,
    /// The appliance's program
    #[arg(long, default_value = "smart-mining-proxy")]
    pub proxy_binary: PathBuf,
    /// The processor that started proxies run on; pin this program to another
    #[arg(long, default_value_t = 1)]
    pub proxy_cpu: usize,
    /// Length of each round-trip measurement; a step of the ramp takes half of it
    #[arg(long, default_value_t = 4.0)]
    pub seconds: f64,
    /// Seconds after which a takeover counts as never
    #[arg(long, default_value_t = 60)]
    pub bound: u64,
    /// Where pool A listens; port 0 takes any
    #[arg(long, default_value = "127.0.0.1:0")]
    pub pool_a: SocketAddr,
    /// Where pool B listens
    #[arg(long, default_value = "127.0.0.1:0")]
    pub pool_b: SocketAddr,
    /// Write the numbers here as JSON too
    #[arg(long)]
    pub json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Known {
    None,
    Haproxy,
    Appliance,
    /// The appliance while its page is open 50 times.
    Watched,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    Connect,
    Notify,
    Rtt,
    Max,
    Rss,
    Wan,
    Kill,
    Blackhole,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    pub name: String,
    pub address: SocketAddr,
    pub pid: Option<u32>,
}

impl std::str::FromStr for External {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let usage = || format!("{text:?} is no NAME=ADDRESS:PORT[,PID]");
        let (name, rest) = text.split_once('=').ok_or_else(usage)?;
        let (address, pid) = match rest.split_once(',') {
            Some((address, pid)) => (address, Some(pid.parse().map_err(|_| usage())?)),
            None => (rest, None),
        };
        Ok(Self {
            name: name.to_owned(),
            address: address.parse().map_err(|_| usage())?,
            pid,
        })
    }
}

impl BenchArgs {
    pub fn wants(&self, scenario: Scenario) -> bool {
        self.only.is_empty() || self.only.contains(&scenario)
    }
}
