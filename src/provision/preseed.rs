//! What Raspberry Pi Imager was told when it wrote the card: a host name and a Wi-Fi
//! network. farm.toml goes before it. Its users and its SSH settings are passed over:
//! the appliance has no password, and keys stand in farm.toml.

use crate::config::{Device, Secret, Wifi, is_hostname, is_wifi_password};
use serde::Deserialize;

/// As Imager and its relatives call it.
pub const NAMES: [&str; 2] = ["rpi-preseed.toml", "custom.toml"];

#[derive(Default, Deserialize)]
#[serde(default)]
struct Preseed {
    system: System,
    wlan: Wlan,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct System {
    hostname: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wlan {
    ssid: Option<String>,
    password: Option<String>,
    country: Option<String>,
}

/// The settings of farm.toml, and what only the preseed has.
pub fn under(device: &Device, preseed: Option<&str>) -> Device {
    let mut device = device.clone();
    // One that cannot be read is Imager's matter; what is set stays set.
    let preseed: Preseed = preseed
        .and_then(|text| toml::from_str(text).ok())
        .unwrap_or_default();
    device.hostname = device
        .hostname
        .or(preseed.system.hostname.filter(|name| is_hostname(name)));
    device.wifi = device.wifi.or_else(|| wifi(preseed.wlan));
    device
}

fn wifi(wlan: Wlan) -> Option<Wifi> {
    Some(Wifi {
        ssid: wlan.ssid.filter(|ssid| (1..=32).contains(&ssid.len()))?,
        password: match wlan.password.filter(|password| !password.is_empty()) {
            None => None,
            Some(password) if is_wifi_password(&password) => Some(Secret::new(password)),
            Some(_) => return None,
        },
        country: wlan
            .country
            .filter(|code| code.len() == 2 && code.chars().all(|c| c.is_ascii_alphabetic()))?
            .to_ascii_uppercase(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGER: &str = "config_version = 1\n[system]\nhostname = \"barn-2\"\n[user]\nname = \"pi\"\n\
        password = \"secret\"\n[ssh]\nenabled = true\n[wlan]\nssid = \"Barn\"\n\
        password = \"12345678\"\npassword_encrypted = false\nhidden = false\ncountry = \"de\"\n";

    #[test]
    fn imager_gives_a_name_and_a_network_and_nothing_else() {
        let device = under(&Device::default(), Some(IMAGER));
        assert_eq!(device.hostname.as_deref(), Some("barn-2"));
        let wifi = device.wifi.expect("a network");
        assert_eq!((&*wifi.ssid, &*wifi.country), ("Barn", "DE"));
        assert!(device.ssh_keys.is_empty());
    }

    #[test]
    fn farm_toml_goes_before_it() {
        let own = Device {
            hostname: Some("north".to_owned()),
            ..Device::default()
        };
        let device = under(&own, Some(IMAGER));
        assert_eq!(device.hostname.as_deref(), Some("north"));
        assert!(device.wifi.is_some());
    }

    #[test]
    fn what_is_odd_sets_nothing() {
        for text in [
            "= =",
            "[system]\nhostname = \"a b\"\n[wlan]\nssid = \"\"\ncountry = \"DE\"\n",
            "[wlan]\nssid = \"Barn\"\npassword = \"a\\nb\"\ncountry = \"DE\"\n",
            "[wlan]\nssid = \"Barn\"\ncountry = \"Germany\"\n",
        ] {
            assert_eq!(
                under(&Device::default(), Some(text)),
                Device::default(),
                "{text}"
            );
        }
    }
}
