//! The aggregator: what a data file becomes, and what it never does by half.

mod support;

use smart_mining_wire::Algorithm;
use std::process::Stdio;
use support::{Central, STARTER, aggregator, stderr, stdout};

fn counts(central: &Central) -> String {
    central.sql(
        "SELECT (SELECT count(*) FROM coins), (SELECT count(*) FROM pools),
                (SELECT count(*) FROM pool_offers), (SELECT count(*) FROM profitability),
                (SELECT count(*) FROM snapshots)",
    )
}

#[test]
fn an_import_fills_the_tables_and_publishes_once() {
    let central = Central::new();
    let first = central.import(STARTER);
    assert_eq!(counts(&central), "3|3|6|6|1");
    let second = central.import(STARTER);
    assert!(second > first);
    assert_eq!(counts(&central), "3|3|6|6|2");
}

#[test]
fn a_bad_file_reports_everything_and_changes_nothing() {
    let central = Central::new();
    central.import(STARTER);
    let file = central.data_file(
        "bad.json",
        r#"{"coins": [{"id": "XMR", "name": "Monero"}, {"id": "btc", "name": "Bitcoin"}],
            "profitability": [
                {"coin": "BTC", "pool": "pool-a", "algorithm": "sha3", "usd_per_hash_day": 1e-14},
                {"coin": "BTC", "pool": "pool-z", "algorithm": "sha256d", "usd_per_hash_day": 1e-14}]}"#,
    );
    let output = central.import_command(&file).output().expect("started");
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(output.stdout.is_empty());
    for part in [
        "3 mistakes in the file; nothing was written",
        "coins[1].id: \"btc\": write a coin id",
        "profitability[0].algorithm: \"sha3\": write one of sha256d",
        "profitability[1]: BTC on \"pool-z\" with sha256d: no such offer",
    ] {
        assert!(told.contains(part), "{part:?} is not in\n{told}");
    }
    assert_eq!(counts(&central), "3|3|6|6|1");
}

#[test]
fn rows_that_the_file_leaves_out_stay_unless_replaced() {
    let central = Central::new();
    central.import(STARTER);
    let dearer = central.data_file(
        "dearer.json",
        r#"{"profitability": [{"coin": "BTC", "pool": "pool-c", "algorithm": "sha256d",
                               "usd_per_hash_day": 5e-14, "computed_at": 1790000000}]}"#,
    );
    central.import(&dearer);
    assert_eq!(counts(&central), "3|3|6|6|2");
    let stored = "SELECT usd_per_hash_day, margin, extract(epoch FROM computed_at)::bigint
                  FROM profitability WHERE pool = 'pool-c' AND coin = 'BTC'";
    assert_eq!(central.sql(stored), "5e-14|0|1790000000");

    let output = central.import_command(&dearer).arg("--replace").output();
    let output = output.expect("started");
    assert_eq!(
        output.status.code(),
        Some(2),
        "the file does not stand alone"
    );
    assert_eq!(counts(&central), "3|3|6|6|2");

    let alone = central.data_file(
        "alone.json",
        r#"{"coins": [{"id": "BTC", "name": "Bitcoin"}],
            "pools": [{"id": "pool-a", "name": "A", "offers": [
                {"coin": "BTC", "algorithm": "sha256", "url": "stratum+tcp://a.example:1",
                 "fee": 0, "scheme": "PPS+"}]}],
            "profitability": [{"coin": "BTC", "pool": "pool-a", "algorithm": "sha256d",
                               "usd_per_hash_day": 4e-14}]}"#,
    );
    stdout(central.import_command(&alone).arg("--replace").output());
    assert_eq!(counts(&central), "1|1|1|1|3");
}

#[test]
fn an_empty_ranking_is_not_published() {
    let central = Central::new();
    central.import(STARTER);
    let file = central.data_file("empty.json", "{}");
    let output = central.import_command(&file).arg("--replace").output();
    let output = output.expect("started");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("snapshot has no entries"));
    assert_eq!(counts(&central), "3|3|6|6|1");
}

#[test]
fn publishers_at_the_same_moment_take_turns() {
    let central = Central::new();
    // The first ones find an empty database, so this is also a race of migrations.
    let running: Vec<_> = (0..6)
        .map(|_| {
            let mut command = central.import_command(STARTER);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().expect("started")
        })
        .collect();
    let mut sequences: Vec<u64> = running
        .into_iter()
        .map(|process| {
            stdout(process.wait_with_output())
                .parse()
                .expect("a sequence")
        })
        .collect();
    sequences.sort_unstable();
    sequences.dedup();
    assert_eq!(sequences.len(), 6, "each its own: {sequences:?}");
    let in_order = "SELECT bool_and(sequence > before) FROM
        (SELECT sequence, lag(sequence) OVER (ORDER BY xmin::text::bigint) AS before
         FROM snapshots) AS published";
    assert_eq!(central.sql(in_order), "t");
}

#[test]
fn a_sequence_never_goes_back() {
    let central = Central::new();
    let first = central.import(STARTER);
    let now: u64 = central
        .sql("SELECT extract(epoch FROM now())::bigint")
        .parse()
        .expect("a time");
    assert!(
        now.abs_diff(first) < 60,
        "a new database starts at the time"
    );
    central.sql("UPDATE snapshots SET sequence = 9000000000");
    assert_eq!(central.import(STARTER), 9_000_000_001);
}

#[test]
fn the_schema_knows_the_algorithms_of_the_contract_and_refuses_nonsense() {
    let central = Central::new();
    central.import(STARTER);
    for algorithm in Algorithm::ALL {
        assert_eq!(
            central.sql(&format!("SELECT '{algorithm}'::algorithm")),
            algorithm.name()
        );
    }
    for value in ["'NaN'", "'infinity'", "0", "-1"] {
        let statement = format!(
            "DO $$ BEGIN UPDATE profitability SET usd_per_hash_day = {value}; RAISE 'taken';
             EXCEPTION WHEN check_violation THEN NULL; END $$"
        );
        central.sql(&statement);
    }
}

#[test]
fn a_key_is_made_once_and_its_public_half_can_be_shown_again() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let file = folder.path().join("new.key");
    let printed = stdout(aggregator().arg("keygen").arg(&file).output());
    assert_eq!(
        stdout(aggregator().arg("public-key").arg(&file).output()),
        printed
    );
    let again = aggregator()
        .arg("keygen")
        .arg(&file)
        .output()
        .expect("started");
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("is left as it is"));
    assert_eq!(
        stdout(aggregator().arg("public-key").arg(&file).output()),
        printed
    );
}
