//! How the pool behaves at the moment, and the junk of a broken one.

use std::time::Duration;

/// Changed at any moment through the pool's handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    #[default]
    Normal,
    /// The connection lives, everything is read, nothing is done or written.
    Silent,
    /// Nothing is read, nothing is written; what came waits.
    HalfOpen,
    /// Every line goes out this much later.
    Slow(Duration),
    /// Every share is rejected with this code.
    RejectShares(i64),
    /// Every `mining.authorize` is answered `false`.
    RejectLogins,
    /// Everything is answered with junk.
    Garbage,
}

/// The kinds of junk, in turn.
pub(super) fn junk(turn: usize) -> Vec<u8> {
    match turn % 7 {
        0 => b"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>\n".to_vec(),
        1 => b"{\"id\":1,\"result\":[[[\"mining.notify\"\n".to_vec(),
        2 => b"\x00\xff\xfe\x16\x03\x01\n".to_vec(),
        3 => b"{\"id\":null,\"method\":\"mining.notify\",\"params\":[1,null,{}]}\n".to_vec(),
        4 => b"{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[\"x\"]}\n[]\n7\n"
            .to_vec(),
        5 => b"{\"id\":{\"a\":[]},\"result\":true,\"error\":false}\n".to_vec(),
        _ => {
            let mut giant = vec![b'9'; 300_000];
            giant.push(b'\n');
            giant
        }
    }
}
