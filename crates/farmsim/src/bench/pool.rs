//! One simulated pool: says yes to everything, and counts.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use anyhow::{Context, Result};
use mio::event::Event;
use mio::net::TcpListener;
use mio::{Interest, Registry, Token};
use slab::Slab;

use super::job::{Side, notify_line};
use super::ledger::Ledger;
use super::link::Link;
use super::{scan, sockets};

struct Session {
    link: Link,
    extranonce1: u32,
    logged_in: bool,
    spoke: bool,
}

/// What went over the WAN, were the pool beyond one.
#[derive(Debug, Default, Clone)]
pub struct Traffic {
    /// Connections that said something; a health check does not.
    pub connections: usize,
    pub from_farm: usize,
    pub to_farm: usize,
    pub shares: usize,
}

pub struct Pool {
    side: Side,
    address: SocketAddr,
    listener: Option<TcpListener>,
    sessions: Slab<Session>,
    extranonces: u32,
    difficulty: f64,
    ntime: u32,
    serial: u32,
    block: u32,
    job: String,
    answers: Vec<u8>,
    pub frozen: bool,
    pub traffic: Traffic,
}

impl Pool {
    pub fn open(
        side: Side,
        address: SocketAddr,
        difficulty: f64,
        ntime: u32,
        registry: &Registry,
    ) -> Result<Self> {
        let mut listener = sockets::listen(address)
            .with_context(|| format!("cannot listen on {address} for pool {side:?}"))?;
        registry.register(&mut listener, door_token(side), Interest::READABLE)?;
        let mut pool = Self {
            side,
            address: listener.local_addr()?,
            listener: Some(listener),
            sessions: Slab::new(),
            extranonces: 0x1000_0000,
            difficulty,
            ntime,
            serial: 0,
            block: 0,
            job: String::new(),
            answers: Vec::new(),
            frozen: false,
            traffic: Traffic::default(),
        };
        pool.next_job(true);
        Ok(pool)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn connected(&self) -> usize {
        self.sessions.len()
    }

    /// Makes the next job, without sending it; tells the time in it.
    fn next_job(&mut self, clean: bool) {
        self.serial += 1;
        self.block += u32::from(clean);
        self.job = notify_line(self.side, self.serial, self.block, self.time(), clean);
    }

    fn time(&self) -> u32 {
        self.ntime + self.serial
    }

    /// Sends a new job to everybody who is logged in; tells the time in it.
    pub fn broadcast(&mut self, clean: bool) -> u32 {
        self.next_job(clean);
        let job = self.job.as_bytes();
        for (_, session) in &mut self.sessions {
            if session.logged_in {
                self.traffic.to_farm += job.len();
                // A broken connection shows when it is read.
                let _ = session.link.send(job);
            }
        }
        self.time()
    }

    /// Ends all connections and takes no new ones.
    pub fn kill(&mut self) {
        self.listener = None;
        self.sessions.clear();
    }

    pub fn accept(&mut self, registry: &Registry) -> io::Result<()> {
        while !self.frozen
            && let Some(listener) = &self.listener
        {
            let (mut stream, _) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // The peer went away while it waited.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            let entry = self.sessions.vacant_entry();
            registry.register(
                &mut stream,
                session_token(self.side, entry.key()),
                Interest::READABLE | Interest::WRITABLE,
            )?;
            self.extranonces += 1;
            entry.insert(Session {
                link: Link::new(stream),
                extranonce1: self.extranonces,
                logged_in: false,
                spoke: false,
            });
        }
        Ok(())
    }

    pub fn ready(&mut self, slot: usize, event: &Event, buffer: &mut [u8], ledger: &mut Ledger) {
        if self.frozen || !self.sessions.contains(slot) {
            return;
        }
        if self.serve(slot, event, buffer, ledger).is_err() {
            self.sessions.remove(slot);
        }
    }

    fn serve(
        &mut self,
        slot: usize,
        event: &Event,
        buffer: &mut [u8],
        ledger: &mut Ledger,
    ) -> io::Result<()> {
        let session = &mut self.sessions[slot];
        if event.is_writable() {
            session.link.flush()?;
        }
        if !event.is_readable() && !event.is_read_closed() {
            return Ok(());
        }
        let mut desk = Desk {
            answers: &mut self.answers,
            difficulty: self.difficulty,
            job: &self.job,
            extranonce1: session.extranonce1,
            logged_in: session.logged_in,
            shares: 0,
        };
        desk.answers.clear();
        let read = session.link.read(buffer, event.is_read_closed(), |line| {
            desk.line(line, ledger);
        })?;
        session.logged_in = desk.logged_in;
        self.traffic.shares += desk.shares;
        self.traffic.connections += usize::from(!session.spoke && read > 0);
        session.spoke |= read > 0;
        self.traffic.from_farm += read;
        self.traffic.to_farm += self.answers.len();
        session.link.send(&self.answers)
    }
}

/// Answers the lines of one read.
struct Desk<'a> {
    answers: &'a mut Vec<u8>,
    difficulty: f64,
    job: &'a str,
    extranonce1: u32,
    logged_in: bool,
    shares: usize,
}

impl Desk<'_> {
    fn line(&mut self, line: &[u8], ledger: &mut Ledger) {
        let Some(method) = scan::after(line, b"\"method\"").and_then(scan::text) else {
            return;
        };
        let id = scan::id(line).unwrap_or(b"null");
        match method.0 {
            b"mining.submit" => {
                self.shares += 1;
                if let Some(nonce) = scan::submitted_nonce(line) {
                    ledger.pool_accepted(nonce);
                }
                self.answer(id, "true");
            }
            b"mining.subscribe" => {
                let extranonce1 = self.extranonce1;
                let result = format!(
                    r#"[[["mining.set_difficulty","1"],["mining.notify","{extranonce1:x}"]],"{extranonce1:08x}",8]"#
                );
                self.answer(id, &result);
            }
            b"mining.configure" => self.answer(
                id,
                r#"{"version-rolling":true,"version-rolling.mask":"1fffe000"}"#,
            ),
            b"mining.authorize" => {
                self.answer(id, "true");
                self.first_work();
            }
            _ => self.answer(id, "true"),
        }
    }

    fn answer(&mut self, id: &[u8], result: &str) {
        self.answers.extend_from_slice(b"{\"id\":");
        self.answers.extend_from_slice(id);
        self.answers.extend_from_slice(b",\"result\":");
        self.answers.extend_from_slice(result.as_bytes());
        self.answers.extend_from_slice(b",\"error\":null}\n");
    }

    fn first_work(&mut self) {
        if self.logged_in {
            return;
        }
        self.logged_in = true;
        let difficulty = format!(
            "{{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[{}]}}\n",
            self.difficulty
        );
        self.answers.extend_from_slice(difficulty.as_bytes());
        self.answers.extend_from_slice(self.job.as_bytes());
    }
}

fn door_token(side: Side) -> Token {
    Token(side.index() * 4)
}

fn session_token(side: Side, slot: usize) -> Token {
    Token(slot * 4 + 1 + side.index())
}
