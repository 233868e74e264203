//! A listening port that can be shut and opened again.
//!
//! While it is shut, a socket stays bound to the port without listening: a
//! connect is refused, and no other program can take the port meanwhile (on
//! loopback even a connecting client could be given it).

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use crate::sync::lock;

type OnVisitor = Arc<dyn Fn(TcpStream) + Send + Sync>;

/// One task accepts; it is owned here and ends with this value.
pub(crate) struct Door {
    address: SocketAddr,
    on_visitor: OnVisitor,
    reserved: Mutex<Option<TcpSocket>>,
    accepting: Mutex<Option<JoinHandle<()>>>,
    /// Opening and shutting have several steps.
    turn: tokio::sync::Mutex<()>,
}

impl Door {
    /// Binds and opens.
    pub(crate) async fn open(
        address: SocketAddr,
        on_visitor: impl Fn(TcpStream) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let socket = bind(address)?;
        let door = Self {
            address: socket.local_addr()?,
            on_visitor: Arc::new(on_visitor),
            reserved: Mutex::new(Some(socket)),
            accepting: Mutex::new(None),
            turn: tokio::sync::Mutex::new(()),
        };
        door.reopen().await?;
        Ok(door)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts again; nothing happens to an open door.
    pub(crate) async fn reopen(&self) -> io::Result<()> {
        let _turn = self.turn.lock().await;
        let Some(socket) = lock(&self.reserved).take() else {
            return Ok(());
        };
        let listener = socket.listen(1024)?;
        let accepting = tokio::spawn(accept(listener, Arc::clone(&self.on_visitor)));
        *lock(&self.accepting) = Some(accepting);
        Ok(())
    }

    /// From its return on, connects are refused. Visitors inside stay.
    pub(crate) async fn shut(&self) -> io::Result<()> {
        let _turn = self.turn.lock().await;
        let Some(accepting) = lock(&self.accepting).take() else {
            return Ok(());
        };
        accepting.abort();
        let _ = accepting.await;
        *lock(&self.reserved) = Some(bind(self.address)?);
        Ok(())
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(accepting) = lock(&self.accepting).take() {
            accepting.abort();
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn accept(listener: TcpListener, on_visitor: OnVisitor) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                on_visitor(stream);
            }
            // Out of file handles, or a visitor that left already.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}
