//! One miner's connection: the socket around a core session.

use super::{Delivery, Published, VERDICTS};
use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::registry::Miner;
use smart_mining_core::line::{self, LineBuffer, MINER_LINE};
use smart_mining_core::share::{LinkId, Submit, Verdict, WorkerName};
use smart_mining_core::sv1::{Judged, MinerSession, Step};
use smart_mining_core::{Algorithm, Instant};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

/// A miner that takes nothing for so long is gone.
const WRITE_WITHIN: Duration = Duration::from_secs(30);

pub(super) struct MinerTask {
    pub algorithm: Algorithm,
    pub stream: TcpStream,
    pub session: MinerSession,
    pub published: watch::Receiver<Published>,
    pub miner: Arc<Miner>,
    pub ledger: Arc<Ledger>,
    pub clock: Clock,
    pub pools: Pools,
}

/// The pools that this miner's latest shares went to. A verdict may come when
/// the link is gone from the board's; its share still has to be booked right.
#[derive(Debug, Default)]
pub(super) struct Pools(VecDeque<(LinkId, Arc<str>)>);

impl Pools {
    /// More links than can hold unanswered shares of one miner.
    const KEPT: usize = 16;

    fn note(&mut self, link: LinkId, pool: &Arc<str>) {
        if self.name(link).is_none() {
            self.0.truncate(Self::KEPT - 1);
            self.0.push_front((link, pool.clone()));
        }
    }

    fn name(&self, link: LinkId) -> Option<&str> {
        let known = self.0.iter().find(|(known, _)| *known == link);
        known.map(|(_, pool)| &**pool)
    }
}

/// Why a connection ended, for the log.
#[derive(Debug)]
pub(super) enum Ended {
    /// What connections do.
    Gone(String),
    /// What no miner does: a scanner, a browser, a mistaken port.
    Junk(String),
}

fn gone(text: impl Into<String>) -> Ended {
    Ended::Gone(text.into())
}

impl MinerTask {
    pub(super) async fn run(mut self) -> Ended {
        let (reply, mut verdicts) = mpsc::channel(VERDICTS);
        let mut lines = LineBuffer::<MINER_LINE>::new();
        let mut introduced: Option<LinkId> = None;
        loop {
            if let Err(ended) = self.flush().await {
                return ended;
            }
            let deadline = self.session.deadline();
            let mut buffer = [0; MINER_LINE];
            tokio::select! {
                read = self.stream.read(&mut buffer) => {
                    let read = match read {
                        Ok(0) => return gone("the miner closed the connection"),
                        Ok(length) => &buffer[..length],
                        Err(error) => return gone(format!("connection lost: {error}")),
                    };
                    if let Err(ended) = self.take_lines(&mut lines, read, &reply) {
                        let _ = self.flush().await;
                        return ended;
                    }
                }
                changed = self.published.changed() => {
                    if changed.is_err() {
                        return gone("the appliance stops");
                    }
                    let board = self.published.borrow_and_update().board.clone();
                    self.session.show(&board);
                }
                Some((token, verdict)) = verdicts.recv() => {
                    let judged = self.session.verdict(token, &verdict);
                    self.count(judged);
                    while let Ok((token, verdict)) = verdicts.try_recv() {
                        let judged = self.session.verdict(token, &verdict);
                        self.count(judged);
                    }
                }
                () = self.clock.sleep_until(deadline) => {
                    if let Err(ended) = self.tick() {
                        return ended;
                    }
                }
            }
            self.introduce(&mut introduced);
        }
    }

    fn take_lines(
        &mut self,
        lines: &mut LineBuffer<MINER_LINE>,
        bytes: &[u8],
        reply: &mpsc::Sender<(u32, Verdict)>,
    ) -> Result<(), Ended> {
        let now = self.clock.now();
        let mut ended = None;
        line::feed(lines, bytes, |line| {
            ended = self.take_line(line, reply, now).err();
            ended.is_none()
        })
        .map_err(|too_long| Ended::Junk(too_long.to_string()))?;
        ended.map_or(Ok(()), Err)
    }

    fn take_line(
        &mut self,
        line: &[u8],
        reply: &mpsc::Sender<(u32, Verdict)>,
        now: Instant,
    ) -> Result<(), Ended> {
        let board = self.published.borrow().board.clone();
        match self.session.line(line, &board, now) {
            Step::Done => {}
            Step::Named => self
                .miner
                .named(self.session.worker(), self.session.agent()),
            Step::Submit(submit) => self.deliver(submit, reply),
            Step::Judged(judged) => self.count(Some(judged)),
            Step::Close(why) => return Err(Ended::Junk(why.to_owned())),
        }
        Ok(())
    }

    fn deliver(&mut self, submit: Submit, reply: &mpsc::Sender<(u32, Verdict)>) {
        let token = submit.token;
        let handle = self.published.borrow().links.get(&submit.job.link).cloned();
        let Some(handle) = handle else {
            let judged = self.session.undeliverable(token, "its pool is gone");
            return self.count(judged);
        };
        self.pools.note(submit.job.link, &handle.pool);
        let reply = reply.clone();
        let why = match handle
            .deliveries
            .try_send(Delivery::Share { submit, reply })
        {
            Ok(()) => return,
            Err(mpsc::error::TrySendError::Full(_)) => "the pool's connection is overloaded",
            Err(mpsc::error::TrySendError::Closed(_)) => "the connection to its pool is lost",
        };
        let judged = self.session.undeliverable(token, why);
        self.count(judged);
    }

    fn tick(&mut self) -> Result<(), Ended> {
        loop {
            match self.session.tick(self.clock.now()) {
                Step::Judged(judged) => self.count(Some(judged)),
                Step::Close(why) => return Err(Ended::Junk(why.to_owned())),
                Step::Done | Step::Named | Step::Submit(_) => return Ok(()),
            }
        }
    }

    fn count(&self, judged: Option<Judged>) {
        let Some(judged) = judged else { return };
        self.miner.judged(&judged, self.clock.now());
        let published = self.published.borrow();
        let pool = judged.link.and_then(|link| {
            let handle = published.links.get(&link).map(|handle| &*handle.pool);
            handle.or_else(|| self.pools.name(link))
        });
        let worker = self.session.worker();
        self.ledger
            .add(self.algorithm, worker, pool.unwrap_or(""), &judged);
    }

    /// Tell each new pool of this worker before its first share comes.
    fn introduce(&mut self, introduced: &mut Option<LinkId>) {
        if !self.session.is_working() {
            return;
        }
        self.miner.difficulty(self.session.difficulty());
        let published = self.published.borrow();
        let link = published.board.current().map(|job| job.link);
        if link.is_none() || link == *introduced {
            return;
        }
        let handle = link.and_then(|link| published.links.get(&link));
        if let (Some(handle), Ok(worker)) = (handle, WorkerName::try_from(self.session.worker())) {
            // If the queue is full the first share introduces the worker.
            let _ = handle.deliveries.try_send(Delivery::Introduce(worker));
            *introduced = link;
        }
    }

    async fn flush(&mut self) -> Result<(), Ended> {
        let output = self.session.output();
        if output.is_empty() {
            return Ok(());
        }
        let written = tokio::time::timeout(WRITE_WITHIN, self.stream.write_all(output)).await;
        output.clear();
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(gone(format!("connection lost: {error}"))),
            Err(_) => Err(gone("the miner reads nothing")),
        }
    }
}
