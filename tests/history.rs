//! What people are shown of the past.

use smart_mining_proxy::clock::unix_now;
use smart_mining_proxy::history::{History, Outage, OutageKind, Range};
use smart_mining_proxy::store::{Decision, Record, Store};
use smart_mining_wire::Algorithm;

struct Farm {
    history: History,
    store: Store,
    _folder: tempfile::TempDir,
}

impl Farm {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = Store::open(&folder.path().join("farm.sqlite"));
        let (store, _) = opened.unwrap_or_else(|error| panic!("{error}"));
        Self {
            history: History::new(store.clone()),
            store,
            _folder: folder,
        }
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
