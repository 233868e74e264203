//! `smart-mining-proxy provision`: what the appliance does with its card at each start.

use smart_mining_proxy::provision::{Outcome, provision};
use std::path::Path;
use std::process::ExitCode;

/// 0: there is a configuration in force; 2: there is none, or the card's is refused.
pub fn run(card: &Path, data: &Path, device: Option<&Path>) -> ExitCode {
    let report = match provision(card, data, device) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("the card's farm.toml could not be taken: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    for problem in &report.problems {
        eprintln!("{problem}");
    }
    if let Some(fault) = &report.card_fault {
        eprintln!("{fault}; secrets may still stand on the card");
    }
    let goes_on = match report.in_force {
        true => "the last good one stays in force",
        false => "none is in force yet",
    };
    match report.outcome {
        Outcome::Taken => println!("the card's farm.toml is in force now"),
        Outcome::Unchanged => println!("the card's farm.toml was in force already"),
        Outcome::Missing => println!("there is no farm.toml on the card; {goes_on}"),
        Outcome::Refused => println!("the card's farm.toml is refused; {goes_on}"),
    }
    let is_fine = report.in_force && report.outcome != Outcome::Refused;
    ExitCode::from(if is_fine { 0 } else { 2 })
}
