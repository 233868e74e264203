//! `smart-mining-proxy update`: install a release that lies here, or at an address.
//!
//! The image's updater does it; this is the name under which one looks for it.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

const UPDATER: &str = "/usr/sbin/smart-mining-update";

/// Comes back only if there is no updater to hand over to.
pub fn run(bundle: &str, allow_older: bool, no_reboot: bool) -> ExitCode {
    if !Path::new(UPDATER).exists() {
        eprintln!(
            "{UPDATER} is not there: only an appliance that was started from the card's image can be updated \
             this way; elsewhere install another smart-mining-proxy"
        );
        return ExitCode::FAILURE;
    }
    let mut updater = Command::new(UPDATER);
    if allow_older {
        updater.arg("--allow-older");
    }
    if no_reboot {
        updater.arg("--no-reboot");
    }
    let error = updater.arg("--").arg(bundle).exec();
    eprintln!("{UPDATER} cannot be started: {error}");
    ExitCode::FAILURE
}
