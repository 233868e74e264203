//! The socket side of one connection: a reader and a writer in one task, so
//! that ending the task ends both. What is queued when it is cancelled is lost.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use super::Core;
use super::mode::Mode;
use super::session::{Outgoing, Session};
use crate::lines::LineReader;

/// Longer lines end the connection.
const LINE_LIMIT: usize = 64 * 1024;

/// Takes a new connection in; called by the door.
pub(super) fn admit(core: &Arc<Core>, stream: TcpStream) {
    let (out, queue) = mpsc::unbounded_channel();
    let id = core.change(|floor| {
        let session = Session::new(out, floor.difficulty);
        floor.enter(session)
    });
    let presence = Presence {
        core: Arc::clone(core),
        id,
    };
    let task = tokio::spawn(serve(presence, stream, queue));
    core.change(|floor| floor.with(id, |session| session.task = Some(task.abort_handle())));
}

/// Keeps the session in the books for as long as the task lives.
struct Presence {
    core: Arc<Core>,
    id: u64,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.core.change(|floor| floor.leave(self.id));
    }
}

async fn serve(
    presence: Presence,
    stream: TcpStream,
    queue: mpsc::UnboundedReceiver<(Instant, Outgoing)>,
) {
    let (reader, writer) = stream.into_split();
    tokio::select! {
        _ = read(&presence, reader) => {}
        _ = write(&presence.core, writer, queue) => {}
    }
}

async fn read(presence: &Presence, reader: OwnedReadHalf) -> io::Result<()> {
    let core = &presence.core;
    let mut mode = core.mode.subscribe();
    let mut lines = LineReader::new(reader, LINE_LIMIT);
    loop {
        let now = *mode.borrow_and_update();
        let changed = mode.changed();
        if now == Mode::HalfOpen {
            changed.await.map_err(io::Error::other)?;
            continue;
        }
        let line = tokio::select! {
            line = lines.next() => line?,
            _ = changed => continue,
        };
        let Some(line) = line else {
            return Ok(());
        };
        // The mode may have changed while the line came.
        match core.now() {
            Mode::Silent => {}
            Mode::Garbage => core.change(|floor| floor.send_junk(presence.id)),
            Mode::Normal
            | Mode::HalfOpen
            | Mode::Slow(_)
            | Mode::RejectShares(_)
            | Mode::RejectLogins => core.change(|floor| floor.receive(presence.id, &line)),
        }
    }
}

async fn write(
    core: &Core,
    mut writer: OwnedWriteHalf,
    mut queue: mpsc::UnboundedReceiver<(Instant, Outgoing)>,
) -> io::Result<()> {
    let mut mode = core.mode.subscribe();
    while let Some((at, outgoing)) = queue.recv().await {
        let Outgoing::Bytes(bytes) = outgoing else {
            return writer.shutdown().await;
        };
        let now = *mode
            .wait_for(|mode| *mode != Mode::HalfOpen)
            .await
            .map_err(io::Error::other)?;
        match now {
            Mode::Silent => continue,
            Mode::Slow(delay) => tokio::time::sleep_until((at + delay).into()).await,
            Mode::Normal
            | Mode::HalfOpen
            | Mode::RejectShares(_)
            | Mode::RejectLogins
            | Mode::Garbage => {}
        }
        writer.write_all(&bytes).await?;
    }
    Ok(())
}
