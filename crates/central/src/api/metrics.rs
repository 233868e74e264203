//! `GET /metrics`: what this replica does, in the text form that Prometheus reads.
//!
//! Labels are bounded: a route is one of those served here or `other`, a status is a
//! class. Figures that are somebody else's to know are taken when they are asked for.

use super::App;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::Instant;

const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: String,
    class: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Caller {
    caller: &'static str,
}

type Durations = Family<Route, Histogram, fn() -> Histogram>;

pub struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    durations: Durations,
    limited: Family<Caller, Counter>,
    open_polls: Gauge,
    sequence: Gauge,
    age: Gauge,
    database_up: Gauge,
    farms_known: Gauge,
}

impl Metrics {
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("smart_mining_api");
        let buckets = || Histogram::new(exponential_buckets(0.001, 4.0, 9));
        let durations = Durations::new_with_constructor(buckets as fn() -> Histogram);
        registry.register(
            "request_duration_seconds",
            "Time until an answer, waiting of long-polls included",
            durations.clone(),
        );
        Self {
            requests: add(&mut registry, "requests", "Requests answered"),
            limited: add(&mut registry, "rate_limited", "Requests over a rate limit"),
            open_polls: add(
                &mut registry,
                "open_polls",
                "Snapshot requests at this moment",
            ),
            sequence: add(
                &mut registry,
                "snapshot_sequence",
                "Of the snapshot served; 0 is none",
            ),
            age: add(
                &mut registry,
                "snapshot_age_seconds",
                "Since the snapshot served was published; 0 while there is none",
            ),
            database_up: add(
                &mut registry,
                "database_up",
                "1 while the database is followed",
            ),
            farms_known: add(
                &mut registry,
                "farms_known",
                "Farms whose token is in memory",
            ),
            durations,
            registry,
        }
    }

    pub fn limited(&self, caller: &'static str) {
        self.limited.get_or_create(&Caller { caller }).inc();
    }

    /// Counts a snapshot request for as long as the answer is alive.
    pub fn open_poll(self: &Arc<Self>) -> OpenPoll {
        self.open_polls.inc();
        OpenPoll(self.clone())
    }

    fn note(&self, route: &str, method: &Method, response: &Response, since: Instant) {
        let class = match response.status().as_u16() {
            ..200 => "1xx",
            200..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            500.. => "5xx",
        };
        let answered = Answered {
            method: method_name(method),
            route: route.to_owned(),
            class,
        };
        self.requests.get_or_create(&answered).inc();
        let route = Route {
            route: route.to_owned(),
        };
        let seconds = since.elapsed().as_secs_f64();
        self.durations.get_or_create(&route).observe(seconds);
    }
}

/// Anybody can make up a method; only those that are served get a name.
fn method_name(method: &Method) -> &'static str {
    let served = ["GET", "HEAD", "POST", "PATCH"];
    let name = served.into_iter().find(|name| *name == method.as_str());
    name.unwrap_or("other")
}

fn add<M>(registry: &mut Registry, name: &str, help: &str) -> M
where
    M: Clone + Default + prometheus_client::registry::Metric,
{
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

pub struct OpenPoll(Arc<Metrics>);

impl Drop for OpenPoll {
    fn drop(&mut self) {
        self.0.open_polls.dec();
    }
}

/// Around every request.
pub async fn observe(
    State(metrics): State<Arc<Metrics>>,
    request: Request,
    next: Next,
) -> Response {
    let since = Instant::now();
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or("other", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let response = next.run(request).await;
    metrics.note(&route, &method, &response, since);
    response
}

/// What this replica does, for Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "service",
    responses((status = 200, description = "OpenMetrics text.", body = String,
        content_type = "application/openmetrics-text")))]
pub async fn get(State(app): State<App>) -> Response {
    let metrics = &app.metrics;
    let newest = app.feed.newest.borrow().clone();
    let created_at = newest.as_ref().map(|n| n.snapshot.created_at.cast_signed());
    let age = created_at.map_or(0, |at| (super::seen::unix_now() - at).max(0));
    metrics
        .sequence
        .set(newest.map_or(0, |n| n.sequence.cast_signed()));
    metrics.age.set(age);
    metrics.database_up.set(app.feed.database_is_up().into());
    let known = i64::try_from(app.tokens.known()).unwrap_or(i64::MAX);
    metrics.farms_known.set(known);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = encode(&mut text, &metrics.registry);
    ([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response()
}
