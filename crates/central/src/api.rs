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
use anyhow::Context as _;
use axum::Router;
use axum::routing::get;
use problem::Problem;
use std::sync::Arc;
use tokens::TokenGate;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use server::DEFAULT_MAX_CONNECTIONS;

/// What every request may use.
#[derive(Clone)]
struct App {
    feed: feed::View,
    tokens: Arc<TokenGate>,
    stop: watch::Receiver<bool>,
}

/// Serve until `stop` resolves; then let waiting polls answer, and return. An error
/// means that a task ended without being told to: end the process, so that whoever
/// supervises it starts another, for without its tasks it would serve old answers for ever.
pub async fn run(
    listener: TcpListener,
    database: Database,
    max_connections: usize,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let (stopping, stopped) = watch::channel(false);
    let tokens = Arc::new(TokenGate::new(database.pool.clone()));
    let (feed, view) = feed::new(database, tokens.clone());
    let app = App {
        feed: view,
        tokens,
        stop: stopped.clone(),
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(feed.run(stopped.clone()));
    tasks.spawn(server::serve(
        listener,
        router(app),
        max_connections,
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
