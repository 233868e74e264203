//! Prints each section once for all visitors.
//!
//! A section is kept for as long as it is fresh; whoever asks for it meanwhile gets the
//! same bytes. One is made at a time, on a thread that may take long: fifty open pages
//! cost what one costs, and the threads that carry shares do not notice.

use super::facts::Facts;
use super::past::{Archive, Past};
use super::query::Query;
use super::section::Section;
use crate::registry::MinerView;
use crate::view::Views;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Views of the miners that are kept at a time; most visitors have the plain one.
const KEPT: usize = 24;
const FACTS: Duration = Duration::from_millis(1900);
const CROWD: Duration = Duration::from_millis(4900);

/// A section as it is sent.
#[derive(Debug)]
pub struct Sheet {
    pub html: String,
    /// Of the text: the same again need not be sent.
    pub mark: u64,
}

impl Sheet {
    pub fn new(html: String) -> Self {
        let mut mark = DefaultHasher::new();
        html.hash(&mut mark);
        Self {
            mark: mark.finish(),
            html,
        }
    }
}

pub struct Press {
    views: Arc<Views>,
    archive: Archive,
    desk: Mutex<Desk>,
}

/// The lock on it is held while something is made: who asks the same waits for it.
#[derive(Default)]
struct Desk {
    facts: Option<(Instant, Arc<Facts>)>,
    crowd: Option<(Instant, Arc<Vec<MinerView>>)>,
    sheets: Vec<Kept>,
}

struct Kept {
    section: Section,
    /// `None`: it is the same for everybody.
    query: Option<Query>,
    made: Instant,
    sheet: Arc<Sheet>,
}

fn fresh<T: Clone>(kept: &Option<(Instant, T)>, fresh_for: Duration) -> Option<T> {
    let (made, value) = kept.as_ref()?;
    (made.elapsed() < fresh_for).then(|| value.clone())
}

impl Press {
    pub fn new(views: Arc<Views>) -> Self {
        Self {
            archive: Archive::new(views.clone()),
            views,
            desk: Mutex::new(Desk::default()),
        }
    }

    pub async fn facts(&self) -> Arc<Facts> {
        let past = self.archive.latest().await;
        self.desk.lock().await.facts(&self.views, past)
    }

    pub async fn sheet(&self, section: Section, query: &Query) -> Arc<Sheet> {
        let past = self.archive.latest().await;
        let mut desk = self.desk.lock().await;
        let query = section.is_personal().then(|| query.clone());
        desk.sheets
            .retain(|kept| kept.made.elapsed() < kept.section.fresh_for());
        let known = |kept: &&Kept| kept.section == section && kept.query == query;
        if let Some(kept) = desk.sheets.iter().find(known) {
            return kept.sheet.clone();
        }
        let facts = desk.facts(&self.views, past);
        let crowd = match section.is_personal() {
            true => desk.crowd(&self.views).await,
            false => Arc::default(),
        };
        let wanted = query.clone().unwrap_or_default();
        let html = aside(move || section.render(&facts, &crowd, &wanted)).await;
        let html = html.unwrap_or_else(|| "<p>This part could not be shown.</p>".to_owned());
        let sheet = Arc::new(Sheet::new(html));
        if desk.sheets.len() >= KEPT {
            desk.sheets.remove(0);
        }
        desk.sheets.push(Kept {
            section,
            query,
            made: Instant::now(),
            sheet: sheet.clone(),
        });
        sheet
    }
}

impl Desk {
    fn facts(&mut self, views: &Views, past: Arc<Past>) -> Arc<Facts> {
        if let Some(facts) = fresh(&self.facts, FACTS) {
            return facts;
        }
        let facts = Arc::new(Facts::gather(views, past));
        self.facts = Some((Instant::now(), facts.clone()));
        facts
    }

    async fn crowd(&mut self, views: &Arc<Views>) -> Arc<Vec<MinerView>> {
        if let Some(crowd) = fresh(&self.crowd, CROWD) {
            return crowd;
        }
        let asked = views.clone();
        let crowd = aside(move || asked.miners()).await.unwrap_or_default();
        let crowd = Arc::new(crowd);
        self.crowd = Some((Instant::now(), crowd.clone()));
        crowd
    }
}

/// Away from the threads that carry shares. `None`: a fault of ours.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.inspect_err(|fault| log::error!("a part of the page: {fault}"))
        .ok()
}
