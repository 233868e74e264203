//! Signs of life for the watchdog.
//!
//! Each loop that must go on beats its pulse. The watchdog is fed only while
//! all of them did so lately; it is not tied to pools or the WAN.

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

#[cfg(test)]
mod tests {
    use super::*;

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
