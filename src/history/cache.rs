//! Answers that are kept for a while, so that fifty open pages are one read.

use super::HistoryError;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Different questions that are remembered at a time; a page asks few.
const KEPT: usize = 32;

struct Answer<K, V> {
    key: K,
    made: Instant,
    value: Arc<V>,
}

/// The lock is held while an answer is made: who asks the same meanwhile waits for it.
pub(super) struct Cache<K, V> {
    kept: Mutex<Vec<Answer<K, V>>>,
    fresh_for: Duration,
}

impl<K: PartialEq, V: Send + Sync + 'static> Cache<K, V> {
    pub fn new(fresh_for: Duration) -> Self {
        Self {
            kept: Mutex::new(Vec::new()),
            fresh_for,
        }
    }

    /// `make` runs on a thread that may block.
    pub async fn get(
        &self,
        key: K,
        make: impl FnOnce() -> Result<V, HistoryError> + Send + 'static,
    ) -> Result<Arc<V>, HistoryError> {
        let mut kept = self.kept.lock().await;
        kept.retain(|answer| answer.made.elapsed() < self.fresh_for);
        if let Some(answer) = kept.iter().find(|answer| answer.key == key) {
            return Ok(answer.value.clone());
        }
        let made = tokio::task::spawn_blocking(make)
            .await
            .map_err(|fault| HistoryError::Fault(fault.to_string()))??;
        let value = Arc::new(made);
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push(Answer {
            key,
            made: Instant::now(),
            value: value.clone(),
        });
        Ok(value)
    }
}
