//! Socket options that both sides need.

use nix::sys::socket::{setsockopt, sockopt};
use std::os::fd::AsFd;
use tokio::net::TcpStream;

/// Small lines must go out at once, and a peer that is gone must be noticed
/// although it sends no FIN: keepalive while nothing is in flight, the user
/// time-out while something is.
pub fn prepare(stream: &TcpStream, user_timeout_ms: u32) {
    let fd = stream.as_fd();
    let outcomes = [
        stream.set_nodelay(true).map_err(|error| error.to_string()),
        setsockopt(&fd, sockopt::KeepAlive, &true).map_err(|error| error.to_string()),
        setsockopt(&fd, sockopt::TcpKeepIdle, &30).map_err(|error| error.to_string()),
        setsockopt(&fd, sockopt::TcpKeepInterval, &10).map_err(|error| error.to_string()),
        setsockopt(&fd, sockopt::TcpKeepCount, &3).map_err(|error| error.to_string()),
        setsockopt(&fd, sockopt::TcpUserTimeout, &user_timeout_ms)
            .map_err(|error| error.to_string()),
    ];
    for error in outcomes.into_iter().filter_map(Result::err) {
        log::debug!("a socket option was refused: {error}");
    }
}
