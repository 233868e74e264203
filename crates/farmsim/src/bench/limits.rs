//! Open files: every connection is one, at both ends.

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Makes room for the sockets of `miners`; proxies inherit it.
pub fn raise(miners: usize) -> Result<()> {
    // A direct miner has both ends of its connection in this process, and so has
    // a miner of a proxy that opens a connection each.
    let needed = 2 * u64::try_from(miners)? + 200;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let raised = hard.max(needed);
    if raised > hard && setrlimit(Resource::RLIMIT_NOFILE, raised, raised).is_ok() {
        return Ok(());
    }
    ensure!(
        hard >= needed,
        "{miners} miners need {needed} open files and the limit is {hard}: raise it \
         (ulimit -Hn {needed}, as root) or measure at most {} miners",
        hard.saturating_sub(200) / 2
    );
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("cannot raise the limit of open files")
}

/// The files a proxy that is started here may open.
pub fn open_files() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft)
}
