//! `smart-mining-proxy run`: the appliance itself.

use super::load;
use clap::Args;
use smart_mining_proxy::config::Config;
use smart_mining_proxy::doctor::open_files_wanted;
use smart_mining_proxy::update::Updatable;
use smart_mining_proxy::{journal, provision, supervisor};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Set by the image, for an appliance that central may update.
#[derive(Args)]
pub struct Appliance {
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

pub fn run(path: &Path, appliance: Option<Appliance>) -> ExitCode {
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

/// A miner is an open file. What the system allows is taken; if that is too few, it is
/// said now and not in the night in which all come back at once.
fn raise_open_files(config: &Config) {
    use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
    let (miners, others) = open_files_wanted(config);
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
