//! What the books cost for 5,000 workers: time and memory. What they cost the card is in
//! `card.rs`.
//!
//! `cargo bench --bench books`; docs/architecture.md says what follows from the figures.

use smart_mining_core::Instant;
use smart_mining_core::sv1::{Judge, Judged, Outcome};
use smart_mining_proxy::clock::Clock;
use smart_mining_proxy::ledger::Ledger;
use smart_mining_proxy::registry::Registry;
use smart_mining_proxy::store::{Limits, Store};
use smart_mining_wire::Algorithm;
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
    _folder: tempfile::TempDir,
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
            _folder: folder,
        }
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
}

/// The row of the page and the row of the hour, of 5,000 miners that leave and come back.
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
        farm.ledger.write_at(&farm.store, MINUTE + round * 3600);
        farm.store.flush().expect("flushed");
        keys.into_iter().for_each(|key| registry.leave(key));
    }
}
