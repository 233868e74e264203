//! Central as its operator sees it: the two binaries, a database and HTTP.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod request;

use smart_mining_central::testing::PrivatePostgres;
use smart_mining_wire::{Envelope, PublicKey, Snapshot};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const STARTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/starter.json");

pub const OPERATOR: &str = "operator-token-of-a-test";

/// How long a test waits for something that ought to happen soon.
const DEADLINE: Duration = Duration::from_secs(30);

/// A database of a test's own, with a signing key.
pub struct Central {
    pub postgres: Arc<PrivatePostgres>,
    pub database: String,
    folder: TempDir,
    pub public_key: PublicKey,
}

impl Central {
    pub fn new() -> Self {
        Self::on(PrivatePostgres::shared())
    }

    pub fn on(postgres: Arc<PrivatePostgres>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let database = format!("central_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        postgres.create_db(&database);
        let folder = tempfile::tempdir().expect("temporary folder");
        let key = folder.path().join("signing.key");
        let printed = stdout(aggregator().arg("keygen").arg(key).output());
        Self {
            postgres,
            database,
            folder,
            public_key: printed.parse().expect("a public key"),
        }
    }

    pub fn import_command(&self, file: &str) -> Command {
        let mut command = aggregator();
        command
            .args(["import", file])
            .env("DATABASE_URL", self.postgres.url(&self.database))
            .env(
                "SMART_MINING_SIGNING_KEY_FILE",
                self.folder.path().join("signing.key"),
            );
        command
    }

    /// Import a file; answers the sequence that was published.
    pub fn import(&self, file: &str) -> u64 {
        stdout(self.import_command(file).output())
            .parse()
            .expect("a sequence")
    }

    pub fn key_file(&self) -> std::path::PathBuf {
        self.folder.path().join("signing.key")
    }

    pub fn data_file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    }

    pub fn api_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_smart-mining-api"));
        command
            .args(arguments)
            .env("DATABASE_URL", self.postgres.url(&self.database));
        command
    }

    pub fn enrol(&self, farm: &str) -> String {
        stdout(self.api_command(&["enrol", farm]).output())
    }

    pub fn sql(&self, statement: &str) -> String {
        self.postgres.sql(&self.database, statement)
    }

    pub fn open(&self, answer: &Answer) -> Snapshot {
        Envelope::from_json(answer.body.as_bytes())
            .and_then(|envelope| envelope.open(&self.public_key))
            .expect("a snapshot signed by this aggregator")
    }

    pub fn serve(&self) -> Api {
        self.serve_with(&[])
    }

    /// With more arguments; the operator's token is [`OPERATOR`].
    pub fn serve_with(&self, arguments: &[&str]) -> Api {
        let all = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
        let mut command = self.api_command(&all);
        command.env("SMART_MINING_OPERATOR_TOKEN", OPERATOR);
        Api::start(command)
    }
}

pub fn aggregator() -> Command {
    Command::new(env!("CARGO_BIN_EXE_smart-mining-aggregator"))
}

/// What a command that must succeed printed.
pub fn stdout(output: std::io::Result<Output>) -> String {
    let output = output.expect("started");
    assert!(output.status.success(), "{}", stderr(&output));
    String::from_utf8(output.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// One replica of the API.
pub struct Api {
    process: Child,
    pub address: String,
    log: Receiver<String>,
}

impl Api {
    pub fn start(mut command: Command) -> Self {
        // In detail, so that a test can wait for what happens inside.
        command.env("RUST_LOG", "info,smart_mining_central=debug");
        let mut process = command.stderr(Stdio::piped()).spawn().expect("started");
        let lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        let (sender, log) = channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // Shown by the test harness when the test fails.
                println!("api: {line}");
                let _ = sender.send(line);
            }
        });
        let mut api = Self {
            process,
            address: String::new(),
            log,
        };
        let line = api.wait_for_log("listening on http://");
        api.address = line
            .split("listening on ")
            .nth(1)
            .expect("address")
            .to_owned();
        api
    }

    /// The next log line that contains `text`; what stands before it is used up.
    pub fn wait_for_log(&self, text: &str) -> String {
        self.log_until(text).pop().expect("the line itself")
    }

    /// The log up to the next line that contains `text`; it is used up.
    pub fn log_until(&self, text: &str) -> Vec<String> {
        let end = Instant::now() + DEADLINE;
        let mut lines = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.log.recv_timeout(left) {
                Ok(line) => lines.push(line),
                Err(error) => panic!("no log line with {text:?}: {error}"),
            }
            if lines.last().is_some_and(|line| line.contains(text)) {
                return lines;
            }
        }
    }

    pub fn get(&self, path: &str) -> Answer {
        Answer::get(&self.address, path, None)
    }

    pub fn get_as(&self, token: &str, path: &str) -> Answer {
        Answer::get(&self.address, path, Some(token))
    }

    pub fn post(&self, path: &str) -> Answer {
        let agent = agent();
        Answer::read(
            agent
                .post(format!("{}{path}", self.address))
                .send("")
                .expect("an answer"),
        )
    }

    /// A request that goes on while the test does something else.
    pub fn get_later(&self, token: &str, path: &str) -> thread::JoinHandle<(Answer, Instant)> {
        let (address, token, path) = (self.address.clone(), token.to_owned(), path.to_owned());
        thread::spawn(move || {
            let answer = Answer::get(&address, &path, Some(&token));
            (answer, Instant::now())
        })
    }

    pub fn wait_until_ready(&self) {
        eventually("the API is ready", || self.get("/readyz").status == 200);
    }

    pub fn terminate(&self) {
        let kill = format!("kill -TERM {}", self.process.id());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.expect("sh").success());
    }

    pub fn wait_for_exit(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the API has ended", || {
            status = self.process.try_wait().expect("waited");
            status.is_some()
        });
        status.expect("ended")
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub sequence: Option<u64>,
    pub challenge: Option<String>,
    pub body: String,
}

impl Answer {
    fn get(address: &str, path: &str, token: Option<&str>) -> Self {
        let mut request = agent().get(format!("{address}{path}"));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        Self::read(request.call().expect("an answer"))
    }

    fn read(mut response: ureq::http::Response<ureq::Body>) -> Self {
        let header = |name| {
            let value = response.headers().get(name)?;
            Some(value.to_str().expect("text").to_owned())
        };
        Self {
            status: response.status().as_u16(),
            content_type: header("content-type").unwrap_or_default(),
            sequence: header("x-sequence").and_then(|text| text.parse().ok()),
            challenge: header("www-authenticate"),
            body: response.body_mut().read_to_string().expect("text"),
        }
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// Check the form of a problem; answers its detail.
    pub fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.content_type, "application/problem+json");
        let body = self.json();
        assert_eq!(body["status"], status);
        assert!(body["type"].is_string() && body["title"].is_string());
        body["detail"].as_str().expect("a detail").to_owned()
    }
}

/// A new connection for each, so that no answer depends on one before it.
fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(70)))
        .build()
        .into()
}

pub fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !happened() {
        assert!(Instant::now() < end, "not within {DEADLINE:?}: {what}");
        thread::park_timeout(Duration::from_millis(20));
    }
}
