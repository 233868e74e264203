//! `smart-mining-proxy health`: is the appliance well enough to keep a release?

use serde_json::Value;
use smart_mining_proxy::config::Config;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

/// 0: well; 1: not, and standard error says why; 2: the farm.toml cannot be used.
pub fn run(config: &Path, needs_central: bool) -> ExitCode {
    let config = match Config::load(config) {
        Ok(config) => config,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(2);
        }
    };
    match ask(config.status.bind).and_then(|status| judge(&status, needs_central)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn ask(bind: SocketAddr) -> Result<Value, String> {
    let address = reachable(bind);
    let error = |error: String| format!("the status page at {address} does not answer: {error}");
    let answer = super::status::fetch(&format!("http://{address}"))
        .map_err(|cause| error(cause.to_string()))?;
    serde_json::from_str(&answer).map_err(|cause| error(cause.to_string()))
}

/// What listens everywhere is asked at home.
fn reachable(bind: SocketAddr) -> SocketAddr {
    let home = match bind.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    SocketAddr::new(home, bind.port())
}

/// The store was looked through when the proxy started; what it cannot write since, it says.
fn judge(status: &Value, needs_central: bool) -> Result<(), String> {
    if let Some(error) = status["store"]["last_error"].as_str() {
        return Err(format!("the store cannot be written: {error}"));
    }
    let central = status["central"]["state"].as_str().unwrap_or("unknown");
    if needs_central && central != "reachable" {
        return Err(format!("central is {central}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn central_counts_only_where_it_was_reached_before() {
        let away =
            json!({ "store": { "last_error": null }, "central": { "state": "unreachable" } });
        assert_eq!(judge(&away, false), Ok(()));
        assert_eq!(judge(&away, true), Err("central is unreachable".to_owned()));
        let there = json!({ "store": { "last_error": null }, "central": { "state": "reachable" } });
        assert_eq!(judge(&there, true), Ok(()));
    }

    #[test]
    fn a_store_that_cannot_be_written_is_not_well() {
        let full =
            json!({ "store": { "last_error": "disk full" }, "central": { "state": "reachable" } });
        assert!(judge(&full, false).is_err_and(|why| why.contains("disk full")));
    }

    #[test]
    fn a_page_for_everybody_is_asked_at_home() {
        let asked = |bind: &str| reachable(bind.parse().expect("an address")).to_string();
        assert_eq!(asked("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(asked("[::]:80"), "[::1]:80");
        assert_eq!(asked("10.0.0.2:8080"), "10.0.0.2:8080");
    }
}
