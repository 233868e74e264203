//! The statements: what goes into which table.

use super::runs::{seen, seen_row};
use super::totals::TotalStatements;
use super::{Books, Decision, Record, StoredSnapshot};
use rusqlite::{Connection, Statement, Transaction, params};

/// Longest text of one row; a line that is longer tells nothing more.
const LONGEST: usize = 4096;

/// SQLite's integers are signed.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn cut(text: &str) -> &str {
    let end = (0..=LONGEST.min(text.len()))
        .rev()
        .find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

pub(super) fn count(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The statements of one group of records, each prepared once.
pub(super) struct Statements<'t> {
    event: Statement<'t>,
    decision: Statement<'t>,
    totals: TotalStatements<'t>,
    seen: Statement<'t>,
    delivered: Statement<'t>,
    meta: Statement<'t>,
    no_meta: Statement<'t>,
}

/// Before the key of a worker's name.
pub(super) const NAME: &str = "name:";

const INSERT_EVENT: &str = "INSERT INTO events (at, code, subject, text) VALUES (?1, ?2, ?3, ?4)";

impl<'t> Statements<'t> {
    pub fn prepare(db: &'t Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            event: db.prepare(INSERT_EVENT)?,
            decision: db.prepare(
                "INSERT INTO decisions (at, algorithm, from_pool, to_pool, coin, rule, text, detail)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?,
            totals: TotalStatements::prepare(db)?,
            seen: seen(db)?,
            delivered: db.prepare("DELETE FROM outbox WHERE id = ?1")?,
            meta: db.prepare(
                "INSERT INTO meta (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )?,
            no_meta: db.prepare("DELETE FROM meta WHERE key = ?1")?,
        })
    }

    /// With `reporting`, shares are counted for the next report too.
    pub fn write(&mut self, record: &Record, reporting: bool) -> rusqlite::Result<()> {
        match record {
            Record::Event {
                at,
                code,
                subject,
                text,
            } => {
                let row = params![int(*at), code, cut(subject), cut(text)];
                self.event.execute(row).map(drop)
            }
            Record::Decision(decision) => self.write_decision(decision),
            Record::Books(books) => self.write_books(books, reporting),
            Record::ByWorker(totals) => self.totals.add_workers(totals),
            Record::Delivered(ids) => ids
                .iter()
                .try_for_each(|id| self.delivered.execute([id]).map(drop)),
            Record::Meta { key, value } => {
                // Some are JSON, which is of no use when it is cut.
                let value = if value.len() <= 16 * LONGEST {
                    value
                } else {
                    cut(value)
                };
                self.meta.execute([key, value]).map(drop)
            }
            Record::Name { worker, name } => {
                let key = format!("{NAME}{}", cut(worker));
                match name {
                    Some(name) => self.meta.execute([key.as_str(), cut(name)]).map(drop),
                    None => self.no_meta.execute([key]).map(drop),
                }
            }
        }
    }

    fn write_books(&mut self, books: &Books, reporting: bool) -> rusqlite::Result<()> {
        self.totals.add(&books.totals, reporting)?;
        self.totals.add_miners(&books.miners)?;
        match &books.alive {
            Some(alive) => self.seen.execute(seen_row(alive)).map(drop),
            None => Ok(()),
        }
    }

    fn write_decision(&mut self, decision: &Decision) -> rusqlite::Result<()> {
        // JSON is kept whole or not at all.
        let whole = decision.detail.len() <= 16 * LONGEST;
        let detail = if whole {
            decision.detail.as_str()
        } else {
            "{}"
        };
        let row = params![
            int(decision.at),
            decision.algorithm.name(),
            decision.from_pool,
            decision.to_pool,
            decision.coin,
            decision.rule,
            cut(&decision.text),
            detail,
        ];
        self.decision.execute(row).map(drop)
    }
}

/// Keeps the newest ones; the new one is the newest, so it is never among those that go.
pub(super) fn save_snapshot(
    transaction: &Transaction<'_>,
    sequence: i64,
    received_at: u64,
    envelope: &str,
    keep: usize,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO snapshots (sequence, received_at, envelope) VALUES (?1, ?2, ?3)
         ON CONFLICT (sequence) DO UPDATE SET
            received_at = excluded.received_at, envelope = excluded.envelope",
        params![sequence, int(received_at), envelope],
    )?;
    let old = "DELETE FROM snapshots WHERE sequence NOT IN
                (SELECT sequence FROM snapshots ORDER BY sequence DESC LIMIT ?1)";
    transaction.execute(old, [count(keep.max(1))]).map(drop)
}

/// Newest first.
pub(super) fn snapshots(db: &Connection, limit: usize) -> rusqlite::Result<Vec<StoredSnapshot>> {
    let mut statement = db.prepare(
        "SELECT sequence, received_at, envelope FROM snapshots ORDER BY sequence DESC LIMIT ?1",
    )?;
    let rows = statement.query_map([count(limit)], stored_snapshot)?;
    rows.collect()
}

/// As [`snapshots`], but whatever can be read of a damaged file. Sequences stand
/// on other pages than most of an envelope, and either end of a list may be cut off.
pub(super) fn salvage(db: &Connection, limit: usize) -> Vec<StoredSnapshot> {
    let mut sequences: Vec<i64> = Vec::new();
    for order in ["DESC", "ASC"] {
        let sql = format!("SELECT sequence FROM snapshots ORDER BY sequence {order}");
        if let Ok(mut statement) = db.prepare(&sql)
            && let Ok(found) = statement.query_map((), |row| row.get::<_, i64>(0))
        {
            sequences.extend(found.map_while(Result::ok).take(100));
        }
    }
    sequences.sort_unstable_by_key(|&sequence| std::cmp::Reverse(sequence));
    sequences.dedup();
    let one = "SELECT sequence, received_at, envelope FROM snapshots WHERE sequence = ?1";
    let read = |sequence: i64| db.query_row(one, [sequence], stored_snapshot).ok();
    sequences.into_iter().filter_map(read).take(limit).collect()
}

fn stored_snapshot(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredSnapshot> {
    Ok(StoredSnapshot {
        sequence: row.get::<_, i64>(0)?.try_into().unwrap_or(0),
        received_at: row.get::<_, i64>(1)?.try_into().unwrap_or(0),
        envelope: String::from_utf8_lossy(row.get_ref(2)?.as_bytes()?).into_owned(),
    })
}

/// The first rows of the store that takes another one's place.
pub(super) fn carry_over(
    db: &mut Connection,
    text: &str,
    salvaged: &[StoredSnapshot],
    now: u64,
) -> rusqlite::Result<()> {
    let transaction = db.transaction()?;
    for snapshot in salvaged {
        let keep = salvaged.len();
        save_snapshot(
            &transaction,
            int(snapshot.sequence),
            snapshot.received_at,
            &snapshot.envelope,
            keep,
        )?;
    }
    let row = params![int(now), "store-recovered", "store", cut(text)];
    transaction.execute(INSERT_EVENT, row)?;
    transaction.commit()
}
