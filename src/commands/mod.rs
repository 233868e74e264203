//! The command line: one file a command, and here what they have in common.
//!
//! Exit codes: 0 done, 1 failed while running, 2 bad input.

use clap::{Parser, Subcommand};
use smart_mining_proxy::config::Config;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod check;
mod guide;
mod hash_password;
mod health;
mod operator;
mod provision;
mod run;
mod status;
mod update;

#[derive(Parser)]
#[command(
    name = "smart-mining-proxy",
    version,
    about = "Keeps a mining farm on its best pool, also while the internet is down"
)]
pub struct Arguments {
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
        appliance: Option<run::Appliance>,
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
    /// Turn a password, a worker's or the operator's, into what farm.toml keeps of it
    HashPassword,
    #[command(flatten)]
    Operator(operator::Wish),
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

pub fn run(arguments: Arguments) -> ExitCode {
    match arguments.command {
        Command::Run { config, appliance } => run::run(&config, appliance),
        Command::Check { config } => check::run(&config),
        Command::Provision { card, data, device } => {
            provision::run(&card, &data, device.as_deref())
        }
        Command::Guide { data, bind } => guide::run(data, bind),
        Command::Health { config, central } => health::run(&config, central),
        Command::Update {
            bundle,
            allow_older,
            no_reboot,
        } => update::run(&bundle, allow_older, no_reboot),
        Command::HashPassword => hash_password::run(),
        Command::Operator(wish) => operator::run(wish),
        Command::Status { url, json } => status::run(&url, json),
    }
}

fn load(path: &Path) -> Result<Config, ExitCode> {
    Config::load(path).map_err(|problems| {
        eprintln!("{problems}");
        ExitCode::from(2)
    })
}
