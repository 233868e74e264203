//! `smart-mining-proxy check`: all that is wrong with a farm.toml.

use super::load;
use smart_mining_proxy::tls;
use std::path::Path;
use std::process::ExitCode;

pub fn run(path: &Path) -> ExitCode {
    let config = match load(path) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let own = (config.listeners.iter()).filter_map(|listener| listener.certificate.as_ref());
    let unusable: Vec<_> = own
        .filter_map(|own| tls::server::from_files(own).err())
        .collect();
    for error in &unusable {
        eprintln!("{}: {error:#}", path.display());
    }
    if !unusable.is_empty() {
        return ExitCode::from(2);
    }
    let listeners: Vec<String> = config
        .listeners
        .iter()
        .map(|listener| format!("{} on {}", listener.algorithm, listener.bind))
        .collect();
    println!(
        "{} is valid: farm {:?}, {}, {} account(s), {} pool(s) of its own, central {}",
        path.display(),
        config.farm.name,
        listeners.join(", "),
        config.accounts.len(),
        config.pools.len(),
        config
            .central
            .as_ref()
            .map_or("not configured", |central| &central.url),
    );
    ExitCode::SUCCESS
}
