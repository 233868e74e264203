//! Candidates: the pools this farm may use for one algorithm, best first.
//!
//! A snapshot says what pays. Only the farm says who is paid: an entry without
//! an account in farm.toml is no candidate. The farm's own pools follow in the
//! order of the file: they are what is left when nothing ranked can be reached.

use crate::Algorithm;
use crate::sv1::Login;
use alloc::string::String;
use alloc::vec::Vec;
use smart_mining_wire::{Entry, PoolUrl, Snapshot};

/// The farm's side of routing, from farm.toml.
#[derive(Clone, Debug, Default)]
pub struct FarmRules {
    pub farm: String,
    pub agent: String,
    pub accounts: Vec<Account>,
    pub pools: Vec<StaticPool>,
}

#[derive(Clone, Debug)]
pub struct Account {
    pub paid_for: AccountFor,
    pub user: String,
    pub password: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountFor {
    Coin(String),
    Pool(String),
}

/// A pool named in farm.toml itself.
#[derive(Clone, Debug)]
pub struct StaticPool {
    pub id: String,
    pub algorithm: Algorithm,
    pub coin: String,
    pub url: PoolUrl,
    /// SHA-256 of the one certificate that is accepted there, over TLS.
    pub tls_pin: Option<[u8; 32]>,
    pub login: Login,
    /// What was agreed with the pool, if it differs from what central says.
    pub fee: Option<f64>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pub pool: String,
    pub coin: String,
    pub url: PoolUrl,
    /// As in [`StaticPool::tls_pin`].
    pub tls_pin: Option<[u8; 32]>,
    pub login: Login,
    /// USD per hash per second and day after the pool's fee; `None`: a static
    /// pool, ranked by its place in the file.
    pub score: Option<f64>,
}

/// A ranked entry that the farm cannot use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    pub pool: String,
    pub coin: String,
    pub why: &'static str,
}

impl Candidate {
    fn of_own(pool: &StaticPool) -> Self {
        Self {
            pool: pool.id.clone(),
            coin: pool.coin.clone(),
            url: pool.url.clone(),
            tls_pin: pool.tls_pin,
            login: pool.login.clone(),
            score: None,
        }
    }

    /// The same place, name and terms: a connection made for one serves the other.
    pub fn same_connection(&self, other: &Self) -> bool {
        self.is(&other.pool, &other.coin)
            && self.url == other.url
            && self.tls_pin == other.tls_pin
            && self.login == other.login
    }

    pub fn is(&self, pool: &str, coin: &str) -> bool {
        self.pool == pool && self.coin == coin
    }
}

/// An account for the pool itself goes before one for the coin.
fn account<'a>(rules: &'a FarmRules, entry: &Entry) -> Option<&'a Account> {
    let by = |wanted: &dyn Fn(&AccountFor) -> bool| {
        rules
            .accounts
            .iter()
            .find(|account| wanted(&account.paid_for))
    };
    by(&|paid| matches!(paid, AccountFor::Pool(pool) if *pool == entry.pool.id))
        .or_else(|| by(&|paid| matches!(paid, AccountFor::Coin(coin) if *coin == entry.coin)))
}

fn ranked(rules: &FarmRules, entry: &Entry) -> Result<Candidate, &'static str> {
    // What the farm itself says of a pool goes before what central says of it.
    let own = rules.pools.iter().find(|pool| {
        pool.algorithm == entry.algorithm && pool.id == entry.pool.id && pool.coin == entry.coin
    });
    let fee = own.and_then(|own| own.fee).unwrap_or(entry.pool.fee);
    let score = Some(entry.usd_per_hash_day * (1.0 - fee));
    if let Some(own) = own {
        return Ok(Candidate {
            score,
            ..Candidate::of_own(own)
        });
    }
    let account = account(rules, entry).ok_or("farm.toml has no account for this coin or pool")?;
    let url: PoolUrl = (entry.pool.url.parse()).map_err(|_| "its address cannot be read")?;
    Ok(Candidate {
        pool: entry.pool.id.clone(),
        coin: entry.coin.clone(),
        url,
        // Who vouches for it is the farm's to say: in a [[pool]] of its own.
        tls_pin: None,
        login: Login {
            user: account.user.clone(),
            password: account.password.clone(),
            farm: rules.farm.clone(),
            agent: rules.agent.clone(),
            per_worker: true,
            extensions: true,
        },
        score,
    })
}

/// All candidates of one algorithm, best first, and what was left out and why.
pub fn candidates(
    algorithm: Algorithm,
    rules: &FarmRules,
    snapshot: Option<&Snapshot>,
) -> (Vec<Candidate>, Vec<Skipped>) {
    let (mut list, mut skipped) = (Vec::new(), Vec::new());
    let entries = snapshot.map_or(&[][..], |snapshot| &snapshot.entries);
    for entry in entries.iter().filter(|entry| entry.algorithm == algorithm) {
        match ranked(rules, entry) {
            Ok(candidate) => list.push(candidate),
            Err(why) => skipped.push(Skipped {
                pool: entry.pool.id.clone(),
                coin: entry.coin.clone(),
                why,
            }),
        }
    }
    // Equal scores keep an order that does not depend on central's.
    list.sort_by(|a, b| {
        b.score
            .partial_cmp(&a.score)
            .unwrap_or(core::cmp::Ordering::Equal)
            .then_with(|| a.pool.cmp(&b.pool))
            .then_with(|| a.coin.cmp(&b.coin))
    });
    let own = rules
        .pools
        .iter()
        .filter(|pool| pool.algorithm == algorithm);
    for pool in own {
        if !list
            .iter()
            .any(|candidate| candidate.is(&pool.id, &pool.coin))
        {
            list.push(Candidate::of_own(pool));
        }
    }
    (list, skipped)
}
