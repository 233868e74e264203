//! What the operator wants of the routes: handed to the lanes, and kept over restarts.
//!
//! Lanes count by a clock that nobody sets; the store has seconds that are left, and
//! when that was written. After a restart the time in between is taken off. A wall
//! clock that went back takes nothing off, one that is ahead ends a pin early; and
//! neither makes one longer than it was, for what is left is written anew at each start.

use crate::clock::{Clock, unix_now};
use crate::store::{Record, Store};
use serde::{Deserialize, Serialize};
use smart_mining_core::route::{Exclusion, LONGEST_PIN, MOST_EXCLUDED, Pin, Wishes};
use smart_mining_core::{Algorithm, Duration, Instant};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Where the store keeps it.
const KEY: &str = "wishes";
/// For what ends at all: a year.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    /// Unix seconds.
    written_at: u64,
    /// By the algorithm's name.
    lanes: BTreeMap<String, KeptWishes>,
}

#[derive(Serialize, Deserialize)]
struct KeptWishes {
    pin: Option<KeptPin>,
    excluded: Vec<KeptExclusion>,
}

#[derive(Serialize, Deserialize)]
struct KeptPin {
    pool: String,
    coin: Option<String>,
    seconds_left: u64,
}

#[derive(Serialize, Deserialize)]
struct KeptExclusion {
    pool: String,
    /// `None`: for good.
    seconds_left: Option<u64>,
}

pub struct Wishlist {
    lanes: Mutex<BTreeMap<Algorithm, watch::Sender<Wishes>>>,
    store: Store,
    clock: Clock,
}

impl Wishlist {
    /// Takes up what the store has.
    pub fn new(
        algorithms: impl IntoIterator<Item = Algorithm>,
        store: &Store,
        clock: Clock,
    ) -> Self {
        let text = store.reader().and_then(|reader| reader.meta(KEY));
        let kept = match text {
            Ok(text) => text.and_then(|text| serde_json::from_str::<Kept>(&text).ok()),
            Err(error) => {
                log::warn!("what was pinned and excluded cannot be read: {error}");
                None
            }
        };
        let mut kept = kept.unwrap_or_default();
        let gone = unix_now().saturating_sub(kept.written_at);
        let now = clock.now();
        let mut lane = |algorithm: Algorithm| {
            let wishes = kept.lanes.remove(algorithm.name());
            let wishes = wishes.map_or_else(Wishes::default, |kept| taken_up(kept, gone, now));
            (algorithm, watch::channel(wishes).0)
        };
        let list = Self {
            lanes: Mutex::new(algorithms.into_iter().map(&mut lane).collect()),
            store: store.clone(),
            clock,
        };
        if kept.written_at != 0 {
            list.keep(&list.lanes());
        }
        list
    }

    fn lanes(&self) -> MutexGuard<'_, BTreeMap<Algorithm, watch::Sender<Wishes>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the lane.
    pub fn watch(&self, algorithm: Algorithm) -> watch::Receiver<Wishes> {
        match self.lanes().get(&algorithm) {
            Some(wishes) => wishes.subscribe(),
            None => watch::channel(Wishes::default()).1,
        }
    }

    /// What is wanted now.
    pub fn of(&self, algorithm: Algorithm) -> Wishes {
        let mut wishes = match self.lanes().get(&algorithm) {
            Some(wishes) => wishes.borrow().clone(),
            None => Wishes::default(),
        };
        wishes.expire(self.clock.now());
        wishes
    }

    /// Change what is wanted; in force at once. Nothing is changed by an error, and
    /// `None` says that nobody mines this algorithm here.
    pub fn change<T, E>(
        &self,
        algorithm: Algorithm,
        change: impl FnOnce(&mut Wishes, Instant) -> Result<T, E>,
    ) -> Option<Result<T, E>> {
        let lanes = self.lanes();
        let sender = lanes.get(&algorithm)?;
        let now = self.clock.now();
        let mut wishes = sender.borrow().clone();
        wishes.expire(now);
        let changed = change(&mut wishes, now);
        if changed.is_ok() {
            sender.send_replace(wishes);
            self.keep(&lanes);
        }
        Some(changed)
    }

    fn keep(&self, lanes: &BTreeMap<Algorithm, watch::Sender<Wishes>>) {
        let now = self.clock.now();
        let kept = Kept {
            written_at: unix_now(),
            lanes: lanes
                .iter()
                .map(|(algorithm, wishes)| {
                    (algorithm.name().to_owned(), left(&wishes.borrow(), now))
                })
                .collect(),
        };
        match serde_json::to_string(&kept) {
            Ok(value) => drop(self.store.record(Record::Meta { key: KEY, value })),
            Err(error) => log::error!("wishes cannot be written: {error}"),
        }
    }
}

fn taken_up(kept: KeptWishes, gone: u64, now: Instant) -> Wishes {
    let until = |seconds: u64, most: Duration| {
        let left = Duration::from_secs(seconds.min(most.as_secs()).saturating_sub(gone));
        (left > Duration::from_ticks(0)).then(|| now + left)
    };
    Wishes {
        pin: kept.pin.and_then(|pin| {
            Some(Pin {
                until: until(pin.seconds_left, LONGEST_PIN)?,
                pool: pin.pool,
                coin: pin.coin,
            })
        }),
        excluded: (kept.excluded.into_iter())
            .filter_map(|excluded| {
                let until = match excluded.seconds_left {
                    Some(seconds) => Some(until(seconds, LONGEST)?),
                    None => None,
                };
                Some(Exclusion {
                    pool: excluded.pool,
                    until,
                })
            })
            .take(MOST_EXCLUDED)
            .collect(),
    }
}

fn left(wishes: &Wishes, now: Instant) -> KeptWishes {
    let seconds = |until: Instant| until.saturating_duration_since(now).as_secs();
    KeptWishes {
        pin: wishes.pin.as_ref().map(|pin| KeptPin {
            pool: pin.pool.clone(),
            coin: pin.coin.clone(),
            seconds_left: seconds(pin.until),
        }),
        excluded: (wishes.excluded.iter())
            .map(|excluded| KeptExclusion {
                pool: excluded.pool.clone(),
                seconds_left: excluded.until.map(seconds),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: Algorithm = Algorithm::Sha256d;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, _) = Store::open(&folder.path().join("farm.sqlite")).expect("a new store");
        (folder, store)
    }

    fn started(store: &Store) -> (Wishlist, Clock) {
        store.flush().expect("written");
        let clock = Clock::start();
        (Wishlist::new([SHA], store, clock), clock)
    }

    fn pinned(list: &Wishlist, clock: &Clock) -> Option<u64> {
        let pin = list.of(SHA).pin?;
        Some(pin.until.saturating_duration_since(clock.now()).as_secs())
    }

    /// What stands in the store, as another time wrote it.
    fn written(store: &Store, written_at: u64, pin_seconds: u64) {
        let value = format!(
            r#"{{"written_at":{written_at},"lanes":{{"sha256d":{{
                "pin":{{"pool":"a","coin":null,"seconds_left":{pin_seconds}}},
                "excluded":[{{"pool":"b","seconds_left":60}},{{"pool":"c","seconds_left":null}}]}},
                "another-algorithm":{{"pin":null,"excluded":[]}}}}}}"#
        );
        store.record(Record::Meta { key: KEY, value });
    }

    #[test]
    fn what_is_wanted_is_in_force_at_once_and_after_a_restart() {
        let (_folder, store) = store();
        let (list, clock) = started(&store);
        let seen = list.watch(SHA);
        let wanted = list.change(SHA, |wishes, now| {
            wishes.pin = Some(Pin {
                pool: "a".to_owned(),
                coin: Some("BTC".to_owned()),
                until: now + Duration::from_secs(600),
            });
            Ok::<_, ()>(())
        });
        assert_eq!(wanted, Some(Ok(())));
        assert!(seen.borrow().pin.is_some());
        assert_eq!(list.change(SHA, |_, _| Err::<(), _>("no")), Some(Err("no")));
        let scrypt = list.change(Algorithm::Scrypt, |_, _| Ok::<_, ()>(()));
        assert_eq!(scrypt, None);
        let (again, clock_again) = started(&store);
        let pin = again.of(SHA).pin.expect("it survived");
        assert_eq!((&*pin.pool, pin.coin.as_deref()), ("a", Some("BTC")));
        assert!((590..=600).contains(&pinned(&again, &clock_again).expect("it goes on")));
        drop((list, clock));
    }

    #[test]
    fn time_without_power_counts_and_what_ended_meanwhile_is_gone() {
        let (_folder, store) = store();
        written(&store, unix_now() - 300, 1000);
        let (list, clock) = started(&store);
        assert!((690..=700).contains(&pinned(&list, &clock).expect("it goes on")));
        let pools: Vec<String> = (list.of(SHA).excluded.into_iter())
            .map(|excluded| excluded.pool)
            .collect();
        assert_eq!(pools, ["c"], "b's minute is over, c is for good");
    }

    #[test]
    fn a_wrong_clock_makes_no_pin_longer_and_none_endless() {
        let (_folder, store) = store();
        // Written by a clock that was ahead.
        written(&store, unix_now() + 10_000_000, 1000);
        let (list, clock) = started(&store);
        assert!(pinned(&list, &clock).expect("it goes on") <= 1000);
        // The start wrote it anew, by the clock of today.
        store.flush().expect("written");
        let text = store.reader().and_then(|reader| reader.meta(KEY));
        let text = text.expect("read").expect("written");
        let kept: Kept = serde_json::from_str(&text).expect("its own");
        assert!(kept.written_at <= unix_now());
        written(&store, unix_now(), u64::MAX);
        let (list, clock) = started(&store);
        assert!(pinned(&list, &clock).expect("it goes on") <= LONGEST_PIN.as_secs());
        store.record(Record::Meta {
            key: KEY,
            value: "{".to_owned(),
        });
        let (list, clock) = started(&store);
        assert_eq!(
            pinned(&list, &clock),
            None,
            "what cannot be read is nothing"
        );
    }
}
