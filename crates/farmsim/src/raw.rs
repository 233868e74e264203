//! A scripted Stratum client: one line at a time, every wait with a deadline.
//!
//! Tests that follow a recorded conversation or break a rule on purpose speak
//! through it. Errors say what came instead.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::lines::LineReader;

/// Longer than any line that belongs on this wire.
const LINE_LIMIT: usize = 1 << 20;

/// One connection.
pub struct RawClient {
    lines: LineReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    deadline: Duration,
    /// Lines passed over by `until_*`, oldest first.
    pub skipped: Vec<Value>,
}

impl RawClient {
    /// Connects; `deadline` holds for this and each later wait.
    pub async fn connect(address: SocketAddr, deadline: Duration) -> Result<Self> {
        let stream = tokio::time::timeout(deadline, TcpStream::connect(address))
            .await
            .with_context(|| format!("no connection to {address} within {deadline:?}"))?
            .with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        Ok(Self {
            lines: LineReader::new(reader, LINE_LIMIT),
            writer,
            deadline,
            skipped: Vec::new(),
        })
    }

    /// Sends these bytes and nothing else.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write_all(bytes).await.context("sending")
    }

    /// Sends a line; the LF is added.
    pub async fn send(&mut self, line: &str) -> Result<()> {
        self.send_bytes(format!("{line}\n").as_bytes()).await
    }

    /// Sends a JSON value as a line.
    pub async fn send_json(&mut self, value: &Value) -> Result<()> {
        self.send(&value.to_string()).await
    }

    /// Sends a request.
    pub async fn request(&mut self, id: u64, method: &str, params: Value) -> Result<()> {
        self.send_json(&json!({"id": id, "method": method, "params": params}))
            .await
    }

    /// Sends a request and returns its answer; what came before is in `skipped`.
    pub async fn call(&mut self, id: u64, method: &str, params: Value) -> Result<Value> {
        self.request(id, method, params).await?;
        self.until_id(&json!(id)).await
    }

    /// The next line.
    pub async fn line(&mut self) -> Result<String> {
        let line = tokio::time::timeout(self.deadline, self.lines.next())
            .await
            .with_context(|| format!("no line within {:?}", self.deadline))?
            .context("reading")?;
        line.context("the connection was closed instead of a line")
    }

    /// The next line as JSON.
    pub async fn json(&mut self) -> Result<Value> {
        let line = self.line().await?;
        serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))
    }

    /// The next line, which must be this one.
    pub async fn expect(&mut self, wanted: &str) -> Result<()> {
        let line = self.line().await?;
        ensure!(line == wanted, "expected {wanted}\n     got {line}");
        Ok(())
    }

    /// Reads until a message of this method.
    pub async fn until_method(&mut self, method: &str) -> Result<Value> {
        self.until(method, |message| message["method"] == method)
            .await
    }

    /// Reads until the answer to this id.
    pub async fn until_id(&mut self, id: &Value) -> Result<Value> {
        let what = format!("an answer to id {id}");
        self.until(&what, |message| {
            message.get("method").is_none() && message["id"] == *id
        })
        .await
    }

    /// Reads until `wanted` accepts a message.
    pub async fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let deadline = self.deadline;
        let reading = async {
            loop {
                let message = self.json().await?;
                if wanted(&message) {
                    return anyhow::Ok(message);
                }
                self.skipped.push(message);
            }
        };
        match tokio::time::timeout(deadline, reading).await {
            Ok(Ok(message)) => Ok(message),
            Ok(Err(error)) => Err(error.context(format!("waiting for {what}"))),
            Err(_) => bail!("no {what} within {deadline:?}; came: {:?}", self.skipped),
        }
    }

    /// The other side closes; lines that come before are passed over.
    pub async fn closed(&mut self) -> Result<()> {
        let reading = async { while let Ok(Some(_)) = self.lines.next().await {} };
        tokio::time::timeout(self.deadline, reading)
            .await
            .with_context(|| format!("still open after {:?}", self.deadline))
    }

    /// Nothing arrives and nothing closes for this long.
    pub async fn quiet_for(&mut self, duration: Duration) -> Result<()> {
        match tokio::time::timeout(duration, self.lines.next()).await {
            Err(_) => Ok(()),
            Ok(Ok(Some(line))) => bail!("expected silence, got {line}"),
            Ok(Ok(None)) => bail!("expected silence, the connection was closed"),
            Ok(Err(error)) => Err(error).context("expected silence"),
        }
    }
}
