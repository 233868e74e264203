//! Which farm is asking? Answered from memory, so that polls cost no queries.
//!
//! ```text
//!   the feed connects     -> all farms are read, in one query
//!   NOTIFY with a name    -> that farm is read again (enrolled, rotated, disabled)
//!   NOTIFY without one, or
//!   every ten minutes     -> all farms are read again
//!   a token not among them-> one look-up; the answer "unknown" holds for some seconds
//! ```
//!
//! Until all farms were read once, no token is looked up: after a restart every farm asks
//! in the same moment, and each would cost a query that delays the one that answers all.
//! Requests wait for it a little instead, and are told to ask again if it does not come.
//!
//! The look-up is for a farm that was enrolled a moment ago. While the database is away a
//! farm that was known goes on being known for a day: it keeps its snapshots, which is
//! the point of the whole system.

use super::App;
use super::problem::Problem;
use crate::farms::{self, TokenHash};
use axum::extract::FromRequestParts;
use axum::http::{HeaderMap, StatusCode, header, request::Parts};
use sqlx::PgPool;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::timeout;

const UNKNOWN_FOR: Duration = Duration::from_secs(5);
/// How long a known farm is served without the database confirming it.
const TRUSTED_FOR: Duration = Duration::from_secs(24 * 3600);
/// A look-up that takes longer is a database that is away.
const LOOK_UP: Duration = Duration::from_secs(5);
const MAX_UNKNOWN: usize = 10_000;
/// How long a request of a process that just started waits for the farms to be read.
const FIRST_READ: Duration = Duration::from_secs(2);

pub type FarmName = Arc<str>;

pub struct TokenGate {
    pool: PgPool,
    cache: Mutex<Cache>,
    /// Whether all farms were read, since the process started.
    read: watch::Sender<bool>,
}

impl TokenGate {
    pub fn new(pool: PgPool) -> Self {
        Self {
            pool,
            cache: Mutex::default(),
            read: watch::Sender::new(false),
        }
    }

    /// Learn all farms anew.
    pub async fn read_all(&self) -> Result<(), sqlx::Error> {
        let farms = farms::tokens(&self.pool).await?;
        self.cache().replace(farms, Instant::now());
        self.read.send_replace(true);
        Ok(())
    }

    /// Wait until it can be told whether the request is a farm's, if it may be one's.
    pub async fn settle(&self, headers: &HeaderMap) {
        let mut read = self.read.subscribe();
        let early = !*read.borrow();
        if early && bearer(headers).and_then(farms::hash).is_some() {
            log::debug!("what may be a farm's request waits until the farms are read");
            // Neither end matters here: who asks on finds out what is known by then.
            let _ = timeout(FIRST_READ, read.wait_for(|read| *read)).await;
        }
    }

    /// Learn one farm anew; the farm may be gone.
    pub async fn read_one(&self, name: &str) -> Result<(), sqlx::Error> {
        let token = farms::token_of(&self.pool, name).await?;
        self.cache().replace_one(name, token, Instant::now());
        Ok(())
    }

    /// For metrics: how many farms are in memory.
    pub fn known(&self) -> usize {
        self.cache().known.len()
    }

    /// Whether the token is a farm's, as far as memory tells; never asks the database.
    pub fn is_known(&self, headers: &HeaderMap) -> Option<TokenHash> {
        let hash = bearer(headers).and_then(farms::hash)?;
        match self.cache().get(&hash, Instant::now()) {
            Answer::Known(_) => Some(hash),
            Answer::Unknown | Answer::Ask(_) => None,
        }
    }

    /// The farm whose bearer token the request carries.
    pub async fn farm(&self, headers: &HeaderMap) -> Result<FarmName, Problem> {
        let token = bearer(headers).ok_or_else(|| {
            unauthorized("send the farm's token: `Authorization: Bearer smf_...`")
        })?;
        let hash = farms::hash(token).ok_or_else(unknown)?;
        if !*self.read.borrow() {
            return Err(away());
        }
        let answer = self.cache().get(&hash, Instant::now());
        let asked = match answer {
            Answer::Known(farm) => return Ok(farm),
            Answer::Unknown => return Err(unknown()),
            Answer::Ask(asked) => asked,
        };
        match timeout(LOOK_UP, farms::find(&self.pool, &hash)).await {
            Ok(Ok(Some(name))) => Ok(self.cache().learn(hash, name.into(), asked, Instant::now())),
            Ok(Ok(None)) => {
                self.cache().learn_unknown(hash, Instant::now());
                Err(unknown())
            }
            Ok(Err(error)) => {
                log::warn!("a token cannot be looked up: {error}");
                Err(away())
            }
            Err(_) => {
                log::warn!("a token cannot be looked up within {} s", LOOK_UP.as_secs());
                Err(away())
            }
        }
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // Each change of the cache is complete in itself: a panic elsewhere spoils nothing.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request of a farm's, by its token.
pub struct ByFarm(pub FarmName);

impl FromRequestParts<App> for ByFarm {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let farm = app.tokens.farm(&parts.headers).await?;
        app.seen.note(&farm);
        Ok(Self(farm))
    }
}

pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

pub fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "token", detail)
}

pub fn unknown() -> Problem {
    unauthorized(
        "this token belongs to no farm that is enrolled here; \
         make one with `smart-mining-api enrol NAME`, or `enrol --rotate NAME`",
    )
}

fn away() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "database-away",
        "the token cannot be checked while the database is away; ask again",
    )
}

enum Answer {
    Known(FarmName),
    Unknown,
    /// Ask the database; the number tells whether farms changed meanwhile.
    Ask(u64),
}

struct Known {
    farm: FarmName,
    confirmed: Instant,
}

#[derive(Default)]
struct Cache {
    known: HashMap<TokenHash, Known>,
    /// When to ask again.
    unknown: HashMap<TokenHash, Instant>,
    /// Grows with each change of the farms that was heard of.
    changes: u64,
}

impl Cache {
    fn get(&self, hash: &TokenHash, now: Instant) -> Answer {
        let trusted = |known: &&Known| now < known.confirmed + TRUSTED_FOR;
        if let Some(known) = self.known.get(hash).filter(trusted) {
            return Answer::Known(known.farm.clone());
        }
        match self.unknown.get(hash) {
            Some(ask_again) if now < *ask_again => Answer::Unknown,
            Some(_) | None => Answer::Ask(self.changes),
        }
    }

    fn replace(&mut self, farms: Vec<(TokenHash, String)>, now: Instant) {
        let known = |farm: String| Known {
            farm: farm.into(),
            confirmed: now,
        };
        self.known = farms
            .into_iter()
            .map(|(hash, farm)| (hash, known(farm)))
            .collect();
        self.unknown.clear();
        self.changes += 1;
    }

    fn replace_one(&mut self, farm: &str, token: Option<TokenHash>, now: Instant) {
        self.known.retain(|_, known| &*known.farm != farm);
        if let Some(hash) = token {
            let known = Known {
                farm: farm.into(),
                confirmed: now,
            };
            self.known.insert(hash, known);
            self.unknown.remove(&hash);
        }
        self.changes += 1;
    }

    /// What was looked up is kept only if no change of the farms was heard of since:
    /// the answer may be older than that change.
    fn learn(&mut self, hash: TokenHash, farm: FarmName, asked: u64, now: Instant) -> FarmName {
        if asked == self.changes {
            self.unknown.remove(&hash);
            let known = Known {
                farm: farm.clone(),
                confirmed: now,
            };
            self.known.insert(hash, known);
        }
        farm
    }

    fn learn_unknown(&mut self, hash: TokenHash, now: Instant) {
        if self.unknown.len() >= MAX_UNKNOWN {
            self.unknown.clear();
        }
        self.unknown.insert(hash, now + UNKNOWN_FOR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: TokenHash = [7; 32];
    const OTHER: TokenHash = [8; 32];

    fn name(cache: &Cache, hash: &TokenHash, now: Instant) -> Option<String> {
        match cache.get(hash, now) {
            Answer::Known(farm) => Some(farm.to_string()),
            Answer::Unknown | Answer::Ask(_) => None,
        }
    }

    fn hill(now: Instant) -> Cache {
        let mut cache = Cache::default();
        cache.replace(vec![(HASH, "hill".into())], now);
        cache
    }

    #[test]
    fn a_known_farm_is_trusted_for_a_day_without_the_database() {
        let now = Instant::now();
        let cache = hill(now);
        let last = now + TRUSTED_FOR - Duration::from_secs(1);
        assert_eq!(name(&cache, &HASH, last).as_deref(), Some("hill"));
        assert_eq!(name(&cache, &HASH, now + TRUSTED_FOR), None);
        assert_eq!(name(&cache, &OTHER, now), None);
    }

    #[test]
    fn a_rotated_or_disabled_farm_ends_at_once() {
        let now = Instant::now();
        let mut cache = hill(now);
        cache.replace_one("hill", Some(OTHER), now);
        assert_eq!(name(&cache, &HASH, now), None);
        assert_eq!(name(&cache, &OTHER, now).as_deref(), Some("hill"));
        cache.replace_one("hill", None, now);
        assert_eq!(name(&cache, &OTHER, now), None);
        let mut cache = hill(now);
        cache.replace(vec![], now);
        assert_eq!(name(&cache, &HASH, now), None);
    }

    #[test]
    fn an_answer_older_than_a_change_is_not_kept() {
        let now = Instant::now();
        let mut cache = Cache::default();
        let Answer::Ask(asked) = cache.get(&HASH, now) else {
            panic!("nothing is known yet");
        };
        cache.replace_one("hill", None, now);
        cache.learn(HASH, "hill".into(), asked, now);
        assert_eq!(name(&cache, &HASH, now), None);
        cache.learn(HASH, "hill".into(), cache.changes, now);
        assert_eq!(name(&cache, &HASH, now).as_deref(), Some("hill"));
    }

    #[test]
    fn an_unknown_token_is_asked_for_again_soon() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        cache.learn_unknown(HASH, now);
        assert!(matches!(cache.get(&HASH, now), Answer::Unknown));
        let later = now + UNKNOWN_FOR;
        assert!(matches!(cache.get(&HASH, later), Answer::Ask(_)));
        cache.replace_one("hill", Some(HASH), now);
        assert!(name(&cache, &HASH, now).is_some(), "enrolled meanwhile");
    }

    #[test]
    fn guessing_does_not_fill_the_memory() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        for guess in 0..=MAX_UNKNOWN {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&guess.to_le_bytes());
            cache.learn_unknown(hash, now);
        }
        assert!(cache.unknown.len() <= MAX_UNKNOWN);
    }
}
