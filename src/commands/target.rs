//! Which appliance is asked, and how: what all commands have in common that show one.

use clap::Args;
use serde::de::DeserializeOwned;
use smart_mining_proxy::config::Config;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

const USUAL: &str = "http://127.0.0.1:8080";
/// Where a farm.toml is looked for: here, as README.md has it, and on the card's image.
const PLACES: [&str; 3] = [
    "farm.toml",
    "/etc/smart-mining/farm.toml",
    "/data/smart-mining/farm.toml",
];
const WITHIN: Duration = Duration::from_secs(5);
/// Of five thousand miners the answer has some megabytes.
const MOST: u64 = 16 * 1024 * 1024;

#[derive(Args, Clone, Debug)]
pub struct Target {
    /// Where its status page is [default: as farm.toml says, or http://127.0.0.1:8080]
    #[arg(long, env = "SMART_MINING_URL")]
    pub url: Option<String>,
    /// The farm.toml whose status.bind says where [default: the first of farm.toml,
    /// /etc/smart-mining/farm.toml and /data/smart-mining/farm.toml that is there]
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// The answer as JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// What went wrong, for a person, and the exit code that goes with it.
#[derive(Debug)]
pub struct Fault {
    pub text: String,
    pub code: u8,
}

impl Fault {
    pub fn failed(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            code: 1,
        }
    }

    pub fn input(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            code: 2,
        }
    }
}

/// Ends a command: its fault on standard error.
pub fn end(outcome: Result<(), Fault>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{}", fault.text);
            ExitCode::from(fault.code)
        }
    }
}

impl Target {
    /// `http://address:port`, without a slash at its end.
    pub fn url(&self) -> Result<String, Fault> {
        if let Some(url) = &self.url {
            return given(url);
        }
        let bind = match &self.config {
            Some(path) => Some(bind(path).map_err(Fault::input)?),
            // One that cannot be read is no matter here: `check` says what is wrong with it.
            None => bind(&usual_config()).ok(),
        };
        Ok(bind.map_or(USUAL.to_owned(), |bind| format!("http://{}", home(bind))))
    }

    /// The text of an answer.
    pub fn get(&self, path: &str) -> Result<String, Fault> {
        let url = self.url()?;
        fetch(&format!("{url}{path}")).map_err(|error| Fault::failed(nobody(&url, &error)))
    }

    pub fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        let answer = self.get(path)?;
        serde_json::from_str(&answer).map_err(|error| {
            Fault::failed(format!(
                "{}{path} answered something else than smart-mining-proxy does ({error}): \
                 is another program at this address? --url says where to ask",
                self.url().unwrap_or_default()
            ))
        })
    }
}

/// The farm.toml of this folder or else of this machine.
pub fn usual_config() -> PathBuf {
    let mut places = PLACES.iter().map(Path::new);
    let found = places.find(|path| path.exists());
    found.unwrap_or(Path::new("farm.toml")).to_owned()
}

fn given(url: &str) -> Result<String, Fault> {
    let url = url.trim_end_matches('/');
    let host = url.strip_prefix("http://").or(url.strip_prefix("https://"));
    match host {
        Some(host) if !host.is_empty() => Ok(url.to_owned()),
        Some(_) | None => Err(Fault::input(format!(
            "--url {url} — not the address of a page; write it as {USUAL}"
        ))),
    }
}

fn bind(path: &Path) -> Result<SocketAddr, String> {
    let config = Config::load(path).map_err(|problems| problems.to_string())?;
    Ok(config.status.bind)
}

/// What listens everywhere is asked at home.
pub fn home(bind: SocketAddr) -> SocketAddr {
    let home = match bind.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    SocketAddr::new(home, bind.port())
}

pub fn fetch(url: &str) -> Result<String, ureq::Error> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(WITHIN))
        .build()
        .into();
    let mut answer = agent.get(url).call()?;
    let body = answer.body_mut().with_config().limit(MOST);
    body.read_to_string()
}

fn nobody(url: &str, error: &ureq::Error) -> String {
    let remedy = if matches!(error, ureq::Error::StatusCode(403)) {
        "it shows itself only to the networks of [access] allow in farm.toml"
    } else if matches!(error, ureq::Error::StatusCode(_)) {
        "is another program, or another release of the appliance, at this address?"
    } else {
        "is it running (systemctl status smart-mining-proxy), and is this its status.bind? \
         --url says where to ask, `smart-mining-proxy doctor` looks for the cause"
    };
    format!("no appliance answers at {url} ({error}): {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_for_everybody_is_asked_at_home() {
        let asked = |bind: &str| home(bind.parse().expect("an address")).to_string();
        assert_eq!(asked("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(asked("[::]:80"), "[::1]:80");
        assert_eq!(asked("10.0.0.2:8080"), "10.0.0.2:8080");
    }

    #[test]
    fn an_address_is_used_as_it_is_or_refused_with_a_better_one() {
        let url = |text: &str| given(text).map_err(|fault| fault.code);
        assert_eq!(
            url("http://10.0.0.2:8080/"),
            Ok("http://10.0.0.2:8080".to_owned())
        );
        assert_eq!(url("10.0.0.2:8080"), Err(2));
        assert_eq!(url("http://"), Err(2));
    }
}
