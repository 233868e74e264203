//! Central's snapshots: asked for, judged, stored, and only then routed on.
//!
//! ```text
//!   long-poll --200--> gate --good--> store commit --> ranking (watch) --> lanes
//!       ^  |             `--refused: counted, logged; the last good one stays
//!       |  `--204: nothing new
//!       |-- back-off 1 s .. 30 s while central cannot be reached
//!       `-- somebody wants to know now: asked again at once, without waiting
//! ```
//!
//! One thread of its own, because ureq blocks. It waits for central, never the
//! other way round, so it works from behind any NAT. Each question is asked by a
//! thread that ends with its answer: a long-poll that somebody does not want to
//! wait for is left to itself, and what it brings is not looked at any more.

mod question;

use crate::clock::{Clock, unix_now};
use crate::config::Central;
use crate::events::{Code, Events, Subject};
use crate::renewal::Stored;
use crate::store::{Store, StoredSnapshot};
use crate::update::{Updatable, Updates};
use question::{Fault, Question};
use smart_mining_core::Instant;
use smart_mining_core::route::Gate;
use smart_mining_wire::Snapshot;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use ureq::Agent;

/// Central holds a poll open for so long when it has nothing new.
const WAIT_SECONDS: u64 = 25;
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(WAIT_SECONDS + 10);
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What lanes rank by. `None`: the farm's own pools are all there is.
#[derive(Clone, Debug, Default)]
pub struct Ranking {
    pub snapshot: Option<Arc<Snapshot>>,
}

/// For the status page.
#[derive(Clone, Debug, Default)]
pub struct SyncView {
    pub configured: bool,
    /// `None`: not asked yet.
    pub reachable: Option<bool>,
    pub last_error: Option<String>,
    pub last_contact: Option<Instant>,
    pub sequence: u64,
    /// When the snapshot in force was received, by the wall clock.
    pub received_at: Option<u64>,
    pub accepted: u64,
    pub refused: u64,
    pub last_refusal: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    New,
    Nothing,
}

/// What a question brought that was asked because somebody wanted to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub outcome: Result<News, String>,
    /// Of the snapshot in force, 0: none.
    pub sequence: u64,
    /// What central says of releases; `None`: this appliance does not ask, or had
    /// nothing to say.
    pub release: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    Snapshot,
    Nothing,
}

/// Somebody who waits for an answer.
type Waiter = oneshot::Sender<Asked>;

/// Asks the sync thread to ask central now.
#[derive(Clone)]
pub struct SyncNow(SyncSender<Note>);

impl SyncNow {
    /// Waits for central's answer; `None`: the thread is gone, or too many wait.
    pub async fn ask(&self) -> Option<Asked> {
        let (waiter, answer) = oneshot::channel();
        self.0.try_send(Note::Now(waiter)).ok()?;
        answer.await.ok()
    }
}

/// What wakes the thread.
enum Note {
    /// The answer to the question of this number.
    Came(u64, Result<Option<String>, Fault>),
    Now(Waiter),
}

/// Notes under way: answers, and people who wait.
const NOTES: usize = 64;

pub struct Sync {
    central: Central,
    gate: Gate,
    store: Store,
    events: Arc<Events>,
    clock: Clock,
    ranking: watch::Sender<Ranking>,
    view: watch::Sender<SyncView>,
    updates: Option<Updates>,
    stored: Stored,
    notes: (SyncSender<Note>, Receiver<Note>),
    /// The number of the newest question.
    question: u64,
    waiters: Vec<Waiter>,
}

impl Sync {
    /// Takes up the newest stored snapshot that still passes the gate.
    pub fn new(
        central: Central,
        stored: &[StoredSnapshot],
        store: Store,
        events: Arc<Events>,
        clock: Clock,
    ) -> (Self, watch::Receiver<Ranking>, watch::Receiver<SyncView>) {
        let (ranking, ranked) = watch::channel(Ranking::default());
        let (view, viewed) = watch::channel(SyncView {
            configured: true,
            ..SyncView::default()
        });
        let mut sync = Self {
            gate: Gate::new(central.public_key.clone()),
            central,
            store,
            events,
            clock,
            ranking,
            view,
            updates: None,
            stored: Stored::default(),
            notes: sync_channel(NOTES),
            question: 0,
            waiters: Vec::new(),
        };
        for snapshot in stored {
            match sync.gate.judge(snapshot.envelope.as_bytes()) {
                Ok(good) => {
                    sync.put_in_force(good, snapshot.received_at);
                    break;
                }
                Err(refusal) => {
                    let text = format!("stored snapshot {}: {refusal}", snapshot.sequence);
                    sync.refused(&text);
                }
            }
        }
        (sync, ranked, viewed)
    }

    /// Ask for releases too.
    #[must_use]
    pub fn for_appliance(mut self, appliance: Option<Updatable>) -> Self {
        self.updates = appliance.map(Updates::new);
        self
    }

    pub fn now(&self) -> SyncNow {
        SyncNow(self.notes.0.clone())
    }

    /// Polls for as long as the process lives.
    pub fn run(mut self) {
        let agent: Agent = Agent::config_builder()
            .timeout_connect(Some(CONNECT_WITHIN))
            .timeout_send_request(Some(CONNECT_WITHIN))
            .timeout_recv_response(Some(ANSWER_WITHIN))
            .timeout_recv_body(Some(ANSWER_WITHIN))
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(crate::rules::AGENT)
            .build()
            .into();
        if let Some(updates) = &mut self.updates {
            // Also while central is away.
            updates.look(&self.events, &self.store);
        }
        let mut wait = FIRST_WAIT;
        loop {
            let asked = std::time::Instant::now();
            match self.poll(&agent) {
                Ok(answer) => {
                    self.reached();
                    self.ask_for_a_release(&agent);
                    self.tell_waiters(Ok(match answer {
                        Answer::New => News::Snapshot,
                        Answer::Nothing => News::Nothing,
                    }));
                    wait = FIRST_WAIT;
                    if answer == Answer::Nothing {
                        // One that is stopping, or something between, may say so at once.
                        self.rest(FIRST_WAIT.saturating_sub(asked.elapsed()));
                    }
                }
                Err(error) => {
                    let error = error.to_string();
                    self.not_reached(&error);
                    self.tell_waiters(Err(error));
                    wait = match self.rest(wait) {
                        // What was away for long may be back for whoever asks.
                        true => FIRST_WAIT,
                        false => (wait * 2).min(LONGEST_WAIT),
                    };
                }
            }
        }
    }

    /// Wait, unless somebody wants to know. `true`: somebody does.
    fn rest(&mut self, wait: Duration) -> bool {
        let until = std::time::Instant::now() + wait;
        while self.waiters.is_empty() {
            let left = until.saturating_duration_since(std::time::Instant::now());
            match self.notes.1.recv_timeout(left) {
                // Of a question that nobody waits for any more.
                Ok(Note::Came(..)) => {}
                Ok(Note::Now(waiter)) => self.waiters.push(waiter),
                // We hold a sender ourselves: it cannot be disconnected.
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return false,
            }
        }
        true
    }

    fn tell_waiters(&mut self, outcome: Result<News, String>) {
        if self.waiters.is_empty() {
            return;
        }
        let asked = Asked {
            outcome,
            sequence: self.gate.sequence(),
            release: self.updates.as_ref().and_then(Updates::told),
        };
        for waiter in self.waiters.drain(..) {
            // Whoever went away does not need it.
            let _ = waiter.send(asked.clone());
        }
    }

    fn ask_for_a_release(&mut self, agent: &Agent) {
        if let Some(updates) = &mut self.updates {
            if !self.waiters.is_empty() {
                updates.hurry();
            }
            updates.ask_if_due(agent, &self.central, &self.events, &self.store);
        }
    }

    /// Ask, and wait for the answer, or for somebody who cannot wait so long.
    fn poll(&mut self, agent: &Agent) -> Result<Answer, Fault> {
        self.ask(agent);
        let mut is_hurried = !self.waiters.is_empty();
        loop {
            match self.notes.1.recv() {
                Ok(Note::Came(question, answer)) if question == self.question => {
                    let Some(envelope) = answer? else {
                        return Ok(Answer::Nothing);
                    };
                    self.take(envelope).map_err(Fault::Answer)?;
                    return Ok(Answer::New);
                }
                Ok(Note::Came(..)) => {}
                Ok(Note::Now(waiter)) => {
                    self.waiters.push(waiter);
                    if !is_hurried {
                        is_hurried = true;
                        self.ask(agent);
                    }
                }
                Err(gone) => return Err(Fault::Connection(gone.to_string())),
            }
        }
    }

    /// In a thread of its own, which ends with the answer.
    fn ask(&mut self, agent: &Agent) {
        let is_reachable = self.view.borrow().reachable == Some(true);
        self.question += 1;
        let question = Question {
            agent: agent.clone(),
            central: self.central.clone(),
            after: self.gate.sequence(),
            // Whether central is there must not wait for its next snapshot.
            wait: match is_reachable && self.waiters.is_empty() {
                true => WAIT_SECONDS,
                false => 0,
            },
            is_kept: is_reachable,
        };
        let (number, notes) = (self.question, self.notes.0.clone());
        let asking = std::thread::Builder::new()
            .name("ask-central".to_owned())
            .spawn(move || {
                // With the notes' end the process ends.
                let _ = notes.send(Note::Came(number, question.ask_twice()));
            });
        if let Err(error) = asking {
            let fault = Fault::Connection(format!("no thread to ask with: {error}"));
            // There is room: nobody else has the answer to send.
            let _ = self.notes.0.try_send(Note::Came(number, Err(fault)));
        }
    }

    fn take(&mut self, envelope: String) -> Result<(), String> {
        let snapshot = match self.gate.judge(envelope.as_bytes()) {
            Ok(snapshot) => snapshot,
            Err(refusal) => {
                let text = refusal.to_string();
                self.refused(&text);
                return Err(format!("its snapshot was refused: {text}"));
            }
        };
        let (received_at, now) = (unix_now(), self.clock.now());
        if self.stored.says(&snapshot.entries, now) {
            self.put_in_force(snapshot, received_at);
            return Ok(());
        }
        self.store
            .save_snapshot(snapshot.sequence, received_at, envelope)
            .map_err(|error| {
                format!(
                    "snapshot {} could not be stored: {error}",
                    snapshot.sequence
                )
            })?;
        self.stored.is(&snapshot.entries, now);
        let text = format!("{} entries", snapshot.entries.len());
        let subject = Subject::Snapshot(snapshot.sequence);
        self.put_in_force(snapshot, received_at);
        self.events.record(Code::SnapshotAccepted, subject, text);
        Ok(())
    }

    fn put_in_force(&mut self, snapshot: Snapshot, received_at: u64) {
        self.gate.commit(&snapshot);
        self.view.send_modify(|view| {
            view.sequence = snapshot.sequence;
            view.received_at = Some(received_at);
            view.accepted = self.gate.accepted;
        });
        self.ranking.send_replace(Ranking {
            snapshot: Some(Arc::new(snapshot)),
        });
    }

    fn refused(&self, text: &str) {
        let new = self.view.borrow().last_refusal.as_deref() != Some(text);
        self.view.send_modify(|view| {
            view.refused = self.gate.refused;
            view.last_refusal = Some(text.to_owned());
        });
        // The same refusal again is counted, not told again.
        if new {
            self.events
                .record(Code::SnapshotRefused, Subject::Central, text);
        }
    }

    fn reached(&self) {
        let before = self.view.borrow().reachable;
        self.view.send_modify(|view| {
            view.reachable = Some(true);
            view.last_error = None;
            view.last_contact = Some(self.clock.now());
        });
        if before == Some(false) {
            self.events
                .record(Code::CentralBack, Subject::Central, "answers again");
        }
    }

    fn not_reached(&self, error: &str) {
        let before = self.view.borrow().reachable;
        self.view.send_modify(|view| {
            view.reachable = Some(false);
            view.last_error = Some(error.to_owned());
        });
        if before != Some(false) {
            let text = format!("{error}; routing goes on from the stored snapshot");
            self.events
                .record(Code::CentralUnreachable, Subject::Central, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use smart_mining_wire::{Entry, Envelope, PoolOffer, SecretKey};
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::Instant as Moment;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn snapshot(sequence: u64, key: &SecretKey) -> String {
        let entry = Entry {
            coin: "BTC".to_owned(),
            algorithm: smart_mining_wire::Algorithm::Sha256d,
            pool: PoolOffer {
                id: "a".to_owned(),
                url: "stratum+tcp://a.example:3333".to_owned(),
                fee: 0.01,
                scheme: "FPPS".to_owned(),
            },
            usd_per_hash_day: 4e-14,
            margin: 0.01,
        };
        let snapshot = Snapshot {
            version: 1,
            sequence,
            created_at: 1_700_000_000,
            entries: vec![entry],
        };
        Envelope::seal(&snapshot, key).to_json()
    }

    /// Central's side: it answers what the test says, when the test says it.
    struct Central(TcpListener);

    impl Central {
        fn accept(&self) -> BufReader<TcpStream> {
            let (stream, _) = self.0.accept().expect("a connection");
            stream.set_read_timeout(Some(PATIENCE)).expect("set");
            BufReader::new(stream)
        }
    }

    /// The request line.
    fn asked(connection: &mut BufReader<TcpStream>) -> String {
        let (mut line, mut first) = (String::new(), String::new());
        while line != "\r\n" {
            line.clear();
            let read = connection.read_line(&mut line).expect("a request");
            assert_ne!(read, 0, "closed instead of asked");
            if first.is_empty() {
                first.clone_from(&line);
            }
        }
        first
    }

    /// Somebody who wants to know, and what he is told.
    fn wants_to_know(farm: &Farm) -> std::thread::JoinHandle<Option<Asked>> {
        let now = farm.now.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            runtime.expect("a runtime").block_on(now.ask())
        })
    }

    fn answer(connection: &mut BufReader<TcpStream>, status: &str, body: &str) {
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let stream = connection.get_mut();
        stream.write_all(head.as_bytes()).expect("sent");
        stream.write_all(body.as_bytes()).expect("sent");
    }

    struct Farm {
        view: watch::Receiver<SyncView>,
        events: Arc<Events>,
        now: SyncNow,
        _folder: tempfile::TempDir,
    }

    fn start(key: &SecretKey) -> (Central, Farm) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let folder = tempfile::tempdir().expect("a folder");
        let (store, _) = Store::open(&folder.path().join("farm.sqlite")).expect("a new store");
        let central = crate::config::Central {
            url: format!("http://{}", listener.local_addr().expect("bound")),
            token: Secret::new("t"),
            public_key: key.public(),
            report_every: Duration::from_secs(300),
        };
        let events = Arc::new(Events::new(store.clone()));
        let (sync, _ranking, view) = Sync::new(central, &[], store, events.clone(), Clock::start());
        let now = sync.now();
        std::thread::spawn(move || sync.run());
        let farm = Farm {
            view,
            events,
            now,
            _folder: folder,
        };
        (Central(listener), farm)
    }

    fn until(view: &watch::Receiver<SyncView>, what: &str, wanted: impl Fn(&SyncView) -> bool) {
        let deadline = Moment::now() + PATIENCE;
        while !wanted(&view.borrow()) {
            assert!(Moment::now() < deadline, "{what}: {:?}", view.borrow());
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_kept_connection_that_ended_is_no_outage() {
        let key = SecretKey::from_bytes(&[7; 32]);
        let (central, farm) = start(&key);
        let mut kept = central.accept();
        asked(&mut kept);
        answer(&mut kept, "200 OK", &snapshot(1, &key));
        // It ends while a poll waits on it, as when central is restarted.
        asked(&mut kept);
        drop(kept);
        let mut fresh = central.accept();
        asked(&mut fresh);
        answer(&mut fresh, "200 OK", &snapshot(2, &key));
        until(&farm.view, "the second snapshot", |view| view.sequence == 2);
        assert_eq!(farm.view.borrow().reachable, Some(true));
        let told: Vec<&str> = farm
            .events
            .recent()
            .iter()
            .map(|event| event.code)
            .collect();
        assert!(!told.contains(&"central-unreachable"), "{told:?}");
    }

    #[test]
    fn nothing_new_said_at_once_is_not_asked_for_again_at_once() {
        let key = SecretKey::from_bytes(&[7; 32]);
        let (central, _farm) = start(&key);
        let mut connection = central.accept();
        let mut moments = Vec::new();
        for _ in 0..3 {
            asked(&mut connection);
            moments.push(Moment::now());
            answer(&mut connection, "204 No Content", "");
        }
        let apart = moments[2].saturating_duration_since(moments[0]);
        assert!(apart >= FIRST_WAIT * 3 / 2, "asked twice within {apart:?}");
    }

    #[test]
    fn whoever_wants_to_know_now_does_not_wait_for_the_long_poll() {
        let key = SecretKey::from_bytes(&[7; 32]);
        let (central, farm) = start(&key);
        let mut long = central.accept();
        asked(&mut long);
        answer(&mut long, "200 OK", &snapshot(1, &key));
        assert!(asked(&mut long).contains("after=1&wait=25"));
        let begun = Moment::now();
        let told = wants_to_know(&farm);
        let mut short = central.accept();
        assert!(asked(&mut short).contains("after=1&wait=0"));
        answer(&mut short, "200 OK", &snapshot(2, &key));
        let told = told.join().expect("no panic").expect("an answer");
        assert_eq!((told.outcome, told.sequence), (Ok(News::Snapshot), 2));
        assert!(begun.elapsed() < Duration::from_secs(10));
        // What the other one brings late is neither taken nor held against central.
        answer(&mut long, "200 OK", &snapshot(2, &key));
        let told = wants_to_know(&farm);
        // Which of them goes on with the connection that is there is chance.
        let mut next = [short, central.accept()];
        let lines = next.each_mut().map(asked);
        let waits = |wait: &str| lines.iter().position(|line| line.contains(wait));
        assert!(waits("after=2&wait=25").is_some(), "{lines:?}");
        let at_once = waits("after=2&wait=0").expect("whoever wants to know asks at once");
        answer(&mut next[at_once], "204 No Content", "");
        let told = told.join().expect("no panic").expect("an answer");
        assert_eq!((told.outcome, told.sequence), (Ok(News::Nothing), 2));
        assert_eq!(farm.view.borrow().refused, 0);
    }

    #[test]
    fn whoever_wants_to_know_while_central_is_away_is_told_so() {
        let key = SecretKey::from_bytes(&[7; 32]);
        let (central, farm) = start(&key);
        let mut first = central.accept();
        asked(&mut first);
        answer(&mut first, "500 Internal Server Error", "");
        until(&farm.view, "it shows", |view| view.reachable == Some(false));
        drop((first, central));
        let told = wants_to_know(&farm).join().expect("no panic");
        let told = told.expect("an answer");
        assert_eq!(told.sequence, 0);
        assert!(told.outcome.is_err());
    }
}
