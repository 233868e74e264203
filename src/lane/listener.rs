//! The Stratum port of one algorithm: who may come in, and who sits where.

use super::Published;
use super::miner::{Ended, MinerTask, Pools};
use super::socket;
use crate::clock::Clock;
use crate::config::{Listener, Network};
use crate::events::Events;
use crate::journal::RateLimit;
use crate::ledger::Ledger;
use crate::pulse::Pulse;
use crate::registry::{Miner, Registry};
use smart_mining_core::Duration;
use smart_mining_core::share::{Seat, Seats};
use smart_mining_core::sv1::MinerSession;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A miner that stopped answering is noticed within this.
const USER_TIMEOUT_MS: u32 = 60_000;
/// The loop shows that it lives at least this often.
const HEARTBEAT: std::time::Duration = std::time::Duration::from_secs(2);
/// Strangers make one line in this time, however many they are.
const A_MINUTE: std::time::Duration = std::time::Duration::from_secs(60);

/// A port that is open, before anything is served on it.
#[derive(Debug)]
pub struct Bound {
    pub config: Listener,
    socket: TcpListener,
}

/// Open the port, or say which and why not.
pub async fn bind(config: &Listener) -> anyhow::Result<Bound> {
    let socket = TcpListener::bind(config.bind).await.map_err(|error| {
        anyhow::anyhow!(
            "cannot open {} for {} miners: {error}; is another program using the port? change listener.bind",
            config.bind,
            config.algorithm,
        )
    })?;
    Ok(Bound {
        config: config.clone(),
        socket,
    })
}

impl Bound {
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap_or(self.config.bind)
    }
}

/// What a listener needs from the rest.
pub(super) struct Door {
    pub bound: Bound,
    pub access: Arc<[Network]>,
    pub published: watch::Receiver<Published>,
    pub groups: watch::Sender<usize>,
    pub registry: Arc<Registry>,
    pub ledger: Arc<Ledger>,
    pub events: Arc<Events>,
    pub clock: Clock,
    pub pulse: Pulse,
}

/// Frees the seat and the row in the table when the miner's task ends,
/// however it ends.
struct Guest {
    seats: Arc<Mutex<Seats>>,
    seat: Seat,
    registry: Arc<Registry>,
    key: u64,
    miner: Arc<Miner>,
}

impl Drop for Guest {
    fn drop(&mut self) {
        lock(&self.seats).release(self.seat);
        self.registry.leave(self.key);
    }
}

fn lock(seats: &Mutex<Seats>) -> MutexGuard<'_, Seats> {
    seats.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Door {
    pub(super) async fn run(self) {
        let capacity = self.bound.config.max_miners;
        let seats = Arc::new(Mutex::new(Seats::new(capacity)));
        let mut turned_away = RateLimit::new(A_MINUTE);
        let junk = Arc::new(Mutex::new(RateLimit::new(A_MINUTE)));
        let mut session_id = super::random();
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        loop {
            let accepted = tokio::select! {
                accepted = self.bound.socket.accept() => accepted,
                _ = heartbeat.tick() => {
                    self.pulse.beat();
                    continue;
                }
            };
            self.pulse.beat();
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, or the peer went before we got to it.
                    self.refuse(&mut turned_away, None, &format!("accept failed: {error}"));
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    continue;
                }
            };
            if !self
                .access
                .iter()
                .any(|network| network.contains(address.ip()))
            {
                self.refuse(
                    &mut turned_away,
                    Some(address),
                    "not in [access] allow of farm.toml",
                );
                continue;
            }
            let mut held = lock(&seats);
            let seat = if held.used() < capacity {
                held.take()
            } else {
                None
            };
            let groups = held.groups();
            drop(held);
            let Some(seat) = seat else {
                let why = format!("all {capacity} places are taken; raise listener.max_miners");
                self.refuse(&mut turned_away, Some(address), &why);
                continue;
            };
            self.groups.send_if_modified(|known| {
                let grown = groups > *known;
                *known = groups.max(*known);
                grown
            });
            session_id = session_id.wrapping_add(1);
            let guest = self.guest(&seats, seat, address);
            self.welcome(stream, address, guest, session_id, junk.clone());
        }
    }

    fn guest(&self, seats: &Arc<Mutex<Seats>>, seat: Seat, address: SocketAddr) -> Guest {
        let (key, miner) = self.registry.join(self.bound.config.algorithm, address);
        Guest {
            seats: seats.clone(),
            seat,
            registry: self.registry.clone(),
            key,
            miner,
        }
    }

    fn welcome(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        guest: Guest,
        session_id: u32,
        junk: Arc<Mutex<RateLimit>>,
    ) {
        socket::prepare(&stream, USER_TIMEOUT_MS);
        let algorithm = self.bound.config.algorithm;
        let handshake = Duration::from_secs(self.bound.config.handshake.as_secs());
        let task = MinerTask {
            algorithm,
            stream,
            session: MinerSession::new(guest.seat, session_id, self.clock.now() + handshake),
            published: self.published.clone(),
            miner: guest.miner.clone(),
            ledger: self.ledger.clone(),
            clock: self.clock,
            pools: Pools::default(),
        };
        let events = self.events.clone();
        tokio::spawn(async move {
            match task.run().await {
                Ended::Gone(why) => {
                    log::debug!(MINER:% = address, ALGORITHM:% = algorithm; "{address}: {why}");
                }
                Ended::Junk(why) => tell_junk(&junk, &events, address, &why),
            }
            drop(guest);
        });
    }

    /// Counted always, told once a minute.
    fn refuse(&self, limit: &mut RateLimit, address: Option<SocketAddr>, why: &str) {
        self.registry.refused.fetch_add(1, Ordering::Relaxed);
        if let Some(suppressed) = limit.allow(std::time::Instant::now()) {
            let whom = address.map_or_else(|| "?".to_owned(), |address| address.ip().to_string());
            let text = format!("connection refused: {why}{}", and_more(suppressed));
            self.events.record("miner-refused", &whom, text);
        }
    }
}

fn tell_junk(limit: &Mutex<RateLimit>, events: &Events, address: SocketAddr, why: &str) {
    let mut limit = limit.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(suppressed) = limit.allow(std::time::Instant::now()) {
        let text = format!("connection closed: {why}{}", and_more(suppressed));
        events.record("not-a-miner", &address.ip().to_string(), text);
    }
}

fn and_more(suppressed: u64) -> String {
    match suppressed {
        0 => String::new(),
        more => format!(" ({more} more since the last line)"),
    }
}
