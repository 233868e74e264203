//! How we present ourselves to a pool, and how a connection to it can end.

use crate::share::SplitError;
use alloc::string::String;

use super::pulse::{DEAF_AFTER, MUTE_AFTER, SILENT_AFTER};
use super::{LOGIN_WITHIN, shares::REFUSED_IN_A_ROW};

/// How to present ourselves. Comes from farm.toml alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// May hold `{worker}` and `{farm}`.
    pub user: String,
    pub password: String,
    pub farm: String,
    pub agent: String,
    /// Authorize each worker by its own name.
    pub per_worker: bool,
    /// Send `mining.configure`, `mining.extranonce.subscribe` and
    /// `mining.suggest_difficulty`.
    pub extensions: bool,
}

impl Login {
    pub(super) fn user_for(&self, worker: &str) -> String {
        self.user
            .replace("{farm}", &self.farm)
            .replace("{worker}", worker)
    }

    /// The connection's own name: the farm stands in for the worker.
    pub fn connection_user(&self) -> String {
        self.user_for(&self.farm)
    }

    pub(super) fn names_workers(&self) -> bool {
        self.per_worker && self.user.contains("{worker}")
    }
}

/// What is known when a connection begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Opening {
    /// The session that an earlier connection to the same pool had.
    pub resume: Option<String>,
    /// A difficulty at which the farm makes some shares a minute, if its hashrate is known.
    pub suggest: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("cannot connect: {0}")]
    Connect(String),
    #[error("the pool closed the connection")]
    Closed,
    #[error("connection lost: {0}")]
    Lost(String),
    #[error("the pool refused the login: {0}")]
    LoginRefused(String),
    #[error("no login within {} s", LOGIN_WITHIN.as_secs())]
    LoginTimeout,
    #[error("no line for {} s", SILENT_AFTER.as_secs())]
    Silent,
    #[error("shares and questions were sent, and not a line came for {} s", DEAF_AFTER.as_secs())]
    Deaf,
    #[error("no answer to any share for {} s", MUTE_AFTER.as_secs())]
    Mute,
    #[error(
        "the pool accepts no share; {REFUSED_IN_A_ROW} were refused in a row, the last one with: {0}"
    )]
    Refusing(String),
    #[error("the pool does not speak Stratum: {0}")]
    Garbage(String),
    #[error(transparent)]
    Unusable(#[from] SplitError),
    #[error("the pool asked to reconnect")]
    AskedToReconnect,
}
