//! A service on loopback that answers as it is told, for tests.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// What was asked: the head and the body of a request.
pub struct Asked {
    pub head: String,
    pub body: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .next()
    }
}

pub enum Reply {
    /// Status line without the version, headers with their line ends, body.
    Now(&'static str, String, Vec<u8>),
    /// Nothing comes until the service ends.
    Hang,
}

pub fn ok(body: &str) -> Reply {
    Reply::Now(
        "200 OK",
        "content-type: application/json\r\n".to_owned(),
        body.into(),
    )
}

pub fn status(line: &'static str, headers: &str) -> Reply {
    Reply::Now(line, headers.to_owned(), b"{}".to_vec())
}

pub struct Service {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    ended: AtomicBool,
    /// How many requests came.
    count: Mutex<usize>,
    changed: Condvar,
}

impl Service {
    pub fn start(answer: impl Fn(Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            ended: AtomicBool::new(false),
            count: Mutex::new(0),
            changed: Condvar::new(),
        });
        let (answer, here) = (Arc::new(answer), shared.clone());
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if here.ended.load(Ordering::SeqCst) {
                    return;
                }
                let (answer, shared) = (answer.clone(), here.clone());
                std::thread::spawn(move || serve(stream, &*answer, &shared));
            }
        });
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn count(&self) -> usize {
        *self.shared.count.lock().expect("sound")
    }

    /// Until so many requests have come.
    pub fn wait_for(&self, wanted: usize) {
        let count = self.shared.count.lock().expect("sound");
        let limit = std::time::Duration::from_secs(20);
        let enough = self
            .shared
            .changed
            .wait_timeout_while(count, limit, |count| *count < wanted);
        assert!(
            !enough.expect("sound").1.timed_out(),
            "{wanted} requests never came"
        );
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        drop(self.shared.count.lock());
        self.shared.changed.notify_all();
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

/// One request a connection.
fn serve(mut stream: TcpStream, answer: &dyn Fn(Asked) -> Reply, shared: &Shared) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut head = String::new();
    while reader.read_line(&mut head).ok()? > 2 {}
    let mut asked = Asked {
        head,
        body: String::new(),
    };
    let length = asked
        .header("content-length")
        .and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    asked.body = String::from_utf8(body).ok()?;
    *shared.count.lock().ok()? += 1;
    shared.changed.notify_all();
    match answer(asked) {
        Reply::Hang => {
            let count = shared.count.lock().ok()?;
            let ended = |_: &mut usize| !shared.ended.load(Ordering::SeqCst);
            drop(shared.changed.wait_while(count, ended).ok()?);
        }
        Reply::Now(status, headers, body) => {
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).ok()?;
            stream.write_all(&body).ok()?;
        }
    }
    Some(())
}
