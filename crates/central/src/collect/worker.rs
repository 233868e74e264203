//! Asks what the schedule says and hands on what was said.
//!
//! ```text
//!   owner (one thread) --Question--> a thread for each fetch, at most some at a time
//!     ^  |                                   |
//!     |  `--Heard--> channel --> next()      |
//!     `---------------- as it came ----------'
//! ```
//!
//! The owner alone touches schedule, recording and counts; it reads the answers one
//! after the other, so their order is one order, in the recording as for whoever
//! merges. A fetch that hangs holds its own site only: threads are detached, and
//! nobody waits for them, not even the end of the process. Whoever stops taking
//! answers stops the asking: the channel is bounded and no answer is dropped.

use super::Heard;
use super::config::{Config, Configured};
use super::health::{Ledger, SourceHealth};
use super::recording::Recorder;
use super::schedule::{Limits, Outlook, Question, Schedule, Step};
use super::secrets::Secrets;
use crate::merge::authority::Authority;
use crate::source::{Catalog, Parsed, Request, SourceError, registry};
use crate::transport::fetch::{FetchError, Raw, client, parse, send};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Fetches that are begun at a time.
const AT_ONCE: usize = 12;
/// One that takes longer hangs, and no longer keeps others from being begun.
const HANGS: Duration = Duration::from_secs(5);
/// Answers that wait to be taken.
const WAITING: usize = 64;

/// Drop it to end the asking.
pub struct Collector {
    heard: tokio::sync::mpsc::Receiver<Heard>,
    outlook: tokio::sync::watch::Receiver<Outlook>,
    shared: Arc<Mutex<Shared>>,
    events: mpsc::Sender<Event>,
    owner: Option<JoinHandle<()>>,
}

/// A question that was answered before, at this Unix second.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    pub source: &'a str,
    pub kind: &'a str,
    pub about: &'a str,
    pub at: u64,
}

struct Shared {
    schedule: Schedule,
    ledger: Ledger,
}

enum Event {
    Came(Box<Question>, Result<Raw, FetchError>),
    Stop,
}

struct Owner {
    sources: Vec<Configured>,
    shared: Arc<Mutex<Shared>>,
    client: ureq::Agent,
    recorder: Option<Recorder>,
    inbox: mpsc::Receiver<Event>,
    events: mpsc::Sender<Event>,
    heard: tokio::sync::mpsc::Sender<Heard>,
    outlook: tokio::sync::watch::Sender<Outlook>,
    /// When each fetch that may not hang yet was begun.
    begun: Vec<Instant>,
}

impl Collector {
    /// From now on the sources are asked. Says once what the configuration warns of
    /// and which sources are left out.
    pub fn start(config: &Config, recorder: Option<Recorder>) -> Self {
        Self::start_after(config, recorder, &[])
    }

    /// The same, but what was answered not long ago is asked when it would have been:
    /// some services allow a hundred questions a month, and a process that is started
    /// again and again must not use them up.
    pub fn start_after(
        config: &Config,
        recorder: Option<Recorder>,
        answered: &[Answered<'_>],
    ) -> Self {
        for warning in &config.warnings {
            log::warn!("{warning}");
        }
        let mut sources = config.sources.clone();
        for source in &mut sources {
            source.read_cookies();
        }
        say_who_is_left_out(&sources);
        let now = Instant::now();
        let mut schedule = Schedule::new(getrandom::u64().unwrap_or_default());
        let wall = unix_now();
        for (id, one) in sources.iter().enumerate() {
            if one.missing.is_none() {
                let requests = one.requests();
                schedule.add(id, one.limits(), requests, false, now);
            }
            for before in answered.iter().filter(|it| it.source == one.source.name()) {
                let age = Duration::from_secs(wall.saturating_sub(before.at));
                // A clock that was set back makes it now.
                if let Some(asked) = now.checked_sub(age) {
                    schedule.asked_before(id, before.kind, before.about, asked);
                }
            }
        }
        let ledger = Ledger::new(sources.iter().map(|one| (one.source.name(), one.missing)));
        let (outlook, outlook_seen) = tokio::sync::watch::channel(schedule.outlook(now));
        let (heard, heard_here) = tokio::sync::mpsc::channel(WAITING);
        let (events, inbox) = mpsc::channel();
        let shared = Arc::new(Mutex::new(Shared { schedule, ledger }));
        let owner = Owner {
            sources,
            shared: shared.clone(),
            client: client(),
            recorder,
            inbox,
            events: events.clone(),
            heard,
            outlook,
            begun: Vec::new(),
        };
        Self {
            heard: heard_here,
            outlook: outlook_seen,
            shared,
            events,
            owner: Some(thread::spawn(move || owner.run())),
        }
    }

    /// The next answer, or failure. Loses nothing when it is cancelled.
    pub async fn next(&mut self) -> Heard {
        match self.heard.recv().await {
            Some(heard) => heard,
            None => self.ended().await,
        }
    }

    /// What is heard until every question was asked once and was answered or failed,
    /// or would only be asked after `limit`; what hangs is not waited for beyond it.
    pub async fn one_round(&mut self, limit: Duration) -> Vec<Heard> {
        let end = Instant::now() + limit;
        let mut round = Vec::new();
        loop {
            let outlook = *self.outlook.borrow_and_update();
            let late = outlook.next.is_none_or(|next| next > end);
            if late && !outlook.in_flight {
                break;
            }
            tokio::select! {
                heard = self.heard.recv() => match heard {
                    Some(heard) => round.push(heard),
                    None => self.ended().await,
                },
                // The outlook is told after the answer: an end means all were sent.
                Ok(()) = self.outlook.changed() => {}
                () = tokio::time::sleep_until(end.into()) => break,
            }
        }
        while let Ok(heard) = self.heard.try_recv() {
            round.push(heard);
        }
        round
    }

    /// Was every question asked once and answered, or failed? Those that have to wait
    /// longer than `patience` for their budget do not count.
    pub fn all_asked(&self, patience: Duration) -> bool {
        let outlook = *self.outlook.borrow();
        let end = Instant::now() + patience;
        !outlook.in_flight && outlook.next.is_none_or(|next| next > end)
    }

    /// In the order of the configuration.
    pub fn health(&self) -> Vec<SourceHealth> {
        let now = Instant::now();
        let shared = lock(&self.shared);
        let condition = |source| shared.schedule.condition(source, now);
        shared.ledger.health(condition, now)
    }

    /// The owner only ends before the collector if it panicked, which is passed on.
    async fn ended(&mut self) -> ! {
        if let Some(Err(panic)) = self.owner.take().map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
        std::future::pending().await
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // An owner that is gone already needs no word.
        let _ = self.events.send(Event::Stop);
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn say_who_is_left_out(sources: &[Configured]) {
    let without: Vec<_> = sources
        .iter()
        .filter_map(|one| Some(format!("{} ({})", one.source.name(), one.missing?)))
        .collect();
    if !without.is_empty() {
        log::info!("not asked for want of something: {}", without.join(", "));
    }
}

impl Configured {
    fn limits(&self) -> Limits {
        Limits {
            budget: self.source.budget(),
            own: registry::authority(self.source.name()) == Authority::Node,
        }
    }

    fn requests(&self) -> Vec<Request> {
        let mut requests = self.source.requests(&self.settings, Catalog::built_in());
        for request in &mut requests {
            request.every = self.every.unwrap_or(request.every);
        }
        requests
    }

    /// Whether one was new. A node that does not run yet has none.
    fn read_cookies(&mut self) -> bool {
        let mut renewed = false;
        for (coin, path) in &self.cookies {
            let Ok(cookie) = std::fs::read_to_string(path) else {
                continue;
            };
            let cookie = cookie.trim().to_owned();
            let before = self
                .settings
                .more
                .insert(format!("key.{coin}"), cookie.clone());
            renewed |= before.as_deref() != Some(cookie.as_str());
        }
        renewed
    }
}

impl Owner {
    fn run(mut self) {
        loop {
            let event = match self.ask_what_is_due() {
                Some(until) => {
                    let wait = until.saturating_duration_since(Instant::now());
                    match self.inbox.recv_timeout(wait) {
                        Ok(event) => event,
                        Err(RecvTimeoutError::Timeout) => continue,
                        Err(RecvTimeoutError::Disconnected) => return,
                    }
                }
                None => match self.inbox.recv() {
                    Ok(event) => event,
                    Err(mpsc::RecvError) => return,
                },
            };
            match event {
                Event::Stop => return,
                Event::Came(question, came) => {
                    let heard = self.hear(&question, came);
                    if self.heard.blocking_send(heard).is_err() {
                        return;
                    }
                    let outlook = lock(&self.shared).schedule.outlook(Instant::now());
                    self.outlook.send_replace(outlook);
                }
            }
        }
    }

    /// When to look again, if not only after an answer.
    fn ask_what_is_due(&mut self) -> Option<Instant> {
        loop {
            let now = Instant::now();
            self.begun.retain(|begun| now < *begun + HANGS);
            if self.begun.len() >= AT_ONCE {
                return self.begun.iter().min().map(|begun| *begun + HANGS);
            }
            let step = lock(&self.shared).schedule.next(now);
            match step {
                Step::Ask(question) => self.fetch(question, now),
                Step::Wait(until) => return Some(until),
                Step::Listen => return None,
            }
        }
    }

    fn fetch(&mut self, question: Question, now: Instant) {
        self.begun.push(now);
        let (client, events) = (self.client.clone(), self.events.clone());
        let asked = question.clone();
        let spawned = thread::Builder::new().spawn(move || {
            let request = &asked.request;
            let came = catch_unwind(AssertUnwindSafe(|| send(&client, request)));
            let came = came.unwrap_or_else(|_| Err(failure("the fetch panicked")));
            // Nobody listens once the collector is gone.
            let _ = events.send(Event::Came(Box::new(asked), came));
        });
        if let Err(error) = spawned {
            let failed = Err(failure(&format!("no thread for it: {error}")));
            let _ = self.events.send(Event::Came(Box::new(question), failed));
        }
    }

    /// Read what came, and let it change what is asked next.
    fn hear(&mut self, question: &Question, came: Result<Raw, FetchError>) -> Heard {
        if let Some(place) = self.begun.iter().position(|begun| *begun == question.asked) {
            self.begun.swap_remove(place);
        }
        let at = unix_now();
        let one = &mut self.sources[question.source];
        let name = one.source.name();
        let request = &question.request;
        if let Some(recorder) = &mut self.recorder {
            recorder.record(at, name, (request, &one.settings), &came);
        }
        let read = |raw: Raw| parse(one.source, request, &raw, Catalog::built_in(), at);
        // A body that makes a parser panic must not end the asking of all others.
        let result = catch_unwind(AssertUnwindSafe(|| came.and_then(read)));
        let result = result.unwrap_or_else(|_| {
            let words = "the answer made its parser panic".to_owned();
            Err(FetchError::Source(SourceError::Malformed(words)))
        });
        let result = result.map_err(|error| Secrets::of(&one.settings).covered_error(error));
        let heard = Heard {
            source: name,
            kind: request.kind,
            about: request.about.clone(),
            at,
            result,
        };
        let now = Instant::now();
        let shared = &mut *lock(&self.shared);
        go_on(&mut shared.schedule, one, question, &heard.result, now);
        let complete = shared.schedule.all_heard(question.source);
        for (level, line) in shared.ledger.heard(question.source, &heard, complete) {
            log::log!(level, "{line}");
        }
        heard
    }
}

fn failure(words: &str) -> FetchError {
    FetchError::Transport(words.to_owned())
}

/// When this question is asked again, and which ones it leads to.
fn go_on(
    schedule: &mut Schedule,
    one: &mut Configured,
    question: &Question,
    result: &Result<Parsed, FetchError>,
    now: Instant,
) {
    let catalog = Catalog::built_in();
    let (id, limits) = (question.source, one.limits());
    let renewable = one.cookies.contains_key(&question.request.about);
    schedule.heard(question, result.as_ref().err(), renewable, now);
    match result {
        Ok(parsed) if !question.follow_up => {
            let more = one.source.follow_up(&one.settings, catalog, parsed);
            schedule.add(id, limits, more, true, now);
        }
        Err(FetchError::Source(SourceError::Key(_))) if renewable => {
            // A node makes a new cookie when it starts.
            if one.read_cookies() {
                let requests = one.requests();
                schedule.add(id, limits, requests, false, now);
                schedule.again(question, now);
            }
        }
        Ok(_) | Err(_) => {}
    }
}

#[cfg(test)]
mod tests;
