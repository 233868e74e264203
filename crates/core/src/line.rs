//! One bounded buffer that turns a byte stream into lines.
//!
//! A peer that never sends a line end costs this buffer and nothing more.

use heapless::Vec;

/// Longest line a miner may send; real ones stay below 400 bytes.
pub const MINER_LINE: usize = 1024;
/// Longest line a pool may send; a large coinbase makes a notify of some KiB.
pub const POOL_LINE: usize = 32 * 1024;

/// Holds at most one unfinished line of `N` bytes.
#[derive(Debug, Default)]
pub struct LineBuffer<const N: usize> {
    held: Vec<u8, N>,
}

/// The line did not end within the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line longer than {0} bytes")]
pub struct TooLong(pub usize);

impl<const N: usize> LineBuffer<N> {
    pub const fn new() -> Self {
        Self { held: Vec::new() }
    }

    /// Take as many bytes as there is room for; answers with the rest.
    pub fn extend<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], TooLong> {
        let room = N - self.held.len();
        let (now, later) = bytes.split_at(room.min(bytes.len()));
        // `now` fits by construction.
        if self.held.extend_from_slice(now).is_err() || (now.is_empty() && !later.is_empty()) {
            return Err(TooLong(N));
        }
        Ok(later)
    }

    /// Hand each finished line to `each`, without its line end. Empty lines are
    /// skipped. Stops early when `each` answers `false`.
    pub fn lines(&mut self, mut each: impl FnMut(&[u8]) -> bool) -> Result<(), TooLong> {
        let mut start = 0;
        let mut go_on = true;
        while let Some(length) = self.held[start..].iter().position(|&b| b == b'\n') {
            let line = self.held[start..start + length].trim_ascii();
            start += length + 1;
            if !line.is_empty() && !each(line) {
                go_on = false;
                break;
            }
        }
        self.held.copy_within(start.., 0);
        self.held.truncate(self.held.len() - start);
        if go_on && self.held.is_full() {
            return Err(TooLong(N));
        }
        Ok(())
    }
}

/// Feed `bytes` of any length through the buffer. When `each` answers `false`
/// what is left of `bytes` is dropped.
pub fn feed<const N: usize>(
    buffer: &mut LineBuffer<N>,
    mut bytes: &[u8],
    mut each: impl FnMut(&[u8]) -> bool,
) -> Result<(), TooLong> {
    let mut go_on = true;
    while go_on && !bytes.is_empty() {
        bytes = buffer.extend(bytes)?;
        buffer.lines(|line| {
            go_on = each(line);
            go_on
        })?;
    }
    Ok(())
}

/// The same for a peer of whom there are thousands: nothing is held while no line
/// is unfinished, and bytes that hold whole lines are read where they are.
#[derive(Debug, Default)]
pub struct Unfinished {
    held: alloc::vec::Vec<u8>,
}

impl Unfinished {
    pub const fn new() -> Self {
        Self {
            held: alloc::vec::Vec::new(),
        }
    }

    /// Hand each finished line of at most `limit` bytes to `each`, without its line
    /// end. Empty lines are skipped. When `each` answers `false` the rest is dropped.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        limit: usize,
        mut each: impl FnMut(&[u8]) -> bool,
    ) -> Result<(), TooLong> {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            bytes = rest;
            if self.held.len() + line.len() > limit {
                return Err(TooLong(limit));
            }
            let go_on = if self.held.is_empty() {
                let line = line.trim_ascii();
                line.is_empty() || each(line)
            } else {
                let mut whole = core::mem::take(&mut self.held);
                whole.extend_from_slice(line);
                let line = whole.trim_ascii();
                line.is_empty() || each(line)
            };
            if !go_on {
                return Ok(());
            }
        }
        if self.held.len() + bytes.len() > limit {
            return Err(TooLong(limit));
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec as Heap;
    use proptest::prelude::*;

    proptest! {
        /// However TCP cuts the stream, the lines are the same.
        #[test]
        fn cuts_do_not_matter(lines in proptest::collection::vec("[a-z]{1,20}", 1..8), cuts in proptest::collection::vec(1usize..9, 1..40)) {
            let mut stream: Heap<u8> = Heap::new();
            for line in &lines {
                stream.extend_from_slice(line.as_bytes());
                stream.extend_from_slice(b"\r\n");
            }
            let mut buffer = LineBuffer::<32>::new();
            let (mut unfinished, mut also) = (Unfinished::new(), Heap::new());
            let mut got = Heap::new();
            let mut rest = &stream[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (head, tail) = rest.split_at((*cut).min(rest.len()));
                unfinished.feed(head, 32, |line| {
                    also.push(alloc::string::String::from_utf8_lossy(line).into_owned());
                    true
                }).expect("lines fit");
                feed(&mut buffer, head, |line| {
                    got.push(alloc::string::String::from_utf8_lossy(line).into_owned());
                    true
                }).expect("lines fit");
                rest = tail;
            }
            prop_assert_eq!(&got, &lines);
            prop_assert_eq!(also, lines);
        }
    }

    #[test]
    fn a_line_without_end_costs_one_buffer() {
        let mut buffer = LineBuffer::<8>::new();
        assert_eq!(feed(&mut buffer, &[b'x'; 100], |_| true), Err(TooLong(8)));
        let mut unfinished = Unfinished::new();
        assert_eq!(unfinished.feed(&[b'x'; 8], 8, |_| true), Ok(()));
        assert_eq!(unfinished.feed(b"x", 8, |_| true), Err(TooLong(8)));
    }

    #[test]
    fn a_line_of_exactly_the_buffer_passes() {
        let mut buffer = LineBuffer::<4>::new();
        let mut seen = 0;
        feed(&mut buffer, b"abc\nabc\n", |line| {
            seen += line.len();
            true
        })
        .expect("fits");
        assert_eq!(seen, 6);
    }
}
