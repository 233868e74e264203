//! What the operator asks of a running appliance: `pin`, `exclude`, `sync` and so on.
//!
//! Exit codes: 0 done, 1 the appliance did not do it or does not answer, 2 what was
//! asked for cannot be.

use super::hash_password;
use super::target::{Target as At, end};
use clap::Subcommand;
use serde_json::{Value, json};
use smart_mining_proxy::operator::basic;
use std::fs::OpenOptions;
use std::io::{IsTerminal as _, Write as _, stderr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

const PASSWORD: &str = "SMART_MINING_PASSWORD";
/// Central may take its time.
const WITHIN: Duration = Duration::from_secs(60);
const LONGEST_ANSWER: u64 = 16 * 1024 * 1024;

/// All of these ask for the operator's password, or take it from SMART_MINING_PASSWORD
#[derive(Subcommand)]
pub enum Wish {
    /// Have the miners work for a pool for a time
    Pin {
        algorithm: String,
        pool: String,
        #[arg(long)]
        minutes: u64,
        /// One of the pool's coins, where it has several
        #[arg(long)]
        coin: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Take a pin back before its time
    Unpin {
        algorithm: String,
        #[command(flatten)]
        at: At,
    },
    /// Never work for a pool, for a time or until it is included again
    Exclude {
        algorithm: String,
        pool: String,
        /// Without it: for good
        #[arg(long)]
        minutes: Option<u64>,
        #[command(flatten)]
        at: At,
    },
    /// Take an exclusion back
    Include {
        algorithm: String,
        pool: String,
        #[command(flatten)]
        at: At,
    },
    /// Ask central for a new ranking now
    Sync {
        #[command(flatten)]
        at: At,
    },
    /// Say what a worker is called; without a name: nothing any more
    Name {
        worker: String,
        name: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Restart the machine, if it was started from the card's image
    Reboot {
        #[command(flatten)]
        at: At,
    },
    /// Fetch what a supporter needs: configuration without secrets, state, events, log
    SupportBundle {
        #[arg(default_value = "smart-mining-support.tar.gz")]
        file: PathBuf,
        #[command(flatten)]
        at: At,
    },
}

pub fn run(wish: Wish) -> ExitCode {
    let (what, body, at) = match wish {
        Wish::Pin {
            algorithm,
            pool,
            minutes,
            coin,
            at,
        } => {
            let body =
                json!({"algorithm": algorithm, "pool": pool, "minutes": minutes, "coin": coin});
            ("pin", body, at)
        }
        Wish::Unpin { algorithm, at } => ("unpin", json!({"algorithm": algorithm}), at),
        Wish::Exclude {
            algorithm,
            pool,
            minutes,
            at,
        } => {
            let body = json!({"algorithm": algorithm, "pool": pool, "minutes": minutes});
            ("exclude", body, at)
        }
        Wish::Include {
            algorithm,
            pool,
            at,
        } => ("include", json!({"algorithm": algorithm, "pool": pool}), at),
        Wish::Sync { at } => ("sync", json!({}), at),
        Wish::Name { worker, name, at } => ("name", json!({"worker": worker, "name": name}), at),
        Wish::Reboot { at } => ("reboot", json!({}), at),
        Wish::SupportBundle { file, at } => return support_bundle(&file, &at),
    };
    match ask(&at, what, &body) {
        Ok(Answer { status: 200, bytes }) => done(&bytes, at.json),
        Ok(answer) => refused(&answer, at.json),
        Err(code) => code,
    }
}

struct Answer {
    status: u16,
    bytes: Vec<u8>,
}

fn password() -> Result<String, ExitCode> {
    if let Ok(password) = std::env::var(PASSWORD) {
        return Ok(password);
    }
    hash_password::read().map_err(|why| {
        eprintln!("{why}; it may stand in {PASSWORD} too");
        ExitCode::from(2)
    })
}

fn ask(at: &At, what: &str, body: &Value) -> Result<Answer, ExitCode> {
    let url = at.url().map_err(|fault| end(Err(fault)))?;
    let password = password()?;
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(WITHIN))
        .http_status_as_error(false)
        .max_redirects(0)
        .build()
        .into();
    if stderr().is_terminal() && matches!(what, "sync" | "support-bundle" | "reboot") {
        eprintln!("waiting for the appliance ...");
    }
    let answer = agent
        .post(format!("{url}/api/actions/{what}"))
        .header("Authorization", basic(&password))
        .content_type("application/json")
        .send(body.to_string());
    let read = answer.and_then(|mut answer| {
        let bytes = (answer.body_mut().with_config().limit(LONGEST_ANSWER)).read_to_vec()?;
        let status = answer.status().as_u16();
        Ok(Answer { status, bytes })
    });
    read.map_err(|error| {
        eprintln!(
            "{url} does not answer: {error}; is the appliance running, and is this its status.bind?"
        );
        ExitCode::FAILURE
    })
}

fn done(bytes: &[u8], is_json: bool) -> ExitCode {
    let answer: Value = serde_json::from_slice(bytes).unwrap_or_default();
    if is_json {
        println!("{answer}");
    } else {
        println!("{}", answer["text"].as_str().unwrap_or("done"));
    }
    match answer["outcome"].as_str() {
        Some("unreachable") => ExitCode::FAILURE,
        Some(_) | None => ExitCode::SUCCESS,
    }
}

fn refused(answer: &Answer, is_json: bool) -> ExitCode {
    let Answer { status, bytes } = answer;
    let problem: Value = serde_json::from_slice(bytes).unwrap_or_default();
    match (is_json, problem["detail"].as_str()) {
        (true, Some(_)) => println!("{problem}"),
        (false, Some(detail)) => {
            let remedy = problem["remedy"]
                .as_str()
                .unwrap_or("look at its status page");
            eprintln!("{detail}\nwhat to do: {remedy}");
        }
        (_, None) => eprintln!(
            "the appliance answered with status {status}; are this program and it of one release?"
        ),
    }
    match status {
        400 | 404 | 409 => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    }
}

fn support_bundle(file: &Path, at: &At) -> ExitCode {
    // Before the work: it may be the wrong folder.
    if file.exists() {
        eprintln!("{} is there already; name another file", file.display());
        return ExitCode::from(2);
    }
    let bytes = match ask(at, "support-bundle", &json!({})) {
        Ok(Answer { status: 200, bytes }) => bytes,
        Ok(answer) => return refused(&answer, at.json),
        Err(code) => return code,
    };
    let mut options = OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(file);
    if let Err(error) = opened.and_then(|mut file| file.write_all(&bytes)) {
        eprintln!("{} cannot be written: {error}", file.display());
        return ExitCode::FAILURE;
    }
    if at.json {
        println!("{}", json!({"file": file, "bytes": bytes.len()}));
    } else {
        println!(
            "{}: {} bytes; read it before you give it away",
            file.display(),
            bytes.len()
        );
    }
    ExitCode::SUCCESS
}
