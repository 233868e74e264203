//! Farms with one mistake each: the doctor finds it, says what to do, and finds no other.

mod support;

use serde_json::Value;
use smart_mining_farmsim::pool::{Pool, PoolConfig};
use smart_mining_farmsim::pow::Algorithm;
use smart_mining_proxy::store::Store;
use smart_mining_proxy::tls;
use smart_mining_wire::{Entry, Envelope, PoolOffer, SecretKey, Snapshot};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::Farm;
use support::command::{Said, finished, program};

async fn pool() -> Pool {
    Pool::start(PoolConfig::new("pool-a", Algorithm::Sha256d, 1))
        .await
        .expect("a pool on loopback")
}

/// A farm that mines on that pool, and would be well.
fn farm(pool: &Pool) -> Farm {
    open().pool("pool-a", pool.address(), "")
}

/// Whatever network this test's machine is on, it is allowed.
fn open() -> Farm {
    Farm::new().text("[access]\nallow = [\"0.0.0.0/0\"]\n")
}

fn doctor(farm: &Farm) -> Said {
    doctor_of(&farm.write())
}

fn doctor_of(config: &Path) -> Said {
    let folder = config.parent().expect("a folder");
    let config = config.to_str().expect("a path");
    finished(
        program(folder)
            .args(["doctor", "--json", "--config", config])
            .output(),
    )
}

fn problems(said: &Said) -> Vec<Value> {
    let answer = said.json();
    let all = answer["findings"].as_array().expect("a list").iter();
    let problems: Vec<Value> = all
        .filter(|it| it["verdict"] == "problem")
        .cloned()
        .collect();
    assert_eq!(answer["problems"], problems.len());
    let wanted = if problems.is_empty() { 0 } else { 3 };
    assert_eq!(said.code, wanted, "{answer:#}");
    problems
}

/// Exactly one problem: of this check, with these words and this remedy in it.
#[track_caller]
fn finds(said: &Said, check: &str, words: &str, remedy: &str) {
    finds_among(said, &[check], words, remedy);
}

/// What follows from one mistake; the first is the one that is read.
#[track_caller]
fn finds_among(said: &Said, checks: &[&str], words: &str, remedy: &str) {
    let problems = problems(said);
    let found: Vec<&str> = problems
        .iter()
        .filter_map(|it| it["check"].as_str())
        .collect();
    let (mut sorted, mut wanted) = (found.clone(), checks.to_vec());
    sorted.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(sorted, wanted, "{problems:#?}");
    let finding = problems.iter().find(|it| it["check"] == checks[0]);
    let finding = finding.expect("it is there");
    let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    assert!(text("text").contains(words), "{finding:#}");
    assert!(text("remedy").contains(remedy), "{finding:#}");
}

fn key() -> SecretKey {
    SecretKey::from_bytes(&[7; 32])
}

fn central(url: &str) -> String {
    let key = key().public();
    format!(
        "[central]\nurl = \"{url}\"\ntoken = \"token-0123456789abcdef\"\npublic_key = \"{key}\"\n"
    )
}

fn ranking(coin: &str, pool: SocketAddr, created_at: u64) -> String {
    let snapshot = Snapshot {
        version: 1,
        sequence: 7,
        created_at,
        entries: vec![Entry {
            coin: coin.to_owned(),
            algorithm: smart_mining_wire::Algorithm::Sha256d,
            pool: PoolOffer {
                id: "ranked".to_owned(),
                url: format!("stratum+tcp://{pool}"),
                fee: 0.01,
                scheme: "FPPS".to_owned(),
            },
            usd_per_hash_day: 5e-14,
            margin: 0.0,
        }],
    };
    serde_json::to_string(&Envelope::seal(&snapshot, &key())).expect("JSON")
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs()
}

/// A server on loopback that gives each visitor the same answer, and its address.
fn web(status: &'static str, date: SystemTime, body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines();
            while lines
                .next()
                .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
            {}
            let date = httpdate::fmt_http_date(date);
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nDate: {date}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            let _ = (&stream).write_all((head + &body).as_bytes());
        }
    });
    format!("http://{address}")
}

/// A server that says something else to each visitor.
fn chatter(line: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        let visitors: Vec<_> = listener
            .incoming()
            .flatten()
            .inspect(|visitor| {
                let _ = (&*visitor).write_all(line.repeat(5).as_bytes());
            })
            .collect();
        drop(visitors);
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_farm_that_is_well_has_no_finding_whether_it_runs_or_not() {
    let pool = pool().await;
    let healthy = farm(&pool).text(&central(&web(
        "200 OK",
        SystemTime::now(),
        ranking("BTC", pool.address(), now()),
    )));
    let healthy = healthy.text("[[account]]\ncoin = \"BTC\"\nuser = \"farmer.{worker}\"\n");
    let said = doctor(&healthy);
    assert_eq!(problems(&said), [Value::Null; 0]);
    let looked: Vec<String> = said.json()["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| it["check"].as_str().unwrap_or_default().to_owned())
        .collect();
    for check in [
        "config",
        "port",
        "access",
        "store",
        "disk",
        "open-files",
        "central",
        "clock",
        "account",
        "pool",
    ] {
        assert!(
            looked.iter().any(|it| it == check),
            "nobody looked at {check}: {looked:?}"
        );
    }
    let books = pool.books();
    assert_eq!(books.logins_refused, 0);
    // The same with the appliance in its place.
    let appliance = farm(&pool).start();
    appliance.on_pool("pool-a").await;
    let said = doctor_of(&appliance.farm.folder.path().join("farm.toml"));
    assert_eq!(problems(&said), [Value::Null; 0]);
    assert!(said.out.contains("the appliance has it"), "{}", said.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_of_farm_toml_is_found_by_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("farm.toml");
    std::fs::write(
        &path,
        "[farm]\nname = \"barn\"\n[[listener]]\nalgorithm = \"sha257\"\n",
    )
    .expect("written");
    let said = doctor_of(&path);
    let problems = problems(&said);
    assert!(
        problems.iter().all(|it| it["check"] == "config"),
        "{problems:#?}"
    );
    assert!(
        said.out.contains("farm.toml:4") && said.out.contains("sha257"),
        "{}",
        said.out
    );
    let said = doctor_of(&folder.path().join("missing.toml"));
    finds(&said, "config", "cannot be read", "check the path");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_another_program_has_is_found_with_its_name() {
    let pool = pool().await;
    let farm = farm(&pool);
    let taken = TcpListener::bind(farm.sha256d).expect("free");
    let me = format!("(pid {})", std::process::id());
    finds(
        &doctor(&farm),
        "port",
        &me,
        "stop that program, or give listener.bind another port",
    );
    drop(taken);
    let taken = TcpListener::bind(farm.status).expect("free");
    finds(&doctor(&farm), "port", &me, "give status.bind another port");
    drop(taken);
    let elsewhere = farm.write();
    let text = std::fs::read_to_string(&elsewhere).expect("written");
    let text = text.replace(&farm.sha256d.to_string(), "198.51.100.1:3333");
    std::fs::write(&elsewhere, text).expect("written");
    finds(
        &doctor_of(&elsewhere),
        "port",
        "no such address",
        "0.0.0.0:3333",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ranking_that_pays_nobody_of_this_farm_is_found() {
    let pool = pool().await;
    let ranked = ranking("BCH", pool.address(), now());
    let account = "[[account]]\ncoin = \"BTC\"\nuser = \"farmer.{worker}\"\n";
    let asked =
        open()
            .text(account)
            .text(&central(&web("200 OK", SystemTime::now(), ranked.clone())));
    let remedy = "[[account]] with coin = \\\"BCH\\\"".replace('\\', "");
    finds(
        &doctor(&asked),
        "account",
        "there is an account for none",
        &remedy,
    );
    // Central is away: the stored ranking tells it as well.
    let away = open()
        .text(account)
        .text(&central(&format!("http://{}", support::free_address())));
    let (store, _) = Store::open(&away.store()).expect("a store");
    store.save_snapshot(7, now(), ranked).expect("stored");
    store.close().expect("closed");
    finds_among(&doctor(&away), &["account", "central"], "for BCH", &remedy);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_is_found_by_central_s() {
    let pool = pool().await;
    let later = SystemTime::now() + Duration::from_secs(7200);
    let behind = farm(&pool).text(&central(&web("204 No Content", later, String::new())));
    finds(&doctor(&behind), "clock", "behind central's", "timedatectl");
    let earlier = SystemTime::now() - Duration::from_secs(7200);
    let ahead = farm(&pool).text(&central(&web("204 No Content", earlier, String::new())));
    finds(
        &doctor(&ahead),
        "clock",
        "ahead of central's",
        "timedatectl",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_keeps_central_from_this_farm_is_found() {
    let pool = pool().await;
    let at = |url: &str| farm(&pool).text(&central(url));
    let nobody = format!("http://{}", support::free_address());
    finds(
        &doctor(&at(&nobody)),
        "central",
        "cannot be reached",
        "is the WAN up",
    );
    let refuses = web("401 Unauthorized", SystemTime::now(), String::new());
    finds(
        &doctor(&at(&refuses)),
        "central",
        "does not know this farm's token",
        "enrol",
    );
    let lost = web("404 Not Found", SystemTime::now(), String::new());
    finds(
        &doctor(&at(&lost)),
        "central",
        "status 404",
        "is central.url right",
    );
    let other = Snapshot {
        version: 1,
        sequence: 7,
        created_at: now(),
        entries: Vec::new(),
    };
    let other = Envelope::seal(&other, &SecretKey::from_bytes(&[8; 32]));
    let forged = web(
        "200 OK",
        SystemTime::now(),
        serde_json::to_string(&other).expect("JSON"),
    );
    finds(
        &doctor(&at(&forged)),
        "central",
        "refused",
        "central.public_key",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_signed_is_found() {
    let pool = pool().await;
    let folder = tempfile::tempdir().expect("a folder");
    let config = tls::server::server_config(folder.path(), None).expect("a certificate");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move { acceptor.accept(stream).await });
        }
    });
    let farm = farm(&pool).text(&central(&format!("https://localhost:{port}")));
    let said = tokio::task::spawn_blocking(move || doctor(&farm))
        .await
        .expect("it ran");
    finds(&said, "central", "certificate", "central.url");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_cannot_be_mined_on_is_found_with_the_reason() {
    let good = pool().await;
    let with = |address: SocketAddr| farm(&good).pool("other", address, "");
    let nobody = doctor(&with(support::free_address()));
    finds(&nobody, "pool", "cannot connect", "address and port right");
    let refusing = Pool::start(PoolConfig::new("other", Algorithm::Sha256d, 2))
        .await
        .expect("a pool");
    refusing.reject_logins();
    let said = doctor(&with(refusing.address()));
    finds(&said, "pool", "refused the login", "user and password");
    assert!(
        !said.out.contains("farmer"),
        "who is paid stays out of it: {}",
        said.out
    );
    let said = doctor(&with(chatter("SSH-2.0-OpenSSH\r\n")));
    finds(&said, "pool", "does not speak Stratum", "Stratum port");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_a_place_is_found() {
    let pool = pool().await;
    let path = farm(&pool).folder.path().join("unused");
    let farm = farm(&pool);
    let config = farm.write();
    let text = std::fs::read_to_string(&config).expect("written");
    let text = text.replace(
        "\"farm.sqlite\"",
        &format!("\"{}/farm.sqlite\"", path.display()),
    );
    std::fs::write(&config, text).expect("written");
    finds(
        &doctor_of(&config),
        "store",
        "cannot be written",
        "create its folder",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_open_files_are_found() {
    let pool = pool().await;
    let config = farm(&pool);
    let path = config.write();
    let binary = env!("CARGO_BIN_EXE_smart-mining-proxy");
    let command = format!(
        "ulimit -n 500; exec {binary} doctor --json --config {}",
        path.display()
    );
    let said = finished(
        std::process::Command::new("sh")
            .args(["-c", &command])
            .output(),
    );
    finds(&said, "open-files", "at most 500", "LimitNOFILE=");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_technician_reads_one_line_for_each_and_what_to_do_below_it() {
    let pool = pool().await;
    let farm = farm(&pool);
    let _taken = TcpListener::bind(farm.sha256d).expect("free");
    farm.write();
    let said = finished(
        program(farm.folder.path())
            .args(["doctor", "--quiet"])
            .output(),
    );
    assert_eq!(said.code, 3);
    let line = format!("PROBLEM port {}: is taken by ", farm.sha256d);
    assert!(said.out.contains(&line), "{}", said.out);
    assert!(
        said.out.contains("\n        -> stop that program"),
        "{}",
        said.out
    );
    assert!(said.out.ends_with("1 problem was found\n"), "{}", said.out);
    assert!(!said.out.contains("ok  "), "{}", said.out);
}
