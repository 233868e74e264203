//! When each farm was last heard of: noted in memory at every request, written for all
//! of them in one statement.
//!
//! So a poll costs no query, and the database's load is the same however often farms
//! ask. A write that fails is tried again with what was noted meanwhile; what a killed
//! process had not written is at most one interval old.

use super::tokens::FarmName;
use sqlx::PgPool;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Default)]
pub struct Seen(Mutex<HashMap<FarmName, i64>>);

impl Seen {
    pub fn note(&self, farm: &FarmName) {
        self.farms().insert(farm.clone(), unix_now());
    }

    /// Write what was noted since the last time.
    pub async fn write(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let noted = std::mem::take(&mut *self.farms());
        if noted.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = noted.keys().map(|name| &**name).collect();
        let times: Vec<i64> = noted.values().copied().collect();
        // In the order of the key, as every writer of this table: they cannot deadlock.
        let result = sqlx::query(
            "INSERT INTO farm_state (farm, last_seen_at)
             SELECT id, to_timestamp(at) FROM unnest($1::text[], $2::bigint[]) AS seen (name, at)
             JOIN farms USING (name) ORDER BY id
             ON CONFLICT (farm) DO UPDATE
             SET last_seen_at = greatest(farm_state.last_seen_at, excluded.last_seen_at)",
        )
        .bind(names)
        .bind(times)
        .execute(pool)
        .await;
        if let Err(error) = result {
            let mut farms = self.farms();
            for (farm, at) in noted {
                farms.entry(farm).or_insert(at);
            }
            return Err(error);
        }
        Ok(())
    }

    fn farms(&self) -> MutexGuard<'_, HashMap<FarmName, i64>> {
        // An insertion is complete in itself: a panic elsewhere spoils nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs().cast_signed())
}
