//! Connections of more miners than one source address has ports for.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::AsRawFd;

use mio::net::TcpStream;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect as connect_socket, setsockopt,
    socket, sockopt::IpBindAddressNoPort,
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
    let fd = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
        None,
    )?;
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
