//! What miners did and what pools said of it, from the share to the file.

use rusqlite::Connection;
use smart_mining_core::Instant;
use smart_mining_core::sv1::{Judge, Judged, Outcome};
use smart_mining_proxy::clock::Clock;
use smart_mining_proxy::counts::Counts;
use smart_mining_proxy::ledger::Ledger;
use smart_mining_proxy::registry::Registry;
use smart_mining_proxy::store::{Limits, MinuteTotal, Record, Store, schema};
use smart_mining_wire::report::FarmState;
use smart_mining_wire::{Algorithm, Report};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const MINUTE: u64 = 1_800_000_000;

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

    fn rows(&self) -> Vec<MinuteTotal> {
        self.store.flush().expect("flushed");
        let reader = self.store.reader().expect("a reader");
        reader.totals(0).expect("totals")
    }

    /// Minute, worker, accepted.
    fn told(&self) -> Vec<(u64, String, u64)> {
        let row = |row: MinuteTotal| {
            let minute = (row.minute - MINUTE) / 60;
            (minute, row.worker.as_str().to_owned(), row.counts.accepted)
        };
        self.rows().into_iter().map(row).collect()
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
fn sums_come_soon_and_names_with_the_end_of_the_minute() {
    let farm = Farm::new(Limits::default());
    farm.accepted("rig1", 2);
    farm.ledger.write_at(&farm.store, MINUTE);
    assert_eq!(farm.told(), told(&[(0, "", 2)]));
    farm.accepted("rig2", 3);
    farm.ledger.write_at(&farm.store, MINUTE);
    assert_eq!(farm.told(), told(&[(0, "", 5)]));
    farm.accepted("rig1", 1);
    farm.ledger.write_at(&farm.store, MINUTE + 60);
    assert_eq!(farm.told(), told(&[(0, "rig1", 3), (0, "rig2", 3)]));
    farm.accepted("rig2", 4);
    // At the end all is said, in the middle of a minute too.
    farm.ledger.finish(&farm.store);
    assert_eq!(
        farm.told(),
        told(&[(0, "rig1", 3), (0, "rig2", 3), (1, "rig2", 4)])
    );
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
    assert_eq!((rows.len(), rows[0].worker.as_str()), (1, ""));
    assert_eq!(sum(&rows).accepted, 2);
}

#[test]
fn shares_of_nobody_stay_under_no_name() {
    let farm = Farm::new(Limits::default());
    farm.share("", "", Outcome::Rejected, Judge::Appliance);
    farm.accepted("rig1", 1);
    farm.ledger.write_at(&farm.store, MINUTE + 60);
    let rows = farm.rows();
    assert_eq!(sum(&rows).shares(), 2);
    let nobody: Vec<&MinuteTotal> = rows.iter().filter(|row| row.worker.is_empty()).collect();
    assert_eq!((nobody.len(), nobody[0].counts.rejected), (1, 1));
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
        pending_rows: 60,
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
    assert_eq!(sum(&rows).accepted, added);
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
    let totals = || store.reader().expect("a reader").totals(0).expect("totals");
    let kept: Vec<Counts> = totals().into_iter().map(|row| row.counts).collect();
    assert_eq!(kept, [old, old]);
    // New counts of the same minute join the old ones.
    let more = MinuteTotal {
        minute: MINUTE,
        algorithm: Algorithm::Sha256d,
        worker: "rig1".parse().expect("short"),
        pool: "pool-a".into(),
        counts: Counts {
            accepted: 1,
            local: 9,
            work: 7.0,
            ..Counts::default()
        },
    };
    assert!(store.record(Record::ShareTotals(vec![more])));
    store.flush().expect("flushed");
    let counts = totals()[0].counts;
    assert_eq!((counts.accepted, counts.local, counts.work), (6, 9, 7.0));
}

#[test]
fn where_room_is_short_the_oldest_minutes_keep_their_sums_and_lose_the_names() {
    let farm = Farm::new(Limits {
        detail_pages: 100,
        prune_rows: 1000,
        ..Limits::default()
    });
    let mut added = 0;
    for minute in 0..60 {
        for worker in 0..200 {
            farm.accepted(&format!("rig{worker:04}"), 1);
            added += 1;
        }
        farm.ledger
            .write_at(&farm.store, MINUTE + (minute + 1) * 60);
        farm.store.flush().expect("flushed");
    }
    let rows = farm.rows();
    assert_eq!(sum(&rows).accepted, added);
    let newest = rows.iter().filter(|row| row.minute == MINUTE + 59 * 60);
    assert_eq!(newest.count(), 200);
    let oldest: Vec<&MinuteTotal> = rows.iter().filter(|row| row.minute == MINUTE).collect();
    assert_eq!((oldest.len(), oldest[0].counts.accepted), (1, 200));
    assert!(oldest[0].worker.is_empty());
    let pages = std::fs::metadata(farm.path()).expect("there").len() / 4096;
    assert!(pages < 160, "{pages} pages");
}
