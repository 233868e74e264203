//! The command line of the demo.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Args;

#[derive(Args)]
pub struct DemoArgs {
    /// The appliance's Stratum port for sha256d
    #[arg(long, default_value = "127.0.0.1:3333")]
    pub stratum_sha256d: SocketAddr,
    /// The appliance's Stratum port for scrypt
    #[arg(long, default_value = "127.0.0.1:3334")]
    pub stratum_scrypt: SocketAddr,
    /// The appliance's status page
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub status_url: String,
    /// Central's API
    #[arg(long, default_value = "127.0.0.1:3000")]
    pub api_target: SocketAddr,
    /// Where the appliance reaches central's API through the WAN
    #[arg(long, default_value = "127.0.0.1:3080")]
    pub api_relay: SocketAddr,
    /// First public port of pools A, B, C: three for sha256d, and ten above
    /// three for scrypt; 0: any free ports
    #[arg(long, default_value_t = 13331)]
    pub pool_ports: u16,
    /// Unix socket for commands; `smart-mining-farmsim control PATH ..` uses it
    #[arg(long)]
    pub control: Option<PathBuf>,
    /// Miners; seven of ten mine sha256d, the others scrypt
    #[arg(long, default_value_t = 20)]
    pub miners: usize,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Stop after this time
    #[arg(long)]
    pub seconds: Option<u64>,
    /// One line every 5 s, no keys
    #[arg(long)]
    pub plain: bool,
    /// The address that real miners can reach [default: this machine's first]
    #[arg(long)]
    pub advertise: Option<IpAddr>,
}

#[derive(Args)]
pub struct ControlArgs {
    /// The socket that was given to `demo --control`
    pub socket: PathBuf,
    /// wan down|up, central down|up, pool kill|revive|silence A|B|C, block, status
    #[arg(required = true)]
    pub command: Vec<String>,
}
