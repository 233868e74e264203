//! Who may come in, and who sits where.

use crate::config::Network;
use crate::events::{Code, Events, Subject};
use crate::journal::{RateLimit, and_more};
use crate::registry::Registry;
use smart_mining_core::lane::Crowd;
use smart_mining_core::share::{Seat, Seats};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Strangers make one line in this time, however many they are.
const A_MINUTE: Duration = Duration::from_secs(60);

pub(super) struct Door {
    access: Arc<[Network]>,
    seats: Seats,
    capacity: usize,
    /// Who is there, for the lane.
    crowd: watch::Sender<Crowd>,
    moves: u64,
    registry: Arc<Registry>,
    events: Arc<Events>,
    turned_away: RateLimit,
    junk: RateLimit,
    asked: RateLimit,
}

impl Door {
    pub fn new(
        access: Arc<[Network]>,
        capacity: usize,
        crowd: watch::Sender<Crowd>,
        registry: Arc<Registry>,
        events: Arc<Events>,
    ) -> Self {
        Self {
            access,
            seats: Seats::new(capacity),
            capacity,
            crowd,
            moves: 0,
            registry,
            events,
            turned_away: RateLimit::new(A_MINUTE),
            junk: RateLimit::new(A_MINUTE),
            asked: RateLimit::new(A_MINUTE),
        }
    }

    /// A seat for whoever comes from there. `None`: it was refused, and counted.
    pub fn enter(&mut self, address: SocketAddr) -> Option<Seat> {
        let mut networks = self.access.iter();
        if !networks.any(|network| network.contains(address.ip())) {
            self.refuse(Some(address), "not in [access] allow of farm.toml");
            return None;
        }
        let has_room = self.seats.used() < self.capacity;
        let Some(seat) = has_room.then(|| self.seats.take()).flatten() else {
            let places = self.capacity;
            let why = format!("all {places} places are taken; raise listener.max_miners");
            self.refuse(Some(address), &why);
            return None;
        };
        self.count();
        Some(seat)
    }

    pub fn leave(&mut self, seat: Seat) {
        self.seats.release(seat);
        self.count();
    }

    fn count(&mut self) {
        self.moves += 1;
        self.crowd.send_replace(Crowd {
            groups: self.seats.groups(),
            miners: self.seats.used(),
            moves: self.moves,
        });
    }

    /// Told once a minute: somebody wonders why the miner's log says so.
    pub fn asked_to_reconnect(&mut self, address: SocketAddr) {
        if let Some(suppressed) = self.asked.allow(Instant::now()) {
            let text = format!(
                "asked to reconnect: its pool needs another extranonce{}",
                and_more(suppressed)
            );
            self.events
                .record(Code::MinerReconnects, miner(address), text);
        }
    }

    /// Counted always, told once a minute.
    pub fn refuse(&mut self, address: Option<SocketAddr>, why: &str) {
        self.registry.refused.fetch_add(1, Ordering::Relaxed);
        if let Some(suppressed) = self.turned_away.allow(Instant::now()) {
            let whom = address.map_or(Subject::Miner(None), miner);
            let text = format!("connection refused: {why}{}", and_more(suppressed));
            self.events.record(Code::MinerRefused, whom, text);
        }
    }

    pub fn junk(&mut self, address: SocketAddr, why: &str) {
        if let Some(suppressed) = self.junk.allow(Instant::now()) {
            let text = format!("connection closed: {why}{}", and_more(suppressed));
            self.events.record(Code::NotAMiner, miner(address), text);
        }
    }
}

fn miner(address: SocketAddr) -> Subject<'static> {
    Subject::Miner(Some(address.ip()))
}
