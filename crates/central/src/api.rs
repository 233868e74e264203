//! The API: hands the newest snapshot to farms, answers "which pool is best?", shows what
//! that rests on, and keeps the fleet.
//!
//! One process runs these kinds of task, all ended by one `stop` signal:
//!
//! - the feed ([`feed`]) owns the only LISTEN connection and is the only writer of what
//!   is held in memory: the newest snapshot, the farms' tokens, the releases;
//! - the server ([`server`]) accepts connections and runs one task for each;
//! - the keeper ([`keeper`]) writes when farms were seen, and forgets old reports.
//!
//! Snapshots, the best pool, tokens and releases are answered from memory. So a replica
//! keeps no state of its own, the database's load does not grow with polls, and what is
//! in memory goes on being served while the database is away. Everything else asks the
//! database through [`reader`], bounded in time.
//!
//! The endpoints: [`best_pool`] (with [`decision`], its pure part), [`coins`], [`pools`],
//! [`profitability`] (with [`history`]), [`sources`], [`snapshot`], [`reports`],
//! [`fleet`] (with [`fleet_store`]), [`releases`] (with [`release_store`], and [`rollbacks`],
//! which halts them), [`health`], [`metrics`], [`openapi`].
//!
//! Beside them [`web`]: what the operator sees in a browser.
//!
//! What they share: [`request`] and [`page`] read and cut, [`problem`] is the form of
//! every error, [`tokens`] and [`operator`] say who asks, [`limit`] how often they may,
//! [`seen`] when they did, [`algorithm`] what algorithms are called.

mod algorithm;
mod best_pool;
mod coins;
mod decision;
mod feed;
mod fleet;
mod fleet_store;
mod health;
mod history;
mod keeper;
mod limit;
mod metrics;
mod openapi;
mod operator;
mod page;
mod pools;
mod problem;
mod profitability;
mod reader;
mod release_store;
mod releases;
mod reports;
mod request;
mod rollbacks;
mod seen;
mod server;
mod snapshot;
mod sources;
mod tokens;
mod web;

use crate::db::Database;
use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use limit::Limits;
use metrics::Metrics;
use problem::Problem;
use reader::Reader;
use seen::Seen;
use std::sync::Arc;
use std::time::Duration;
use tokens::TokenGate;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use keeper::SEEN_EVERY;
pub use limit::{ADDRESS_RATE, Rate, Rates, TOKEN_RATE};
pub use operator::Operator;
pub use server::DEFAULT_MAX_CONNECTIONS;

/// Bytes of a request's body.
const MAX_BODY: usize = smart_mining_wire::report::MAX_BODY;

/// What a replica can be told.
#[derive(Clone)]
pub struct Options {
    pub max_connections: usize,
    pub operator: Operator,
    pub rates: Rates,
    /// How often the times when farms were seen are written.
    pub seen_every: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_connections: DEFAULT_MAX_CONNECTIONS,
            operator: Operator::default(),
            rates: Rates::default(),
            seen_every: SEEN_EVERY,
        }
    }
}

/// What every request may use.
#[derive(Clone)]
struct App {
    feed: feed::View,
    reader: Reader,
    tokens: Arc<TokenGate>,
    operator: Operator,
    limits: Arc<Limits>,
    metrics: Arc<Metrics>,
    seen: Arc<Seen>,
    /// For the pages.
    fleet: Arc<web::View>,
    /// OpenAPI, as it is served.
    document: Bytes,
    stop: watch::Receiver<bool>,
}

/// [`serve`] with nothing but a number of connections set.
pub async fn run(
    listener: TcpListener,
    database: Database,
    max_connections: usize,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let options = Options {
        max_connections,
        ..Options::default()
    };
    serve(listener, database, options, stop).await
}

/// Serve until `stop` resolves; then let waiting polls answer, and return. An error
/// means that a task ended without being told to: end the process, so that whoever
/// supervises it starts another, for without its tasks it would serve old answers for ever.
pub async fn serve(
    listener: TcpListener,
    database: Database,
    options: Options,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let (stopping, stopped) = watch::channel(false);
    let tokens = Arc::new(TokenGate::new(database.pool.clone()));
    let pool = database.pool.clone();
    let (feed, view) = feed::new(database, tokens.clone());
    let (routes, mut document) = routes();
    let app = App {
        reader: Reader::new(&pool, view.clone()),
        feed: view,
        tokens,
        operator: options.operator,
        limits: Arc::new(Limits::new(options.rates)),
        metrics: Arc::new(Metrics::new()),
        seen: Arc::default(),
        fleet: Arc::default(),
        document: openapi::finish(&mut document).context("the OpenAPI document")?,
        stop: stopped.clone(),
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(feed.run(stopped.clone()));
    tasks.spawn(keeper::run(
        app.clone(),
        options.seen_every,
        stopped.clone(),
    ));
    tasks.spawn(server::serve(
        listener,
        router(routes, app),
        options.max_connections,
        stopped,
    ));
    tokio::select! {
        () = stop => {}
        Some(ended) = tasks.join_next() => {
            ended.context("a task of the API failed")?;
            anyhow::bail!("a task of the API ended by itself");
        }
    }
    log::info!("stopping: waiting polls are answered, no new connection is taken");
    stopping.send_replace(true);
    while let Some(ended) = tasks.join_next().await {
        ended.context("a task of the API failed while it stopped")?;
    }
    log::info!("stopped");
    Ok(())
}

/// Every path for programs is routed here and nowhere else, and thereby described.
fn routes() -> (Router<App>, OpenApi) {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(best_pool::get))
        .routes(routes!(coins::get))
        .routes(routes!(pools::get))
        .routes(routes!(profitability::get))
        .routes(routes!(sources::sources))
        .routes(routes!(sources::rejections))
        .routes(routes!(snapshot::get))
        .routes(routes!(reports::post))
        .routes(routes!(releases::desired))
        .routes(routes!(fleet::list, fleet::enrol))
        .routes(routes!(fleet::one, fleet::change))
        .routes(routes!(fleet::rotate))
        .routes(routes!(releases::list, releases::add))
        .routes(routes!(releases::change))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::get))
        .routes(routes!(openapi::get))
        .split_for_parts()
}

fn router(routes: Router<App>, app: App) -> Router {
    routes
        .merge(web::routes())
        .fallback(async || Problem::no_such_path())
        .method_not_allowed_fallback(async || Problem::method())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(app.clone(), limit::enforce))
        .layer(from_fn_with_state(app.metrics.clone(), metrics::observe))
        .with_state(app)
}

/// Resolves when the process is to stop, or when whoever says so is gone.
async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}
