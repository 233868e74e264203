//! What can go wrong with the store, each with the path and what to do about it.

use rusqlite::ErrorCode;
use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "the folder of the store {path} cannot be used: {source}; check that it exists and may be written to"
    )]
    Folder { path: PathBuf, source: io::Error },
    #[error(
        "the store {path} is in use by {owner}; stop that one first, or give this one another [store] path"
    )]
    Locked { path: PathBuf, owner: String },
    #[error(
        "the store {path} was written by a newer release (schema {found}, this release knows {known}); install that release again, or move the file away"
    )]
    Newer {
        path: PathBuf,
        found: i64,
        known: i64,
    },
    #[error("the store {path}: cannot {what}: {source}{}", remedy(.source))]
    Sqlite {
        path: PathBuf,
        what: &'static str,
        source: rusqlite::Error,
    },
    #[error(
        "the damaged store {path} cannot be moved aside: {source}; check that its folder may be written to"
    )]
    Aside { path: PathBuf, source: io::Error },
    #[error("snapshot sequence {0} is larger than the store can hold")]
    Sequence(u64),
    #[error("the store's schema in this release is faulty: {0}")]
    Schema(String),
    #[error("the store's writer has stopped")]
    Stopped,
}

impl StoreError {
    /// The disk, or the size that the store may have, is used up.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Sqlite { source, .. } => code(source) == Some(ErrorCode::DiskFull),
            Self::Folder { source, .. } | Self::Aside { source, .. } => {
                source.kind() == io::ErrorKind::StorageFull
            }
            Self::Locked { .. }
            | Self::Newer { .. }
            | Self::Sequence(_)
            | Self::Schema(_)
            | Self::Stopped => false,
        }
    }
}

pub(super) fn code(error: &rusqlite::Error) -> Option<ErrorCode> {
    error.sqlite_error_code()
}

/// Damage in the file itself, as opposed to trouble with reaching it. A header
/// with a few wrong bits shows itself in many ways, and a worn card in I/O errors.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    let trouble = matches!(
        code(error),
        Some(
            ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::ReadOnly
                | ErrorCode::DiskFull
                | ErrorCode::OutOfMemory
                | ErrorCode::OperationInterrupted
        )
    );
    !trouble
}

fn remedy(error: &rusqlite::Error) -> &'static str {
    let is = |wanted| code(error) == Some(wanted);
    if is(ErrorCode::DiskFull) {
        "; free some space on its disk"
    } else if is(ErrorCode::ReadOnly)
        || is(ErrorCode::CannotOpen)
        || is(ErrorCode::PermissionDenied)
    {
        "; check that the file and its folder may be written to"
    } else if is(ErrorCode::DatabaseBusy) || is(ErrorCode::DatabaseLocked) {
        "; another program holds it"
    } else if is(ErrorCode::SystemIoFailure) {
        "; the disk or card may be failing"
    } else if is(ErrorCode::DatabaseCorrupt) || is(ErrorCode::NotADatabase) {
        "; restart: a damaged store is moved aside at start"
    } else {
        ""
    }
}
