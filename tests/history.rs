//! What people are shown of the past.

use rusqlite::Connection;
use smart_mining_core::sv1::{Judge, Judged, Outcome};
use smart_mining_proxy::clock::{Clock, unix_now};
use smart_mining_proxy::counts::Counts;
use smart_mining_proxy::history::{History, Outage, OutageKind, Point, Range, Series};
use smart_mining_proxy::ledger::{Ledger, Outside};
use smart_mining_proxy::store::{Alive, Books, Decision, MinerCount, MinuteTotal, Record, Store};
use smart_mining_wire::Algorithm;
use std::path::PathBuf;
use std::sync::Arc;

struct Farm {
    history: History,
    ledger: Arc<Ledger>,
    store: Store,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Farm {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("farm.sqlite");
        let (store, _) = Store::open(&path).unwrap_or_else(|error| panic!("{error}"));
        let ledger = Arc::new(Ledger::new(Clock::start()));
        ledger.look_outside(Outside {
            price: Box::new(|_, pool| (pool == "a").then_some(4e-14)),
            miners: Box::new(|_| None),
        });
        Self {
            history: History::new(store.clone(), ledger.clone()),
            ledger,
            store,
            path,
            _folder: folder,
        }
    }

    /// As if the page had not been looked at for a while.
    fn forget(&mut self) {
        self.history = History::new(self.store.clone(), self.ledger.clone());
    }

    fn accepted(&self, pool: &str, count: u32) {
        let judged = Judged {
            link: None,
            difficulty: 512.0,
            pool_difficulty: 8192.0,
            outcome: Outcome::Accepted,
            by: Judge::Pool,
        };
        let now = Clock::start().now();
        let ledger = &self.ledger;
        (0..count).for_each(|_| ledger.add(Algorithm::Sha256d, "rig1", &pool.into(), &judged, now));
    }

    fn wrote(&self, totals: Vec<MinuteTotal>, miners: Vec<MinerCount>) {
        let books = Books {
            totals,
            miners,
            alive: None,
        };
        assert!(self.store.record(Record::Books(books)));
        self.store.flush().expect("flushed");
    }

    fn decided(&self, at: u64, algorithm: Algorithm, to: Option<&str>) {
        assert!(
            self.store.record(Record::Decision(Decision {
                at,
                algorithm,
                from_pool: None,
                to_pool: to.map(str::to_owned),
                coin: to.map(|_| "BTC".to_owned()),
                rule: if to.is_some() { "start" } else { "hold" }.to_owned(),
                text: "pool-a cannot be used".to_owned(),
                detail: r#"{"candidates":[{"pool":"a","coin":"BTC","score":4e-14,"ready":true}]}"#
                    .to_owned(),
            }))
        );
    }

    fn happened(&self, at: u64, code: &'static str) {
        assert!(self.store.record(Record::Event {
            at,
            code,
            subject: "central".to_owned(),
            text: format!("{code} at {at}"),
        }));
    }

    async fn outages(&self, range: Range) -> Vec<Outage> {
        self.store.flush().expect("flushed");
        let series = self.history.series(range).await.expect("read");
        let all = series
            .outages
            .iter()
            .filter(|outage| matches!(outage.what, OutageKind::NoPool | OutageKind::NoCentral));
        all.cloned().collect()
    }
}

fn when(outage: &Outage, now: u64) -> (OutageKind, u64, Option<u64>) {
    (outage.what, now - outage.from, outage.to.map(|to| now - to))
}

#[tokio::test]
async fn a_time_without_a_pool_lasts_from_the_hold_to_the_next_start() {
    let farm = Farm::new();
    let now = unix_now();
    let (sha, scrypt) = (Algorithm::Sha256d, Algorithm::Scrypt);
    // Over before the day began, and one that reaches into it.
    farm.decided(now - 200_000, sha, None);
    farm.decided(now - 190_000, sha, Some("a"));
    farm.decided(now - 100_000, scrypt, None);
    farm.decided(now - 80_000, scrypt, Some("a"));
    farm.decided(now - 3000, sha, None);
    farm.decided(now - 2000, sha, Some("a"));
    farm.decided(now - 1000, sha, Some("b"));
    farm.decided(now - 500, scrypt, None);
    let outages = farm.outages(Range::Day).await;
    let told: Vec<_> = outages.iter().map(|outage| when(outage, now)).collect();
    let expected = [
        (OutageKind::NoPool, 100_000, Some(80_000)),
        (OutageKind::NoPool, 3000, Some(2000)),
        (OutageKind::NoPool, 500, None),
    ];
    assert_eq!(told, expected);
    assert_eq!(outages[1].algorithm, Some(sha));
    let series = farm.history.series(Range::Day).await.expect("read");
    let switches: Vec<u64> = series
        .switches
        .iter()
        .map(|switch| now - switch.at)
        .collect();
    assert_eq!(switches, [80_000, 3000, 2000, 1000, 500]);
}

#[tokio::test]
async fn a_time_without_central_ends_when_it_answers_or_with_a_restart() {
    let farm = Farm::new();
    let now = unix_now();
    farm.happened(now - 100_000, "central-unreachable");
    farm.happened(now - 80_000, "central-back");
    farm.happened(now - 5000, "central-unreachable");
    farm.happened(now - 4900, "pool-failed");
    farm.happened(now - 4000, "started");
    farm.happened(now - 3900, "central-unreachable");
    let outages = farm.outages(Range::Day).await;
    let told: Vec<_> = outages.iter().map(|outage| when(outage, now)).collect();
    let expected = [
        (OutageKind::NoCentral, 100_000, Some(80_000)),
        (OutageKind::NoCentral, 5000, Some(4000)),
        (OutageKind::NoCentral, 3900, None),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn decisions_and_events_come_newest_first_by_pages() {
    let farm = Farm::new();
    for number in 0..30 {
        farm.decided(number, Algorithm::Sha256d, Some("a"));
        farm.decided(number, Algorithm::Scrypt, Some("a"));
        farm.happened(number, if number % 2 == 0 { "even" } else { "odd" });
    }
    farm.store.flush().expect("flushed");
    let scrypt = farm.history.decisions(2, Some(Algorithm::Scrypt)).await;
    let scrypt = scrypt.expect("read");
    let told: Vec<(u64, Algorithm)> = scrypt.iter().map(|d| (d.at, d.algorithm)).collect();
    assert_eq!(told, [(29, Algorithm::Scrypt), (28, Algorithm::Scrypt)]);
    let candidate = &scrypt[0].candidates[0];
    assert_eq!((candidate.score, candidate.ready), (Some(4e-14), true));
    let first = farm.history.events(10, None, None).await.expect("read");
    let before = Some(first[9].id);
    let second = farm.history.events(10, before, None).await.expect("read");
    assert_eq!((first[0].at, first[9].at, second[0].at), (29, 20, 19));
    let odd = farm.history.events(500, None, Some("odd")).await;
    let odd = odd.expect("read");
    assert_eq!((odd.len(), odd[0].at), (15, 29));
    let nobody = farm.history.events(5, None, Some("' OR 1=1 --")).await;
    assert!(nobody.expect("read").is_empty());
}

#[tokio::test]
async fn many_pages_at_a_time_are_one_read() {
    let farm = Farm::new();
    let ask = || farm.history.series(Range::Month);
    let (first, second, third) = tokio::join!(ask(), ask(), ask());
    let first = first.expect("read");
    assert!(std::sync::Arc::ptr_eq(&first, &second.expect("read")));
    assert!(std::sync::Arc::ptr_eq(&first, &third.expect("read")));
    assert_eq!(
        first.to - first.from,
        first.to - first.to / 14_400 * 14_400 + 179 * 14_400
    );
}

fn total(minute: u64, pool: &str, work: f64, usd: Option<f64>) -> MinuteTotal {
    MinuteTotal {
        minute,
        algorithm: Algorithm::Sha256d,
        pool: pool.into(),
        counts: Counts {
            accepted: 2,
            rejected: 1,
            stale: 1,
            lost: 1,
            unknown: 2,
            work,
            ..Counts::default()
        },
        usd,
    }
}

fn points(series: &Series) -> &[Point] {
    let of =
        |one: &&smart_mining_proxy::history::AlgorithmSeries| one.algorithm == Algorithm::Sha256d;
    &series
        .algorithms
        .iter()
        .find(of)
        .expect("it is there")
        .points
}

#[tokio::test]
async fn a_day_is_drawn_in_steps_with_their_best_pool_and_their_miners() {
    let farm = Farm::new();
    let now = unix_now();
    // The start of a step that is over.
    let at = now / 600 * 600 - 1200;
    let count = |at, miners, counts| MinerCount {
        at,
        algorithm: Algorithm::Sha256d,
        miners,
        counts,
    };
    farm.wrote(
        vec![
            total(at, "a", 100.0, Some(0.5)),
            total(at + 60, "a", 100.0, Some(0.25)),
            total(at + 60, "b", 400.0, None),
            total(at + 600, "a", 100.0, None),
        ],
        vec![count(at, 40, 10), count(at + 600, 30, 4)],
    );
    let series = farm.history.series(Range::Day).await.expect("read");
    assert_eq!(
        (series.step_seconds, series.from),
        (600, now / 600 * 600 - 143 * 600)
    );
    let points = points(&series);
    assert_eq!(points.len(), 144);
    let index = |at: u64| usize::try_from((at - series.from) / 600).expect("small");
    let (first, second) = (&points[index(at)], &points[index(at + 600)]);
    let expected = Point {
        at,
        hashrate: 600.0 * 4_294_967_296.0 / 600.0,
        accepted: 6,
        rejected: 6,
        lost_or_unknown: 9,
        usd: Some(0.75),
        pool: Some("b".to_owned()),
        miners: Some(4.0),
    };
    assert_eq!(*first, expected);
    assert_eq!((second.usd, second.miners), (None, Some(7.5)));
    let empty = Point {
        at: series.from,
        ..Point::default()
    };
    assert_eq!(points[0], empty);
    // The same work in the coarser pictures.
    for range in [Range::Month, Range::Year] {
        let series = farm.history.series(range).await.expect("read");
        let accepted: u64 = self::points(&series)
            .iter()
            .map(|point| point.accepted)
            .sum();
        assert_eq!(accepted, 8, "{range:?}");
    }
}

#[tokio::test]
async fn what_the_card_does_not_have_yet_is_shown_and_counted_once() {
    let mut farm = Farm::new();
    farm.ledger.tick(&farm.store);
    let accepted = |today: &smart_mining_proxy::history::Today| {
        today.algorithms.first().map_or(0, |one| one.accepted)
    };
    for round in 1..=3_u32 {
        farm.accepted("a", 5);
        farm.ledger.tick(&farm.store);
        farm.forget();
        let today = farm.history.today().await.expect("read");
        let usd = f64::from(5 * round) * 8192.0 * 4_294_967_296.0 * 4e-14 / 86_400.0;
        assert_eq!(accepted(&today), 5 * u64::from(round));
        let told = today.usd.expect("it has a price");
        assert!((told / usd - 1.0).abs() < 1e-9, "{told} for {usd}");
        // On its way, or there: asked at once, and when it surely is.
        farm.ledger.write_to(&farm.store);
        for _ in 0..20 {
            farm.forget();
            let today = farm.history.today().await.expect("read");
            assert_eq!(accepted(&today), 5 * u64::from(round));
        }
        farm.store.flush().expect("flushed");
        farm.forget();
        let series = farm.history.series(Range::Day).await.expect("read");
        let newest = points(&series).iter().map(|point| point.accepted);
        assert_eq!(newest.sum::<u64>(), 5 * u64::from(round));
    }
}

#[tokio::test]
async fn a_time_in_which_the_appliance_was_away_is_marked_with_its_cause() {
    let mut farm = Farm::new();
    let now = unix_now();
    let raw = Connection::open(&farm.path).expect("opens");
    raw.execute("DELETE FROM runs", ()).expect("emptied");
    let insert = "INSERT INTO runs (boot, started_at, seen_at, clean, generation)
                  VALUES (?1, ?2, ?3, ?4, 9)";
    for (boot, started, seen, clean) in [
        ("one", now - 200_000, now - 90_000, false),
        ("two", now - 80_000, now - 70_000, true),
        ("two", now - 69_000, now - 60_000, false),
        ("two", now - 59_990, now - 50_000, false),
        // Its clock is behind the one of the run before.
        ("three", now - 55_000, now - 49_000, false),
    ] {
        raw.execute(insert, (boot, started as i64, seen as i64, clean))
            .expect("a run");
    }
    farm.forget();
    let told = |series: &Series| -> Vec<_> {
        series
            .outages
            .iter()
            .map(|outage| when(outage, now))
            .collect()
    };
    let series = farm.history.series(Range::Day).await.expect("read");
    let expected = [
        (OutageKind::PowerCut, 90_000, Some(80_000)),
        (OutageKind::Stopped, 70_000, Some(69_000)),
        (OutageKind::Crash, 60_000, Some(59_990)),
        (OutageKind::PowerCut, 50_000, Some(50_000)),
    ];
    assert_eq!(told(&series), expected);
    // The clock was put right: the run began later than it thought.
    farm.store.record(Record::Books(Books {
        alive: Some(Alive {
            now: now - 100,
            started_at: now - 40_000,
            generation: 1,
        }),
        ..Books::default()
    }));
    farm.store.flush().expect("flushed");
    farm.forget();
    let series = farm.history.series(Range::Day).await.expect("read");
    let last = told(&series).pop();
    assert_eq!(last, Some((OutageKind::PowerCut, 50_000, Some(40_000))));
}
