//! One miner's connection: its socket, its session, and what could not be sent yet.
//!
//! ```text
//!            first byte 0x16
//!   silent ------------------> TLS, to the end
//!      \ any other
//!       `--------------------> plain, to the end
//! ```

use crate::registry::Miner;
use crate::tls::guest::{Broken, FIRST_BYTE, GuestTls};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::ServerConfig;
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

impl From<Broken> for Ended {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Closed => gone("the miner closed the connection"),
            Broken::Fault(text) => Self::Junk(text),
        }
    }
}

/// What a read brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Bytes(usize),
    /// All there was has been read.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Talk {
    /// Nothing has come yet.
    Silent,
    Flowing,
    /// Since then something is unsent.
    Stalled(Instant),
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
    /// Its worker was turned away: it is a miner all the same.
    pub turned_away: bool,
    /// The link that was last told of this worker.
    pub introduced: Option<LinkId>,
    /// A plain miner, as nearly all are, pays no more for it than a pointer.
    tls: Option<Box<GuestTls>>,
    /// As it goes to the socket.
    unsent: Vec<u8>,
    talk: Talk,
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
            turned_away: false,
            introduced: None,
            tls: None,
            unsent: Vec::new(),
            talk: Talk::Silent,
        }
    }

    pub fn register(&mut self, registry: &Registry, token: Token) -> std::io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE)
    }

    /// Does the miner take what it is sent? If not, it is shown no job until it does.
    pub const fn is_stalled(&self) -> bool {
        self.stalled_since().is_some()
    }

    pub const fn stalled_since(&self) -> Option<Instant> {
        match self.talk {
            Talk::Stalled(since) => Some(since),
            Talk::Silent | Talk::Flowing => None,
        }
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

    /// The TLS that these bytes are for, if they are. It is the caller's while what
    /// they say is heard, and comes back with [`put_tls`](Self::put_tls).
    pub fn take_tls(
        &mut self,
        bytes: &[u8],
        config: &Arc<ServerConfig>,
    ) -> Result<Option<Box<GuestTls>>, Ended> {
        if self.talk == Talk::Silent {
            self.talk = Talk::Flowing;
            if bytes.first() == Some(&FIRST_BYTE) {
                return Ok(Some(Box::new(GuestTls::new(config)?)));
            }
        }
        Ok(self.tls.take())
    }

    pub fn put_tls(&mut self, tls: Box<GuestTls>) {
        self.tls = Some(tls);
    }

    /// Send, and keep what the socket does not take. The order stays.
    pub fn send(
        &mut self,
        bytes: &[u8],
        registry: &Registry,
        token: Token,
        now: Instant,
    ) -> Result<(), Ended> {
        match &mut self.tls {
            None => self.send_as_it_is(bytes, registry, token, now),
            Some(tls) => {
                let sealed = tls.seal(bytes)?;
                self.send_as_it_is(&sealed, registry, token, now)
            }
        }
    }

    fn send_as_it_is(
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
        if !self.is_stalled() {
            self.talk = Talk::Stalled(now);
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
        self.talk = Talk::Flowing;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_costs_a_plain_miner_no_more_than_a_pointer() {
        assert_eq!(size_of::<Option<Box<GuestTls>>>(), size_of::<usize>());
        assert_eq!(size_of::<Talk>(), size_of::<Option<Instant>>());
    }
}
