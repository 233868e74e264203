//! The simulated world around the appliance: pools, WAN, miners.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use smart_mining_farmsim::miner::{Miner, MinerConfig, Personality};
use smart_mining_farmsim::pool::{FirstJob, Mode, PerWorkerAuthorize, Pool, PoolConfig};
use smart_mining_farmsim::pow::Algorithm;
use smart_mining_farmsim::wan::Relay;

use super::args::DemoArgs;
use super::command::{Command, PoolAction};

/// Accepted shares that are kept one by one; nobody looks at old ones here.
const KEPT: usize = 1000;

/// How long the last answers may take.
const SETTLING: Duration = Duration::from_secs(2);

pub const NAMES: [&str; 3] = ["A", "B", "C"];

/// A pool with a port for each algorithm, and the WAN in front of it.
pub struct Site {
    pub ports: [Pool; 2],
    wan: [Relay; 2],
    killed: bool,
}

pub struct World {
    pub sites: Vec<Site>,
    central: Relay,
    pub miners: Vec<Miner>,
    wan_down: bool,
    central_down: bool,
}

impl World {
    pub async fn build(args: &DemoArgs) -> Result<Self> {
        let mut sites = Vec::new();
        for place in 0..NAMES.len() {
            sites.push(Site::build(place, args).await?);
        }
        Ok(Self {
            sites,
            central: relay(args.api_relay, args.api_target).await?,
            miners: Vec::new(),
            wan_down: false,
            central_down: false,
        })
    }

    /// Seven of ten mine sha256d; personalities and hashrates are mixed.
    pub fn start_miners(&mut self, args: &DemoArgs) {
        let sha256d = (args.miners * 7).div_ceil(10);
        for number in 1..=args.miners {
            let (algorithm, port) = if number <= sha256d {
                (Algorithm::Sha256d, args.stratum_sha256d)
            } else {
                (Algorithm::Scrypt, args.stratum_scrypt)
            };
            let personality = match number % 3 {
                0 => Personality::Minerd,
                1 => Personality::Bitaxe,
                _ => Personality::Cgminer,
            };
            let name = format!("demo.rig{number:02}");
            let mut config = MinerConfig::new(port, &name, personality, algorithm);
            config.hashrate = demo_hashrate(algorithm) * (0.75 + 0.25 * (number % 3) as f64);
            config.seed ^= args.seed;
            config.keep_shares = KEPT;
            self.miners.push(Miner::start(config));
        }
    }

    /// Carries a command out; the text says how things are now.
    pub async fn obey(&mut self, command: Command) -> Result<String> {
        match command {
            Command::Wan { up } => {
                self.wan_down = !up;
                self.apply_wan().await?;
                Ok(format!("WAN {}", state(up)))
            }
            Command::Central { up } => {
                self.central_down = !up;
                self.apply_wan().await?;
                Ok(format!("central {}", state(up)))
            }
            Command::Pool(action, place) => {
                self.sites[place].act(action).await?;
                let now = self.sites[place].condition();
                Ok(format!("pool {} {now}", NAMES[place]))
            }
            Command::Block => {
                self.sites
                    .iter()
                    .flat_map(|site| &site.ports)
                    .for_each(Pool::new_block);
                Ok("new block on every pool".to_owned())
            }
            Command::Status => Ok(self.status().to_string()),
            Command::Quit => Ok("quit".to_owned()),
        }
    }

    /// A broken WAN swallows; a central that is down refuses.
    async fn apply_wan(&self) -> Result<()> {
        for relay in self.sites.iter().flat_map(|site| &site.wan) {
            match (self.wan_down, relay.is_cut()) {
                (true, false) => relay.cut(),
                (false, true) => relay.restore().await?,
                (true, true) | (false, false) => {}
            }
        }
        match (self.wan_down, self.central_down) {
            (true, _) => {
                self.central.restore().await?;
                self.central.cut();
            }
            (false, true) => self.central.cut_and_refuse().await?,
            (false, false) => self.central.restore().await?,
        }
        Ok(())
    }

    pub fn wan_is_down(&self) -> bool {
        self.wan_down
    }

    pub fn central_is_down(&self) -> bool {
        self.central_down
    }

    /// Killed or misbehaving: a revive would help.
    pub fn is_in_trouble(&self, place: usize) -> bool {
        self.sites[place].condition() != "up"
    }

    /// Stops hashing and waits a moment for the answers that are due.
    pub async fn settle(&self) {
        self.miners.iter().for_each(Miner::pause);
        let end = Instant::now() + SETTLING;
        for miner in &self.miners {
            let left = end.saturating_duration_since(Instant::now());
            // Who has no answer by then never gets one.
            let _ = miner.drain(left).await;
        }
    }

    fn status(&self) -> Value {
        let pools: serde_json::Map<_, _> = self
            .sites
            .iter()
            .zip(NAMES)
            .map(|(site, name)| (name.to_owned(), site.status()))
            .collect();
        let sum = |of: fn(&smart_mining_farmsim::miner::MinerStats) -> u64| -> u64 {
            self.miners.iter().map(|miner| miner.read(of)).sum()
        };
        json!({
            "wan": state(!self.wan_down),
            "central": state(!self.central_down),
            "pools": pools,
            "miners": {
                "total": self.miners.len(),
                "working": sum(|stats| u64::from(stats.working)),
                "accepted": sum(|stats| stats.accepted),
                "rejected": sum(|stats| stats.rejected_total()),
                "unanswered": sum(|stats| stats.unanswered),
                "in_flight": sum(|stats| stats.in_flight),
                "disconnects": sum(|stats| stats.disconnects),
                "violations": sum(|stats| stats.violations.len() as u64),
            }
        })
    }
}

impl Site {
    async fn build(place: usize, args: &DemoArgs) -> Result<Self> {
        let start = async |algorithm, above: u16| -> Result<(Pool, Relay)> {
            let pool = Pool::start(character(place, algorithm, args.seed)).await?;
            let port = match args.pool_ports {
                0 => 0,
                first => first + above + place as u16,
            };
            let public = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let wan = relay(public, pool.address()).await?;
            Ok((pool, wan))
        };
        let (sha256d, wan1) = start(Algorithm::Sha256d, 0).await?;
        let (scrypt, wan2) = start(Algorithm::Scrypt, 10).await?;
        Ok(Self {
            ports: [sha256d, scrypt],
            wan: [wan1, wan2],
            killed: false,
        })
    }

    async fn act(&mut self, action: PoolAction) -> Result<()> {
        for pool in &self.ports {
            match action {
                PoolAction::Kill => pool.kill().await?,
                PoolAction::Revive => pool.revive().await?,
                PoolAction::Silence => pool.silence(),
            }
        }
        self.killed = match action {
            PoolAction::Kill => true,
            PoolAction::Revive => false,
            PoolAction::Silence => self.killed,
        };
        Ok(())
    }

    pub fn condition(&self) -> &'static str {
        if self.killed {
            "killed"
        } else if self.ports[0].mode() == Mode::Silent {
            "silent"
        } else {
            "up"
        }
    }

    fn status(&self) -> Value {
        let sum = |of: fn(&smart_mining_farmsim::pool::Books) -> u64| -> u64 {
            self.ports.iter().map(|pool| pool.read(of)).sum()
        };
        json!({
            "state": self.condition(),
            "accepted": sum(|books| books.total.accepted),
            "rejected": sum(|books| books.total.rejected_total()),
            "blocks": sum(|books| books.total.blocks),
            "connections": sum(|books| books.connections_now),
        })
    }
}

/// The three pools differ as real ones do.
fn character(place: usize, algorithm: Algorithm, seed: u64) -> PoolConfig {
    let name = format!("{} {algorithm}", NAMES[place]);
    let usual = PoolConfig {
        // A share a second from each miner, a block every minute or two.
        difficulty: algorithm.difficulty_for(demo_hashrate(algorithm), 1.0),
        nbits: match algorithm {
            Algorithm::Sha256d => 0x1e02_4000,
            Algorithm::Scrypt => 0x1f03_a000,
        },
        block_ends_round: true,
        block_interval: Some(Duration::from_secs(180 + 30 * place as u64)),
        keep_shares: KEPT,
        ..PoolConfig::new(&name, algorithm, seed.wrapping_add(place as u64))
    };
    match place {
        0 => usual,
        1 => PoolConfig {
            first_job: FirstJob::AfterSubscribe,
            per_worker_authorize: PerWorkerAuthorize::AcceptButShareMustCarryFirst,
            reject_with_false: true,
            ..usual
        },
        _ => PoolConfig {
            extranonce2_size: 4,
            session_resume: false,
            ..usual
        },
    }
}

/// Slow enough that twenty miners leave the processor to the appliance.
fn demo_hashrate(algorithm: Algorithm) -> f64 {
    match algorithm {
        Algorithm::Sha256d => 6_000.0,
        Algorithm::Scrypt => 25.0,
    }
}

async fn relay(listen: SocketAddr, target: SocketAddr) -> Result<Relay> {
    Relay::start(listen, target)
        .await
        .with_context(|| format!("port {listen} of the simulated WAN is taken: stop what uses it"))
}

fn state(up: bool) -> &'static str {
    if up { "up" } else { "down" }
}
