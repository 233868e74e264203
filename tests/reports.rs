//! What the appliance tells central: every share once, whatever goes away meanwhile.

mod support;

use rusqlite::{Connection, OpenFlags};
use smart_mining_farmsim::miner::Miner;
use smart_mining_farmsim::pool::Pool;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use support::central::{Central, all_work, miners, pool};
use support::{Appliance, Farm, PATIENCE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// As often as farm.toml allows.
const OFTEN: &str = "report_every_seconds = 5";

/// What central has of all reports: their number, and the accepted shares in them.
fn told(central: &Central) -> (u64, u64) {
    let row = central.sql(
        "SELECT count(*),
                coalesce(sum((body->'algorithms'->'sha256d'->'shares'->>'accepted')::bigint), 0)
         FROM reports",
    );
    let (reports, accepted) = row.split_once('|').expect("two columns");
    let number = |text: &str| text.parse().expect("a number");
    (number(reports), number(accepted))
}

/// Ask until central has been told as wanted.
async fn until_told(
    central: &Central,
    what: &str,
    wanted: impl Fn((u64, u64)) -> bool,
) -> (u64, u64) {
    let deadline = Instant::now() + PATIENCE * 2;
    let mut again = tokio::time::interval(Duration::from_millis(200));
    loop {
        again.tick().await;
        let told = told(central);
        if wanted(told) {
            return told;
        }
        assert!(Instant::now() < deadline, "{what}: central has {told:?}");
    }
}

/// Every share is answered and no more come; how many the pool accepted.
async fn settle(miners: &[Miner], pool: &Pool) -> u64 {
    for miner in miners {
        miner
            .drain(PATIENCE)
            .await
            .expect("every share is answered");
    }
    pool.books().identities().len() as u64
}

/// All of `mined` arrives, and the report after that adds nothing.
async fn each_share_once(central: &Central, mined: u64) {
    assert!(mined > 0);
    let (reports, _) = until_told(central, "every share", |(_, accepted)| accepted >= mined).await;
    let (_, accepted) = until_told(central, "one more", |(more, _)| more > reports).await;
    assert_eq!(accepted, mined);
}

/// Accepted shares that are on the disk.
fn written(farm: &Farm) -> u64 {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let store = Connection::open_with_flags(farm.store(), flags).expect("a store");
    let sum = "SELECT coalesce(sum(accepted), 0) FROM share_totals";
    let sum: i64 = store.query_row(sum, (), |row| row.get(0)).expect("a sum");
    sum.unsigned_abs()
}

/// Accepted shares in the history of the day.
fn shown(appliance: &Appliance) -> u64 {
    let history = appliance.get("/api/history?range=day").expect("it answers");
    let history: serde_json::Value = serde_json::from_str(&history).expect("JSON");
    let points = history["algorithms"][0]["points"].as_array();
    let accepted = |point: &serde_json::Value| point["accepted"].as_u64();
    points.map_or(0, |points| points.iter().filter_map(accepted).sum())
}

async fn until_written(appliance: &Appliance, mined: u64) {
    appliance
        .until("the books are on the disk", |_| {
            written(&appliance.farm) == mined
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fleet_view_shows_what_was_mined_and_nobody_s_name() {
    let central = Central::start("reports").await;
    let a = pool("a", 1).await;
    let sequence = central.publish(&[(&a, 4e-14)]).await;
    let appliance = central.farm_at(central.relay.address(), OFTEN).start();
    appliance.on_pool("a").await;
    // The first report does not wait for the pace.
    until_told(&central, "a first report", |(reports, _)| reports > 0).await;
    let miners = miners(&appliance);
    all_work(&miners).await;
    until_told(&central, "a report of work", |(_, accepted)| accepted > 0).await;
    let farm = central.fleet_row();
    let lane = &farm["algorithms"]["sha256d"];
    assert_eq!(
        (&farm["state"], &farm["sequence"]),
        (&"mining".into(), &sequence.into())
    );
    assert_eq!(farm["appliance"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        (&lane["route"]["pool"], &lane["route"]["coin"]),
        (&"a".into(), &"BTC".into())
    );
    assert_eq!(lane["miners"], 3);
    assert!(
        lane["hashrate"].as_f64().is_some_and(|rate| rate > 0.0),
        "{lane}"
    );
    let mined = settle(&miners, &a).await;
    each_share_once(&central, mined).await;
    let status = appliance.status().expect("it answers");
    assert_eq!(status["algorithms"][0]["accepted"], mined);
    let names = "SELECT count(*) FROM reports WHERE body::text ~ 'rig|someone|farmer|127.0.0.1'";
    assert_eq!(central.sql(names), "0");
    let metrics = appliance.get("/metrics").expect("it answers");
    assert!(
        metrics.contains("\nsmart_mining_reports_waiting "),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_wait_for_central_and_arrive_once_and_in_order() {
    let mut central = Central::start("reports_later").await;
    let a = pool("a", 1).await;
    central.publish(&[(&a, 4e-14)]).await;
    let appliance = central.farm_at(central.relay.address(), OFTEN).start();
    appliance.on_pool("a").await;
    let miners = miners(&appliance);
    all_work(&miners).await;
    until_told(&central, "a report of work", |(_, accepted)| accepted > 0).await;
    central.stop().await;
    let status = appliance
        .until("reports wait", |status| {
            status["reports"]["waiting"]
                .as_u64()
                .is_some_and(|n| n >= 3)
        })
        .await;
    let reports = &status["reports"];
    assert!(
        reports["oldest_seconds"]
            .as_u64()
            .is_some_and(|age| age >= 5),
        "{reports}"
    );
    assert!(reports["last_error"].is_string(), "{reports}");
    let page = appliance.get("/").expect("it answers");
    assert!(page.contains("wait, the oldest for"), "{page}");
    let (before, _) = told(&central);
    central.serve().await;
    let mined = settle(&miners, &a).await;
    each_share_once(&central, mined).await;
    let (after, _) = told(&central);
    assert!(after >= before + 3);
    // None overtook another, and the absence itself was reported.
    let overtaken = "SELECT count(*) FROM (SELECT received_at, lag(received_at) OVER
                     (ORDER BY created_at, (body->>'uptime')::bigint) AS earlier FROM reports) AS r
                     WHERE received_at < earlier";
    assert_eq!(central.sql(overtaken), "0");
    let cached = "SELECT count(*) > 0 FROM reports WHERE body->>'state' = 'mining-from-cache'";
    assert_eq!(central.sql(cached), "t");
}

/// Carries connections to central, and cuts some when the answer to reports is on its
/// way: central has stored them, and the farm does not know.
async fn forgetful(target: SocketAddr, forget: Arc<AtomicU32>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((farm, _)) = listener.accept().await {
            tokio::spawn(carry(farm, target, forget.clone()));
        }
    });
    address
}

async fn carry(mut farm: TcpStream, target: SocketAddr, forget: Arc<AtomicU32>) {
    let Ok(mut central) = TcpStream::connect(target).await else {
        return;
    };
    let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
    let mut is_report = false;
    loop {
        tokio::select! {
            read = farm.read(&mut up) => {
                let Ok(length @ 1..) = read else { return };
                is_report |= up[..length].starts_with(b"POST /api/v1/reports ");
                if central.write_all(&up[..length]).await.is_err() { return }
            }
            read = central.read(&mut down) => {
                let Ok(length @ 1..) = read else { return };
                let take = |left: u32| left.checked_sub(1);
                let order = Ordering::Relaxed;
                if is_report && forget.fetch_update(order, order, take).is_ok() {
                    assert!(down.starts_with(b"HTTP/1.1 200"));
                    return;
                }
                if farm.write_all(&down[..length]).await.is_err() { return }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_doubles_nothing() {
    let central = Central::start("reports_lost_answer").await;
    let a = pool("a", 1).await;
    central.publish(&[(&a, 4e-14)]).await;
    let forget = Arc::new(AtomicU32::new(0));
    let way = forgetful(central.address, forget.clone()).await;
    let appliance = central.farm_at(way, OFTEN).start();
    appliance.on_pool("a").await;
    let miners = miners(&appliance);
    all_work(&miners).await;
    let delivered = |status: &serde_json::Value| status["reports"]["delivered"].as_u64();
    appliance
        .until("a report of work", |status| delivered(status) >= Some(1))
        .await;
    forget.store(3, Ordering::Relaxed);
    appliance
        .until("answers are lost, and not for ever", |status| {
            forget.load(Ordering::Relaxed) == 0 && status["reports"]["waiting"] == 0
        })
        .await;
    let mined = settle(&miners, &a).await;
    each_share_once(&central, mined).await;
    let status = appliance
        .until("nothing waits", |status| status["reports"]["waiting"] == 0)
        .await;
    assert_eq!(status["reports"]["set_aside"], 0);
    assert_eq!(delivered(&status), Some(told(&central).0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_with_a_full_outbox_loses_and_doubles_nothing_that_was_written() {
    let mut central = Central::start("reports_power").await;
    let a = pool("a", 1).await;
    central.publish(&[(&a, 4e-14)]).await;
    let mut appliance = central.farm_at(central.relay.address(), OFTEN).start();
    appliance.on_pool("a").await;
    let miners = miners(&appliance);
    all_work(&miners).await;
    central.stop().await;
    appliance
        .until("reports wait", |status| {
            status["reports"]["waiting"]
                .as_u64()
                .is_some_and(|n| n >= 2)
        })
        .await;
    let mined = settle(&miners, &a).await;
    // Some of these are in a report, the last ones likely in none.
    until_written(&appliance, mined).await;
    appliance.kill();
    appliance.start_again();
    let status = appliance
        .until("they wait still", |status| {
            status["reports"]["waiting"]
                .as_u64()
                .is_some_and(|n| n >= 2)
        })
        .await;
    assert_eq!(status["reports"]["delivered"], 0);
    // And once more, stopped in order this time, with reports of both lives.
    let of_the_first = status["reports"]["waiting"].as_u64();
    appliance
        .until("a report of this life too", |status| {
            status["reports"]["waiting"].as_u64() > of_the_first
        })
        .await;
    assert_eq!(appliance.stop(), Some(0));
    appliance.start_again();
    central.serve().await;
    each_share_once(&central, mined).await;
    let status = appliance
        .until("all arrived", |status| status["reports"]["waiting"] == 0)
        .await;
    assert_eq!(status["reports"]["set_aside"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_farm_without_central_reports_to_nobody() {
    let a = pool("a", 1).await;
    let mut appliance = Farm::new().pool("a", a.address(), "").start();
    let status = appliance.on_pool("a").await;
    assert!(status["reports"].is_null(), "{}", status["reports"]);
    let miners = miners(&appliance);
    all_work(&miners).await;
    let mined = settle(&miners, &a).await;
    let metrics = appliance.get("/metrics").expect("it answers");
    assert!(!metrics.contains("reports"), "{metrics}");
    // Charts do not wait until it is on the disk.
    let deadline = Instant::now() + PATIENCE * 3;
    while tokio::task::block_in_place(|| shown(&appliance)) != mined {
        assert!(
            Instant::now() < deadline,
            "the history has not all of {mined}"
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(appliance.stop(), Some(0));
    assert_eq!(written(&appliance.farm), mined);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let store = Connection::open_with_flags(appliance.farm.store(), flags).expect("a store");
    let rows = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM unreported)";
    let rows: i64 = store.query_row(rows, (), |row| row.get(0)).expect("a sum");
    assert_eq!(rows, 0);
}
