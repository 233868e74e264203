//! The pool's state: jobs, connections and books. All of it is behind one
//! lock, and nothing here waits.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Instant;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::books::{AcceptedShare, Books};
use super::config::PoolConfig;
use super::jobs::JobSource;
use super::mode::{Mode, junk};
use super::session::{Session, notification};
use super::verdict::ValidShare;
use crate::pow::{self, Hash};

pub(super) struct Floor {
    pub config: PoolConfig,
    pub jobs: JobSource,
    pub books: Books,
    /// For connections to come.
    pub difficulty: f64,
    pub sessions: BTreeMap<u64, Session>,
    /// Hashes of the shares accepted in this round, over all connections.
    pub seen: HashSet<Hash>,
    pub known_sessions: HashMap<String, u64>,
    pub next_extranonce: u64,
    next_session: u64,
    junk_turn: usize,
    mode: watch::Receiver<Mode>,
}

impl Floor {
    pub(super) fn new(config: PoolConfig, mode: watch::Receiver<Mode>) -> Self {
        let jobs = JobSource::new(&config);
        Self {
            difficulty: config.difficulty,
            jobs,
            books: Books {
                jobs: 1,
                ..Books::default()
            },
            sessions: BTreeMap::new(),
            seen: HashSet::new(),
            known_sessions: HashMap::new(),
            next_extranonce: 0,
            next_session: 0,
            junk_turn: 0,
            mode,
            config,
        }
    }

    pub(super) fn mode(&self) -> Mode {
        *self.mode.borrow()
    }

    pub(super) fn with(&mut self, id: u64, change: impl FnOnce(&mut Session)) {
        if let Some(session) = self.sessions.get_mut(&id) {
            change(session);
        }
    }

    pub(super) fn enter(&mut self, session: Session) -> u64 {
        self.next_session += 1;
        self.sessions.insert(self.next_session, session);
        self.books.connections_opened += 1;
        self.count_ready();
        self.next_session
    }

    pub(super) fn leave(&mut self, id: u64) {
        self.sessions.remove(&id);
        self.count_ready();
    }

    pub(super) fn count_ready(&mut self) {
        self.books.connections_now = self.sessions.len() as u64;
        self.books.ready_now = self.sessions.values().filter(|s| s.is_ready()).count() as u64;
    }

    /// Makes a job and sends it to everyone who gets jobs.
    pub(super) fn new_job(&mut self, clean: bool) {
        self.jobs.advance(clean);
        self.books.jobs += 1;
        if clean {
            // Shares of the round before are stale now, whoever repeats them.
            self.seen.clear();
        }
        let ids: Vec<u64> = self.sessions.keys().copied().collect();
        for id in ids {
            self.pace(id, 0);
            if self.sessions.get(&id).is_some_and(|s| s.has_jobs) {
                self.send_job_to(id, clean);
            }
        }
    }

    /// Sends the newest job; from it on the difficulty announced last counts.
    pub(super) fn send_job_to(&mut self, id: u64, clean: bool) {
        let Some(mut notify) = self.jobs.newest().cloned() else {
            return;
        };
        notify.clean = clean;
        self.with(id, |session| {
            let difficulty = session.difficulty;
            if clean {
                session.job_difficulty.clear();
            }
            session
                .job_difficulty
                .insert(notify.job_id.clone(), difficulty);
            session.send_json(&notification("mining.notify", notify.params()));
        });
    }

    pub(super) fn set_difficulty(&mut self, difficulty: f64) {
        self.difficulty = difficulty;
        for session in self.sessions.values_mut() {
            session.announce_difficulty(difficulty);
        }
    }

    pub(super) fn credit(&mut self, worker: &str, share: ValidShare) {
        self.seen.insert(share.hash);
        let record = AcceptedShare {
            identity: pow::display(&share.hash),
            worker: worker.to_owned(),
            difficulty: share.difficulty,
            at: Instant::now(),
            block: share.block,
        };
        let keep = self.config.keep_shares;
        self.books.credit(record, keep);
        if share.block && self.config.block_ends_round {
            self.new_job(true);
        }
    }

    /// The next piece of junk, for one connection.
    pub(super) fn send_junk(&mut self, id: u64) {
        self.junk_turn += 1;
        let bytes = junk(self.junk_turn);
        self.with(id, |session| session.send(bytes));
    }

    /// Every kind of junk, for everyone.
    pub(super) fn send_all_junk(&mut self) {
        for session in self.sessions.values() {
            for turn in 0..7 {
                session.send(junk(turn));
            }
        }
    }

    pub(super) fn broadcast(&mut self, message: &Value) {
        for session in self.sessions.values() {
            session.send_json(message);
        }
    }

    /// Asks everyone to connect again, and closes.
    pub(super) fn reconnect_everyone(&mut self) {
        for session in self.sessions.values() {
            session.send_json(&notification("client.reconnect", json!([])));
            session.close();
        }
    }
}
