//! What miners did and what pools said of it, from the share to the file.

use rusqlite::Connection;
use smart_mining_core::Instant;
use smart_mining_core::sv1::{Judge, Judged, Outcome};
use smart_mining_proxy::clock::Clock;
use smart_mining_proxy::counts::Counts;
use smart_mining_proxy::ledger::{EVERY, Ledger, Outside};
use smart_mining_proxy::registry::Registry;
use smart_mining_proxy::store::{
    Books, Limits, MinerCount, MinuteTotal, Reader, Record, Store, schema,
};
use smart_mining_wire::report::FarmState;
use smart_mining_wire::{Algorithm, Report};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// An hour begins with it.
const MINUTE: u64 = 1_800_000_000;
const HOUR: u64 = 3600;

struct Farm {
    ledger: Ledger,
    store: Store,
    now: Instant,
    folder: tempfile::TempDir,
}

impl Farm {
    fn new(limits: Limits) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("farm.sqlite");
        let (store, _) = Store::open_with(&path, limits).unwrap_or_else(|error| panic!("{error}"));
        let clock = Clock::start();
        let farm = Self {
            ledger: Ledger::new(clock),
            store,
            now: clock.now(),
            folder,
        };
        // The minute of the wall clock ends, that of the story begins.
        farm.ledger.write_at(&farm.store, MINUTE);
        farm
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("farm.sqlite")
    }

    fn share(&self, worker: &str, pool: &str, outcome: Outcome, by: Judge) {
        let judged = Judged {
            link: None,
            difficulty: 512.0,
            pool_difficulty: 8192.0,
            outcome,
            by,
        };
        let pool: Arc<str> = pool.into();
        self.ledger
            .add(Algorithm::Sha256d, worker, &pool, &judged, self.now);
    }

    fn accepted(&self, worker: &str, count: u64) {
        for _ in 0..count {
            self.share(worker, "pool-a", Outcome::Accepted, Judge::Pool);
        }
    }

    fn reader(&self) -> Reader {
        self.store.flush().expect("flushed");
        self.store.reader().expect("a reader")
    }

    fn rows(&self) -> Vec<MinuteTotal> {
        self.reader().totals(0).expect("totals")
    }

    /// Minute, pool, accepted.
    fn told(&self) -> Vec<(u64, String, u64)> {
        let row = |row: MinuteTotal| {
            let minute = (row.minute - MINUTE) / 60;
            (minute, row.pool.to_string(), row.counts.accepted)
        };
        self.rows().into_iter().map(row).collect()
    }

    /// Hour, worker, accepted.
    fn workers(&self) -> Vec<(u64, String, u64)> {
        let rows = self.reader().workers(0).expect("workers");
        let row = |row: smart_mining_proxy::store::WorkerTotal| {
            let hour = (row.hour - MINUTE) / HOUR;
            (hour, row.worker.as_str().to_owned(), row.counts.accepted)
        };
        rows.into_iter().map(row).collect()
    }
}

fn sum(rows: &[MinuteTotal]) -> Counts {
    let mut sum = Counts::default();
    for row in rows {
        sum += &row.counts;
    }
    sum
}

fn told(rows: &[(u64, &str, u64)]) -> Vec<(u64, String, u64)> {
    let row = |&(minute, worker, accepted): &(u64, &str, u64)| (minute, worker.into(), accepted);
    rows.iter().map(row).collect()
}

#[test]
fn a_local_share_is_called_accepted_nowhere() {
    let farm = Farm::new(Limits::default());
    farm.store.count_for_reports();
    let registry = Registry::new(Clock::start());
    let (_, miner) = registry.join(Algorithm::Sha256d, ([10, 0, 0, 1], 1).into());
    for _ in 0..7 {
        farm.share("rig1", "pool-a", Outcome::Local, Judge::Appliance);
        let judged = Judged {
            link: None,
            difficulty: 512.0,
            pool_difficulty: 8192.0,
            outcome: Outcome::Local,
            by: Judge::Appliance,
        };
        miner.judged(&judged, farm.now);
    }
    let expected = Counts {
        local: 7,
        work: 7.0 * 512.0,
        ..Counts::default()
    };
    let totals = farm.ledger.totals(Algorithm::Sha256d);
    assert_eq!(totals.counts, expected);
    assert!(totals.hashrates.hashrate_10m > 0.0, "it is work");
    assert_eq!(registry.view()[0].counts, expected);
    farm.ledger.write_at(&farm.store, MINUTE + 60);
    assert_eq!(sum(&farm.rows()), expected);
    let report = Report {
        id: "a".into(),
        created_at: 1,
        appliance: "0.1.0".into(),
        uptime: 1,
        sequence: 0,
        state: FarmState::Mining,
        algorithms: BTreeMap::new(),
        update: None,
    };
    farm.store.save_report(report).expect("saved");
    let waiting = farm.store.reader().expect("a reader").waiting_reports(9);
    let body = &waiting.expect("read")[0].body;
    let report: Report = serde_json::from_str(body).expect("JSON");
    assert_eq!(report.algorithms[&Algorithm::Sha256d].shares.accepted, 0);
}

#[test]
fn what_the_pool_refused_can_be_told_from_what_was_refused_here() {
    let farm = Farm::new(Limits::default());
    farm.share("rig1", "pool-a", Outcome::Rejected, Judge::Pool);
    farm.share("rig1", "pool-a", Outcome::Stale, Judge::Pool);
    farm.share("rig1", "pool-a", Outcome::Rejected, Judge::Appliance);
    farm.ledger.write_at(&farm.store, MINUTE + 60);
    let counts = sum(&farm.rows());
    assert_eq!((counts.rejected, counts.stale), (2, 1));
    assert_eq!((counts.refused_here, counts.refused_by_pools()), (1, 2));
    // The pool saw two that had passed here.
    assert_eq!(counts.work, 2.0 * 512.0);
}

#[test]
fn sums_come_by_the_minute_and_names_with_the_end_of_the_hour() {
    let farm = Farm::new(Limits::default());
    farm.accepted("rig1", 2);
    farm.ledger.write_at(&farm.store, MINUTE + 5);
    assert_eq!(farm.told(), told(&[(0, "pool-a", 2)]));
    farm.accepted("rig2", 3);
    farm.ledger.write_at(&farm.store, MINUTE + 65);
    assert_eq!(farm.told(), told(&[(0, "pool-a", 5)]));
    farm.accepted("rig1", 1);
    farm.ledger.write_at(&farm.store, MINUTE + 70);
    assert_eq!(farm.told(), told(&[(0, "pool-a", 5), (1, "pool-a", 1)]));
    assert_eq!(farm.workers(), []);
    farm.ledger.write_at(&farm.store, MINUTE + HOUR);
    assert_eq!(farm.workers(), told(&[(0, "rig1", 3), (0, "rig2", 3)]));
    farm.accepted("rig2", 4);
    // At the end all is said, in the middle of an hour too.
    farm.ledger.finish(&farm.store);
    let newest = farm.workers().pop();
    assert_eq!(newest, Some((1, "rig2".to_owned(), 4)));
    assert_eq!(sum(&farm.rows()).accepted, 10);
}

#[test]
fn the_card_is_written_once_in_a_while_and_when_it_is_asked_for() {
    let farm = Farm::new(Limits::default());
    let tick = |seconds: u64| {
        let later = farm.now + smart_mining_core::Duration::from_secs(seconds);
        farm.ledger.tick_at(&farm.store, MINUTE + seconds, later);
    };
    let every = EVERY.as_secs();
    for seconds in (5..every).step_by(5) {
        farm.accepted("rig1", 1);
        tick(seconds);
    }
    assert_eq!(farm.told(), [], "nothing is written before its time");
    tick(every + 5);
    let minutes: Vec<u64> = farm.told().iter().map(|row| row.0).collect();
    assert_eq!(minutes, [0, 1, 2, 3, 4, 5], "each minute has its own row");
    assert_eq!(sum(&farm.rows()).accepted, (every - 1) / 5);
    // A report is made: its shares must be on the card with it.
    farm.accepted("rig1", 7);
    farm.ledger.write_at(&farm.store, MINUTE + every + 6);
    assert_eq!(sum(&farm.rows()).accepted, (every - 1) / 5 + 7);
    // And the next time is a whole while later.
    farm.accepted("rig1", 1);
    let later = farm.now + smart_mining_core::Duration::from_secs(300);
    farm.ledger
        .tick_at(&farm.store, MINUTE + every + 300, later);
    assert_eq!(sum(&farm.rows()).accepted, (every - 1) / 5 + 7);
}

#[test]
fn accepted_work_is_worth_what_the_ranking_says_at_the_time() {
    let farm = Farm::new(Limits::default());
    let price = Arc::new(std::sync::Mutex::new(2e-14));
    let now = price.clone();
    farm.ledger.look_outside(Outside {
        price: Box::new(move |algorithm, pool| {
            assert_eq!(algorithm, Algorithm::Sha256d);
            let ranked = pool == "pool-a";
            ranked.then(|| *now.lock().expect("alone"))
        }),
        miners: Box::new(|_| None),
    });
    let accepted = |pool| farm.share("rig1", pool, Outcome::Accepted, Judge::Pool);
    accepted("pool-a");
    accepted("barn-node");
    farm.share("rig1", "pool-a", Outcome::Local, Judge::Appliance);
    farm.ledger.write_at(&farm.store, MINUTE + 5);
    *price.lock().expect("alone") = 6e-14;
    accepted("pool-a");
    farm.ledger.write_at(&farm.store, MINUTE + 60);
    let rows = farm.rows();
    let usd: Vec<(&str, Option<f64>)> = rows.iter().map(|row| (&*row.pool, row.usd)).collect();
    // 8192 x 2^32 hashes are so much of a day of one hash per second.
    let days = 8192.0 * 4_294_967_296.0 / 86_400.0;
    let expected = days * 2e-14 + days * 6e-14;
    assert_eq!(usd[0], ("barn-node", None));
    let (pool, worth) = (usd[1].0, usd[1].1.expect("it has a price"));
    assert_eq!(pool, "pool-a");
    assert!((worth / expected - 1.0).abs() < 1e-12, "{worth}");
}

#[test]
fn miners_are_counted_once_a_minute() {
    let farm = Farm::new(Limits::default());
    let miners = Arc::new(std::sync::atomic::AtomicU64::new(5));
    let here = miners.clone();
    farm.ledger.look_outside(Outside {
        price: Box::new(|_, _| None),
        miners: Box::new(move |algorithm| {
            let served = algorithm == Algorithm::Scrypt;
            served.then(|| here.load(std::sync::atomic::Ordering::Relaxed))
        }),
    });
    for seconds in (0..15 * 60).step_by(5) {
        if seconds == 5 * 60 {
            miners.store(10, std::sync::atomic::Ordering::Relaxed);
        }
        farm.ledger.tick_at(&farm.store, MINUTE + seconds, farm.now);
    }
    farm.ledger.write_at(&farm.store, MINUTE + 15 * 60 - 5);
    let counts = farm.reader().miners(0, u64::MAX, 600).expect("counts");
    let count = |at, miners, counts| MinerCount {
        at,
        algorithm: Algorithm::Scrypt,
        miners,
        counts,
    };
    // The minute in which it began was not turned to.
    let expected = [count(MINUTE, 4 * 5 + 5 * 10, 9), count(MINUTE + 600, 50, 5)];
    assert_eq!(counts, expected);
}

#[test]
fn a_power_cut_costs_names_and_no_shares_that_were_summed() {
    let farm = Farm::new(Limits::default());
    farm.accepted("rig1", 2);
    farm.ledger.write_at(&farm.store, MINUTE);
    farm.store.flush().expect("flushed");
    // What the card has at this moment.
    let copy = farm.folder.path().join("after.sqlite");
    for suffix in ["", "-wal"] {
        let name = |path: &PathBuf| PathBuf::from(format!("{}{suffix}", path.display()));
        std::fs::copy(name(&farm.path()), name(&copy)).expect("copied");
    }
    let (store, _) = Store::open(&copy).unwrap_or_else(|error| panic!("{error}"));
    let rows = store.reader().expect("a reader").totals(0).expect("totals");
    assert_eq!((rows.len(), sum(&rows).accepted), (1, 2));
    assert_eq!(
        store.reader().expect("a reader").workers(0).expect("read"),
        []
    );
}

#[test]
fn shares_of_nobody_stay_under_no_name() {
    let farm = Farm::new(Limits::default());
    farm.share("", "", Outcome::Rejected, Judge::Appliance);
    farm.accepted("rig1", 1);
    farm.ledger.write_at(&farm.store, MINUTE + HOUR);
    assert_eq!(sum(&farm.rows()).shares(), 2);
    assert_eq!(farm.workers(), told(&[(0, "rig1", 1)]));
}

#[test]
fn names_that_a_miner_makes_up_fill_neither_memory_nor_the_card() {
    let farm = Farm::new(Limits::default());
    for number in 0..20_000 {
        farm.accepted(&format!("rig{number}"), 1);
    }
    farm.accepted("rig0", 1);
    farm.ledger.write_at(&farm.store, MINUTE + HOUR);
    assert_eq!(sum(&farm.rows()).accepted, 20_001);
    let workers = farm.workers();
    assert_eq!((workers.len(), workers[0].2), (16_384, 2));
}

/// Every share is in the file, whatever the queue and the disk did meanwhile.
#[test]
fn the_sum_over_the_minutes_is_what_was_added_also_over_a_full_queue() {
    let farm = Farm::new(Limits {
        queue: 1,
        commit_every: Duration::from_secs(3600),
        pending_rows: 100_000,
        ..Limits::default()
    });
    let mut added = 0;
    for round in 0..400_u64 {
        for worker in 0..20 {
            farm.accepted(&format!("rig{worker}"), 1 + round % 3);
            added += 1 + round % 3;
        }
        // Five rounds a minute, handed over without a pause.
        farm.ledger.write_at(&farm.store, MINUTE + round / 5 * 60);
    }
    assert!(farm.store.dropped() > 0, "the queue was never full");
    farm.store.flush().expect("flushed");
    farm.ledger.finish(&farm.store);
    let sum = sum(&farm.rows());
    assert_eq!(sum.accepted, added);
    assert_eq!(sum.difficulty_accepted, added as f64 * 8192.0);
    assert_eq!(
        farm.ledger.totals(Algorithm::Sha256d).counts.accepted,
        added
    );
}

#[test]
fn a_disk_that_refuses_for_hours_costs_no_share() {
    let farm = Farm::new(Limits {
        pending_rows: 400,
        ..Limits::default()
    });
    let other = Connection::open(farm.path()).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("holds it");
    let mut added = 0;
    for minute in 0..200 {
        for worker in 0..50 {
            farm.accepted(&format!("rig{worker}"), 1);
            added += 1;
        }
        farm.ledger.write_at(&farm.store, MINUTE + minute * 60);
        if minute == 0 {
            assert!(farm.store.flush().is_err());
        }
    }
    assert!(farm.store.is_stuck());
    other.execute_batch("ROLLBACK").expect("lets go");
    farm.store.flush().expect("flushed");
    farm.ledger.write_at(&farm.store, MINUTE + 200 * 60);
    let rows = farm.rows();
    assert_eq!((rows.len(), sum(&rows).accepted), (199, added));
    assert_eq!(farm.store.dropped(), 0);
}

#[test]
fn a_store_of_the_release_before_is_carried_on_with_its_shares() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("farm.sqlite");
    let mut raw = Connection::open(&path).expect("opens");
    schema::migrate_to(&mut raw, 4).expect("migrates");
    for worker in ["rig1", "rig2"] {
        let row = (
            MINUTE as i64,
            "sha256d",
            worker,
            "pool-a",
            5,
            1,
            2,
            3,
            4,
            40.0,
        );
        let insert = "INSERT INTO share_totals VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        raw.execute(insert, row).expect("a row");
    }
    drop(raw);
    let (store, opened) = Store::open(&path).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(opened.recovered, None);
    let old = Counts {
        accepted: 5,
        rejected: 1,
        stale: 2,
        unknown: 3,
        lost: 4,
        difficulty_accepted: 40.0,
        ..Counts::default()
    };
    let mut both = old;
    both += &old;
    let reader = store.reader().expect("a reader");
    let kept: Vec<Counts> = reader
        .totals(0)
        .expect("totals")
        .into_iter()
        .map(|row| row.counts)
        .collect();
    assert_eq!(kept, [both]);
    let hours = reader.steps(0, u64::MAX, HOUR).expect("hours");
    assert_eq!(
        (hours.len(), hours[0].at, hours[0].counts),
        (1, MINUTE, both)
    );
    assert_eq!(hours[0].usd, None);
    let workers = reader.workers(0).expect("workers");
    let workers: Vec<_> = workers
        .iter()
        .map(|row| (row.worker.as_str(), row.counts))
        .collect();
    assert_eq!(workers, [("rig1", old), ("rig2", old)]);
    // New counts of the same minute join the old ones.
    let more = MinuteTotal {
        minute: MINUTE,
        algorithm: Algorithm::Sha256d,
        pool: "pool-a".into(),
        counts: Counts {
            accepted: 1,
            local: 9,
            work: 7.0,
            ..Counts::default()
        },
        usd: Some(0.5),
    };
    let books = Books {
        totals: vec![more],
        ..Books::default()
    };
    assert!(store.record(Record::Books(books)));
    store.flush().expect("flushed");
    let now = &reader.totals(0).expect("totals")[0];
    let counts = now.counts;
    assert_eq!((counts.accepted, counts.local, counts.work), (11, 9, 7.0));
    assert_eq!(now.usd, Some(0.5));
}

/// A long time in which each table has more rows than there is room for.
#[test]
fn however_large_and_old_a_farm_is_its_store_has_a_bound() {
    let limits = Limits {
        minute_rows: 60,
        hour_rows: 500,
        worker_rows: 3000,
        miner_rows: 700,
        prune_rows: 200,
        ..Limits::default()
    };
    let farm = Farm::new(limits);
    farm.ledger.look_outside(Outside {
        price: Box::new(|_, _| Some(4e-14)),
        miners: Box::new(|algorithm| (algorithm == Algorithm::Sha256d).then_some(300)),
    });
    let (days, mut biggest) = (20, 0);
    for hour in 0..days * 24 {
        for worker in 0..300 {
            farm.accepted(&format!("rig{worker:04}"), 1);
        }
        let pool = format!("pool-{}", hour % 7);
        farm.share("rig0000", &pool, Outcome::Accepted, Judge::Pool);
        // Every ten minutes, and the hour's names with the last of them.
        for ten in 1..=6 {
            let wall = MINUTE + hour * HOUR + ten * 600;
            farm.ledger.write_at(&farm.store, wall);
        }
        farm.store.flush().expect("flushed");
        let size = |suffix| {
            let file = format!("{}{suffix}", farm.path().display());
            std::fs::metadata(file).map_or(0, |file| file.len())
        };
        biggest = biggest.max(size(""));
        assert!(size("-wal") < 10 << 20, "its log has a bound, too");
    }
    let raw = Connection::open(farm.path()).expect("opens");
    let rows = |table: &str| -> i64 {
        let count = format!("SELECT count(*) FROM {table}");
        raw.query_row(&count, (), |row| row.get(0))
            .expect("a count")
    };
    // What comes between two prunings is on top.
    for (table, most) in [
        ("share_totals", 60),
        ("share_hours", 500),
        ("worker_hours", 3000),
        ("miner_counts", 700),
    ] {
        let rows = rows(table);
        assert!(rows <= most + 600, "{table}: {rows}");
        assert!(rows >= most / 2, "{table}: {rows} are left of {most}");
    }
    let last = (days * 24 - 1, "rig0299".to_owned(), 1);
    assert_eq!(farm.workers().pop(), Some(last), "the newest stay");
    assert!(biggest < 2 << 20, "{biggest} bytes");
    assert_eq!((farm.store.dropped(), farm.store.last_error()), (0, None));
}

#[test]
fn a_clock_that_jumps_ahead_does_not_age_the_history_away() {
    let farm = Farm::new(Limits {
        prune_rows: 1,
        ..Limits::default()
    });
    let accept = |wall: u64| {
        farm.accepted("rig1", 1);
        farm.ledger.write_at(&farm.store, wall);
        farm.store.flush().expect("flushed");
    };
    (1..=150).for_each(|minute| accept(MINUTE + minute * 60));
    assert_eq!(farm.rows().len(), 150);
    // Ten years ahead for a moment, and back.
    accept(MINUTE + 10 * 366 * 24 * HOUR);
    accept(MINUTE + 151 * 60);
    let left = farm.rows().len();
    assert!((40..150).contains(&left), "{left} of 150 are left");
    // Those that are really old go in the end.
    (0..100).for_each(|minute| accept(MINUTE + 72 * HOUR + minute * 60));
    let oldest = farm.rows()[0].minute;
    assert!(oldest >= MINUTE + 24 * HOUR, "{}", oldest - MINUTE);
}
