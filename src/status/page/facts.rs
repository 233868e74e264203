//! What the sections of a page are made from: gathered once for all visitors.

use super::past::Past;
use crate::clock::unix_now;
use crate::events::Event;
use crate::view::{Status, Views};
use smart_mining_core::Algorithm;
use smart_mining_core::route::Policy;
use std::sync::Arc;

/// Events that the page shows.
const EVENTS: usize = 30;

pub struct Facts {
    pub status: Status,
    /// `[routing]`, in the order of the algorithms.
    pub policies: Vec<Policy>,
    /// Newest first.
    pub events: Vec<Event>,
    pub past: Arc<Past>,
    pub now: u64,
}

impl Facts {
    pub fn gather(views: &Views, past: Arc<Past>) -> Self {
        let mut events = views.events.recent();
        events.truncate(EVENTS);
        Self {
            status: views.status(),
            policies: views
                .lanes
                .iter()
                .map(|lane| lane.view.borrow().policy)
                .collect(),
            events,
            past,
            now: unix_now(),
        }
    }

    /// Since midnight UTC.
    pub fn usd_today(&self, algorithm: Algorithm) -> Option<f64> {
        let today = self.past.today.as_ref()?;
        let known = today.algorithms.iter();
        known
            .filter(|it| it.algorithm == algorithm)
            .find_map(|it| it.usd)
    }

    pub fn farm_usd_today(&self) -> Option<f64> {
        self.past.today.as_ref()?.usd
    }
}
