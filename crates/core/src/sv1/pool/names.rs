//! Under which name a worker's shares go to the pool.
//!
//! ```text
//!              introduced            yes
//!   unknown -------------> Asked ---------> Accepted: its own name
//!                            | no
//!                            '-----------> Refused:  the connection's login
//! ```
//!
//! Until the pool has said yes to a name its worker's shares go under the
//! connection's login: some pools never answer a second authorize, and refuse
//! shares under any name but the first.

use super::Login;
use crate::share::WorkerName;
use alloc::collections::BTreeMap;
use alloc::string::String;

const MAX_WORKERS: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Asked,
    Accepted,
    Refused,
}

#[derive(Debug)]
pub(super) struct Names {
    login: String,
    /// The pool knows one name only.
    shared_only: bool,
    /// With the name as the pool knows it, made once.
    workers: BTreeMap<WorkerName, (Standing, String)>,
    asked: BTreeMap<u32, WorkerName>,
}

impl Names {
    pub fn new(login: &Login) -> Self {
        Self {
            login: login.connection_user(),
            shared_only: !login.names_workers(),
            workers: BTreeMap::new(),
            asked: BTreeMap::new(),
        }
    }

    pub fn of_connection(&self) -> &str {
        &self.login
    }

    pub fn may_introduce(&self, worker: &WorkerName) -> bool {
        !self.shared_only && self.workers.len() < MAX_WORKERS && !self.workers.contains_key(worker)
    }

    /// The pool is asked about it under this request.
    pub fn asked(&mut self, request: u32, worker: &WorkerName, user: String) {
        self.workers.insert(worker.clone(), (Standing::Asked, user));
        self.asked.insert(request, worker.clone());
    }

    /// `true`: the request was such a question.
    pub fn answered(&mut self, request: u32, yes: bool) -> bool {
        let Some(worker) = self.asked.remove(&request) else {
            return false;
        };
        if let Some((standing, _)) = self.workers.get_mut(&worker) {
            *standing = if yes {
                Standing::Accepted
            } else {
                Standing::Refused
            };
        }
        true
    }

    /// The worker's own name, if the pool takes shares under it.
    pub fn own(&self, worker: &WorkerName) -> Option<&str> {
        if self.shared_only {
            return None;
        }
        match self.workers.get(worker)? {
            (Standing::Accepted, user) => Some(user),
            (Standing::Asked | Standing::Refused, _) => None,
        }
    }

    /// The pool said yes to a name and then refused a share for it.
    pub const fn only_the_login_counts(&mut self) {
        self.shared_only = true;
    }
}
