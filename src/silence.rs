//! Tells of miners that stopped finding shares, and of their return.
//!
//! The page shows a miner as silent after a minute. Among thousands, chance alone
//! makes one quiet for that long every few seconds; so people are told after two,
//! and of all of an algorithm in one event, at most one in five minutes.

use crate::events::{Code, Events, Subject};
use crate::journal::RateLimit;
use crate::registry::{Miner, Registry};
use smart_mining_core::{Algorithm, Duration, Instant};
use std::collections::BTreeMap;
use std::sync::Arc;

const TELL_AFTER: Duration = Duration::from_secs(120);
const AT_MOST_EVERY: std::time::Duration = std::time::Duration::from_secs(300);
/// Miners that one event names; the others are a number.
const NAMED: usize = 5;

pub struct Silence {
    registry: Arc<Registry>,
    events: Arc<Events>,
    limits: BTreeMap<Algorithm, Limits>,
}

struct Limits {
    silent: RateLimit,
    back: RateLimit,
}

impl Silence {
    pub fn new(registry: Arc<Registry>, events: Arc<Events>) -> Self {
        Self {
            registry,
            events,
            limits: BTreeMap::new(),
        }
    }

    /// To be called every few seconds. `moment` is the same time as `now`.
    pub fn look(
        &mut self,
        algorithm: Algorithm,
        has_route: bool,
        now: Instant,
        moment: std::time::Instant,
    ) {
        let look = self.registry.look(algorithm, has_route, TELL_AFTER, now);
        let limits = self.limits.entry(algorithm).or_insert_with(|| Limits {
            silent: RateLimit::new(AT_MOST_EVERY),
            back: RateLimit::new(AT_MOST_EVERY),
        });
        // Those that may not be told now are found again by the next look.
        if !look.silent.is_empty() && limits.silent.allow(moment).is_some() {
            let text = format!("no share for 2 min or more: {}", names(&look.silent));
            tell(
                &self.events,
                Code::MinerSilent,
                algorithm,
                &look.silent,
                text,
            );
            mark(&look.silent, true);
        }
        if !look.back.is_empty() && limits.back.allow(moment).is_some() {
            let text = format!("finds shares again: {}", names(&look.back));
            tell(&self.events, Code::MinerBack, algorithm, &look.back, text);
            mark(&look.back, false);
        }
    }
}

fn tell(events: &Events, code: Code, algorithm: Algorithm, miners: &[Arc<Miner>], text: String) {
    let named = miners.iter().take(NAMED).map(|miner| miner.who());
    let subject = Subject::Miners {
        algorithm,
        workers: &named.collect::<Vec<_>>(),
    };
    events.record(code, subject, text);
}

fn mark(miners: &[Arc<Miner>], silent: bool) {
    for miner in miners {
        miner.told(silent);
    }
}

fn names(miners: &[Arc<Miner>]) -> String {
    let named = miners.iter().take(NAMED).map(|miner| miner.label());
    let named: Vec<String> = named.collect();
    let more = match miners.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::store::Store;
    use smart_mining_core::sv1::{Judge, Judged, Outcome};
    use std::net::SocketAddr;

    struct Farm {
        silence: Silence,
        events: Arc<Events>,
        registry: Arc<Registry>,
        start: Instant,
        begun: std::time::Instant,
        _folder: tempfile::TempDir,
    }

    impl Farm {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let (store, _) = Store::open(&folder.path().join("farm.sqlite")).expect("a store");
            let clock = Clock::start();
            let events = Arc::new(Events::new(store));
            let registry = Arc::new(Registry::new(clock));
            Self {
                silence: Silence::new(registry.clone(), events.clone()),
                events,
                registry,
                start: clock.now(),
                begun: std::time::Instant::now(),
                _folder: folder,
            }
        }

        fn miners(&self, count: u16) -> Vec<Arc<Miner>> {
            let join = |port| {
                let address = SocketAddr::from(([10, 0, 0, 1], port));
                let (_, miner) = self.registry.join(Algorithm::Sha256d, address);
                miner.named(&format!("rig{port}"), "");
                miner.difficulty(1.0);
                miner
            };
            (0..count).map(join).collect()
        }

        fn look(&mut self, seconds: u64) {
            let now = self.start + Duration::from_secs(seconds);
            let moment = self.begun + std::time::Duration::from_secs(seconds);
            self.silence.look(Algorithm::Sha256d, true, now, moment);
        }

        /// Oldest first.
        fn told(&self) -> Vec<(&'static str, String)> {
            let events = self.events.recent();
            let told = |event: crate::events::Event| (event.code, event.text);
            events.into_iter().rev().map(told).collect()
        }

        fn work(&self, miner: &Miner, seconds: u64) {
            let judged = Judged {
                link: None,
                difficulty: 1.0,
                pool_difficulty: 1.0,
                outcome: Outcome::Local,
                by: Judge::Appliance,
            };
            miner.judged(&judged, self.start + Duration::from_secs(seconds));
        }
    }

    #[test]
    fn a_shed_that_falls_silent_is_one_event_and_its_return_another() {
        let mut farm = Farm::new();
        let miners = farm.miners(300);
        for seconds in (0..130).step_by(5) {
            farm.look(seconds);
        }
        let told = farm.told();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].0, "miner-silent");
        assert!(
            told[0]
                .1
                .starts_with("no share for 2 min or more: rig0 (10.0.0.1:0), rig1 ")
                && told[0].1.ends_with(" and 295 more"),
            "{}",
            told[0].1
        );
        for miner in &miners {
            farm.work(miner, 131);
        }
        farm.look(135);
        let told = farm.told();
        assert_eq!((told.len(), told[1].0), (2, "miner-back"));
        assert!(told[1].1.ends_with(" and 295 more"), "{}", told[1].1);
    }

    #[test]
    fn a_miner_that_comes_and_goes_does_not_flood() {
        let mut farm = Farm::new();
        let miners = farm.miners(1);
        let hours = 3;
        for second in (0..hours * 3600).step_by(5) {
            // Two and a half minutes of silence, one share.
            if second % 150 == 0 {
                farm.work(&miners[0], second);
            }
            farm.look(second);
        }
        for code in ["miner-silent", "miner-back"] {
            let told = farm.told();
            let count = told.iter().filter(|(known, _)| *known == code).count() as u64;
            assert!((1..=hours * 12).contains(&count), "{count} of {code}");
        }
    }

    #[test]
    fn whoever_could_not_be_told_at_once_is_told_later() {
        let mut farm = Farm::new();
        let miners = farm.miners(2);
        farm.look(0);
        farm.work(&miners[1], 60);
        farm.look(125);
        farm.look(185);
        farm.look(420);
        assert_eq!(farm.told().len(), 1, "{:?}", farm.told());
        farm.look(430);
        let told = farm.told();
        assert_eq!(told.len(), 2);
        assert!(told[1].1.contains("rig1 "), "{}", told[1].1);
    }
}
