//! What was answered survives power cuts; a damaged store is put aside and the farm goes on.

use rusqlite::Connection;
use smart_mining_proxy::counts::Counts;
use smart_mining_proxy::store::{
    Alive, Books, Decision, Limits, MinuteTotal, Opened, PowerCuts, Record, Store, StoreError,
    Waiting, schema,
};
use smart_mining_wire::report::FarmState;
use smart_mining_wire::{Algorithm, Report};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("farm.sqlite")
    }

    fn open(&self) -> (Store, Opened) {
        Store::open(&self.path()).unwrap_or_else(|error| panic!("{error}"))
    }

    fn open_with(&self, limits: Limits) -> Store {
        let opened = Store::open_with(&self.path(), limits);
        opened.unwrap_or_else(|error| panic!("{error}")).0
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("a listing");
        let mut names: Vec<String> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }
}

fn event(number: u64) -> Record {
    Record::Event {
        at: 1_000_000 + number,
        code: "pool-down",
        subject: "barn-solo".into(),
        text: format!("event {number}"),
    }
}

fn books(totals: Vec<MinuteTotal>) -> Record {
    Record::Books(Books {
        totals,
        ..Books::default()
    })
}

fn total(minute: u64, pool: &str, accepted: u64) -> MinuteTotal {
    MinuteTotal {
        minute,
        algorithm: Algorithm::Sha256d,
        pool: pool.into(),
        usd: Some(0.25),
        counts: Counts {
            accepted,
            local: 5,
            rejected: 1,
            stale: 2,
            unknown: 3,
            lost: 4,
            refused_here: 2,
            difficulty_accepted: 0.5,
            work: 1.5,
        },
    }
}

fn decision(at: u64) -> Decision {
    Decision {
        at,
        algorithm: Algorithm::Scrypt,
        from_pool: None,
        to_pool: Some("barn-solo".into()),
        coin: Some("LTC".into()),
        rule: "first".into(),
        text: "the only pool".into(),
        detail: r#"{"score":1.5}"#.into(),
    }
}

fn envelope(sequence: u64) -> String {
    let filler = "0123456789abcdef".repeat(200);
    format!(r#"{{"key_id":"k","payload":"{sequence}-{filler}-{sequence}","signature":"s"}}"#)
}

/// A store with something on many pages, closed.
fn filled(place: &Place) {
    let (store, _) = place.open();
    for sequence in 1..=20 {
        store
            .save_snapshot(sequence, 7, envelope(sequence))
            .expect("saved");
    }
    for number in 0..500 {
        assert!(store.record(event(number)));
        assert!(store.record(books(vec![total(number * 60, "s19", 1)])));
        if number % 100 == 0 {
            store.flush().expect("flushed");
        }
    }
    store.close().expect("closed");
}

#[test]
fn a_new_store_is_empty() {
    let place = Place::new();
    let (store, opened) = place.open();
    assert_eq!(opened.newest, None);
    assert_eq!(opened.candidates, []);
    assert_eq!(opened.recovered, None);
    assert!(store.is_alive() && store.last_error().is_none() && store.dropped() == 0);
}

#[test]
fn what_was_recorded_is_read_back() {
    let place = Place::new();
    let (store, _) = place.open();
    assert!(store.record(event(1)));
    assert!(store.record(event(2)));
    assert!(store.record(Record::Decision(decision(5))));
    let meta = |value: &str| Record::Meta {
        key: "clock",
        value: value.into(),
    };
    assert!(store.record(meta("1")) && store.record(meta("2")));
    store.flush().expect("flushed");
    let reader = store.reader().expect("a reader");
    let texts: Vec<String> = reader
        .events(10)
        .expect("events")
        .into_iter()
        .map(|e| e.text)
        .collect();
    assert_eq!(texts, ["event 2", "event 1"]);
    assert_eq!(reader.events(1).expect("events").len(), 1);
    assert_eq!(
        reader.decisions(10).expect("decisions")[0].decision,
        decision(5)
    );
    assert_eq!(reader.meta("clock").expect("meta").as_deref(), Some("2"));
    assert_eq!(reader.meta("other").expect("meta"), None);
}

#[test]
fn totals_of_one_minute_are_added_up() {
    let place = Place::new();
    let (store, _) = place.open();
    assert!(store.record(books(vec![total(60, "s19", 5), total(60, "s21", 1)])));
    store.flush().expect("flushed");
    assert!(store.record(books(vec![total(60, "s19", 7), total(120, "s19", 1)])));
    store.close().expect("closed");
    let (store, _) = place.open();
    let totals = store
        .reader()
        .expect("a reader")
        .totals(60)
        .expect("totals");
    assert_eq!(totals.len(), 3);
    let first = &totals[0];
    assert_eq!(
        (
            &*first.pool,
            first.counts.accepted,
            first.counts.lost,
            first.usd
        ),
        ("s19", 12, 8, Some(0.5))
    );
    let counts = &first.counts;
    assert_eq!((counts.local, counts.refused_here), (10, 4));
    assert_eq!((counts.difficulty_accepted, counts.work), (1.0, 3.0));
    let later = store
        .reader()
        .expect("a reader")
        .totals(61)
        .expect("totals");
    assert_eq!(later, [total(120, "s19", 1)]);
}

#[test]
fn odd_numbers_and_long_texts_do_no_harm() {
    let place = Place::new();
    let (store, _) = place.open();
    let mut odd = total(u64::MAX, "w", u64::MAX);
    odd.counts.difficulty_accepted = f64::NAN;
    odd.counts.work = f64::INFINITY;
    odd.usd = Some(f64::NAN);
    assert!(store.record(books(vec![odd])));
    let text = "é".repeat(100_000);
    assert!(store.record(Record::Event {
        at: u64::MAX,
        code: "x",
        subject: text.clone(),
        text
    }));
    store.flush().expect("flushed");
    let reader = store.reader().expect("a reader");
    assert_eq!(reader.events(1).expect("events")[0].text.len(), 4096);
    assert_eq!(
        reader.totals(0).expect("totals")[0]
            .counts
            .difficulty_accepted,
        0.0
    );
    let refused = store.save_snapshot(u64::MAX, 0, String::new());
    assert!(matches!(refused, Err(StoreError::Sequence(u64::MAX))));
}

#[test]
fn the_newest_snapshots_are_kept() {
    let place = Place::new();
    let (store, _) = place.open();
    for sequence in (1..=30).chain([30]) {
        store
            .save_snapshot(sequence, sequence + 100, envelope(sequence))
            .expect("saved");
    }
    drop(store);
    let (_store, opened) = place.open();
    let sequences: Vec<u64> = opened.candidates.iter().map(|s| s.sequence).collect();
    assert_eq!(sequences, [30, 29, 28, 27, 26]);
    let newest = opened.newest.expect("a snapshot");
    assert_eq!((newest.sequence, newest.received_at), (30, 130));
    assert_eq!(newest.envelope, envelope(30));
    let raw = Connection::open(place.path()).expect("opens");
    let count: i64 = raw
        .query_row("SELECT count(*) FROM snapshots", (), |r| r.get(0))
        .expect("a count");
    assert_eq!(count, 20);
}

#[test]
fn a_dropped_store_writes_what_is_pending() {
    let place = Place::new();
    let (store, _) = place.open();
    let other = store.clone();
    assert!(store.record(event(1)));
    drop(store);
    assert!(other.record(event(2)));
    drop(other);
    let (store, _) = place.open();
    assert_eq!(
        store
            .reader()
            .expect("a reader")
            .events(9)
            .expect("events")
            .len(),
        2
    );
}

#[test]
fn a_closed_store_says_so() {
    let place = Place::new();
    let (store, _) = place.open();
    let other = store.clone();
    store.close().expect("closed");
    assert!(!other.record(event(1)));
    assert_eq!(other.dropped(), 1);
    assert!(matches!(other.flush(), Err(StoreError::Stopped)));
    assert!(matches!(
        other.save_snapshot(1, 1, String::new()),
        Err(StoreError::Stopped)
    ));
    assert!(!other.is_alive());
    // The lock is free while a handle still exists.
    let (_again, _) = place.open();
}

#[test]
fn a_full_queue_is_counted_and_never_waited_for() {
    let place = Place::new();
    let store = place.open_with(Limits {
        queue: 1,
        pending_rows: 2,
        ..Limits::default()
    });
    let sent = (0..1000)
        .filter(|&number| store.record(event(number)))
        .count();
    store.flush().expect("flushed");
    let kept = store
        .reader()
        .expect("a reader")
        .events(1000)
        .expect("events")
        .len();
    // Refused at the queue, or dropped by the writer that holds two rows: all are counted.
    assert!(sent <= 1000 && kept >= 1);
    assert_eq!(kept as u64 + store.dropped(), 1000);
}

#[test]
fn the_oldest_history_goes() {
    let place = Place::new();
    let limits = Limits {
        prune_rows: 1,
        events: 10,
        decisions: 5,
        ..Limits::default()
    };
    let store = place.open_with(limits);
    let day = 24 * 3600;
    for number in 0..30 {
        assert!(store.record(event(number)));
        assert!(store.record(Record::Decision(decision(number))));
    }
    let old = vec![
        total(0, "w", 1),
        total(day - 60, "w", 1),
        total(day, "w", 1),
        total(3 * day, "w", 1),
    ];
    assert!(store.record(books(old)));
    store.flush().expect("flushed");
    let reader = store.reader().expect("a reader");
    let events = reader.events(100).expect("events");
    assert_eq!((events.len(), events[9].text.as_str()), (10, "event 20"));
    assert_eq!(reader.decisions(100).expect("decisions").len(), 5);
    let minutes: Vec<u64> = reader
        .totals(0)
        .expect("totals")
        .iter()
        .map(|t| t.minute)
        .collect();
    assert_eq!(minutes, [day, 3 * day]);
}

#[test]
fn readers_see_whole_groups_while_the_writer_writes() {
    let place = Place::new();
    let store = place.open_with(Limits {
        queue: 100_000,
        pending_rows: 100_000,
        batch_rows: 10,
        ..Limits::default()
    });
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let reader = store.reader().expect("a reader");
                let mut last = 0;
                while last < 400 {
                    let totals = reader.totals(0).expect("totals");
                    let accepted: u64 = totals.iter().map(|t| t.counts.accepted).sum();
                    // Both workers are in one record, so in one transaction.
                    assert_eq!(accepted % 2, 0);
                    assert!(accepted >= last, "never back");
                    last = accepted;
                }
            });
        }
        for minute in 0..200 {
            let both = vec![
                total(minute % 7 * 60, "a", 1),
                total(minute % 7 * 60, "b", 1),
            ];
            assert!(store.record(books(both)));
        }
        store.flush().expect("flushed");
    });
}

#[test]
fn a_second_process_is_refused() {
    let place = Place::new();
    let (_store, _) = place.open();
    let error = Store::open(&place.path()).err().expect("locked");
    let expected = format!(
        "the store {} is in use by process {}; stop that one first, or give this one another [store] path",
        place.path().display(),
        std::process::id()
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let error = Store::open(Path::new("/proc/nowhere/farm.sqlite"))
        .err()
        .expect("refused");
    let text = error.to_string();
    assert!(
        text.starts_with("the folder of the store /proc/nowhere/farm.sqlite cannot be used: "),
        "{text}"
    );
    let place = Place::new();
    fs::create_dir(place.path()).expect("a folder in the store's place");
    let text = Store::open(&place.path())
        .err()
        .expect("refused")
        .to_string();
    assert!(
        text.contains("farm.sqlite: cannot open it: ") && text.contains("may be written to"),
        "{text}"
    );
}

#[test]
fn no_room_at_all_is_an_error_and_not_a_panic() {
    let place = Place::new();
    let limits = Limits {
        max_pages: 2,
        ..Limits::default()
    };
    let error = Store::open_with(&place.path(), limits)
        .err()
        .expect("no room");
    assert!(error.is_full(), "{error}");
    assert!(
        error.to_string().ends_with("; free some space on its disk"),
        "{error}"
    );
}

#[test]
fn when_the_room_is_used_up_the_oldest_history_makes_way() {
    let place = Place::new();
    let store = place.open_with(Limits {
        max_pages: 60,
        events: 1000,
        prune_rows: 1_000_000,
        ..Limits::default()
    });
    store.save_snapshot(1, 1, envelope(1)).expect("saved");
    for number in 0..5000 {
        assert!(store.record(event(number)));
        if number % 50 == 49 {
            store
                .flush()
                .unwrap_or_else(|error| panic!("{number}: {error}"));
        }
    }
    store.save_snapshot(2, 1, envelope(2)).expect("saved");
    assert_eq!((store.last_error(), store.dropped()), (None, 0));
    assert_eq!(
        store.reader().expect("a reader").events(1).expect("events")[0].text,
        "event 4999"
    );
    drop(store);
    assert_eq!(place.open().1.newest.expect("a snapshot").sequence, 2);
}

#[test]
fn a_write_that_fails_is_shown_kept_and_tried_again() {
    let place = Place::new();
    let limits = Limits {
        pending_rows: 3,
        commit_every: Duration::from_secs(3600),
        ..Limits::default()
    };
    let store = place.open_with(limits);
    let other = Connection::open(place.path()).expect("opens");
    other
        .execute_batch("BEGIN IMMEDIATE")
        .expect("holds the store");
    assert!(store.record(event(1)));
    let error = store.flush().expect_err("held by another").to_string();
    assert!(
        error.contains("cannot write to it") && error.ends_with("another program holds it"),
        "{error}"
    );
    assert_eq!(store.last_error(), Some(error));
    let before = store.progress();
    assert!(store.save_snapshot(1, 1, envelope(1)).is_err());
    assert!(store.is_alive() && store.progress() > before);
    // Two more fit, three do not.
    assert!(
        (2..=6).all(|number| store.record(event(number))),
        "the queue takes them"
    );
    assert!(store.flush().is_err());
    assert_eq!(store.dropped(), 3);
    other.execute_batch("ROLLBACK").expect("lets go");
    store.flush().expect("flushed");
    assert_eq!(store.last_error(), None);
    store.save_snapshot(1, 1, envelope(1)).expect("saved");
    let texts: Vec<String> = store
        .reader()
        .expect("a reader")
        .events(9)
        .expect("events")
        .into_iter()
        .map(|e| e.text)
        .collect();
    assert_eq!(texts, ["event 3", "event 2", "event 1"]);
}

#[test]
fn every_earlier_schema_is_brought_forward() {
    for version in 0..=schema::VERSION {
        let place = Place::new();
        let mut raw = Connection::open(place.path()).expect("opens");
        schema::migrate_to(&mut raw, version.try_into().expect("small")).expect("migrates");
        if version >= 1 {
            let row = (41, 7, envelope(41));
            raw.execute("INSERT INTO snapshots VALUES (?1, ?2, ?3)", row)
                .expect("a row");
        }
        drop(raw);
        let (store, opened) = place.open();
        assert_eq!(opened.recovered, None, "schema {version}");
        assert_eq!(
            opened.newest.map(|s| s.sequence),
            (version >= 1).then_some(41)
        );
        assert!(store.record(event(1)));
        store.flush().expect("flushed");
        assert_eq!(
            store
                .reader()
                .expect("a reader")
                .events(9)
                .expect("events")
                .len(),
            1
        );
    }
}

#[test]
fn a_newer_release_s_store_is_left_alone() {
    let place = Place::new();
    filled(&place);
    let raw = Connection::open(place.path()).expect("opens");
    raw.pragma_update(None, "user_version", schema::VERSION + 1)
        .expect("set");
    drop(raw);
    let text = Store::open(&place.path())
        .err()
        .expect("refused")
        .to_string();
    let expected = format!(
        "was written by a newer release (schema {}, this release knows {}); install that release again, or move the file away",
        schema::VERSION + 1,
        schema::VERSION
    );
    assert!(text.ends_with(&expected), "{text}");
    assert!(
        !place.files().iter().any(|f| f.contains("corrupt")),
        "{:?}",
        place.files()
    );
    let raw = Connection::open(place.path()).expect("opens");
    let kept: i64 = raw
        .query_row("SELECT max(sequence) FROM snapshots", (), |r| r.get(0))
        .expect("a row");
    assert_eq!(kept, 20);
}

/// What a failed release leaves: our store, in a schema that we do not know.
fn newer(place: &Place) {
    let raw = Connection::open(place.path()).expect("opens");
    raw.execute_batch("ALTER TABLE snapshots ADD COLUMN more TEXT; INSERT OR IGNORE INTO snapshots (sequence, received_at, envelope) VALUES (21, 8, '{}')")
        .expect("changed");
    raw.pragma_update(None, "user_version", schema::VERSION + 1)
        .expect("set");
}

#[test]
fn after_a_release_that_failed_the_one_before_goes_on_with_its_own_store() {
    let place = Place::new();
    filled(&place);
    // The new release copied it before it changed it.
    let copy = place
        .folder
        .path()
        .join(format!("farm.sqlite.schema-{}", schema::VERSION));
    let raw = Connection::open(place.path()).expect("opens");
    raw.execute("VACUUM INTO ?1", [copy.to_str().expect("UTF-8")])
        .expect("copied");
    drop(raw);
    for round in 1..=2 {
        newer(&place);
        let (store, opened) = place.open();
        let recovered = opened.recovered.expect("it is told");
        assert!(
            recovered.reason.contains("by a newer release"),
            "{}",
            recovered.reason
        );
        // A snapshot that the failed release received is as good as any: it is signed.
        assert_eq!(opened.newest.map(|snapshot| snapshot.sequence), Some(21));
        let events = store
            .reader()
            .expect("a reader")
            .events(1000)
            .expect("events");
        assert!(events.iter().any(|event| event.code == "store-recovered"));
        assert!(events.len() >= 500, "history from before goes on");
        store.close().expect("closed");
        let aside = place.files().into_iter().filter(|name| {
            name.contains(".newer-") && !name.contains("-wal") && !name.contains("-shm")
        });
        assert_eq!(aside.count(), round, "nothing is thrown away");
    }
}

#[test]
fn an_older_release_s_store_is_copied_before_it_changes() {
    let place = Place::new();
    let mut raw = Connection::open(place.path()).expect("opens");
    schema::migrate_to(&mut raw, 4).expect("an older release's");
    raw.execute_batch(
        "INSERT INTO snapshots (sequence, received_at, envelope) VALUES (9, 8, '{}')",
    )
    .expect("a row");
    drop(raw);
    // What an earlier update left.
    std::fs::write(place.folder.path().join("farm.sqlite.schema-3"), "old").expect("written");
    place.open().0.close().expect("closed");
    let kept: Vec<String> = place
        .files()
        .into_iter()
        .filter(|name| name.contains("schema-"))
        .collect();
    assert_eq!(kept, ["farm.sqlite.schema-4"]);
    let copy = Connection::open(place.folder.path().join(&kept[0])).expect("opens");
    let read = |query: &str| -> i64 { copy.query_row(query, (), |row| row.get(0)).expect("a row") };
    assert_eq!(read("PRAGMA user_version"), 4);
    assert_eq!(read("SELECT sequence FROM snapshots"), 9);
    // The next start changes nothing, and copies nothing.
    place.open().0.close().expect("closed");
    assert_eq!(
        place
            .files()
            .into_iter()
            .filter(|name| name.contains("schema-"))
            .count(),
        1
    );
}

fn garbage(path: &Path, at: u64, length: usize) {
    let file = fs::OpenOptions::new()
        .write(true)
        .open(path)
        .expect("opens");
    let bytes: Vec<u8> = (0..length).map(|i| (i * 151 + 83) as u8).collect();
    file.write_all_at(&bytes, at).expect("written");
}

#[test]
fn a_damaged_store_is_moved_aside_whole() {
    let place = Place::new();
    for (text, round) in [("not a database at all", 1), ("neither is this", 2)] {
        fs::write(place.path(), text.repeat(500)).expect("written");
        fs::write(place.folder.path().join("farm.sqlite-wal"), "log").expect("written");
        let (store, opened) = place.open();
        let recovered = opened.recovered.expect("recovered");
        assert_eq!(recovered.reason, "file is not a database");
        assert_eq!(
            fs::read_to_string(&recovered.moved_to).expect("kept"),
            text.repeat(500)
        );
        let name = recovered.moved_to.display().to_string();
        assert!(
            fs::exists(format!("{name}-wal")).expect("readable"),
            "{name}-wal"
        );
        let events = store.reader().expect("a reader").events(9).expect("events");
        assert_eq!(
            (events.len(), events[0].code.as_str()),
            (1, "store-recovered")
        );
        assert!(
            events[0].text.contains(&name) && events[0].text.contains("file is not a database")
        );
        store.close().expect("closed");
        let kept = place
            .files()
            .iter()
            .filter(|f| f.contains(".corrupt-") && f.ends_with("-wal"))
            .count();
        assert_eq!(kept, round, "{:?}", place.files());
    }
}

#[test]
fn another_program_s_database_is_moved_aside() {
    let place = Place::new();
    let raw = Connection::open(place.path()).expect("opens");
    raw.execute_batch("CREATE TABLE mails (id INTEGER)")
        .expect("a table");
    drop(raw);
    let (_store, opened) = place.open();
    assert_eq!(
        opened.recovered.expect("recovered").reason,
        "it is some other program's database"
    );
}

#[test]
fn snapshots_are_saved_out_of_a_damaged_store() {
    let place = Place::new();
    filled(&place);
    // The end of the file holds history; the snapshots stand at its start.
    let length = fs::metadata(place.path()).expect("there").len();
    garbage(
        &place.path(),
        length / 5 * 4,
        usize::try_from(length / 8).expect("small"),
    );
    let (_store, opened) = place.open();
    let recovered = opened.recovered.expect("recovered");
    assert_eq!(recovered.salvaged, 5);
    let newest = opened.newest.expect("a snapshot");
    assert_eq!((newest.sequence, newest.envelope), (20, envelope(20)));
    assert_eq!(opened.candidates.len(), 5);
}

#[test]
fn a_start_goes_well_whatever_happened_to_the_file() {
    let model = Place::new();
    filled(&model);
    let whole = fs::read(model.path()).expect("read");
    let length = whole.len() as u64;
    let mut random = Random(7);
    let mut recovered = 0;
    for round in 0..60 {
        let place = Place::new();
        let damaged = place.path();
        fs::write(&damaged, &whole).expect("written");
        match round % 3 {
            0 => garbage(
                &damaged,
                random.below(length),
                1 + random.below(5000) as usize,
            ),
            1 => garbage(&damaged, random.below(100), 1 + random.below(100) as usize),
            _ => {
                let file = fs::OpenOptions::new()
                    .write(true)
                    .open(&damaged)
                    .expect("opens");
                file.set_len(random.below(length)).expect("cut");
            }
        }
        let (store, opened) = place.open();
        recovered += usize::from(opened.recovered.is_some());
        assert!(store.record(event(1)));
        assert!(store.record(books(vec![total(60, "w", 1)])));
        store
            .flush()
            .unwrap_or_else(|error| panic!("round {round}: {error}"));
        store.save_snapshot(99, 1, envelope(99)).expect("saved");
        drop(store);
        assert_eq!(
            place.open().1.newest.expect("a snapshot").envelope,
            envelope(99)
        );
    }
    assert!(recovered > 40, "only {recovered} of 60 were noticed");
}

#[test]
fn garbage_in_the_log_loses_only_the_log() {
    let mut random = Random(11);
    for round in 0..20 {
        let place = Place::new();
        filled(&place);
        // A connection that never closes leaves its log behind, as a power cut does.
        let raw = Connection::open(place.path()).expect("opens");
        raw.pragma_update(None, "wal_autocheckpoint", 0)
            .expect("set");
        let row = (21, 7, envelope(21));
        raw.execute("INSERT INTO snapshots VALUES (?1, ?2, ?3)", row)
            .expect("a row");
        let copy = Place::new();
        fs::copy(place.path(), copy.path()).expect("copied");
        let log = copy.folder.path().join("farm.sqlite-wal");
        fs::copy(place.folder.path().join("farm.sqlite-wal"), &log).expect("copied");
        let length = fs::metadata(&log).expect("there").len();
        match round {
            0 => {}
            1 => fs::write(&log, "garbage".repeat(1000)).expect("written"),
            _ => garbage(&log, random.below(length), 1 + random.below(3000) as usize),
        }
        let (_store, opened) = copy.open();
        assert_eq!(opened.recovered, None, "round {round}");
        let newest = opened.newest.expect("a snapshot");
        assert!(newest.sequence == 20 || newest.sequence == 21);
        assert_eq!(
            newest.envelope,
            envelope(newest.sequence),
            "whole or not there"
        );
        assert!(round != 0 || newest.sequence == 21);
    }
}

/// xorshift: the same damage each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

const CHILD: &str = "SMART_MINING_TEST_STORE";

/// Not a test of its own: the process that the next test kills.
#[test]
fn child_writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let (store, opened) = Store::open(Path::new(&path)).unwrap_or_else(|error| panic!("{error}"));
    let first = opened.newest.map_or(0, |s| s.sequence) + 1;
    let mut out = std::io::stdout();
    for sequence in first.. {
        store.record(event(sequence));
        store.record(books(vec![total(sequence % 5 * 60, "w", 1)]));
        store
            .save_snapshot(sequence, sequence, envelope(sequence))
            .expect("saved");
        writeln!(out, "\ncommitted {sequence}").expect("heard");
        if sequence % 3 == 0 {
            store.flush().expect("flushed");
            writeln!(out, "\nflushed {sequence}").expect("heard");
        }
    }
}

#[test]
fn nothing_that_was_answered_is_lost_when_the_power_goes() {
    let place = Place::new();
    let mut random = Random(13);
    let mut flushed = 0_u64;
    let mut committed = 0_u64;
    for round in 0..20 {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "child_writes_until_it_is_killed", "--nocapture"])
            .env(CHILD, place.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut left = 1 + random.below(60);
        let hear =
            |line: &str, word: &str| line.strip_prefix(word).and_then(|n| n.parse::<u64>().ok());
        // The kill falls somewhere into what the child does next; then the rest is heard.
        while let Some(Ok(line)) = lines.next() {
            committed = hear(&line, "committed ").unwrap_or(committed);
            flushed = hear(&line, "flushed ").unwrap_or(flushed);
            left = left.saturating_sub(1);
            if left == 0 {
                child.kill().expect("killed");
            }
        }
        child.wait().expect("gone");
        let (store, opened) = place.open();
        assert_eq!(opened.recovered, None, "round {round}");
        let newest = opened.newest.map_or(0, |s| {
            assert_eq!(s.envelope, envelope(s.sequence), "round {round}: whole");
            s.sequence
        });
        assert!(newest >= committed, "round {round}: {newest} < {committed}");
        let totals = store.reader().expect("a reader").totals(0).expect("totals");
        let accepted: u64 = totals.iter().map(|t| t.counts.accepted).sum();
        // Each record is there once or not at all; a cut loses at most the three since the last flush.
        assert!(
            accepted <= newest + 1,
            "round {round}: {accepted} of {newest}"
        );
        let lost = 3 * (round + 1);
        assert!(
            accepted + lost >= flushed,
            "round {round}: {accepted} < {flushed}"
        );
        drop(store);
    }
    assert!(committed > 20, "the child did nothing");
}

/// The power goes while the store is open: what a copy of its files shows.
fn cut(place: &Place, boot: &str) -> Place {
    let after = Place::new();
    for suffix in ["", "-wal"] {
        let name = |path: PathBuf| PathBuf::from(format!("{}{suffix}", path.display()));
        fs::copy(name(place.path()), name(after.path())).expect("copied");
    }
    let raw = Connection::open(after.path()).expect("opens");
    let row = "UPDATE runs SET boot = ?1 WHERE id = (SELECT max(id) FROM runs)";
    assert_eq!(raw.execute(row, [boot]), Ok(1));
    after
}

#[test]
fn a_power_cut_is_told_from_a_stop_and_from_a_crash() {
    let place = Place::new();
    let (store, opened) = place.open();
    assert_eq!((opened.power_cuts.all, store.power_cuts()), (0, 0));
    store.close().expect("closed");
    // Stopped in order.
    let (store, opened) = place.open();
    assert_eq!(opened.power_cuts, PowerCuts::default());
    // The program ended, and the machine went on.
    let this_boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("a boot");
    let after = cut(&place, this_boot.trim());
    assert_eq!(after.open().1.power_cuts, PowerCuts::default());
    // The machine itself went.
    let after = cut(&place, "another boot");
    let (again, opened) = after.open();
    assert_eq!((opened.power_cuts.all, again.power_cuts()), (1, 1));
    assert!(opened.power_cuts.last_seen.is_some());
    drop(again);
    let counted = PowerCuts {
        all: 1,
        last_seen: None,
    };
    assert_eq!(after.open().1.power_cuts, counted, "it is counted once");
    let (_again, _) = after.open();
    let twice = cut(&after, "a third boot");
    assert_eq!(twice.open().1.power_cuts.all, 2);
    drop(store);
}

#[test]
fn a_run_is_seen_as_late_as_its_books_were_written() {
    let place = Place::new();
    let (store, _) = place.open();
    let alive = |now, generation| {
        let alive = Alive {
            now,
            started_at: 1_800_000_000,
            generation,
        };
        Record::Books(Books {
            alive: Some(alive),
            ..Books::default()
        })
    };
    assert!(store.record(alive(1_800_000_300, 1)));
    assert!(store.record(alive(1_800_000_610, 2)));
    store.flush().expect("flushed");
    let reader = store.reader().expect("a reader");
    let runs = reader.runs(0).expect("runs");
    let expected = (1_800_000_000, 1_800_000_610, false);
    let run = (runs[0].started_at, runs[0].seen_at, runs[0].clean);
    assert_eq!((runs.len(), run), (1, expected));
    assert_eq!(reader.generation().expect("read"), 2);
    store.close().expect("closed");
    let (store, _) = place.open();
    let reader = store.reader().expect("a reader");
    let runs = reader.runs(0).expect("runs");
    assert_eq!((runs.len(), runs[0].clean, runs[1].clean), (2, true, false));
    assert_eq!(
        reader.generation().expect("read"),
        0,
        "a new run counts anew"
    );
}

/// An earlier release's file had other bounds, and more in it than this one wants.
#[test]
fn what_an_earlier_release_took_of_the_card_is_given_back() {
    let place = Place::new();
    let mut raw = Connection::open(place.path()).expect("opens");
    schema::migrate_to(&mut raw, 5).expect("migrates");
    raw.execute_batch(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 59999)
         INSERT INTO share_totals (minute, algorithm, worker, pool, accepted, rejected, stale,
            unknown, lost, difficulty_accepted)
         SELECT i / 1000 * 60, 'sha256d', 'rig' || (i % 1000), 'pool-a', 1, 0, 0, 0, 0, 2.0 FROM n",
    )
    .expect("rows");
    drop(raw);
    let before = fs::metadata(place.path()).expect("there").len();
    let store = place.open_with(Limits {
        max_pages: 300,
        ..Limits::default()
    });
    let pages = fs::metadata(place.path()).expect("there").len() / 4096;
    assert!(before / 4096 > 600 && pages <= 300, "{pages} pages");
    let reader = store.reader().expect("a reader");
    let totals = reader.totals(0).expect("totals");
    let accepted: u64 = totals.iter().map(|total| total.counts.accepted).sum();
    assert_eq!((totals.len(), accepted), (60, 60_000));
    assert_eq!(reader.workers(0).expect("workers").len(), 1000);
}

fn report(id: &str) -> Report {
    Report {
        id: id.into(),
        created_at: 1_000_000,
        appliance: "0.1.0".into(),
        uptime: 7,
        sequence: 1,
        state: FarmState::Mining,
        algorithms: BTreeMap::new(),
        update: None,
    }
}

/// The ids that wait, and the accepted sha256d shares in each.
fn waiting(store: &Store) -> Vec<(String, u64)> {
    let reader = store.reader().expect("a reader");
    let reports = reader.waiting_reports(99).expect("read");
    let told = |body: &str| -> u64 {
        let report: Report = serde_json::from_str(body).expect("a report");
        let lane = report.algorithms.get(&Algorithm::Sha256d);
        lane.map_or(0, |lane| lane.shares.accepted)
    };
    let row = |report: Waiting| (report.id, told(&report.body));
    reports.into_iter().map(row).collect()
}

fn rows(told: &[(&str, u64)]) -> Vec<(String, u64)> {
    let row = |&(id, accepted): &(&str, u64)| (id.to_owned(), accepted);
    told.iter().map(row).collect()
}

#[test]
fn each_share_stands_in_one_report_over_a_restart() {
    let place = Place::new();
    let (store, _) = place.open();
    // Without anybody who asks for reports nothing is counted for them.
    assert!(store.record(books(vec![total(60, "w", 100)])));
    store.flush().expect("flushed");
    store.count_for_reports();
    for worker in ["v", "w"] {
        assert!(store.record(books(vec![total(60, worker, 2)])));
    }
    store.save_report(report("a")).expect("saved");
    assert!(store.record(books(vec![total(120, "w", 5)])));
    drop(store);
    let (store, _) = place.open();
    store.count_for_reports();
    assert!(store.record(books(vec![total(120, "w", 1)])));
    store.save_report(report("b")).expect("saved");
    store.save_report(report("c")).expect("saved");
    assert_eq!(waiting(&store), rows(&[("a", 4), ("b", 6), ("c", 0)]));
    // One id is one report: the second is refused, and its shares stay for the next.
    assert!(store.record(books(vec![total(120, "w", 9)])));
    assert!(store.save_report(report("c")).is_err());
    store
        .delete_reports(vec!["a".into(), "b".into()])
        .expect("deleted");
    store.save_report(report("d")).expect("saved");
    assert_eq!(waiting(&store), rows(&[("c", 0), ("d", 9)]));
    assert_eq!(store.last_error(), None);
}

#[test]
fn an_outbox_has_a_bound_and_says_what_it_dropped() {
    let place = Place::new();
    let limits = Limits {
        reports: 3,
        ..Limits::default()
    };
    let store = place.open_with(limits.clone());
    for id in ["a", "b", "c", "d", "e"] {
        store.save_report(report(id)).expect("saved");
    }
    assert_eq!(waiting(&store), rows(&[("c", 0), ("d", 0), ("e", 0)]));
    let outbox = || store.reader().expect("a reader").outbox().expect("read");
    let (before, oldest) = (outbox(), Some(1_000_000));
    assert_eq!(
        (before.waiting, before.dropped, before.oldest_at),
        (3, 2, oldest)
    );
    // Those that were set aside take nobody's place.
    store
        .set_report_aside("c".into(), "odd".into())
        .expect("done");
    store.save_report(report("f")).expect("saved");
    let now = outbox();
    assert_eq!((now.waiting, now.set_aside, now.dropped), (3, 1, 2));
    store.close().expect("closed");
    let store = place.open_with(limits);
    store.save_report(report("g")).expect("saved");
    let state = store.reader().expect("a reader").outbox().expect("read");
    assert_eq!((state.waiting, state.set_aside, state.dropped), (3, 1, 3));
    assert_eq!(waiting(&store), rows(&[("e", 0), ("f", 0), ("g", 0)]));
}
