//! Shares that wait for their pool's verdict.
//!
//! One table for all miners of a port: a miner costs nothing here while none of
//! its shares is under way. A share leaves the table exactly once, by its
//! verdict or by its time; whatever comes later finds nothing.

use super::LinkId;
use crate::{Duration, Instant};
use alloc::vec::Vec;

/// Shares that wait for a verdict at a time, over all miners of a port.
pub const MAX_FLIGHTS: usize = 16 * 1024;

/// Names a share from the moment it is sent to the moment it is answered.
pub type Token = u64;

/// The miner's own id of a request, as it was sent.
pub type RequestId = heapless::String<40, u8>;

#[derive(Clone, Debug)]
pub struct Flight<R> {
    /// Whose share it is.
    pub owner: R,
    pub id: RequestId,
    pub link: LinkId,
    /// What the miner was asked for.
    pub difficulty: f64,
    pub pool_difficulty: f64,
    pub since: Instant,
}

#[derive(Debug)]
pub struct Flights<R> {
    slots: Vec<Slot<R>>,
    free: Vec<u16>,
}

#[derive(Debug)]
struct Slot<R> {
    /// Tells a late verdict from that of the share which has the slot now.
    turn: u32,
    flight: Option<Flight<R>>,
}

impl<R> Default for Flights<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> Flights<R> {
    pub const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    /// The token that the verdict will come back with; `Err`: the table is full.
    pub fn open(&mut self, flight: Flight<R>) -> Result<Token, Flight<R>> {
        let index = match self.free.pop() {
            Some(index) => usize::from(index),
            None if self.slots.len() < MAX_FLIGHTS => {
                self.slots.push(Slot {
                    turn: 0,
                    flight: None,
                });
                self.slots.len() - 1
            }
            None => return Err(flight),
        };
        let slot = &mut self.slots[index];
        slot.turn = slot.turn.wrapping_add(1);
        slot.flight = Some(flight);
        Ok(u64::from(slot.turn) << 32 | index as u64)
    }

    pub fn close(&mut self, token: Token) -> Option<Flight<R>> {
        let index = token as u16;
        let slot = self.slots.get_mut(usize::from(index))?;
        if slot.turn != (token >> 32) as u32 {
            return None;
        }
        let flight = slot.flight.take()?;
        self.free.push(index);
        Some(flight)
    }

    /// Take out what has waited for `span` or longer.
    pub fn overdue(&mut self, span: Duration, now: Instant) -> Vec<Flight<R>> {
        let mut late = Vec::new();
        for (index, slot) in (0..).zip(&mut self.slots) {
            let is_late = |flight: &Flight<R>| now >= flight.since + span;
            if slot.flight.as_ref().is_some_and(is_late) {
                late.extend(slot.flight.take());
                self.free.push(index);
            }
        }
        late
    }

    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flight(owner: u32, since: u64) -> Flight<u32> {
        Flight {
            owner,
            id: RequestId::new(),
            link: 1,
            difficulty: 1.0,
            pool_difficulty: 1.0,
            since: Instant::from_secs(since),
        }
    }

    #[test]
    fn a_share_is_answered_once_also_when_its_slot_is_used_again() {
        let mut flights = Flights::new();
        let first = flights.open(flight(1, 0)).expect("room");
        assert_eq!(flights.close(first).map(|flight| flight.owner), Some(1));
        let second = flights.open(flight(2, 0)).expect("room");
        assert!(flights.close(first).is_none(), "its verdict came before");
        assert_eq!(flights.close(second).map(|flight| flight.owner), Some(2));
        assert!(flights.is_empty());
    }

    #[test]
    fn a_full_table_hands_the_share_back_and_time_makes_room() {
        let mut flights = Flights::new();
        for owner in 0..MAX_FLIGHTS as u32 {
            let since = u64::from(owner % 2);
            flights.open(flight(owner, since)).expect("room");
        }
        assert_eq!(flights.open(flight(9, 1)).map_err(|f| f.owner), Err(9));
        let late = flights.overdue(Duration::from_secs(30), Instant::from_secs(30));
        assert_eq!(late.len(), MAX_FLIGHTS / 2);
        assert!(late.iter().all(|flight| flight.since.as_secs() == 0));
        assert!(flights.open(flight(9, 1)).is_ok());
    }
}
