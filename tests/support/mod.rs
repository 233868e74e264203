//! The shipped binary as a child process, on ports and a folder of its own.

#![allow(dead_code, reason = "each test file uses a part")]

pub mod central;
pub mod command;

use serde_json::Value;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const PATIENCE: Duration = Duration::from_secs(20);

/// A port that was free a moment ago. Each is given once, and none is of the range
/// from which the system takes ports by itself: nobody takes it before its user does.
pub fn free_address() -> SocketAddr {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id() % 20_000 * 64;
    for _ in 0..20_000 {
        let offset = (start + GIVEN.fetch_add(1, Ordering::Relaxed)) % 20_000;
        let port = 10_000 + u16::try_from(offset).expect("below 20,000");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no port between 10000 and 29999 is free");
}

/// What a farm.toml of a test says, beside its listeners.
pub struct Farm {
    pub folder: TempDir,
    pub sha256d: SocketAddr,
    pub scrypt: SocketAddr,
    pub status: SocketAddr,
    pub extra: String,
    /// More keys of the sha256d listener.
    listener: String,
    /// Set by an appliance's image.
    environment: Vec<(&'static str, PathBuf)>,
}

impl Farm {
    pub fn new() -> Self {
        Self {
            folder: TempDir::new().expect("a temporary folder"),
            sha256d: free_address(),
            scrypt: free_address(),
            status: free_address(),
            extra: String::new(),
            listener: String::new(),
            environment: Vec::new(),
        }
    }

    /// An appliance that central may update: a `test-board` that runs release 1.0.0.
    pub fn updatable(mut self) -> Self {
        self.environment = vec![
            ("SMART_MINING_BOARD", "test-board".into()),
            ("SMART_MINING_RELEASE", "1.0.0".into()),
            ("SMART_MINING_WANTED", self.folder.path().join("wanted")),
            ("SMART_MINING_OUTCOME", self.folder.path().join("outcome")),
        ];
        self
    }

    /// How much the appliance logs, if not as tests do.
    pub fn log(mut self, level: &str) -> Self {
        self.environment.push(("SMART_MINING_LOG", level.into()));
        self
    }

    /// What the appliance logged.
    pub fn logged(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("appliance.log")).expect("a log")
    }

    /// Add a pool of the farm's own; order is rank.
    pub fn pool(mut self, id: &str, address: SocketAddr, more: &str) -> Self {
        let _ = write!(
            self.extra,
            "[[pool]]\nid = \"{id}\"\nalgorithm = \"sha256d\"\ncoin = \"BTC\"\n\
             url = \"stratum+tcp://{address}\"\nuser = \"farmer.{{worker}}\"\n{more}\n"
        );
        self
    }

    pub fn text(mut self, more: &str) -> Self {
        self.extra.push_str(more);
        self
    }

    pub fn store(&self) -> PathBuf {
        self.folder.path().join("farm.sqlite")
    }

    pub fn write(&self) -> PathBuf {
        let path = self.folder.path().join("farm.toml");
        let scrypt = if self.extra.contains("scrypt") {
            format!(
                "[[listener]]\nalgorithm = \"scrypt\"\nbind = \"{}\"\n",
                self.scrypt
            )
        } else {
            String::new()
        };
        let text = format!(
            "[farm]\nname = \"barn\"\n[store]\npath = \"farm.sqlite\"\n\
             [[listener]]\nalgorithm = \"sha256d\"\nbind = \"{}\"\nhandshake_seconds = 5\n{}\n{scrypt}\
             [status]\nbind = \"{}\"\n{}",
            self.sha256d, self.listener, self.status, self.extra
        );
        std::fs::write(&path, text).expect("the folder can be written");
        path
    }

    /// Start with more keys for the listener.
    pub fn start_with(mut self, listener: &str) -> Appliance {
        self.listener = listener.to_owned();
        self.start()
    }

    pub fn start(self) -> Appliance {
        let config = self.write();
        let child = launch(&config, &self.environment);
        Appliance {
            farm: self,
            config,
            child: Some(child),
        }
    }
}

fn launch(config: &Path, environment: &[(&str, PathBuf)]) -> Child {
    let log = config.with_file_name("appliance.log");
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .expect("a log file");
    Command::new(env!("CARGO_BIN_EXE_smart-mining-proxy"))
        .args(["run", "--config"])
        .arg(config)
        .env_remove("NOTIFY_SOCKET")
        // What it leaves in the folder for temporary files goes with the farm.
        .env("TMPDIR", config.with_file_name("."))
        .env("SMART_MINING_LOG", "debug")
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the binary starts")
}

/// A running appliance. Killed when dropped; its log is shown if the test fails.
pub struct Appliance {
    pub farm: Farm,
    config: PathBuf,
    child: Option<Child>,
}

impl Appliance {
    /// `kill -9`, as a power cut does to a process.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it was running");
            child.wait().expect("it was ours");
        }
    }

    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "it still runs");
        self.child = Some(launch(&self.config, &self.farm.environment));
    }

    /// SIGTERM, and its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        let mut child = self.child.take().expect("it runs");
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("it runs");
        child.wait().expect("it was ours").code()
    }

    pub fn get(&self, path: &str) -> Option<String> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(5)))
            .build()
            .into();
        agent
            .get(format!("http://{}{path}", self.farm.status))
            .call()
            .ok()?
            .body_mut()
            .read_to_string()
            .ok()
    }

    pub fn status(&self) -> Option<Value> {
        serde_json::from_str(&self.get("/api/status")?).ok()
    }

    /// Ask until the status is as wanted. The interval only bounds how often.
    pub async fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let mut again = tokio::time::interval(Duration::from_millis(20));
        loop {
            again.tick().await;
            let status = tokio::task::block_in_place(|| self.status());
            match status {
                Some(status) if wanted(&status) => return status,
                other if Instant::now() > deadline => {
                    panic!("{what}: not within {PATIENCE:?}; the status is {other:#?}")
                }
                Some(_) | None => {}
            }
        }
    }

    /// Wait until the miners of sha256d work for this pool.
    pub async fn on_pool(&self, pool: &str) -> Value {
        self.until(&format!("the route is {pool}"), |status| {
            route(status) == Some(pool)
        })
        .await
    }
}

/// The pool that sha256d miners work for.
pub fn route(status: &Value) -> Option<&str> {
    status["algorithms"][0]["route"]["pool"].as_str()
}

impl Drop for Appliance {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking()
            && let Ok(log) = std::fs::read_to_string(self.config.with_file_name("appliance.log"))
        {
            let tail: Vec<&str> = log.lines().rev().take(60).collect();
            eprintln!("--- the appliance's log, newest first\n{}", tail.join("\n"));
        }
    }
}
