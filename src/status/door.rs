//! The page's connections: bounded in number and in patience.
//!
//! A phone that leaves the Wi-Fi closes nothing. Its connection would stay for
//! ever, and after some months the process would have no descriptor left for a
//! miner.

use crate::socket::prepare;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// Enough for every screen of a farm; beyond, visitors wait in the kernel.
/// Half of them may be live streams.
const PLACES: usize = 2 * super::live::STREAMS;
/// A live stream says something every 4 s, a page without one asks every 10 s.
const IDLE: Duration = Duration::from_secs(20);
const USER_TIMEOUT_MS: u32 = 20_000;
/// Out of descriptors, for instance: let some close before the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
    idle: Duration,
}

impl Door {
    pub fn new(listener: TcpListener) -> Self {
        Self::with(listener, PLACES, IDLE)
    }

    fn with(listener: TcpListener, places: usize, idle: Duration) -> Self {
        Self {
            listener,
            places: Arc::new(Semaphore::new(places)),
            idle,
        }
    }
}

impl Listener for Door {
    type Io = Visit;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visit, SocketAddr) {
        loop {
            let place = self.places.clone().acquire_owned().await;
            match (place, self.listener.accept().await) {
                (Ok(place), Ok((stream, peer))) => {
                    prepare(&stream, USER_TIMEOUT_MS);
                    let visit = Visit {
                        stream,
                        patience: self.idle,
                        ends: Box::pin(sleep(self.idle)),
                        _place: place,
                    };
                    return (visit, peer);
                }
                (_, Err(error)) => log::debug!("the page's port: {error}"),
                // Nobody closes the semaphore.
                (Err(_), Ok(_)) => {}
            }
            sleep(ACCEPT_PAUSE).await;
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Where a visitor comes from.
#[derive(Clone, Copy)]
pub(super) struct Peer(pub SocketAddr);

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// One connection. It fails when nothing moved on it for too long.
pub(super) struct Visit {
    stream: TcpStream,
    patience: Duration,
    ends: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Visit {
    fn watched<T>(
        &mut self,
        moved: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if moved.is_ready() {
            let ends = Instant::now() + self.patience;
            self.ends.as_mut().reset(ends);
            return moved;
        }
        self.ends
            .as_mut()
            .poll(cx)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Visit {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let moved = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.watched(moved, cx)
    }
}

impl AsyncWrite for Visit {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watched(moved, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.watched(moved, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const PATIENCE: Duration = Duration::from_secs(20);

    async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
        let waited = tokio::time::timeout(PATIENCE, future).await;
        waited.unwrap_or_else(|_| panic!("{what}: not in time"))
    }

    #[tokio::test]
    async fn visitors_that_only_hold_the_door_are_shown_out_and_the_next_one_is_served() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let door = Door::with(listener, 2, Duration::from_millis(100));
        let app = Router::new().route("/", get(|| async { "the page" }));
        let service = app.into_make_service_with_connect_info::<Peer>();
        tokio::spawn(async move { axum::serve(door, service).await });
        let connect = || TcpStream::connect(address);
        let mut silent = connect().await.expect("reached");
        let mut slow = connect().await.expect("reached");
        slow.write_all(b"GET / HT").await.expect("half a header");
        let mut visitor = connect().await.expect("reached");
        let ask = b"GET / HTTP/1.1\r\nHost: barn\r\n\r\n";
        visitor.write_all(ask).await.expect("sent");
        let mut answer = Vec::new();
        // It ends too, once it has nothing more to ask.
        let _ = soon("the page", visitor.read_to_end(&mut answer)).await;
        assert!(String::from_utf8_lossy(&answer).ends_with("the page"));
        for held in [&mut silent, &mut slow] {
            let mut rest = Vec::new();
            let _ = soon("the end of it", held.read_to_end(&mut rest)).await;
        }
    }
}
