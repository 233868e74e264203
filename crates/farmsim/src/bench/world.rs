//! Two pools and a farm of miners on one thread.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use smart_mining_farmsim::pow::Target;

use super::job::Side;
use super::ledger::Ledger;
use super::link::Link;
use super::miner::{Floor, Miner, Watch, hello};
use super::pool::Pool;
use super::sockets;

/// A miner that was refused tries again after so long.
const RETRY: Duration = Duration::from_millis(20);
/// Connections opened before those that came are served: the kernel's queue of
/// connections that wait to be accepted is short.
const BATCH: usize = 128;

pub struct World {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    pub pools: [Pool; 2],
    /// What both pools ask for.
    pub difficulty: f64,
    pub miners: Vec<Miner>,
    pub floor: Floor,
    /// Where miners connect to.
    pub target: SocketAddr,
    pub password: String,
    /// Connections that ended without the miner's doing.
    pub dropped: usize,
    /// Miners that come back are only those that are switched on.
    on: bool,
    retries: VecDeque<(Instant, usize)>,
    line: Vec<u8>,
}

impl World {
    pub fn new(addresses: [SocketAddr; 2], miners: usize, difficulty: f64) -> Result<Self> {
        let poll = Poll::new()?;
        let ntime = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let ntime = u32::try_from(ntime).context("the clock is wrong")?;
        let open = |side: Side| {
            Pool::open(
                side,
                addresses[side.index()],
                difficulty,
                ntime,
                poll.registry(),
            )
        };
        let pools = [open(Side::A)?, open(Side::B)?];
        let target = pools[0].address();
        Ok(Self {
            events: Events::with_capacity(1024),
            buffer: vec![0; 256 * 1024],
            pools,
            difficulty,
            miners: std::iter::repeat_with(Miner::default)
                .take(miners)
                .collect(),
            floor: Floor {
                ledger: Ledger::default(),
                holding: [0; 2],
                watch: None,
                keep_jobs: false,
            },
            target,
            password: "x".to_owned(),
            dropped: 0,
            on: false,
            retries: VecDeque::new(),
            line: Vec::new(),
            poll,
        })
    }

    /// Handles what has happened; waits for it no longer than `wait`.
    pub fn turn(&mut self, wait: Duration) -> Result<()> {
        let wait = if self.retries.is_empty() {
            wait
        } else {
            wait.min(RETRY)
        };
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => Err(error)?,
            Err(_) => return Ok(()),
            Ok(()) => {}
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(1));
        for event in &events {
            let Token(token) = event.token();
            let slot = token / 4;
            match token % 4 {
                0 => self.pools[slot].accept(self.poll.registry())?,
                3 => self.miner_ready(slot, event)?,
                side => self.pools[side - 1].ready(
                    slot,
                    event,
                    &mut self.buffer,
                    &mut self.floor.ledger,
                ),
            }
        }
        self.events = events;
        self.retry()
    }

    /// Turns until `done` or the time is over; tells which.
    pub fn until(&mut self, end: Instant, mut done: impl FnMut(&Self) -> bool) -> Result<bool> {
        loop {
            if done(self) {
                return Ok(true);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            self.turn(left.min(Duration::from_millis(100)))?;
        }
    }

    /// Switches all miners on at once.
    pub fn connect_all(&mut self) -> Result<()> {
        self.on = true;
        for number in 0..self.miners.len() {
            self.connect(number)?;
            if number % BATCH == BATCH - 1 {
                self.turn(Duration::ZERO)?;
            }
        }
        Ok(())
    }

    /// Switches all miners off.
    pub fn drop_all(&mut self) {
        self.on = false;
        self.retries.clear();
        for miner in &mut self.miners {
            miner.reset(&mut self.floor);
        }
    }

    /// Miners that have a job.
    pub fn working(&self) -> usize {
        self.floor.holding.iter().sum()
    }

    fn connect(&mut self, number: usize) -> Result<()> {
        let index = u32::try_from(number)?;
        let mut stream: TcpStream = match sockets::connect(self.target, number) {
            Ok(stream) => stream,
            Err(error) => {
                // Ports of ended connections become free again after a second.
                if error.kind() == std::io::ErrorKind::AddrNotAvailable
                    || error.kind() == std::io::ErrorKind::ConnectionRefused
                {
                    self.retries.push_back((Instant::now() + RETRY, number));
                    return Ok(());
                }
                return Err(error).context("a miner cannot connect");
            }
        };
        self.poll.registry().register(
            &mut stream,
            Token(number * 4 + 3),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        let mut link = Link::new(stream);
        // A failure shows as an event.
        let _ = link.send(hello(index, &self.password).as_bytes());
        self.miners[number].link = Some(link);
        Ok(())
    }

    fn retry(&mut self) -> Result<()> {
        while let Some((due, number)) = self.retries.front().copied()
            && due <= Instant::now()
        {
            self.retries.pop_front();
            self.connect(number)?;
        }
        Ok(())
    }

    fn miner_ready(&mut self, number: usize, event: &mio::event::Event) -> Result<()> {
        let miner = &mut self.miners[number];
        let Some(mut link) = miner.link.take() else {
            return Ok(());
        };
        let index = u32::try_from(number)?;
        let now = Instant::now();
        let mut result = Ok(0);
        if event.is_writable() {
            result = link.flush().map(|()| 0);
        }
        if result.is_ok() && (event.is_readable() || event.is_read_closed()) {
            result = link.read(&mut self.buffer, event.is_read_closed(), |line| {
                miner.line(index, line, now, &mut self.floor);
            });
        }
        if result.is_ok() {
            miner.link = Some(link);
            return Ok(());
        }
        self.lost(number)
    }

    /// A session ended; the miner comes back at once, unless it had not even begun.
    fn lost(&mut self, number: usize) -> Result<()> {
        let had_job = self.miners[number].has_job();
        self.miners[number].reset(&mut self.floor);
        if !self.on {
            return Ok(());
        }
        if had_job {
            self.dropped += 1;
            return self.connect(number);
        }
        self.retries.push_back((Instant::now() + RETRY, number));
        Ok(())
    }

    /// Has the miner submit a share, if it is connected and has a job.
    pub fn submit(&mut self, number: usize, sent: Instant) -> Result<bool> {
        let miner = &mut self.miners[number];
        if miner.link.is_none() || !miner.has_job() {
            return Ok(false);
        }
        let share = self.floor.ledger.len();
        let index = u32::try_from(number)?;
        self.floor.ledger.send(index, sent, false);
        let nonce = Ledger::first_nonce(share);
        miner.submit(index, share, nonce, number, &mut self.line);
        Ok(true)
    }

    /// Has the miner find an honest share and submit it. The pool's `target` tells
    /// whether a proxy may judge it alone.
    pub fn mine(&mut self, number: usize, target: &Target) -> Result<bool> {
        let miner = &mut self.miners[number];
        let share = self.floor.ledger.len();
        let Some(found) = miner.search(number, Ledger::first_nonce(share)) else {
            return Ok(false);
        };
        let index = u32::try_from(number)?;
        let below = !target.is_met_by(&found.hash);
        self.floor.ledger.send(index, Instant::now(), below);
        miner.submit(index, share, found.nonce, found.extranonce2, &mut self.line);
        Ok(true)
    }

    /// Sends a job to the farm and waits until every miner has it; the times, sorted.
    pub fn round(&mut self, side: Side, clean: bool, bound: Duration) -> Result<Vec<Duration>> {
        let started = Instant::now();
        let ntime = self.pools[side.index()].broadcast(clean);
        let took = Vec::with_capacity(self.miners.len());
        self.floor.watch = Some(Watch {
            ntime,
            started,
            took,
        });
        let all = self.miners.len();
        self.until(started + bound, |world| {
            world
                .floor
                .watch
                .as_ref()
                .is_none_or(|watch| watch.took.len() >= all)
        })?;
        let mut took = self
            .floor
            .watch
            .take()
            .map(|watch| watch.took)
            .unwrap_or_default();
        took.sort_unstable();
        Ok(took)
    }
}
