//! `smart-mining-proxy status`: the status page for a terminal.

use serde_json::Value;
use smart_mining_page::words::{duration, hashrate};
use smart_mining_proxy::report;
use std::process::ExitCode;
use std::time::Duration;

pub fn run(url: &str, json: bool) -> ExitCode {
    let answer = match fetch(url) {
        Ok(answer) => answer,
        Err(error) => {
            eprintln!(
                "{url} does not answer: {error}; is the appliance running, and is this its status.bind?"
            );
            return ExitCode::FAILURE;
        }
    };
    if json {
        println!("{answer}");
        return ExitCode::SUCCESS;
    }
    match serde_json::from_str(&answer) {
        Ok(status) => print!("{}", table(&status)),
        Err(error) => {
            eprintln!("{url} answered something else than a status: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

pub fn fetch(url: &str) -> Result<String, ureq::Error> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(5)))
        .build()
        .into();
    agent
        .get(format!("{}/api/status", url.trim_end_matches('/')))
        .call()?
        .body_mut()
        .with_config()
        .limit(4 * 1024 * 1024)
        .read_to_string()
}

fn table(status: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mut out = format!(
        "{}: {}\ncentral {}, snapshot {}{}, {} miners\n",
        text(&status["farm"]),
        text(&status["state"]),
        text(&status["central"]["state"]),
        status["snapshot"]["sequence"],
        status["snapshot"]["age_seconds"]
            .as_u64()
            .map_or_else(String::new, |age| format!(" ({} old)", duration(age))),
        status["miners"]["now"],
    );
    if let Some(reports) = status["reports"].as_object() {
        let waiting = reports["waiting"].as_u64().unwrap_or(0);
        out.push_str(&format!(
            "reports: {}, {} delivered\n",
            report::line(waiting, reports["oldest_seconds"].as_u64()),
            reports["delivered"],
        ));
    }
    for lane in status["algorithms"].as_array().into_iter().flatten() {
        let route = match lane["route"].as_object() {
            Some(route) => format!(
                "{} ({}) for {}",
                text(&route["pool"]),
                text(&route["coin"]),
                duration(route["seconds"].as_u64().unwrap_or(0))
            ),
            None => "no pool can be used".to_owned(),
        };
        out.push_str(&format!(
            "\n{:<10} {route}\n           {}\n           {}, {} accepted, {} local, {} rejected, {} stale, {} unknown, {} lost; {} of {} miners silent\n",
            text(&lane["algorithm"]),
            text(&lane["why"]),
            hashrate(lane["hashrate_10m"].as_f64().unwrap_or(0.0)),
            lane["accepted"],
            lane["local"],
            lane["rejected"],
            lane["stale"],
            lane["unknown"],
            lane["lost"],
            lane["silent"],
            lane["miners"],
        ));
        for candidate in lane["candidates"].as_array().into_iter().flatten() {
            let state = if candidate["ready"].as_bool() == Some(true) {
                "ready".to_owned()
            } else {
                text(&candidate["last_failure"])
            };
            out.push_str(&format!(
                "           - {:<20} {:<6} {:<40} {state}\n",
                text(&candidate["pool"]),
                text(&candidate["coin"]),
                text(&candidate["address"]),
            ));
        }
    }
    out
}
