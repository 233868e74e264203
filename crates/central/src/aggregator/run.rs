//! The commands `run` and `once`.
//!
//! One task does it all in turn: it hears answers, makes editions and stores them
//! over the session that holds the leader's lock. Asking happens on the collector's
//! threads. While the database is away the collector goes on and the desk keeps
//! everything; nothing is lost but the publications of that time.

use super::desk::{Desk, Edition, Why};
use super::leader::{self, Lead, LeaderError};
use super::{store, unix_now};
use crate::collect::worker::Answered;
use crate::collect::{Collector, Config, Recorder};
use crate::db::Database;
use crate::merge::Book;
use crate::migrations;
use crate::publish::{PublishError, Published};
use crate::ranking::Unranked;
use anyhow::Context as _;
use smart_mining_wire::SecretKey;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

const TICK: Duration = Duration::from_millis(500);
/// The first edition waits this long for the first answers, if some do not come.
const FIRST_ROUND: Duration = Duration::from_secs(30);
/// `once` waits so long for sources that are slow, or whose budgets are small.
const ONE_ROUND: Duration = Duration::from_secs(90);
/// A publication that takes longer is a database that is away.
const WRITE: Duration = Duration::from_secs(30);
const CLEAN_UP_EVERY: Duration = Duration::from_secs(3600);

pub struct Setup {
    pub config: Config,
    pub database: Database,
    pub key: SecretKey,
    /// Write every answer down here.
    pub record: Option<PathBuf>,
}

/// Work, or stand by for whoever does, until `stop` resolves.
pub async fn run(setup: Setup, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    // A folder that cannot be written is found out at once, not when leading begins.
    if let Some(folder) = &setup.record {
        Recorder::create(folder)
            .with_context(|| format!("{} cannot be recorded into", folder.display()))?;
    }
    let mut aggregator = Aggregator {
        setup: &setup,
        work: None,
        said: Said::Nothing,
        unranked: Vec::new(),
    };
    let mut stop = Box::pin(stop);
    loop {
        let lead = tokio::select! {
            lead = aggregator.stand_by() => lead?,
            () = &mut stop => return Ok(()),
        };
        match aggregator.lead(lead, stop.as_mut()).await? {
            Ended::Stopped => return Ok(()),
            Ended::Lost => {}
        }
    }
}

struct Work {
    desk: Desk,
    collector: Collector,
    began: Instant,
}

/// What was said last, so that a state is logged once.
#[derive(PartialEq, Eq)]
enum Said {
    Nothing,
    StandingBy,
    Away,
}

enum Ended {
    Stopped,
    Lost,
}

struct Aggregator<'s> {
    setup: &'s Setup,
    /// Kept while the database is away, dropped while another aggregator leads.
    work: Option<Work>,
    said: Said,
    unranked: Vec<Unranked>,
}

impl Aggregator<'_> {
    /// Resolves when this one leads. Cancelled without harm: a lock taken in a
    /// session that is dropped is freed by the server.
    async fn stand_by(&mut self) -> anyhow::Result<Lead> {
        loop {
            let next_try = Instant::now() + leader::TRY_EVERY;
            match self.try_take().await {
                Ok(Some(lead)) => return Ok(lead),
                Ok(None) => {
                    // Whoever leads asks the sources; asking twice would spend their budgets.
                    self.work = None;
                    self.say(Said::StandingBy, "another aggregator leads; standing by");
                }
                Err(error) => {
                    let target = &self.setup.database.target;
                    let text = format!("{target} is away ({error}); trying again");
                    self.say(Said::Away, &text);
                }
            }
            self.hear_until(next_try).await;
        }
    }

    fn say(&mut self, what: Said, text: &str) {
        if self.said != what {
            log::warn!("{text}");
            self.said = what;
        }
    }

    async fn try_take(&self) -> anyhow::Result<Option<Lead>> {
        let database = &self.setup.database;
        timeout(WRITE, migrations::apply(&database.pool)).await??;
        Ok(Lead::try_take(database).await?)
    }

    async fn hear_until(&mut self, deadline: Instant) {
        let Some(work) = &mut self.work else {
            return sleep_until(deadline).await;
        };
        loop {
            tokio::select! {
                heard = work.collector.next() => work.desk.hear(&heard),
                () = sleep_until(deadline) => return,
            }
        }
    }

    async fn lead(
        &mut self,
        mut lead: Lead,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> anyhow::Result<Ended> {
        self.said = Said::Nothing;
        log::info!("leading: publishing to {}", self.setup.database.target);
        if let Err(error) = self.begin(&mut lead).await? {
            log::warn!("what was stored cannot be read: {error}");
            return Ok(Ended::Lost);
        }
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut next_turn = Instant::now() + 2 * TICK;
        let mut next_check = Instant::now();
        let mut next_clean_up = Instant::now();
        loop {
            let Some(work) = &mut self.work else {
                anyhow::bail!("leading without a desk");
            };
            tokio::select! {
                // What was said goes before the turn that publishes it.
                biased;
                () = &mut stop => {
                    lead.resign().await;
                    return Ok(Ended::Stopped);
                }
                heard = work.collector.next() => {
                    work.desk.hear(&heard);
                    if Instant::now() < next_turn {
                        continue;
                    }
                }
                _ = ticks.tick() => {}
            }
            let now = Instant::now();
            // However many answers come, the turn does.
            next_turn = now + 2 * TICK;
            let done = self.turn(&mut lead).await;
            let done = match done {
                Ok(()) if now >= next_check => {
                    next_check = now + leader::TRY_EVERY;
                    lead.check().await.map_err(anyhow::Error::from)
                }
                other => other,
            };
            if let Err(error) = done {
                let text = format!("nothing can be published for now: {error:#}");
                self.say(Said::Away, &text);
                return Ok(Ended::Lost);
            }
            if now >= next_clean_up {
                next_clean_up = now + CLEAN_UP_EVERY;
                let cleaned = store::clean_up(&mut lead.connection, &self.setup.config, unix_now());
                if let Err(error) = timeout(WRITE, cleaned).await? {
                    log::warn!("old rows cannot be removed: {error}; tried again in an hour");
                }
            }
        }
    }

    /// The desk of before, with what another leader may have stored since. What was
    /// answered not long ago is not asked again at once.
    async fn begin(&mut self, lead: &mut Lead) -> anyhow::Result<Result<(), sqlx::Error>> {
        let config = &self.setup.config;
        let mut stored = Book::default();
        let book = match &mut self.work {
            Some(work) => &mut work.desk.book,
            None => &mut stored,
        };
        if let Err(error) = store::restore(&mut lead.connection, book).await {
            return Ok(Err(error));
        }
        if self.work.is_none() {
            let recorder = self.setup.record.as_deref().map(Recorder::create);
            let answered: Vec<Answered<'_>> = stored
                .answered()
                .map(|(question, at)| Answered {
                    source: &question.source,
                    kind: &question.kind,
                    about: &question.about,
                    at,
                })
                .collect();
            let collector = Collector::start_after(config, recorder.transpose()?, &answered);
            self.work = Some(Work {
                desk: Desk::new(stored, config.pools.clone(), config.publish),
                collector,
                began: Instant::now(),
            });
        }
        if let Some(work) = &mut self.work
            && !work.desk.book.is_empty()
        {
            work.desk.begin();
        }
        Ok(Ok(()))
    }

    /// Publish if an edition is due.
    async fn turn(&mut self, lead: &mut Lead) -> anyhow::Result<()> {
        let Some(work) = &mut self.work else {
            return Ok(());
        };
        if !work.desk.has_begun()
            && (work.collector.all_asked(FIRST_ROUND) || work.began.elapsed() > FIRST_ROUND)
        {
            work.desk.begin();
        }
        let Some(edition) = work.desk.edition(unix_now()) else {
            return Ok(());
        };
        let health = work.collector.health();
        let written = write(self.setup, lead, &mut work.desk, &edition, &health).await;
        match written {
            Ok(published) => {
                work.desk.published(&edition);
                tell(published.as_ref(), &edition);
                if self.unranked != edition.ranking.unranked {
                    self.unranked = edition.ranking.unranked;
                    for one in &self.unranked {
                        log::info!("not ranked: {} at {}: {}", one.algorithm, one.pool, one.why);
                    }
                }
                Ok(())
            }
            // Nothing wrong with the database: the next edition may be better.
            Err(WriteError::Publish(PublishError::Ranking(error))) => {
                log::error!("the ranking is not publishable: {error}; the last snapshot stands");
                work.desk.published(&edition);
                Ok(())
            }
            Err(error) => {
                work.desk.not_published(edition);
                Err(error.into())
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("a publication took longer than {} s", WRITE.as_secs())]
    Slow,
}

async fn write(
    setup: &Setup,
    lead: &mut Lead,
    desk: &mut Desk,
    edition: &Edition,
    health: &[crate::collect::SourceHealth],
) -> Result<Option<Published>, WriteError> {
    let changed = desk.book.take_changed();
    let writing = store::write(
        &mut lead.connection,
        &setup.config,
        edition,
        &changed,
        health,
        &setup.key,
    );
    let written = match timeout(WRITE, writing).await {
        Ok(Ok(published)) => return Ok(published),
        Ok(Err(error)) => error.into(),
        Err(_) => WriteError::Slow,
    };
    desk.book
        .give_back(changed.into_iter().map(|(question, _)| question));
    Err(written)
}

fn tell(published: Option<&Published>, edition: &Edition) {
    match (published, edition.why) {
        (Some(published), Why::First | Why::Changed) => log::info!(
            "published snapshot {} with {} entries",
            published.sequence,
            published.entries
        ),
        (Some(published), Why::Heartbeat) => log::debug!(
            "published snapshot {} with {} entries",
            published.sequence,
            published.entries
        ),
        (None, _) => log::warn!("nothing can be ranked yet, so nothing is published"),
    }
}

/// Ask everybody once and give the edition. Blocks nobody else.
pub async fn ask_once(config: &Config) -> anyhow::Result<(Desk, Edition, Collector)> {
    let mut desk = Desk::new(Book::default(), config.pools.clone(), config.publish);
    let mut collector = Collector::start(config, None);
    for heard in collector.one_round(ONE_ROUND).await {
        desk.hear(&heard);
    }
    desk.begin();
    let edition = desk
        .edition(unix_now())
        .context("the desk has no edition")?;
    Ok((desk, edition, collector))
}

/// `once`: a single round, stored and published.
pub async fn once(setup: &Setup) -> anyhow::Result<(Edition, Option<Published>)> {
    let database = &setup.database;
    let (mut desk, edition, collector) = ask_once(&setup.config).await?;
    let mut lead = Lead::try_take(database).await?.with_context(|| {
        format!(
            "an aggregator is running against {}, and publishes by itself; \
             look at what it says, or add --dry-run",
            database.target
        )
    })?;
    let published = write(setup, &mut lead, &mut desk, &edition, &collector.health()).await?;
    lead.resign().await;
    Ok((edition, published))
}

impl From<tokio::time::error::Elapsed> for LeaderError {
    fn from(_: tokio::time::error::Elapsed) -> Self {
        Self::Slow
    }
}
