//! `--watch`: the same text again every two seconds, in its place, until `q` or Ctrl-C.
//!
//! The terminal's other screen is used, so that what stood there is there again
//! afterwards, however this ends.

use super::print::{DIM, height, painted};
use super::target::Fault;
use anstream::adapter::strip_str;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use std::io::{IsTerminal as _, Read as _, Write as _, stdin};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

const EVERY: Duration = Duration::from_secs(2);
const CTRL_C: u8 = 3;
/// The other screen, without a cursor, and with long lines cut; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

pub fn run(what: &str, look: &mut dyn FnMut() -> String) -> Result<(), Fault> {
    if !std::io::stdout().is_terminal() || !stdin().is_terminal() {
        return Err(Fault::input(
            "--watch draws on a terminal, and this is none; leave it out, or use --json",
        ));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Fault::failed(format!("cannot start: {error}")))?;
    let _screen = Screen::enter();
    runtime.block_on(until_left(what, look))
}

async fn until_left(what: &str, look: &mut dyn FnMut() -> String) -> Result<(), Fault> {
    let listen = |kind| signal(kind).map_err(|error| Fault::failed(error.to_string()));
    let (mut terminated, mut interrupted, mut hung_up) = (
        listen(SignalKind::terminate())?,
        listen(SignalKind::interrupt())?,
        listen(SignalKind::hangup())?,
    );
    let mut resized = listen(SignalKind::window_change())?;
    let mut keys = keys();
    let mut again = tokio::time::interval(EVERY);
    let mut text = String::new();
    loop {
        tokio::select! {
            key = keys.recv() => match key {
                Some(b'q' | b'Q' | CTRL_C) | None => return Ok(()),
                Some(_) => {}
            },
            _ = terminated.recv() => return Ok(()),
            _ = interrupted.recv() => return Ok(()),
            _ = hung_up.recv() => return Ok(()),
            _ = resized.recv() => draw(what, &text),
            // A look takes as long as an answer from the LAN, at most five seconds.
            _ = again.tick() => {
                text = look();
                draw(what, &text);
            }
        }
    }
}

fn keys() -> mpsc::UnboundedReceiver<u8> {
    let (sender, keys) = mpsc::unbounded_channel();
    // Reading a terminal cannot be cancelled: this thread ends with the program.
    std::thread::spawn(move || {
        let mut key = [0];
        while matches!(stdin().read(&mut key), Ok(1)) {
            if sender.send(key[0]).is_err() {
                break;
            }
        }
    });
    keys
}

/// Each line over the one that was there: nothing flickers.
fn draw(what: &str, text: &str) {
    let rows = height().unwrap_or(usize::MAX).saturating_sub(1);
    let mut frame = String::from("\x1b[H");
    let foot = format!("{what}, every {} s; q ends it", EVERY.as_secs());
    let (text, foot) = match has_colours() {
        true => (text.to_owned(), painted(DIM, &foot)),
        false => (strip_str(text).to_string(), foot),
    };
    for line in text.lines().take(rows.saturating_sub(1)) {
        frame.push_str(line);
        frame.push_str("\x1b[K\r\n");
    }
    frame.push_str(&foot);
    frame.push_str("\x1b[K\x1b[J");
    write(&frame);
}

/// Not with `NO_COLOR`; the cursor is moved all the same.
fn has_colours() -> bool {
    anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
}

fn write(text: &str) {
    let mut out = std::io::stdout().lock();
    // A terminal that is gone needs no picture.
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

struct Screen {
    before: Option<Termios>,
}

impl Screen {
    fn enter() -> Self {
        let before = tcgetattr(stdin()).ok();
        if let Some(before) = &before {
            let mut keys = before.clone();
            keys.local_flags
                .remove(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG);
            // Without it q needs an Enter, and all else is as well.
            let _ = tcsetattr(stdin(), SetArg::TCSANOW, &keys);
        }
        write(ENTER);
        Self { before }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        write(LEAVE);
        if let Some(before) = &self.before {
            let _ = tcsetattr(stdin(), SetArg::TCSANOW, before);
        }
    }
}
