//! Sockets for crowds: more connections at once than the usual ways provide for.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};

use mio::net::{TcpListener, TcpStream};
use nix::errno::Errno;
use nix::sys::socket::sockopt::{IpBindAddressNoPort, ReuseAddr};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, SockaddrStorage, bind,
    connect as connect_socket, listen as listen_socket, setsockopt, socket,
};

/// Miners that share a source address.
const PER_ADDRESS: usize = 25_000;

/// Begins a connection of miner `number`; it need not be made yet.
pub fn connect(target: SocketAddr, number: usize) -> io::Result<TcpStream> {
    match (target, u8::try_from(number / PER_ADDRESS)) {
        (SocketAddr::V4(target), Ok(group @ 1..)) if target.ip().is_loopback() => {
            connect_from(Ipv4Addr::new(127, 0, 0, 1u8.saturating_add(group)), target)
        }
        (target, _) => TcpStream::connect(target),
    }
}

fn connect_from(source: Ipv4Addr, target: SocketAddrV4) -> io::Result<TcpStream> {
    let fd = new_socket(AddressFamily::Inet)?;
    // Without this the port is taken for all targets at once.
    setsockopt(&fd, IpBindAddressNoPort, &true)?;
    bind(
        fd.as_raw_fd(),
        &SockaddrIn::from(SocketAddrV4::new(source, 0)),
    )?;
    match connect_socket(fd.as_raw_fd(), &SockaddrIn::from(target)) {
        Ok(()) | Err(Errno::EINPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(TcpStream::from_std(std::net::TcpStream::from(fd)))
}

/// How many connections may wait to be accepted: as many as the kernel allows.
const WAITING: i32 = -1;

/// A listener with a long queue: the standard one of 128 makes a crowd's
/// connections wait a second, which would be booked on the proxy.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let fd = new_socket(family)?;
    setsockopt(&fd, ReuseAddr, &true)?;
    bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
    listen_socket(&fd, Backlog::new(WAITING)?)?;
    Ok(TcpListener::from_std(std::net::TcpListener::from(fd)))
}

fn new_socket(family: AddressFamily) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    Ok(socket(family, SockType::Stream, flags, None)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_comes_from_several_addresses() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap();
        for (number, source) in [(0, 1), (24_999, 1), (25_000, 2), (59_999, 3)] {
            let _stream = connect(target, number).unwrap();
            let (_, peer) = listener.accept().unwrap();
            assert_eq!(peer.ip(), Ipv4Addr::new(127, 0, 0, source));
        }
    }
}
