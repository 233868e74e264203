//! `smart-mining-proxy`: see [`commands`] for what it can be told to do.
#![deny(unsafe_code)]

use clap::Parser as _;
use std::process::ExitCode;

mod commands;

fn main() -> ExitCode {
    commands::run(commands::Arguments::parse())
}
