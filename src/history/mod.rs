//! The past, for charts and tables: read from the store, never by the writer's leave.
//!
//! Everything is read on a thread that may block, over a connection that can only
//! read; answers are kept for some seconds. So what people look at costs the same for one
//! page and for fifty, and neither a share nor the store's writer ever waits for it.

mod cache;
mod outages;
mod rows;
mod series;
mod types;

pub use types::{
    AlgorithmSeries, Outage, OutageKind, PastCandidate, PastDecision, PastEvent, Point, Range,
    Series, Switch, Today, TodayAlgorithm,
};

use crate::clock::unix_now;
use crate::ledger::Ledger;
use crate::store::{Books, Reader, Store, StoreError};
use cache::Cache;
use smart_mining_core::Algorithm;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Charts move by minutes.
const CHARTS: Duration = Duration::from_secs(20);
/// Tables show what just happened.
const TABLES: Duration = Duration::from_secs(5);
/// Rows of one answer.
const MOST: usize = 500;

#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error("the history cannot be read: {0}")]
    Store(#[from] StoreError),
    #[error("the history cannot be read: {0}")]
    Fault(String),
}

pub struct History {
    source: Arc<Source>,
    series: Cache<Range, Series>,
    today: Cache<(), Today>,
    decisions: Cache<(usize, Option<Algorithm>), Vec<PastDecision>>,
    events: Cache<(usize, Option<i64>, Option<String>), Vec<PastEvent>>,
}

struct Source {
    store: Store,
    /// Has what the card does not have yet.
    ledger: Arc<Ledger>,
    /// Opened with the first question, and again after one that failed.
    reader: Mutex<Option<Reader>>,
}

/// The store at one moment, and what goes on top of it.
struct Past<'r> {
    reader: &'r Reader,
    beyond: Books,
}

impl Source {
    fn read_past<T>(
        &self,
        work: impl FnOnce(&Past<'_>) -> Result<T, StoreError>,
    ) -> Result<T, HistoryError> {
        self.read(|reader| {
            reader.at_once(|reader| {
                // In this order: what is handed over in between is still in the ledger.
                let generation = reader.generation()?;
                let beyond = self.ledger.beyond(generation);
                work(&Past { reader, beyond })
            })
        })
    }

    /// With what waits to be written; a disk that refuses it is told elsewhere.
    fn read_newest<T>(
        &self,
        work: impl FnOnce(&Reader) -> Result<T, StoreError>,
    ) -> Result<T, HistoryError> {
        if let Err(error) = self.store.flush() {
            log::debug!("what is newest cannot be shown: {error}");
        }
        self.read(work)
    }

    fn read<T>(
        &self,
        work: impl FnOnce(&Reader) -> Result<T, StoreError>,
    ) -> Result<T, HistoryError> {
        let mut kept = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = match kept.take() {
            Some(reader) => reader,
            None => self.store.reader()?,
        };
        let answer = work(&reader)?;
        *kept = Some(reader);
        Ok(answer)
    }
}

impl History {
    pub fn new(store: Store, ledger: Arc<Ledger>) -> Self {
        let source = Source {
            store,
            ledger,
            reader: Mutex::new(None),
        };
        Self {
            source: Arc::new(source),
            series: Cache::new(CHARTS),
            today: Cache::new(CHARTS),
            decisions: Cache::new(TABLES),
            events: Cache::new(TABLES),
        }
    }

    /// The range up to now.
    pub async fn series(&self, range: Range) -> Result<Arc<Series>, HistoryError> {
        let source = self.source.clone();
        let make = move || source.read_past(|past| series::series(past, range, unix_now()));
        self.series.get(range, make).await
    }

    /// What came in since midnight UTC.
    pub async fn today(&self) -> Result<Arc<Today>, HistoryError> {
        let source = self.source.clone();
        let make = move || source.read_past(|past| series::today(past, unix_now()));
        self.today.get((), make).await
    }

    /// Why routes changed, newest first; at most 500.
    pub async fn decisions(
        &self,
        limit: usize,
        algorithm: Option<Algorithm>,
    ) -> Result<Arc<Vec<PastDecision>>, HistoryError> {
        let (source, limit) = (self.source.clone(), limit.min(MOST));
        let make = move || source.read_newest(|reader| rows::decisions(reader, limit, algorithm));
        self.decisions.get((limit, algorithm), make).await
    }

    /// What happened, newest first; at most 500. `before`: older than the event with
    /// this id. `code`: only events with this code.
    pub async fn events(
        &self,
        limit: usize,
        before: Option<i64>,
        code: Option<&str>,
    ) -> Result<Arc<Vec<PastEvent>>, HistoryError> {
        let (source, limit) = (self.source.clone(), limit.min(MOST));
        let key = (limit, before, code.map(str::to_owned));
        let code = key.2.clone();
        let make = move || {
            source.read_newest(|reader| rows::events(reader, limit, before, code.as_deref()))
        };
        self.events.get(key, make).await
    }
}
