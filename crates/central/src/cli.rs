//! What both binaries do alike: logs, exit codes and the signal to stop. And what the
//! operating system must allow them.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// The input was wrong; the same code that a wrong command line gives.
pub const BAD_INPUT: u8 = 2;

/// Logs go to stderr; stdout is for what a command was asked for.
pub fn start_logging() {
    let wanted = env_logger::Env::default().default_filter_or("info,sqlx=warn");
    env_logger::Builder::from_env(wanted).init();
}

/// Say what went wrong and answer the process's exit code.
pub fn finish(
    result: anyhow::Result<()>,
    is_bad_input: impl Fn(&anyhow::Error) -> bool,
) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    eprintln!("error: {error:#}");
    match is_bad_input(&error) {
        true => ExitCode::from(BAD_INPUT),
        false => ExitCode::FAILURE,
    }
}

/// Open files beside connections: the database's, the log, the listener.
const OTHER_FILES: u64 = 64;

/// Take all the open files that the system grants, for each connection is one. It mostly
/// grants far more than the 1024 that a process starts with, which is kept so low for
/// programs that use `select`. Says so when even that is too little.
pub fn allow_connections(wanted: usize) {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        }
        Ok(hard)
    });
    match raised {
        Ok(files) if files >= (wanted as u64).saturating_add(OTHER_FILES) => {}
        Ok(files) => log::warn!(
            "{files} open files are granted, which is too few for {wanted} connections; \
             raise the limit (LimitNOFILE=, ulimit -H -n, docker --ulimit nofile=) or set \
             --max-connections below it"
        ),
        Err(error) => log::warn!("the limit of open files cannot be raised: {error}"),
    }
}

/// Resolves at SIGTERM or SIGINT. Call it before there is something to stop:
/// from then on those signals no longer end the process by themselves.
pub fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
