//! Every mistake of a farm.toml has a line, a key and a remedy; all are shown at once.

use proptest::prelude::*;
use smart_mining_core::share::Manner;
use smart_mining_proxy::config::{AccountTarget, Config, Network, Routing, Workers};
use smart_mining_wire::{Algorithm, SecretKey};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

const EXAMPLE: &str = include_str!("../farm.example.toml");

/// A small farm.toml without a mistake.
const SMALL: &str = r#"[farm]
name = "barn"
[[listener]]
algorithm = "sha256d"
[[pool]]
id = "solo"
algorithm = "sha256d"
coin = "BTC"
url = "stratum+tcp://10.0.0.2:3333"
user = "bc1q.{worker}"
"#;

fn problems(text: &str) -> String {
    match Config::parse(text) {
        Ok(_) => String::new(),
        Err(problems) => problems.to_string(),
    }
}

/// SMALL with one line replaced, or with lines added at its end.
fn small(from: &str, to: &str) -> String {
    if from.is_empty() {
        return format!("{SMALL}{to}");
    }
    assert!(SMALL.contains(from), "{from} is not in the small file");
    SMALL.replacen(from, to, 1)
}

#[test]
fn the_small_file_has_no_mistake() {
    assert_eq!(problems(SMALL), "");
}

#[test]
fn each_mistake_has_its_message() {
    for (from, to, message) in MISTAKES {
        let text = small(from, to);
        assert_eq!(problems(&text), *message, "\nin\n{text}");
    }
}

const MISTAKES: &[(&str, &str, &str)] = &[
    (
        r#"name = "barn""#,
        r#"name = "north barn""#,
        r#"farm.toml:2: farm.name = "north barn" — not a name; use 1 to 63 of the characters A-Z a-z 0-9 . _ -"#,
    ),
    (
        r#"name = "barn""#,
        "name = 7",
        "farm.toml:2: farm.name = 7 — a number where a text is wanted; write it between two straight quotes",
    ),
    (
        r#"name = "barn""#,
        "# no name",
        r#"farm.toml:1: farm.name — missing; add a line name = "north-barn""#,
    ),
    (
        "[farm]\nname = \"barn\"\n",
        "",
        r#"farm.toml:1: farm — missing; add a section [farm] with a line name = "north-barn""#,
    ),
    (
        r#"name = "barn""#,
        "name = barn",
        r#"farm.toml:2: farm.name = barn — a text must stand between two straight quotes; write it as name = "barn""#,
    ),
    (
        r#"name = "barn""#,
        r#"name = "barn"#,
        r#"farm.toml:2: farm.name = "barn — a text must stand between two straight quotes; write it as name = "barn""#,
    ),
    (
        r#"name = "barn""#,
        "name = “barn”",
        r#"farm.toml:2: farm.name = “barn” — a text must stand between two straight quotes; write it as name = "barn""#,
    ),
    (
        r#"name = "barn""#,
        "name =",
        "farm.toml:2: farm.name — the value is missing; write it after the =, or remove the line",
    ),
    (
        r#"name = "barn""#,
        r#"name: "barn""#,
        r#"farm.toml:2: name: "barn" — a key without =; write it like key = "value""#,
    ),
    (
        r#"name = "barn""#,
        r#"name = "barn" "yard""#,
        r#"farm.toml:2: farm.name = "barn" "yard" — something follows the value; put each key on a line of its own"#,
    ),
    (
        r#"name = "barn""#,
        "name = \"barn\"\nname = \"yard\"",
        r#"farm.toml:3: farm.name = "yard" — this key stands twice in its section; remove one of the two lines"#,
    ),
    (
        r#"name = "barn""#,
        r#"nmae = "barn""#,
        "farm.toml:1: farm.name — missing; add a line name = \"north-barn\"\nfarm.toml:2: farm.nmae — unknown key; did you mean name?",
    ),
    (
        r#"name = "barn""#,
        "name = \"barn\"\nzzzz = 1",
        "farm.toml:3: farm.zzzz — unknown key; remove it (known here: name)",
    ),
    (
        "[farm]",
        "[farm",
        "farm.toml:1: [farm — the section's bracket is not closed; write it like [farm] or [[listener]]",
    ),
    (
        "[farm]",
        "[[farm]]",
        "farm.toml:1: farm — a section with one pair of brackets; write it once, as [farm]",
    ),
    (
        "",
        "[farm]\n",
        "farm.toml:11: [farm] — this section stands twice; put its keys into the first one",
    ),
    (
        "[[listener]]",
        "[listener]",
        "farm.toml:3: listener — there can be several of this section; write it as [[listener]], with two brackets on each side",
    ),
    (
        "[[listener]]",
        "[[listener]",
        "farm.toml:3: [[listener] — the section's bracket is not closed; write it like [farm] or [[listener]]",
    ),
    (
        "[[listener]]",
        "[[listner]]",
        "farm.toml:1: listener — missing; add a section [[listener]] with a line algorithm = \"sha256d\"\nfarm.toml:3: listner — unknown key; did you mean listener?",
    ),
    (
        "algorithm = \"sha256d\"\n[[pool]]",
        "[[pool]]",
        r#"farm.toml:3: listener[1].algorithm — missing; add a line algorithm = "sha256d""#,
    ),
    (
        "[[listener]]\nalgorithm = \"sha256d\"\n",
        "",
        r#"farm.toml:1: listener — missing; add a section [[listener]] with a line algorithm = "sha256d""#,
    ),
    (
        "algorithm = \"sha256d\"\n[[pool]]",
        "algorithm = \"kawpow\"\n[[pool]]",
        r#"farm.toml:4: listener[1].algorithm = "kawpow" — kawpow is not served by this release; use "sha256d", "scrypt" or "x16r", or remove this section"#,
    ),
    (
        "algorithm = \"sha256d\"\n[[pool]]",
        "algorithm = \"sha3\"\n[[pool]]",
        r#"farm.toml:4: listener[1].algorithm = "sha3" — not an algorithm; use "sha256d", "scrypt" or "x16r""#,
    ),
    (
        "algorithm = \"sha256d\"\n[[pool]]",
        "algorithm = \"scrypt\"\n[[pool]]",
        "farm.toml:4: listener[1].algorithm = \"scrypt\" — nothing to mine for scrypt; add a [[pool]] with algorithm = \"scrypt\", or [central] and an [[account]]\nfarm.toml:7: pool[1].algorithm = \"sha256d\" — no listener for sha256d; add a [[listener]] with algorithm = \"sha256d\", or remove this pool",
    ),
    (
        "[[pool]]",
        "bind = \"0.0.0.0:99999\"\n[[pool]]",
        r#"farm.toml:5: listener[1].bind = "0.0.0.0:99999" — not an address; write it as "0.0.0.0:3333""#,
    ),
    (
        "[[pool]]",
        "bind = 3333\n[[pool]]",
        r#"farm.toml:5: listener[1].bind = 3333 — a number where an address is wanted; write it as "0.0.0.0:3333""#,
    ),
    (
        "[[pool]]",
        "bind = 0.0.0.0:3333\n[[pool]]",
        r#"farm.toml:5: listener[1].bind = 0.0.0.0:3333 — neither a number nor a text; write it as bind = "0.0.0.0:3333""#,
    ),
    (
        "[[pool]]",
        "max_miners = 0\n[[pool]]",
        "farm.toml:5: listener[1].max_miners = 0 — out of range; write a whole number from 1 to 65536, without quotes",
    ),
    (
        "[[pool]]",
        "[network]\naddress = \"10.1.0.7/16\"\n[[pool]]",
        r#"farm.toml:6: network.address = "10.1.0.7/16" — a gateway is missing beside the address; add a line like gateway = "10.1.0.1""#,
    ),
    (
        "[[pool]]",
        "[network]\ngateway = \"10.1.0.1\"\n[[pool]]",
        r#"farm.toml:6: network.gateway = "10.1.0.1" — an address is missing beside the gateway; add a line address = "192.168.1.20/24", or remove gateway: then DHCP gives both"#,
    ),
    (
        "[[pool]]",
        "[network]\nwifi_ssid = \"Barn\"\n[[pool]]",
        r#"farm.toml:5: network.wifi_country — the country is missing beside wifi_ssid; add a line like wifi_country = "DE""#,
    ),
    (
        "[[pool]]",
        "[network]\nhostname = \"barn_1\"\n[[pool]]",
        r#"farm.toml:6: network.hostname = "barn_1" — not a host name; use 1 to 63 of the characters a-z 0-9 and -, none at an end"#,
    ),
    (
        "[[pool]]",
        "extranonce = \"fixed\"\n[[pool]]",
        r#"farm.toml:5: listener[1].extranonce = "fixed" — not one of the known words; use "constant" or "announce" or "reconnect""#,
    ),
    (
        "[[pool]]",
        "max_miners = \"many\"\n[[pool]]",
        r#"farm.toml:5: listener[1].max_miners = "many" — a text where a whole number is wanted; write a whole number from 1 to 65536, without quotes"#,
    ),
    (
        "[[pool]]",
        "handshake_seconds = 1\n[[pool]]",
        "farm.toml:5: listener[1].handshake_seconds = 1 — out of range; write a whole number from 5 to 120, without quotes",
    ),
    (
        "[[pool]]",
        "handshake_seconds = 1.5\n[[pool]]",
        "farm.toml:5: listener[1].handshake_seconds = 1.5 — a number where a whole number is wanted; write a whole number from 5 to 120, without quotes",
    ),
    (
        "[[pool]]",
        "[[listener]]\nalgorithm = \"sha256\"\n[[pool]]",
        r#"farm.toml:6: listener[2].algorithm = "sha256" — listener[1] has this algorithm already (line 4); one listener serves all miners of an algorithm; remove this one"#,
    ),
    (
        "[[pool]]",
        "[[listener]]\nalgorithm = \"scrypt\"\nbind = \"192.168.1.2:3333\"\n[[pool]]",
        "farm.toml:6: listener[2].algorithm = \"scrypt\" — nothing to mine for scrypt; add a [[pool]] with algorithm = \"scrypt\", or [central] and an [[account]]\nfarm.toml:7: listener[2].bind = \"192.168.1.2:3333\" — listener[1] has this port already; give each a port of its own",
    ),
    (
        "id = \"solo\"\n",
        "",
        r#"farm.toml:5: pool[1].id — missing; add a line id = "barn-solo""#,
    ),
    (
        r#"id = "solo""#,
        r#"id = "so lo""#,
        r#"farm.toml:6: pool[1].id = "so lo" — not a name; use 1 to 63 of the characters A-Z a-z 0-9 . _ -"#,
    ),
    (
        "algorithm = \"sha256d\"\n",
        "algorithm = \"sha256d\"\nkey = \"barn.key\"\n",
        r#"farm.toml:5: listener[1].key = "barn.key" — there is no certificate with it; add a line certificate = "...", or remove this one: a certificate is made then"#,
    ),
    (
        "coin = \"BTC\"\n",
        "",
        r#"farm.toml:5: pool[1].coin — missing; add a line coin = "BTC""#,
    ),
    (
        r#"url = "stratum+tcp://10.0.0.2:3333""#,
        r#"url = "10.0.0.2:3333""#,
        r#"farm.toml:9: pool[1].url = "10.0.0.2:3333" — not a pool's address; write it as "stratum+tcp://10.0.0.2:3333""#,
    ),
    (
        r#"url = "stratum+tcp://10.0.0.2:3333""#,
        r#"url = "stratum+tcp://10.0.0.2""#,
        r#"farm.toml:9: pool[1].url = "stratum+tcp://10.0.0.2" — has no port from 1 to 65535; write it as "stratum+tcp://host:port""#,
    ),
    (
        r#"url = "stratum+tcp://10.0.0.2:3333""#,
        r#"url = "ssl://10.0.0.2:443""#,
        r#"farm.toml:9: pool[1].url = "ssl://10.0.0.2:443" — not a pool's address; write it as "stratum+ssl://10.0.0.2:443""#,
    ),
    (
        "user = \"bc1q.{worker}\"\n",
        "user = \"bc1q.{worker}\"\ntls_pin = \"ab:cd\"\n",
        r#"farm.toml:11: pool[1].tls_pin = "ab:cd" — not a SHA-256 fingerprint; write the 64 hex digits that openssl x509 -noout -fingerprint -sha256 prints"#,
    ),
    (
        "user = \"bc1q.{worker}\"\n",
        "user = \"bc1q.{worker}\"\ntls_pin = \"0000000000000000000000000000000000000000000000000000000000000000\"\n",
        r#"farm.toml:11: pool[1].tls_pin = "00000000000000000000000000000000000000000000000000000000000… — the url is one for plain connections, which have no certificate; write the url with stratum+ssl:// and the pool's port for it, or remove tls_pin"#,
    ),
    (
        "",
        "[[worker]]\nname = \"rig\"\n",
        "farm.toml:11: worker[1] — nobody looks at it while every worker may mine; add a section [workers] with mode = \"list\" or \"password\", or remove it",
    ),
    (
        "",
        "[workers]\nmode = \"list\"\n",
        "farm.toml:12: workers.mode = \"list\" — no worker could mine: there is no [[worker]]; add a section [[worker]] for each, or write mode = \"open\"",
    ),
    (
        "",
        "[workers]\nmode = \"closed\"\n",
        "farm.toml:12: workers.mode = \"closed\" — not one of the known words; use \"open\" or \"list\" or \"password\"",
    ),
    (
        "",
        "[workers]\nmode = \"list\"\n[[worker]]\nname = \"rig\"\n[[worker]]\nname = \"rig\"\n",
        "farm.toml:16: worker[2].name = \"rig\" — this worker is there already (line 14); remove one of the two",
    ),
    (
        "",
        "[workers]\nmode = \"password\"\n[[worker]]\nname = \"rig\"\n",
        "farm.toml:13: worker[1].password_hash — missing in mode \"password\"; add a line password_hash = \"...\" from smart-mining-proxy hash-password",
    ),
    (
        "",
        "[workers]\nmode = \"password\"\n[[worker]]\nname = \"rig\"\npassword_hash = \"hunter2\"\n",
        "farm.toml:15: worker[1].password_hash — not a password hash; write what smart-mining-proxy hash-password prints",
    ),
    (
        "user = \"bc1q.{worker}\"\n",
        "",
        r#"farm.toml:5: pool[1].user — nobody would be paid: no user here and no account fits; add a line user = "...", or an [[account]] with coin = "BTC""#,
    ),
    (
        "user = \"bc1q.{worker}\"\n",
        "[[account]]\ncoin = \"LTC\"\nuser = \"x\"\n",
        r#"farm.toml:5: pool[1].user — nobody would be paid: no user here and no account fits; add a line user = "...", or an [[account]] with coin = "BTC""#,
    ),
    (
        r#"user = "bc1q.{worker}""#,
        r#"user = "bc1q.{miner}""#,
        r#"farm.toml:10: pool[1].user = "bc1q.{miner}" — {miner} is not a placeholder; only {worker} and {farm} are replaced"#,
    ),
    (
        r#"user = "bc1q.{worker}""#,
        r#"user = "bc1q.{worker""#,
        r#"farm.toml:10: pool[1].user = "bc1q.{worker" — {worker is not a placeholder; only {worker} and {farm} are replaced"#,
    ),
    (
        r#"user = "bc1q.{worker}""#,
        r#"user = "bc1q worker""#,
        r#"farm.toml:10: pool[1].user = "bc1q worker" — has spaces or letters outside plain ASCII; check what was pasted"#,
    ),
    (
        r#"user = "bc1q.{worker}""#,
        r#"user = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa""#,
        r#"farm.toml:10: pool[1].user = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa… — 121 characters long; use at most 120"#,
    ),
    (
        r#"user = "bc1q.{worker}""#,
        r#"user = """#,
        r#"farm.toml:10: pool[1].user = "" — empty; write it, or remove the line"#,
    ),
    (
        "",
        "password = 12\n",
        "farm.toml:11: pool[1].password — a number where a text is wanted; write it between two straight quotes",
    ),
    (
        "",
        "fee = 1\n",
        "farm.toml:11: pool[1].fee = 1 — out of range; write 1 % as 0.01; it must be 0 or more and less than 1",
    ),
    (
        "",
        "fee = \"1%\"\n",
        r#"farm.toml:11: pool[1].fee = "1%" — a text where a plain number is wanted; write 1 % as 0.01; it must be 0 or more and less than 1"#,
    ),
    (
        "",
        "fee = .5\n",
        "farm.toml:11: pool[1].fee = .5 — not a number; write it like 0.5 or 15",
    ),
    (
        "",
        "workers = \"all\"\n",
        r#"farm.toml:11: pool[1].workers = "all" — not one of the known words; use "each" or "login""#,
    ),
    (
        "",
        "extensions = \"no\"\n",
        r#"farm.toml:11: pool[1].extensions = "no" — a text where true or false is wanted; write true or false, without quotes"#,
    ),
    (
        "",
        "extensions = False\n",
        "farm.toml:11: pool[1].extensions = False — true and false are written in lower case; write true or false",
    ),
    (
        "",
        "agent = \"café\"\n",
        r#"farm.toml:11: pool[1].agent = "café" — has control characters or letters outside plain ASCII; check what was pasted"#,
    ),
    (
        "",
        "[[pool]]\nid = \"solo\"\nalgorithm = \"sha256d\"\ncoin = \"BTC\"\nurl = \"stratum+tcp://10.0.0.3:3333\"\nuser = \"x\"\n",
        r#"farm.toml:12: pool[2].id = "solo" — pool[1] has this id already (line 6); give each pool of an algorithm its own id"#,
    ),
    (
        "",
        "[[account]]\nuser = \"x\"\n",
        r#"farm.toml:11: account[1] — neither coin nor pool; add coin = "BTC", or pool = "the-pool-id""#,
    ),
    (
        "",
        "[[account]]\ncoin = \"BTC\"\npool = \"solo\"\nuser = \"x\"\n",
        r#"farm.toml:13: account[1].pool = "solo" — coin stands here too; keep one of the two; write a second [[account]] for the other"#,
    ),
    (
        "",
        "[[account]]\ncoin = \"BTC\"\n",
        r#"farm.toml:11: account[1].user — missing; add a line user = "your-payout-address.{worker}""#,
    ),
    (
        "",
        "[[account]]\ncoin = \"BTC\"\nuser = \"x\"\n[[account]]\ncoin = \"btc\"\nuser = \"y\"\n",
        r#"farm.toml:15: account[2].coin = "btc" — has an account already (line 12); remove one of the two"#,
    ),
    (
        "",
        "[central]\n",
        "farm.toml:11: central.url — missing; add a line url = \"https://central.example.com\"\nfarm.toml:11: central.token — missing; add a line token = \"...\" as central gave it\nfarm.toml:11: central.public_key — missing; add a line public_key = \"...\" as central gave it",
    ),
    (
        "",
        "[central]\nurl = \"central.example.com\"\ntoken = \"se cret\"\npublic_key = \"AAAA\"\n",
        "farm.toml:12: central.url = \"central.example.com\" — not a web address; write it as \"https://central.example.com\"\nfarm.toml:13: central.token — has spaces or letters outside plain ASCII; check what was pasted\nfarm.toml:14: central.public_key = \"AAAA\" — key has 3 bytes, an Ed25519 key has 32; copy it again from central",
    ),
    (
        "",
        "[central]\nurl = \"https://u:p@central.example.com\"\ntoken = secret\npublic_key = \"iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=\"\n",
        "farm.toml:12: central.url = \"https://(hidden)@central.example.com\" — has a user, a query or a fragment in it; write it as \"https://central.example.com\"\nfarm.toml:13: central.token — a text must stand between two straight quotes; put the value between two straight quotes (\")",
    ),
    (
        "",
        "[central]\nurl = \"https://central.example.com\"\ntokn = \"secret\"\npublic_key = 5\n",
        "farm.toml:11: central.token — missing; add a line token = \"...\" as central gave it\nfarm.toml:13: central.tokn — unknown key; did you mean token?\nfarm.toml:14: central.public_key = 5 — a number where a text is wanted; write it between two straight quotes",
    ),
    (
        "",
        "[store]\npath = \"\"\n",
        r#"farm.toml:12: store.path = "" — not a file's name; write it as "farm.sqlite""#,
    ),
    (
        "",
        "[store]\npath = \"C:\\farm.sqlite\"\n",
        "farm.toml:12: store.path = \"C:\\farm.sqlite\" — not a file's name; write it as \"farm.sqlite\"",
    ),
    (
        "",
        "[access]\nallow = [\"192.168.1.0/16\"]\n",
        r#"farm.toml:12: access.allow = ["192.168.1.0/16"] — "192.168.1.0/16" has bits after its prefix; write it as "192.168.0.0/16""#,
    ),
    (
        "",
        "[access]\nallow = [\"192.168.0.0/33\", 5, \"lan\"]\n",
        r#"farm.toml:12: access.allow = ["192.168.0.0/33", 5, "lan"] — "192.168.0.0/33" has a prefix beyond /32, and a number where a text is wanted, and "lan" is not a network; write it as "192.168.0.0/16", and write it like ["192.168.0.0/16"]"#,
    ),
    (
        "",
        "[access]\nallow = []\n",
        r#"farm.toml:12: access.allow = [] — nobody could connect; write it like ["192.168.0.0/16"]"#,
    ),
    (
        "",
        "[access]\nallow = \"192.168.0.0/16\"\n",
        r#"farm.toml:12: access.allow = "192.168.0.0/16" — a text where a list is wanted; write it like ["192.168.0.0/16"]"#,
    ),
    (
        "",
        "[access]\nallow = [\"10.0.0.0/8\", \"192.168.0.0/16\"\n",
        r#"farm.toml:12: access.allow = ["10.0.0.0/8", "192.168.0.0/16" — the list is not complete; write it like ["10.0.0.0/8", "192.168.0.0/16"]"#,
    ),
    (
        "",
        "[status]\nbind = \"8080\"\n",
        r#"farm.toml:12: status.bind = "8080" — not an address; write it as "127.0.0.1:8080""#,
    ),
    (
        "",
        "[status]\nbind = \"127.0.0.1:3333\"\n",
        "farm.toml:3: listener[1].bind — the status page has the default port 3333 already; give each a port of its own",
    ),
    (
        "",
        "status = \"127.0.0.1:8080\"\n",
        "farm.toml:11: pool[1].status — unknown key; remove it (known here: id, algorithm, coin, url, tls_pin, user, password, fee, agent, workers, extensions)",
    ),
    (
        "[farm]",
        "status = \"127.0.0.1:8080\"\n[farm]",
        r#"farm.toml:1: status = "127.0.0.1:8080" — a text where a section is wanted; write it as a section: [status] on a line of its own, its keys below"#,
    ),
    (
        "",
        "[routing]\nsame_coin_percent = 101\nother_coin_percent = \"5%\"\nminimum_dwell_seconds = -1\nconfirmations = 0\nreturn_after_seconds = 100000\n",
        "farm.toml:12: routing.same_coin_percent = 101 — out of range; write a number from 0 to 50, without quotes or %\nfarm.toml:13: routing.other_coin_percent = \"5%\" — a text where a plain number is wanted; write a number from 0 to 50, without quotes or %\nfarm.toml:14: routing.minimum_dwell_seconds = -1 — out of range; write a whole number from 0 to 86400, without quotes\nfarm.toml:15: routing.confirmations = 0 — out of range; write a whole number from 1 to 10, without quotes\nfarm.toml:16: routing.return_after_seconds = 100000 — out of range; write a whole number from 0 to 86400, without quotes",
    ),
];

#[test]
fn all_mistakes_of_a_file_are_found_in_one_run() {
    let text = "\u{feff}[farm]\r\nname = barn\r\ncolour = \"red\"\r\n[[listener]]\r\nalgorithm = \"sha256d\"\r\n\
                bind = \"0.0.0.0:99999\"\r\nbind = \"0.0.0.0:3333\"\r\n[pool\r\nid = \"a b\"\r\nurl: \"x\"\r\n";
    let expected = [
        r#"farm.toml:2: farm.name = barn — a text must stand between two straight quotes; write it as name = "barn""#,
        "farm.toml:3: farm.colour — unknown key; remove it (known here: name)",
        r#"farm.toml:6: listener[1].bind = "0.0.0.0:99999" — not an address; write it as "0.0.0.0:3333""#,
        r#"farm.toml:7: listener[1].bind = "0.0.0.0:3333" — this key stands twice in its section; remove one of the two lines"#,
        "farm.toml:8: [pool — the section's bracket is not closed; write it like [farm] or [[listener]]",
        "farm.toml:8: pool — there can be several of this section; write it as [[pool]], with two brackets on each side",
        r#"farm.toml:8: pool[1].algorithm — missing; add a line algorithm = "sha256d""#,
        r#"farm.toml:8: pool[1].coin — missing; add a line coin = "BTC""#,
        r#"farm.toml:9: pool[1].id = "a b" — not a name; use 1 to 63 of the characters A-Z a-z 0-9 . _ -"#,
        r#"farm.toml:10: url: "x" — a key without =; write it like key = "value""#,
    ];
    assert_eq!(problems(text), expected.join("\n"));
}

#[test]
fn a_problem_has_a_line_and_a_column() {
    let found = Config::parse(&small("id = \"solo\"", "id   = 5")).expect_err("a mistake");
    let problem = &found.list[0];
    assert_eq!((problem.line, problem.column), (6, 8));
    assert_eq!(problem.key, "pool[1].id");
    assert_eq!(problem.value.as_deref(), Some("5"));
}

#[test]
fn the_example_file_is_valid() {
    let config = Config::parse(EXAMPLE).unwrap_or_else(|problems| panic!("{problems}"));
    let text = config.central.as_ref().map(|c| c.public_key.to_string());
    let key = SecretKey::from_bytes(&[1; 32]).public().to_string();
    assert_eq!(text.as_deref(), Some(key.as_str()));
    assert_eq!(config.routing, Routing::default());
    assert_eq!(config.listeners.len(), 2);
    let ltc = &config.pools[1];
    assert_eq!(
        ltc.user.as_str(),
        config
            .account("any", "LTC")
            .expect("an account")
            .user
            .as_str()
    );
    assert_eq!(
        (ltc.workers, ltc.extensions, ltc.fee),
        (Workers::Login, false, Some(0.01))
    );
}

#[test]
fn the_documentation_s_small_file_is_valid_and_names_every_key() {
    let page = include_str!("../docs/farm-toml.md");
    let (_, small) = page.split_once("## A small file").expect("the heading");
    let small: String = small
        .lines()
        .map(|line| format!("{}\n", line.trim_start()))
        .collect();
    assert_eq!(problems(&small), "");
    // The refusal of an unknown key lists the known ones of its section.
    let odd: String = [
        "farm", "central", "store", "workers", "access", "status", "operator", "network", "pair",
        "ssh", "routing",
    ]
    .map(|name| format!("[{name}]\nqqqqqqqqqqqqq = 1\n"))
    .concat();
    let lists = ["listener", "account", "pool", "worker"]
        .map(|name| format!("[[{name}]]\nqqqqqqqqqqqqq = 1\n"));
    let refusals = problems(&format!("{odd}{}", lists.concat()));
    let known = refusals
        .lines()
        .filter_map(|line| line.split_once("(known here: "));
    let mut count = 0;
    for key in known.flat_map(|(_, keys)| keys.trim_end_matches(')').split(", ")) {
        assert!(
            page.contains(&format!("| `{key}` |")),
            "{key} is not documented"
        );
        count += 1;
    }
    assert_eq!(count, 50);
}

#[test]
fn a_pin_is_read_as_openssl_prints_it() {
    let digits = "AB:".repeat(31) + "ab";
    for text in [
        digits.clone(),
        digits.replace(':', ""),
        format!("sha256 Fingerprint={digits}"),
    ] {
        let pool = format!("url = \"stratum+tls://10.0.0.2:443\"\ntls_pin = \"{text}\"");
        let text = small("url = \"stratum+tcp://10.0.0.2:3333\"", &pool);
        let config = Config::parse(&text).expect("no mistake");
        assert_eq!(config.pools[0].tls_pin, Some([0xab; 32]));
        assert!(config.pools[0].url.tls);
    }
}

#[test]
fn certificates_are_beside_the_file_and_workers_arrive() {
    let more = "certificate = \"barn.crt\"\nkey = \"keys/barn.key\"\n";
    let text = small(
        "algorithm = \"sha256d\"\n",
        &format!("algorithm = \"sha256d\"\n{more}"),
    );
    let text = format!("{text}[workers]\nmode = \"list\"\n[[worker]]\nname = \"rig\"\n");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("farm.toml");
    std::fs::write(&path, text).expect("written");
    let config = Config::load(&path).expect("no mistake");
    let own = config.listeners[0].certificate.as_ref().expect("read");
    assert_eq!(own.certificate, folder.path().join("barn.crt"));
    assert_eq!(own.key, folder.path().join("keys/barn.key"));
    assert_eq!(config.admissions.workers[0].name, "rig");
}

const CONTRACT: &str = r#"
[farm]
name = "north-barn"
[central]
url = "http://10.1.2.3:8080/"
token = "hunter2"
public_key = "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w="
[store]
path = "data/farm.sqlite"
[[listener]]
algorithm = "sha256d"
bind = "0.0.0.0:3333"
[[account]]
coin = "BTC"
user = "bc1q.{worker}"
[[pool]]
id = "barn-solo"
algorithm = "sha256d"
coin = "BTC"
url = "stratum+tcp://192.168.1.20:3333"
user = "bc1qsolo.{farm}-{worker}"
password = "hunter3"
[access]
allow = ["127.0.0.0/8", "192.168.0.0/16"]
[status]
bind = "127.0.0.1:8080"
"#;

#[test]
fn every_section_arrives() {
    let config = Config::parse(CONTRACT).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.farm.name, "north-barn");
    let central = config.central.as_ref().expect("the section");
    assert_eq!(
        (central.url.as_str(), central.token.expose()),
        ("http://10.1.2.3:8080", "hunter2")
    );
    assert_eq!(config.store.path, Path::new("data/farm.sqlite"));
    let listener = config.listener(Algorithm::Sha256d).expect("a listener");
    assert_eq!(listener.bind.to_string(), "0.0.0.0:3333");
    assert_eq!(
        (listener.max_miners, listener.handshake),
        (1024, Duration::from_secs(15))
    );
    assert_eq!(listener.extranonce, Manner::Constant);
    assert!(config.listener(Algorithm::Scrypt).is_none());
    assert_eq!(config.accounts[0].target, AccountTarget::Coin("BTC".into()));
    assert_eq!(config.accounts[0].password.expose(), "x");
    let pool = &config.pools[0];
    assert_eq!(pool.url.to_string(), "stratum+tcp://192.168.1.20:3333");
    assert_eq!(
        pool.user.render("north-barn", "s19"),
        "bc1qsolo.north-barn-s19"
    );
    assert_eq!(pool.password.expose(), "hunter3");
    assert_eq!(
        (pool.workers, pool.extensions, pool.fee),
        (Workers::Each, true, None)
    );
    assert_eq!(config.access.len(), 2);
    assert_eq!(config.status.bind.to_string(), "127.0.0.1:8080");
}

#[test]
fn what_is_left_out_has_a_default() {
    let config = Config::parse(SMALL).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(config.central.is_none());
    assert_eq!(config.store.path, Path::new("farm.sqlite"));
    assert_eq!(config.listeners[0].bind.to_string(), "0.0.0.0:3333");
    assert_eq!(config.status.bind.to_string(), "127.0.0.1:8080");
    assert_eq!(config.access, Network::private());
    assert_eq!(config.routing.minimum_dwell, Duration::from_secs(900));
}

#[test]
fn an_account_for_the_pool_goes_before_one_for_the_coin() {
    let accounts = "[[account]]\ncoin = \"btc\"\nuser = \"by-coin\"\n\
                    [[account]]\npool = \"solo\"\nuser = \"by-pool\"\npassword = \"d=1\"\n";
    let text = small("user = \"bc1q.{worker}\"\n", accounts);
    let config = Config::parse(&text).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.pools[0].user.as_str(), "by-pool");
    assert_eq!(config.pools[0].password.expose(), "d=1");
    let user = |pool: &str, coin: &str| config.account(pool, coin).map(|a| a.user.as_str());
    assert_eq!(user("other", "BTC"), Some("by-coin"));
    assert_eq!(user("other", "LTC"), None);
}

#[test]
fn secrets_are_never_shown() {
    let config = Config::parse(CONTRACT).unwrap_or_else(|problems| panic!("{problems}"));
    let shown = format!("{config:?} {}", config.pools[0].password);
    assert!(!shown.contains("hunter"), "{shown}");
}

#[test]
fn a_worker_cannot_write_a_placeholder() {
    let config = Config::parse(CONTRACT).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.accounts[0].user.render("f", "{farm}"), "bc1q.{farm}");
    assert!(config.accounts[0].user.names_worker());
}

#[test]
fn a_network_contains_the_ipv4_peers_of_a_dual_stack_socket() {
    let contains = |network: &str, peer: &str| {
        let peer: IpAddr = peer.parse().expect("an address");
        Network::parse(network).expect("a network").contains(peer)
    };
    assert!(contains("192.168.0.0/16", "192.168.255.1"));
    assert!(contains("192.168.0.0/16", "::ffff:192.168.1.1"));
    assert!(contains("::ffff:192.168.0.0/112", "192.168.1.1"));
    assert!(!contains("192.168.0.0/16", "192.169.0.1"));
    assert!(contains("0.0.0.0/0", "8.8.8.8") && !contains("0.0.0.0/0", "::1"));
    assert!(contains("fe80::/10", "febf::1") && !contains("fe80::/10", "fec0::1"));
    assert!(contains("10.0.0.7", "10.0.0.7") && !contains("10.0.0.7", "10.0.0.8"));
    assert!(contains("::/0", "2001:db8::1") && contains("::1", "::1"));
    let private = |peer: &str| {
        let peer: IpAddr = peer.parse().expect("an address");
        Network::private()
            .iter()
            .any(|network| network.contains(peer))
    };
    let lan = [
        "127.0.0.1",
        "10.9.9.9",
        "172.31.0.1",
        "192.168.7.7",
        "169.254.1.1",
        "::1",
        "fe80::1",
        "fd00::1",
    ];
    assert!(lan.iter().all(|peer| private(peer)));
    let internet = ["8.8.8.8", "172.32.0.1", "2001:db8::1", "::ffff:8.8.8.8"];
    assert!(!internet.iter().any(|peer| private(peer)));
}

#[test]
fn a_listener_for_the_x16r_family_has_a_port_of_its_own() {
    for name in ["x16r", "X16Rv2"] {
        let text = format!(
            "[farm]\nname = \"barn\"\n[[listener]]\nalgorithm = \"{name}\"\n[[pool]]\nid = \"solo\"\nalgorithm = \"x16r\"\ncoin = \"XYZ\"\nurl = \"stratum+tcp://10.0.0.3:3636\"\nuser = \"x\"\n"
        );
        let config = Config::parse(&text).unwrap_or_else(|problems| panic!("{problems}"));
        let listener = config.listener(Algorithm::X16r).expect("a listener");
        assert_eq!(listener.bind.port(), 3340);
    }
}

#[test]
fn a_file_is_read_with_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("farm.toml");
    std::fs::write(&file, CONTRACT).expect("written");
    let config = Config::load(&file).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.store.path, folder.path().join("data/farm.sqlite"));
}

#[test]
fn a_file_that_is_no_text_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("farm.toml");
    let name = file.display();
    let found = |bytes: &[u8]| {
        std::fs::write(&file, bytes).expect("written");
        Config::load(&file).expect_err("no farm.toml").to_string()
    };
    assert_eq!(
        found(b"\xff\xfe[\0f\0"),
        format!("{name}:1: is saved as UTF-16; save it as UTF-8")
    );
    assert_eq!(
        found(b"[farm]\nname = \"\xe9\""),
        format!("{name}:2: a character is not UTF-8; save the file as UTF-8")
    );
    let big = vec![b'#'; 300_000];
    assert_eq!(
        found(&big),
        format!("{name}: has 300000 bytes, which no farm.toml has; check which file this is")
    );
    let absent = Config::load(Path::new("/nonexistent/farm.toml")).expect_err("nothing there");
    assert!(
        absent
            .to_string()
            .starts_with("/nonexistent/farm.toml: cannot be read ("),
        "{absent}"
    );
}

/// What a hand on a keyboard does to a file.
fn mutate(text: &str, edits: &[(usize, u8, char)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for &(at, kind, c) in edits {
        let at = at % chars.len().max(1);
        match kind % 4 {
            0 => chars.insert(at.min(chars.len()), c),
            1 if !chars.is_empty() => drop(chars.remove(at)),
            2 if !chars.is_empty() => chars[at] = c,
            _ => chars.truncate(chars.len().saturating_sub(at % 40)),
        }
    }
    chars.into_iter().collect()
}

fn keyboard() -> impl Strategy<Value = char> {
    prop_oneof![
        prop::sample::select(
            "[]{}=\"'#.,\n\r\t\\-_+0159aex \u{feff}“é\0"
                .chars()
                .collect::<Vec<_>>()
        ),
        any::<char>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mistyped_file_never_panics_and_always_says_where(
        edits in prop::collection::vec((any::<usize>(), any::<u8>(), keyboard()), 0..12),
    ) {
        let text = mutate(EXAMPLE, &edits);
        if let Err(problems) = Config::parse(&text) {
            prop_assert!(!problems.list.is_empty());
            let lines = text.matches('\n').count() + 1;
            for problem in &problems.list {
                prop_assert!(problem.line >= 1 && problem.line <= lines, "{problems}\nin\n{text}");
                prop_assert!(!problem.remedy.is_empty());
            }
            prop_assert!(!problems.to_string().contains('\0'));
        }
    }

    #[test]
    fn one_slip_shows_no_secret(edit in (any::<usize>(), 0u8..3, keyboard())) {
        let text = mutate(CONTRACT, &[edit]);
        if let Err(problems) = Config::parse(&text) {
            let shown = problems.to_string();
            prop_assert!(!shown.contains("unter2") && !shown.contains("unter3"), "{shown}");
        }
    }

    #[test]
    fn any_text_is_refused_or_read(text in any::<String>()) {
        let _ = Config::parse(&text);
    }
}
