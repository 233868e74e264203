//! What only several sections together can get wrong.
//!
//! A check is skipped when a value it needs was faulty: its problem stands there
//! already, and a guess would send the technician to the wrong line.

use super::AccountTarget;
use super::problem::{Log, Place, fault};
use super::sections::{AccountDraft, Drafts, ListenerDraft, PoolDraft};
use smart_mining_wire::Algorithm;
use std::net::SocketAddr;

pub(super) fn check(log: &Log<'_>, drafts: &Drafts) {
    super::workers::check(log, &drafts.workers);
    let accounts = drafts.accounts.as_deref();
    let pools = drafts.pools.as_deref();
    if let Some(listeners) = drafts.listeners.as_deref() {
        one_listener_an_algorithm(log, listeners);
        one_socket_an_address(log, drafts, listeners);
        something_to_mine(log, drafts, listeners);
        if let Some(pools) = pools {
            a_listener_for_each_pool(log, listeners, pools);
        }
    }
    if let Some(accounts) = accounts {
        one_account_a_target(log, accounts);
    }
    if let Some(pools) = pools {
        one_pool_an_id(log, pools);
        a_pin_only_with_tls(log, pools);
        if let Some(accounts) = accounts {
            somebody_is_paid(log, accounts, pools);
        }
    }
}

fn one_listener_an_algorithm(log: &Log<'_>, listeners: &[ListenerDraft]) {
    if listeners.is_empty() {
        let place = Place {
            line: 1,
            column: 1,
            key: "listener".to_owned(),
            value: None,
        };
        let remedy = "add a section [[listener]] with a line algorithm = \"sha256d\"";
        log.report_missing(place, "listener", fault("missing", remedy));
    }
    for (index, listener) in listeners.iter().enumerate() {
        let before = listeners[..index]
            .iter()
            .find(|other| other.algorithm.is_some() && other.algorithm == listener.algorithm);
        if let Some(before) = before {
            let what = format!(
                "{} has this algorithm already (line {})",
                before.here.key, before.algorithm_at.line
            );
            log.report(
                listener.algorithm_at.clone(),
                fault(
                    what,
                    "one listener serves all miners of an algorithm; remove this one",
                ),
            );
        }
    }
}

/// The status page and every listener, each on a port of its own.
fn one_socket_an_address(log: &Log<'_>, drafts: &Drafts, listeners: &[ListenerDraft]) {
    let mut taken: Vec<(SocketAddr, &str)> = Vec::new();
    if let Some(status) = drafts.status {
        taken.push((status, "the status page"));
    }
    for listener in listeners {
        let Some(bind) = listener.bind else { continue };
        // Two of one algorithm have one default port: said once is enough.
        let repeated = listener.algorithm.is_some()
            && listeners
                .iter()
                .take_while(|other| !std::ptr::eq(*other, listener))
                .any(|other| other.algorithm == listener.algorithm);
        let clash = taken.iter().find(|(other, _)| clashes(*other, bind));
        if let Some((_, owner)) = clash.filter(|_| !repeated) {
            let place = listener.bind_at.clone();
            let what = match place.value {
                Some(_) => format!("{owner} has this port already"),
                None => format!("{owner} has the default port {} already", bind.port()),
            };
            log.report(place, fault(what, "give each a port of its own"));
        }
        taken.push((bind, &listener.here.key));
    }
}

/// Port 0 means any free one. `0.0.0.0` and `::` take the port on every address.
fn clashes(a: SocketAddr, b: SocketAddr) -> bool {
    let (x, y) = (a.ip().to_canonical(), b.ip().to_canonical());
    a.port() != 0 && a.port() == b.port() && (x == y || x.is_unspecified() || y.is_unspecified())
}

fn something_to_mine(log: &Log<'_>, drafts: &Drafts, listeners: &[ListenerDraft]) {
    let Some(pools) = drafts.pools.as_deref() else {
        return;
    };
    let Some(accounts) = drafts.accounts.as_deref() else {
        return;
    };
    let ranked = drafts.has_central && !accounts.is_empty();
    if ranked || pools.iter().any(|pool| pool.algorithm.is_none()) {
        return;
    }
    for listener in listeners {
        let Some(algorithm) = listener.algorithm else {
            continue;
        };
        if !pools.iter().any(|pool| pool.algorithm == Some(algorithm)) {
            let remedy = if drafts.has_central {
                format!(
                    "add an [[account]] to be paid, or a [[pool]] with algorithm = \"{algorithm}\""
                )
            } else {
                format!(
                    "add a [[pool]] with algorithm = \"{algorithm}\", or [central] and an [[account]]"
                )
            };
            log.report(
                listener.algorithm_at.clone(),
                fault(format!("nothing to mine for {algorithm}"), remedy),
            );
        }
    }
}

fn a_listener_for_each_pool(log: &Log<'_>, listeners: &[ListenerDraft], pools: &[PoolDraft]) {
    // Without any listener that is the problem; a faulty one may be the one that is meant.
    if listeners.is_empty()
        || listeners
            .iter()
            .any(|listener| listener.algorithm.is_none())
    {
        return;
    }
    let served = |algorithm: Algorithm| listeners.iter().any(|l| l.algorithm == Some(algorithm));
    for pool in pools {
        if let Some(algorithm) = pool.algorithm.filter(|&algorithm| !served(algorithm)) {
            let remedy =
                format!("add a [[listener]] with algorithm = \"{algorithm}\", or remove this pool");
            log.report(
                pool.algorithm_at.clone(),
                fault(format!("no listener for {algorithm}"), remedy),
            );
        }
    }
}

fn one_account_a_target(log: &Log<'_>, accounts: &[AccountDraft]) {
    for (index, account) in accounts.iter().enumerate() {
        let before = accounts[..index]
            .iter()
            .find(|other| other.target.is_some() && other.target == account.target);
        if let Some(before) = before {
            let what = format!("has an account already (line {})", before.target_at.line);
            log.report(
                account.target_at.clone(),
                fault(what, "remove one of the two"),
            );
        }
    }
}

fn one_pool_an_id(log: &Log<'_>, pools: &[PoolDraft]) {
    for (index, pool) in pools.iter().enumerate() {
        let same = |other: &&PoolDraft| {
            other.id.is_some()
                && other.id == pool.id
                && other.algorithm.is_some()
                && other.algorithm == pool.algorithm
        };
        if let Some(before) = pools[..index].iter().find(same) {
            let what = format!(
                "{} has this id already (line {})",
                before.here.key, before.id_at.line
            );
            log.report(
                pool.id_at.clone(),
                fault(what, "give each pool of an algorithm its own id"),
            );
        }
    }
}

fn a_pin_only_with_tls(log: &Log<'_>, pools: &[PoolDraft]) {
    for pool in pools {
        if let (Some(url), Some(Some(_))) = (&pool.url, &pool.tls_pin)
            && !url.tls
        {
            let remedy =
                "write the url with stratum+ssl:// and the pool's port for it, or remove tls_pin";
            let what = "the url is one for plain connections, which have no certificate";
            log.report(pool.tls_pin_at.clone(), fault(what, remedy));
        }
    }
}

fn somebody_is_paid(log: &Log<'_>, accounts: &[AccountDraft], pools: &[PoolDraft]) {
    if accounts.iter().any(|account| account.target.is_none()) {
        return;
    }
    for pool in pools {
        let (Some(None), Some(id), Some(coin)) = (&pool.user, &pool.id, &pool.coin) else {
            continue;
        };
        let paid = accounts.iter().any(|account| match &account.target {
            Some(AccountTarget::Pool(wanted)) => wanted == id,
            Some(AccountTarget::Coin(wanted)) => wanted == coin,
            None => false,
        });
        if !paid {
            let place = Place {
                key: format!("{}.user", pool.here.key),
                ..pool.here.clone()
            };
            let remedy =
                format!("add a line user = \"...\", or an [[account]] with coin = \"{coin}\"");
            log.report_missing(
                place,
                "user",
                fault(
                    "nobody would be paid: no user here and no account fits",
                    remedy,
                ),
            );
        }
    }
}
