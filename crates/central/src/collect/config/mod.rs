//! The aggregator's one configuration file, aggregator.toml.
//!
//! [`Config::parse`] either gives a configuration that can be used as it is, or
//! every mistake of the file at once. Keys stand in files or variables of their
//! own, so that this file can be shown to anybody.

mod reader;
mod scope;
mod sections;
#[cfg(test)]
mod tests;
mod values;

pub use reader::Fault;

use crate::source::{Catalog, Settings, Source, registry};
use reader::{Log, Reader, wrong};
use scope::Mined;
use sections::{Access, Node, SourceSection};
use smart_mining_wire::Algorithm;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::de::DeTable;

/// A configuration without a mistake.
#[derive(Debug)]
pub struct Config {
    pub publish: Publish,
    pub history: History,
    /// What is switched on and has something to be asked, in the order of authority.
    pub sources: Vec<Configured>,
    pub pools: Vec<PoolTerms>,
    /// What works but should not stay so. Says no secret.
    pub warnings: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Publish {
    /// Seconds: a snapshot at the latest after this.
    pub heartbeat: u64,
    /// Fraction: smaller changes wait for the heartbeat.
    pub noise: f64,
}

impl Default for Publish {
    fn default() -> Self {
        Self {
            heartbeat: 60,
            noise: 0.005,
        }
    }
}

/// How many days of history are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    pub keep_days: u32,
    pub keep_hourly_days: u32,
}

impl Default for History {
    fn default() -> Self {
        Self {
            keep_days: 30,
            keep_hourly_days: 730,
        }
    }
}

/// A source and how it is asked.
#[derive(Clone)]
pub struct Configured {
    pub source: &'static dyn Source,
    pub settings: Settings,
    /// Ask so often instead of as often as the source proposes; its budget holds anyway.
    pub every: Option<Duration>,
    /// Why it is not asked at all, if so.
    pub missing: Option<&'static str>,
    /// Coin to the file with its node's cookie: `user:password`, new at each start
    /// of the node.
    pub cookies: BTreeMap<String, PathBuf>,
}

/// Without the settings, which hold keys.
impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured")
            .field("source", &self.source.name())
            .field("about", &self.settings.about)
            .field("missing", &self.missing)
            .finish_non_exhaustive()
    }
}

/// A pool that farms may be sent to.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolTerms {
    pub id: String,
    pub name: String,
    pub offers: Vec<OfferTerms>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct OfferTerms {
    /// Of the catalog.
    pub coin: String,
    pub algorithm: Algorithm,
    pub url: String,
    /// A fraction.
    pub fee: f64,
    pub scheme: String,
    /// Coins of the catalog that are mined along, and paid.
    pub merged: Vec<String>,
}

/// Every mistake of the file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// As it stands in front of each line.
    pub file: String,
    pub faults: Vec<Fault>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{}: {fault}", self.file)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Files that the text names without a leading `/` are looked for in `folder`.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, ConfigError> {
        Self::parse_named(text, folder, "aggregator.toml")
    }

    /// Read a file. Blocks.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
            file: file.clone(),
            faults: vec![Fault {
                line: 0,
                key: String::new(),
                value: None,
                what: format!("cannot be read ({error})"),
                remedy: "check the path and who may read it; the file is UTF-8 text".to_owned(),
            }],
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse_named(&text, folder, &file)
    }

    fn parse_named(text: &str, folder: &Path, file: &str) -> Result<Self, ConfigError> {
        let log = Log::new(text);
        let (root, errors) = DeTable::parse_recoverable(text);
        let config = Self::walk(&log, root.get_ref(), folder);
        let (mut faults, warnings) = log.finish();
        if !errors.is_empty() {
            faults = with_syntax(text, faults, &errors);
        }
        match config {
            Ok(config) if faults.is_empty() => Ok(Self { warnings, ..config }),
            Ok(_) | Err(_) => Err(ConfigError {
                file: file.to_owned(),
                faults,
            }),
        }
    }

    fn walk(log: &Log<'_>, table: &DeTable<'_>, folder: &Path) -> Result<Self, reader::Noted> {
        let mut root = Reader::root(log, table);
        let publish = sections::publish(root.section("publish"));
        let history = sections::history(root.section("history"));
        let all = sections::defaults(root.section("defaults"));
        let sources = sections::sources(root.section("sources"), folder);
        let nodes = sections::nodes(root.sections("nodes"), folder);
        let pools = sections::pools(root.sections("pools"));
        root.finish();
        Ok(Self {
            publish: publish?,
            history: history?,
            sources: configured(all?, &sources, &nodes, &pools, log),
            pools,
            warnings: Vec::new(),
        })
    }
}

/// Where a line is no TOML, what is missing may stand in it, and what follows may
/// belong to another section: only what was said before is sure.
fn with_syntax(text: &str, mut faults: Vec<Fault>, errors: &[toml::de::Error]) -> Vec<Fault> {
    let log = Log::new(text);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let remedy = "write it like key = \"value\", one on each line";
        let broken = format!("not TOML ({})", error.message().replace('\n', ", "));
        log.fault(&span, String::new(), false, wrong(broken, remedy));
    }
    let (mut broken, _) = log.finish();
    broken.dedup_by_key(|fault| fault.line);
    let first = broken.first().map_or(0, |fault| fault.line);
    faults.retain(|fault| fault.line < first && fault.value.is_some());
    faults.append(&mut broken);
    faults
}

/// The sources that have something to be asked.
fn configured(
    all: bool,
    sections: &BTreeMap<String, SourceSection>,
    nodes: &[Node],
    pools: &[PoolTerms],
    log: &Log<'_>,
) -> Vec<Configured> {
    let mined = Mined::by(pools);
    let usual = SourceSection {
        enabled: all,
        ..SourceSection::default()
    };
    let mut found = Vec::new();
    for source in registry::all() {
        let name = source.name();
        let own = sections.get(name);
        let nodes: Vec<&Node> = nodes.iter().filter(|node| node.kind == name).collect();
        let section = own.unwrap_or(&usual);
        let enabled = section.enabled || (own.is_none() && !nodes.is_empty());
        if !enabled {
            continue;
        }
        let Some(one) = configure(source, section, own.is_some(), &nodes, &mined) else {
            continue;
        };
        let asks = !source
            .requests(&one.settings, Catalog::built_in())
            .is_empty();
        if asks || one.missing.is_some() {
            found.push(one);
        } else if own.is_some() {
            log.warn(format!(
                "sources.{name} is asked nothing: it needs an address (url), or what to ask for (about)"
            ));
        }
    }
    found
}

fn configure(
    source: &'static dyn Source,
    section: &SourceSection,
    wanted: bool,
    nodes: &[&Node],
    mined: &Mined,
) -> Option<Configured> {
    let mut settings = Settings {
        url: section.url.clone(),
        key: section.key.clone(),
        about: section.about.clone(),
        more: section.more.clone(),
    };
    let mut cookies = BTreeMap::new();
    for node in nodes {
        let mut put = |what: &str, value: &str| {
            let key = format!("{what}.{}", node.coin);
            settings.more.insert(key, value.to_owned());
        };
        put("url", &node.url);
        if let Some(network) = &node.network {
            put("network", network);
        }
        match &node.access {
            Access::Free => {}
            Access::Key(key) => put("key", key),
            Access::Cookie(path) => {
                cookies.insert(node.coin.clone(), path.clone());
            }
        }
        if !settings.about.contains(&node.coin) {
            settings.about.push(node.coin.clone());
        }
    }
    if settings.about.is_empty() {
        let about = mined.about(source.name(), settings.url.is_some());
        // Whoever writes a section for a source wants it.
        settings.about = about.or_else(|| wanted.then(Vec::new))?;
    }
    let missing = source.needs_key() && settings.key.is_none();
    Some(Configured {
        source,
        settings,
        every: section.every,
        missing: missing.then_some("a key"),
        cookies,
    })
}
