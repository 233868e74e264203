//! Socket options that both sides need.

use nix::sys::socket::{setsockopt, sockopt};
use std::os::fd::AsFd;

/// Small lines must go out at once, and a peer that is gone must be noticed
/// although it sends no FIN: keepalive while nothing is in flight, the user
/// time-out while something is. A port hands them on to what it accepts.
pub fn prepare(socket: &impl AsFd, user_timeout_ms: u32) {
    let outcomes = [
        setsockopt(socket, sockopt::TcpNoDelay, &true),
        setsockopt(socket, sockopt::KeepAlive, &true),
        setsockopt(socket, sockopt::TcpKeepIdle, &30),
        setsockopt(socket, sockopt::TcpKeepInterval, &10),
        setsockopt(socket, sockopt::TcpKeepCount, &3),
        setsockopt(socket, sockopt::TcpUserTimeout, &user_timeout_ms),
    ];
    for error in outcomes.into_iter().filter_map(Result::err) {
        log::debug!("a socket option was refused: {error}");
    }
}
