//! One connection to a pool: the socket around a core session.

use super::{Delivery, socket};
use crate::clock::Clock;
use smart_mining_core::lane::Terms;
use smart_mining_core::line::{self, LineBuffer, POOL_LINE};
use smart_mining_core::route::Candidate;
use smart_mining_core::share::{LinkId, Verdict};
use smart_mining_core::sv1::{Failure, PoolEvent, PoolSession};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

/// Short, so that a returning WAN is noticed within two seconds: a SYN that
/// was lost in the outage is repeated by the next attempt.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
const WRITE_WITHIN: Duration = Duration::from_secs(5);
const USER_TIMEOUT_MS: u32 = 10_000;

type Reply = mpsc::Sender<(u32, Verdict)>;

/// What a link tells its lane.
#[derive(Debug)]
pub enum LinkReport {
    Work(LinkId, Terms),
    Notice(LinkId, String),
    Failed(LinkId, Failure),
}

pub struct Link {
    pub id: LinkId,
    pub candidate: Candidate,
    pub deliveries: mpsc::Receiver<Delivery>,
    pub reports: mpsc::Sender<LinkReport>,
    /// Closed by the lane when the link is not wanted any more.
    pub stop: oneshot::Receiver<()>,
    pub clock: Clock,
}

impl Link {
    /// Runs until the connection fails or the lane lets go of it.
    pub async fn run(mut self) {
        let failure = tokio::select! {
            failure = Self::connect_and_serve(
                self.id, &self.candidate, &mut self.deliveries, &self.reports, self.clock,
            ) => failure,
            _ = &mut self.stop => return,
        };
        // The lane outlives its links; if it does not, nobody is left to tell.
        let _ = self
            .reports
            .send(LinkReport::Failed(self.id, failure))
            .await;
    }

    async fn connect_and_serve(
        id: LinkId,
        candidate: &Candidate,
        deliveries: &mut mpsc::Receiver<Delivery>,
        reports: &mpsc::Sender<LinkReport>,
        clock: Clock,
    ) -> Failure {
        let address = (candidate.url.host.as_str(), candidate.url.port);
        let stream = match tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Failure::Connect(error.to_string()),
            Err(_) => {
                return Failure::Connect(format!("no answer within {CONNECT_WITHIN:?}"));
            }
        };
        socket::prepare(&stream, USER_TIMEOUT_MS);
        let mut serving = Serving {
            id,
            session: PoolSession::new(candidate.login.clone(), clock.now()),
            stream,
            lines: Box::new(LineBuffer::new()),
            reports,
            clock,
        };
        let failure = serving.serve(deliveries).await;
        // Whatever was in flight gets its honest answer before the task ends.
        serving.session.fail(failure.clone());
        serving.pass_events().await;
        failure
    }
}

struct Serving<'a> {
    id: LinkId,
    session: PoolSession<Reply>,
    stream: TcpStream,
    lines: Box<LineBuffer<POOL_LINE>>,
    reports: &'a mpsc::Sender<LinkReport>,
    clock: Clock,
}

impl Serving<'_> {
    async fn serve(&mut self, deliveries: &mut mpsc::Receiver<Delivery>) -> Failure {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            if let Err(failure) = self.flush().await {
                return failure;
            }
            if let Some(failure) = self.pass_events().await {
                return failure;
            }
            let deadline = self.session.deadline();
            tokio::select! {
                read = self.stream.read(&mut buffer) => match read {
                    Ok(0) => return Failure::Closed,
                    Ok(length) => {
                        if let Some(failure) = self.take_lines(&buffer[..length]) {
                            return failure;
                        }
                    }
                    Err(error) => return Failure::Lost(error.to_string()),
                },
                Some(delivery) = deliveries.recv() => self.deliver(delivery, deliveries),
                () = self.clock.sleep_until(Some(deadline)) => self.session.tick(self.clock.now()),
            }
        }
    }

    fn take_lines(&mut self, bytes: &[u8]) -> Option<Failure> {
        let now = self.clock.now();
        let session = &mut self.session;
        line::feed(&mut self.lines, bytes, |line| {
            session.line(line, now);
            true
        })
        .err()
        .map(|too_long| Failure::Garbage(too_long.to_string()))
    }

    /// Take what else is waiting too: one write for all of it.
    fn deliver(&mut self, first: Delivery, more: &mut mpsc::Receiver<Delivery>) {
        let now = self.clock.now();
        let mut next = Some(first);
        while let Some(delivery) = next {
            match delivery {
                Delivery::Introduce(worker) => self.session.introduce(&worker),
                Delivery::Share { submit, reply } => {
                    let token = submit.token;
                    if let Err(reply) = self.session.submit(submit, reply, now) {
                        let verdict =
                            Verdict::Unknown("the pool's connection takes no more shares");
                        answer(&reply, token, verdict);
                    }
                }
            }
            next = more.try_recv().ok();
        }
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        let output = self.session.output();
        if output.is_empty() {
            return Ok(());
        }
        let written = tokio::time::timeout(WRITE_WITHIN, self.stream.write_all(output)).await;
        output.clear();
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Failure::Lost(error.to_string())),
            Err(_) => Err(Failure::Lost("the pool reads nothing".to_owned())),
        }
    }

    /// `Some`: the session is over.
    async fn pass_events(&mut self) -> Option<Failure> {
        for event in self.session.take_events() {
            let report = match event {
                PoolEvent::LoggedIn => continue,
                PoolEvent::Verdict {
                    reply,
                    token,
                    verdict,
                } => {
                    answer(&reply, token, verdict);
                    continue;
                }
                PoolEvent::Work {
                    work,
                    split,
                    difficulty,
                    version_mask,
                } => LinkReport::Work(
                    self.id,
                    Terms {
                        work,
                        split,
                        difficulty,
                        version_mask,
                    },
                ),
                PoolEvent::Notice(text) => LinkReport::Notice(self.id, text),
                PoolEvent::Failed(failure) => return Some(failure),
            };
            if self.reports.send(report).await.is_err() {
                return Some(Failure::Closed);
            }
        }
        None
    }
}

/// A miner that is gone, or does not read, misses its verdict; its session
/// answers for itself when its own time is up.
fn answer(reply: &Reply, token: u32, verdict: Verdict) {
    if reply.try_send((token, verdict)).is_err() {
        log::debug!("a verdict found no reader");
    }
}
