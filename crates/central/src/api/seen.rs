//! When each farm was last heard of, and what it runs on: noted in memory at every request,
//! written for all of them in one statement.
//!
//! So a poll costs no query, and the database's load is the same however often farms
//! ask. A write that fails is tried again with what was noted meanwhile; what a killed
//! process had not written is at most one interval old.

use super::tokens::FarmName;
use sqlx::PgPool;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

struct Noted {
    at: i64,
    /// `None`: it was not told since the last write.
    board: Option<String>,
}

#[derive(Default)]
pub struct Seen(Mutex<HashMap<FarmName, Noted>>);

impl Seen {
    pub fn note(&self, farm: &FarmName) {
        let at = unix_now();
        let mut farms = self.farms();
        let noted = farms.entry(farm.clone());
        let new = Noted { at, board: None };
        noted.and_modify(|noted| noted.at = at).or_insert(new);
    }

    /// `board`: of the form that the table takes.
    pub fn note_board(&self, farm: &FarmName, board: String) {
        let noted = Noted {
            at: unix_now(),
            board: Some(board),
        };
        self.farms().insert(farm.clone(), noted);
    }

    /// Write what was noted since the last time.
    pub async fn write(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let noted = std::mem::take(&mut *self.farms());
        if noted.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = noted.keys().map(|name| &**name).collect();
        let times: Vec<i64> = noted.values().map(|noted| noted.at).collect();
        let boards: Vec<Option<&str>> = noted.values().map(|n| n.board.as_deref()).collect();
        // In the order of the key, as every writer of this table: they cannot deadlock.
        let result = sqlx::query(
            "INSERT INTO farm_state (farm, last_seen_at, board)
             SELECT id, to_timestamp(at), board
             FROM unnest($1::text[], $2::bigint[], $3::text[]) AS seen (name, at, board)
             JOIN farms USING (name) ORDER BY id
             ON CONFLICT (farm) DO UPDATE
             SET last_seen_at = greatest(farm_state.last_seen_at, excluded.last_seen_at),
                 board = coalesce(excluded.board, farm_state.board)",
        )
        .bind(names)
        .bind(times)
        .bind(boards)
        .execute(pool)
        .await;
        if let Err(error) = result {
            let mut farms = self.farms();
            for (farm, old) in noted {
                match farms.entry(farm) {
                    // What was noted meanwhile is newer.
                    Entry::Occupied(newer) => {
                        let newer = newer.into_mut();
                        newer.board = newer.board.take().or(old.board);
                    }
                    Entry::Vacant(place) => {
                        place.insert(old);
                    }
                }
            }
            return Err(error);
        }
        Ok(())
    }

    fn farms(&self) -> MutexGuard<'_, HashMap<FarmName, Noted>> {
        // An insertion is complete in itself: a panic elsewhere spoils nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs().cast_signed())
}
