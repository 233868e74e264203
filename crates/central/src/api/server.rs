//! Accepts connections: bounded in number, in header size and in patience.

use super::stopped;
use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tower::util::MapRequest;

/// Each farm holds one, of some 30 KiB. More than one replica ought to serve, for beyond it
/// a probe of the replica's health waits as everybody else does.
pub const DEFAULT_MAX_CONNECTIONS: usize = 20_000;
/// For one request's header, and for an idle connection to ask again.
const HEADER_TIME: Duration = Duration::from_secs(20);
const HEADER_BYTES: usize = 16 * 1024;
/// What open connections get for their last answer.
const DRAIN: Duration = Duration::from_secs(5);
/// Out of file descriptors, for instance: let some close before the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who a connection comes from; an extension of each of its requests.
#[derive(Clone, Copy)]
pub struct Peer(pub IpAddr);

pub async fn serve(
    listener: TcpListener,
    router: Router,
    max_connections: usize,
    stop: watch::Receiver<bool>,
) {
    let connections = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(max_connections));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(HEADER_BYTES);
    let accepting = async {
        loop {
            // Taken before `accept`: beyond the limit, new connections wait in the kernel.
            let Ok(place) = places.clone().acquire_owned().await else {
                return;
            };
            let (stream, peer) = accept(&listener).await;
            let service = MapRequest::new(router.clone(), move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(peer);
                request
            });
            let service = TowerToHyperService::new(service);
            let connection = http.serve_connection(TokioIo::new(stream), service);
            let connection = connections.watch(connection);
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    log::debug!("a connection ended: {error}");
                }
                drop(place);
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stopped(stop) => {}
    }
    drop(listener);
    if timeout(DRAIN, connections.shutdown()).await.is_err() {
        log::warn!("some connections did not end within {} s", DRAIN.as_secs());
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, Peer) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                // An answer is one small write; waiting to fill a packet only delays it.
                let _ = stream.set_nodelay(true);
                return (stream, Peer(address.ip()));
            }
            Err(error) => {
                log::warn!("a connection could not be accepted: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
