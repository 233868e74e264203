//! Recorded answers through the same desk, by the recording's own clock.
//!
//! Nothing here reads a clock or a random number: the same recording, pools and
//! signing key give the same snapshots, byte for byte, in memory and in an empty
//! database.

use super::desk::{Desk, Edition};
use super::store;
use crate::collect::{Config, Heard};
use crate::db::Database;
use crate::merge::Book;
use crate::publish;
use anyhow::{Context as _, bail};
use smart_mining_wire::{Envelope, SecretKey};
use sqlx::{ConnectOptions as _, PgConnection};
use std::io::Write;
use std::ops::RangeInclusive;

/// As a running aggregator waits for its first answers.
const FIRST_ROUND: u64 = 30;
/// What came last is still news for this long.
const LINGER: u64 = 5;

/// Where editions go.
pub enum Sink<'w> {
    /// One envelope a line.
    Lines {
        out: &'w mut dyn Write,
        sequence: u64,
    },
    Database(Box<PgConnection>),
}

impl<'w> Sink<'w> {
    pub const fn lines(out: &'w mut dyn Write) -> Self {
        Self::Lines { out, sequence: 0 }
    }

    pub async fn database(database: &Database) -> anyhow::Result<Self> {
        let connection = database.pool.connect_options().connect().await?;
        Ok(Self::Database(Box::new(connection)))
    }
}

/// What a replay did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub answers: u64,
    pub failures: u64,
    pub snapshots: u64,
    pub rejections: u64,
}

pub async fn replay<E>(
    recording: impl IntoIterator<Item = Result<Heard, E>>,
    config: &Config,
    key: &SecretKey,
    mut sink: Sink<'_>,
) -> anyhow::Result<Summary>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let mut desk = Desk::new(Book::default(), config.pools.clone(), config.publish);
    let mut summary = Summary::default();
    let mut clock: Option<(u64, u64)> = None;
    for heard in recording {
        let heard = heard?;
        let (first, last) = *clock.get_or_insert((heard.at, heard.at));
        if clock.is_some_and(|_| summary.answers + summary.failures == 0) {
            refuse_newer(&mut sink, first).await?;
        }
        // Two threads' answers may be written in the wrong order by a moment.
        let now = heard.at.max(last);
        let span = last.max(first + FIRST_ROUND)..=now;
        advance(&mut desk, span, config, key, &mut sink, &mut summary).await?;
        clock = Some((first, now));
        match &heard.result {
            Ok(_) => summary.answers += 1,
            Err(_) => summary.failures += 1,
        }
        desk.hear(&heard);
    }
    if let Some((first, last)) = clock {
        let begin = last.max(first + FIRST_ROUND);
        let span = begin..=begin + LINGER;
        advance(&mut desk, span, config, key, &mut sink, &mut summary).await?;
    }
    Ok(summary)
}

/// All editions that are due in this span of time, in Unix seconds.
async fn advance(
    desk: &mut Desk,
    span: RangeInclusive<u64>,
    config: &Config,
    key: &SecretKey,
    sink: &mut Sink<'_>,
    summary: &mut Summary,
) -> anyhow::Result<()> {
    let (mut clock, end) = span.into_inner();
    if clock <= end {
        desk.begin();
    }
    while let Some(due) = desk.deadline(clock).filter(|due| *due <= end) {
        clock = clock.max(due);
        if let Some(edition) = desk.edition(clock) {
            summary.rejections += edition.rejections.len() as u64;
            let published = publish(desk, &edition, config, key, sink).await?;
            summary.snapshots += u64::from(published);
            desk.published(&edition);
        }
    }
    Ok(())
}

async fn publish(
    desk: &mut Desk,
    edition: &Edition,
    config: &Config,
    key: &SecretKey,
    sink: &mut Sink<'_>,
) -> anyhow::Result<bool> {
    match sink {
        Sink::Lines { out, sequence } => {
            let entries = edition.entries();
            if entries.is_empty() {
                return Ok(false);
            }
            *sequence = edition.now.max(*sequence + 1);
            let snapshot = publish::seal_ready(*sequence, edition.now, entries)?;
            writeln!(out, "{}", Envelope::seal(&snapshot, key).to_json())?;
            Ok(true)
        }
        Sink::Database(connection) => {
            let changed = desk.book.take_changed();
            let published = store::write(connection, config, edition, &changed, &[], key).await?;
            Ok(published.is_some())
        }
    }
}

/// Sequences only go up: into a database that is ahead, a replay would not be the same.
async fn refuse_newer(sink: &mut Sink<'_>, first: u64) -> anyhow::Result<()> {
    let Sink::Database(connection) = sink else {
        return Ok(());
    };
    let newest: Option<i64> = sqlx::query_scalar("SELECT max(sequence) FROM snapshots")
        .fetch_one(&mut **connection)
        .await
        .context("the snapshots that are there cannot be looked at")?;
    match newest {
        Some(newest) if newest.cast_unsigned() >= first => bail!(
            "the database has snapshot {newest}, newer than the recording's first answer at \
             {first}; replay into an empty database, or leave --database-url out"
        ),
        Some(_) | None => Ok(()),
    }
}
