//! The program itself: a short demo around a stand-in for the appliance.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking where it stands"
)]

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use smart_mining_farmsim::pool::{Pool, PoolConfig};
use smart_mining_farmsim::pow::Algorithm;

const PATIENCE: Duration = Duration::from_secs(60);

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_smart-mining-farmsim"))
}

fn demo(sha256d: &Pool, scrypt: &Pool, socket: &Path) -> Child {
    program()
        .args(["demo", "--plain", "--miners", "5", "--pool-ports", "0"])
        .args([
            "--api-relay",
            "127.0.0.1:0",
            "--status-url",
            "http://127.0.0.1:9",
        ])
        .args(["--stratum-sha256d", &sha256d.address().to_string()])
        .args(["--stratum-scrypt", &scrypt.address().to_string()])
        .args(["--advertise", "192.0.2.7", "--control"])
        .arg(socket)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn control(socket: &Path, command: &str) -> Output {
    program()
        .arg("control")
        .arg(socket)
        .args(command.split(' '))
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_runs_obeys_and_leaves_nothing_behind() {
    let sha256d = Pool::start(PoolConfig {
        difficulty: 2e-6,
        ..PoolConfig::default()
    })
    .await
    .unwrap();
    let scrypt = Pool::start(PoolConfig::new("scrypt", Algorithm::Scrypt, 1))
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("farm.sock");
    let running = demo(&sha256d, &scrypt, &socket);
    for pool in [&sha256d, &scrypt] {
        pool.next_accepted(PATIENCE).await.unwrap();
    }
    for (command, answer) in [
        ("wan down", "ok WAN down"),
        ("wan up", "ok WAN up"),
        ("central down", "ok central down"),
        ("central up", "ok central up"),
        ("pool kill A", "ok pool A killed"),
        ("pool revive A", "ok pool A up"),
        ("pool silence B", "ok pool B silent"),
        ("block", "ok new block on every pool"),
    ] {
        let output = control(&socket, command);
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), answer);
        assert!(output.status.success());
    }
    let wrong = control(&socket, "pool kill D");
    assert!(!wrong.status.success());
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("use A, B or C"));
    let status = control(&socket, "status").stdout;
    let status: Value = serde_json::from_slice(status.strip_prefix(b"ok ").unwrap()).unwrap();
    assert_eq!(status["miners"]["total"], 5);
    assert_eq!(status["pools"]["B"]["state"], "silent");
    assert!(
        status["miners"]["accepted"].as_u64().unwrap() >= 2,
        "{status}"
    );
    assert_eq!(status["miners"]["violations"], 0, "{status}");

    let terminate = Command::new("kill").arg(running.id().to_string()).status();
    assert!(terminate.unwrap().success());
    let output = running.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("stratum+tcp://192.0.2.7:"), "{printed}");
    assert!(printed.contains("miners' view: accepted"), "{printed}");
    assert!(!socket.exists(), "the socket is gone");
    let gone = control(&socket, "status");
    assert!(String::from_utf8_lossy(&gone.stderr).contains("is it running"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_ends_by_itself_after_its_time() {
    let pool = Pool::start(PoolConfig::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("farm.sock");
    let running = program()
        .args(["demo", "--plain", "--miners", "1", "--pool-ports", "0"])
        .args(["--api-relay", "127.0.0.1:0", "--seconds", "1"])
        .args(["--status-url", "http://127.0.0.1:9"])
        .args(["--stratum-sha256d", &pool.address().to_string()])
        .args(["--stratum-scrypt", &pool.address().to_string()])
        .arg("--control")
        .arg(&socket)
        .output()
        .unwrap();
    assert!(running.status.success());
    assert!(!socket.exists());
}
