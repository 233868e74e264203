//! One pool's connection: the socket around a core session, and what waits while
//! there is none.
//!
//! ```text
//!              connected, logged in              failed
//!   Connecting ---------------------> Serving ---------> Parked
//!        |                                                 |
//!        |  failed                                         |  the lane says retry
//!        `----------------------------> Parked             '--> Connecting
//! ```
//!
//! A link is one pool and one group of miners for as long as the lane wants them
//! together. A connection that breaks does not end it: the next one asks the pool
//! for the session of the last, and shares that were made meanwhile wait for it.
//! If the pool gives the same extranonce1 they are sent, otherwise, or after
//! [`PARKED_FOR`], they are answered as lost.

use super::connect::reach;
use crate::clock::Clock;
use crate::listener::{Delivery, Inbox, Outbox};
use crate::tls::client::PoolStream;
use smart_mining_core::Instant;
use smart_mining_core::line::{self, LineBuffer, POOL_LINE};
use smart_mining_core::route::Candidate;
use smart_mining_core::share::{LinkId, Split, Submit, Terms, Token, Verdict};
use smart_mining_core::sv1::{Failure, Opening, PoolEvent, PoolSession};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

const WRITE_WITHIN: Duration = Duration::from_secs(5);
/// What a link that is let go still gives the pool to answer.
const LAST_VERDICTS: smart_mining_core::Duration = smart_mining_core::Duration::from_secs(10);
/// How long a share waits for a connection. Miners wait up to 30 s for a verdict.
pub const PARKED_FOR: smart_mining_core::Duration = smart_mining_core::Duration::from_secs(20);
/// Shares that wait for a connection at a time.
pub const MOST_PARKED: usize = 1024;
const BUFFER: usize = 16 * 1024;
/// How often deadlines are looked at; the shortest of them is some seconds.
const LOOK: Duration = Duration::from_millis(250);

const GONE: &str = "the connection to its pool is lost";

/// What a link tells its lane.
#[derive(Debug)]
pub enum LinkReport {
    Work(LinkId, Terms),
    Notice(LinkId, String),
    /// A session that had ended is there again, or another one in its place.
    Resumed {
        link: LinkId,
        same: bool,
        /// Shares that had waited for it.
        shares: usize,
    },
    Failed(LinkId, Failure),
}

/// A difficulty to suggest to the pool, from what the farm does now.
pub type Suggestion = Arc<dyn Fn() -> Option<f64> + Send + Sync>;

pub struct Link {
    pub id: LinkId,
    pub candidate: Candidate,
    pub outbox: Arc<Outbox>,
    pub reports: mpsc::Sender<LinkReport>,
    /// Each one means: try again now. Closed by the lane when the link is not
    /// wanted any more.
    pub retries: mpsc::Receiver<()>,
    pub inbox: Arc<Inbox>,
    pub suggestion: Suggestion,
    pub clock: Clock,
}

/// What outlasts a connection.
struct Kept {
    parked: VecDeque<(Instant, Submit)>,
    /// The pool's name of the last session, and what it gave with it.
    session: Option<String>,
    split: Option<Split>,
    active: bool,
    verdicts: Vec<(Token, Verdict)>,
    inbox: Arc<Inbox>,
}

impl Kept {
    fn park(&mut self, submit: Submit, now: Instant) {
        // Without a session there is nothing that could be gone on with.
        if self.split.as_ref() != Some(&submit.job.split) {
            self.unsent(submit.token, "its pool has begun another session since");
        } else if self.parked.len() >= MOST_PARKED {
            self.unsent(submit.token, "its pool is away and too many shares wait");
        } else {
            self.parked.push_back((now, submit));
        }
    }

    fn parked_deadline(&self) -> Option<Instant> {
        self.parked.front().map(|(since, _)| *since + PARKED_FOR)
    }

    fn give_up_parked(&mut self, now: Instant) {
        while self.parked_deadline().is_some_and(|until| now >= until)
            && let Some((_, submit)) = self.parked.pop_front()
        {
            self.unsent(submit.token, "its pool did not come back in time");
        }
    }

    fn unsent(&mut self, token: Token, why: &'static str) {
        self.verdicts.push((token, Verdict::Unsent(why)));
    }

    /// Hand the verdicts to the miners.
    fn pass_on(&mut self) {
        self.inbox.judge(&mut self.verdicts);
    }
}

impl Link {
    /// Runs until the lane lets go of it. Every share that was handed over is
    /// answered before the end.
    pub async fn run(mut self) {
        let mut kept = Kept {
            parked: VecDeque::new(),
            session: None,
            split: None,
            active: false,
            verdicts: Vec::new(),
            inbox: self.inbox.clone(),
        };
        while let Some(failure) = self.connect_and_serve(&mut kept).await {
            kept.pass_on();
            // The lane outlives its links; if it does not, nobody is left to tell.
            let report = LinkReport::Failed(self.id, failure);
            if self.reports.send(report).await.is_err() || !self.wait(&mut kept).await {
                break;
            }
        }
        // What came in meanwhile was never sent; from here on nothing comes in.
        self.outbox.close();
        let mut late = Vec::new();
        self.outbox.take(&mut late);
        for delivery in late {
            if let Delivery::Share(submit) = delivery {
                kept.unsent(submit.token, GONE);
            }
        }
        while let Some((_, submit)) = kept.parked.pop_front() {
            kept.unsent(submit.token, GONE);
        }
        kept.pass_on();
    }

    /// Parked. `false`: the lane let go.
    async fn wait(&mut self, kept: &mut Kept) -> bool {
        loop {
            let deadline = kept.parked_deadline();
            tokio::select! {
                retry = self.retries.recv() => return retry.is_some(),
                () = self.outbox.ready() => self.keep(kept),
                () = self.clock.sleep_until(deadline) => {}
            }
            kept.give_up_parked(self.clock.now());
            kept.pass_on();
        }
    }

    /// Deliveries for which there is no session now.
    fn keep(&self, kept: &mut Kept) {
        let now = self.clock.now();
        let mut deliveries = Vec::new();
        self.outbox.take(&mut deliveries);
        for delivery in deliveries {
            match delivery {
                Delivery::Share(submit) => kept.park(submit, now),
                Delivery::Active(active) => kept.active = active,
                // The session will not know the worker: its first share introduces it.
                Delivery::Introduce(_) => {}
            }
        }
    }

    /// `None`: the lane let go.
    async fn connect_and_serve(&mut self, kept: &mut Kept) -> Option<Failure> {
        let stream = {
            let url = self.candidate.url.clone();
            let connecting = reach(&url, self.candidate.tls_pin);
            tokio::pin!(connecting);
            loop {
                let deadline = kept.parked_deadline();
                tokio::select! {
                    connected = &mut connecting => match connected {
                        Ok(stream) => break stream,
                        Err(why) => return Some(Failure::Connect(why)),
                    },
                    retry = self.retries.recv() => { retry?; }
                    () = self.outbox.ready() => self.keep(kept),
                    () = self.clock.sleep_until(deadline) => {}
                }
                kept.give_up_parked(self.clock.now());
                kept.pass_on();
            }
        };
        let opening = Opening {
            resume: kept.session.clone(),
            suggest: (self.suggestion)(),
        };
        let mut session = PoolSession::new(self.candidate.login.clone(), opening, self.clock.now());
        session.set_active(kept.active);
        let mut serving = Serving {
            id: self.id,
            session,
            stream,
            lines: Box::new(LineBuffer::new()),
            reports: &self.reports,
            clock: self.clock,
            outbox: &self.outbox,
            taken: Vec::new(),
            kept,
        };
        let failure = serving.serve(&mut self.retries).await;
        // Whatever was in flight gets its honest answer before the task goes on.
        let end = failure.clone().unwrap_or(Failure::Closed);
        serving.session.fail(end);
        serving.pass_events().await;
        failure
    }
}

struct Serving<'a> {
    id: LinkId,
    session: PoolSession,
    stream: PoolStream,
    lines: Box<LineBuffer<POOL_LINE>>,
    reports: &'a mpsc::Sender<LinkReport>,
    clock: Clock,
    outbox: &'a Outbox,
    /// What was taken out of it; empty but while it is read.
    taken: Vec<Delivery>,
    kept: &'a mut Kept,
}

impl Serving<'_> {
    /// `None`: the lane let go, and nothing is left to wait for.
    async fn serve(&mut self, retries: &mut mpsc::Receiver<()>) -> Option<Failure> {
        let mut buffer = vec![0; BUFFER];
        let mut leave_by = None;
        // A timer for each deadline would be set anew with each share.
        let mut look = tokio::time::interval(LOOK);
        loop {
            if let Err(failure) = self.flush().await {
                return Some(failure);
            }
            if let Some(failure) = self.pass_events().await {
                return Some(failure);
            }
            let now = self.clock.now();
            if leave_by.is_some_and(|by| now >= by || self.is_idle()) {
                return None;
            }
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
                () = self.outbox.ready() => self.deliver(),
                // Shares that are in flight are paid work: their verdicts are waited for.
                retry = retries.recv(), if leave_by.is_none() => if retry.is_none() {
                    self.outbox.close();
                    leave_by = Some(self.clock.now() + LAST_VERDICTS);
                },
                _ = look.tick() => {
                    let now = self.clock.now();
                    self.kept.give_up_parked(now);
                    if now >= self.session.deadline() {
                        self.session.tick(now);
                    }
                }
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.session.in_flight() == 0 && self.outbox.is_empty()
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

    /// Take all that is there: one write for all of it.
    fn deliver(&mut self) {
        let now = self.clock.now();
        let mut taken = std::mem::take(&mut self.taken);
        self.outbox.take(&mut taken);
        for delivery in taken.drain(..) {
            match delivery {
                Delivery::Introduce(worker) => self.session.introduce(&worker),
                Delivery::Active(active) => {
                    self.kept.active = active;
                    self.session.set_active(active);
                }
                Delivery::Share(submit) => self.submit(submit, now),
            }
        }
        self.taken = taken;
    }

    fn submit(&mut self, submit: Submit, now: Instant) {
        if !self.session.is_logged_in() {
            return self.kept.park(submit, now);
        }
        let token = submit.token;
        if let Err(why) = self.session.submit(submit, now) {
            self.kept.unsent(token, why);
        }
    }

    /// The login is through: is it the session from before?
    fn logged_in(&mut self) -> Option<LinkReport> {
        let split = self.session.split().cloned();
        let had_one = self.kept.split.is_some();
        let same = had_one && self.kept.split == split;
        self.kept.split = split;
        self.kept.session = self.session.resumable().map(str::to_owned);
        let (now, shares) = (self.clock.now(), self.kept.parked.len());
        while let Some((_, submit)) = self.kept.parked.pop_front() {
            self.submit(submit, now);
        }
        had_one.then_some(LinkReport::Resumed {
            link: self.id,
            same,
            shares,
        })
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        let output = self.session.output();
        if output.is_empty() {
            return Ok(());
        }
        let write = async {
            self.stream.write_all(output).await?;
            // Over TLS a write may still lie in our own buffer.
            self.stream.flush().await
        };
        let written = tokio::time::timeout(WRITE_WITHIN, write).await;
        output.clear();
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Failure::Lost(error.to_string())),
            Err(_) => Err(Failure::Lost("the pool reads nothing".to_owned())),
        }
    }

    /// `Some`: the session is over.
    async fn pass_events(&mut self) -> Option<Failure> {
        let mut failure = None;
        while let Some(event) = self.session.next_event() {
            let report = match event {
                PoolEvent::Verdict { token, verdict } => {
                    self.kept.verdicts.push((token, verdict));
                    continue;
                }
                PoolEvent::LoggedIn => match self.logged_in() {
                    Some(report) => report,
                    None => continue,
                },
                PoolEvent::Work(terms) => LinkReport::Work(self.id, terms),
                PoolEvent::Notice(text) => LinkReport::Notice(self.id, text),
                PoolEvent::Failed(why) => {
                    failure = Some(why);
                    break;
                }
            };
            self.kept.pass_on();
            if self.reports.send(report).await.is_err() {
                failure = Some(Failure::Closed);
                break;
            }
        }
        self.kept.pass_on();
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smart_mining_core::Algorithm;
    use smart_mining_core::share::{Job, Seat, Work};
    use smart_mining_core::sv1::Login;
    use std::future::Future;
    use tokio::io::{AsyncBufReadExt, BufReader};
    use tokio::net::{TcpListener, TcpStream};

    async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
        let waited = tokio::time::timeout(Duration::from_secs(20), future).await;
        waited.unwrap_or_else(|_| panic!("{what}: not in time"))
    }

    /// A pool's side of one connection, logged in by the link.
    struct Pool(BufReader<TcpStream>);

    impl Pool {
        async fn hear(&mut self, wanted: &str) -> String {
            let mut line = String::new();
            while !line.contains(wanted) {
                line.clear();
                let read = soon(wanted, self.0.read_line(&mut line)).await;
                assert_ne!(read.expect("it is open"), 0, "closed before {wanted}");
            }
            line
        }

        async fn say(&mut self, line: &str) {
            let line = format!("{line}\n");
            let written = self.0.get_mut().write_all(line.as_bytes()).await;
            written.expect("it is open");
        }

        async fn welcome(listener: &TcpListener, extranonce1: &str) -> (Self, String) {
            let accepted = soon("a connection", listener.accept()).await;
            let mut pool = Self(BufReader::new(accepted.expect("accepted").0));
            let subscribe = pool.hear("mining.subscribe").await;
            pool.say(&format!(
                r#"{{"id":2,"result":[[["mining.notify","5e55"]],"{extranonce1}",8],"error":null}}"#
            ))
            .await;
            pool.hear("mining.authorize").await;
            pool.say(r#"{"id":3,"result":true,"error":null}"#).await;
            let zeros = "0".repeat(64);
            pool.say(&format!(
                r#"{{"id":null,"method":"mining.notify","params":["j1","{zeros}","","",[],"00000001","1d00ffff","00000001",true]}}"#
            ))
            .await;
            (pool, subscribe)
        }
    }

    /// What reaches the miners.
    struct Miners {
        inbox: Arc<Inbox>,
        poll: mio::Poll,
        heard: VecDeque<(Token, Verdict)>,
    }

    impl Miners {
        fn new() -> Self {
            let poll = mio::Poll::new().expect("a poll");
            let waker = mio::Waker::new(poll.registry(), mio::Token(0)).expect("a waker");
            Self {
                inbox: Arc::new(Inbox::new(waker)),
                poll,
                heard: VecDeque::new(),
            }
        }

        /// The next verdict, waited for as the listener's thread does.
        fn hear(&mut self, what: &str) -> (Token, Verdict) {
            let mut ready = mio::Events::with_capacity(4);
            while self.heard.is_empty() {
                let waited = self.poll.poll(&mut ready, Some(Duration::from_secs(40)));
                waited.expect("it waits");
                assert!(!ready.is_empty(), "{what}: not in time");
                self.heard.extend(self.inbox.read_verdicts());
            }
            self.heard.pop_front().expect("one")
        }
    }

    struct Bench {
        listener: TcpListener,
        outbox: Arc<Outbox>,
        reports: mpsc::Receiver<LinkReport>,
        retries: mpsc::Sender<()>,
        miners: Miners,
    }

    impl Bench {
        /// Nobody has accepted the connection yet.
        async fn new() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("bound");
            let miners = Miners::new();
            let outbox = Arc::new(Outbox::default());
            let (reported, reports) = mpsc::channel(8);
            let (retries, retried) = mpsc::channel(1);
            let link = Link {
                id: 7,
                candidate: candidate(&format!("stratum+tcp://{address}")),
                outbox: outbox.clone(),
                reports: reported,
                retries: retried,
                inbox: miners.inbox.clone(),
                suggestion: Arc::new(|| None),
                clock: Clock::start(),
            };
            tokio::spawn(link.run());
            Self {
                listener,
                outbox,
                reports,
                retries,
                miners,
            }
        }

        async fn logged_in() -> (Self, Pool) {
            let mut bench = Self::new().await;
            let (pool, _) = Pool::welcome(&bench.listener, "01020304").await;
            let report = soon("its work", bench.reports.recv()).await;
            assert!(matches!(report, Some(LinkReport::Work(7, _))), "{report:?}");
            (bench, pool)
        }

        fn deliver(&self, token: Token) {
            let mut batch = vec![Delivery::Share(share(token))];
            self.outbox.post(&mut batch).expect("it takes shares");
        }

        async fn report(&mut self, what: &str) -> LinkReport {
            soon(what, self.reports.recv()).await.expect("it lives")
        }
    }

    fn candidate(url: &str) -> Candidate {
        Candidate {
            pool: "a".to_owned(),
            coin: "BTC".to_owned(),
            url: url.parse().expect("an address"),
            tls_pin: None,
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

    fn share(token: Token) -> Submit {
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
        let terms = Terms {
            work: Arc::new(work),
            split: split.clone(),
            difficulty: 1.0,
            version_mask: 0,
        };
        Submit {
            token,
            worker: "rig".try_into().expect("short"),
            extranonce2: split.extranonce2(seat, &[0, 0, 1]).expect("room"),
            job: Arc::new(Job::new(1, 7, Algorithm::Sha256d, terms).expect("positive")),
            ntime: 1,
            nonce: token as u32,
            version_bits: None,
        }
    }

    // The miners' side waits without yielding, as the listener's thread does.
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_link_that_is_let_go_still_brings_the_verdict_of_what_it_sent() {
        let (mut bench, mut pool) = Bench::logged_in().await;
        bench.deliver(5);
        pool.hear("mining.submit").await;
        drop(bench.retries);
        // Nothing new is taken from here on, and that is said at once.
        soon("it stops taking shares", async {
            while !bench.outbox.is_closed() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        pool.say(r#"{"id":16,"result":true,"error":null}"#).await;
        // It ends by itself, and as nobody's failure.
        let report = soon("its end", bench.reports.recv()).await;
        assert!(report.is_none(), "{report:?}");
        let verdict = bench.miners.hear("the pool's word");
        assert_eq!(verdict, (5, Verdict::Accepted));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn what_was_sent_is_unknown_when_the_pool_goes() {
        let (mut bench, mut pool) = Bench::logged_in().await;
        bench.deliver(1);
        pool.hear("mining.submit").await;
        drop(pool);
        let report = bench.report("the failure").await;
        assert!(matches!(report, LinkReport::Failed(7, _)), "{report:?}");
        let verdict = bench.miners.hear("an answer");
        assert!(matches!(verdict, (1, Verdict::Unknown(_))), "{verdict:?}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn shares_of_a_short_outage_are_sent_when_the_pool_takes_the_session_up_again() {
        let (mut bench, pool) = Bench::logged_in().await;
        drop(pool);
        assert!(matches!(
            bench.report("the failure").await,
            LinkReport::Failed(7, _)
        ));
        bench.deliver(1);
        bench.retries.send(()).await.expect("it waits");
        bench.deliver(2);
        let (mut pool, subscribe) = Pool::welcome(&bench.listener, "01020304").await;
        assert!(
            subscribe.contains(r#""5e55""#),
            "asks for its session: {subscribe}"
        );
        for id in [16, 17] {
            pool.hear("mining.submit").await;
            pool.say(&format!(r#"{{"id":{id},"result":true,"error":null}}"#))
                .await;
        }
        let report = bench.report("what became of the session").await;
        assert!(
            matches!(report, LinkReport::Resumed { same: true, .. }),
            "{report:?}"
        );
        bench.report("its work").await;
        for token in [1, 2] {
            let verdict = bench.miners.hear("the pool's word");
            assert_eq!(verdict, (token, Verdict::Accepted));
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn shares_of_another_session_are_lost_and_no_pool_sees_them() {
        let (mut bench, pool) = Bench::logged_in().await;
        drop(pool);
        bench.report("the failure").await;
        bench.deliver(1);
        bench.retries.send(()).await.expect("it waits");
        let (_pool, _) = Pool::welcome(&bench.listener, "0a0b0c0d").await;
        let report = bench.report("what became of the session").await;
        assert!(
            matches!(report, LinkReport::Resumed { same: false, .. }),
            "{report:?}"
        );
        let verdict = bench.miners.hear("an answer");
        assert!(matches!(verdict, (1, Verdict::Unsent(_))), "{verdict:?}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_share_that_waited_when_the_lane_let_go_is_answered_at_once() {
        let (mut bench, pool) = Bench::logged_in().await;
        drop(pool);
        bench.report("the failure").await;
        bench.deliver(3);
        drop(bench.retries);
        let verdict = bench.miners.hear("an answer");
        assert!(matches!(verdict, (3, Verdict::Unsent(_))), "{verdict:?}");
    }
}
