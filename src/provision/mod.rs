//! From the card a technician wrote to the configuration that is in force.
//!
//! ```text
//!   FAT: farm.toml --secrets that are kept are filled in--> checked
//!                                                            |  |
//!                          last good one stays in force <----+  +----> /data: farm.toml
//!                                     |           a mistake    good          |
//!                                     v                                      v
//!                     STATUS.TXT: line, key, remedy        FAT: secrets are taken off,
//!                                                          STATUS.TXT: what is in force
//! ```
//!
//! All or nothing: what is in force is one whole file that had no mistake. The card
//! is only changed after that file is safe, and a card that cannot be written does
//! no harm.

mod card;
mod device;
mod preseed;
mod secrets;

use crate::config::{Config, KeyFiles, Problem, Problems};
use crate::files;
use crate::tls;
use anyhow::{Context, Result};
use card::{Card, Found};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::path::{Component, Path, PathBuf};

/// The one in force, in the appliance's folder.
const FARM: &str = "farm.toml";
/// What became of the card's file, for the status page. Beside [`FARM`].
const REPORT: &str = "provisioning.json";

/// What became of the card's farm.toml.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is in force now.
    Taken,
    /// It was in force already.
    Unchanged,
    /// It has mistakes.
    Refused,
    /// There is none on the card.
    Missing,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = Provisioning))]
pub struct Report {
    pub outcome: Outcome,
    /// Is there a configuration to run with?
    pub in_force: bool,
    /// One a line, as `check` shows them.
    pub problems: Vec<String>,
    /// The card could not be written: what should stand there does not.
    pub card_fault: Option<String>,
}

impl Report {
    /// For the status page. `None`: this farm.toml did not come from a card.
    pub fn beside(farm: &Path) -> Option<Self> {
        Self::within(farm.parent().unwrap_or(Path::new(".")))
    }

    /// Of the appliance's folder.
    pub fn within(data: &Path) -> Option<Self> {
        let bytes = std::fs::read(data.join(REPORT)).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

/// A configuration without a mistake, and where it came from.
struct Good {
    text: String,
    config: Box<Config>,
}

/// Take what is on the card, or say why not. `device`: where the settings of the
/// appliance's own system go. Not into `data`, which is not root's.
pub fn provision(card: &Path, data: &Path, device: Option<&Path>) -> Result<Report> {
    let card = Card::new(card);
    let farm = data.join(FARM);
    let kept = files::read(&farm).with_context(|| format!("{} cannot be read", farm.display()))?;
    let kept = kept.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let mut settings = None;
    let (outcome, problems, secrets) = match look(&card, data, kept.as_deref())? {
        Looked::Nothing => (Outcome::Missing, Vec::new(), Secrets::default()),
        Looked::Mistaken(problems) => (Outcome::Refused, lines(&problems), Secrets::default()),
        Looked::Good { path, read, good } => {
            copy_keys(&card, data, &good.config)?;
            let is_new = kept.as_ref() != Some(&good.text);
            settings = Some(device::Settings::of(&good.config));
            if is_new {
                put(&farm, good.text.as_bytes())?;
            }
            let hidden = secrets::hide(&read);
            let keys = named(&good.config)
                .map(|own| card.beside(&own.key))
                .collect();
            let outcome = if is_new {
                Outcome::Taken
            } else {
                Outcome::Unchanged
            };
            let change = (hidden != read).then_some((path, hidden));
            (outcome, Vec::new(), Secrets { change, keys })
        }
    };
    // With neither a file nor one from before, Imager's Wi-Fi is the way to the page.
    if settings.is_none() && kept.is_none() {
        settings = Some(device::Settings::default());
    }
    if let (Some(folder), Some(mut settings)) = (device, settings) {
        settings.device = preseed::under(&settings.device, card.preseed().as_deref());
        device::write(&settings, folder)?;
    }
    let mut report = Report {
        in_force: kept.is_some() || outcome == Outcome::Taken,
        outcome,
        problems,
        card_fault: None,
    };
    let written = secrets
        .take_off(&card)
        .and_then(|()| card.tell(&status_text(&report)));
    report.card_fault = written.err().map(|error| format!("{error:#}"));
    let json = serde_json::to_vec(&report).context("the report has no text")?;
    let path = data.join(REPORT);
    if files::read(&path).ok().flatten().as_deref() != Some(&json) {
        put(&path, &json)?;
    }
    Ok(report)
}

/// What has to leave the card.
#[derive(Default)]
struct Secrets {
    /// The file without its secrets, if it has any.
    change: Option<(PathBuf, String)>,
    keys: Vec<PathBuf>,
}

impl Secrets {
    fn take_off(self, card: &Card) -> Result<()> {
        for key in self.keys {
            let what = || format!("{} cannot be taken off the card", key.display());
            files::remove(&key).with_context(what)?;
        }
        match self.change {
            Some((path, text)) => card.put(&path, &text),
            None => Ok(()),
        }
    }
}

enum Looked {
    Nothing,
    Mistaken(Problems),
    Good {
        path: PathBuf,
        /// As it stands on the card.
        read: String,
        good: Good,
    },
}

fn look(card: &Card, data: &Path, kept: Option<&str>) -> Result<Looked> {
    let path = match card.find()? {
        Found::Nothing => return Ok(Looked::Nothing),
        Found::One(path) => path,
        Found::Several(names) => {
            let what = format!("stands there as {}", names.join(" and "));
            let problems = Problems::whole(FARM.to_owned(), what, "keep the one that is meant");
            return Ok(Looked::Mistaken(problems));
        }
    };
    let Some(bytes) = Card::read(&path)? else {
        let what = "is longer than any farm.toml".to_owned();
        let problems = Problems::whole(FARM.to_owned(), what, "check which file this is");
        return Ok(Looked::Mistaken(problems));
    };
    let mistaken = |problems| Ok(Looked::Mistaken(problems));
    let read = match Config::decode(bytes, FARM) {
        Ok(read) => read,
        Err(problems) => return mistaken(problems),
    };
    let text = match secrets::fill_in(&read, kept) {
        Ok(text) => text,
        Err(list) => {
            return mistaken(Problems {
                file: FARM.to_owned(),
                list,
            });
        }
    };
    match Config::parse(&text) {
        Err(problems) => mistaken(problems),
        Ok(config) => match unusable_keys(card, data, &config) {
            list if list.is_empty() => Ok(Looked::Good {
                path,
                read,
                good: Good {
                    text: as_kept(&text),
                    config: Box::new(config),
                },
            }),
            list => mistaken(Problems {
                file: FARM.to_owned(),
                list,
            }),
        },
    }
}

/// The same whether the secrets were written now or came from what was kept: a card
/// that is put in again is no news.
fn as_kept(text: &str) -> String {
    secrets::fill_in(&secrets::hide(text), Some(text)).unwrap_or_else(|_| text.to_owned())
}

/// Certificates and keys that may lie on the card: plain names beside farm.toml.
fn named(config: &Config) -> impl Iterator<Item = &KeyFiles> {
    let own = config
        .listeners
        .iter()
        .filter_map(|listener| listener.certificate.as_ref());
    own.filter(|own| {
        [&own.certificate, &own.key].into_iter().all(|path| {
            let mut parts = path.components();
            matches!(
                (parts.next(), parts.next()),
                (Some(Component::Normal(_)), None)
            )
        })
    })
}

/// Certificates that come with the card, and cannot be used.
fn unusable_keys(card: &Card, data: &Path, config: &Config) -> Vec<Problem> {
    // A key leaves the card once it is kept.
    let newest = |name: &Path| {
        let on_card = card.beside(name);
        if on_card.is_file() {
            on_card
        } else {
            data.join(name)
        }
    };
    let newest = named(config).map(|own| KeyFiles {
        certificate: newest(&own.certificate),
        key: newest(&own.key),
    });
    newest
        .filter_map(|own| tls::server::from_files(&own).err())
        .map(|error| {
            let mut whole = Problems::whole(
                FARM.to_owned(),
                format!("names a certificate that cannot be used: {error:#}"),
                "put the right files beside farm.toml, or take both keys out",
            );
            whole.list.remove(0)
        })
        .collect()
}

/// What farm.toml names beside it has to stand beside the one in force too.
fn copy_keys(card: &Card, data: &Path, config: &Config) -> Result<()> {
    for name in named(config).flat_map(|own| [&own.certificate, &own.key]) {
        let from = card.beside(name);
        let Some(bytes) =
            files::read(&from).with_context(|| format!("{} cannot be read", from.display()))?
        else {
            continue;
        };
        put(&data.join(name), &bytes)?;
    }
    Ok(())
}

/// Root provisions for a program that is not root.
fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    files::replace_for_owner(path, bytes, 0o600)
        .with_context(|| format!("{} cannot be written", path.display()))
}

fn lines(problems: &Problems) -> Vec<String> {
    problems.to_string().lines().map(str::to_owned).collect()
}

/// What a technician reads on a computer. It has no time in it: the appliance may
/// not know it, and would have to write the card at every start.
fn status_text(report: &Report) -> String {
    let mut text = String::from("smart_mining\n\n");
    let goes_on = match report.in_force {
        true => "The appliance goes on with the farm.toml that it took before.",
        false => "The appliance has no farm.toml yet, and serves no miner.",
    };
    match report.outcome {
        Outcome::Taken | Outcome::Unchanged => {
            text.push_str("farm.toml has no mistake and is in force.\n");
            // Writing to a String does not fail.
            let _ = write!(
                text,
                "Passwords and tokens were taken out of it. Where it says \"{}\" the appliance\n\
                 goes on with the one it has; write another to change it.\n",
                secrets::KEPT
            );
        }
        Outcome::Missing => {
            let _ = write!(
                text,
                "There is no farm.toml on this card.\n{goes_on}\n\
                 To change that, write a file farm.toml beside this one.\n"
            );
        }
        Outcome::Refused => {
            let _ = write!(text, "farm.toml was NOT taken.\n{goes_on}\n\n");
            for problem in &report.problems {
                let _ = writeln!(text, "  {problem}");
            }
            text.push_str(
                "\nMend these lines, save the file, and start the appliance with the card.\n",
            );
        }
    }
    text
}
