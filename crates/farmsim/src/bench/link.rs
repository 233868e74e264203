//! One connection: lines in, bytes out, never blocking.

use std::io::{self, ErrorKind, Read, Write};

use memchr::memchr;
use mio::net::TcpStream;

pub struct Link {
    stream: TcpStream,
    /// What the kernel did not take yet.
    out: Vec<u8>,
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
}

impl Link {
    pub fn new(stream: TcpStream) -> Self {
        // A failure costs speed, which the numbers then show.
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            out: Vec::new(),
            partial: Vec::new(),
        }
    }

    /// Sends now what the kernel takes and keeps the rest until it is writable.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut sent = 0;
        if self.out.is_empty() {
            sent = write_some(&mut self.stream, bytes)?;
        }
        self.out.extend_from_slice(&bytes[sent..]);
        Ok(())
    }

    pub fn flush(&mut self) -> io::Result<()> {
        if !self.out.is_empty() {
            let sent = write_some(&mut self.stream, &self.out)?;
            self.out.drain(..sent);
            if self.out.is_empty() {
                self.out = Vec::new();
            }
        }
        Ok(())
    }

    /// Reads what there is, line by line. A `closing` peer is read until its end.
    /// Tells the number of bytes, or an error once the peer has ended.
    pub fn read(
        &mut self,
        buffer: &mut [u8],
        closing: bool,
        mut on_line: impl FnMut(&[u8]),
    ) -> io::Result<usize> {
        let mut total = 0;
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    total += count;
                    self.split(&buffer[..count], &mut on_line);
                    // A read that did not fill the buffer emptied the socket.
                    if count < buffer.len() && !closing {
                        return Ok(total);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(total),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn split(&mut self, mut data: &[u8], on_line: &mut impl FnMut(&[u8])) {
        while let Some(end) = memchr(b'\n', data) {
            if self.partial.is_empty() {
                on_line(&data[..end]);
            } else {
                self.partial.extend_from_slice(&data[..end]);
                on_line(&std::mem::take(&mut self.partial));
            }
            data = &data[end + 1..];
        }
        self.partial.extend_from_slice(data);
    }
}

fn write_some(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while sent < bytes.len() {
        match stream.write(&bytes[sent..]) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            // Linux says so while the connection is being made.
            Err(error) if error.kind() == ErrorKind::NotConnected => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}
