//! What must survive a power cut, in one SQLite file.
//!
//! One thread writes (`writer`), so nothing on the way of a share ever waits for
//! a disk: records are handed over without blocking and are written in groups.
//! Only a snapshot is waited for, because the router may see it only after it
//! is safe, and a report (`outbox`), because it takes its shares along. WAL and `synchronous=FULL`: what was answered is on the disk.
//! Opening (`open`) checks the file and puts a fresh one in a damaged one's
//! place; reading (`reader`) has connections of its own.

mod error;
mod open;
mod outbox;
mod past;
mod peek;
mod prune;
mod reader;
mod rows;
mod runs;
pub mod schema;
mod step_back;
mod totals;
mod types;
mod writer;

pub use error::StoreError;
pub use outbox::{OutboxState, Waiting};
pub use past::StepTotal;
pub use peek::stored_snapshots;
pub use reader::Reader;
pub use runs::{Alive, PowerCuts, Run};
pub use types::{
    Books, Decision, DecisionRow, EventRow, Limits, MinerCount, MinuteTotal, Opened, Record,
    Recovered, StoredSnapshot, WorkerTotal,
};

use outbox::{Change, Delivered};
use prune::Written;
use smart_mining_wire::Report;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use writer::{Answer, Command, Writer};

/// A handle to the store. Clones share it; the last one that is dropped writes
/// what is pending and closes it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    shared: Arc<Shared>,
    power_cuts: u64,
    /// `None` once it is closed.
    commands: Mutex<Option<SyncSender<Command>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What the writer tells without being asked.
#[derive(Default)]
struct Shared {
    progress: AtomicU64,
    dropped: AtomicU64,
    /// Whether shares are counted for reports.
    reporting: AtomicBool,
    /// Records wait that the disk refused.
    stuck: AtomicBool,
    /// Reports that central has, and that are still to be deleted.
    delivered: Delivered,
    last_error: Mutex<Option<String>>,
}

/// A holder that panicked left a whole value: every change here is one assignment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn set_error(&self, error: Option<String>) {
        *locked(&self.last_error) = error;
    }

    fn has_error(&self) -> bool {
        locked(&self.last_error).is_some()
    }
}

impl Store {
    /// Open or create the store. Blocks for as long as the check of the file takes.
    pub fn open(path: &Path) -> Result<(Self, Opened), StoreError> {
        Self::open_with(path, Limits::default())
    }

    pub fn open_with(path: &Path, limits: Limits) -> Result<(Self, Opened), StoreError> {
        let ready = open::open(path, &limits)?;
        let shared = Arc::new(Shared::default());
        let (commands, received) = sync_channel(limits.queue);
        let writer = Writer {
            connection: ready.connection,
            path: path.to_owned(),
            // What piled up before a power cut is pruned soon after the start.
            unpruned: limits.prune_rows,
            limits,
            shared: Arc::clone(&shared),
            pending: Vec::new(),
            rows: 0,
            due: None,
            now: None,
            written: Written::default(),
            lock: ready.lock,
        };
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.run(&received))
            .map_err(|source| StoreError::Folder {
                path: path.to_owned(),
                source,
            })?;
        let inner = Inner {
            path: path.to_owned(),
            shared,
            power_cuts: ready.opened.power_cuts.all,
            commands: Mutex::new(Some(commands)),
            writer: Mutex::new(Some(thread)),
        };
        Ok((
            Self {
                inner: Arc::new(inner),
            },
            ready.opened,
        ))
    }

    /// Returns when the snapshot is on the disk. Blocks: not for an async task.
    pub fn save_snapshot(
        &self,
        sequence: u64,
        received_at: u64,
        envelope: String,
    ) -> Result<(), StoreError> {
        let sequence = i64::try_from(sequence).map_err(|_| StoreError::Sequence(sequence))?;
        self.inner.ask(|answer| Command::Snapshot {
            sequence,
            received_at,
            envelope,
            answer,
        })
    }

    /// From now on shares are counted for the next report too. Without central
    /// nobody would ever take them.
    pub fn count_for_reports(&self) {
        self.inner.shared.reporting.store(true, Relaxed);
    }

    /// Returns when the report is on the disk, with every share that was recorded
    /// before and stands in no other; the shares it came with are replaced. Blocks.
    pub fn save_report(&self, report: Report) -> Result<(), StoreError> {
        self.change(Change::Save(report))
    }

    /// Central has these: no reader shows them any more, and they go with whatever is
    /// written next. Should the power go before, they are sent again, and central
    /// knows them. Blocks.
    pub fn delete_reports(&self, ids: Vec<String>) -> Result<(), StoreError> {
        let commands = locked(&self.inner.commands).clone();
        let commands = commands.ok_or(StoreError::Stopped)?;
        self.inner.shared.delivered.add(&ids);
        commands
            .send(Command::Record(Record::Delivered(ids)))
            .map_err(|_| StoreError::Stopped)
    }

    /// Central will never take this one: keep it for a person, out of the way. Blocks.
    pub fn set_report_aside(&self, id: String, why: String) -> Result<(), StoreError> {
        self.change(Change::SetAside { id, why })
    }

    /// Leave the shares that stand in no report to the file that this one was
    /// copied from. Blocks.
    pub fn leave_unreported(&self) -> Result<(), StoreError> {
        self.change(Change::LeaveShares)
    }

    fn change(&self, change: Change) -> Result<(), StoreError> {
        self.inner.ask(|answer| Command::Outbox { change, answer })
    }

    /// Hand over a record without waiting. `false`: the queue is full or the
    /// store is closed, and the record is gone and counted.
    pub fn record(&self, record: Record) -> bool {
        let sent = match &*locked(&self.inner.commands) {
            Some(commands) => commands.try_send(Command::Record(record)),
            None => Err(TrySendError::Disconnected(Command::Record(record))),
        };
        if sent.is_err() {
            self.inner.shared.dropped.fetch_add(1, Relaxed);
        }
        sent.is_ok()
    }

    /// Returns when everything that was recorded before is on the disk. Blocks.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.inner.ask(Command::Flush)
    }

    /// Records that were lost because the queue was full or the disk refused them.
    pub fn dropped(&self) -> u64 {
        self.inner.shared.dropped.load(Relaxed)
    }

    /// The disk refused records, and they wait for the next try. What can wait
    /// elsewhere should: the room for them here is bounded.
    pub fn is_stuck(&self) -> bool {
        self.inner.shared.stuck.load(Relaxed)
    }

    /// Grows at least once a second while the writer is well: for the watchdog.
    pub fn progress(&self) -> u64 {
        self.inner.shared.progress.load(Relaxed)
    }

    /// Whether the writer runs; only `close` ends it.
    pub fn is_alive(&self) -> bool {
        let writer = locked(&self.inner.writer);
        writer.as_ref().is_some_and(|writer| !writer.is_finished())
    }

    /// Why the last write failed; `None` once writes succeed again.
    pub fn last_error(&self) -> Option<String> {
        locked(&self.inner.shared.last_error).clone()
    }

    /// How often the power went while it ran, since the store was made.
    pub fn power_cuts(&self) -> u64 {
        self.inner.power_cuts
    }

    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// A connection of its own, for one thread that reads.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.inner.path, self.inner.shared.clone())
    }

    /// Write what is pending and end the writer, whatever clones there are.
    pub fn close(self) -> Result<(), StoreError> {
        self.inner.close()
    }
}

impl Inner {
    fn ask(&self, command: impl FnOnce(Answer) -> Command) -> Result<(), StoreError> {
        let commands = locked(&self.commands).clone().ok_or(StoreError::Stopped)?;
        let (answer, answered) = sync_channel(1);
        commands
            .send(command(answer))
            .map_err(|_| StoreError::Stopped)?;
        answered.recv().map_err(|_| StoreError::Stopped)?
    }

    fn close(&self) -> Result<(), StoreError> {
        let Some(writer) = locked(&self.writer).take() else {
            return Ok(());
        };
        let done = self.ask(Command::Close);
        locked(&self.commands).take();
        writer.join().map_err(|_| StoreError::Stopped)?;
        done
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The error, if any, was shown as `last_error` already.
        if let Err(error) = self.close() {
            log::warn!("the store was closed with records unwritten: {error}");
        }
    }
}
