//! The history as the page shows it, read ahead: a page never waits for the card.
//!
//! Whoever finds it old has it read again, aside, and takes what is there. Only the
//! first visitor after a start waits for it, and for a moment only.

use crate::history::{Range, Series, Today};
use crate::view::Views;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::watch;

const FRESH: Duration = Duration::from_secs(20);
const FIRST: Duration = Duration::from_millis(250);

/// Absent: not read yet, or it cannot be read.
#[derive(Clone, Debug, Default)]
pub struct Past {
    pub today: Option<Arc<Today>>,
    pub day: Option<Arc<Series>>,
    pub month: Option<Arc<Series>>,
}

type Read = (Option<Instant>, Arc<Past>);

pub struct Archive {
    views: Arc<Views>,
    read: watch::Sender<Read>,
    reading: Arc<AtomicBool>,
    /// When the first visitor came: nobody waits longer than a moment from then on.
    first: OnceLock<Instant>,
}

impl Archive {
    pub fn new(views: Arc<Views>) -> Self {
        Self {
            views,
            read: watch::channel((None, Arc::default())).0,
            reading: Arc::default(),
            first: OnceLock::new(),
        }
    }

    pub async fn latest(&self) -> Arc<Past> {
        let mut reads = self.read.subscribe();
        let read = self.read.borrow().0;
        if read.is_none_or(|at| at.elapsed() >= FRESH) && !self.reading.swap(true, Ordering::AcqRel)
        {
            self.read_again();
        }
        if read.is_none() {
            let waited = self.first.get_or_init(Instant::now).elapsed();
            // Late is as good as not at all: the next look has it.
            let _ = tokio::time::timeout(FIRST.saturating_sub(waited), reads.changed()).await;
        }
        self.read.borrow().1.clone()
    }

    fn read_again(&self) {
        let (views, read, reading) = (self.views.clone(), self.read.clone(), self.reading.clone());
        tokio::spawn(async move {
            let history = &views.history;
            // What cannot be read is told by the store itself.
            let past = Past {
                today: history.today().await.ok(),
                day: history.series(Range::Day).await.ok(),
                month: history.series(Range::Month).await.ok(),
            };
            read.send_replace((Some(Instant::now()), Arc::new(past)));
            reading.store(false, Ordering::Release);
        });
    }
}
