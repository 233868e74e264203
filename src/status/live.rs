//! `GET /live`: the parts of the page that changed, as server-sent events.
//!
//! | event | data |
//! |---|---|
//! | `build` | first: names the page's build; another one than the visitor's loads it anew |
//! | `part` | `{"id": .., "html": ..}`: the new inside of that element |
//! | `beat` | when nothing changed for a while: the appliance is there |
//!
//! A stream holds a place of its own kind ([`STREAMS`]) beside its connection's. When all
//! are taken the answer is 503, and the page asks for itself every 10 s instead.

use super::page::shell::BUILD;
use super::page::{Press, Query, Raw, Section};
use axum::Router;
use axum::extract::{Query as Address, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream::{self, Stream};
use serde::Serialize;
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Fewer than the door has places, so that a page can be had while all stream.
pub(super) const STREAMS: usize = 64;
const EVERY: Duration = Duration::from_secs(2);
/// Quiet looks after which it is said that somebody is there.
const BEAT: u32 = 2;

#[derive(Clone)]
struct Hall {
    press: Arc<Press>,
    streams: Arc<Semaphore>,
}

pub(super) fn routes(press: Arc<Press>) -> Router {
    let streams = Arc::new(Semaphore::new(STREAMS));
    Router::new()
        .route("/live", get(live))
        .with_state(Hall { press, streams })
}

async fn live(State(hall): State<Hall>, Address(raw): Address<Raw>) -> Response {
    let Ok(place) = hall.streams.try_acquire_owned() else {
        let told = "all live streams are taken; ask for the page instead\n";
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::RETRY_AFTER, "10")],
            told,
        )
            .into_response();
    };
    let watch = Watch::new(hall.press, raw.into(), place);
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, Sse::new(watch.events())).into_response()
}

/// One visitor's stream.
struct Watch {
    press: Arc<Press>,
    query: Query,
    look: Interval,
    /// What the visitor has of each part.
    seen: HashMap<Section, u64>,
    waiting: VecDeque<Event>,
    quiet: u32,
    _place: OwnedSemaphorePermit,
}

#[derive(Serialize)]
struct Part<'a> {
    id: &'a str,
    html: &'a str,
}

impl Watch {
    fn new(press: Arc<Press>, query: Query, place: OwnedSemaphorePermit) -> Self {
        let mut look = interval(EVERY);
        // One that was held up has missed nothing: it sends what holds now.
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let build = Event::default().event("build").data(BUILD.as_str());
        Self {
            press,
            query,
            look,
            seen: HashMap::new(),
            waiting: VecDeque::from([build]),
            quiet: 0,
            _place: place,
        }
    }

    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut watch| async move {
            let event = watch.next().await;
            Some((Ok(event), watch))
        })
    }

    async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return event;
            }
            self.look.tick().await;
            self.gather().await;
        }
    }

    async fn gather(&mut self) {
        for section in Section::ALL {
            let sheet = self.press.sheet(section, &self.query).await;
            if self.seen.insert(section, sheet.mark) == Some(sheet.mark) {
                continue;
            }
            let part = Part {
                id: section.id(),
                html: &sheet.html,
            };
            if let Ok(event) = Event::default().event("part").json_data(part) {
                self.waiting.push_back(event);
            }
        }
        self.quiet = if self.waiting.is_empty() {
            self.quiet + 1
        } else {
            0
        };
        if self.quiet >= BEAT {
            self.quiet = 0;
            self.waiting
                .push_back(Event::default().event("beat").data("-"));
        }
    }
}
