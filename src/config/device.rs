//! `[network]`, `[pair]` and `[ssh]`: what the appliance's own system is told. The proxy does
//! not use them; `provision` writes them down for the system to read.

use super::Secret;
use super::problem::{Fault, fault};
use super::reader::{Reader, Taken};
use super::values::{choice, quoted, wrong_type};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use toml::de::DeValue;

type Read<T> = Result<T, Fault>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    pub hostname: Option<String>,
    /// Without it the LAN's DHCP server gives an address.
    pub address: Option<StaticAddress>,
    pub wifi: Option<Wifi>,
    pub pair: Option<Pair>,
    /// Who may log in; nobody, if there is none.
    pub ssh_keys: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticAddress {
    pub own: HostAddress,
    pub gateway: Ipv4Addr,
    pub dns: Vec<IpAddr>,
}

/// An address and how many bits of it name the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostAddress {
    pub address: Ipv4Addr,
    pub prefix: u8,
}

impl HostAddress {
    fn network_of(self, address: Ipv4Addr) -> u32 {
        let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix));
        u32::from(address) & mask.unwrap_or(0)
    }

    fn reaches(self, other: Ipv4Addr) -> bool {
        self.network_of(self.address) == self.network_of(other) && self.address != other
    }
}

impl fmt::Display for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wifi {
    pub ssid: String,
    /// `None`: an open network.
    pub password: Option<Secret>,
    /// The radio obeys its rules. ISO 3166, two letters.
    pub country: String,
}

/// Two appliances, one address: the first has it while it is well, else the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// What miners are told. It is neither appliance's own.
    pub address: Ipv4Addr,
    pub rank: Rank,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    First,
    Second,
}

/// `None`: something was wrong, and was reported.
pub(super) fn read(root: &mut Reader<'_>) -> Option<Device> {
    let network = root.section("network");
    let pair = root.section("pair");
    let ssh = root.section("ssh");
    let device = network.map_or(Some(Device::default()), self::network);
    let own = device.as_ref().and_then(|device| device.address.as_ref());
    let pair = pair.map_or(Some(None), |section| self::pair(section, own).map(Some));
    let ssh_keys = ssh.map_or(Some(Vec::new()), |mut section| {
        let keys = section.required("keys", "[\"ssh-ed25519 AAAA... me\"]", keys);
        section.finish();
        keys
    });
    Some(Device {
        pair: pair?,
        ssh_keys: ssh_keys?,
        ..device?
    })
}

fn network(mut section: Reader<'_>) -> Option<Device> {
    let hostname = section.take("hostname", hostname).optional();
    let address = static_address(&mut section);
    let wifi = wifi(&mut section);
    section.finish();
    Some(Device {
        hostname: hostname?,
        address: address?,
        wifi: wifi?,
        ..Device::default()
    })
}

fn pair(mut section: Reader<'_>, own: Option<&StaticAddress>) -> Option<Pair> {
    let address = section.required("address", "\"192.168.1.50\"", shared_address);
    let ranks = [("first", Rank::First), ("second", Rank::Second)];
    let rank = section.required("rank", "\"first\"", |value| choice(value, &ranks));
    if address.is_some_and(|address| own.is_some_and(|own| own.own.address == address)) {
        let same = fault(
            "this appliance's own address",
            "give the pair an address that neither of the two has",
        );
        section.log.report(section.place("address"), same);
        return None;
    }
    section.finish();
    Some(Pair {
        address: address?,
        rank: rank?,
    })
}

/// Its last number tells the pairs of a LAN apart, which VRRP counts from 1 to 255.
fn shared_address(value: &DeValue<'_>) -> Read<Ipv4Addr> {
    let address = gateway(value)?;
    match address.octets() {
        [_, _, _, 1..=254] => Ok(address),
        _ => Err(fault(
            "not an address of a host",
            "let it end with 1 to 254",
        )),
    }
}

/// The outer `None`: something was wrong.
fn static_address(section: &mut Reader<'_>) -> Option<Option<StaticAddress>> {
    let own = section.take("address", host_address);
    let gateway = section.take("gateway", gateway);
    let dns = section.take("dns", servers).optional();
    let (own, gateway) = match (own, gateway) {
        (Taken::Absent, Taken::Absent) => {
            if dns?.is_some() {
                let alone = fault(
                    "only counts with an address of its own",
                    "add address and gateway, or remove it: DHCP names the servers",
                );
                section.log.report(section.place("dns"), alone);
                return None;
            }
            return Some(None);
        }
        (Taken::Good(own), Taken::Good(gateway)) => (own, gateway),
        (Taken::Absent, Taken::Good(_)) => {
            let missing = fault(
                "an address is missing beside the gateway",
                "add a line address = \"192.168.1.20/24\", or remove gateway: then DHCP gives both",
            );
            section.log.report(section.place("gateway"), missing);
            return None;
        }
        (Taken::Good(own), Taken::Absent) => {
            let [a, b, c, _] = own.address.octets();
            let missing = fault(
                "a gateway is missing beside the address",
                format!("add a line like gateway = \"{a}.{b}.{c}.1\""),
            );
            section.log.report(section.place("address"), missing);
            return None;
        }
        (Taken::Bad, _) | (_, Taken::Bad) => return None,
    };
    if !own.reaches(gateway) {
        let what = format!("not another address in the network of {own}");
        let wrong = fault(what, "check both lines");
        section.log.report(section.place("gateway"), wrong);
        return None;
    }
    let dns = dns?.unwrap_or_else(|| vec![IpAddr::V4(gateway)]);
    Some(Some(StaticAddress { own, gateway, dns }))
}

/// The outer `None`: something was wrong.
fn wifi(section: &mut Reader<'_>) -> Option<Option<Wifi>> {
    let ssid = section.take("wifi_ssid", ssid).optional();
    let password = section.take("wifi_password", wifi_password).optional();
    let country = section.take("wifi_country", country).optional();
    let (ssid, password, country) = (ssid?, password?, country?);
    let Some(ssid) = ssid else {
        if password.is_none() && country.is_none() {
            return Some(None);
        }
        let missing = fault(
            "the network's name is missing",
            "add a line wifi_ssid = \"...\"",
        );
        section.log.report(section.place("wifi_ssid"), missing);
        return None;
    };
    let Some(country) = country else {
        let missing = fault(
            "the country is missing beside wifi_ssid",
            "add a line like wifi_country = \"DE\"",
        );
        section.log.report(section.place("wifi_country"), missing);
        return None;
    };
    Some(Some(Wifi {
        ssid,
        password,
        country,
    }))
}

fn hostname(value: &DeValue<'_>) -> Read<String> {
    let text = quoted(value)?;
    if is_hostname(text) {
        return Ok(text.to_ascii_lowercase());
    }
    let remedy = "use 1 to 63 of the characters a-z 0-9 and -, none at an end";
    Err(fault("not a host name", remedy))
}

pub fn is_hostname(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn host_address(value: &DeValue<'_>) -> Read<HostAddress> {
    let remedy = "write it as \"192.168.1.20/24\"";
    let wrong = || fault("not an IPv4 address with its network's length", remedy);
    let (address, prefix) = quoted(value)?.split_once('/').ok_or_else(wrong)?;
    let own = HostAddress {
        address: address.parse().map_err(|_| wrong())?,
        prefix: prefix.parse().map_err(|_| wrong())?,
    };
    match (1..=30).contains(&own.prefix) {
        true => Ok(own),
        false => Err(wrong()),
    }
}

fn gateway(value: &DeValue<'_>) -> Read<Ipv4Addr> {
    let wrong = || fault("not an IPv4 address", "write it as \"192.168.1.1\"");
    quoted(value)?.parse().map_err(|_| wrong())
}

fn servers(value: &DeValue<'_>) -> Read<Vec<IpAddr>> {
    let example = "write it like [\"192.168.1.1\", \"9.9.9.9\"]";
    let list = texts(value, example)?;
    let addresses: Result<Vec<IpAddr>, _> = list
        .iter()
        .map(|text| {
            let wrong = || fault(format!("\"{text}\" is not an address"), example);
            text.parse().map_err(|_| wrong())
        })
        .collect();
    addresses
}

fn ssid(value: &DeValue<'_>) -> Read<String> {
    let text = quoted(value)?;
    match (1..=32).contains(&text.len()) && !text.chars().any(char::is_control) {
        true => Ok(text.to_owned()),
        false => Err(fault("not a Wi-Fi network's name", "use 1 to 32 bytes")),
    }
}

fn wifi_password(value: &DeValue<'_>) -> Read<Secret> {
    let text = quoted(value)?;
    if is_wifi_password(text) {
        return Ok(Secret::new(text));
    }
    Err(fault(
        "not a WPA password",
        "use 8 to 63 characters of plain ASCII, as the access point has it",
    ))
}

/// As WPA has it: what a key is made from, or the key.
pub fn is_wifi_password(text: &str) -> bool {
    let is_plain = text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    let is_key = text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit());
    is_plain && ((8..=63).contains(&text.len()) || is_key)
}

fn country(value: &DeValue<'_>) -> Read<String> {
    let text = quoted(value)?;
    match text.len() == 2 && text.chars().all(|c| c.is_ascii_alphabetic()) {
        true => Ok(text.to_ascii_uppercase()),
        false => Err(fault("not a country", "write its two letters, like \"DE\"")),
    }
}

fn keys(value: &DeValue<'_>) -> Read<Vec<String>> {
    let example = "write it like [\"ssh-ed25519 AAAA... me\"], the line of the .pub file";
    let list = texts(value, example)?;
    for text in &list {
        if !is_public_key(text) {
            let what = match text.contains("PRIVATE KEY") {
                true => "a private key".to_owned(),
                false => "not a public key of SSH".to_owned(),
            };
            return Err(fault(what, example));
        }
    }
    Ok(list)
}

/// One line as `ssh-keygen` writes it; no options before it, which could run things.
fn is_public_key(text: &str) -> bool {
    let kinds = [
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    ];
    let mut words = text.split(' ');
    let kind = words.next().is_some_and(|kind| kinds.contains(&kind));
    let base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    let key = words
        .next()
        .is_some_and(|key| key.len() >= 60 && key.chars().all(base64));
    kind && key && text.len() <= 4096 && !text.chars().any(char::is_control)
}

fn texts(value: &DeValue<'_>, example: &str) -> Read<Vec<String>> {
    let Some(items) = value.as_array() else {
        return Err(wrong_type(value, "a list", example));
    };
    let texts: Option<Vec<String>> = items
        .iter()
        .map(|item| Some(item.get_ref().as_str()?.to_owned()))
        .collect();
    match texts {
        Some(texts) if !texts.is_empty() => Ok(texts),
        Some(_) => Err(fault("empty", "write one, or remove the line")),
        None => Err(fault("has something in it that is no text", example)),
    }
}
