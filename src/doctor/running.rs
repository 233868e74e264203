//! What the appliance says of itself, if one answers where farm.toml says it should.

use super::{Check, Finding};
use crate::config::Config;
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use ureq::Agent;

const WITHIN: Duration = Duration::from_secs(5);
const MOST: u64 = 16 * 1024 * 1024;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    farm: String,
    version: String,
    state: String,
    troubles: Vec<Trouble>,
    algorithms: Vec<Lane>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Trouble {
    code: String,
    text: String,
    remedy: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Lane {
    listener: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    code: String,
    subject: String,
    text: String,
}

#[derive(Debug, Default)]
pub struct Running {
    page: Option<SocketAddr>,
    status: Option<Status>,
    events: Vec<Event>,
}

impl Running {
    pub async fn ask(config: &Config) -> Self {
        let (farm, bind) = (config.farm.name.clone(), config.status.bind);
        let asked = tokio::task::spawn_blocking(move || Self::ask_now(&farm, bind));
        asked.await.unwrap_or_default()
    }

    fn ask_now(farm: &str, bind: SocketAddr) -> Self {
        let agent: Agent = Agent::config_builder()
            .timeout_global(Some(WITHIN))
            .build()
            .into();
        let get = |path: &str| -> Option<String> {
            let mut answer = agent
                .get(format!("http://{}{path}", home(bind)))
                .call()
                .ok()?;
            let body = answer.body_mut().with_config().limit(MOST);
            body.read_to_string().ok()
        };
        let status = get("/api/status").and_then(|text| serde_json::from_str::<Status>(&text).ok());
        let Some(status) = status.filter(|status| status.farm == farm) else {
            return Self::default();
        };
        let events = get("/api/events").and_then(|text| serde_json::from_str(&text).ok());
        Self {
            page: Some(bind),
            status: Some(status),
            events: events.unwrap_or_default(),
        }
    }

    pub const fn answers(&self) -> bool {
        self.status.is_some()
    }

    /// It says that this is a port of its own.
    pub fn has(&self, address: SocketAddr) -> bool {
        let address = address.to_string();
        let lanes = self.status.iter().flat_map(|status| &status.algorithms);
        let mut ports = lanes.map(|lane| &lane.listener);
        self.page.is_some_and(|page| page.to_string() == address) || ports.any(|it| *it == address)
    }

    pub fn findings(&self, config: &Config) -> Vec<Finding> {
        let Some(status) = &self.status else {
            return vec![Finding::hint(
                Check::Appliance,
                "",
                format!("does not answer at http://{}", home(config.status.bind)),
                "start it: systemctl start smart-mining-proxy, or smart-mining-proxy run",
            )];
        };
        let text = format!("runs, version {}: {}", status.version, status.state);
        let holds = "miners have no pool; what is found below says why";
        let mut found = vec![match &*status.state {
            "holding" => Finding::problem(Check::Appliance, &*status.farm, text, holds),
            _ => Finding::ok(Check::Appliance, &*status.farm, text),
        }];
        found.extend(status.troubles.iter().map(|trouble| {
            let (text, remedy) = (&*trouble.text, &*trouble.remedy);
            Finding::problem(Check::Appliance, &*trouble.code, text, remedy)
        }));
        found
    }

    /// Addresses it turned away for `[access]`, the latest first.
    pub fn turned_away(&self) -> Vec<IpAddr> {
        let refused = self.events.iter().filter(|event| {
            event.code == crate::events::Code::MinerRefused.name()
                && event.text.contains("[access]")
        });
        let mut addresses: Vec<IpAddr> = Vec::new();
        for address in refused.filter_map(|event| event.subject.parse().ok()) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }
}

/// What listens everywhere is asked at home.
fn home(bind: SocketAddr) -> SocketAddr {
    let home = match bind.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    SocketAddr::new(home, bind.port())
}
