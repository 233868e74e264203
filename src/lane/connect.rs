//! Reaching a pool by its name, which may stand for several addresses.

use crate::socket;
use crate::tls::client::{PoolStream, secure};
use smart_mining_wire::PoolUrl;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Short, so that a returning WAN is noticed within two seconds: a question or
/// a SYN that was lost in the outage is repeated by the next attempt.
const WITHIN: Duration = Duration::from_secs(2);
const USER_TIMEOUT_MS: u32 = 10_000;
/// The lead of each address over the next one.
const STAGGER: Duration = Duration::from_millis(150);
/// Addresses of a name that are tried; the last still has a second to answer.
const TRIED: usize = 8;

/// A connection that speaks as the url says. The text says what was missing.
pub(crate) async fn reach(url: &PoolUrl, pin: Option<[u8; 32]>) -> Result<PoolStream, String> {
    let stream = connect(&url.host, url.port).await?;
    socket::prepare(&stream, USER_TIMEOUT_MS);
    secure(stream, url, pin).await
}

/// The text says what was missing: the name, or an answer.
async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let found = timeout(WITHIN, lookup_host((host, port))).await;
    let addresses = match found {
        Ok(Ok(addresses)) => alternating(addresses.collect()),
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err(format!("{host} was not found by DNS within {WITHIN:?}")),
    };
    match timeout(WITHIN, first_of(addresses)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {WITHIN:?}")),
    }
}

/// IPv6 and IPv4 in turn, otherwise as the resolver ordered them: on many a LAN
/// one of the two leads nowhere.
fn alternating(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v4 = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (like_first, others): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv4() == first_is_v4);
    let mut ordered = Vec::with_capacity(TRIED);
    let (mut like_first, mut others) = (like_first.into_iter(), others.into_iter());
    while ordered.len() < TRIED {
        let before = ordered.len();
        ordered.extend(like_first.next());
        ordered.extend(others.next());
        if ordered.len() == before {
            break;
        }
    }
    ordered
}

/// An address that swallows our packets must not use up the time of the others,
/// so each starts a little after the one before it, and the first to answer wins.
async fn first_of(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut attempts = JoinSet::new();
    for (address, turn) in addresses.into_iter().zip(0..) {
        attempts.spawn(async move {
            sleep(STAGGER * turn).await;
            TcpStream::connect(address).await
        });
    }
    let mut why = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    while let Some(attempt) = attempts.join_next().await {
        match attempt {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => why = error,
            Err(fault) => why = io::Error::other(fault),
        }
    }
    Err(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::{
        AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, getsockname, listen, socket,
    };
    use std::net::{Ipv4Addr, TcpListener};
    use std::os::fd::{AsRawFd, OwnedFd};

    /// A port that answers no SYN: its queue of one is full. Alive while held.
    fn black_hole() -> (SocketAddr, OwnedFd, Vec<std::net::TcpStream>) {
        let fd = socket(
            AddressFamily::Inet,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC,
            None,
        )
        .expect("a socket");
        let any = SockaddrIn::new(127, 0, 0, 1, 0);
        bind(fd.as_raw_fd(), &any).expect("a free port");
        listen(&fd, Backlog::new(0).expect("small")).expect("it listens");
        let port = getsockname::<SockaddrIn>(fd.as_raw_fd())
            .expect("it is bound")
            .port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut queued = Vec::new();
        while let Ok(stream) =
            std::net::TcpStream::connect_timeout(&address, Duration::from_millis(300))
        {
            queued.push(stream);
        }
        (address, fd, queued)
    }

    #[tokio::test]
    async fn an_address_that_swallows_packets_does_not_hide_the_one_that_works() {
        let (hole, _fd, _queued) = black_hole();
        let pool = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let works = pool.local_addr().expect("it is bound");
        let stream = timeout(WITHIN, first_of(vec![hole, works]))
            .await
            .expect("within the time of one attempt")
            .expect("the second address answers");
        assert_eq!(stream.peer_addr().expect("connected"), works);
    }

    #[tokio::test]
    async fn when_all_refuse_the_reason_is_theirs() {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let refuses = free.local_addr().expect("it is bound");
        drop(free);
        let error = first_of(vec![refuses]).await.expect_err("nobody listens");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let none = first_of(Vec::new()).await.expect_err("no address");
        assert_eq!(none.to_string(), "the name has no address");
    }

    #[test]
    fn the_families_take_turns() {
        let parse = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let [a, b, c] = ["[2001:db8::1]:1", "[2001:db8::2]:1", "192.0.2.1:1"].map(parse);
        assert_eq!(alternating(vec![a, b, c]), [a, c, b]);
        assert_eq!(alternating(vec![c, a, b]), [c, a, b]);
        assert!(alternating(vec![a; 40]).len() <= TRIED);
    }
}
