//! One miner's connection: its socket, its session, and what could not be sent yet.

use crate::registry::Miner;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use smart_mining_core::Instant;
use smart_mining_core::line::Unfinished;
use smart_mining_core::share::LinkId;
use smart_mining_core::sv1::MinerSession;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

/// More than this waits for no miner: it reads nothing.
const MOST_UNSENT: usize = 64 * 1024;

/// Why a connection ended, for the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// What connections do.
    Gone(String),
    /// What no miner does: a scanner, a browser, a mistaken port.
    Junk(String),
}

pub(super) fn gone(text: impl Into<String>) -> Ended {
    Ended::Gone(text.into())
}

/// What a read brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Bytes(usize),
    /// All there was has been read.
    Nothing,
}

#[derive(Debug)]
pub(super) struct Guest {
    socket: TcpStream,
    /// Tells it from an earlier guest at the same place of the table.
    pub serial: u64,
    pub session: MinerSession,
    pub address: SocketAddr,
    /// Its row in the table of miners.
    pub row: u64,
    pub miner: Arc<Miner>,
    pub unfinished: Unfinished,
    /// The link that was last told of this worker.
    pub introduced: Option<LinkId>,
    unsent: Vec<u8>,
    /// Since when something is unsent.
    stalled: Option<Instant>,
}

impl Guest {
    pub fn new(
        socket: TcpStream,
        serial: u64,
        session: MinerSession,
        (row, miner): (u64, Arc<Miner>),
        address: SocketAddr,
    ) -> Self {
        Self {
            socket,
            serial,
            session,
            address,
            row,
            miner,
            unfinished: Unfinished::new(),
            introduced: None,
            unsent: Vec::new(),
            stalled: None,
        }
    }

    pub fn register(&mut self, registry: &Registry, token: Token) -> std::io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE)
    }

    /// Does the miner take what it is sent? If not, it is shown no job until it does.
    pub const fn is_stalled(&self) -> bool {
        self.stalled.is_some()
    }

    pub const fn stalled_since(&self) -> Option<Instant> {
        self.stalled
    }

    pub fn read(&mut self, into: &mut [u8]) -> Result<Taken, Ended> {
        loop {
            return match self.socket.read(into) {
                Ok(0) => Err(gone("the miner closed the connection")),
                Ok(length) => Ok(Taken::Bytes(length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Taken::Nothing),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Err(gone(format!("connection lost: {error}"))),
            };
        }
    }

    /// Send, and keep what the socket does not take. The order stays.
    pub fn send(
        &mut self,
        bytes: &[u8],
        registry: &Registry,
        token: Token,
        now: Instant,
    ) -> Result<(), Ended> {
        let sent = if self.is_stalled() {
            0
        } else {
            self.write(bytes)?
        };
        let rest = &bytes[sent..];
        if rest.is_empty() {
            return Ok(());
        }
        if self.unsent.len() + rest.len() > MOST_UNSENT {
            return Err(gone("the miner reads nothing"));
        }
        self.unsent.extend_from_slice(rest);
        if self.stalled.is_none() {
            self.stalled = Some(now);
            self.listen(registry, token, Interest::READABLE | Interest::WRITABLE)?;
        }
        Ok(())
    }

    /// The socket takes bytes again. `true`: nothing is left.
    pub fn drain(&mut self, registry: &Registry, token: Token) -> Result<bool, Ended> {
        if !self.is_stalled() {
            return Ok(false);
        }
        let unsent = std::mem::take(&mut self.unsent);
        let sent = self.write(&unsent)?;
        if sent < unsent.len() {
            self.unsent = unsent;
            self.unsent.drain(..sent);
            return Ok(false);
        }
        self.stalled = None;
        self.listen(registry, token, Interest::READABLE)?;
        Ok(true)
    }

    fn listen(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> Result<(), Ended> {
        let listening = registry.reregister(&mut self.socket, token, interest);
        listening.map_err(|error| gone(format!("connection lost: {error}")))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, Ended> {
        let mut sent = 0;
        while sent < bytes.len() {
            match self.socket.write(&bytes[sent..]) {
                Ok(0) => return Err(gone("the miner closed the connection")),
                Ok(length) => sent += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(gone(format!("connection lost: {error}"))),
            }
        }
        Ok(sent)
    }
}
