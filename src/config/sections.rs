//! Each section of farm.toml, key by key, into drafts whose gaps were reported.

use super::device::{self, Device};
use super::problem::{Log, Place, fault};
use super::reader::{Reader, Taken};
use super::workers::{self, WorkersDraft};
use super::{
    Account, AccountTarget, Central, Config, Farm, KeyFiles, Listener, Network, Operator, Routing,
    Secret, StaticPool, Status, StoreFile, UserTemplate, Workers, find_account, values,
};
use smart_mining_core::share::Manner;
use smart_mining_wire::{Algorithm, PoolUrl};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use toml::de::DeTable;

/// Everything that was read; a `None` inside always has its problem in the log.
pub(super) struct Drafts {
    pub farm: Option<Farm>,
    pub central: Option<Option<Central>>,
    /// Whether the section stands there, with or without mistakes.
    pub has_central: bool,
    pub store: Option<StoreFile>,
    /// The outer `None`: the list itself is wrong.
    pub listeners: Option<Vec<ListenerDraft>>,
    pub accounts: Option<Vec<AccountDraft>>,
    pub pools: Option<Vec<PoolDraft>>,
    pub workers: WorkersDraft,
    pub access: Option<Vec<Network>>,
    pub status: Option<SocketAddr>,
    pub routing: Option<Routing>,
    pub device: Option<Device>,
    pub operator: Option<Operator>,
}

pub(super) struct ListenerDraft {
    pub here: Place,
    pub algorithm: Option<Algorithm>,
    pub algorithm_at: Place,
    pub bind: Option<SocketAddr>,
    pub bind_at: Place,
    max_miners: Option<usize>,
    handshake: Option<Duration>,
    extranonce: Option<Manner>,
    certificate: Option<Option<KeyFiles>>,
}

pub(super) struct AccountDraft {
    pub target: Option<AccountTarget>,
    pub target_at: Place,
    user: Option<UserTemplate>,
    password: Option<Secret>,
}

pub(super) struct PoolDraft {
    pub here: Place,
    pub id: Option<String>,
    pub id_at: Place,
    pub algorithm: Option<Algorithm>,
    pub algorithm_at: Place,
    pub coin: Option<String>,
    pub url: Option<PoolUrl>,
    /// The inner `None`: not written.
    pub tls_pin: Option<Option<[u8; 32]>>,
    pub tls_pin_at: Place,
    /// The inner `None`: not written, so an account must say it.
    pub user: Option<Option<UserTemplate>>,
    password: Option<Option<Secret>>,
    fee: Option<Option<f64>>,
    agent: Option<Option<String>>,
    workers: Option<Workers>,
    extensions: Option<bool>,
}

pub(super) fn read(log: &Log<'_>, table: &DeTable<'_>) -> Drafts {
    let mut root = Reader::root(log, table);
    let central = root.section("central");
    let status = root.section("status");
    let drafts = Drafts {
        farm: farm(&mut root),
        has_central: root.has("central"),
        central: central.map_or(Some(None), |section| self::central(section).map(Some)),
        store: store(root.section("store")),
        listeners: each(root.sections("listener"), listener),
        accounts: each(root.sections("account"), account),
        pools: each(root.sections("pool"), pool),
        workers: workers::read(&mut root),
        access: access(root.section("access")),
        status: self::status(status),
        routing: routing(root.section("routing")),
        device: device::read(&mut root),
        operator: operator(root.section("operator")),
    };
    root.finish();
    drafts
}

fn each<'a, T>(readers: Option<Vec<Reader<'a>>>, read: fn(Reader<'a>) -> T) -> Option<Vec<T>> {
    readers.map(|readers| readers.into_iter().map(read).collect())
}

fn farm(root: &mut Reader<'_>) -> Option<Farm> {
    let Some(mut section) = root.section("farm") else {
        if !root.has("farm") {
            let missing = fault(
                "missing",
                "add a section [farm] with a line name = \"north-barn\"",
            );
            root.log.report_missing(root.place("farm"), "farm", missing);
        }
        return None;
    };
    let name = section.required("name", "\"north-barn\"", values::name);
    section.finish();
    name.map(|name| Farm { name })
}

fn central(mut section: Reader<'_>) -> Option<Central> {
    let url = section.required("url", "\"https://central.example.com\"", values::web_url);
    let token = section.required("token", "\"...\" as central gave it", values::token);
    let key = section.required(
        "public_key",
        "\"...\" as central gave it",
        values::public_key,
    );
    let every = section.take("report_every_seconds", |v| values::seconds(v, 5..=3600));
    section.finish();
    Some(Central {
        url: url?,
        token: token?,
        public_key: key?,
        report_every: every.or(Duration::from_secs(300))?,
    })
}

fn store(section: Option<Reader<'_>>) -> Option<StoreFile> {
    let default = PathBuf::from("farm.sqlite");
    let Some(mut section) = section else {
        return Some(StoreFile { path: default });
    };
    let path = section
        .take("path", |value| values::path(value, "farm.sqlite"))
        .or(default);
    section.finish();
    path.map(|path| StoreFile { path })
}

const MANNERS: [(&str, Manner); 3] = [
    ("constant", Manner::Constant),
    ("announce", Manner::Announce),
    ("reconnect", Manner::Reconnect),
];

fn listener(mut section: Reader<'_>) -> ListenerDraft {
    let algorithm = section.required("algorithm", "\"sha256d\"", values::algorithm);
    let port = algorithm.unwrap_or(Algorithm::Sha256d).default_port();
    let example = format!("0.0.0.0:{port}");
    let bind = section.take("bind", |value| values::address(value, &example));
    let max_miners = section.take("max_miners", |value| values::integer(value, 1..=65_536));
    let handshake = section.take("handshake_seconds", |value| values::seconds(value, 5..=120));
    let extranonce = section.take("extranonce", |value| values::choice(value, &MANNERS));
    let draft = ListenerDraft {
        here: section.here(),
        algorithm,
        algorithm_at: section.place("algorithm"),
        bind: match bind {
            // Without an algorithm the default port is not known either.
            Taken::Absent => algorithm.map(|_| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
            Taken::Bad => None,
            Taken::Good(bind) => Some(bind),
        },
        bind_at: section.place("bind"),
        max_miners: max_miners.or(1024).and_then(|n| usize::try_from(n).ok()),
        handshake: handshake.or(Duration::from_secs(15)),
        extranonce: extranonce.or(Manner::Constant),
        certificate: key_files(&mut section),
    };
    section.finish();
    draft
}

/// Both or none. The inner `None`: none.
fn key_files(section: &mut Reader<'_>) -> Option<Option<KeyFiles>> {
    let certificate = section.take("certificate", |value| values::path(value, "barn.crt"));
    let key = section.take("key", |value| values::path(value, "barn.key"));
    let (has, lacks) = match (certificate, key) {
        (Taken::Absent, Taken::Absent) => return Some(None),
        (Taken::Good(certificate), Taken::Good(key)) => {
            return Some(Some(KeyFiles { certificate, key }));
        }
        (Taken::Good(_), Taken::Absent) => ("certificate", "key"),
        (Taken::Absent, Taken::Good(_)) => ("key", "certificate"),
        (Taken::Bad, _) | (_, Taken::Bad) => return None,
    };
    let what = format!("there is no {lacks} with it");
    let remedy =
        format!("add a line {lacks} = \"...\", or remove this one: a certificate is made then");
    section.log.report(section.place(has), fault(what, remedy));
    None
}

fn account(mut section: Reader<'_>) -> AccountDraft {
    let coin = section.take("coin", values::coin);
    let pool = section.take("pool", values::name);
    let (target, key) = match (coin, pool) {
        (Taken::Good(coin), Taken::Absent) => (Some(AccountTarget::Coin(coin)), "coin"),
        (Taken::Absent, Taken::Good(pool)) => (Some(AccountTarget::Pool(pool)), "pool"),
        (Taken::Absent, Taken::Absent) => {
            let missing = fault(
                "neither coin nor pool",
                "add coin = \"BTC\", or pool = \"the-pool-id\"",
            );
            section.log.report_missing(section.here(), "coin", missing);
            (None, "coin")
        }
        (Taken::Bad, Taken::Absent) | (Taken::Absent, Taken::Bad) => (None, "coin"),
        (Taken::Good(_) | Taken::Bad, Taken::Good(_) | Taken::Bad) => {
            let both = fault(
                "coin stands here too",
                "keep one of the two; write a second [[account]] for the other",
            );
            section.log.report(section.place("pool"), both);
            (None, "pool")
        }
    };
    let draft = AccountDraft {
        target,
        target_at: section.place(key),
        user: section.required("user", "\"your-payout-address.{worker}\"", values::user),
        password: section
            .take("password", values::password)
            .or(Secret::new("x")),
    };
    section.finish();
    draft
}

fn pool(mut section: Reader<'_>) -> PoolDraft {
    let words = [("each", Workers::Each), ("login", Workers::Login)];
    let draft = PoolDraft {
        id: section.required("id", "\"barn-solo\"", values::name),
        algorithm: section.required("algorithm", "\"sha256d\"", values::algorithm),
        coin: section.required("coin", "\"BTC\"", values::coin),
        url: section.required(
            "url",
            "\"stratum+tcp://pool.example.com:3333\"",
            values::pool_url,
        ),
        tls_pin: section.take("tls_pin", values::fingerprint).optional(),
        user: section.take("user", values::user).optional(),
        password: section.take("password", values::password).optional(),
        fee: section.take("fee", values::fraction).optional(),
        agent: section.take("agent", values::agent).optional(),
        workers: section
            .take("workers", |value| values::choice(value, &words))
            .or(Workers::Each),
        extensions: section.take("extensions", values::boolean).or(true),
        here: section.here(),
        id_at: section.place("id"),
        algorithm_at: section.place("algorithm"),
        tls_pin_at: section.place("tls_pin"),
    };
    section.finish();
    draft
}

fn access(section: Option<Reader<'_>>) -> Option<Vec<Network>> {
    let Some(mut section) = section else {
        return Some(Network::private());
    };
    let allow = section
        .take("allow", values::networks)
        .or(Network::private());
    section.finish();
    allow
}

fn status(section: Option<Reader<'_>>) -> Option<SocketAddr> {
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
    let Some(mut section) = section else {
        return Some(default);
    };
    let bind = section.take("bind", |value| values::address(value, "127.0.0.1:8080"));
    section.finish();
    bind.or(default)
}

fn operator(section: Option<Reader<'_>>) -> Option<Operator> {
    let Some(mut section) = section else {
        return Some(Operator::default());
    };
    let password = section.take("password_hash", workers::password_hash);
    section.finish();
    Some(Operator {
        password: password.optional()?,
    })
}

fn routing(section: Option<Reader<'_>>) -> Option<Routing> {
    let default = Routing::default();
    let Some(mut section) = section else {
        return Some(default);
    };
    let percent = |value: &toml::de::DeValue<'_>| values::percent(value, 50.0);
    let same_coin = section.take("same_coin_percent", percent);
    let other_coin = section.take("other_coin_percent", percent);
    let dwell = section.take("minimum_dwell_seconds", |v| values::seconds(v, 0..=86_400));
    let confirmations = section.take("confirmations", |v| values::integer(v, 1..=10));
    let return_after = section.take("return_after_seconds", |v| values::seconds(v, 0..=86_400));
    let keep_warm = section.take("keep_warm_seconds", |v| values::seconds(v, 0..=86_400));
    section.finish();
    Some(Routing {
        same_coin_percent: same_coin.or(default.same_coin_percent)?,
        other_coin_percent: other_coin.or(default.other_coin_percent)?,
        minimum_dwell: dwell.or(default.minimum_dwell)?,
        confirmations: u8::try_from(confirmations.or(default.confirmations.into())?).ok()?,
        return_after: return_after.or(default.return_after)?,
        keep_warm: keep_warm.or(default.keep_warm)?,
    })
}

impl Drafts {
    /// The configuration; `None` only when the log has a problem.
    pub fn build(self) -> Option<Config> {
        let accounts: Vec<Account> = self
            .accounts?
            .into_iter()
            .map(AccountDraft::build)
            .collect::<Option<_>>()?;
        let pools = self.pools?.into_iter().map(|pool| pool.build(&accounts));
        Some(Config {
            farm: self.farm?,
            central: self.central?,
            store: self.store?,
            listeners: self
                .listeners?
                .into_iter()
                .map(ListenerDraft::build)
                .collect::<Option<_>>()?,
            pools: pools.collect::<Option<_>>()?,
            accounts,
            admissions: self.workers.build()?,
            access: self.access?,
            status: Status { bind: self.status? },
            routing: self.routing?,
            device: self.device?,
            operator: self.operator?,
            file: PathBuf::new(),
        })
    }
}

impl ListenerDraft {
    fn build(self) -> Option<Listener> {
        Some(Listener {
            algorithm: self.algorithm?,
            bind: self.bind?,
            max_miners: self.max_miners?,
            handshake: self.handshake?,
            extranonce: self.extranonce?,
            certificate: self.certificate?,
        })
    }
}

impl AccountDraft {
    fn build(self) -> Option<Account> {
        Some(Account {
            target: self.target?,
            user: self.user?,
            password: self.password?,
        })
    }
}

impl PoolDraft {
    fn build(self, accounts: &[Account]) -> Option<StaticPool> {
        let (id, coin) = (self.id?, self.coin?);
        let (user, usual) = match self.user? {
            Some(user) => (user, None),
            None => {
                let account = find_account(accounts, &id, &coin)?;
                (account.user.clone(), Some(account.password.clone()))
            }
        };
        let password = self.password?.or(usual).unwrap_or_else(|| Secret::new("x"));
        Some(StaticPool {
            id,
            algorithm: self.algorithm?,
            coin,
            url: self.url?,
            tls_pin: self.tls_pin?,
            user,
            password,
            fee: self.fee?,
            agent: self.agent?,
            workers: self.workers?,
            extensions: self.extensions?,
        })
    }
}
