//! A TCP relay that stands for the WAN between the farm and one address.
//!
//! ```text
//!            cut                     restore
//!   Up ------------> Cut (blackhole) --------> Up
//!    \                  connections of before are reset, new ones work
//!     `-- reset: every connection ends with RST, the link stays up
//! ```
//!
//! In a cut link bytes vanish: both ends keep an established connection and
//! hear nothing, not even that the other end closed. (The relay's host still
//! acknowledges the bytes; a link that loses acknowledgements too needs a
//! packet filter.)
//!
//! One task accepts, one task per connection carries; all end with the relay.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::door::Door;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Up,
    Cut,
    Gone,
}

/// A change of epoch ends every connection of the epochs before.
#[derive(Debug, Clone, Copy)]
struct Link {
    epoch: u64,
    condition: Condition,
}

/// What went through a relay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes from the side that connected.
    pub sent: u64,
    /// Bytes to the side that connected.
    pub received: u64,
    /// Bytes that vanished while the link was cut.
    pub lost: u64,
    pub connections: u64,
    pub connections_now: u64,
}

#[derive(Default)]
struct Counters {
    sent: AtomicU64,
    received: AtomicU64,
    lost: AtomicU64,
    connections: AtomicU64,
    connections_now: AtomicU64,
}

struct Wire {
    target: SocketAddr,
    link: watch::Sender<Link>,
    delay: watch::Sender<Duration>,
    counters: Counters,
}

/// A running relay; it ends when this value is dropped.
pub struct Relay {
    wire: Arc<Wire>,
    door: Door,
}

impl Relay {
    /// Listens (port 0: any free port) and carries every connection to `target`.
    pub async fn start(listen: SocketAddr, target: SocketAddr) -> io::Result<Self> {
        let wire = Arc::new(Wire {
            target,
            link: watch::Sender::new(Link {
                epoch: 0,
                condition: Condition::Up,
            }),
            delay: watch::Sender::new(Duration::ZERO),
            counters: Counters::default(),
        });
        let carrier = Arc::clone(&wire);
        let door = Door::open(listen, move |client| {
            tokio::spawn(serve(client, Arc::clone(&carrier)));
        })
        .await?;
        Ok(Self { wire, door })
    }

    /// Where to connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.door.address()
    }

    /// Blackholes: connections stay and carry nothing, new ones are
    /// established and carry nothing either.
    pub fn cut(&self) {
        self.change(Condition::Cut);
    }

    /// Blackholes what is established; new connects are refused.
    pub async fn cut_and_refuse(&self) -> io::Result<()> {
        self.door.shut().await?;
        self.change(Condition::Cut);
        Ok(())
    }

    /// New connections work again. Blackholed ones are reset: a network that
    /// comes back does not remember them.
    pub async fn restore(&self) -> io::Result<()> {
        if self.is_cut() {
            self.change(Condition::Up);
        }
        self.door.reopen().await
    }

    /// Ends every connection with a reset; the link stays as it is.
    pub fn reset(&self) {
        self.wire.link.send_modify(|link| link.epoch += 1);
    }

    /// Holds every byte back for this long, in both directions.
    pub fn delay(&self, delay: Duration) {
        self.wire.delay.send_replace(delay);
    }

    /// Whether the link is cut now.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.wire.link.borrow().condition == Condition::Cut
    }

    /// The counters of now.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.wire.counters;
        Traffic {
            sent: of(&counters.sent),
            received: of(&counters.received),
            lost: of(&counters.lost),
            connections: of(&counters.connections),
            connections_now: of(&counters.connections_now),
        }
    }

    fn change(&self, condition: Condition) {
        self.wire.link.send_modify(|link| {
            link.epoch += 1;
            link.condition = condition;
        });
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.change(Condition::Gone);
    }
}

/// Counts a connection for as long as it lives.
struct Counted<'a>(&'a Counters);

impl<'a> Counted<'a> {
    fn new(counters: &'a Counters) -> Self {
        counters.connections.fetch_add(1, Ordering::Relaxed);
        counters.connections_now.fetch_add(1, Ordering::Relaxed);
        Self(counters)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.connections_now.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve(mut client: TcpStream, wire: Arc<Wire>) {
    let _counted = Counted::new(&wire.counters);
    let mut link = wire.link.subscribe();
    let born = *link.borrow_and_update();
    let mut server = None;
    if born.condition == Condition::Up {
        tokio::select! {
            () = carry(&mut client, &mut server, &wire) => return,
            _ = link.wait_for(|link| link.epoch != born.epoch) => {}
        }
    }
    let now = *link.borrow_and_update();
    if now.condition == Condition::Cut {
        tokio::select! {
            () = swallow(&mut client, &wire.counters) => {}
            () = swallow_maybe(server.as_mut(), &wire.counters) => {}
            _ = link.wait_for(|link| link.epoch != now.epoch) => {}
        }
    }
    let _ = client.set_zero_linger();
    if let Some(server) = server {
        let _ = server.set_zero_linger();
    }
}

/// Until both directions have ended in order. What was under way when this is
/// cancelled is lost, as it would be on a broken line.
async fn carry(client: &mut TcpStream, server: &mut Option<TcpStream>, wire: &Wire) {
    let Ok(connected) = TcpStream::connect(wire.target).await else {
        // Whoever connects to a dead address is refused; here the connect has
        // succeeded already, so it is reset.
        let _ = client.set_zero_linger();
        return;
    };
    let _ = connected.set_nodelay(true);
    let server = server.insert(connected);
    let (mut client_reads, mut client_writes) = client.split();
    let (mut server_reads, mut server_writes) = server.split();
    let up = pump(
        &mut client_reads,
        &mut server_writes,
        wire,
        &wire.counters.sent,
    );
    let down = pump(
        &mut server_reads,
        &mut client_writes,
        wire,
        &wire.counters.received,
    );
    let _ = tokio::try_join!(up, down);
}

async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    wire: &Wire,
    counter: &AtomicU64,
) -> io::Result<()> {
    let (queue, mut queued) = mpsc::channel::<(Instant, Vec<u8>)>(256);
    let reading = async move {
        let mut chunk = vec![0; 16 * 1024];
        loop {
            let read = from.read(&mut chunk).await?;
            let due = Instant::now() + *wire.delay.borrow();
            if read == 0 || queue.send((due, chunk[..read].to_vec())).await.is_err() {
                return Ok(());
            }
        }
    };
    let writing = async move {
        while let Some((due, bytes)) = queued.recv().await {
            tokio::time::sleep_until(due).await;
            to.write_all(&bytes).await?;
            counter.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        to.shutdown().await
    };
    tokio::try_join!(reading, writing).map(|_: ((), ())| ())
}

/// Takes bytes for ever and forwards none; the end of the stream goes unheard.
async fn swallow(end: &mut TcpStream, counters: &Counters) {
    let mut chunk = vec![0; 16 * 1024];
    while let Ok(read) = end.read(&mut chunk).await {
        if read == 0 {
            break;
        }
        counters.lost.fetch_add(read as u64, Ordering::Relaxed);
    }
    std::future::pending::<()>().await;
}

async fn swallow_maybe(end: Option<&mut TcpStream>, counters: &Counters) {
    match end {
        Some(end) => swallow(end, counters).await,
        None => std::future::pending().await,
    }
}
