//! Telling systemd how the appliance fares: `Type=notify` and `WatchdogSec=`.
//!
//! One datagram a message, to the socket that `NOTIFY_SOCKET` names. Without it
//! (a run by hand, a test) every call does nothing. A message that cannot be
//! sent is no reason to stop mining: systemd acts on what it does not hear.

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, sendto, socket};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

/// The line to systemd, if there is one.
#[derive(Debug)]
pub struct Notifier {
    line: Option<(OwnedFd, UnixAddr)>,
    watchdog: Option<Duration>,
}

/// What systemd sets in the environment of a service.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `NOTIFY_SOCKET`: a path, or `@name` for an abstract name.
    pub socket: Option<OsString>,
    /// `WATCHDOG_USEC`.
    pub watchdog_usec: Option<String>,
    /// `WATCHDOG_PID`: whom the watchdog watches, when it is not every process.
    pub watchdog_pid: Option<String>,
}

impl Notifier {
    pub fn from_env() -> Self {
        let text = |name| std::env::var(name).ok();
        Self::new(&Environment {
            socket: std::env::var_os("NOTIFY_SOCKET"),
            watchdog_usec: text("WATCHDOG_USEC"),
            watchdog_pid: text("WATCHDOG_PID"),
        })
    }

    pub fn new(environment: &Environment) -> Self {
        let address = environment.socket.as_deref().and_then(address);
        let line = address.and_then(|address| {
            // A systemd that does not listen must not hold the appliance up.
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            let socket = socket(AddressFamily::Unix, SockType::Datagram, flags, None).ok()?;
            Some((socket, address))
        });
        Self {
            line,
            watchdog: watchdog(environment),
        }
    }

    /// How often at least the watchdog wants to be fed; feed it twice as often.
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The listeners are open.
    pub fn ready(&self) {
        self.send("READY=1");
    }

    /// One line for `systemctl status`.
    pub fn status(&self, text: &str) {
        let line: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        self.send(&format!("STATUS={line}"));
    }

    /// Still alive. Only if systemd asked this process for it.
    pub fn watchdog(&self) {
        if self.watchdog.is_some() {
            self.send("WATCHDOG=1");
        }
    }

    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    fn send(&self, message: &str) {
        if let Some((socket, address)) = &self.line
            && let Err(error) = sendto(
                socket.as_raw_fd(),
                message.as_bytes(),
                address,
                MsgFlags::MSG_NOSIGNAL,
            )
        {
            log::debug!("systemd was not reached: {error}");
        }
    }
}

fn address(socket: &OsStr) -> Option<UnixAddr> {
    let bytes = socket.as_bytes();
    match bytes.first()? {
        b'@' => UnixAddr::new_abstract(&bytes[1..]).ok(),
        b'/' => UnixAddr::new(socket).ok(),
        _ => None,
    }
}

fn watchdog(environment: &Environment) -> Option<Duration> {
    let micros: u64 = environment.watchdog_usec.as_deref()?.parse().ok()?;
    let ours = match &environment.watchdog_pid {
        Some(pid) => pid.parse() == Ok(std::process::id()),
        None => true,
    };
    (ours && micros > 0).then(|| Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    fn environment(socket: impl Into<OsString>) -> Environment {
        Environment {
            socket: Some(socket.into()),
            watchdog_usec: Some("30000000".to_owned()),
            watchdog_pid: Some(std::process::id().to_string()),
        }
    }

    fn heard(socket: &UnixDatagram) -> Option<String> {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    fn say_everything(notifier: &Notifier) {
        notifier.ready();
        notifier.status("mining\nBTC");
        notifier.watchdog();
        notifier.stopping();
    }

    const EVERYTHING: [&str; 4] = ["READY=1", "STATUS=mining BTC", "WATCHDOG=1", "STOPPING=1"];

    #[test]
    fn systemd_hears_every_message() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let systemd = UnixDatagram::bind(&path).expect("a socket");
        let notifier = Notifier::new(&environment(&path));
        say_everything(&notifier);
        for message in EVERYTHING {
            assert_eq!(heard(&systemd).as_deref(), Some(message));
        }
        assert_eq!(notifier.watchdog_interval(), Some(Duration::from_secs(30)));
    }

    #[test]
    fn an_abstract_name_is_reached() {
        let name = format!("smart-mining-notify-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let systemd = UnixDatagram::bind_addr(&address).expect("a socket");
        say_everything(&Notifier::new(&environment(format!("@{name}"))));
        for message in EVERYTHING {
            assert_eq!(heard(&systemd).as_deref(), Some(message));
        }
    }

    #[test]
    fn the_watchdog_of_another_process_is_not_fed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let systemd = UnixDatagram::bind(&path).expect("a socket");
        systemd.set_nonblocking(true).expect("set");
        let other = Environment {
            watchdog_pid: Some("1".to_owned()),
            ..environment(&path)
        };
        for environment in [
            other,
            Environment {
                watchdog_usec: None,
                ..environment(&path)
            },
            Environment {
                watchdog_usec: Some("soon".to_owned()),
                ..environment(&path)
            },
        ] {
            let notifier = Notifier::new(&environment);
            notifier.watchdog();
            assert_eq!(
                (heard(&systemd), notifier.watchdog_interval()),
                (None, None)
            );
        }
        let anyone = Environment {
            watchdog_pid: None,
            ..environment(&path)
        };
        Notifier::new(&anyone).watchdog();
        assert_eq!(heard(&systemd).as_deref(), Some("WATCHDOG=1"));
    }

    #[test]
    fn without_systemd_nothing_happens() {
        say_everything(&Notifier::new(&Environment::default()));
        for socket in ["", "@", "relative", "/nonexistent/notify"] {
            say_everything(&Notifier::new(&environment(socket)));
        }
    }
}
