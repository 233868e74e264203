//! Single keys from the terminal.
//!
//! The terminal is switched to deliver keys without Enter; the settings of
//! before come back at the end and in a panic, for a shell without echo is the
//! worst souvenir of a demo. Ctrl-C stays a signal.

use std::io::{IsTerminal, Read};
use std::sync::{Mutex, Once, PoisonError};

use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};
use tokio::sync::mpsc;

static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);
static HOOK: Once = Once::new();

/// Keys as they are pressed; never any when there is no terminal.
pub struct Keys(Option<mpsc::UnboundedReceiver<u8>>);

impl Keys {
    pub fn listen(wanted: bool) -> Self {
        if !wanted || !std::io::stdin().is_terminal() || switch_to_keys().is_err() {
            return Self(None);
        }
        let (sender, keys) = mpsc::unbounded_channel();
        // Reading a terminal cannot be cancelled: this thread ends with the program.
        std::thread::spawn(move || {
            let mut key = [0];
            while matches!(std::io::stdin().read(&mut key), Ok(1)) {
                if sender.send(key[0]).is_err() {
                    break;
                }
            }
        });
        Self(Some(keys))
    }

    pub async fn next(&mut self) -> u8 {
        if let Some(keys) = &mut self.0
            && let Some(key) = keys.recv().await
        {
            return key;
        }
        self.0 = None;
        std::future::pending().await
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        restore();
    }
}

fn switch_to_keys() -> nix::Result<()> {
    let stdin = std::io::stdin();
    let before = tcgetattr(&stdin)?;
    let mut keys = before.clone();
    keys.local_flags
        .remove(LocalFlags::ICANON | LocalFlags::ECHO);
    keys.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
    keys.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
    *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            usual(panic);
        }));
    });
    tcsetattr(&stdin, SetArg::TCSANOW, &keys)
}

fn restore() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &before);
    }
}
