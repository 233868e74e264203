//! `smart-mining-proxy hash-password`: what to write as a `password_hash`, a worker's or the operator's.

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use smart_mining_proxy::workers::hash::StoredPassword;
use std::io::{IsTerminal, stdin};
use std::process::ExitCode;

pub fn run() -> ExitCode {
    match read().and_then(|password| StoredPassword::of(&password)) {
        Ok(hash) => {
            println!("{hash}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(2)
        }
    }
}

/// One line of the standard input; on a terminal it is asked for, and not shown.
pub fn read() -> Result<String, String> {
    let mut line = String::new();
    let input = stdin();
    let shown = input
        .is_terminal()
        .then(|| tcgetattr(&input).ok())
        .flatten();
    if let Some(shown) = &shown {
        eprint!("Password: ");
        let mut hidden = shown.clone();
        hidden.local_flags.remove(LocalFlags::ECHO);
        // A terminal that cannot hide it shows it.
        let _ = tcsetattr(&input, SetArg::TCSANOW, &hidden);
    }
    let read = input.read_line(&mut line);
    if let Some(shown) = &shown {
        let _ = tcsetattr(&input, SetArg::TCSANOW, shown);
        eprintln!();
    }
    read.map_err(|error| format!("the password cannot be read: {error}"))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
