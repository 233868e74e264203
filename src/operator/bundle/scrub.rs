//! Takes secrets out: from farm.toml by its keys, and from everything by their values.
//!
//! Of farm.toml only the keys of [`PLAIN`] are shown: one that a later release adds is
//! hidden until somebody says that it is none. A pool may repeat an account in what it
//! says, and so the log and the events are searched for every secret that farm.toml has.

use crate::config::Config;
use toml::{Table, Value};

const HIDDEN: &str = "(hidden)";
/// Shorter ones, such as the `x` that pools ask for, cannot be told from other text.
const SHORTEST: usize = 4;

/// Keys of farm.toml whose values are no secrets.
const PLAIN: [&str; 34] = [
    "address",
    "agent",
    "algorithm",
    "allow",
    "bind",
    "certificate",
    "coin",
    "confirmations",
    "dns",
    "extensions",
    "extranonce",
    "fee",
    "gateway",
    "handshake_seconds",
    "hostname",
    "id",
    "keep_warm_seconds",
    "key",
    "max_miners",
    "minimum_dwell_seconds",
    "mode",
    "name",
    "other_coin_percent",
    "path",
    "pool",
    "public_key",
    "rank",
    "report_every_seconds",
    "return_after_seconds",
    "same_coin_percent",
    "tls_pin",
    "url",
    "wifi_country",
    "workers",
];
const SECTIONS: [&str; 14] = [
    "access", "account", "central", "farm", "listener", "network", "operator", "pair", "pool",
    "routing", "ssh", "status", "store", "worker",
];

/// What a farm.toml says, as far as it may be shown.
pub fn configuration(text: &str) -> String {
    match text.parse::<Table>() {
        Ok(table) => {
            let shown = toml::to_string(&hidden(table));
            shown.unwrap_or_else(|error| format!("# cannot be written: {error}\n"))
        }
        // The text itself, or the fault with its line, could show one.
        Err(_) => "# it is no TOML any more; say smart-mining-proxy check\n".to_owned(),
    }
}

fn hidden(table: Table) -> Table {
    let hide = |(key, value): (String, Value)| {
        let is_plain = PLAIN.contains(&&*key) || SECTIONS.contains(&&*key);
        let value = match (value, is_plain) {
            (Value::Table(inner), true) => Value::Table(hidden(inner)),
            (Value::Array(list), true) => Value::Array(list.into_iter().map(inner).collect()),
            (value, true) => value,
            (_, false) => Value::String(HIDDEN.to_owned()),
        };
        (key, value)
    };
    table.into_iter().map(hide).collect()
}

fn inner(value: Value) -> Value {
    match value {
        Value::Table(table) => Value::Table(hidden(table)),
        Value::Array(list) => Value::Array(list.into_iter().map(inner).collect()),
        value @ (Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)) => value,
    }
}

/// Every secret of a configuration, to be looked for in any text.
pub struct Scrubber {
    /// The longest first: one may be a part of another.
    secrets: Vec<String>,
}

impl Scrubber {
    pub fn of(config: &Config) -> Self {
        let mut secrets: Vec<String> = Vec::new();
        secrets.extend(config.central.iter().map(|it| it.token.expose().to_owned()));
        for account in &config.accounts {
            secrets.push(account.password.expose().to_owned());
            secrets.extend(user(account.user.as_str()));
        }
        for pool in &config.pools {
            secrets.push(pool.password.expose().to_owned());
            secrets.extend(user(pool.user.as_str()));
        }
        let hashes = config.admissions.workers.iter().map(|it| &it.password);
        let hashes = hashes.chain([&config.operator.password]).flatten();
        secrets.extend(hashes.map(ToString::to_string));
        if let Some(wifi) = &config.device.wifi {
            secrets.extend(wifi.password.iter().map(|it| it.expose().to_owned()));
        }
        // As they stand in JSON, if that is different.
        let quoted: Vec<String> = (secrets.iter())
            .filter_map(|secret| serde_json::to_string(secret).ok())
            .map(|text| text.trim_matches('"').to_owned())
            .collect();
        secrets.extend(quoted);
        secrets.retain(|secret| secret.len() >= SHORTEST);
        secrets.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        Self { secrets }
    }

    pub fn scrub(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), HIDDEN);
            }
        }
        text
    }
}

/// Who is paid, whole and without what is filled in for each worker.
fn user(template: &str) -> Vec<String> {
    let account = template.split('{').next().unwrap_or(template);
    let account = account.trim_end_matches(['.', '/', '_', '-', '+']);
    let login = account.split('.').next().unwrap_or(account);
    [template, account, login].map(ToOwned::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRETS: [&str; 8] = [
        "token-of-this-farm",
        "bc1qpayoutaddress",
        "account-pass\\\"word",
        "poolaccount",
        "poolpassword",
        "c29tZXNhbHQ",
        "wifi-pass-word",
        "comment-secret",
    ];

    fn farm_toml() -> String {
        let hash = "$argon2id$v=19$m=8192,t=2,p=1$c29tZXNhbHQ$\
                    mP8bG8dGQ7y7nZ1c1x0pq3TnE6y8H9lJ2h2mUu1Yq0M";
        format!(
            "# was comment-secret before\n[farm]\nname = \"north-barn\"\n\
             [central]\nurl = \"https://central.example.com\"\ntoken = \"token-of-this-farm\"\n\
             public_key = \"iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=\"\n\
             [[listener]]\nalgorithm = \"sha256d\"\n\
             [[account]]\ncoin = \"BTC\"\nuser = \"bc1qpayoutaddress.{{worker}}\"\n\
             password = \"account-pass\\\"word\"\n\
             [[pool]]\nid = \"own\"\nalgorithm = \"sha256d\"\ncoin = \"BTC\"\n\
             url = \"stratum+tcp://10.0.0.9:3333\"\nuser = \"poolaccount\"\npassword = \"poolpassword\"\n\
             [workers]\nmode = \"password\"\n[[worker]]\nname = \"rig1\"\npassword_hash = \"{hash}\"\n\
             [network]\nwifi_ssid = \"barn\"\nwifi_password = \"wifi-pass-word\"\nwifi_country = \"DE\"\n\
             [operator]\npassword_hash = \"{hash}\"\n"
        )
    }

    #[test]
    fn a_farm_toml_is_shown_without_any_of_its_secrets() {
        let text = farm_toml();
        let shown = configuration(&text);
        for secret in SECRETS {
            assert!(text.contains(secret), "{secret} is in the test");
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        for plain in [
            "north-barn",
            "central.example.com",
            "10.0.0.9:3333",
            "rig1",
            "DE",
        ] {
            assert!(shown.contains(plain), "{plain} not in {shown}");
        }
        assert_eq!(shown.matches("(hidden)").count(), 9, "{shown}");
        let broken = configuration("token = secret\n");
        assert!(!broken.contains("secret"), "{broken}");
    }

    #[test]
    fn a_key_that_nobody_knows_is_hidden() {
        let shown = configuration("[central]\nbearer = \"s3cret\"\n[new]\nkey = \"s3cret\"\n");
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn what_others_repeat_of_a_secret_is_hidden_too() {
        let config = Config::parse(&farm_toml()).expect("valid");
        let scrubber = Scrubber::of(&config);
        let said = "unknown user bc1qpayoutaddress.rig07, not poolaccount/poolpassword; \
                    Bearer token-of-this-farm {\"p\":\"account-pass\\\"word\"} account-pass\"word \
                    wifi-pass-word c29tZXNhbHQ";
        let hidden = scrubber.scrub(said);
        for secret in SECRETS.iter().take(5).chain(["wifi-pass-word"].iter()) {
            assert!(!hidden.contains(secret), "{secret} in {hidden}");
        }
        assert!(hidden.contains(".rig07"), "{hidden}");
        let hash = config.operator.password.expect("one").to_string();
        assert_eq!(scrubber.scrub(&hash), "(hidden)");
    }

    #[test]
    fn a_filler_is_no_secret() {
        let text = farm_toml().replace("poolpassword", "x");
        let config = Config::parse(&text).expect("valid");
        assert_eq!(Scrubber::of(&config).scrub("exact"), "exact");
    }
}
