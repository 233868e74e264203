//! Who is asking? Answers from memory nearly always, so that polls cost no queries.
//!
//! Answers expire soon, and at once when a farm is enrolled or its token rotated
//! (the feed hears of it). While the database is away a farm that was known goes on
//! being known: it keeps its snapshots, which is the point of the whole system.

use crate::farms::{self, TokenHash};
use axum::http::{HeaderMap, StatusCode, header};
use sqlx::PgPool;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::problem::Problem;

const KNOWN_FOR: Duration = Duration::from_secs(60);
const UNKNOWN_FOR: Duration = Duration::from_secs(5);
/// How long a known farm is served without the database confirming it.
const TRUSTED_FOR: Duration = Duration::from_secs(24 * 3600);
/// After a failed look-up, how long not to try again for the same token.
const RETRY_AFTER: Duration = Duration::from_secs(5);
const MAX_KNOWN: usize = 50_000;
const MAX_UNKNOWN: usize = 10_000;

pub type FarmName = Arc<str>;

pub struct TokenGate {
    pool: PgPool,
    cache: Mutex<Cache>,
}

impl TokenGate {
    pub fn new(pool: PgPool) -> Self {
        Self {
            pool,
            cache: Mutex::default(),
        }
    }

    /// Ask the database again for every token that comes.
    pub fn expire_all(&self) {
        self.cache().expire_all(Instant::now());
    }

    /// The farm whose bearer token the request carries.
    pub async fn farm(&self, headers: &HeaderMap) -> Result<FarmName, Problem> {
        let token = bearer(headers).ok_or_else(|| {
            unauthorized("send the farm's token: `Authorization: Bearer smf_...`")
        })?;
        let hash = farms::hash(token).ok_or_else(unknown)?;
        let answer = self.cache().get(&hash, Instant::now());
        match answer {
            Answer::Known(farm) => return Ok(farm),
            Answer::Unknown => return Err(unknown()),
            Answer::Ask => {}
        }
        match farms::find(&self.pool, &hash).await {
            Ok(Some(name)) => Ok(self.cache().learn_known(hash, name.into(), Instant::now())),
            Ok(None) => {
                self.cache().learn_unknown(hash, Instant::now());
                Err(unknown())
            }
            Err(error) => {
                log::warn!("a token cannot be looked up: {error}");
                let trusted = self.cache().trust(&hash, Instant::now());
                trusted.ok_or_else(away)
            }
        }
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // Each change of the cache is complete in itself: a panic elsewhere spoils nothing.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "token", detail)
}

fn unknown() -> Problem {
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
    Ask,
}

struct Known {
    farm: FarmName,
    confirmed: Instant,
    ask_again: Instant,
}

#[derive(Default)]
struct Cache {
    known: HashMap<TokenHash, Known>,
    /// When to ask again.
    unknown: HashMap<TokenHash, Instant>,
}

impl Cache {
    fn get(&self, hash: &TokenHash, now: Instant) -> Answer {
        if let Some(known) = self.known.get(hash) {
            return match now < known.ask_again {
                true => Answer::Known(known.farm.clone()),
                false => Answer::Ask,
            };
        }
        match self.unknown.get(hash) {
            Some(ask_again) if now < *ask_again => Answer::Unknown,
            Some(_) | None => Answer::Ask,
        }
    }

    fn learn_known(&mut self, hash: TokenHash, farm: FarmName, now: Instant) -> FarmName {
        self.unknown.remove(&hash);
        if self.known.len() >= MAX_KNOWN {
            self.known.retain(|_, known| now < known.ask_again);
        }
        if self.known.len() < MAX_KNOWN {
            let known = Known {
                farm: farm.clone(),
                confirmed: now,
                ask_again: now + KNOWN_FOR,
            };
            self.known.insert(hash, known);
        }
        farm
    }

    fn learn_unknown(&mut self, hash: TokenHash, now: Instant) {
        self.known.remove(&hash);
        if self.unknown.len() >= MAX_UNKNOWN {
            // Somebody is guessing; which guesses are remembered does not matter.
            self.unknown.clear();
        }
        self.unknown.insert(hash, now + UNKNOWN_FOR);
    }

    /// The database did not answer: go on with what it said before, for a while.
    fn trust(&mut self, hash: &TokenHash, now: Instant) -> Option<FarmName> {
        let known = self.known.get_mut(hash)?;
        if now.duration_since(known.confirmed) >= TRUSTED_FOR {
            return None;
        }
        known.ask_again = now + RETRY_AFTER;
        Some(known.farm.clone())
    }

    fn expire_all(&mut self, now: Instant) {
        self.unknown.clear();
        for known in self.known.values_mut() {
            known.ask_again = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: TokenHash = [7; 32];
    const SECOND: Duration = Duration::from_secs(1);

    fn is_known(cache: &Cache, now: Instant) -> bool {
        matches!(cache.get(&HASH, now), Answer::Known(_))
    }

    #[test]
    fn answers_expire() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        cache.learn_known(HASH, "hill".into(), now);
        assert!(is_known(&cache, now + KNOWN_FOR - SECOND));
        assert!(matches!(cache.get(&HASH, now + KNOWN_FOR), Answer::Ask));
        cache.learn_unknown(HASH, now);
        assert!(matches!(cache.get(&HASH, now + SECOND), Answer::Unknown));
        assert!(matches!(cache.get(&HASH, now + UNKNOWN_FOR), Answer::Ask));
    }

    #[test]
    fn a_known_farm_is_trusted_for_a_day_without_the_database() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        cache.learn_known(HASH, "hill".into(), now);
        let later = now + TRUSTED_FOR - SECOND;
        assert_eq!(cache.trust(&HASH, later).as_deref(), Some("hill"));
        assert!(
            is_known(&cache, later + SECOND),
            "asked again only after a pause"
        );
        assert_eq!(cache.trust(&HASH, now + TRUSTED_FOR), None);
        assert_eq!(cache.trust(&[8; 32], now), None);
    }

    #[test]
    fn an_announced_change_of_the_farms_ends_every_answer() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        cache.learn_known(HASH, "hill".into(), now);
        cache.expire_all(now);
        assert!(matches!(cache.get(&HASH, now), Answer::Ask));
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
