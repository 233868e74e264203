//! `smart-mining-proxy health`: is the appliance well enough to keep a release?

use super::target::{fetch, home};
use serde_json::Value;
use smart_mining_proxy::config::Config;
use std::net::SocketAddr;
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
    let address = home(bind);
    let error = |error: String| format!("the status page at {address} does not answer: {error}");
    let answer =
        fetch(&format!("http://{address}/api/status")).map_err(|cause| error(cause.to_string()))?;
    serde_json::from_str(&answer).map_err(|cause| error(cause.to_string()))
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
}
