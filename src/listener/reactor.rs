//! The thread's loop: waits for sockets, the inbox and the clock.

use super::door::Door;
use super::guest::{Ended, Guest, Taken, gone};
use super::inbox::Letters;
use super::serve::Owner;
use super::{Bound, Delivery, Inbox, Published};
use crate::clock::Clock;
use crate::config::Network;
use crate::events::Events;
use crate::ledger::Ledger;
use crate::pulse::Pulse;
use crate::registry::Registry;
use crate::tls::guest::GuestTls;
use crate::workers::Workers;
use mio::event::Event;
use mio::{Events as Readiness, Interest, Poll, Token};
use rustls::ServerConfig;
use slab::Slab;
use smart_mining_core::lane::Crowd;
use smart_mining_core::share::{Dedicated, Flights, LinkId, Manner, Renderings, Seat};
use smart_mining_core::sv1::MinerSession;
use smart_mining_core::{Algorithm, Duration, Instant};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::sync::watch;

const PORT: Token = Token(usize::MAX - 1);
pub(super) const INBOX: Token = Token(usize::MAX - 2);
/// How often all miners are looked at.
const TICK: Duration = Duration::from_secs(1);
/// Sockets that are told of at a time.
const EVENTS: usize = 1024;
const BUFFER: usize = 64 * 1024;
/// A miner that takes nothing for so long is gone.
const WRITE_WITHIN: Duration = Duration::from_secs(30);
/// Connections that are accepted before miners are served again.
const ACCEPTED_AT_ONCE: usize = 256;

/// What a port needs from the rest.
pub(crate) struct Needs {
    pub access: Arc<[Network]>,
    pub crowd: watch::Sender<Crowd>,
    pub registry: Arc<Registry>,
    pub ledger: Arc<Ledger>,
    pub events: Arc<Events>,
    pub workers: Arc<Workers>,
    pub clock: Clock,
    pub pulse: Pulse,
    /// The first session id.
    pub session_id: u32,
}

pub(crate) struct Reactor {
    poll: Poll,
    port: mio::net::TcpListener,
    pub(super) inbox: Arc<Inbox>,
    pub(super) workers: Arc<Workers>,
    pub(super) door: Door,
    manner: Manner,
    handshake: Duration,
    tls: Arc<ServerConfig>,
    session_id: u32,
    serial: u64,
    pulse: Pulse,
    next_tick: Instant,
    /// The port has more than was accepted, or could not be accepted.
    accept_again: bool,
    /// Guests that had more to say than was read.
    more: Vec<usize>,
    letters: Letters,
    input: Box<[u8]>,
    pub(super) algorithm: Algorithm,
    pub(super) clock: Clock,
    pub(super) registry: Arc<Registry>,
    pub(super) ledger: Arc<Ledger>,
    /// The name of a pool that is not known any more.
    pub(super) nobody: Arc<str>,
    pub(super) guests: Slab<Guest>,
    pub(super) published: Published,
    pub(super) renderings: Renderings,
    pub(super) dedicated: Dedicated,
    pub(super) flights: Flights<Owner>,
    /// What is written to one miner; empty between two of them.
    pub(super) out: Vec<u8>,
    /// Shares of this round, all for the same link.
    pub(super) batch: Vec<Delivery>,
    pub(super) batch_for: LinkId,
    /// Guests whose end was found while others were served.
    pub(super) leaving: Vec<(usize, Ended)>,
}

impl Reactor {
    pub fn new(bound: Bound, needs: Needs) -> std::io::Result<Self> {
        let mut port = mio::net::TcpListener::from_std(bound.socket);
        let registry = bound.poll.registry();
        registry.register(&mut port, PORT, Interest::READABLE)?;
        let config = bound.config;
        Ok(Self {
            poll: bound.poll,
            port,
            inbox: bound.inbox,
            workers: needs.workers,
            manner: config.extranonce,
            handshake: Duration::from_secs(config.handshake.as_secs()),
            tls: bound.tls,
            session_id: needs.session_id,
            serial: 0,
            pulse: needs.pulse,
            next_tick: needs.clock.now(),
            accept_again: false,
            more: Vec::new(),
            letters: Letters::default(),
            input: vec![0; BUFFER].into_boxed_slice(),
            algorithm: config.algorithm,
            clock: needs.clock,
            door: Door::new(
                needs.access,
                config.max_miners,
                needs.crowd,
                needs.registry.clone(),
                needs.events,
            ),
            registry: needs.registry,
            ledger: needs.ledger,
            nobody: Arc::default(),
            guests: Slab::new(),
            published: Published::default(),
            renderings: Renderings::new(),
            dedicated: Dedicated::new(),
            flights: Flights::new(),
            out: Vec::with_capacity(BUFFER),
            batch: Vec::new(),
            batch_for: 0,
            leaving: Vec::new(),
        })
    }

    /// Returns only if the sockets cannot be waited for.
    pub fn run(mut self) {
        let mut ready = Readiness::with_capacity(EVENTS);
        loop {
            self.pulse.beat();
            if let Err(error) = self.poll.poll(&mut ready, Some(self.patience()))
                && error.kind() != ErrorKind::Interrupted
            {
                log::error!("{} miners cannot be served: {error}", self.algorithm);
                return;
            }
            self.read_letters();
            self.hear_more();
            for event in &ready {
                match event.token() {
                    PORT => self.accept_again = true,
                    INBOX => {}
                    Token(key) => self.hear(key, event),
                }
            }
            self.post_batch();
            if self.accept_again {
                self.accept();
            }
            let now = self.clock.now();
            if now >= self.next_tick {
                self.next_tick = now + TICK;
                self.tick(now);
            }
            self.see_off();
        }
    }

    fn patience(&self) -> std::time::Duration {
        if self.accept_again || !self.more.is_empty() {
            return std::time::Duration::ZERO;
        }
        let wait = self.next_tick.saturating_duration_since(self.clock.now());
        std::time::Duration::from_micros(wait.as_micros())
    }

    fn read_letters(&mut self) {
        let mut letters = std::mem::take(&mut self.letters);
        self.inbox.take(&mut letters);
        if let Some(published) = letters.published.take() {
            self.show_all(published);
        }
        let now = self.clock.now();
        for (token, verdict) in letters.verdicts.drain(..) {
            self.judged(token, &verdict, now);
        }
        for admitted in letters.admissions.drain(..) {
            self.admitted(&admitted);
        }
        self.letters = letters;
    }

    // --- coming and going ---

    fn accept(&mut self) {
        for _ in 0..ACCEPTED_AT_ONCE {
            match self.port.accept() {
                Ok((socket, address)) => {
                    if let Some(seat) = self.door.enter(address) {
                        self.welcome(socket, address, seat);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.accept_again = false;
                    return;
                }
                // The peer went before we got to it.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    // Out of file descriptors: the next tick tries again.
                    self.door.refuse(None, &format!("accept failed: {error}"));
                    self.accept_again = false;
                    return;
                }
            }
        }
    }

    fn welcome(&mut self, socket: mio::net::TcpStream, address: SocketAddr, seat: Seat) {
        self.session_id = self.session_id.wrapping_add(1);
        self.serial += 1;
        let now = self.clock.now();
        let session = MinerSession::new(self.algorithm, seat, self.session_id, self.handshake, now)
            .in_manner(self.manner);
        let (row, miner) = self.registry.join(self.algorithm, address);
        let guest = Guest::new(socket, self.serial, session, (row, miner), address);
        let key = self.guests.insert(guest);
        // Before it subscribes: the answer has to say what it will hash with.
        self.place(key);
        let registered = self.guests[key].register(self.poll.registry(), Token(key));
        if let Err(error) = registered {
            self.leaving
                .push((key, gone(format!("cannot be waited for: {error}"))));
        }
    }

    fn see_off(&mut self) {
        while let Some((key, why)) = self.leaving.pop() {
            let Some(guest) = self.guests.try_remove(key) else {
                continue;
            };
            self.door.leave(guest.session.seat());
            if let Some(link) = guest.session.spot().link {
                let last = guest.session.newest_job();
                self.dedicated.release(link, key, last);
            }
            self.registry.leave(guest.row);
            let (address, algorithm) = (guest.address, self.algorithm);
            match why {
                Ended::Gone(why) => {
                    let (worker, miner) = guest.miner.who();
                    log::debug!(WORKER = worker.as_str(), MINER:% = miner, ROUTE:% = algorithm; "{address}: {why}");
                }
                Ended::Junk(why) => self.door.junk(address, &why),
            }
        }
    }

    // --- reading and writing ---

    fn hear(&mut self, key: usize, event: &Event) {
        if event.is_writable() {
            self.drain(key);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.read(key, event.is_read_closed());
        }
    }

    fn hear_more(&mut self) {
        for key in std::mem::take(&mut self.more) {
            self.read(key, false);
        }
    }

    /// Read once; the rest gets its turn after the others. `to_the_end`: the other
    /// side has closed, and nothing will tell us again.
    fn read(&mut self, key: usize, to_the_end: bool) {
        let mut input = std::mem::take(&mut self.input);
        let outcome = self.guarded(key, |reactor| reactor.read_into(key, &mut input));
        self.input = input;
        match outcome {
            Some(Ok(more)) if more || to_the_end => self.more.push(key),
            Some(Ok(_)) | None => {}
            Some(Err(ended)) => self.leaving.push((key, ended)),
        }
    }

    /// One miner's fault must end one miner's connection. `None`: it did.
    pub(super) fn guarded<T>(
        &mut self,
        key: usize,
        work: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(|| work(self)));
        if done.is_err() {
            self.out.clear();
            self.leaving.push((key, gone("a fault in the appliance")));
        }
        done.ok()
    }

    fn read_into(&mut self, key: usize, input: &mut [u8]) -> Result<bool, Ended> {
        let Some(guest) = self.guests.get_mut(key) else {
            return Ok(false);
        };
        match guest.read(input)? {
            Taken::Nothing => Ok(false),
            Taken::Bytes(length) => {
                let bytes = &input[..length];
                let ended = match guest.take_tls(bytes, &self.tls)? {
                    None => self.take(key, bytes),
                    Some(tls) => self.take_sealed(key, tls, bytes),
                };
                self.flush(key)?;
                ended.map(|()| length == input.len())
            }
        }
    }

    fn take_sealed(
        &mut self,
        key: usize,
        mut tls: Box<GuestTls>,
        sealed: &[u8],
    ) -> Result<(), Ended> {
        let ended = tls.open(sealed, |plain| self.take(key, plain));
        let now = self.clock.now();
        let Some(guest) = self.guests.get_mut(key) else {
            return ended;
        };
        guest.put_tls(tls);
        // What TLS itself has to say: its handshake, or why it fails.
        let sent = guest.send(&[], self.poll.registry(), Token(key), now);
        ended.and(sent)
    }

    /// Send what was written for this guest.
    pub(super) fn flush(&mut self, key: usize) -> Result<(), Ended> {
        if self.out.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let sent = match self.guests.get_mut(key) {
            Some(guest) => guest.send(&self.out, self.poll.registry(), Token(key), now),
            None => Ok(()),
        };
        self.out.clear();
        sent
    }

    /// The same, where its end must not keep us from serving the others.
    pub(super) fn flush_or_leave(&mut self, key: usize) {
        if let Err(ended) = self.flush(key) {
            self.leaving.push((key, ended));
        }
    }

    fn drain(&mut self, key: usize) {
        let Some(guest) = self.guests.get_mut(key) else {
            return;
        };
        match guest.drain(self.poll.registry(), Token(key)) {
            // It was passed over meanwhile.
            Ok(true) => self.show_newest(key),
            Ok(false) => {}
            Err(ended) => self.leaving.push((key, ended)),
        }
    }

    fn tick(&mut self, now: Instant) {
        self.accept_again = true;
        self.show_who_hesitated(now);
        for (key, guest) in &self.guests {
            let handshake = guest.session.handshake_deadline();
            if handshake.is_some_and(|until| now >= until) {
                let why = match guest.turned_away {
                    // Told already, as an event of its own.
                    true => gone("its worker was turned away"),
                    false => Ended::Junk("no subscribe and authorize in time".to_owned()),
                };
                self.leaving.push((key, why));
            } else if (guest.stalled_since()).is_some_and(|since| now >= since + WRITE_WITHIN) {
                self.leaving.push((key, gone("the miner reads nothing")));
            }
        }
        self.give_up_overdue(now);
    }
}
