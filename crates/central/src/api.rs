//! The API: hands the newest snapshot to farms and answers "which pool is best?".
//!
//! One process runs three kinds of task, all ended by one `stop` signal:
//!
//! - the feed ([`feed`]) owns the only LISTEN connection and is the only writer of
//!   the newest snapshot, which it puts into a `watch`;
//! - the server ([`server`]) accepts connections and runs one task for each;
//! - each request reads the `watch` and nothing else. Only a bearer token that is
//!   not in the cache of [`tokens`] makes a query.
//!
//! So a replica keeps no state of its own, the database's load does not grow with
//! the farms, and what is in memory goes on being served while the database is away.
//!
//! [`best_pool`], [`snapshot`] and [`health`] are the endpoints, [`decision`] is the
//! pure part of the first, [`problem`] is the form of every error.

mod best_pool;
mod decision;
mod feed;
mod health;
mod problem;
mod server;
mod snapshot;
mod tokens;

use crate::db::Database;
use axum::Router;
use axum::routing::get;
use problem::Problem;
use std::sync::Arc;
use tokens::TokenGate;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use server::DEFAULT_MAX_CONNECTIONS;

/// What every request may use.
#[derive(Clone)]
struct App {
    feed: feed::View,
    tokens: Arc<TokenGate>,
    stop: watch::Receiver<bool>,
}

/// Serve until `stop` resolves; then let waiting polls answer, and return.
pub async fn run(
    listener: TcpListener,
    database: Database,
    max_connections: usize,
    stop: impl Future<Output = ()>,
) {
    let (stopping, stopped) = watch::channel(false);
    let tokens = Arc::new(TokenGate::new(database.pool.clone()));
    let (feed, view) = feed::new(database.clone(), tokens.clone());
    let app = App {
        feed: view,
        tokens,
        stop: stopped.clone(),
    };
    let feeding = tokio::spawn(feed.run(stopped.clone()));
    let serving = tokio::spawn(server::serve(
        listener,
        router(app),
        max_connections,
        stopped,
    ));
    stop.await;
    log::info!("stopping: waiting polls are answered, no new connection is taken");
    stopping.send_replace(true);
    for task in [serving, feeding] {
        if let Err(error) = task.await {
            log::error!("a task ended badly: {error}");
        }
    }
    log::info!("stopped");
}

fn router(app: App) -> Router {
    Router::new()
        .route("/api/best-pool", get(best_pool::get))
        .route("/api/v1/snapshot", get(snapshot::get))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::method())
        .with_state(app)
}

/// Resolves when the process is to stop, or when whoever says so is gone.
async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}
