//! Is there a pool for each algorithm that pays somebody, and can it be mined on?
//!
//! Each pool is tried as the appliance does it, up to the login, and left again.

use super::{Check, Finding, Progress};
use crate::clock::Clock;
use crate::config::Config;
use crate::lane::reach;
use crate::rules::farm_rules;
use smart_mining_core::line::{self, LineBuffer, POOL_LINE};
use smart_mining_core::route::Candidate;
use smart_mining_core::route::candidate::candidates;
use smart_mining_core::sv1::{Opening, PoolEvent, PoolSession};
use smart_mining_wire::Snapshot;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A pool that takes longer is of no use in a failover either.
const LOGIN_WITHIN: Duration = Duration::from_secs(10);
const WITHIN: Duration = Duration::from_secs(16);
/// Best first; nobody waits for more.
const TRIED: usize = 24;

pub fn accounts(config: &Config, snapshot: Option<&Snapshot>) -> Vec<Finding> {
    let rules = farm_rules(config);
    let of = |listener: &crate::config::Listener| {
        let algorithm = listener.algorithm;
        let (usable, skipped) = candidates(algorithm, &rules, snapshot);
        let name = algorithm.name();
        if !usable.is_empty() {
            let text = format!("{} pools can be used", usable.len());
            return Finding::ok(Check::Account, name, text);
        }
        let mut coins: Vec<&str> = skipped.iter().map(|it| &*it.coin).collect();
        coins.sort_unstable();
        coins.dedup();
        match (coins.first(), snapshot, &config.central) {
            (Some(coin), _, _) => Finding::problem(
                Check::Account,
                name,
                format!(
                    "{} pools are ranked, for {}, and there is an account for none",
                    skipped.len(),
                    coins.join(", ")
                ),
                format!(
                    "add to farm.toml [[account]] with coin = \"{coin}\" and user = \"your-payout-address.{{worker}}\""
                ),
            ),
            (None, None, Some(_)) => Finding::problem(
                Check::Account,
                name,
                "there is no snapshot yet, and farm.toml has no pool of its own",
                "see what is said of central, or add a [[pool]]",
            ),
            (None, _, _) => Finding::problem(
                Check::Account,
                name,
                "no pool is ranked, and farm.toml has none of its own",
                "add a [[pool]] for it, or remove this listener",
            ),
        }
    };
    config.listeners.iter().map(of).collect()
}

pub async fn look(
    config: &Config,
    snapshot: Option<&Snapshot>,
    progress: Progress<'_>,
) -> Vec<Finding> {
    let rules = farm_rules(config);
    let algorithms = config.listeners.iter().map(|it| it.algorithm);
    let all = algorithms.flat_map(|algorithm| candidates(algorithm, &rules, snapshot).0);
    let all: Vec<Candidate> = all.collect();
    let (left, count) = (all.len().saturating_sub(TRIED), all.len().min(TRIED));
    let mut tries = JoinSet::new();
    for (place, candidate) in all.into_iter().take(TRIED).enumerate() {
        tries.spawn(async move { (place, attempt(candidate).await) });
    }
    let mut found = Vec::new();
    progress(0, count, "pools");
    while let Some(tried) = tries.join_next().await {
        found.extend(tried.ok());
        progress(found.len(), count, "pools");
    }
    found.sort_by_key(|(place, _)| *place);
    let mut found: Vec<Finding> = found.into_iter().map(|(_, finding)| finding).collect();
    if left > 0 {
        let text = format!("{left} pools that rank below these were not tried");
        found.push(Finding::ok(Check::Pool, "", text));
    }
    found
}

async fn attempt(candidate: Candidate) -> Finding {
    let subject = format!("{} ({})", candidate.pool, candidate.coin);
    let address = candidate.url.to_string();
    let outcome = timeout(WITHIN, login(candidate)).await;
    match outcome {
        Ok(Ok(())) => Finding::ok(Check::Pool, subject, format!("{address} took the login")),
        Ok(Err(why)) => {
            let remedy = remedy(&why);
            Finding::problem(Check::Pool, subject, format!("{address}: {why}"), remedy)
        }
        Err(_) => {
            let text = format!("{address}: no login within {} s", WITHIN.as_secs());
            let remedy = "the pool or the way to it is stuck; ask again";
            Finding::problem(Check::Pool, subject, text, remedy)
        }
    }
}

fn remedy(why: &str) -> &'static str {
    let has = |word: &str| why.contains(word);
    if has("refused the login") {
        "check user and password of the account or pool in farm.toml: these are the pool's own words"
    } else if has("certificate") {
        "see to what the text says; this machine's clock decides whether a certificate is in its time"
    } else if has("TLS") {
        "is it the pool's port for TLS? The url for plain connections begins with stratum+tcp://"
    } else if has("does not speak Stratum") {
        "is it the pool's Stratum port for this algorithm?"
    } else if has("DNS") || has("lookup") || has("name") {
        "is the pool's name right, and is the WAN up?"
    } else if has("extranonce") {
        "this release cannot use that pool; choose another"
    } else {
        "is the WAN up, and are the pool's address and port right?"
    }
}

/// Connect, subscribe, authorize. The text says what went wrong.
async fn login(candidate: Candidate) -> Result<(), String> {
    let stream = reach(&candidate.url, candidate.tls_pin).await;
    let mut stream = stream.map_err(|why| format!("cannot connect: {why}"))?;
    let clock = Clock::start();
    let mut session = PoolSession::new(candidate.login, Opening::default(), clock.now());
    let mut lines: Box<LineBuffer<POOL_LINE>> = Box::new(LineBuffer::new());
    let mut buffer = vec![0; 4096];
    loop {
        let output = std::mem::take(session.output());
        let sent = stream.write_all(&output).await;
        sent.map_err(|error| format!("connection lost: {error}"))?;
        while let Some(event) = session.next_event() {
            match event {
                PoolEvent::LoggedIn => return Ok(()),
                PoolEvent::Failed(failure) => return Err(failure.to_string()),
                PoolEvent::Work(_) | PoolEvent::Verdict { .. } | PoolEvent::Notice(_) => {}
            }
        }
        let read = timeout(LOGIN_WITHIN, stream.read(&mut buffer)).await;
        let read = read.map_err(|_| format!("no login within {} s", LOGIN_WITHIN.as_secs()))?;
        let length = match read {
            Ok(0) => return Err("the pool closed the connection".to_owned()),
            Ok(length) => length,
            Err(error) => return Err(format!("connection lost: {error}")),
        };
        let now = clock.now();
        let fed = line::feed(&mut lines, &buffer[..length], |line| {
            session.line(line, now);
            true
        });
        fed.map_err(|too_long| format!("the pool does not speak Stratum: {too_long}"))?;
    }
}
