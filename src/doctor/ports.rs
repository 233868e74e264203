//! Can each port of farm.toml be opened?

use super::running::Running;
use super::{Check, Finding, owner};
use crate::config::Config;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

pub fn look(config: &Config, running: &Running) -> Vec<Finding> {
    let listeners = (config.listeners.iter()).map(|it| (it.bind, "listener.bind"));
    let page = (config.status.bind, "status.bind");
    let mut found: Vec<Finding> = listeners
        .chain([page])
        .map(|(address, key)| port(address, key, running))
        .collect();
    found.extend(only_here(config));
    found
}

fn port(address: SocketAddr, key: &str, running: &Running) -> Finding {
    let subject = address.to_string();
    let error = match TcpListener::bind(address) {
        Ok(_) => return Finding::ok(Check::Port, subject, "is free"),
        Err(error) => error,
    };
    let problem = |text: String, remedy: String| {
        Finding::problem(Check::Port, address.to_string(), text, remedy)
    };
    if error.kind() == ErrorKind::AddrInUse {
        let owner = owner::of_port(address.port());
        let is_ours = owner.as_ref().is_some_and(owner::is_ours) || running.has(address);
        if is_ours && running.answers() {
            return Finding::ok(Check::Port, subject, "is open: the appliance has it");
        }
        let who = owner::words(owner.as_ref(), address);
        let remedy = format!("stop that program, or give {key} another port");
        return problem(format!("is taken by {who}"), remedy);
    }
    if error.kind() == ErrorKind::PermissionDenied {
        return problem(
            "may not be opened by this user: ports below 1024 are for root".to_owned(),
            format!(
                "give {key} a port of 1024 or more, or the unit AmbientCapabilities=CAP_NET_BIND_SERVICE"
            ),
        );
    }
    if error.kind() == ErrorKind::AddrNotAvailable {
        let remedy = format!("write {key} = \"0.0.0.0:{}\"", address.port());
        return problem("this machine has no such address".to_owned(), remedy);
    }
    let remedy = format!("give {key} another port");
    problem(format!("cannot be opened: {error}"), remedy)
}

/// A phone in the barn sees nothing then.
fn only_here(config: &Config) -> Option<Finding> {
    let bind = config.status.bind;
    bind.ip().is_loopback().then(|| {
        Finding::hint(
            Check::Page,
            bind.to_string(),
            "the status page is shown to this machine only",
            format!(
                "for a phone on the LAN write in farm.toml [status] bind = \"0.0.0.0:{}\"",
                bind.port()
            ),
        )
    })
}
