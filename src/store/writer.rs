//! The one thread that writes.
//!
//! ```text
//!   record() --try_send--> [bounded queue] --> pending --in a second, or by rows--> one transaction
//!                                                |     `--events alone: in five minutes
//!   save_snapshot(), save_report(), flush() --send--> at once, with what is pending;
//!                                                     the caller waits for the answer
//! ```
//! What a card wears out by is the number of transactions: so whoever has to write at
//! once takes the others along.
//!
//! Owner: the [`super::Store`]. It ends at `close` or when the last handle is
//! gone, after it wrote what was pending. A power cut loses at most `pending`,
//! never anything that was answered.
//!
//! A failed commit (full disk, failing card) keeps `pending` for the next try and
//! is shown as `last_error`; new records beyond the bound are dropped and
//! counted. The thread itself never ends because of an error, and never waits
//! longer than a second without counting `progress` up.

use super::open::{Lock, sqlite};
use super::outbox::{self, Change};
use super::prune::{Written, prune};
use super::{Limits, Record, Shared, StoreError, rows, runs};
use rusqlite::{Connection, Transaction};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

pub(super) type Answer = SyncSender<Result<(), StoreError>>;

pub(super) enum Command {
    Record(Record),
    Snapshot {
        sequence: i64,
        received_at: u64,
        envelope: String,
        answer: Answer,
    },
    Outbox {
        change: Change,
        answer: Answer,
    },
    Flush(Answer),
    Close(Answer),
}

/// The longest silence of `progress`.
const TICK: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    pub connection: Connection,
    pub path: PathBuf,
    pub limits: Limits,
    pub shared: Arc<Shared>,
    pub pending: Vec<Record>,
    /// Rows that `pending` will become.
    pub rows: usize,
    /// When `pending` is due; `None` while it is empty.
    pub due: Option<Instant>,
    /// Rows written since the last pruning.
    pub unpruned: usize,
    /// The newest time that came with the books.
    pub now: Option<u64>,
    /// The same rows by table.
    pub written: Written,
    /// Held for as long as the connection is open.
    pub lock: Lock,
}

impl Writer {
    pub fn run(mut self, commands: &Receiver<Command>) {
        loop {
            let wait = self
                .due
                .map_or(TICK, |due| due.saturating_duration_since(Instant::now()));
            let command = commands.recv_timeout(wait.min(TICK));
            self.shared.progress.fetch_add(1, Relaxed);
            match command {
                Ok(Command::Record(record)) => self.keep(record),
                Ok(Command::Snapshot {
                    sequence,
                    received_at,
                    envelope,
                    answer,
                }) => {
                    let done = self.save_snapshot(sequence, received_at, &envelope);
                    // Nobody waits any more: the work is done all the same.
                    let _ = answer.send(done);
                    continue;
                }
                Ok(Command::Outbox { change, answer }) => {
                    let _ = answer.send(self.change_outbox(&change));
                    continue;
                }
                Ok(Command::Flush(answer)) => {
                    let _ = answer.send(self.commit());
                    continue;
                }
                Ok(Command::Close(answer)) => {
                    let done = self.finish();
                    self.end();
                    let _ = answer.send(done);
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    // The error stands in `last_error`; there is nobody left to tell.
                    let _ = self.finish();
                    return self.end();
                }
            }
            let due = self.due.is_some_and(|due| due <= Instant::now());
            if due || self.is_full_batch() {
                // The error stands in `last_error`, and the next round tries again.
                let _ = self.commit();
            }
        }
    }

    /// A batch that failed waits for its time, however many rows it has.
    fn is_full_batch(&self) -> bool {
        self.rows >= self.limits.batch_rows && !self.shared.has_error()
    }

    fn keep(&mut self, record: Record) {
        let rows = record.rows();
        if self.rows + rows > self.limits.pending_rows {
            self.shared.dropped.fetch_add(1, Relaxed);
            self.shared.delivered.gone(&record);
            return;
        }
        if let Record::Books(books) = &record {
            self.now = books.now().or(self.now);
        }
        let within = match &record {
            Record::Event { .. } | Record::Delivered(_) => {
                self.limits.idle_commit_every.max(self.limits.commit_every)
            }
            Record::Decision(_)
            | Record::Books(_)
            | Record::ByWorker(_)
            | Record::Meta { .. }
            | Record::Name { .. } => self.limits.commit_every,
        };
        self.rows += rows;
        self.pending.push(record);
        // After a failure the time of the next try stands.
        if self.due.is_none() || !self.shared.has_error() {
            let due = Instant::now() + within;
            self.due = Some(self.due.map_or(due, |before| before.min(due)));
        }
    }

    /// Everything pending in one transaction, or nothing of it.
    fn commit(&mut self) -> Result<(), StoreError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut done = self.write_pending();
        if done.as_ref().is_err_and(StoreError::is_full) {
            self.make_room();
            done = self.write_pending();
        }
        match &done {
            Ok(()) => self.committed(),
            Err(error) => {
                self.shared.set_error(Some(error.to_string()));
                self.shared.stuck.store(true, Relaxed);
                self.due = Some(Instant::now() + self.limits.commit_every.max(TICK));
            }
        }
        done
    }

    /// What was pending is on the disk.
    fn committed(&mut self) {
        self.unpruned += self.rows;
        for record in self.pending.drain(..) {
            self.written.add(&record);
            self.shared.delivered.gone(&record);
        }
        self.rows = 0;
        self.due = None;
        self.shared.set_error(None);
        self.shared.stuck.store(false, Relaxed);
        if self.unpruned >= self.limits.prune_rows {
            self.prune(&self.limits.clone(), self.written);
        }
    }

    fn write_pending(&mut self) -> Result<(), StoreError> {
        self.write_pending_and(|_| Ok(()))
            .map_err(|source| sqlite(&self.path, "write to it", source))
    }

    fn write_pending_and(
        &mut self,
        more: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let reporting = self.shared.reporting.load(Relaxed);
        let transaction = self.connection.transaction()?;
        let mut statements = rows::Statements::prepare(&transaction)?;
        for record in &self.pending {
            statements.write(record, reporting)?;
        }
        drop(statements);
        more(&transaction)?;
        transaction.commit()
    }

    /// The last transaction: from here on the end of this run is known as a clean one.
    fn finish(&mut self) -> Result<(), StoreError> {
        self.commit()?;
        runs::end(&self.connection).map_err(|source| sqlite(&self.path, "write to it", source))
    }

    fn save_snapshot(
        &mut self,
        sequence: i64,
        received_at: u64,
        envelope: &str,
    ) -> Result<(), StoreError> {
        let keep = self.limits.snapshots;
        let save = |transaction: &Transaction<'_>| {
            rows::save_snapshot(transaction, sequence, received_at, envelope, keep)
        };
        if self.write_with_pending(save) {
            return Ok(());
        }
        // What is pending must not keep it back; its error stands in `last_error`.
        let _ = self.commit();
        self.transact("save a snapshot", save)
    }

    /// A report takes every share that was recorded before it.
    fn change_outbox(&mut self, change: &Change) -> Result<(), StoreError> {
        let limits = self.limits.clone();
        let apply = |transaction: &Transaction<'_>| outbox::apply(transaction, change, &limits);
        if self.write_with_pending(apply) {
            return Ok(());
        }
        // A change that is refused must not keep the pending back.
        self.commit()?;
        self.transact("change its outbox", apply)
    }

    /// Both in one transaction; `false`: neither is written.
    fn write_with_pending(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> bool {
        let written = self.write_pending_and(work).is_ok();
        if written {
            self.committed();
        }
        written
    }

    /// One transaction that somebody waits for, with a second try once there is room.
    fn transact(
        &mut self,
        what: &'static str,
        work: impl Fn(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let run = |connection: &mut Connection| -> rusqlite::Result<()> {
            let transaction = connection.transaction()?;
            work(&transaction)?;
            transaction.commit()
        };
        let mut done = run(&mut self.connection);
        if done
            .as_ref()
            .is_err_and(|error| super::error::code(error) == Some(rusqlite::ErrorCode::DiskFull))
        {
            self.make_room();
            done = run(&mut self.connection);
        }
        let done = done.map_err(|source| sqlite(&self.path, what, source));
        // A success does not speak for what is still pending.
        if let Err(error) = &done {
            self.shared.set_error(Some(error.to_string()));
        } else if self.pending.is_empty() {
            self.shared.set_error(None);
        }
        done
    }

    /// Room for the new by letting old history go.
    fn make_room(&mut self) {
        self.prune(&self.limits.tightened(), Written::ALL);
    }

    fn prune(&mut self, limits: &Limits, written: Written) {
        let run = |connection: &mut Connection, now| -> rusqlite::Result<()> {
            let transaction = connection.transaction()?;
            prune(&transaction, limits, written, now)?;
            transaction.commit()
        };
        // Old rows that stay a little longer harm nobody; the next time will do.
        if let Err(error) = run(&mut self.connection, self.now) {
            log::debug!("the store could not be pruned: {error}");
        }
        self.unpruned = 0;
        self.written = Written::default();
    }

    /// The connection closes before the lock opens.
    fn end(self) {
        drop(self.connection);
        drop(self.lock);
    }
}
