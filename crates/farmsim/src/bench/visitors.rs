//! People who have the appliance's page open: they take what it sends, and say nothing.

use anyhow::{Result, ensure};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const VISITORS: usize = 50;
const START: Duration = Duration::from_secs(10);

/// They stay until the appliance ends.
pub fn visit(page: SocketAddr) -> Result<()> {
    for _ in 0..VISITORS {
        let mut stream = TcpStream::connect(page)?;
        stream.set_read_timeout(Some(START))?;
        stream.write_all(b"GET /live HTTP/1.1\r\nHost: bench\r\n\r\n")?;
        let mut first = [0; 12];
        stream.read_exact(&mut first)?;
        ensure!(
            &first == b"HTTP/1.1 200",
            "it answered otherwise than with a stream"
        );
        std::thread::spawn(move || {
            let mut rest = [0; 16 * 1024];
            while matches!(stream.read(&mut rest), Ok(1..)) {}
        });
    }
    Ok(())
}
