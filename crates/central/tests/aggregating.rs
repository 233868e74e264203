//! The aggregator from its sources to PostgreSQL, as its operator sees it.

mod outside;
mod support;

use outside::{Aggregator, Outside, now};
use smart_mining_wire::Envelope;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};
use support::{Central, aggregator, eventually, stderr, stdout};

const HASHES: f64 = 4_294_967_296.0;

struct Farmless {
    central: Central,
    outside: Outside,
    config: String,
}

impl Farmless {
    fn new(more: &str) -> Self {
        Self::on(Central::new(), more)
    }

    fn on(central: Central, more: &str) -> Self {
        let outside = Outside::new();
        let config = central.data_file("aggregator.toml", &outside.config(more));
        Self {
            central,
            outside,
            config,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = aggregator();
        command
            .args(arguments)
            .args(["--config", &self.config])
            .env("SMART_MINING_SIGNING_KEY_FILE", self.central.key_file());
        command
    }

    fn with_database(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        let url = self.central.postgres.url(&self.central.database);
        command.args(["--database-url", &url]);
        command
    }

    fn run(&self) -> Aggregator {
        Aggregator::start(self.with_database(&["run"]))
    }

    fn number(&self, statement: &str) -> f64 {
        self.central
            .sql(statement)
            .trim()
            .parse()
            .expect("a number")
    }

    fn snapshots(&self) -> f64 {
        self.number("SELECT count(*) FROM snapshots")
    }

    fn wait_for_snapshots(&self, more_than: f64) {
        eventually("a snapshot", || {
            let there = "SELECT to_regclass('snapshots') IS NOT NULL";
            self.central.sql(there).trim() == "t" && self.snapshots() > more_than
        });
    }

    /// Snapshots and history are written together, each once.
    fn check_whole(&self) {
        let times = "SELECT count(DISTINCT at) FROM profitability_history";
        assert_eq!(
            self.number(times),
            self.number("SELECT count(DISTINCT created_at) FROM snapshots")
        );
        let rows = "SELECT count(*) FROM profitability_history";
        let hourly = "SELECT sum(samples) FROM profitability_hourly";
        assert_eq!(self.number(rows), self.number(hourly));
        let rising = "SELECT bool_and(sequence > before) FROM (SELECT sequence,
            lag(sequence, 1, 0) OVER (ORDER BY created_at, sequence) AS before FROM snapshots) AS s";
        assert_eq!(self.central.sql(rising).trim(), "t");
    }
}

fn near(got: f64, expected: f64) {
    assert!(
        (got / expected - 1.0).abs() < 1e-9,
        "{got} is not {expected}"
    );
}

#[test]
fn one_round_is_ranked_stored_published_and_shown() {
    let farm = Farmless::new("");
    let shown = stdout(farm.with_database(&["once"]).output());
    // The explorer's difficulty and subsidy; the fees come from the calculator's sum.
    let gross = 86_400.0 / (1.0e14 * HASHES) * 3.125 * 60_000.0;
    let usd = "SELECT usd_per_hash_day FROM profitability WHERE coin = 'BTC' AND pool = 'south'";
    let ratio = farm.number(usd) / gross;
    assert!((1.0..1.02).contains(&ratio), "{ratio}");
    let bch = 86_400.0 / (0.9e12 * HASHES) * 3.13 * 500.0;
    near(
        farm.number("SELECT usd_per_hash_day FROM profitability WHERE coin = 'BCH'"),
        bch,
    );
    let order = ["BTC    south", "BTC    north", "BCH    north"];
    for (line, expected) in shown.lines().skip(1).zip(order) {
        assert!(line.contains(expected), "{shown}");
    }
    for (statement, expected) in [
        ("SELECT count(*) FROM chains", "2"),
        (
            "SELECT price_sources FROM coins WHERE id = 'BTC'",
            "{binance,blockchair}",
        ),
        (
            "SELECT work_source FROM chains WHERE coin = 'BTC'",
            "blockchair",
        ),
        (
            "SELECT state FROM source_health WHERE source = 'whattomine'",
            "ok",
        ),
        ("SELECT count(*) FROM profitability_history", "3"),
        ("SELECT count(*) FROM profitability_hourly", "3"),
    ] {
        assert_eq!(farm.central.sql(statement).trim(), expected, "{statement}");
    }
    let api = farm.central.serve();
    api.wait_until_ready();
    let best = api.get("/api/best-pool?algo=sha256").json();
    assert_eq!(best["pool"]["id"], "south");
    assert_eq!(best["coin"], "BTC");
    farm.check_whole();
}

#[test]
fn a_dry_run_needs_no_database_and_says_what_is_missing() {
    let farm = Farmless::new("");
    farm.outside.prices(&[("BTC", 60_000.0)]);
    let shown = stdout(farm.command(&["once", "--dry-run"]).output());
    assert!(
        shown.contains("not ranked: BCH at north: BCH: no price"),
        "{shown}"
    );
}

#[test]
fn a_change_is_published_within_seconds_noise_waits_for_the_heartbeat() {
    let farm = Farmless::new("[publish]\nheartbeat = 10\n");
    let running = farm.run();
    farm.wait_for_snapshots(0.0);
    let newest = || farm.number("SELECT max(sequence) FROM snapshots");
    let price = || farm.number("SELECT price_usd FROM coins WHERE id = 'BCH'");
    let first = newest();
    let changed = Instant::now();
    farm.outside.prices(&[("BTC", 60_000.0), ("BCH", 550.0)]);
    eventually("the new price is published", || {
        newest() > first && price() == 550.0
    });
    assert!(
        changed.elapsed() < Duration::from_secs(8),
        "{:?}",
        changed.elapsed()
    );
    // A tenth of a per cent: the next snapshot is the heartbeat's, ten seconds later.
    let second = newest();
    farm.outside.prices(&[("BTC", 60_000.0), ("BCH", 550.5)]);
    eventually("the heartbeat", || newest() > second);
    let apart = "SELECT extract(epoch FROM max(created_at) - min(created_at)) FROM
        (SELECT created_at FROM snapshots ORDER BY sequence DESC LIMIT 2) AS last";
    assert!(
        (9.0..=12.0).contains(&farm.number(apart)),
        "{}",
        farm.number(apart)
    );
    assert!(running.stop());
    farm.check_whole();
}

#[test]
fn a_second_aggregator_asks_nobody_and_takes_over_within_ten_seconds() {
    let farm = Farmless::new("[publish]\nheartbeat = 10\n");
    let first = farm.run();
    farm.wait_for_snapshots(0.0);
    let other = Outside::new();
    let config = farm
        .central
        .data_file("second.toml", &other.config("[publish]\nheartbeat = 10\n"));
    let mut command = aggregator();
    let url = farm.central.postgres.url(&farm.central.database);
    command
        .args(["run", "--config", &config, "--database-url", &url])
        .env("SMART_MINING_SIGNING_KEY_FILE", farm.central.key_file());
    let second = Aggregator::start(command);
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
    eventually("both are connected", || farm.number(waiting) >= 2.0);
    assert_eq!(other.asked("/binance/ticker/price"), 0);
    let before = farm.number("SELECT max(sequence) FROM snapshots");
    let killed = Instant::now();
    first.kill();
    eventually("the other one publishes", || {
        farm.number("SELECT max(sequence) FROM snapshots") > before
    });
    assert!(
        killed.elapsed() < Duration::from_secs(10),
        "{:?}",
        killed.elapsed()
    );
    eventually("it asks now", || other.asked("/binance/ticker/price") > 0);
    assert!(second.stop());
    farm.check_whole();
}

#[test]
fn killed_at_any_moment_nothing_is_half_written() {
    let farm = Farmless::new("[publish]\nheartbeat = 10\n");
    let mut moment: u64 = 7;
    for round in 0..12 {
        let running = farm.run();
        // Each round another price, so that something is always about to be written.
        let usd = 500.0 + 25.0 * f64::from(round);
        farm.outside.prices(&[("BTC", 60_000.0), ("BCH", usd)]);
        moment = (moment * 1_103_515_245 + 12_345) % 2_147_483_648;
        thread::park_timeout(Duration::from_millis(200 + moment % 2_500));
        running.kill();
        if farm
            .central
            .sql("SELECT to_regclass('snapshots') IS NOT NULL")
            .trim()
            == "t"
            && farm.snapshots() > 0.0
        {
            farm.check_whole();
        }
    }
    let before = farm
        .central
        .sql("SELECT to_regclass('snapshots') IS NOT NULL");
    let running = farm.run();
    let had = if before.trim() == "t" {
        farm.snapshots()
    } else {
        0.0
    };
    farm.wait_for_snapshots(had);
    assert!(running.stop());
    farm.check_whole();
}

#[test]
fn while_the_database_is_away_nothing_is_lost_but_time() {
    let postgres = std::sync::Arc::new(smart_mining_central::testing::PrivatePostgres::start());
    let farm = Farmless::on(Central::on(postgres.clone()), "[publish]\nheartbeat = 10\n");
    let running = farm.run();
    farm.wait_for_snapshots(0.0);
    let before = farm.snapshots();
    postgres.stop();
    let asked = farm.outside.asked("/binance/ticker/price");
    farm.outside.prices(&[("BTC", 60_000.0), ("BCH", 777.0)]);
    eventually("it goes on asking", || {
        farm.outside.asked("/binance/ticker/price") > asked + 2
    });
    // What was heard meanwhile is not asked again.
    farm.outside.is_silent("/binance/ticker/price");
    postgres.start_again();
    farm.wait_for_snapshots(before);
    assert_eq!(
        farm.number("SELECT price_usd FROM coins WHERE id = 'BCH'"),
        777.0
    );
    assert!(running.stop());
    farm.check_whole();
}

#[test]
fn a_wrong_figure_is_refused_and_told() {
    let farm = Farmless::new("");
    // A calculator that is off by a thousand, within itself consistent.
    farm.outside.chains(1.0e17, 0.9e12);
    stdout(farm.with_database(&["once"]).output());
    let row = "SELECT source, coin, fact, rule FROM rejections WHERE source = 'whattomine'";
    assert_eq!(
        farm.central.sql(row).trim(),
        "whattomine|BTC|Difficulty|contradicts-better-source"
    );
    let answer = {
        let api = farm.central.serve();
        api.wait_until_ready();
        api.get("/api/v1/rejections").body
    };
    assert!(answer.contains("contradicts-better-source"), "{answer}");
}

#[test]
fn what_is_taken_out_of_the_configuration_is_taken_out_of_the_ranking() {
    let farm = Farmless::new("");
    stdout(farm.central.import_command(support::STARTER).output());
    let imported = farm.number("SELECT count(*) FROM profitability");
    stdout(farm.with_database(&["once"]).output());
    assert_eq!(
        farm.number("SELECT count(*) FROM profitability"),
        imported + 3.0
    );
    let text = std::fs::read_to_string(&farm.config).expect("written");
    let (without_south, _) = text
        .split_once("[[pools]]\nid = \"south\"")
        .expect("two pools");
    std::fs::write(&farm.config, without_south).expect("written");
    stdout(farm.with_database(&["once"]).output());
    assert_eq!(
        farm.number("SELECT count(*) FROM profitability"),
        imported + 2.0
    );
    assert_eq!(
        farm.number("SELECT count(*) FROM pool_offers WHERE pool = 'south'"),
        0.0
    );
}

/// A recording of some seconds, made to last ten times as long.
fn recorded() -> (Farmless, String) {
    let farm = Farmless::new("[publish]\nheartbeat = 10\n");
    let folder = farm.central.data_file("recording", "");
    std::fs::remove_file(&folder).expect("a name only");
    let running = Aggregator::start(farm.with_database(&["run", "--record", &folder]));
    farm.wait_for_snapshots(0.0);
    farm.outside.prices(&[("BTC", 60_000.0), ("BCH", 620.0)]);
    farm.wait_for_snapshots(1.0);
    farm.outside.says("/binance/ticker/price", 503, "<html>");
    farm.wait_for_snapshots(2.0);
    assert!(running.stop());
    let mut first = None;
    for entry in std::fs::read_dir(&folder).expect("a folder") {
        let path = entry.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("text");
        let stretched = text.lines().map(|line| {
            let mut line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let at = line["at"].as_u64().expect("a time");
            let first = *first.get_or_insert(at);
            line["at"] = (first + 10 * (at - first)).into();
            format!("{line}\n")
        });
        let stretched: String = stretched.collect();
        std::fs::write(&path, stretched).expect("written");
    }
    (farm, folder)
}

fn lines(output: std::io::Result<Output>) -> Vec<String> {
    stdout(output).lines().map(str::to_owned).collect()
}

#[test]
fn a_recording_replayed_twice_and_into_a_database_gives_the_same_bytes() {
    let (farm, folder) = recorded();
    let once = lines(farm.command(&["replay", &folder]).output());
    let twice = lines(farm.command(&["replay", &folder]).output());
    assert!(once.len() >= 8, "{}", once.len());
    assert_eq!(once, twice);
    // Time goes on: a heartbeat of ten seconds, changes in between, nothing twice.
    let snapshots: Vec<_> = once
        .iter()
        .map(|line| {
            let envelope = Envelope::from_json(line.as_bytes()).expect("an envelope");
            envelope.open(&farm.central.public_key).expect("signed")
        })
        .collect();
    for pair in snapshots.windows(2) {
        let apart = pair[1].created_at.checked_sub(pair[0].created_at);
        assert!(
            apart.is_some_and(|apart| (1..=10).contains(&apart)),
            "{apart:?}"
        );
        assert!(pair[1].sequence > pair[0].sequence);
    }
    let empty = farm.central.postgres.create_db("replayed");
    let mut into = farm.command(&["replay", &folder, "--database-url", &empty]);
    assert!(into.output().expect("started").status.success());
    let stored = farm.central.postgres.sql(
        "replayed",
        "SELECT envelope FROM snapshots ORDER BY sequence",
    );
    let stored: Vec<&str> = stored.trim().lines().collect();
    assert_eq!(stored, once);
    let again = farm
        .command(&["replay", &folder, "--database-url", &empty])
        .output()
        .expect("started");
    assert!(!again.status.success());
    assert!(
        stderr(&again).contains("replay into an empty database"),
        "{}",
        stderr(&again)
    );
}

#[test]
fn a_mistake_in_the_configuration_is_told_before_anything_happens() {
    let farm = Farmless::new("");
    std::fs::write(
        &farm.config,
        "[publish]\nheartbeat = 5000\n[sources.coinmarket]\n",
    )
    .expect("written");
    let output = farm.with_database(&["run"]).output().expect("started");
    assert_eq!(output.status.code(), Some(2));
    let told = stderr(&output);
    assert!(
        told.contains("5000") && told.contains("coinmarket"),
        "{told}"
    );
    assert!(now() > 0);
}
