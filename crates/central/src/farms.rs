//! Farms and the tokens they authenticate with.
//!
//! A token is 32 random bytes, so its SHA-256 needs no salt and no slow hash to
//! withstand guessing; the database holds only that hash. Looking a hash up in an
//! index leaks nothing about a token through its timing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use smart_mining_wire::snapshot::is_name;
use sqlx::{PgPool, Postgres, Transaction};
use std::fmt;

/// Where a change of the farms is announced, so that no replica trusts an old answer.
/// The payload is the farm's name; without one, any farm may have changed.
pub const CHANNEL: &str = "farms";

/// Farms that one replica holds in memory.
const MAX_FARMS: i64 = 200_000;

/// Lets a secret scanner, and a person, see what a stray token belongs to.
const PREFIX: &str = "smf_";
const ENCODED: usize = 43;

pub type TokenHash = [u8; 32];

/// What a farm proves itself with. Shown once; it has no `Debug` that shows it.
pub struct Token(String);

impl Token {
    fn generate() -> Result<Self, FarmError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(FarmError::Random)?;
        Ok(Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// For the one line on the operator's terminal.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The hash under which a token is stored, or `None` for text that no token looks
/// like: that needs no look-up, so garbage never costs the database anything.
pub fn hash(token: &str) -> Option<TokenHash> {
    let encoded = token.strip_prefix(PREFIX)?;
    let good = encoded.len() == ENCODED
        && encoded
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    good.then(|| Sha256::digest(token).into())
}

#[derive(Debug, thiserror::Error)]
pub enum FarmError {
    #[error("{0:?} is not a farm's name; use 1 to 63 characters of A-Z a-z 0-9 . _ -")]
    Name(String),
    #[error(
        "farm {0:?} is enrolled already and its token cannot be shown again; \
         `enrol --rotate {0}` makes a new one and ends the old one"
    )]
    Exists(String),
    #[error("farm {0:?} is not enrolled; `smart-mining-api enrol {0}` enrols it")]
    Unknown(String),
    #[error("the operating system gave no random bytes: {0}")]
    Random(getrandom::Error),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

pub async fn enrol(pool: &PgPool, name: &str) -> Result<Token, FarmError> {
    let statement = "INSERT INTO farms (name, token_sha256) VALUES ($1, $2)
                     ON CONFLICT (name) DO NOTHING";
    match give_token(pool, name, statement).await? {
        Some(token) => Ok(token),
        None => Err(FarmError::Exists(name.into())),
    }
}

/// The old token ends with this.
pub async fn rotate(pool: &PgPool, name: &str) -> Result<Token, FarmError> {
    let statement = "UPDATE farms SET token_sha256 = $2, rotated_at = now() WHERE name = $1";
    match give_token(pool, name, statement).await? {
        Some(token) => Ok(token),
        None => Err(FarmError::Unknown(name.into())),
    }
}

async fn give_token(
    pool: &PgPool,
    name: &str,
    statement: &'static str,
) -> Result<Option<Token>, FarmError> {
    if !is_name(name) {
        return Err(FarmError::Name(name.into()));
    }
    let token = Token::generate()?;
    let mut tx = pool.begin().await?;
    let changed = sqlx::query(statement)
        .bind(name)
        .bind(Sha256::digest(&token.0).to_vec())
        .execute(&mut *tx)
        .await?
        .rows_affected();
    announce(&mut tx, name).await?;
    tx.commit().await?;
    Ok((changed == 1).then_some(token))
}

/// A disabled farm's token is refused until the farm is enabled again.
pub async fn set_disabled(pool: &PgPool, name: &str, disabled: bool) -> Result<(), FarmError> {
    if !is_name(name) {
        return Err(FarmError::Name(name.into()));
    }
    let mut tx = pool.begin().await?;
    let changed = sqlx::query("UPDATE farms SET disabled = $2 WHERE name = $1")
        .bind(name)
        .bind(disabled)
        .execute(&mut *tx)
        .await?
        .rows_affected();
    announce(&mut tx, name).await?;
    tx.commit().await?;
    match changed {
        0 => Err(FarmError::Unknown(name.into())),
        _ => Ok(()),
    }
}

async fn announce(tx: &mut Transaction<'static, Postgres>, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(CHANNEL)
        .bind(name)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The tokens of all farms that may ask, with the farms' names.
pub async fn tokens(pool: &PgPool) -> Result<Vec<(TokenHash, String)>, sqlx::Error> {
    let rows: Vec<(Vec<u8>, String)> =
        sqlx::query_as("SELECT token_sha256, name FROM farms WHERE NOT disabled LIMIT $1")
            .bind(MAX_FARMS)
            .fetch_all(pool)
            .await?;
    let hash = |(bytes, name): (Vec<u8>, String)| Some((bytes.try_into().ok()?, name));
    Ok(rows.into_iter().filter_map(hash).collect())
}

/// One farm's token, if the farm may ask.
pub async fn token_of(pool: &PgPool, name: &str) -> Result<Option<TokenHash>, sqlx::Error> {
    let bytes: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT token_sha256 FROM farms WHERE name = $1 AND NOT disabled")
            .bind(name)
            .fetch_optional(pool)
            .await?;
    Ok(bytes.and_then(|bytes| bytes.try_into().ok()))
}

/// The name of the farm that holds the token with this hash.
pub async fn find(pool: &PgPool, hash: &TokenHash) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT name FROM farms WHERE token_sha256 = $1 AND NOT disabled")
        .bind(hash.as_slice())
        .fetch_optional(pool)
        .await
}

/// One line of `smart-mining-api farms`.
#[derive(Debug, PartialEq, Eq)]
pub struct Farm {
    pub name: String,
    /// UTC, RFC 3339.
    pub enrolled_at: String,
    pub disabled: bool,
}

pub async fn list(pool: &PgPool) -> Result<Vec<Farm>, sqlx::Error> {
    let rows: Vec<(String, String, bool)> = sqlx::query_as(
        "SELECT name, to_char(enrolled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
                disabled FROM farms ORDER BY name",
    )
    .fetch_all(pool)
    .await?;
    let farm = |(name, enrolled_at, disabled)| Farm {
        name,
        enrolled_at,
        disabled,
    };
    Ok(rows.into_iter().map(farm).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_hide_in_debug_output() {
        let (a, b) = (
            Token::generate().expect("random"),
            Token::generate().expect("random"),
        );
        assert_ne!(a.reveal(), b.reveal());
        assert!(hash(a.reveal()).is_some());
        assert_eq!(format!("{a:?}"), "Token(..)");
    }

    #[test]
    fn what_no_token_looks_like_is_not_looked_up() {
        assert_eq!(hash("hunter2"), None);
        assert_eq!(hash("smf_short"), None);
        assert_eq!(hash(&format!("smf_{}", "'".repeat(43))), None);
    }
}
