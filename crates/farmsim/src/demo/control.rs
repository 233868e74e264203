//! The control socket: one command a line, one answer a line.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

use super::args::ControlArgs;

/// Longer than any command.
const LINE_LIMIT: u64 = 1024;

/// A command that waits for its answer.
pub struct Request {
    pub line: String,
    answer: oneshot::Sender<String>,
}

impl Request {
    pub fn answer(self, text: String) {
        // Who asked may be gone.
        let _ = self.answer.send(text);
    }
}

/// The listening end; its file is removed with it.
pub struct ControlSocket {
    path: Option<PathBuf>,
    requests: Option<mpsc::Receiver<Request>>,
}

impl ControlSocket {
    /// Without a path there is no socket and never a request.
    pub fn bind(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else {
            return Ok(Self {
                path: None,
                requests: None,
            });
        };
        clear_the_way(path)?;
        let listener = UnixListener::bind(path)
            .with_context(|| format!("cannot make the control socket {}", path.display()))?;
        let (sender, requests) = mpsc::channel(16);
        tokio::spawn(accept(listener, sender));
        Ok(Self {
            path: Some(path.to_owned()),
            requests: Some(requests),
        })
    }

    pub async fn next(&mut self) -> Request {
        if let Some(requests) = &mut self.requests
            && let Some(request) = requests.recv().await
        {
            return request;
        }
        self.requests = None;
        std::future::pending().await
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A socket file may be left over; one that answers is not.
fn clear_the_way(path: &Path) -> Result<()> {
    if BlockingStream::connect(path).is_ok() {
        bail!(
            "a demo is running already with {}: stop it or choose another --control",
            path.display()
        );
    }
    use std::os::unix::fs::FileTypeExt;
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)
            .with_context(|| format!("cannot remove the old socket {}", path.display())),
        Ok(_) => bail!(
            "{} is not a socket: choose another --control",
            path.display()
        ),
        Err(_) => Ok(()),
    }
}

async fn accept(listener: UnixListener, requests: mpsc::Sender<Request>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(converse(stream, requests.clone()));
    }
}

async fn converse(stream: UnixStream, requests: mpsc::Sender<Request>) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = tokio::io::BufReader::new(reader);
    loop {
        let mut line = String::new();
        if (&mut reader).take(LINE_LIMIT).read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let (answer, answered) = oneshot::channel();
        if requests.send(Request { line, answer }).await.is_err() {
            return Ok(());
        }
        let Ok(text) = answered.await else {
            return Ok(());
        };
        writer.write_all(format!("{text}\n").as_bytes()).await?;
    }
}

/// The client: sends one command, prints the answer.
pub fn control(args: &ControlArgs) -> Result<()> {
    let path = args.socket.display();
    let mut stream = BlockingStream::connect(&args.socket).with_context(|| {
        format!("no demo answers at {path}: is it running with --control {path}?")
    })?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    writeln!(stream, "{}", args.command.join(" "))?;
    let mut answer = String::new();
    BufReader::new(stream)
        .read_line(&mut answer)
        .context("the demo does not answer")?;
    let answer = answer.trim_end();
    match answer.strip_prefix("error ") {
        Some(problem) => bail!("{problem}"),
        None => println!("{answer}"),
    }
    Ok(())
}
