//! What the appliance's system reads of a farm.toml: its name, its address, its Wi-Fi,
//! who may log in, which ports are open. Files in a folder of their own; what is not set is
//! not there.

use crate::config::{Config, Device, Pair, Rank, StaticAddress, Wifi};
use crate::files;
use anyhow::{Context, Result};
use std::fmt::Write;
use std::path::Path;

/// Every name, so that what is no longer set goes away.
const NAMES: [&str; 7] = [HOSTNAME, STATIC, GATEWAY, WIFI, KEYS, PORTS, PAIR];
const HOSTNAME: &str = "hostname";
/// For systemd-networkd; used only while its gateway answers.
const STATIC: &str = "10-static.network";
const GATEWAY: &str = "gateway";
/// For wpa_supplicant.
const WIFI: &str = "wpa_supplicant.conf";
const KEYS: &str = "authorized_keys";
/// Of the listeners and the status page, one a line: the firewall opens them.
const PORTS: &str = "ports";
/// For keepalived.
const PAIR: &str = "pair";

/// Nobody but root has a use for them, and one has a password in it.
const MODE: u32 = 0o600;

#[derive(Default)]
pub struct Settings {
    pub device: Device,
    pub ports: Vec<u16>,
}

impl Settings {
    pub fn of(config: &Config) -> Self {
        let miners = config.listeners.iter().map(|listener| listener.bind);
        let mut ports: Vec<u16> = miners
            .chain([config.status.bind])
            .filter(|bind| !bind.ip().is_loopback())
            .map(|bind| bind.port())
            .collect();
        ports.sort_unstable();
        ports.dedup();
        Self {
            device: config.device.clone(),
            ports,
        }
    }
}

pub fn write(settings: &Settings, folder: &Path) -> Result<()> {
    let what = |path: &Path| format!("{} cannot be written", path.display());
    std::fs::create_dir_all(folder).with_context(|| what(folder))?;
    for name in NAMES {
        let path = folder.join(name);
        let text = content(settings, name);
        let before = files::read(&path).with_context(|| what(&path))?;
        match text {
            Some(text) if before.as_deref() != Some(text.as_bytes()) => {
                files::replace(&path, text.as_bytes(), MODE).with_context(|| what(&path))?;
            }
            None => files::remove(&path).with_context(|| what(&path))?,
            Some(_) => {}
        }
    }
    Ok(())
}

fn content(settings: &Settings, name: &str) -> Option<String> {
    let device = &settings.device;
    match name {
        HOSTNAME => device.hostname.as_ref().map(|name| format!("{name}\n")),
        STATIC => device.address.as_ref().map(network),
        GATEWAY => {
            let address = device.address.as_ref()?;
            Some(format!("{}\n", address.gateway))
        }
        WIFI => device.wifi.as_ref().map(wifi),
        KEYS => {
            let keys = &device.ssh_keys;
            (!keys.is_empty()).then(|| format!("{}\n", keys.join("\n")))
        }
        PORTS => {
            let lines: String = settings
                .ports
                .iter()
                .map(|port| format!("{port}\n"))
                .collect();
            (!lines.is_empty()).then_some(lines)
        }
        PAIR => device.pair.map(pair),
        _ => None,
    }
}

fn pair(pair: Pair) -> String {
    let rank = match pair.rank {
        Rank::First => "first",
        Rank::Second => "second",
    };
    format!("ADDRESS={}\nRANK={rank}\n", pair.address)
}

fn network(address: &StaticAddress) -> String {
    let mut text = format!(
        "[Match]\nType=ether\n\n[Network]\nAddress={}\nGateway={}\nMulticastDNS=yes\n",
        address.own, address.gateway
    );
    for server in &address.dns {
        // Writing to a String does not fail.
        let _ = writeln!(text, "DNS={server}");
    }
    text
}

/// The name goes as hex: quotes and backslashes in it would be read.
fn wifi(wifi: &Wifi) -> String {
    let ssid: String = wifi
        .ssid
        .bytes()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let key = match wifi.password.as_ref().map(|password| password.expose()) {
        None => "\tkey_mgmt=NONE\n".to_owned(),
        // 64 digits are the key itself, anything else is what it is made from.
        Some(hash) if hash.len() == 64 => format!("\tpsk={hash}\n"),
        Some(text) => format!("\tpsk=\"{text}\"\n"),
    };
    format!(
        "country={}\nupdate_config=0\nnetwork={{\n\tssid={ssid}\n{key}}}\n",
        wifi.country
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3kqKCyk1p2HqkW0v0bY0Yv2b0m4XxkzqEo2m3y7nAB me@desk";

    fn settings(more: &str) -> Settings {
        let text = format!(
            "[farm]\nname = \"barn\"\n[[listener]]\nalgorithm = \"sha256d\"\n[[pool]]\nid = \"a\"\n\
             algorithm = \"sha256d\"\ncoin = \"BTC\"\nurl = \"stratum+tcp://a:1\"\nuser = \"u\"\n{more}"
        );
        let config = Config::parse(&text).unwrap_or_else(|problems| panic!("{problems}"));
        Settings::of(&config)
    }

    #[test]
    fn each_setting_is_one_file_and_goes_when_it_is_taken_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let all = settings(&format!(
            "[network]\nhostname = \"Barn-1\"\naddress = \"10.0.3.20/16\"\ngateway = \"10.0.0.1\"\n\
             wifi_ssid = \"a \\\"b\\\"\"\nwifi_password = \"long enough\"\nwifi_country = \"de\"\n\
             [pair]\naddress = \"10.0.3.50\"\nrank = \"second\"\n\
             [ssh]\nkeys = [\"{KEY}\"]\n[status]\nbind = \"0.0.0.0:80\"\n"
        ));
        write(&all, folder.path()).expect("written");
        let read =
            |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        assert_eq!(read(HOSTNAME), "barn-1\n");
        assert_eq!(
            read(STATIC),
            "[Match]\nType=ether\n\n[Network]\nAddress=10.0.3.20/16\nGateway=10.0.0.1\n\
             MulticastDNS=yes\nDNS=10.0.0.1\n"
        );
        assert_eq!(read(GATEWAY), "10.0.0.1\n");
        assert_eq!(
            read(WIFI),
            "country=DE\nupdate_config=0\nnetwork={\n\tssid=6120226222\n\tpsk=\"long enough\"\n}\n"
        );
        assert_eq!(read(KEYS), format!("{KEY}\n"));
        assert_eq!(read(PORTS), "80\n3333\n");
        assert_eq!(read(PAIR), "ADDRESS=10.0.3.50\nRANK=second\n");
        write(&settings(""), folder.path()).expect("written");
        // The page is for this machine alone, by default.
        assert_eq!(read(PORTS), "3333\n");
        write(&Settings::default(), folder.path()).expect("written");
        let left = std::fs::read_dir(folder.path()).expect("there");
        assert_eq!(left.count(), 0);
    }
}
