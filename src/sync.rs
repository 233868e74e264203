//! Central's snapshots: asked for, judged, stored, and only then routed on.
//!
//! ```text
//!   long-poll --200--> gate --good--> store commit --> ranking (watch) --> lanes
//!       ^  |             `--refused: counted, logged; the last good one stays
//!       |  `--204: nothing new
//!       `-- back-off 1 s .. 30 s while central cannot be reached
//! ```
//!
//! One thread of its own, because ureq blocks. It waits for central, never the
//! other way round, so it works from behind any NAT.

use crate::clock::{Clock, unix_now};
use crate::config::Central;
use crate::events::{Code, Events, Subject};
use crate::store::{Store, StoredSnapshot};
use crate::update::{Updatable, Updates};
use smart_mining_core::Instant;
use smart_mining_core::route::Gate;
use smart_mining_wire::Snapshot;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use ureq::Agent;

/// Central holds a poll open for so long when it has nothing new.
const WAIT_SECONDS: u64 = 25;
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(WAIT_SECONDS + 10);
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// An envelope is base64 of at most 512 KiB, with its signature.
const MAX_ENVELOPE: u64 = 800 * 1024;

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

enum Answer {
    New,
    Nothing,
}

/// Why a poll brought nothing.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("{0}")]
    Connection(String),
    /// It came, and is of no use.
    #[error("{0}")]
    Answer(String),
}

pub struct Sync {
    central: Central,
    gate: Gate,
    store: Store,
    events: Arc<Events>,
    clock: Clock,
    ranking: watch::Sender<Ranking>,
    view: watch::Sender<SyncView>,
    updates: Option<Updates>,
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
            match self.poll_twice(&agent) {
                Ok(Answer::New) => {
                    self.reached();
                    self.ask_for_a_release(&agent);
                    wait = FIRST_WAIT;
                }
                Ok(Answer::Nothing) => {
                    self.reached();
                    self.ask_for_a_release(&agent);
                    wait = FIRST_WAIT;
                    // One that is stopping, or something between, may say so at once.
                    std::thread::sleep(FIRST_WAIT.saturating_sub(asked.elapsed()));
                }
                Err(error) => {
                    let error = error.to_string();
                    self.not_reached(&error);
                    std::thread::sleep(wait);
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    fn ask_for_a_release(&mut self, agent: &Agent) {
        if let Some(updates) = &mut self.updates {
            updates.ask_if_due(agent, &self.central, &self.events, &self.store);
        }
    }

    /// A connection that is kept may have ended unseen, when central was
    /// restarted or a router forgot it: only a new one tells whether it is there.
    fn poll_twice(&mut self, agent: &Agent) -> Result<Answer, Fault> {
        let kept = self.view.borrow().reachable == Some(true);
        match self.poll(agent) {
            Err(Fault::Connection(error)) if kept => {
                log::debug!("asking central again: {error}");
                self.poll(agent)
            }
            outcome => outcome,
        }
    }

    fn poll(&mut self, agent: &Agent) -> Result<Answer, Fault> {
        // Whether central is there must not wait for its next snapshot.
        let wait = match self.view.borrow().reachable {
            Some(true) => WAIT_SECONDS,
            Some(false) | None => 0,
        };
        let mut response = agent
            .get(format!("{}/api/v1/snapshot", self.central.url))
            .query("after", self.gate.sequence().to_string())
            .query("wait", wait.to_string())
            .header(
                "Authorization",
                format!("Bearer {}", self.central.token.expose()),
            )
            .call()
            .map_err(|error| Fault::Connection(error.to_string()))?;
        let refusal = match response.status().as_u16() {
            200 => None,
            204 => return Ok(Answer::Nothing),
            401 | 403 => Some(
                "central does not know this farm's token; check central.token in farm.toml"
                    .to_owned(),
            ),
            status => Some(format!("central answered with status {status}")),
        };
        if let Some(refusal) = refusal {
            return Err(Fault::Answer(refusal));
        }
        let envelope = response
            .body_mut()
            .with_config()
            .limit(MAX_ENVELOPE)
            .read_to_string()
            .map_err(|error| Fault::Connection(error.to_string()))?;
        self.take(envelope).map_err(Fault::Answer)?;
        Ok(Answer::New)
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
        let received_at = unix_now();
        self.store
            .save_snapshot(snapshot.sequence, received_at, envelope)
            .map_err(|error| {
                format!(
                    "snapshot {} could not be stored: {error}",
                    snapshot.sequence
                )
            })?;
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

    fn asked(connection: &mut BufReader<TcpStream>) {
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            let read = connection.read_line(&mut line).expect("a request");
            assert_ne!(read, 0, "closed instead of asked");
        }
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
        std::thread::spawn(move || sync.run());
        let farm = Farm {
            view,
            events,
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
}
