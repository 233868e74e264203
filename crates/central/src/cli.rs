//! What both binaries do alike: logs, exit codes and the signal to stop.

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
