//! Shares at a steady rate, whether or not the answers keep up.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::world::World;

pub struct Load {
    rate: f64,
    started: Instant,
    first: usize,
    due: u64,
    turn: usize,
    /// Shares that nobody was there to send.
    pub unsent: usize,
}

impl Load {
    pub fn new(world: &World, rate: f64) -> Self {
        Self {
            rate,
            started: Instant::now(),
            first: world.floor.ledger.len(),
            due: 0,
            turn: 0,
            unsent: 0,
        }
    }

    pub fn range(&self, world: &World) -> Range<usize> {
        self.first..world.floor.ledger.len()
    }

    fn when(&self, number: u64) -> Instant {
        self.started + Duration::from_secs_f64(number as f64 / self.rate)
    }

    /// Sends until `end` or until `done`; tells which. A share's time counts from
    /// when it was due: a late sender must not make answers look quick.
    pub fn run(
        &mut self,
        world: &mut World,
        end: Instant,
        mut done: impl FnMut(&World) -> bool,
    ) -> Result<bool> {
        loop {
            if done(world) {
                return Ok(true);
            }
            let now = Instant::now();
            if now >= end {
                return Ok(false);
            }
            self.send_due(world, now)?;
            let left = self
                .when(self.due)
                .saturating_duration_since(Instant::now());
            // epoll sleeps in whole milliseconds; the last ones are spent turning.
            let wait = left.saturating_sub(Duration::from_millis(2));
            world.turn(wait.min(Duration::from_millis(50)))?;
        }
    }

    fn send_due(&mut self, world: &mut World, now: Instant) -> Result<()> {
        // What is due is sent in portions, for answers want to be read too.
        for _ in 0..64 {
            let due = self.when(self.due);
            if due > now {
                break;
            }
            self.due += 1;
            if !self.send_one(world, due)? {
                self.unsent += 1;
            }
        }
        Ok(())
    }

    /// By the next miner that can.
    fn send_one(&mut self, world: &mut World, due: Instant) -> Result<bool> {
        let miners = world.miners.len();
        for _ in 0..miners {
            self.turn = (self.turn + 1) % miners;
            if world.submit(self.turn, due)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
