//! Signs of life for the watchdog.
//!
//! Each loop that must go on beats its pulse. The watchdog is fed only while
//! all of them did so lately; it is not tied to pools or the WAN.

use smart_mining_core::{Duration, Instant};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone, Debug)]
pub struct Pulse {
    name: Arc<str>,
    beats: Arc<AtomicU64>,
}

impl Pulse {
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            beats: Arc::new(AtomicU64::new(0)),
        }
    }

    pub fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }
}

/// Remembers what each pulse was at the last look.
#[derive(Debug, Default)]
pub struct Pulses {
    watched: Vec<(Pulse, u64)>,
}

impl Pulses {
    pub fn watch(&mut self, pulse: Pulse) {
        self.watched.push((pulse, 0));
    }

    /// The names of those that did not beat since the last call.
    pub fn silent(&mut self) -> Vec<String> {
        let mut silent = Vec::new();
        for (pulse, last) in &mut self.watched {
            let beats = pulse.beats.load(Ordering::Relaxed);
            if beats == *last {
                silent.push(pulse.name.to_string());
            }
            *last = beats;
        }
        silent
    }
}

/// What the last look at the signs of life found.
#[derive(Clone, Debug)]
pub struct Vitals {
    pub at: Instant,
    /// The loops that did not beat.
    pub silent: Vec<String>,
}

/// Several looks: who looks may itself have to wait once.
const LOOKED_WITHIN: Duration = Duration::from_secs(30);

impl Vitals {
    /// What gives no sign of life, at this moment.
    pub fn missing(&self, now: Instant) -> Vec<String> {
        if now.saturating_duration_since(self.at) > LOOKED_WITHIN {
            return vec!["supervisor".to_owned()];
        }
        self.silent.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_is_too_long_ago_says_that_nobody_looks() {
        let at = Instant::from_secs(1000);
        let vitals = Vitals {
            at,
            silent: vec!["store".to_owned()],
        };
        assert_eq!(vitals.missing(at + LOOKED_WITHIN), ["store"]);
        let later = at + LOOKED_WITHIN + Duration::from_millis(1);
        assert_eq!(vitals.missing(later), ["supervisor"]);
    }

    #[test]
    fn a_loop_that_stands_still_is_named() {
        let (lively, stuck) = (Pulse::new("lane"), Pulse::new("store"));
        let mut pulses = Pulses::default();
        pulses.watch(lively.clone());
        pulses.watch(stuck.clone());
        stuck.beat();
        lively.beat();
        assert!(pulses.silent().is_empty());
        lively.beat();
        assert_eq!(pulses.silent(), ["store"]);
    }
}
