//! What central is told of the farm: made every few minutes and when the state
//! changes, kept in the store until central has it.
//!
//! ```text
//!   page's view --pace--> report + shares --one commit--> outbox
//!                                                           | the oldest 50
//!        .---- 200: those that central names are deleted ---'-> POST /api/v1/reports
//!        |---- 400, 409, 413, 422: the one at fault is set aside, the others go on
//!        |---- 408, 429, 5xx, no answer: later
//!        '---- 401 and the rest: later, and an event, for a person has to mend it
//! ```
//!
//! One thread of its own, because ureq blocks: neither the poll for snapshots nor
//! a share waits for it. While it waits for central (30 s at most for an answer) no
//! report is made; the next one has the counts all the same.
//!
//! A report is sent again until central has named it, with the same id and the
//! same bytes, so that a lost answer doubles nothing. What ends with the process at
//! any moment: what the thread was about to ask. Shares are counted for reports by
//! the store, in the transaction that writes the books; a power cut loses the last
//! seconds of both.

mod make;
mod pace;
mod post;

use crate::config::Central;
use crate::events::{Code, Events, Subject};
use crate::outcome;
use crate::store::{OutboxState, Reader, StoreError};
use crate::view::Views;
use make::Moment;
use pace::Pace;
use post::{Outcome, Post};
use smart_mining_core::{Duration as Span, Instant};
use smart_mining_page::words::duration;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often it is looked whether something is to be made or sent. It also spaces the
/// bodies after an outage, when all farms send at once.
const TICK: Duration = Duration::from_secs(1);
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How often it is told that reports are dropped.
const TELL_DROPPED: Span = Span::from_secs(24 * 3600);

/// For the status page.
#[derive(Clone, Debug, Default)]
pub struct ReportsView {
    pub outbox: OutboxState,
    /// Since the start.
    pub delivered: u64,
    /// Why central did not take the last ones; `None` once it takes them.
    pub last_error: Option<String>,
}

/// `None`: there is no central to report to.
pub type View = watch::Sender<Option<ReportsView>>;

pub struct Reporter {
    views: Arc<Views>,
    /// The store's own place cannot be used.
    elsewhere: bool,
    /// Where the updater says what became of the last release it tried.
    outcome: Option<PathBuf>,
    pace: Pace,
    /// Reports in the outbox, as it was read last. `None`: it could not be read.
    waiting: Option<u64>,
    post: Post,
    view: View,
    /// Not to be asked before.
    next: Option<Instant>,
    wait: Duration,
    /// Reports in one body; fewer while one at fault is looked for.
    most: usize,
    /// What a person has to mend, as it was told.
    told: Option<String>,
    dropped: Dropped,
}

/// Drops that were told, and when.
#[derive(Default)]
struct Dropped {
    known: bool,
    told: u64,
    at: Option<Instant>,
}

impl Reporter {
    pub fn new(central: &Central, views: Arc<Views>, view: View, elsewhere: bool) -> Self {
        views.store.count_for_reports();
        view.send_replace(Some(ReportsView::default()));
        let every = Span::from_secs(central.report_every.as_secs());
        Self {
            pace: Pace::new(every, views.clock.now()),
            views,
            elsewhere,
            outcome: None,
            waiting: None,
            post: Post::new(central),
            view,
            next: None,
            wait: FIRST_WAIT,
            most: post::MOST,
            told: None,
            dropped: Dropped::default(),
        }
    }

    /// Tell of updates too.
    #[must_use]
    pub fn with_outcome(mut self, outcome: Option<PathBuf>) -> Self {
        self.outcome = outcome;
        self
    }

    /// Makes and sends for as long as the process lives.
    pub fn run(mut self) {
        self.refresh();
        loop {
            self.make_if_due();
            self.send_if_due();
            std::thread::sleep(TICK);
        }
    }

    fn events(&self) -> &Events {
        &self.views.events
    }

    fn make_if_due(&mut self) {
        let now = self.views.clock.now();
        if !self.pace.may(now) {
            return;
        }
        let status = self.views.status();
        let state = make::state(&status, self.elsewhere);
        let settled = status.algorithms.iter().any(|lane| lane.route.is_some())
            && status.central.state != "not asked yet";
        if !self.pace.is_due(now, state, settled) {
            return;
        }
        let moment = Moment {
            wall: crate::clock::unix_now(),
            uptime: self.views.clock.uptime(),
        };
        let made = make::id()
            .map_err(|error| format!("there is no random number for its id: {error}"))
            .and_then(|id| {
                // What was counted up to this moment belongs to it.
                self.views.ledger.write_to(&self.views.store);
                let update = self.outcome.as_deref().and_then(outcome::read);
                let report = make::report(id, &status, state, moment, update);
                let saved = self.views.store.save_report(report);
                saved.map_err(|error| error.to_string())
            });
        match made {
            Ok(()) => self.pace.made(now, state),
            Err(error) => {
                log::warn!("a report was not made, its shares go into the next: {error}");
                self.pace.failed(now);
            }
        }
        self.refresh();
    }

    fn send_if_due(&mut self) {
        let now = self.views.clock.now();
        if self.waiting == Some(0) || self.next.is_some_and(|next| now < next) {
            return;
        }
        let read = self.read(|reader| reader.waiting_reports(post::MOST));
        let waiting = match read {
            Ok(waiting) => waiting,
            Err(error) => return self.later(None, error.to_string()),
        };
        let reports = post::fitting(&waiting, self.most);
        if reports.is_empty() {
            return;
        }
        match self.post.send(reports) {
            Outcome::Delivered(ids) => self.delivered(ids),
            Outcome::Refused { ids, why } if ids.is_empty() && reports.len() > 1 => {
                log::debug!("a report among {} was refused: {why}", reports.len());
                // Halves find the one at fault; the others are not held up by it.
                self.most = reports.len() / 2;
            }
            Outcome::Refused { ids, why } => {
                let one = reports.iter().take(1).map(|report| report.id.clone());
                let ids = if ids.is_empty() { one.collect() } else { ids };
                self.set_aside(&ids, &why);
            }
            Outcome::Later { after, why } => self.later(after, why),
            Outcome::Person(why) => self.person(why),
        }
        self.refresh();
    }

    fn delivered(&mut self, ids: Vec<String>) {
        let count = ids.len();
        if let Err(error) = self.views.store.delete_reports(ids) {
            // Central has them, and will say so again.
            return self.later(None, error.to_string());
        }
        self.next = None;
        self.wait = FIRST_WAIT;
        self.most = (self.most * 2).min(post::MOST);
        self.view.send_modify(|view| {
            if let Some(view) = view {
                view.delivered += count as u64;
                view.last_error = None;
            }
        });
        if self.told.take().is_some() {
            let text = format!("central takes reports again; {count} delivered");
            self.events()
                .record(Code::ReportsTaken, Subject::Central, text);
        }
    }

    fn set_aside(&mut self, ids: &[String], why: &str) {
        for id in ids {
            let done = self
                .views
                .store
                .set_report_aside(id.clone(), why.to_owned());
            if let Err(error) = done {
                return self.later(None, error.to_string());
            }
            let text = format!("central will never take it ({why}); set aside in the store");
            self.events()
                .record(Code::ReportRefused, Subject::Report(id), text);
        }
    }

    fn later(&mut self, after: Option<Duration>, why: String) {
        // All farms lose central at the same moment, and must not come back at one.
        let wait = after.unwrap_or(self.wait);
        let wait = wait + spread(wait.min(LONGEST_WAIT) / 2);
        let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX / 4);
        self.next = Some(self.views.clock.now() + Span::from_micros(micros));
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        log::debug!("reports wait {} ms: {why}", wait.as_millis());
        self.view.send_modify(|view| {
            if let Some(view) = view {
                view.last_error = Some(why);
            }
        });
    }

    fn person(&mut self, why: String) {
        if self.told.as_ref() != Some(&why) {
            self.events()
                .record(Code::ReportsNotTaken, Subject::Central, why.clone());
            self.told = Some(why.clone());
        }
        self.later(None, why);
    }

    /// What the page shows, and what is to be told of it.
    fn refresh(&mut self) {
        let read = self.read(Reader::outbox);
        self.waiting = read.as_ref().ok().map(|outbox| outbox.waiting);
        let outbox = match read {
            Ok(outbox) => outbox,
            Err(error) => {
                log::debug!("the outbox cannot be read: {error}");
                return;
            }
        };
        self.tell_dropped(outbox.dropped);
        self.view.send_modify(|view| {
            if let Some(view) = view {
                view.outbox = outbox;
            }
        });
    }

    fn tell_dropped(&mut self, dropped: u64) {
        let now = self.views.clock.now();
        if !self.dropped.known {
            // Those of earlier starts were told then.
            self.dropped = Dropped {
                known: true,
                told: dropped,
                at: None,
            };
        }
        let new = dropped.saturating_sub(self.dropped.told);
        let since = self.dropped.at.map(|at| now.saturating_duration_since(at));
        if new == 0 || since.is_some_and(|since| since < TELL_DROPPED) {
            return;
        }
        self.dropped.told = dropped;
        self.dropped.at = Some(now);
        let text = format!(
            "{new} of the oldest reports dropped before central had them: there is no room for more"
        );
        self.events()
            .record(Code::ReportsDropped, Subject::Outbox, text);
    }

    /// On a connection that is closed again: the store folds its log into the file
    /// when the last one closes.
    fn read<T>(&self, read: impl Fn(&Reader) -> Result<T, StoreError>) -> Result<T, StoreError> {
        read(&self.views.store.reader()?)
    }
}

impl ReportsView {
    /// How long the oldest has waited, for a person.
    pub fn waiting_for(&self, wall: u64) -> Option<u64> {
        self.outbox.oldest_at.and_then(|at| wall.checked_sub(at))
    }
}

/// Anything from nothing to `most`.
fn spread(most: Duration) -> Duration {
    let mut byte = [0];
    // Without a random number it is nothing.
    let _ = getrandom::fill(&mut byte);
    most * u32::from(byte[0]) / 255
}

/// `3 wait, the oldest for 12 min 4 s`.
pub fn line(waiting: u64, oldest_seconds: Option<u64>) -> String {
    match (waiting, oldest_seconds) {
        (0, _) => "none wait".to_owned(),
        (waiting, Some(age)) => format!("{waiting} wait, the oldest for {}", duration(age)),
        (waiting, None) => {
            format!("{waiting} wait, the oldest of unknown age (the clock is behind)")
        }
    }
}

#[cfg(test)]
mod tests;
