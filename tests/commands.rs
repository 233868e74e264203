//! What a technician reads in a terminal, through the shipped binary.

mod support;

use nix::pty::openpty;
use nix::sys::termios::tcgetattr;
use smart_mining_farmsim::pool::{Pool, PoolConfig};
use smart_mining_farmsim::pow::Algorithm;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Command;
use std::sync::mpsc;
use support::command::{Said, finished, program, say};
use support::{Appliance, Farm, PATIENCE};

async fn pool(name: &str, seed: u64) -> Pool {
    Pool::start(PoolConfig::new(name, Algorithm::Sha256d, seed))
        .await
        .expect("a pool on loopback")
}

/// On pool-a, with pool-b behind it and a rig that works.
async fn farm(a: &Pool, b: &Pool) -> Appliance {
    let farm = Farm::new()
        .pool("pool-a", a.address(), "")
        .pool("pool-b", b.address(), "");
    let appliance = farm.start();
    appliance.on_pool("pool-a").await;
    appliance
}

fn ask(appliance: &Appliance, arguments: &[&str]) -> Said {
    let folder = appliance.farm.folder.path();
    let said = say(folder, arguments);
    assert_eq!(
        (said.code, &*said.error),
        (0, ""),
        "{arguments:?}: {}",
        said.out
    );
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_finds_out_why_the_farm_is_on_pool_b() {
    let (a, b) = (pool("pool-a", 1).await, pool("pool-b", 2).await);
    let appliance = farm(&a, &b).await;
    drop(a);
    appliance.on_pool("pool-b").await;
    // In the folder of farm.toml nothing has to be said about where to ask.
    let why = ask(&appliance, &["routes", "--why"]).out;
    assert!(why.starts_with("sha256d on pool-b (BTC) for "), "{why}");
    assert!(
        why.contains("rule     failover: the pool before it failed"),
        "{why}"
    );
    assert!(why.contains("->  pool-b"), "{why}");
    let events = ask(&appliance, &["events", "--code", "route-changed"]).out;
    let told: Vec<&str> = events.lines().skip(1).collect();
    assert_eq!(told.len(), 2, "{events}");
    assert!(
        told[1].contains("now on pool-b (BTC): "),
        "the newest last: {events}"
    );
    let about = ask(&appliance, &["events", "--about", "pool-a", "--json"]).json();
    assert_eq!(about[0]["code"], "pool-failed");
    let routes = ask(&appliance, &["routes", "--json"]).json();
    assert_eq!(routes[0]["route"]["pool"], "pool-b");
    let status = ask(&appliance, &["status"]).out;
    assert!(status.starts_with("barn: "), "{status}");
    assert!(
        status.contains("\nsha256d on pool-b (BTC) for "),
        "{status}"
    );
    assert!(
        !status.contains('\u{1b}'),
        "no colours into a pipe: {status:?}"
    );
    assert_eq!(
        ask(&appliance, &["status", "--json"]).json()["farm"],
        "barn"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sick_miner_is_found_by_name() {
    use smart_mining_farmsim::miner::{Miner, MinerConfig, Personality};
    let (a, b) = (pool("pool-a", 1).await, pool("pool-b", 2).await);
    let appliance = farm(&a, &b).await;
    let port = appliance.farm.sha256d;
    let rig = |name: &str| {
        Miner::start(MinerConfig::new(
            port,
            name,
            Personality::Cgminer,
            Algorithm::Sha256d,
        ))
    };
    let rigs = [rig("any.rig07"), rig("any.shed3")];
    for rig in &rigs {
        rig.next_accepted(PATIENCE)
            .await
            .expect("an accepted share");
    }
    let all = ask(&appliance, &["miners", "--sort", "worker"]).out;
    let (first, second) = (
        all.find("rig07").expect("there"),
        all.find("shed3").expect("there"),
    );
    assert!(first < second && all.ends_with("2 miners\n"), "{all}");
    let one = ask(&appliance, &["miners", "--find", "RIG07"]).out;
    assert!(
        one.contains("cgminer") && one.ends_with("1 of 2 miners\n"),
        "{one}"
    );
    let one = ask(&appliance, &["miners", "--find", "shed", "--json"]).json();
    assert_eq!(one.as_array().map(Vec::len), Some(1));
    assert_eq!(one[0]["worker"], "shed3");
}

#[test]
fn where_nobody_answers_the_address_and_what_to_do_are_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let nobody = support::free_address();
    let url = format!("http://{nobody}");
    for command in ["status", "miners", "routes", "events"] {
        let said = say(folder.path(), &[command, "--url", &url]);
        assert_eq!((said.code, &*said.out), (1, ""), "{command}");
        assert!(
            said.error.contains(&url) && said.error.contains("is it running"),
            "{}",
            said.error
        );
    }
    let said = say(folder.path(), &["status", "--url", "10.0.0.2:8080"]);
    assert_eq!(said.code, 2);
    assert!(said.error.contains("write it as http://"), "{}", said.error);
    let said = finished(
        program(folder.path())
            .arg("status")
            .env("SMART_MINING_URL", &url)
            .output(),
    );
    assert!(
        said.code == 1 && said.error.contains(&url),
        "{}",
        said.error
    );
    let said = say(folder.path(), &["status", "--config", "nowhere.toml"]);
    assert!(
        said.code == 2 && said.error.contains("nowhere.toml"),
        "{}",
        said.error
    );
    let said = say(folder.path(), &["status", "--watch", "--url", &url]);
    assert!(
        said.code == 2 && said.error.contains("--watch"),
        "{}",
        said.error
    );
}

#[test]
fn check_tells_programs_where_each_mistake_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("farm.toml");
    std::fs::write(&path, "[farm]\nname = \"north barn\"\n").expect("written");
    let said = say(folder.path(), &["check", "--json"]);
    assert_eq!(said.code, 2);
    let answer = said.json();
    assert_eq!(answer["valid"], false);
    let mut problems = answer["problems"].as_array().expect("a list").iter();
    let name = problems
        .find(|it| it["key"] == "farm.name")
        .expect("it is found");
    assert_eq!(name["line"], 2);
    assert!(
        name["remedy"]
            .as_str()
            .is_some_and(|remedy| remedy.contains("use 1 to 63"))
    );
}

#[test]
fn shells_and_manual_learn_every_command_from_the_program() {
    let folder = tempfile::tempdir().expect("a folder");
    for shell in ["bash", "zsh", "fish"] {
        let said = say(folder.path(), &["completions", shell]);
        assert_eq!(said.code, 0);
        for word in ["routes", "doctor", "--why"] {
            let word = word.trim_start_matches(if shell == "fish" { "--" } else { "" });
            assert!(said.out.contains(word), "{shell} does not know {word}");
        }
    }
    let script = folder.path().join("completions.bash");
    std::fs::write(&script, say(folder.path(), &["completions", "bash"]).out).expect("written");
    let checked = Command::new("bash").arg("-n").arg(&script).status();
    assert!(checked.expect("bash is there").success());
    let man = folder.path().join("man");
    let said = say(folder.path(), &["man", man.to_str().expect("a path")]);
    assert_eq!(said.code, 0, "{}", said.error);
    for page in [
        "smart-mining-proxy.1",
        "smart-mining-proxy-routes.1",
        "smart-mining-proxy-doctor.1",
    ] {
        let text = std::fs::read_to_string(man.join(page)).expect(page);
        assert!(text.contains(".SH NAME"), "{page}");
    }
    let said = say(folder.path(), &["man"]);
    assert!(said.out.contains("Exit codes"), "{}", said.out);
}

/// All that a terminal is sent.
fn read_on(mut terminal: File) -> mpsc::Receiver<Vec<u8>> {
    let (sender, pieces) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length) = terminal.read(&mut buffer) {
            if length == 0 || sender.send(buffer[..length].to_vec()).is_err() {
                break;
            }
        }
    });
    pieces
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_goes_on_in_its_place_and_leaves_the_terminal_as_it_was() {
    let (a, b) = (pool("pool-a", 1).await, pool("pool-b", 2).await);
    let appliance = farm(&a, &b).await;
    let terminal = openpty(None, None).expect("a terminal");
    let before = tcgetattr(&terminal.slave).expect("a terminal");
    let end = || std::process::Stdio::from(terminal.slave.try_clone().expect("open"));
    let mut child = program(appliance.farm.folder.path())
        .args(["status", "--watch"])
        .stdin(end())
        .stdout(end())
        .spawn()
        .expect("the binary starts");
    let mut keyboard = File::from(terminal.master.try_clone().expect("open"));
    let pieces = read_on(File::from(terminal.master));
    let mut seen = String::new();
    let until = |wanted: &str, seen: &mut String| {
        while !seen.contains(wanted) {
            let piece = pieces.recv_timeout(PATIENCE);
            let piece = piece.unwrap_or_else(|_| panic!("{wanted:?} never came: {seen:?}"));
            seen.push_str(&String::from_utf8_lossy(&piece));
        }
    };
    until("pool-a", &mut seen);
    assert!(seen.starts_with("\u{1b}[?1049h"), "{seen:?}");
    seen.clear();
    drop(a);
    // Nobody asks it to look again.
    until("pool-b\u{1b}[0m (BTC)", &mut seen);
    assert!(!seen.contains("\u{1b}[2J"), "it never blanks the screen");
    keyboard.write_all(b"q").expect("typed");
    until("\u{1b}[?1049l", &mut seen);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(tcgetattr(&terminal.slave).expect("a terminal"), before);
}
