//! What the books cost for 5,000 workers: time, memory, and bytes on the card.
//!
//! `cargo bench --bench books`; docs/architecture.md says what follows from the figures.

use smart_mining_core::Instant;
use smart_mining_core::sv1::{Judge, Judged, Outcome};
use smart_mining_proxy::clock::Clock;
use smart_mining_proxy::counts::Counts;
use smart_mining_proxy::ledger::Ledger;
use smart_mining_proxy::registry::Registry;
use smart_mining_proxy::store::{Limits, MinuteTotal, Record, Store};
use smart_mining_wire::Algorithm;
use std::path::PathBuf;
use std::sync::Arc;

const MINUTE: u64 = 1_800_000_000;

fn main() {
    // First, while nothing else has taken memory.
    what_a_connected_miner_takes_in_memory();
    what_five_thousand_workers_cost();
}

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
        let (store, _) = Store::open_with(&path, limits).expect("a new store");
        let clock = Clock::start();
        Self {
            ledger: Ledger::new(clock),
            store,
            now: clock.now(),
            folder,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("farm.sqlite")
    }

    fn rows(&self) -> u64 {
        let reader = self.store.reader().expect("a reader");
        reader.totals(0).expect("totals").len() as u64
    }
}

fn what_five_thousand_workers_cost() {
    let farm = Farm::new(Limits::default());
    let pool: Arc<str> = "some-pool.example".into();
    let names: Vec<String> = (0..5000)
        .map(|n| format!("shed{}.rig{n:04}", n % 8))
        .collect();
    let judged = Judged {
        link: None,
        difficulty: 60_000.0,
        pool_difficulty: 131_072.0,
        outcome: Outcome::Local,
        by: Judge::Appliance,
    };
    let add = |name: &str| {
        farm.ledger
            .add(Algorithm::Sha256d, name, &pool, &judged, farm.now);
    };
    names.iter().for_each(|name| add(name));
    // On the processor: what else the machine does meanwhile is left out.
    let busy = || {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("schedstat");
        let first = stat.split(' ').next();
        first
            .and_then(|first| first.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let rounds = 200;
    let run = |title: &str| {
        let begun = busy();
        for round in 0..rounds {
            (0..5000).for_each(|n| add(&names[(n * 7919 + round) % 5000]));
        }
        println!(
            "add, {title}: {} ns",
            (busy() - begun) / (rounds as u64 * 5000)
        );
    };
    run("alone");
    std::thread::scope(|scope| {
        for thread in ["one of two threads", "the other"] {
            let run = &run;
            scope.spawn(move || run(thread));
        }
    });
    farm.ledger.write_at(&farm.store, MINUTE + 60);
    farm.store.flush().expect("flushed");

    names_once_a_minute(&farm, "names once a minute", &names, &judged, &pool);
    every_worker_every_5_s(&farm, &names, &pool);
    let size = std::fs::metadata(farm.path()).expect("there").len();
    let rows = farm.rows();
    println!("{} bytes a row", size / rows);
    // The room is used up from the second minute on.
    let narrow = Farm::new(Limits {
        detail_pages: 200,
        ..Limits::default()
    });
    names_once_a_minute(&narrow, "with old names folded", &names, &judged, &pool);
}

fn names_once_a_minute(
    farm: &Farm,
    title: &str,
    names: &[String],
    judged: &Judged,
    pool: &Arc<str>,
) {
    cost(farm, title, 10, |minute| {
        for turn in 0..12 {
            for name in half(names, turn) {
                let now = farm.now;
                farm.ledger.add(Algorithm::Sha256d, name, pool, judged, now);
            }
            farm.ledger
                .write_at(&farm.store, MINUTE + 6000 + minute * 60);
            farm.store.flush().expect("flushed");
        }
    });
}

fn every_worker_every_5_s(farm: &Farm, names: &[String], pool: &Arc<str>) {
    cost(farm, "every worker every 5 s", 3, |minute| {
        for turn in 0..12 {
            let rows = half(names, turn).map(|name| MinuteTotal {
                minute: MINUTE + 60_000 + minute * 60,
                algorithm: Algorithm::Sha256d,
                worker: name.parse().expect("short"),
                pool: pool.clone(),
                counts: Counts {
                    local: 1,
                    work: 60_000.0,
                    ..Counts::default()
                },
            });
            assert!(farm.store.record(Record::ShareTotals(rows.collect())));
            farm.store.flush().expect("flushed");
        }
    });
}

/// Eight shares a minute and worker: in 5 s half of them have one.
fn half(names: &[String], turn: usize) -> impl Iterator<Item = &String> {
    names.iter().skip(turn % 2).step_by(2)
}

fn cost(farm: &Farm, title: &str, minutes: u64, act: impl FnMut(u64)) {
    let written = || {
        let io = std::fs::read_to_string("/proc/self/io").expect("io");
        let line = io.lines().find(|line| line.starts_with("wchar:"));
        line.and_then(|line| line.split(' ').nth(1)?.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let (before, begun) = (written(), std::time::Instant::now());
    (0..minutes).for_each(act);
    farm.store.flush().expect("flushed");
    println!(
        "{title}: {} KiB written a minute, {} ms",
        (written() - before) / minutes / 1024,
        begun.elapsed().as_millis() as u64 / minutes
    );
}

/// The row of the page and the row of the minute, of 5,000 miners that leave and come back.
fn what_a_connected_miner_takes_in_memory() {
    let resident = || {
        let statm = std::fs::read_to_string("/proc/self/statm").expect("statm");
        let pages = statm.split(' ').nth(1);
        pages
            .and_then(|pages| pages.parse::<u64>().ok())
            .unwrap_or(0)
            * 4096
    };
    let farm = Farm::new(Limits::default());
    let registry = Registry::new(Clock::start());
    let pool: Arc<str> = "some-pool.example".into();
    let judged = Judged {
        link: None,
        difficulty: 512.0,
        pool_difficulty: 8192.0,
        outcome: Outcome::Accepted,
        by: Judge::Pool,
    };
    let before = resident();
    for round in 0..20_u64 {
        let join = |port| {
            let (key, miner) = registry.join(Algorithm::Sha256d, ([10, 0, 0, 1], port).into());
            miner.named(&format!("rig{port}"), "cgminer/4.11.1-some-firmware-2023");
            key
        };
        let keys: Vec<u64> = (0..5000).map(join).collect();
        let with_rows = resident() - before;
        for port in 0..5000 {
            let worker = format!("rig{port}");
            farm.ledger
                .add(Algorithm::Sha256d, &worker, &pool, &judged, farm.now);
        }
        let all = resident() - before;
        println!(
            "round {round}: {} bytes a miner with its row, {} with its books",
            with_rows / 5000,
            all / 5000
        );
        farm.ledger.write_at(&farm.store, MINUTE + round * 60);
        farm.store.flush().expect("flushed");
        keys.into_iter().for_each(|key| registry.leave(key));
    }
}
