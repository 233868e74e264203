//! Own nodes as sources, with real ones: a private chain each, on this machine alone,
//! and every figure held against what the node's own calls say.
//!
//! They run where the variables BITCOIND and MONEROD, or else PATH, lead to the
//! programs; `fetch-real-nodes.sh` beside this file fetches both. Without them each
//! test says so and passes.

mod outside;

use outside::Outside;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use smart_mining_central::ask;
use smart_mining_central::source::rpc::{bitcoind::Bitcoind, monerod::Monerod};
use smart_mining_central::source::{Catalog, Decimal, Num, Settings, Source, SourceError};
use smart_mining_central::transport::fetch::{FetchError, client, fetch};
use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const LOGIN: &str = "farm:secret";
/// Of the Monero project, which wants it known: the node pays only what is an address.
const SOMEBODY: &str = "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A";

fn program(variable: &str, name: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    if let Some(path) = named {
        assert!(path.is_file(), "{variable}={} is no file", path.display());
        return Some(path);
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    if found.is_none() {
        println!(
            "SKIPPED: {variable} is not set and there is no {name} in PATH; \
             tests/fetch-real-nodes.sh fetches one"
        );
    }
    found
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.local_addr().expect("bound").port()
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

/// A node that ends with the test.
struct Node {
    child: Child,
    url: String,
    path: &'static str,
    login: Option<&'static str>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it ended");
    }
}

impl Node {
    fn start(
        program: &Path,
        arguments: &[String],
        port: u16,
        (path, login): (&'static str, Option<&'static str>),
    ) -> Self {
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        Self {
            child,
            url: format!("http://127.0.0.1:{port}"),
            path,
            login,
        }
    }

    /// Until it answers this call with a result.
    fn ready(mut self, method: &str) -> Self {
        let started = Instant::now();
        loop {
            let answer = self.try_call(method, &json!([]));
            if answer.is_ok_and(|answer| answer["result"].is_object()) {
                return self;
            }
            let ended = self.child.try_wait().expect("it is ours");
            assert!(ended.is_none(), "the node ended: {ended:?}");
            assert!(started.elapsed() < Duration::from_secs(120), "no answer");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn try_call(&self, method: &str, params: &Value) -> Result<Value, String> {
        let text = self.send(method, params)?;
        serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))
    }

    fn send(&self, method: &str, params: &Value) -> Result<String, String> {
        let body = json!({"jsonrpc": "2.0", "id": 0, "method": method, "params": params});
        let url = format!("{}{}", self.url, self.path);
        let mut request = ureq::post(&url)
            .config()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(300)))
            .build();
        if let Some(login) = self.login {
            use base64::Engine as _;
            let login = base64::engine::general_purpose::STANDARD.encode(login);
            request = request.header("authorization", format!("Basic {login}"));
        }
        let mut answer = request.send(body.to_string()).map_err(|e| e.to_string())?;
        answer
            .body_mut()
            .read_to_string()
            .map_err(|e| e.to_string())
    }

    fn call(&self, method: &str, params: Value) -> Value {
        let answer = self.try_call(method, &params).expect("an answer");
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// A field of a result, with the digits that the node wrote.
    fn number(&self, method: &str, field: &str) -> Decimal {
        let text = self.send(method, &json!([])).expect("an answer");
        let mut answer: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(&text).expect("an object");
        let result = answer.remove("result").expect("a result");
        let fields: BTreeMap<String, &RawValue> =
            serde_json::from_str(result.get()).expect("an object");
        decimal(fields[field].get())
    }

    fn settings(&self, coin: &str, network: Option<&str>) -> Settings {
        let network = network.map(|name| (format!("network.{coin}"), name.to_owned()));
        Settings {
            url: Some(self.url.clone()),
            key: self.login.map(str::to_owned),
            about: vec![coin.to_owned()],
            more: BTreeMap::from_iter(network),
        }
    }
}

/// Each fact that the source told, by all the requests that it came with.
fn told(source: &str, settings: &Settings) -> BTreeMap<String, Vec<Decimal>> {
    let mut out = Vec::new();
    ask::ask(source, settings, &mut out).expect("an answer");
    let mut facts: BTreeMap<String, Vec<Decimal>> = BTreeMap::new();
    for line in String::from_utf8(out).expect("text").lines() {
        let row: Value = serde_json::from_str(line).expect("JSON");
        assert!(
            row.get("at").is_none(),
            "a private chain is true now: {row}"
        );
        let fact = row["fact"].as_str().expect("a fact").to_owned();
        let value = row["value"].as_str().expect("digits");
        facts.entry(fact).or_default().push(decimal(value));
    }
    facts
}

/// The facts and what each has to be; how many told it does not matter.
fn assert_told(source: &str, settings: &Settings, expected: &[(&str, Decimal)]) {
    let mut facts = told(source, settings);
    for (fact, right) in expected {
        let values = facts.remove(*fact).unwrap_or_default();
        assert!(!values.is_empty(), "{source} did not tell {fact}");
        for value in values {
            // A mean has more digits than anybody writes.
            assert_eq!(
                value.with_scale(25),
                right.with_scale(25),
                "{source} {fact}"
            );
        }
    }
    assert!(facts.is_empty(), "{source} told more: {facts:?}");
}

/// What the first question gives.
fn error_of(source: &dyn Source, settings: &Settings) -> SourceError {
    let catalog = Catalog::built_in();
    let request = &source.requests(settings, catalog)[0];
    match fetch(&client(), source, request, catalog, now()) {
        Err(FetchError::Source(error)) => error,
        Err(error @ FetchError::Transport(_)) => panic!("{error}"),
        Ok(parsed) => panic!("it was taken: {parsed:?}"),
    }
}

/// The node is on `is`: whoever expects another network is told both, and nothing else.
fn assert_refused(source: &dyn Source, node: &Node, coin: &str, is: &str) {
    for expected in [None, Some("stagenet"), Some("signet")] {
        let settings = node.settings(coin, expected);
        let words = error_of(source, &settings).to_string();
        let both = words.contains(&format!("{is:?}")) && words.contains(expected.unwrap_or("main"));
        assert!(both, "{words}");
        // No other question gets round it.
        let mut out = Vec::new();
        ask::ask(source.name(), &settings, &mut out).expect_err("nothing to tell");
        assert!(out.is_empty(), "{}", String::from_utf8_lossy(&out));
    }
}

fn decimal(text: &str) -> Decimal {
    Num::of_text(text)
        .0
        .unwrap_or_else(|| panic!("{text:?} is no number"))
}

fn whole(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value} is not whole"))
}

fn mean(values: &[u64], unit: u64) -> Decimal {
    let sum: u64 = values.iter().sum();
    Decimal::from(sum) / Decimal::from(values.len() as u64) / Decimal::from(unit)
}

fn start_bitcoind(program: &Path, folder: &Path, more: &[String]) -> Node {
    let port = free_port();
    let (user, password) = LOGIN.split_once(':').expect("both");
    let mut arguments = vec![
        "-regtest".to_owned(),
        format!("-datadir={}", folder.display()),
        format!("-rpcport={port}"),
        format!("-rpcuser={user}"),
        format!("-rpcpassword={password}"),
        "-listen=0".to_owned(),
        "-connect=0".to_owned(),
        "-fallbackfee=0.0002".to_owned(),
    ];
    arguments.extend_from_slice(more);
    Node::start(program, &arguments, port, ("/", Some(LOGIN))).ready("getblockchaininfo")
}

/// Blocks that pay fees inside and outside of the last 144.
fn fill(node: &Node) {
    node.call("createwallet", json!(["farm"]));
    let address = node.call("getnewaddress", json!([]));
    let mine = |blocks: u32| node.call("generatetoaddress", json!([blocks, address]));
    mine(110);
    for (payments, rest) in [(4, 150), (1, 1), (3, 20), (2, 1)] {
        for payment in 0..payments {
            // Each at another price.
            let rate = 5 + 7 * payment;
            node.call(
                "sendtoaddress",
                json!([
                    address, 0.01, "", "", false, true, null, "unset", null, rate
                ]),
            );
        }
        mine(rest);
    }
}

fn assert_bitcoind_tells(node: &Node) {
    let info = node.call("getblockchaininfo", json!([]));
    let tip = whole(&info["blocks"]);
    assert_eq!(tip, 282);
    let stats = |height: u64| node.call("getblockstats", json!([height]));
    let fees: Vec<u64> = (tip - 143..=tip)
        .map(|height| whole(&stats(height)["totalfee"]))
        .collect();
    let paying = fees.iter().filter(|fee| **fee > 0).count();
    assert_eq!((fees.len(), paying), (144, 3), "{fees:?}");
    let subsidy = mean(&[whole(&stats(tip)["subsidy"])], 100_000_000);
    assert_told(
        "bitcoind",
        &node.settings("BTC", Some("regtest")),
        &[
            ("Difficulty", node.number("getblockchaininfo", "difficulty")),
            ("Height", Decimal::from(tip)),
            ("TipTime", Decimal::from(whole(&info["time"]))),
            (
                "NetworkHashrate",
                node.number("getmininginfo", "networkhashps"),
            ),
            ("Subsidy", subsidy),
            ("FeesPerBlock", mean(&fees, 100_000_000)),
        ],
    );
}

#[test]
fn a_real_bitcoind_is_read_as_it_says_itself() {
    let Some(program) = program("BITCOIND", "bitcoind") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let node = start_bitcoind(&program, folder.path(), &[]);
    // Nobody knows whether a chain without a block is still to come.
    let empty = error_of(&Bitcoind, &node.settings("BTC", Some("regtest")));
    assert!(matches!(empty, SourceError::Syncing(_)), "{empty:?}");
    fill(&node);
    assert_bitcoind_tells(&node);
    assert_refused(&Bitcoind, &node, "BTC", "regtest");
    let stranger = Settings {
        key: Some("farm:wrong".to_owned()),
        ..node.settings("BTC", Some("regtest"))
    };
    let error = error_of(&Bitcoind, &stranger);
    assert!(matches!(error, SourceError::Key(_)), "{error:?}");

    node.call("stop", json!([]));
    let mut node = node;
    node.child.wait().expect("it ends");
    // Three days later it takes itself for one that has to download, for want of a
    // young block; it still has all that there is.
    let later = format!("-mocktime={}", now() + 3 * 86_400);
    let node = start_bitcoind(&program, folder.path(), &[later]);
    let info = node.call("getblockchaininfo", json!([]));
    assert_eq!(info["initialblockdownload"], true);
    assert_bitcoind_tells(&node);
}

fn start_monerod(program: &Path, folder: &Path, more: &[&str]) -> Node {
    let port = free_port();
    let mut arguments = vec![
        "--regtest".to_owned(),
        "--offline".to_owned(),
        "--non-interactive".to_owned(),
        "--no-igd".to_owned(),
        "--no-zmq".to_owned(),
        "--fixed-difficulty=9".to_owned(),
        format!("--data-dir={}", folder.display()),
        format!("--log-file={}", folder.join("log").display()),
        format!("--rpc-bind-port={port}"),
        "--p2p-bind-ip=127.0.0.1".to_owned(),
        format!("--p2p-bind-port={}", free_port()),
    ];
    arguments.extend(more.iter().map(|&one| one.to_owned()));
    Node::start(program, &arguments, port, ("/json_rpc", None))
}

#[test]
fn a_real_monerod_is_read_as_it_says_itself() {
    let Some(program) = program("MONEROD", "monerod") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let node = start_monerod(&program, folder.path(), &[]).ready("get_info");
    let blocks = json!({"amount_of_blocks": 30, "wallet_address": SOMEBODY});
    node.call("generateblocks", blocks);
    let info = node.call("get_info", json!({}));
    assert_eq!(
        (whole(&info["height"]), &info["offline"]),
        (31, &json!(true))
    );
    let header = |height: u64| {
        let answer = node.call("get_block_header_by_height", json!({"height": height}));
        answer["block_header"].clone()
    };
    let rewards: Vec<u64> = (1..=30)
        .map(|height| whole(&header(height)["reward"]))
        .collect();
    assert_ne!(
        rewards[0], rewards[29],
        "an average that could be one block's"
    );
    let tip = header(30);
    assert_told(
        "monerod",
        &node.settings("XMR", Some("fakechain")),
        &[
            ("Difficulty", node.number("get_info", "difficulty")),
            ("Height", Decimal::from(30)),
            ("TipTime", Decimal::from(whole(&tip["timestamp"]))),
            ("BlockReward", mean(&rewards, 1_000_000_000_000)),
        ],
    );
    assert_refused(&Monerod, &node, "XMR", "fakechain");

    drop(node);
    let login = format!("--rpc-login={LOGIN}");
    let node = start_monerod(&program, folder.path(), &[&login]);
    let settings = Settings {
        key: Some(LOGIN.to_owned()),
        ..node.settings("XMR", Some("fakechain"))
    };
    let started = Instant::now();
    // Until it listens there is no answer at all.
    while TcpStream::connect(node.url.trim_start_matches("http://")).is_err() {
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "it never listened"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    let error = error_of(&Monerod, &settings);
    assert!(
        matches!(&error, SourceError::Key(words) if words.contains("Digest") && words.contains("--rpc-restricted-bind-port")),
        "{error:?}"
    );
}

/// What a hash earns on two private chains, from the nodes to the table on the terminal.
#[test]
fn private_chains_are_ranked_by_what_their_nodes_say() {
    let programs = program("BITCOIND", "bitcoind").zip(program("MONEROD", "monerod"));
    let Some((bitcoind, monerod)) = programs else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).expect("made");
        path
    };
    let bitcoin = start_bitcoind(&bitcoind, &place("bitcoin"), &[]);
    fill(&bitcoin);
    let monero = start_monerod(&monerod, &place("monero"), &[]).ready("get_info");
    let blocks = json!({"amount_of_blocks": 30, "wallet_address": SOMEBODY});
    monero.call("generateblocks", blocks);
    let outside = Outside::new();
    outside.prices(&[("BTC", 50_000.0)]);
    outside.says("/coingecko/simple/price", 200, r#"{"monero":{"usd":200}}"#);
    outside.says("/coingecko/coins/markets", 200, "[]");
    let (prices, btc, xmr) = (&outside.address, &bitcoin.url, &monero.url);
    std::fs::write(folder.path().join("password"), "secret").expect("written");
    let config = folder.path().join("aggregator.toml");
    let text = format!(
        r#"
[defaults]
sources = "none"
[sources.binance]
url = "{prices}/binance"
[sources.coingecko]
url = "{prices}/coingecko"
[[nodes]]
kind = "bitcoind"
coin = "BTC"
url = "{btc}"
user = "farm"
password_file = "password"
network = "regtest"
[[nodes]]
kind = "monerod"
coin = "XMR"
url = "{xmr}"
network = "fakechain"
[[pools]]
id = "solo"
name = "Solo"
  [[pools.offers]]
  coin = "BTC"
  algorithm = "sha256d"
  url = "stratum+tcp://127.0.0.1:3333"
  fee = 0.0
  scheme = "FPPS"
  [[pools.offers]]
  coin = "XMR"
  algorithm = "randomx"
  url = "stratum+tcp://127.0.0.1:3334"
  fee = 0.0
  scheme = "PPLNS"
"#
    );
    std::fs::write(&config, text).expect("written");
    let mut once = Command::new(env!("CARGO_BIN_EXE_smart-mining-aggregator"));
    let output = once
        .args(["once", "--dry-run", "--config"])
        .arg(&config)
        .output()
        .expect("started");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let net = |coin: &str| -> f64 {
        let row = shown.lines().find(|line| line.contains(coin));
        let cells: Vec<&str> = row.expect("ranked").split_whitespace().collect();
        cells[3].parse().expect("a number")
    };
    let number = |value: Decimal| value.to_string().parse::<f64>().expect("a number");
    let difficulty = number(bitcoin.number("getblockchaininfo", "difficulty"));
    let height = whole(&bitcoin.call("getblockchaininfo", json!([]))["blocks"]);
    let stats =
        |height: u64| bitcoin.call("getblockstats", json!([height, ["subsidy", "totalfee"]]));
    let fees: u64 = (height.saturating_sub(143).max(1)..=height)
        .map(|height| whole(&stats(height)["totalfee"]))
        .sum();
    let blocks = height.min(144) as f64;
    let reward = (whole(&stats(height)["subsidy"]) as f64 + fees as f64 / blocks) / 1e8;
    let expected = 86_400.0 / (difficulty * 4_294_967_296.0) * reward * 50_000.0;
    assert!(
        (net("BTC") / expected - 1.0).abs() < 1e-5,
        "{expected}: {shown}"
    );
    let rewards: u64 = (1..=30)
        .map(|height| {
            let answer = monero.call("get_block_header_by_height", json!({"height": height}));
            whole(&answer["block_header"]["reward"])
        })
        .sum();
    let difficulty = number(monero.number("get_info", "difficulty"));
    let expected = 86_400.0 / difficulty * (rewards as f64 / 30.0 / 1e12) * 200.0;
    assert!(
        (net("XMR") / expected - 1.0).abs() < 1e-5,
        "{expected}: {shown}"
    );
}
