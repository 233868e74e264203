//! The farm's one configuration file, farm.toml: what a technician edits.
//!
//! [`Config::parse`] either gives a configuration that can be used as it is, or
//! every mistake of the file at once. The walk has four steps, each in a file of
//! its own: `syntax` (text to a tree, past the lines that are not TOML),
//! `sections` (each table key by key, through `reader` and `values`), `cross`
//! (what only several sections together can get wrong), and here the result.
//! Every key stands in docs/farm-toml.md.

mod cross;
mod device;
mod network;
mod problem;
mod reader;
mod sections;
mod syntax;
mod text;
mod values;
mod workers;

pub use device::{
    Device, HostAddress, Pair, Rank, StaticAddress, Wifi, is_hostname, is_wifi_password,
};
pub use network::{Network, NetworkError};
pub use problem::{Problem, Problems};
pub use text::{Secret, UserTemplate};

use crate::workers::hash::StoredPassword;
use problem::Log;
use smart_mining_core::share::Manner;
use smart_mining_wire::{Algorithm, PoolUrl, PublicKey};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Keys whose values are never repeated in a problem.
const SECRET_KEYS: [&str; 4] = ["token", "password", "password_hash", "wifi_password"];
/// A farm.toml of this size is some other file.
const MAX_BYTES: usize = 256 * 1024;

/// A configuration without a mistake.
#[derive(Clone, Debug)]
pub struct Config {
    pub farm: Farm,
    pub central: Option<Central>,
    pub store: StoreFile,
    /// One an algorithm, at least one.
    pub listeners: Vec<Listener>,
    pub accounts: Vec<Account>,
    /// The order of the file is the rank among static pools.
    pub pools: Vec<StaticPool>,
    pub admissions: Admissions,
    /// Who may connect, to the listeners and to the status page.
    pub access: Vec<Network>,
    pub status: Status,
    pub routing: Routing,
    pub device: Device,
    pub operator: Operator,
    /// The file this was read from; empty for a text.
    pub file: PathBuf,
}

#[derive(Clone, Debug)]
pub struct Farm {
    pub name: String,
}

/// Where rankings come from, and whose signature they must bear.
#[derive(Clone, Debug)]
pub struct Central {
    /// `http://` or `https://`, without a slash at its end.
    pub url: String,
    pub token: Secret,
    pub public_key: PublicKey,
    /// How long between two reports while nothing changes.
    pub report_every: Duration,
}

#[derive(Clone, Debug)]
pub struct StoreFile {
    /// [`Config::load`] makes it relative to the folder of the farm.toml.
    pub path: PathBuf,
}

/// The port that miners of one algorithm connect to.
#[derive(Clone, Debug)]
pub struct Listener {
    pub algorithm: Algorithm,
    pub bind: SocketAddr,
    pub max_miners: usize,
    /// How long a connection may take to subscribe or to log in.
    pub handshake: Duration,
    /// How miners are told what is particular to a pool's connection.
    pub extranonce: Manner,
    /// The farm's own certificate for TLS; else one is made.
    pub certificate: Option<KeyFiles>,
}

/// Two PEM files. [`Config::load`] makes them relative to the folder of the farm.toml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Who is paid for a coin, or on one pool. Central never says so.
#[derive(Clone, Debug)]
pub struct Account {
    pub target: AccountTarget,
    pub user: UserTemplate,
    pub password: Secret,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountTarget {
    /// A coin id in upper case, on every pool without an account of its own.
    Coin(String),
    /// A pool id.
    Pool(String),
}

/// A pool that is known without central.
#[derive(Clone, Debug)]
pub struct StaticPool {
    pub id: String,
    pub algorithm: Algorithm,
    /// In upper case.
    pub coin: String,
    pub url: PoolUrl,
    /// SHA-256 of the one certificate that is accepted there.
    pub tls_pin: Option<[u8; 32]>,
    /// Its own, or that of the account for this pool or coin.
    pub user: UserTemplate,
    pub password: Secret,
    /// A fraction, 0.01 is 1 %: what was agreed with the pool, if it is not what central says.
    pub fee: Option<f64>,
    /// How the appliance names itself to this pool, if not as usual.
    pub agent: Option<String>,
    pub workers: Workers,
    /// Whether `mining.configure` and `mining.extranonce.subscribe` may be sent.
    pub extensions: bool,
}

/// Under which names shares go to a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// Each worker is authorized under its own name.
    Each,
    /// All shares go under the connection's login.
    Login,
}

/// Which workers may mine here, whatever a pool says of them.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Admissions {
    pub mode: WorkersMode,
    pub workers: Vec<Worker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WorkersMode {
    /// Every worker.
    #[default]
    Open,
    /// Those that are named.
    List,
    /// Those that are named and know their password.
    Password,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    pub name: String,
    /// Always there in [`WorkersMode::Password`].
    pub password: Option<StoredPassword>,
}

#[derive(Clone, Debug)]
pub struct Status {
    pub bind: SocketAddr,
}

/// Who may tell the appliance to do something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operator {
    /// `None`: it is set at the first visit of the page, and kept in the store.
    pub password: Option<StoredPassword>,
}

/// When a better pool is worth a switch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Routing {
    /// How much better, in percent, another pool for the same coin must be.
    pub same_coin_percent: f64,
    pub other_coin_percent: f64,
    pub minimum_dwell: Duration,
    /// How many snapshots must agree.
    pub confirmations: u8,
    /// How long a pool must be healthy again before miners go back to it.
    pub return_after: Duration,
    /// How long miners are kept busy, unpaid, while no pool can be reached.
    pub keep_warm: Duration,
}

impl Default for Routing {
    fn default() -> Self {
        Self {
            same_coin_percent: 3.0,
            other_coin_percent: 5.0,
            minimum_dwell: Duration::from_secs(900),
            confirmations: 2,
            return_after: Duration::from_secs(300),
            keep_warm: Duration::ZERO,
        }
    }
}

impl Config {
    /// Read a farm.toml's text. Nothing outside the text is looked at.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        Self::parse_named(text, "farm.toml")
    }

    /// Read a file. Paths in it become relative to its folder.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let file = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| {
            let remedy = "check the path and who may read it";
            Problems::whole(file.clone(), format!("cannot be read ({error})"), remedy)
        })?;
        let text = Self::decode(bytes, &file)?;
        let mut config = Self::parse_named(&text, &file)?;
        config.file = path.to_owned();
        if let Some(folder) = path.parent() {
            config.store.path = folder.join(&config.store.path);
            for own in config
                .listeners
                .iter_mut()
                .filter_map(|l| l.certificate.as_mut())
            {
                own.certificate = folder.join(&own.certificate);
                own.key = folder.join(&own.key);
            }
        }
        Ok(config)
    }

    /// The text of a file, if it can be one.
    pub fn decode(bytes: Vec<u8>, file: &str) -> Result<String, Problems> {
        if bytes.len() > MAX_BYTES {
            let what = format!("has {} bytes, which no farm.toml has", bytes.len());
            let remedy = "check which file this is";
            return Err(Problems::whole(file.to_owned(), what, remedy));
        }
        if bytes.contains(&0) && !has_mark_of_utf16(&bytes) {
            let what = "has zero bytes in it, as UTF-16 has".to_owned();
            return Err(Problems::whole(file.to_owned(), what, "save it as UTF-8"));
        }
        String::from_utf8(bytes).map_err(|error| not_utf8(file.to_owned(), &error))
    }

    /// Who is paid for a coin on a pool: an account for the pool goes before one for the coin.
    pub fn account(&self, pool: &str, coin: &str) -> Option<&Account> {
        find_account(&self.accounts, pool, coin)
    }

    pub fn listener(&self, algorithm: Algorithm) -> Option<&Listener> {
        self.listeners.iter().find(|l| l.algorithm == algorithm)
    }

    fn parse_named(text: &str, file: &str) -> Result<Self, Problems> {
        let log = Log::new(text);
        let config = Self::walk(&log);
        let list = log.finish();
        match config {
            Some(config) if list.is_empty() => Ok(config),
            Some(_) | None if !list.is_empty() => Err(Problems {
                file: file.to_owned(),
                list,
            }),
            Some(_) | None => Err(Problems::whole(
                file.to_owned(),
                "cannot be understood".to_owned(),
                "start again from farm.example.toml",
            )),
        }
    }

    fn walk(log: &Log<'_>) -> Option<Self> {
        let repaired = syntax::repair(log)?;
        // Lines are those of the original; a problem in a repaired line is dropped.
        let (root, _) = toml::de::DeTable::parse_recoverable(&repaired);
        let moved = log.over(&repaired);
        let drafts = sections::read(&moved, root.get_ref());
        cross::check(&moved, &drafts);
        log.adopt(moved);
        drafts.build()
    }
}

fn find_account<'a>(accounts: &'a [Account], pool: &str, coin: &str) -> Option<&'a Account> {
    let by = |wanted: AccountTarget| accounts.iter().find(move |a| a.target == wanted);
    by(AccountTarget::Pool(pool.to_owned())).or_else(|| by(AccountTarget::Coin(coin.to_owned())))
}

fn has_mark_of_utf16(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff])
}

/// Windows editors offer several encodings; only one of them is TOML.
fn not_utf8(file: String, error: &std::string::FromUtf8Error) -> Problems {
    let bytes = error.as_bytes();
    let valid = error.utf8_error().valid_up_to();
    let mut problems = if has_mark_of_utf16(bytes) {
        Problems::whole(file, "is saved as UTF-16".to_owned(), "save it as UTF-8")
    } else {
        Problems::whole(
            file,
            "a character is not UTF-8".to_owned(),
            "save the file as UTF-8",
        )
    };
    for problem in &mut problems.list {
        problem.line = bytes[..valid].iter().filter(|&&b| b == b'\n').count() + 1;
    }
    problems
}
