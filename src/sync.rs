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
use crate::events::Events;
use crate::store::{Store, StoredSnapshot};
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

pub struct Sync {
    central: Central,
    gate: Gate,
    store: Store,
    events: Arc<Events>,
    clock: Clock,
    ranking: watch::Sender<Ranking>,
    view: watch::Sender<SyncView>,
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
        let mut wait = FIRST_WAIT;
        loop {
            match self.poll(&agent) {
                Ok(()) => {
                    self.reached();
                    wait = FIRST_WAIT;
                }
                Err(error) => {
                    self.not_reached(&error);
                    std::thread::sleep(wait);
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    fn poll(&mut self, agent: &Agent) -> Result<(), String> {
        let mut response = agent
            .get(format!("{}/api/v1/snapshot", self.central.url))
            .query("after", self.gate.sequence().to_string())
            .query("wait", WAIT_SECONDS.to_string())
            .header(
                "Authorization",
                format!("Bearer {}", self.central.token.expose()),
            )
            .call()
            .map_err(|error| error.to_string())?;
        match response.status().as_u16() {
            200 => {}
            204 => return Ok(()),
            401 | 403 => {
                return Err(
                    "central does not know this farm's token; check central.token in farm.toml"
                        .to_owned(),
                );
            }
            status => return Err(format!("central answered with status {status}")),
        }
        let envelope = response
            .body_mut()
            .with_config()
            .limit(MAX_ENVELOPE)
            .read_to_string()
            .map_err(|error| error.to_string())?;
        self.take(envelope)
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
        let subject = snapshot.sequence.to_string();
        self.put_in_force(snapshot, received_at);
        self.events.record("snapshot-accepted", &subject, text);
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
            self.events.record("snapshot-refused", "central", text);
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
                .record("central-back", "central", "answers again");
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
            self.events.record("central-unreachable", "central", text);
        }
    }
}
