//! The world outside as the aggregator sees it: services on loopback that say what a
//! test tells them to, and aggregators to ask them.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Default)]
struct World {
    /// Path without its query to status and body.
    pages: BTreeMap<String, (u16, String)>,
    asked: Vec<String>,
}

/// Binance at `/binance`, WhatToMine at `/whattomine`, Blockchair at `/blockchair`.
pub struct Outside {
    pub address: String,
    world: Arc<Mutex<World>>,
}

pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

impl Outside {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let world = Arc::new(Mutex::new(World::default()));
        let shared = world.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let world = shared.clone();
                thread::spawn(move || answer(stream, &world));
            }
        });
        let outside = Self { address, world };
        outside.prices(&[("BTC", 60_000.0), ("BCH", 500.0)]);
        outside.chains(1.0e14, 0.9e12);
        outside.blockchair(1.0e14);
        outside
    }

    pub fn says(&self, path: &str, status: u16, body: impl Into<String>) {
        let mut world = self.world.lock().expect("whole");
        world.pages.insert(path.into(), (status, body.into()));
    }

    pub fn is_silent(&self, path: &str) {
        self.world.lock().expect("whole").pages.remove(path);
    }

    /// How often a path was asked for.
    pub fn asked(&self, path: &str) -> usize {
        let world = self.world.lock().expect("whole");
        world.asked.iter().filter(|asked| *asked == path).count()
    }

    pub fn prices(&self, prices: &[(&str, f64)]) {
        let rows = prices
            .iter()
            .map(|(coin, usd)| format!(r#"{{"symbol":"{coin}USDT","price":"{usd}"}}"#));
        let rows: Vec<String> = rows.collect();
        self.says(
            "/binance/ticker/price",
            200,
            format!("[{}]", rows.join(",")),
        );
    }

    pub fn chains(&self, btc: f64, bch: f64) {
        let now = now();
        let row = |difficulty: f64, reward: f64| {
            let rate = difficulty * 4_294_967_296.0 / 600.0;
            format!(
                r#"{{"algorithm":"SHA-256","block_time":"600","block_reward":{reward},
                   "difficulty":{difficulty},"nethash":{rate},"timestamp":{now}}}"#
            )
        };
        let body = format!(
            r#"{{"coins":{{"Bitcoin":{},"BitcoinCash":{}}}}}"#,
            row(btc, 3.15),
            row(bch, 3.13)
        );
        self.says("/whattomine/asic.json", 200, body);
        self.says("/whattomine/coins.json", 200, r#"{"coins":{}}"#);
    }

    pub fn blockchair(&self, difficulty: f64) {
        let time = jiff::Timestamp::from_second(now().cast_signed() - 120).expect("a time");
        let time = time.to_string().replace('T', " ").replace('Z', "");
        let body = format!(
            r#"{{"data":{{"difficulty":{difficulty},"hashrate_24h":"{}","blocks_24h":144,
                "inflation_24h":45000000000,"best_block_height":950000,
                "best_block_time":"{time}","market_price_usd":60100}},"context":{{"code":200}}}}"#,
            difficulty * 4_294_967_296.0 / 600.0
        );
        self.says("/blockchair/bitcoin/stats", 200, body);
    }

    /// A configuration of these services, two pools and what else a test wants.
    pub fn config(&self, more: &str) -> String {
        let address = &self.address;
        format!(
            r#"
{more}
[defaults]
sources = "none"
[sources.binance]
url = "{address}/binance"
every = 1
[sources.whattomine]
url = "{address}/whattomine"
[sources.blockchair]
url = "{address}/blockchair"
about = ["BTC"]
[[pools]]
id = "north"
name = "North"
  [[pools.offers]]
  coin = "BTC"
  algorithm = "sha256d"
  url = "stratum+tcp://north.example:3333"
  fee = 0.02
  scheme = "FPPS"
  [[pools.offers]]
  coin = "BCH"
  algorithm = "sha256d"
  url = "stratum+tcp://north.example:3334"
  fee = 0.01
  scheme = "PPLNS"
[[pools]]
id = "south"
name = "South"
  [[pools.offers]]
  coin = "BTC"
  algorithm = "sha256d"
  url = "stratum+tcp://south.example:3333"
  fee = 0.01
  scheme = "FPPS"
"#
        )
    }
}

fn answer(stream: TcpStream, world: &Mutex<World>) {
    let mut reader = BufReader::new(&stream);
    let mut first = String::new();
    if reader.read_line(&mut first).is_err() {
        return;
    }
    let mut length = 0;
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        line.clear();
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default().to_owned();
    let (status, body) = {
        let mut world = world.lock().expect("whole");
        let page = world.pages.get(&path).cloned();
        world.asked.push(path);
        page.unwrap_or((404, "{}".into()))
    };
    let mut out = &stream;
    let _ = write!(
        out,
        "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
}

/// A running aggregator; killed with the test.
pub struct Aggregator {
    process: Child,
}

impl Aggregator {
    pub fn start(mut command: Command) -> Self {
        command.env("RUST_LOG", "info,smart_mining_central=debug");
        let mut process = command.stderr(Stdio::piped()).spawn().expect("started");
        let lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        let id = process.id();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // Shown by the test harness when the test fails.
                println!("aggregator {id}: {line}");
            }
        });
        Self { process }
    }

    pub fn kill(mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("gone");
    }

    /// SIGTERM; answers whether it ended well.
    pub fn stop(mut self) -> bool {
        let kill = format!("kill -TERM {}", self.process.id());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(sent.expect("sh").success());
        self.process.wait().expect("ended").success()
    }
}

impl Drop for Aggregator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
