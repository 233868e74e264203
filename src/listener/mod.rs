//! The port of one algorithm, and the one thread that serves all its miners.
//!
//! ```text
//!   sockets --readable--> lines --> session --> answer, written at once
//!                                      |------> share --> outbox of its pool's link
//!   inbox  --board-----> every session --> the same bytes, written at once
//!          --verdicts--> the flight they belong to --> answer
//!          --admissions--> the session that asked --> answer
//! ```
//!
//! One thread, one read buffer, one write buffer: a miner costs its session and
//! its row in the table, and a notify costs one write a miner. A miner that does
//! not read is passed over, and is shown the newest board when it reads again; no
//! miner waits for another.
//!
//! | file | does |
//! |---|---|
//! | `reactor` | waits for sockets, inbox and clock, and calls the others |
//! | `serve` | what is done with a line, a board, a verdict |
//! | `guest` | one socket |
//! | `door` | who may come in, and who sits where |
//! | `inbox` | what lane, links and the checker of passwords tell the thread |
//! | `outbox` | what the thread tells a link |

mod door;
mod guest;
mod inbox;
mod outbox;
mod reactor;
mod serve;

pub(crate) use inbox::Inbox;
pub(crate) use outbox::Outbox;
pub(crate) use reactor::{Needs, Reactor};

use crate::config::Listener;
use anyhow::Context;
use mio::{Poll, Waker};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, setsockopt, socket, sockopt,
};
use rustls::ServerConfig;
use smart_mining_core::share::{Board, LinkId, Submit, WorkerName};
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::sync::Arc;

/// A miner that stopped answering is noticed within this.
const USER_TIMEOUT_MS: u32 = 60_000;

/// What miners have for a link.
#[derive(Debug)]
pub(crate) enum Delivery {
    Share(Submit),
    /// A worker that will send shares soon.
    Introduce(WorkerName),
    /// Miners work for this pool now, or no longer do.
    Active(bool),
}

#[derive(Clone, Debug)]
pub(crate) struct LinkHandle {
    pub pool: Arc<str>,
    pub outbox: Arc<Outbox>,
}

/// What every miner of the port sees.
#[derive(Clone, Debug, Default)]
pub(crate) struct Published {
    pub board: Arc<Board>,
    pub links: Arc<BTreeMap<LinkId, LinkHandle>>,
}

/// A port that is open, before anything is served on it.
#[derive(Debug)]
pub struct Bound {
    pub config: Listener,
    pub(crate) inbox: Arc<Inbox>,
    tls: Arc<ServerConfig>,
    poll: Poll,
    socket: TcpListener,
}

/// Open the port, or say which and why not. `tls`: for miners that begin with it.
pub fn bind(config: &Listener, tls: Arc<ServerConfig>) -> anyhow::Result<Bound> {
    let socket = listen(config.bind).map_err(|error| {
        anyhow::anyhow!(
            "cannot open {} for {} miners: {error}; is another program using the port? change listener.bind",
            config.bind,
            config.algorithm,
        )
    })?;
    let poll = Poll::new().context("cannot wait for sockets")?;
    let waker = Waker::new(poll.registry(), reactor::INBOX).context("cannot wait for sockets")?;
    Ok(Bound {
        config: config.clone(),
        inbox: Arc::new(Inbox::new(waker)),
        tls,
        poll,
        socket,
    })
}

/// By hand, for the queue: a whole farm may come at once after a power cut.
fn listen(address: SocketAddr) -> nix::Result<TcpListener> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let port = socket(family, SockType::Stream, flags, None)?;
    setsockopt(&port, sockopt::ReuseAddr, &true)?;
    nix::sys::socket::bind(port.as_raw_fd(), &SockaddrStorage::from(address))?;
    // What is accepted inherits them.
    crate::socket::prepare(&port, USER_TIMEOUT_MS);
    nix::sys::socket::listen(&port, Backlog::MAXCONN)?;
    Ok(TcpListener::from(port))
}

impl Bound {
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap_or(self.config.bind)
    }
}
