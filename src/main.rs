//! `smart-mining-proxy`: the command line.
//!
//! Exit codes: 0 done, 1 failed while running, 2 bad input.
#![deny(unsafe_code)]

use clap::{Args, Parser, Subcommand};
use smart_mining_core::lane::MAX_DEDICATED;
use smart_mining_proxy::config::Config;
use smart_mining_proxy::update::Updatable;
use smart_mining_proxy::{journal, provision, supervisor, tls};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod guide_command;
mod hash_command;
mod health_command;
mod provision_command;
mod status_command;
mod update_command;

#[derive(Parser)]
#[command(
    name = "smart-mining-proxy",
    version,
    about = "Keeps a mining farm on its best pool, also while the internet is down"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve miners until stopped
    Run {
        #[arg(long, default_value = "farm.toml")]
        config: PathBuf,
        #[command(flatten)]
        appliance: Option<Appliance>,
    },
    /// Say everything that is wrong with a farm.toml, and start nothing
    Check {
        #[arg(default_value = "farm.toml")]
        config: PathBuf,
    },
    /// Take the farm.toml from a card's FAT partition, if it has no mistake
    Provision {
        /// Where that partition is mounted
        card: PathBuf,
        /// The folder in which the appliance keeps the one in force
        data: PathBuf,
        /// The folder for what the appliance's own system is told: name, address, Wi-Fi, keys
        #[arg(long)]
        device: Option<PathBuf>,
    },
    /// Serve a page that says what is missing, while there is no farm.toml in force
    Guide {
        /// The folder in which `provision` keeps the one in force
        data: PathBuf,
        #[arg(long, default_value = "0.0.0.0:80")]
        bind: SocketAddr,
    },
    /// Say whether a running appliance is well: its page answers and its store can be written
    Health {
        #[arg(long, default_value = "farm.toml")]
        config: PathBuf,
        /// Central has to be reachable, too
        #[arg(long)]
        central: bool,
    },
    /// Install a signed release (.raucb) into the slot that is not running, and start it
    Update {
        /// A file, or where it can be fetched
        bundle: String,
        /// Also one that is older than a release this appliance has had
        #[arg(long)]
        allow_older: bool,
        /// Install it, and let it start at the next start
        #[arg(long)]
        no_reboot: bool,
    },
    /// Turn a worker's password into what farm.toml keeps of it
    HashPassword,
    /// Show what a running appliance does
    Status {
        /// Where its status page is
        #[arg(long, default_value = "http://127.0.0.1:8080")]
        url: String,
        /// The answer of /api/status as it is
        #[arg(long)]
        json: bool,
    },
}

/// Set by the image, for an appliance that central may update.
#[derive(Args)]
struct Appliance {
    /// What central calls this kind of appliance
    #[arg(long, env = "SMART_MINING_BOARD", required = false)]
    board: String,
    /// The release that was started
    #[arg(long, env = "SMART_MINING_RELEASE", required = false)]
    release: String,
    /// Where to write down the release that central wants, for the updater
    #[arg(long, env = "SMART_MINING_WANTED", required = false)]
    wanted: PathBuf,
    /// Where the updater writes down what became of the last release it tried
    #[arg(long, env = "SMART_MINING_OUTCOME")]
    outcome: Option<PathBuf>,
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run { config, appliance } => run(&config, appliance),
        Command::Check { config } => check(&config),
        Command::Provision { card, data, device } => {
            provision_command::run(&card, &data, device.as_deref())
        }
        Command::Guide { data, bind } => guide_command::run(data, bind),
        Command::Health { config, central } => health_command::run(&config, central),
        Command::Update {
            bundle,
            allow_older,
            no_reboot,
        } => update_command::run(&bundle, allow_older, no_reboot),
        Command::HashPassword => hash_command::run(),
        Command::Status { url, json } => status_command::run(&url, json),
    }
}

fn load(path: &Path) -> Result<Config, ExitCode> {
    Config::load(path).map_err(|problems| {
        eprintln!("{problems}");
        ExitCode::from(2)
    })
}

fn check(path: &Path) -> ExitCode {
    let config = match load(path) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let own = (config.listeners.iter()).filter_map(|listener| listener.certificate.as_ref());
    let unusable: Vec<_> = own
        .filter_map(|own| tls::server::from_files(own).err())
        .collect();
    for error in &unusable {
        eprintln!("{}: {error:#}", path.display());
    }
    if !unusable.is_empty() {
        return ExitCode::from(2);
    }
    let listeners: Vec<String> = config
        .listeners
        .iter()
        .map(|listener| format!("{} on {}", listener.algorithm, listener.bind))
        .collect();
    println!(
        "{} is valid: farm {:?}, {}, {} account(s), {} pool(s) of its own, central {}",
        path.display(),
        config.farm.name,
        listeners.join(", "),
        config.accounts.len(),
        config.pools.len(),
        config
            .central
            .as_ref()
            .map_or("not configured", |central| &central.url),
    );
    ExitCode::SUCCESS
}

/// A miner is an open file. What the system allows is taken; if that is too few, it is
/// said now and not in the night in which all come back at once.
fn raise_open_files(config: &Config) {
    use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
    let miners: usize = config
        .listeners
        .iter()
        .map(|listener| listener.max_miners)
        .sum();
    // Where a pool has no room for two each miner has a connection to it, too.
    let dedicated: usize = (config.listeners.iter())
        .map(|listener| listener.max_miners.min(MAX_DEDICATED))
        .sum();
    let others = dedicated + 256;
    // As wide as the system counts files: 32 bits on a 32-bit one.
    let limit = |files: usize| rlim_t::try_from(files).unwrap_or(rlim_t::MAX);
    let wanted = limit(miners + others);
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return;
    };
    let allowed = soft.max(wanted.min(hard));
    if let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, allowed, hard) {
        log::warn!("the limit of open files stays at {soft}: {error}");
    }
    if wanted > allowed {
        log::warn!(
            "listener.max_miners allows {miners} miners, the limit of open files only about {}; \
             raise it (LimitNOFILE= of the unit, ulimit -n) to {wanted}",
            allowed.saturating_sub(limit(others))
        );
    }
}

fn run(path: &Path, appliance: Option<Appliance>) -> ExitCode {
    let config = match load(path) {
        Ok(config) => config,
        Err(code) => return code,
    };
    journal::install();
    raise_open_files(&config);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let appliance = appliance.map(|appliance| Updatable {
        board: appliance.board,
        running: appliance.release,
        wanted: appliance.wanted,
        outcome: appliance.outcome,
    });
    let card = provision::Report::beside(path);
    let outcome = runtime.block_on(supervisor::run(config, card, appliance));
    // The sync thread may be waiting for central; nothing depends on it any more.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
