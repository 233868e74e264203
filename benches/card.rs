//! What a large farm's history costs a card: bytes written in a day, and the store's size
//! after a year. Nothing is waited for: time is an argument.
//!
//! `cargo bench --bench card -- [FOLDER] [MINERS] [SHARES] [SNAPSHOT]`, with the shares of a miner in
//! a minute and the seconds between two snapshots that are stored; docs/performance.md says how to give it
//! a file system of its own, and what came out.

use smart_mining_core::sv1::{Judge, Judged, Outcome};
use smart_mining_core::{Duration, Instant};
use smart_mining_proxy::clock::Clock;
use smart_mining_proxy::counts::Counts;
use smart_mining_proxy::ledger::{Ledger, Outside};
use smart_mining_proxy::store::{Books, Decision, Limits, MinuteTotal, Record, Store, WorkerTotal};
use smart_mining_wire::report::FarmState;
use smart_mining_wire::{Algorithm, Report};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Midnight.
const START: u64 = 1_800_057_600;
const DAY: u64 = 24 * 3600;
const HOUR: u64 = 3600;
/// How often the appliance looks at its books.
const TICK: u64 = 5;
/// How often it reports.
const REPORT: u64 = 300;
const POOLS: [&str; 3] = [
    "first-pool.example",
    "second-pool.example",
    "third-pool.example",
];

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|word| word != "--bench");
    let folder = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let mut number = |otherwise| {
        let word = arguments.next();
        word.map_or(otherwise, |word| word.parse().expect("a number"))
    };
    let (miners, shares, snapshots) = (number(5000), number(8), number(600));
    let folder = tempfile::tempdir_in(folder).expect("a folder");
    a_day(
        &folder.path().join("day.sqlite"),
        miners,
        [shares, snapshots],
    );
    a_year(&folder.path().join("year.sqlite"), miners);
}

/// What is written, by three ways to count.
struct Written {
    folder: PathBuf,
}

impl Written {
    /// Bytes that this process made the kernel write; log and index of the log included.
    fn by_process() -> u64 {
        let io = fs::read_to_string("/proc/self/io").expect("io");
        let line = io
            .lines()
            .find_map(|line| line.strip_prefix("write_bytes: "));
        line.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
    }

    /// Bytes that reached the device, whoever wrote them; the file system's own included.
    fn by_device(&self) -> u64 {
        let device = fs::metadata(&self.folder).expect("a folder").dev();
        let name = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
        let statistics = fs::read_to_string("/proc/diskstats").expect("statistics");
        let sectors = |line: &str| {
            let mut words = line.split_whitespace();
            let number = |word: Option<&str>| word?.parse::<u64>().ok();
            let found = (number(words.next())?, number(words.next())?);
            (found == name).then(|| number(words.nth(7)))?
        };
        statistics.lines().find_map(sectors).unwrap_or(0) * 512
    }
}

/// A farm's day: shares, reports that central takes, snapshots, events, switches.
fn a_day(path: &Path, miners: usize, [shares, snapshots]: [usize; 2]) {
    let (store, _) = Store::open(path).expect("a new store");
    store.count_for_reports();
    let clock = Clock::start();
    let ledger = Ledger::new(clock);
    ledger.look_outside(Outside {
        price: Box::new(|_, _| Some(4e-14)),
        miners: Box::new(move |algorithm| (algorithm == Algorithm::Sha256d).then_some(5000)),
    });
    ledger.write_at(&store, START);
    store.flush().expect("flushed");
    let day = Day {
        names: (0..miners)
            .map(|n| format!("shed{}.rig{n:04}", n % 8))
            .collect(),
        start: clock.now(),
        shares: shares as u64,
        snapshots: snapshots as u64,
        index: with_suffix(path, "-shm"),
        ledger,
        store,
    };
    let written = Written {
        folder: path.parent().expect("it has one").to_owned(),
    };
    let (process, device) = (Written::by_process(), written.by_device());
    let begun = std::time::Instant::now();
    (0..DAY / TICK).for_each(|tick| day.tick(tick * TICK));
    day.store.flush().expect("flushed");
    let log = size(&with_suffix(path, "-wal"));
    nix::unistd::sync();
    println!(
        "a day of {miners} miners: {:.1} MB written by the process, {:.1} MB on the device; \
         the store has {:.1} MB, its log {:.1} MB; {} records lost; took {} s",
        mega(Written::by_process() - process),
        mega(written.by_device() - device),
        mega(size(path)),
        mega(log),
        day.store.dropped(),
        begun.elapsed().as_secs(),
    );
}

struct Day {
    names: Vec<String>,
    shares: u64,
    snapshots: u64,
    start: Instant,
    index: PathBuf,
    ledger: Ledger,
    store: Store,
}

impl Day {
    fn tick(&self, second: u64) {
        let pool: Arc<str> = POOLS[usize::try_from(second / (DAY / 24)).expect("small") % 3].into();
        // Spread over the miners, so that each has its shares in a minute.
        for (n, name) in self.names.iter().enumerate() {
            let turn = n as u64 + second / TICK;
            if turn % (60 / TICK) < self.shares {
                self.share(name, &pool, n as u64 + second);
            }
        }
        let (wall, now) = (START + second, self.start + Duration::from_secs(second));
        self.ledger.tick_at(&self.store, wall, now);
        // Of an hour that is over, the names.
        if second.is_multiple_of(HOUR) {
            self.written();
        }
        // Within half a minute the kernel writes the log's index by itself.
        if second.is_multiple_of(30) {
            File::open(&self.index)
                .and_then(|index| index.sync_all())
                .expect("the log's index");
        }
        if second.is_multiple_of(REPORT) {
            self.report(second);
        }
        if second % self.snapshots == 120 {
            self.snapshot(second);
        }
        // 200 other events and 24 switches.
        if second.is_multiple_of(430) {
            self.happened(wall, "pool-notice", "a pool has something to say to people");
        }
        if second.is_multiple_of(HOUR) {
            self.switched(wall, &pool);
        }
    }

    fn share(&self, name: &str, pool: &Arc<str>, turn: u64) {
        // One in a hundred meets the pool's difficulty, few are refused.
        let (outcome, by) = match turn % 101 {
            0 => (Outcome::Accepted, Judge::Pool),
            1 if turn.is_multiple_of(7) => (Outcome::Stale, Judge::Appliance),
            _ => (Outcome::Local, Judge::Appliance),
        };
        let judged = Judged {
            link: None,
            difficulty: 65_537.25,
            pool_difficulty: 8_388_608.0,
            outcome,
            by,
        };
        let now = self.start;
        self.ledger
            .add(Algorithm::Sha256d, name, pool, &judged, now);
    }

    fn report(&self, second: u64) {
        self.ledger.write_at(&self.store, START + second);
        let id = format!("{second:032x}");
        let report = Report {
            id: id.clone(),
            created_at: START + second,
            appliance: "0.1.0".into(),
            uptime: second,
            sequence: START + second,
            state: FarmState::Mining,
            algorithms: BTreeMap::new(),
            update: None,
        };
        self.store.save_report(report).expect("saved");
        self.store.delete_reports(vec![id]).expect("deleted");
    }

    /// As large as the one of forty pools is.
    fn snapshot(&self, second: u64) {
        let envelope = "0123456789abcdef".repeat(900);
        let sequence = START + second;
        let saved = self.store.save_snapshot(sequence, sequence, envelope);
        saved.expect("saved");
        self.happened(sequence, "snapshot-accepted", "40 entries");
    }

    fn happened(&self, at: u64, code: &'static str, text: &str) {
        assert!(self.store.record(Record::Event {
            at,
            code,
            subject: "some-pool.example".into(),
            text: text.into(),
        }));
    }

    fn switched(&self, at: u64, pool: &str) {
        let candidate =
            r#"{"pool":"first-pool.example","coin":"BTC","score":4.0e-14,"ready":true}"#;
        assert!(self.store.record(Record::Decision(Decision {
            at,
            algorithm: Algorithm::Sha256d,
            from_pool: None,
            to_pool: Some(pool.to_owned()),
            coin: Some("BTC".to_owned()),
            rule: "profit".to_owned(),
            text: "it pays 6 % more, by two rankings".to_owned(),
            detail: format!(r#"{{"candidates":[{}]}}"#, [candidate; 40].join(",")),
        })));
        self.happened(at, "route-changed", "now on another pool: it pays 6 % more");
        self.written();
    }

    /// The writer's time is up: what was handed over is a group of its own.
    fn written(&self) {
        self.store.flush().expect("flushed");
    }
}

/// Every hour of a year with all its workers, and a pool that changes every hour.
fn a_year(path: &Path, miners: usize) {
    let (store, _) = Store::open_with(path, Limits::default()).expect("a new store");
    let begun = std::time::Instant::now();
    let (mut biggest, mut log) = (0, 0);
    let counts = Counts {
        accepted: 5,
        local: 475,
        rejected: 2,
        difficulty_accepted: 41_943_040.0,
        work: 31_457_880.5,
        ..Counts::default()
    };
    for hour in 0..365 * 24 {
        let start = START + hour * HOUR;
        let total = |minute: u64| MinuteTotal {
            minute: start + minute * 60,
            algorithm: Algorithm::Sha256d,
            pool: POOLS[usize::try_from(hour % 3).expect("small")].into(),
            counts,
            usd: Some(0.123_456),
        };
        assert!(store.record(Record::Books(Books {
            totals: (0..60).map(total).collect(),
            ..Books::default()
        })));
        let worker = |n: usize| WorkerTotal {
            hour: start,
            algorithm: Algorithm::Sha256d,
            worker: format!("shed{}.rig{n:04}", n % 8).parse().expect("short"),
            counts,
        };
        let workers: Vec<WorkerTotal> = (0..miners).map(worker).collect();
        for rows in workers.chunks(500) {
            assert!(store.record(Record::ByWorker(rows.to_vec())));
        }
        store.flush().expect("flushed");
        biggest = biggest.max(size(path));
        log = log.max(size(&with_suffix(path, "-wal")));
    }
    println!(
        "a year of {miners} miners: {:.1} MB at the most, its log {:.1} MB; took {} s",
        mega(biggest),
        mega(log),
        begun.elapsed().as_secs(),
    );
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
