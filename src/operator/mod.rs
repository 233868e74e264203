//! The operator: who may tell the appliance to do something, and what was told.
//!
//! | file | does |
//! |---|---|
//! | `password` | the one password, and how often it may be tried |
//! | `sessions` | who is logged in |
//! | `wishlist` | pins and exclusions: to the lanes, and kept over restarts |
//! | `names` | what people call the miners |
//! | `action` | what can be asked for, read from a form or a program's JSON |
//! | `perform` | does it, and says what came of it |
//! | `machine` | asks the image's own system to restart or to update |
//! | `bundle` | what a supporter needs, without secrets |
//!
//! None of it is on the way of a share: a lane hears of a wish as it hears of a ranking.

pub mod action;
pub mod bundle;
pub mod machine;
pub mod names;
pub mod password;
mod perform;
pub mod sessions;
mod wishlist;

pub use action::{Action, Fields, Trouble};
pub use names::Names;
pub use perform::{Done, perform};
pub use wishlist::Wishlist;

use crate::clock::Clock;
use crate::config::Config;
use crate::store::Store;
use crate::sync::SyncNow;
use machine::Machine;
use password::Password;
use sessions::Sessions;
use smart_mining_core::Algorithm;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub struct Operator {
    pub password: Password,
    pub wishes: Wishlist,
    pub names: Arc<Names>,
    sessions: Mutex<Sessions>,
    /// `None`: there is no central.
    pub sync: Option<SyncNow>,
    /// `None`: the appliance was not started from the card's image.
    pub machine: Option<Machine>,
    /// For the bundle: what it holds is never shown as it is.
    pub config: Arc<Config>,
    /// One bundle at a time.
    bundling: tokio::sync::Semaphore,
    clock: Clock,
}

impl Operator {
    /// `is_elsewhere`: the store is not the farm's own. May block for a moment.
    pub fn new(
        config: Arc<Config>,
        store: &Store,
        is_elsewhere: bool,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let sessions =
            Sessions::new().map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
        let from_file = config.operator.password.clone();
        let algorithms: Vec<Algorithm> = config.listeners.iter().map(|it| it.algorithm).collect();
        Ok(Self {
            password: Password::new(from_file, is_elsewhere, store, clock),
            wishes: Wishlist::new(algorithms, store, clock),
            names: Arc::new(Names::new(store)),
            sessions: Mutex::new(sessions),
            sync: None,
            machine: None,
            config,
            bundling: tokio::sync::Semaphore::new(1),
            clock,
        })
    }

    #[must_use]
    pub fn with_sync(mut self, sync: Option<SyncNow>) -> Self {
        self.sync = sync;
        self
    }

    #[must_use]
    pub fn with_machine(mut self, machine: Option<Machine>) -> Self {
        self.machine = machine;
        self
    }

    pub fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new session for whoever knows the password.
    pub async fn log_in(
        &self,
        password: String,
        address: IpAddr,
    ) -> Result<sessions::Id, password::Denied> {
        self.password.check(password, address).await?;
        let id = sessions::Id::random()
            .map_err(|error| password::Denied::Unusable(format!("no random numbers: {error}")))?;
        self.sessions().open(&id, self.clock.now());
        Ok(id)
    }

    pub fn is_logged_in(&self, id: &sessions::Id) -> bool {
        self.sessions().is_open(id, self.clock.now())
    }

    /// May this appliance be called so? Another site could have a browser believe that
    /// the site's own name is this appliance's address, and then speak for the operator.
    pub fn answers_to(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            // An IPv6 address without brackets is no host of a URL.
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            Some(_) | None => host,
        };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let v6 = name.strip_prefix('[').and_then(|v6| v6.strip_suffix(']'));
        let is_address =
            v6.unwrap_or(&name).parse::<IpAddr>().is_ok() && (v6.is_some() != name.contains('.'));
        // Nobody else can have a name without a dot, or one of the LAN's own.
        let is_local = name.ends_with(".local") || !name.contains('.');
        let own = [
            Some(self.config.farm.name.as_str()),
            self.config.device.hostname.as_deref(),
        ];
        let is_own = |own: &str| own.eq_ignore_ascii_case(&name);
        !name.is_empty() && (is_address || is_local || own.into_iter().flatten().any(is_own))
    }
}

/// `2 h 5 min`: how long something was asked for.
pub fn long(minutes: u64) -> String {
    let parts = [
        (minutes / 1440, "d"),
        (minutes / 60 % 24, "h"),
        (minutes % 60, "min"),
    ];
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = parts
        .map(|(number, unit)| format!("{number} {unit}"))
        .collect();
    parts.join(" ")
}

/// What a program sends that knows the password.
pub fn basic(password: &str) -> String {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("operator:{password}"));
    format!("Basic {encoded}")
}

#[cfg(test)]
impl Operator {
    /// Of a farm with one port for sha256d, and nothing else.
    pub fn of_a_test(store: &Store, clock: Clock) -> Arc<Self> {
        let text = "[farm]\nname = \"barn.example\"\n[[listener]]\nalgorithm = \"sha256d\"\n\
                    [[pool]]\nid = \"a\"\nalgorithm = \"sha256d\"\ncoin = \"BTC\"\n\
                    url = \"stratum+tcp://127.0.0.1:1\"\nuser = \"x\"\n";
        let config = Config::parse(text).expect("valid");
        Arc::new(Self::new(Arc::new(config), store, false, clock).expect("made"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_they_were_asked_for() {
        let said = [30, 60, 125, 1440, 10_080].map(long);
        assert_eq!(said, ["30 min", "1 h", "2 h 5 min", "1 d", "7 d"]);
    }

    #[test]
    fn it_answers_to_addresses_and_names_of_the_lan_and_to_no_name_of_the_world() {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, _) = Store::open(&folder.path().join("farm.sqlite")).expect("a new store");
        let operator = Operator::of_a_test(&store, Clock::start());
        for own in [
            "192.168.1.20",
            "192.168.1.20:8080",
            "[fe80::1]:80",
            "[::1]",
            "localhost:8080",
            "north-barn.local",
            "North-Barn.LOCAL.:80",
            "north-barn",
            "barn.example",
        ] {
            assert!(operator.answers_to(own), "{own}");
        }
        for foreign in [
            "",
            ":80",
            "evil.example",
            "evil.example:8080",
            "192.168.1.20.evil.example",
            "local.evil.example",
            "notlocal.example",
            "evil.example:80:80",
        ] {
            assert!(!operator.answers_to(foreign), "{foreign}");
        }
    }
}
