//! A store outlives the release that wrote it, also backwards.
//!
//! ```text
//!   older release's store --copied as it is, beside it--> brought to this release's schema
//!
//!   newer release's store --moved aside--> the copy in our schema goes on, with the
//!   (it did not prove itself)              newest snapshots of the one moved aside
//! ```
//!
//! The appliance goes back to the release before when a new one fails. That one cannot
//! read what the new one made of the store, and must mine all the same.

use super::open::{connect_to_read, sqlite, sync_folder, with_suffix};
use super::{Recovered, StoreError, schema};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Where the store was kept before it left that schema.
fn copy_of(path: &Path, schema: i64) -> PathBuf {
    with_suffix(path, &format!(".schema-{schema}"))
}

/// Before an older release's store is changed. Only the newest copy stays: a release
/// goes back by one.
pub(super) fn keep_copy(path: &Path) -> Result<(), StoreError> {
    let read = connect_to_read(path)?;
    let fault = |source| sqlite(path, "copy it before its schema changes", source);
    let schema = schema::version(&read).map_err(fault)?;
    if !(1..schema::VERSION).contains(&schema) {
        return Ok(());
    }
    let copy = copy_of(path, schema);
    let unfinished = with_suffix(&copy, ".new");
    let aside = |source| StoreError::Aside {
        path: path.to_owned(),
        source,
    };
    remove(&unfinished).map_err(aside)?;
    let target = unfinished.to_string_lossy().into_owned();
    read.execute("VACUUM INTO ?1", [target]).map_err(fault)?;
    for older in 1..schema {
        remove(&copy_of(path, older)).map_err(aside)?;
    }
    File::open(&unfinished)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(&unfinished, &copy))
        .and_then(|()| sync_folder(path))
        .map_err(aside)
}

/// Put the copy in the place of a newer release's store. `None`: there is no copy.
pub(super) fn to_copy(
    path: &Path,
    found: i64,
    move_aside: impl FnOnce(&Path) -> Result<PathBuf, StoreError>,
) -> Result<Option<Recovered>, StoreError> {
    let copy = copy_of(path, schema::VERSION);
    if !copy.is_file() {
        return Ok(None);
    }
    let fresh = with_suffix(path, ".new");
    let aside = |source| StoreError::Aside {
        path: path.to_owned(),
        source,
    };
    // Copied, and not moved: power may fail, and another release may fail, too.
    fs::copy(&copy, &fresh)
        .and_then(|_| File::open(&fresh)?.sync_all())
        .map_err(aside)?;
    let moved_to = move_aside(path)?;
    fs::rename(&fresh, path)
        .and_then(|()| sync_folder(path))
        .map_err(aside)?;
    Ok(Some(Recovered {
        moved_to,
        reason: format!(
            "the store was written by a newer release (schema {found}, this release knows {}); \
             going on with the copy from before that one",
            schema::VERSION
        ),
        salvaged: 0,
    }))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
