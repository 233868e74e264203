//! A technician edits farm.toml on the card, and puts the card in. A folder stands
//! for the FAT partition, another one for the appliance's own; the shipped binary
//! does the rest.

use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

struct Appliance {
    root: tempfile::TempDir,
}

impl Appliance {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        for folder in ["card", "data"] {
            fs::create_dir(root.path().join(folder)).expect("a folder");
        }
        Self { root }
    }

    fn card(&self, name: &str) -> PathBuf {
        self.root.path().join("card").join(name)
    }

    fn data(&self, name: &str) -> PathBuf {
        self.root.path().join("data").join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.card(name), bytes).expect("written");
    }

    /// It starts, with the card in it.
    fn start(&self) -> Output {
        Command::new(env!("CARGO_BIN_EXE_smart-mining-proxy"))
            .arg("provision")
            .args([self.card(""), self.data("")])
            .arg("--device")
            .arg(self.root.path().join("device"))
            .output()
            .expect("the binary runs")
    }

    fn started(&self, says: &str) {
        let output = self.start();
        let said = text(&output.stdout);
        assert!(said.contains(says), "{said}{}", text(&output.stderr));
    }

    fn in_force(&self) -> Option<String> {
        fs::read_to_string(self.data("farm.toml")).ok()
    }

    /// What the system is told.
    fn device(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.root.path().join("device").join(name)).ok()
    }

    fn on_card(&self) -> String {
        read(&self.card("farm.toml"))
    }

    fn status_txt(&self) -> String {
        read(&self.card("STATUS.TXT"))
    }

    fn report(&self) -> Value {
        serde_json::from_str(&read(&self.data("provisioning.json"))).expect("JSON")
    }

    /// Everything on the card, with the time it was written at.
    fn card_content(&self) -> Vec<(String, std::time::SystemTime)> {
        let entries = fs::read_dir(self.card("")).expect("a folder");
        let mut list: Vec<_> = entries
            .map(|entry| {
                let entry = entry.expect("an entry");
                let written = entry.metadata().and_then(|it| it.modified());
                (
                    entry.file_name().to_string_lossy().into_owned(),
                    written.expect("a time"),
                )
            })
            .collect();
        list.sort();
        list
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

const FARM: &str = r#"[farm]
name = "barn"
[[listener]]
algorithm = "sha256d"
[[account]]
coin = "BTC"
user = "bc1qme.{worker}"
password = "hunter2"
[[pool]]
id = "solo"
algorithm = "sha256d"
coin = "BTC"
url = "stratum+tcp://127.0.0.1:3333"
"#;

#[test]
fn a_good_file_is_in_force_and_its_secrets_leave_the_card() {
    let appliance = Appliance::new();
    appliance.write("farm.toml", FARM);
    appliance.started("is in force now");
    assert_eq!(
        appliance.in_force().map(|kept| kept.contains("hunter2")),
        Some(true)
    );
    let mode = fs::metadata(appliance.data("farm.toml")).expect("there");
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    assert!(!appliance.on_card().contains("hunter2"));
    assert!(appliance.on_card().contains("kept-on-the-appliance"));
    assert!(
        appliance
            .status_txt()
            .contains("no mistake and is in force")
    );
    // From then on a start leaves the card as it is.
    let before = appliance.card_content();
    let kept = appliance.in_force();
    for _ in 0..2 {
        appliance.started("was in force already");
    }
    assert_eq!(
        appliance.card_content(),
        before,
        "each write wears the card"
    );
    assert_eq!(appliance.in_force(), kept);
}

#[test]
fn a_later_change_keeps_the_secret_that_was_not_written_again() {
    let appliance = Appliance::new();
    appliance.write("farm.toml", FARM);
    appliance.started("is in force now");
    let edited = appliance.on_card().replace("\"barn\"", "\"north\"");
    appliance.write("farm.toml", &edited);
    appliance.started("is in force now");
    let kept = appliance.in_force().expect("there");
    assert!(kept.contains("\"north\"") && kept.contains("hunter2"));
    let other = appliance
        .on_card()
        .replace("kept-on-the-appliance", "new-secret");
    appliance.write("farm.toml", other);
    appliance.started("is in force now");
    assert!(appliance.in_force().expect("there").contains("new-secret"));
    assert!(!appliance.on_card().contains("new-secret"));
}

#[test]
fn a_mistake_changes_nothing_and_is_told_with_its_line_and_remedy() {
    let appliance = Appliance::new();
    appliance.write("farm.toml", FARM);
    appliance.started("is in force now");
    let kept = appliance.in_force();
    // What is written on the card, what the technician reads on it.
    let spoiled = |from: &str, to: &str| appliance.on_card().replace(from, to).into_bytes();
    let table: Vec<(Vec<u8>, &str)> = vec![
        (
            spoiled("\"sha256d\"\n[[account", "\"sha257\"\n[[account"),
            "farm.toml:4: listener[1].algorithm = \"sha257\"",
        ),
        (
            spoiled("name = \"barn\"", "name = barn"),
            "farm.toml:2: farm.name = barn",
        ),
        (spoiled("[[account]]", "[[acount]]"), "acount"),
        (
            spoiled("coin = \"BTC\"\nuser", "coin = \"LTC\"\nuser"),
            "account[coin = LTC].password = \"kept-on-the-appliance\" — this appliance keeps nothing",
        ),
        (
            spoiled("[[pool]]", "pasword = \"topsecret\"\n[[pool]]"),
            "pasword",
        ),
        (Vec::new(), "[farm]"),
        (vec![b'#'; 300_000], "longer than any farm.toml"),
        (
            FARM.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "UTF-8",
        ),
        (b"\xff\xfe[\0f\0a\0r\0m\0]\0".to_vec(), "UTF-16"),
    ];
    for (bytes, message) in table {
        appliance.write("farm.toml", &bytes);
        let output = appliance.start();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(text(&output.stdout).contains("the last good one stays in force"));
        let told = appliance.status_txt();
        assert!(told.contains(message), "{message} in {told}");
        assert!(told.contains("was NOT taken") && !told.contains("topsecret"));
        assert_eq!(appliance.in_force(), kept, "{message}");
        let on_card = fs::read(appliance.card("farm.toml")).expect("there");
        assert_eq!(on_card, bytes, "a refused file is the technician's to mend");
        assert_eq!(appliance.report()["outcome"], "refused");
        assert_eq!(appliance.report()["in_force"], true);
    }
    appliance.write("farm.toml", FARM);
    appliance.started("was in force already");
    assert!(appliance.status_txt().contains("is in force."));
}

#[test]
fn windows_may_have_touched_it() {
    let windows = format!("\u{feff}{}", FARM.replace('\n', "\r\n"));
    for name in ["farm.toml", "FARM.TOML", "farm.toml.txt", "Farm.txt"] {
        let appliance = Appliance::new();
        appliance.write(name, &windows);
        appliance.started("is in force now");
        let on_card = read(&appliance.card(name));
        assert!(on_card.contains("kept-on-the-appliance\"\r\n"), "{on_card}");
        assert!(appliance.status_txt().contains("\r\n"));
        appliance.started("was in force already");
    }
}

#[test]
fn two_files_are_not_guessed_at() {
    let appliance = Appliance::new();
    appliance.write("farm.toml", FARM);
    appliance.write("farm.toml.txt", FARM);
    assert_eq!(appliance.start().status.code(), Some(2));
    let told = appliance.status_txt();
    assert!(told.contains("farm.toml and farm.toml.txt"), "{told}");
    assert!(told.contains("has no farm.toml yet"), "{told}");
    assert_eq!(appliance.in_force(), None);
}

#[test]
fn without_a_file_the_last_good_one_goes_on() {
    let appliance = Appliance::new();
    assert_eq!(appliance.start().status.code(), Some(2));
    assert!(appliance.status_txt().contains("serves no miner"));
    appliance.write("farm.toml", FARM);
    appliance.started("is in force now");
    fs::remove_file(appliance.card("farm.toml")).expect("there");
    let output = appliance.start();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        appliance
            .status_txt()
            .contains("goes on with the farm.toml")
    );
    assert!(appliance.in_force().is_some());
}

#[test]
fn a_power_cut_while_the_card_is_written_loses_nothing() {
    let appliance = Appliance::new();
    appliance.write("farm.toml", FARM);
    appliance.started("is in force now");
    let hidden = appliance.on_card();
    // The old name is gone, the new one is not there yet.
    fs::rename(appliance.card("farm.toml"), appliance.card("farm.toml.new")).expect("there");
    appliance.started("was in force already");
    // Or the new file is half of one, beside the old.
    appliance.write("farm.toml", &hidden);
    appliance.write("farm.toml.new", &hidden[..20]);
    appliance.started("was in force already");
    assert_eq!(appliance.on_card(), hidden);
}

#[test]
fn a_certificate_comes_with_the_card_and_is_checked_with_its_key() {
    let appliance = Appliance::new();
    let named = FARM.replace(
        "[[account]]",
        "certificate = \"barn.crt\"\nkey = \"barn.key\"\n[[account]]",
    );
    appliance.write("farm.toml", &named);
    appliance.write("barn.crt", "no certificate");
    assert_eq!(appliance.start().status.code(), Some(2));
    assert!(appliance.status_txt().contains("certificate"));
    assert_eq!(appliance.in_force(), None);
    let made = rcgen::generate_simple_self_signed(["barn".to_owned()]).expect("made");
    appliance.write("barn.crt", made.cert.pem());
    appliance.write("barn.key", made.signing_key.serialize_pem());
    appliance.started("is in force now");
    assert_eq!(
        read(&appliance.data("barn.crt")),
        read(&appliance.card("barn.crt"))
    );
    assert!(read(&appliance.data("barn.key")).contains("PRIVATE KEY"));
    assert!(
        !appliance.card("barn.key").exists(),
        "a key on a card is no secret"
    );
    appliance.started("was in force already");
}

#[test]
fn a_card_that_cannot_be_written_is_said_and_does_no_harm() {
    let appliance = Appliance::new();
    appliance.write("farm.toml", FARM);
    // Root may write anywhere, but not a file where a folder stands.
    for name in ["farm.toml.new", "STATUS.TXT.new"] {
        fs::create_dir(appliance.card(name)).expect("a folder");
        fs::write(appliance.card(name).join("full"), "").expect("written");
    }
    let output = appliance.start();
    assert_eq!(output.status.code(), Some(0));
    assert!(appliance.in_force().is_some());
    let fault = appliance.report()["card_fault"].to_string();
    assert!(fault.contains("cannot be written"), "{fault}");
    assert!(text(&output.stderr).contains("secrets may still stand on the card"));
}

const NETWORK: &str = "[network]\nhostname = \"barn-1\"\naddress = \"192.168.7.20/24\"\n\
    gateway = \"192.168.7.1\"\nwifi_ssid = \"Barn\"\nwifi_password = \"lange genug\"\n\
    wifi_country = \"DE\"\n";

#[test]
fn the_system_is_told_its_name_its_address_and_its_wifi() {
    let appliance = Appliance::new();
    appliance.write("farm.toml", format!("{FARM}{NETWORK}"));
    appliance.started("is in force now");
    assert_eq!(appliance.device("hostname").as_deref(), Some("barn-1\n"));
    let network = appliance.device("10-static.network").expect("written");
    assert!(network.contains("Address=192.168.7.20/24\nGateway=192.168.7.1"));
    let wifi = appliance.device("wpa_supplicant.conf").expect("written");
    assert!(wifi.contains("lange genug"), "{wifi}");
    assert!(!appliance.on_card().contains("lange genug"));
    appliance.started("was in force already");
    assert_eq!(appliance.device("wpa_supplicant.conf"), Some(wifi));
    // A mistake leaves it as it is; taken out, it goes.
    let broken = appliance
        .on_card()
        .replace("192.168.7.1\"", "192.168.8.1\"");
    appliance.write("farm.toml", broken);
    assert_eq!(appliance.start().status.code(), Some(2));
    let told = appliance.status_txt();
    assert!(
        told.contains("network.gateway = \"192.168.8.1\" — not another address in the network"),
        "{told}"
    );
    assert_eq!(appliance.device("10-static.network"), Some(network));
    appliance.write("farm.toml", FARM);
    appliance.started("is in force now");
    for name in [
        "hostname",
        "10-static.network",
        "gateway",
        "wpa_supplicant.conf",
    ] {
        assert_eq!(appliance.device(name), None, "{name}");
    }
}

#[test]
fn what_imager_was_told_helps_also_before_there_is_a_farm_toml() {
    let appliance = Appliance::new();
    appliance.write(
        "rpi-preseed.toml",
        "config_version = 1\n[system]\nhostname = \"from-imager\"\n[user]\nname = \"pi\"\n\
         [wlan]\nssid = \"Imager\"\npassword = \"12345678\"\ncountry = \"AT\"\n",
    );
    appliance.write("farm.toml", "[farm]");
    assert_eq!(appliance.start().status.code(), Some(2));
    assert_eq!(
        appliance.device("hostname").as_deref(),
        Some("from-imager\n")
    );
    let wifi = appliance.device("wpa_supplicant.conf").expect("written");
    assert!(wifi.contains("country=AT"), "{wifi}");
    appliance.write(
        "farm.toml",
        format!("{FARM}[network]\nhostname = \"barn-1\"\n"),
    );
    appliance.started("is in force now");
    assert_eq!(appliance.device("hostname").as_deref(), Some("barn-1\n"));
    assert!(appliance.device("wpa_supplicant.conf").is_some());
}

#[test]
fn nobody_may_log_in_without_a_key_in_the_file() {
    let appliance = Appliance::new();
    appliance.write("farm.toml", FARM);
    appliance.started("is in force now");
    assert_eq!(appliance.device("authorized_keys"), None);
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3kqKCyk1p2HqkW0v0bY0Yv2b0m4XxkzqEo2m3y7nAB me";
    appliance.write("farm.toml", format!("{FARM}[ssh]\nkeys = [\"{key}\"]\n"));
    appliance.started("is in force now");
    assert_eq!(
        appliance.device("authorized_keys"),
        Some(format!("{key}\n"))
    );
    for (bad, message) in [
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "a private key"),
        (
            "command=\\\"sh\\\" ssh-ed25519 AAAA",
            "not a public key of SSH",
        ),
        ("ssh-ed25519 AAAA me", "not a public key of SSH"),
    ] {
        appliance.write("farm.toml", format!("{FARM}[ssh]\nkeys = [\"{bad}\"]\n"));
        assert_eq!(appliance.start().status.code(), Some(2), "{bad}");
        assert!(
            appliance.status_txt().contains(message),
            "{}",
            appliance.status_txt()
        );
    }
    assert_eq!(
        appliance.device("authorized_keys"),
        Some(format!("{key}\n"))
    );
}

/// The page of an appliance without a farm.toml; it ends with the test.
struct Guide {
    process: Child,
    address: SocketAddr,
}

impl Guide {
    fn of(appliance: &Appliance) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_smart-mining-proxy"))
            .arg("guide")
            .arg(appliance.data(""))
            .args(["--bind", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("it says where the page is");
        let address = line.trim().trim_start_matches("the page is at http://");
        let address = address.trim_end_matches('/').parse().expect("an address");
        Self { process, address }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).expect("reached");
        let ask = format!("GET {path} HTTP/1.1\r\nHost: barn\r\nConnection: close\r\n\r\n");
        stream.write_all(ask.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer
    }
}

impl Drop for Guide {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn without_a_farm_toml_in_force_a_page_says_what_is_missing() {
    let appliance = Appliance::new();
    appliance.write("STATUS.TXT", "");
    assert_eq!(appliance.start().status.code(), Some(2));
    let guide = Guide::of(&appliance);
    let page = guide.get("/");
    assert!(page.contains("There is no farm.toml on its card"), "{page}");
    // The next card is better, and not good.
    appliance.write("farm.toml", FARM.replace("sha256d", "<sha257>"));
    assert_eq!(appliance.start().status.code(), Some(2));
    let page = guide.get("/");
    assert!(page.contains("&#60;sha257&#62;"), "{page}");
    assert!(page.contains("use &#34;"), "{page}");
    let status = guide.get("/api/status");
    assert!(
        status.contains("\"state\":\"no configuration\""),
        "{status}"
    );
    assert!(status.contains("\"outcome\":\"refused\""), "{status}");
    assert!(guide.get("/healthz").starts_with("HTTP/1.1 503"));
}

#[test]
fn the_firewall_is_told_the_ports_that_the_file_names() {
    let appliance = Appliance::new();
    appliance.write(
        "farm.toml",
        format!("{FARM}[status]\nbind = \"0.0.0.0:8081\"\n"),
    );
    appliance.started("is in force now");
    let ports = appliance.device("ports").expect("written");
    assert!(ports.lines().any(|port| port == "8081"), "{ports}");
    assert!(ports.lines().any(|port| port == "3333"), "{ports}");
}

#[test]
fn two_appliances_share_an_address_that_is_neither_ones_own() {
    let appliance = Appliance::new();
    let pair = |address: &str, rank: &str| {
        format!("{FARM}{NETWORK}[pair]\naddress = \"{address}\"\nrank = \"{rank}\"\n")
    };
    for (file, says) in [
        (
            pair("192.168.7.20", "first"),
            "pair.address = \"192.168.7.20\" — this appliance's own address",
        ),
        (pair("192.168.7.0", "first"), "not an address of a host"),
        (pair("192.168.7.50", "third"), "use \"first\" or \"second\""),
    ] {
        appliance.write("farm.toml", file);
        assert_eq!(appliance.start().status.code(), Some(2));
        let told = appliance.status_txt();
        assert!(told.contains(says), "{told}");
    }
    appliance.write("farm.toml", pair("192.168.7.50", "second"));
    appliance.started("is in force now");
    assert_eq!(
        appliance.device("pair").as_deref(),
        Some("ADDRESS=192.168.7.50\nRANK=second\n")
    );
}
