//! Looks for the usual mistakes of a farm, and says what to do about each.
//!
//! It works whether the appliance runs or not, from its own socket up: it reads farm.toml and
//! the stored snapshot, asks central and the pools as the appliance would, and asks the
//! appliance itself, if one answers. It changes nothing.
//!
//! | file | looks at |
//! |---|---|
//! | `ports` | the ports of farm.toml, and who else has them |
//! | `central` | central: name, certificate, token, signature; this machine's clock |
//! | `pools` | accounts for what is ranked; every pool, up to its login |
//! | `machine` | networks against `[access]`, store and disk, open files, heat and power |
//! | `running` | what a running appliance says of itself |

mod central;
mod machine;
mod owner;
mod pools;
mod ports;
mod running;

pub use machine::{Interface, open_files_wanted};

use crate::config::{Config, Problems};
use crate::store::StoredSnapshot;
use crate::tls;
use running::Running;
use serde::Serialize;
use smart_mining_wire::Snapshot;
use std::path::Path;

/// What was looked at; the names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    Config,
    Appliance,
    Port,
    Certificate,
    Page,
    Access,
    Store,
    Disk,
    OpenFiles,
    Device,
    Central,
    Clock,
    Account,
    Pool,
}

impl Check {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Appliance => "appliance",
            Self::Port => "port",
            Self::Certificate => "certificate",
            Self::Page => "page",
            Self::Access => "access",
            Self::Store => "store",
            Self::Disk => "disk",
            Self::OpenFiles => "open-files",
            Self::Device => "device",
            Self::Central => "central",
            Self::Clock => "clock",
            Self::Account => "account",
            Self::Pool => "pool",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Ok,
    /// Worth knowing, and no mistake.
    Hint,
    Problem,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub check: Check,
    pub verdict: Verdict,
    /// Which port, pool and so on; may be empty.
    pub subject: String,
    pub text: String,
    /// What to do; empty where nothing is.
    pub remedy: String,
}

impl Finding {
    fn ok(check: Check, subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Ok,
            subject: subject.into(),
            text: text.into(),
            remedy: String::new(),
        }
    }

    fn problem(
        check: Check,
        subject: impl Into<String>,
        text: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::Problem,
            remedy: remedy.into(),
            ..Self::ok(check, subject, text)
        }
    }

    fn hint(
        check: Check,
        subject: impl Into<String>,
        text: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::Hint,
            remedy: remedy.into(),
            ..Self::ok(check, subject, text)
        }
    }
}

/// Is told what is looked at next, and how many steps of how many are done.
pub type Progress<'a> = &'a mut dyn FnMut(usize, usize, &str);

/// Look at everything. Takes some seconds where something does not answer.
pub async fn examine(path: &Path, progress: Progress<'_>) -> Vec<Finding> {
    progress(0, 1, "farm.toml");
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(problems) => return of_file(&problems),
    };
    let text = format!("{} has no mistake", path.display());
    let mut found = vec![Finding::ok(Check::Config, "", text)];
    progress(0, 4, "the appliance");
    let running = Running::ask(&config).await;
    found.extend(running.findings(&config));
    progress(1, 4, "this machine");
    found.extend(ports::look(&config, &running));
    found.extend(certificates(&config));
    found.extend(machine::look(&config, &running));
    progress(2, 4, "central");
    let stored = crate::store::stored_snapshots(&config.store.path).unwrap_or_default();
    let answer = central::ask(&config).await;
    found.extend(answer.findings);
    let snapshot = answer.snapshot.or_else(|| newest(&config, &stored));
    found.extend(central::clock(snapshot.as_ref(), answer.ahead_seconds));
    found.extend(pools::accounts(&config, snapshot.as_ref()));
    found.extend(pools::look(&config, snapshot.as_ref(), progress).await);
    found
}

fn of_file(problems: &Problems) -> Vec<Finding> {
    let finding = |problem: &crate::config::Problem| {
        let place = match problem.line {
            0 => problems.file.clone(),
            line => format!("{}:{line}", problems.file),
        };
        let value = problem.value.as_ref();
        let value = value.map_or_else(String::new, |value| format!(" = {value}"));
        let text = format!("{}{value} — {}", problem.key, problem.what);
        Finding::problem(Check::Config, place, text, &*problem.remedy)
    };
    problems.list.iter().map(finding).collect()
}

fn certificates(config: &Config) -> Vec<Finding> {
    let own = config.listeners.iter().filter_map(|listener| {
        let files = listener.certificate.as_ref()?;
        let error = tls::server::from_files(files).err()?;
        Some(Finding::problem(
            Check::Certificate,
            listener.algorithm.name(),
            format!("{error:#}"),
            "give certificate and key of the listener as PEM files that belong together, \
             or remove both lines: a certificate is made then",
        ))
    });
    own.collect()
}

/// The newest stored one that bears central's signature.
fn newest(config: &Config, stored: &[StoredSnapshot]) -> Option<Snapshot> {
    let central = config.central.as_ref()?;
    let mut gate = smart_mining_core::route::Gate::new(central.public_key.clone());
    let mut judged = stored
        .iter()
        .map(|stored| gate.judge(stored.envelope.as_bytes()));
    judged.find_map(Result::ok)
}
