//! `smart-mining-proxy check`: all that is wrong with a farm.toml.

use super::print::show;
use serde_json::{Value, json};
use smart_mining_proxy::config::{Config, Problem};
use smart_mining_proxy::tls;
use std::path::Path;
use std::process::ExitCode;

/// 0: it can be used; 2: it cannot.
pub fn run(path: &Path, json: bool) -> ExitCode {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(problems) => {
            match json {
                true => answer(problems.list.iter().map(of_problem).collect()),
                false => eprintln!("{problems}"),
            }
            return ExitCode::from(2);
        }
    };
    let own = (config.listeners.iter()).filter_map(|listener| listener.certificate.as_ref());
    let unusable = own.filter_map(|own| tls::server::from_files(own).err());
    let unusable: Vec<String> = unusable.map(|error| format!("{error:#}")).collect();
    if !unusable.is_empty() {
        let value = |what: &String| json!({ "line": 0, "what": what });
        match json {
            true => answer(unusable.iter().map(value).collect()),
            false => (unusable.iter()).for_each(|it| eprintln!("{}: {it}", path.display())),
        }
        return ExitCode::from(2);
    }
    match json {
        true => answer(Vec::new()),
        false => show(&format!("{}\n", summary(path, &config))),
    }
    ExitCode::SUCCESS
}

fn answer(problems: Vec<Value>) {
    let answer = json!({ "valid": problems.is_empty(), "problems": problems });
    show(&format!("{answer}\n"));
}

fn of_problem(problem: &Problem) -> Value {
    json!({
        "line": problem.line,
        "column": problem.column,
        "key": problem.key,
        "value": problem.value,
        "what": problem.what,
        "remedy": problem.remedy,
    })
}

fn summary(path: &Path, config: &Config) -> String {
    let listeners = config.listeners.iter();
    let listeners: Vec<String> = listeners
        .map(|listener| format!("{} on {}", listener.algorithm, listener.bind))
        .collect();
    let central = config.central.as_ref();
    format!(
        "{} is valid: farm {:?}, {}, {} account(s), {} pool(s) of its own, central {}",
        path.display(),
        config.farm.name,
        listeners.join(", "),
        config.accounts.len(),
        config.pools.len(),
        central.map_or("not configured", |central| &central.url),
    )
}
