//! One connection to a pool: the socket around a core session.

use super::connect::connect;
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

const WRITE_WITHIN: Duration = Duration::from_secs(5);
/// What a link that is let go still gives the pool to answer.
const LAST_VERDICTS: smart_mining_core::Duration = smart_mining_core::Duration::from_secs(10);
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
    /// Runs until the connection fails or the lane lets go of it. Either way
    /// every share that was handed over is answered before the end.
    pub async fn run(mut self) {
        let failure = self.connect_and_serve().await;
        // What came in meanwhile was never sent; from here on nothing comes in.
        self.deliveries.close();
        while let Ok(delivery) = self.deliveries.try_recv() {
            if let Delivery::Share { submit, reply } = delivery {
                let verdict = Verdict::Unsent("the connection to its pool is lost");
                answer(&reply, submit.token, verdict);
            }
        }
        if let Some(failure) = failure {
            // The lane outlives its links; if it does not, nobody is left to tell.
            let report = LinkReport::Failed(self.id, failure);
            let _ = self.reports.send(report).await;
        }
    }

    /// `None`: the lane let go.
    async fn connect_and_serve(&mut self) -> Option<Failure> {
        let url = &self.candidate.url;
        let stream = tokio::select! {
            connected = connect(&url.host, url.port) => match connected {
                Ok(stream) => stream,
                Err(why) => return Some(Failure::Connect(why)),
            },
            _ = &mut self.stop => return None,
        };
        socket::prepare(&stream, USER_TIMEOUT_MS);
        let mut serving = Serving {
            id: self.id,
            session: PoolSession::new(self.candidate.login.clone(), self.clock.now()),
            stream,
            lines: Box::new(LineBuffer::new()),
            reports: &self.reports,
            clock: self.clock,
        };
        let failure = serving.serve(&mut self.deliveries, &mut self.stop).await;
        // Whatever was in flight gets its honest answer before the task ends.
        serving
            .session
            .fail(failure.clone().unwrap_or(Failure::Closed));
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
    /// `None`: the lane let go, and nothing is left to wait for.
    async fn serve(
        &mut self,
        deliveries: &mut mpsc::Receiver<Delivery>,
        stop: &mut oneshot::Receiver<()>,
    ) -> Option<Failure> {
        let mut buffer = vec![0; 16 * 1024];
        let mut leave_by = None;
        loop {
            if let Err(failure) = self.flush().await {
                return Some(failure);
            }
            if let Some(failure) = self.pass_events().await {
                return Some(failure);
            }
            let now = self.clock.now();
            if leave_by.is_some_and(|by| now >= by || self.is_idle(deliveries)) {
                return None;
            }
            let deadline = self.session.deadline();
            let deadline = leave_by.map_or(deadline, |by| deadline.min(by));
            tokio::select! {
                read = self.stream.read(&mut buffer) => match read {
                    Ok(0) => return Some(Failure::Closed),
                    Ok(length) => {
                        if let Some(failure) = self.take_lines(&buffer[..length]) {
                            return Some(failure);
                        }
                    }
                    Err(error) => return Some(Failure::Lost(error.to_string())),
                },
                Some(delivery) = deliveries.recv() => self.deliver(delivery, deliveries),
                // Shares that are in flight are paid work: their verdicts are waited for.
                _ = &mut *stop, if leave_by.is_none() => {
                    deliveries.close();
                    leave_by = Some(self.clock.now() + LAST_VERDICTS);
                }
                () = self.clock.sleep_until(Some(deadline)) => self.session.tick(self.clock.now()),
            }
        }
    }

    fn is_idle(&self, deliveries: &mpsc::Receiver<Delivery>) -> bool {
        self.session.in_flight() == 0 && deliveries.is_empty()
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
                        let verdict = Verdict::Unsent("the pool's connection takes no more shares");
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

#[cfg(test)]
mod tests {
    use super::*;
    use smart_mining_core::Algorithm;
    use smart_mining_core::share::{Job, Seat, Split, Submit, Target, Work};
    use smart_mining_core::sv1::Login;
    use std::future::Future;
    use std::sync::Arc;
    use tokio::io::{AsyncBufReadExt, BufReader};
    use tokio::net::TcpListener;

    async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
        let waited = tokio::time::timeout(Duration::from_secs(20), future).await;
        waited.unwrap_or_else(|_| panic!("{what}: not in time"))
    }

    /// A pool's side of one connection, logged in by the link.
    struct Pool(BufReader<TcpStream>);

    impl Pool {
        async fn hear(&mut self, wanted: &str) {
            let mut line = String::new();
            while !line.contains(wanted) {
                line.clear();
                let read = soon(wanted, self.0.read_line(&mut line)).await;
                assert_ne!(read.expect("it is open"), 0, "closed before {wanted}");
            }
        }

        async fn say(&mut self, line: &str) {
            let line = format!("{line}\n");
            let written = self.0.get_mut().write_all(line.as_bytes()).await;
            written.expect("it is open");
        }
    }

    struct Bench {
        pool: Pool,
        deliveries: mpsc::Sender<Delivery>,
        reports: mpsc::Receiver<LinkReport>,
        stop: oneshot::Sender<()>,
    }

    impl Bench {
        async fn logged_in() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("bound");
            let (deliveries, delivered) = mpsc::channel(8);
            let (reported, mut reports) = mpsc::channel(8);
            let (stop, stopped) = oneshot::channel();
            let link = Link {
                id: 7,
                candidate: candidate(&format!("stratum+tcp://{address}")),
                deliveries: delivered,
                reports: reported,
                stop: stopped,
                clock: Clock::start(),
            };
            tokio::spawn(link.run());
            let (stream, _) = soon("a connection", listener.accept())
                .await
                .expect("accepted");
            let mut pool = Pool(BufReader::new(stream));
            pool.hear("mining.subscribe").await;
            pool.say(r#"{"id":2,"result":[[],"0a0b0c0d",8],"error":null}"#)
                .await;
            pool.hear("mining.authorize").await;
            pool.say(r#"{"id":3,"result":true,"error":null}"#).await;
            let zeros = "0".repeat(64);
            pool.say(&format!(
                r#"{{"id":null,"method":"mining.notify","params":["j1","{zeros}","","",[],"00000001","1d00ffff","00000001",true]}}"#
            ))
            .await;
            let report = soon("its work", reports.recv()).await;
            assert!(matches!(report, Some(LinkReport::Work(7, _))), "{report:?}");
            Self {
                pool,
                deliveries,
                reports,
                stop,
            }
        }

        async fn deliver(&self, token: u32) -> mpsc::Receiver<(u32, Verdict)> {
            let (reply, verdicts) = mpsc::channel(1);
            let submit = share(token);
            let share = Delivery::Share { submit, reply };
            self.deliveries.send(share).await.expect("it takes shares");
            verdicts
        }
    }

    fn candidate(url: &str) -> Candidate {
        Candidate {
            pool: "a".to_owned(),
            coin: "BTC".to_owned(),
            url: url.parse().expect("an address"),
            login: Login {
                user: "account".to_owned(),
                password: "x".to_owned(),
                farm: "barn".to_owned(),
                agent: "test/1".to_owned(),
                per_worker: false,
                extensions: false,
            },
            score: None,
        }
    }

    fn share(token: u32) -> Submit {
        let split = Split::new(&[1, 2, 3, 4], 8).expect("in range");
        let seat = Seat {
            group: 0,
            prefix: 1,
        };
        let work = Work {
            pool_job_id: "j1".to_owned(),
            prev_hash: [0; 32],
            coinbase1: Vec::new(),
            coinbase2: Vec::new(),
            branches: Vec::new(),
            version: 1,
            nbits: 1,
            ntime: 1,
            clean: true,
        };
        Submit {
            token,
            worker: "rig".try_into().expect("short"),
            extranonce2: split.extranonce2(seat, [0, 0, 1]).expect("room"),
            job: Arc::new(Job {
                id: 1,
                link: 7,
                algorithm: Algorithm::Sha256d,
                work: Arc::new(work),
                split,
                difficulty: 1.0,
                target: Target::of_difficulty(Algorithm::Sha256d, 1.0).expect("positive"),
                version_mask: 0,
            }),
            ntime: 1,
            nonce: token,
            version_bits: None,
        }
    }

    #[tokio::test]
    async fn a_link_that_is_let_go_still_brings_the_verdict_of_what_it_sent() {
        let mut bench = Bench::logged_in().await;
        let mut verdicts = bench.deliver(5).await;
        bench.pool.hear("mining.submit").await;
        drop(bench.stop);
        // Nothing new is taken from here on, and that is said at once.
        soon("it stops taking shares", bench.deliveries.closed()).await;
        bench
            .pool
            .say(r#"{"id":16,"result":true,"error":null}"#)
            .await;
        let verdict = soon("the pool's word", verdicts.recv()).await;
        assert_eq!(verdict, Some((5, Verdict::Accepted)));
        // It ends by itself, and as nobody's failure.
        let report = soon("its end", bench.reports.recv()).await;
        assert!(report.is_none(), "{report:?}");
    }

    #[tokio::test]
    async fn what_was_sent_is_unknown_when_the_pool_goes() {
        let mut bench = Bench::logged_in().await;
        let mut sent = bench.deliver(1).await;
        bench.pool.hear("mining.submit").await;
        drop(bench.pool);
        let verdict = soon("an answer", sent.recv()).await;
        assert!(
            matches!(verdict, Some((1, Verdict::Unknown(_)))),
            "{verdict:?}"
        );
        let report = soon("the failure", bench.reports.recv()).await;
        assert!(
            matches!(report, Some(LinkReport::Failed(7, _))),
            "{report:?}"
        );
    }

    #[tokio::test]
    async fn a_share_that_waited_when_the_connection_failed_is_answered_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        drop(listener);
        let (deliveries, delivered) = mpsc::channel(8);
        let (reported, mut reports) = mpsc::channel(8);
        let (_stop, stopped) = oneshot::channel();
        let (reply, mut verdicts) = mpsc::channel(1);
        let submit = share(3);
        let waiting = deliveries.send(Delivery::Share { submit, reply }).await;
        waiting.expect("there is room");
        let link = Link {
            id: 7,
            candidate: candidate(&format!("stratum+tcp://{address}")),
            deliveries: delivered,
            reports: reported,
            stop: stopped,
            clock: Clock::start(),
        };
        soon("it gives up", link.run()).await;
        let verdict = verdicts.try_recv().expect("an answer");
        assert!(matches!(verdict, (3, Verdict::Unsent(_))), "{verdict:?}");
        let report = reports.try_recv().expect("the failure");
        assert!(
            matches!(report, LinkReport::Failed(7, Failure::Connect(_))),
            "{report:?}"
        );
    }
}
