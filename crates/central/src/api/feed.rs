//! The one task that follows the database and keeps the newest snapshot in memory, and
//! with it the farms' tokens and the releases.
//!
//! ```text
//!            migrated, LISTENing, newest read
//!   away ------------------------------------> following --+ NOTIFY or 30 s:
//!     ^  <------------------------------------     |  ^    | read what is newer
//!     |        connection lost, query failed       |  +----+
//!     +-- back-off, then try again
//! ```
//!
//! A NOTIFY sent while the connection was away is lost, hence the read after every
//! LISTEN; a connection that died silently is found by the read every 30 s. A
//! snapshot in memory is only ever replaced by one of a higher sequence: a database
//! restored from an old backup must not take farms back.

use super::release_store::{self, Releases};
use super::{stopped, tokens::TokenGate};
use crate::db::Database;
use crate::migrations::{self, MigrationError};
use crate::{farms, publish};
use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use smart_mining_wire::{Envelope, EnvelopeError, Snapshot};
use sqlx::postgres::PgListener;
use std::convert::Infallible;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

const BACK_OFF_FIRST: Duration = Duration::from_millis(250);
const BACK_OFF_LAST: Duration = Duration::from_secs(5);
/// The safety net under NOTIFY.
const POLL: Duration = Duration::from_secs(30);
/// How often all farms are read again, lest an announcement was lost unnoticed.
const READ_FARMS: Duration = Duration::from_secs(600);
/// A query that takes longer is a database that is away.
const QUERY: Duration = Duration::from_secs(10);

/// A snapshot as it is served, and as it is read here.
#[derive(Debug)]
pub struct Newest {
    pub sequence: u64,
    /// The envelope's JSON, shared by every answer.
    pub envelope: Bytes,
    /// The same, compressed once for all farms that take it so.
    pub gzip: Bytes,
    /// Not verified: this process holds no key, and the farms check the envelope.
    pub snapshot: Snapshot,
}

/// What requests see of the feed.
#[derive(Clone)]
pub struct View {
    pub newest: watch::Receiver<Option<Arc<Newest>>>,
    /// `None` until they were read once.
    pub releases: watch::Receiver<Option<Releases>>,
    following: Arc<AtomicBool>,
}

impl View {
    pub fn database_is_up(&self) -> bool {
        self.following.load(Ordering::Relaxed)
    }
}

pub struct Feed {
    database: Database,
    tokens: Arc<TokenGate>,
    newest: watch::Sender<Option<Arc<Newest>>>,
    releases: watch::Sender<Option<Releases>>,
    following: Arc<AtomicBool>,
    back_off: Duration,
}

pub fn new(database: Database, tokens: Arc<TokenGate>) -> (Feed, View) {
    let (sender, newest) = watch::channel(None);
    let (offer, offered) = watch::channel(None);
    let following = Arc::new(AtomicBool::new(false));
    let view = View {
        newest,
        releases: offered,
        following: following.clone(),
    };
    let feed = Feed {
        database,
        tokens,
        newest: sender,
        releases: offer,
        following,
        back_off: BACK_OFF_FIRST,
    };
    (feed, view)
}

#[derive(Debug, thiserror::Error)]
enum Away {
    #[error(transparent)]
    Migration(#[from] MigrationError),
    #[error(transparent)]
    Query(#[from] sqlx::Error),
    #[error("the connection was lost")]
    Lost,
    #[error("no answer within {} s", QUERY.as_secs())]
    Slow,
}

impl Feed {
    /// Nothing is lost when this is cancelled: all it holds can be read again.
    pub async fn run(mut self, stop: watch::Receiver<bool>) {
        tokio::select! {
            () = stopped(stop) => {}
            () = self.follow_for_ever() => {}
        }
    }

    async fn follow_for_ever(&mut self) {
        loop {
            let Err(error) = self.follow().await;
            self.following.store(false, Ordering::Relaxed);
            let serving = match self.sequence() {
                0 => "nothing to serve yet".into(),
                sequence => format!("snapshot {sequence} goes on being served"),
            };
            log::warn!(
                "{} is away ({error}); {serving}; trying again in {} ms",
                self.database.target,
                self.back_off.as_millis()
            );
            sleep(self.back_off).await;
            self.back_off = (self.back_off * 2).min(BACK_OFF_LAST);
        }
    }

    async fn follow(&mut self) -> Result<Infallible, Away> {
        let pool = self.database.pool.clone();
        let connecting = async {
            migrations::apply(&pool).await?;
            let mut listener = PgListener::connect_with(&pool).await?;
            // Reconnecting is this task's business: it must read after each LISTEN.
            listener.eager_reconnect(false);
            listener
                .listen_all([publish::CHANNEL, farms::CHANNEL, release_store::CHANNEL])
                .await?;
            Ok::<_, Away>(listener)
        };
        let mut listener = timeout(QUERY, connecting).await.map_err(|_| Away::Slow)??;
        self.read_newest().await?;
        self.read_releases().await?;
        // Last: farms that wait to be known find the snapshot there.
        within(self.tokens.read_all()).await?;
        let mut farms_read = Instant::now();
        self.back_off = BACK_OFF_FIRST;
        self.following.store(true, Ordering::Relaxed);
        log::info!("following {}", self.database.target);
        loop {
            match timeout(POLL, listener.try_recv()).await {
                Ok(received) => {
                    let told = received?.ok_or(Away::Lost)?;
                    match (told.channel(), told.payload()) {
                        (farms::CHANNEL, "") => within(self.tokens.read_all()).await?,
                        (farms::CHANNEL, name) => within(self.tokens.read_one(name)).await?,
                        (release_store::CHANNEL, _) => self.read_releases().await?,
                        _ => self.read_newest().await?,
                    }
                }
                Err(_) => self.read_newest().await?,
            }
            if farms_read.elapsed() >= READ_FARMS {
                within(self.tokens.read_all()).await?;
                farms_read = Instant::now();
            }
        }
    }

    async fn read_releases(&self) -> Result<(), Away> {
        let releases = within(release_store::read(&self.database.pool)).await?;
        self.releases.send_replace(Some(releases));
        Ok(())
    }

    fn sequence(&self) -> u64 {
        self.newest.borrow().as_ref().map_or(0, |n| n.sequence)
    }

    /// Read what is newer than the snapshot in memory, if anything is.
    async fn read_newest(&mut self) -> Result<(), Away> {
        let query = sqlx::query_as(
            "SELECT sequence, envelope FROM snapshots WHERE sequence > $1
             ORDER BY sequence DESC LIMIT 1",
        )
        .bind(self.sequence().cast_signed())
        .fetch_optional(&self.database.pool);
        let row: Option<(i64, String)> = within(query).await?;
        let Some((sequence, envelope)) = row else {
            return Ok(());
        };
        match Newest::read(sequence.cast_unsigned(), envelope) {
            Ok(newest) => {
                log::info!(
                    "serving snapshot {sequence} with {} entries",
                    newest.snapshot.entries.len()
                );
                self.newest.send_replace(Some(Arc::new(newest)));
            }
            // The last good one stays; the next publication mends it.
            Err(error) => log::error!("snapshot {sequence} is not usable: {error}; publish again"),
        }
        Ok(())
    }
}

async fn within<T>(query: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Away> {
    Ok(timeout(QUERY, query).await.map_err(|_| Away::Slow)??)
}

/// Empty if it fails, which writing to memory does not.
fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.unwrap_or_default().into()
}

impl Newest {
    pub(super) fn read(sequence: u64, envelope: String) -> Result<Self, EnvelopeError> {
        let parsed = Envelope::from_json(envelope.as_bytes())?;
        let payload = STANDARD
            .decode(&parsed.payload)
            .map_err(|_| EnvelopeError::NotBase64("payload"))?;
        Ok(Self {
            sequence,
            gzip: gzip(envelope.as_bytes()),
            envelope: envelope.into(),
            snapshot: Snapshot::parse(&payload)?,
        })
    }
}
