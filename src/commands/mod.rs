//! The command line: one file a command, and here what they have in common.
//!
//! Exit codes: 0 done, 1 failed, 2 bad input, 3 the doctor found a problem. `--help` says them.

use clap::{CommandFactory as _, Parser, Subcommand};
use smart_mining_proxy::config::Config;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use target::{Target, end, usual_config};

mod answer;
mod check;
mod doctor;
mod events;
mod guide;
mod hash_password;
mod health;
mod miners;
mod operator;
mod print;
mod provision;
mod routes;
mod run;
mod shell;
mod status;
mod target;
mod update;
mod watch;

const EXIT_CODES: &str = "Exit codes: 0 done or fine, 1 failed, 2 bad input or a farm.toml that cannot be used, \
3 the doctor found a problem.";

#[derive(Parser)]
#[command(
    name = "smart-mining-proxy",
    version,
    about = "Keeps a mining farm on its best pool, also while the internet is down",
    after_help = EXIT_CODES
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
        /// The answer as JSON, for programs
        #[arg(long)]
        json: bool,
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
        #[command(flatten)]
        target: Target,
        /// Again every two seconds, in its place, until q or Ctrl-C
        #[arg(long, conflicts_with = "json")]
        watch: bool,
    },
    /// Show the miners, the sick ones first
    Miners {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        wanted: miners::Wanted,
    },
    /// Show on which pool each algorithm is
    Routes {
        /// Of this algorithm alone
        algorithm: Option<String>,
        #[command(flatten)]
        target: Target,
        /// The decision, its rule, what each pool pays against the one in use, and what was left out
        #[arg(long)]
        why: bool,
    },
    /// Show what happened, the newest last
    Events {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        wanted: events::Wanted,
    },
    /// Find the usual mistakes of a farm, running or not, and say what to do
    Doctor {
        /// [default: the first of farm.toml, /etc/smart-mining/farm.toml and
        /// /data/smart-mining/farm.toml that is there]
        #[arg(long)]
        config: Option<PathBuf>,
        /// The answer as JSON, for programs
        #[arg(long)]
        json: bool,
        /// Only what is not well
        #[arg(long, short)]
        quiet: bool,
    },
    /// Print a shell's completions: put them where that shell looks for them
    Completions { shell: shell::Shell },
    /// Print the manual page, or write one for each command into a folder
    Man { folder: Option<PathBuf> },
}

pub fn run(arguments: Arguments) -> ExitCode {
    match arguments.command {
        Command::Run { config, appliance } => run::run(&config, appliance),
        Command::Check { config, json } => check::run(&config, json),
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
        Command::Status { target, watch } => end(status::run(&target, watch)),
        Command::Miners { target, wanted } => end(miners::run(&target, &wanted)),
        Command::Routes {
            algorithm,
            target,
            why,
        } => end(routes::run(&target, algorithm.as_deref(), why)),
        Command::Events { target, wanted } => end(events::run(&target, &wanted)),
        Command::Doctor {
            config,
            json,
            quiet,
        } => doctor::run(&config.unwrap_or_else(usual_config), json, quiet),
        Command::Completions { shell } => end(shell::completions(Arguments::command(), shell)),
        Command::Man { folder } => end(shell::man(Arguments::command(), folder.as_deref())),
    }
}

fn load(path: &Path) -> Result<Config, ExitCode> {
    Config::load(path).map_err(|problems| {
        eprintln!("{problems}");
        ExitCode::from(2)
    })
}
