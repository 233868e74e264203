//! The whole fleet in memory, for all who look at it: read when somebody looks and what is
//! there is too old, and by one of them at a time.
//!
//! ```text
//!   looked at --> fresh? --yes--> what is there
//!                   | no
//!                 read: farms, publications, releases (three statements)
//!                   |-- failed: nobody tries again for 2 s
//!                   v
//!                 fresh for 5 s, or twenty times as long as reading took
//! ```
//!
//! So the database is asked for the fleet during at most a twentieth of the time, however
//! many look and however large the fleet is; and not at all when nobody does.

use super::condition::Condition;
use crate::api::fleet_store::{self, FleetFarm};
use crate::api::problem::Problem;
use crate::api::reader::Reader;
use crate::api::release_store::{self, Releases};
use crate::api::seen::unix_now;
use axum::http::StatusCode;
use smart_mining_wire::Algorithm;
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

const FRESH: Duration = Duration::from_secs(5);
/// Times as long as reading took.
const REST: u32 = 20;
const FAILED: Duration = Duration::from_secs(2);

/// The fleet as it was at one moment.
pub struct Fleet {
    /// By name.
    pub farms: Vec<Seen>,
    pub totals: Totals,
    pub releases: Releases,
    /// Of the appliances, with the number of farms; the most frequent first.
    pub versions: Vec<(String, usize)>,
    /// When the newest snapshot was published.
    pub published_at: Option<i64>,
    pub read_at: i64,
}

/// A farm and what is made of it.
pub struct Seen {
    pub farm: FleetFarm,
    pub condition: Condition,
    pub snapshot: Snapshot,
}

/// Which ranking a farm mines by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Snapshot {
    /// When it was published, and how many were published since.
    Kept { behind: usize, at: i64 },
    /// Older than all that are kept, or of another central.
    Unknown,
    /// It has none, or has not said.
    None,
}

#[derive(Default)]
pub struct Totals {
    pub farms: usize,
    pub conditions: BTreeMap<Condition, usize>,
    /// Of farms whose report is current.
    pub algorithms: BTreeMap<Algorithm, Work>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    pub hashrate: f64,
    pub farms: usize,
    pub miners: u64,
}

impl Totals {
    pub fn of(&self, condition: Condition) -> usize {
        self.conditions.get(&condition).copied().unwrap_or(0)
    }
}

#[derive(Default)]
pub struct View {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    fleet: Option<Arc<Fleet>>,
    /// Before that, nothing is read.
    next: Option<Instant>,
}

impl View {
    /// A few seconds old at most.
    pub async fn get(&self, reader: &Reader) -> Result<Arc<Fleet>, Problem> {
        let mut held = self.held.lock().await;
        if held.next.is_some_and(|next| Instant::now() < next) {
            return held.fleet.clone().ok_or_else(failed);
        }
        let started = Instant::now();
        match reader.run(read(&reader.pool)).await {
            Ok(fleet) => {
                let took = started.elapsed();
                log::debug!("{} farms were read in {took:?}", fleet.farms.len());
                held.next = Some(Instant::now() + FRESH.max(took * REST));
                Ok(held.fleet.insert(Arc::new(fleet)).clone())
            }
            Err(problem) => {
                held.fleet = None;
                held.next = Some(Instant::now() + FAILED);
                Err(problem)
            }
        }
    }
}

fn failed() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "database-away",
        "the database could not be asked a moment ago; this page tries again by itself",
    )
}

async fn read(pool: &PgPool) -> Result<Fleet, Problem> {
    let rows = fleet_store::all(pool).await?;
    let publications = fleet_store::publications(pool).await?;
    let releases = release_store::read(pool).await?;
    // Ten thousand reports take a while to read; meanwhile farms' polls must be answered.
    let work = move || Ok::<_, sqlx::Error>(fleet(fleet_store::read_all(&rows)?, &publications));
    let mut fleet = tokio::task::spawn_blocking(work).await.map_err(|error| {
        log::error!("the fleet could not be read: {error}");
        failed()
    })??;
    fleet.releases = releases;
    Ok(fleet)
}

/// `publications`: sequence and time, newest first.
fn fleet(farms: Vec<FleetFarm>, publications: &[(i64, i64)]) -> Fleet {
    let now = unix_now();
    let seen = |farm: FleetFarm| Seen {
        condition: Condition::of(&farm, now),
        snapshot: snapshot(farm.sequence, publications),
        farm,
    };
    let farms: Vec<Seen> = farms.into_iter().map(seen).collect();
    Fleet {
        totals: totals(&farms),
        versions: versions(&farms),
        releases: Releases::default(),
        published_at: publications.first().map(|(_, at)| *at),
        read_at: now,
        farms,
    }
}

pub fn snapshot(sequence: Option<u64>, publications: &[(i64, i64)]) -> Snapshot {
    let Some(sequence) = sequence.filter(|sequence| *sequence > 0) else {
        return Snapshot::None;
    };
    let wanted = sequence.cast_signed();
    let behind = publications.partition_point(|(sequence, _)| *sequence > wanted);
    match publications.get(behind) {
        Some((sequence, at)) if *sequence == wanted => Snapshot::Kept { behind, at: *at },
        Some(_) | None => Snapshot::Unknown,
    }
}

fn totals(farms: &[Seen]) -> Totals {
    let mut totals = Totals {
        farms: farms.len(),
        ..Totals::default()
    };
    for seen in farms {
        *totals.conditions.entry(seen.condition).or_default() += 1;
        if !seen.condition.is_current() {
            continue;
        }
        for (algorithm, report) in &seen.farm.algorithms {
            let work = totals.algorithms.entry(*algorithm).or_default();
            work.hashrate += report.hashrate;
            work.miners += u64::from(report.miners);
            work.farms += 1;
        }
    }
    totals
}

fn versions(farms: &[Seen]) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let known = farms
        .iter()
        .filter_map(|seen| seen.farm.appliance.as_deref());
    known.for_each(|version| *counts.entry(version).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().map(|(v, n)| (v.to_owned(), n)).collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| b.0.cmp(&a.0)));
    counts
}

#[cfg(test)]
mod tests {
    use super::super::condition::tests::farm;
    use super::*;
    use smart_mining_wire::report::{AlgorithmReport, FarmState, Shares};

    #[test]
    fn a_snapshot_is_so_many_publications_behind() {
        let publications = [(30, 1030), (20, 1020), (10, 1010)];
        let of = |sequence| snapshot(Some(sequence), &publications);
        assert_eq!(
            of(30),
            Snapshot::Kept {
                behind: 0,
                at: 1030
            }
        );
        assert_eq!(
            of(10),
            Snapshot::Kept {
                behind: 2,
                at: 1010
            }
        );
        for other in [5, 15, 40] {
            assert_eq!(of(other), Snapshot::Unknown, "{other}");
        }
        assert_eq!(of(0), Snapshot::None);
        assert_eq!(snapshot(None, &publications), Snapshot::None);
    }

    #[test]
    fn only_farms_that_are_heard_of_count_as_hashing() {
        let now = unix_now();
        let hashing = |name: &str, seen_at| {
            let mut farm = farm(name, FarmState::Mining);
            (farm.last_seen_at, farm.reported_at) = (Some(seen_at), None);
            let report = AlgorithmReport {
                route: None,
                hashrate: 2e12,
                shares: Shares::default(),
                miners: 3,
            };
            farm.algorithms.insert(Algorithm::Scrypt, report);
            farm
        };
        let farms = vec![
            hashing("dale", now),
            hashing("hill", now),
            hashing("moor", now - 3600),
        ];
        let fleet = fleet(farms, &[(30, 1030), (20, 1020)]);
        let counts = [Condition::Mining, Condition::Silent].map(|state| fleet.totals.of(state));
        assert_eq!(counts, [2, 1]);
        let work = Work {
            hashrate: 4e12,
            farms: 2,
            miners: 6,
        };
        assert_eq!(fleet.totals.algorithms.get(&Algorithm::Scrypt), Some(&work));
        assert_eq!(fleet.versions, [("0.1.0".to_owned(), 3)]);
        assert_eq!(fleet.published_at, Some(1030));
    }
}
