//! Where the books are kept when their own place cannot be used.
//!
//! A card that went read-only, is full, or bears a newer release's store must
//! not keep a farm from mining. Its store is copied into the folder for
//! temporary files, mostly memory, so that the cached snapshot still routes;
//! what is written there lives until the next start, and people are told.

use crate::clock::unix_now;
use crate::store::{Opened, Store, StoreError};
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The store, and why it is not the one at `path`, if it is not.
pub fn open(path: &Path) -> Result<(Store, Opened, Option<String>), StoreError> {
    let error = match Store::open(path) {
        Ok((store, opened)) => return Ok((store, opened, None)),
        Err(error) => error,
    };
    // Another appliance runs, or this build is faulty: not for us to mend.
    if matches!(error, StoreError::Locked { .. } | StoreError::Schema(_)) {
        return Err(error);
    }
    let Some((store, opened)) = elsewhere(path) else {
        return Err(error);
    };
    let why = format!(
        "{error}; until the next start the books are kept in {}",
        store.path().display()
    );
    Ok((store, opened, Some(why)))
}

fn elsewhere(path: &Path) -> Option<(Store, Opened)> {
    let folder = folder()?;
    let copy = folder.join("farm.sqlite");
    // What was committed last may stand in the log alone.
    for suffix in ["", "-wal"] {
        let (from, to) = (with(path, suffix), with(&copy, suffix));
        if let Err(error) = fs::copy(&from, &to) {
            log::debug!("{} was not copied: {error}", from.display());
        }
    }
    Store::open(&copy)
        .and_then(|(store, opened)| {
            // The card may come back with them: told from both, they would count twice.
            store.leave_unreported()?;
            Ok((store, opened))
        })
        .or_else(|_| Store::open(&folder.join("empty.sqlite")))
        .ok()
}

/// A new folder that is ours alone.
fn folder() -> Option<PathBuf> {
    let name = format!("smart-mining-{}-{}", std::process::id(), unix_now());
    let folder = std::env::temp_dir().join(name);
    let made = fs::DirBuilder::new().mode(0o700).create(&folder);
    made.ok().map(|()| folder)
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::Counts;
    use crate::store::{Books, MinuteTotal, Record};
    use smart_mining_wire::report::FarmState;
    use smart_mining_wire::{Algorithm, Report};
    use std::collections::BTreeMap;

    #[test]
    fn a_store_that_cannot_be_written_is_carried_on_elsewhere_with_its_snapshots() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("farm.sqlite");
        let (store, _) = Store::open(&path).expect("a new store");
        store
            .save_snapshot(7, 1, "signed".to_owned())
            .expect("saved");
        store.close().expect("closed");
        // As on a card that went read-only: its lock cannot be opened.
        fs::remove_file(with(&path, ".lock")).expect("it was there");
        fs::create_dir(with(&path, ".lock")).expect("free");
        let (store, opened, why) = open(&path).expect("it opens elsewhere");
        assert_eq!(opened.newest.map(|newest| newest.sequence), Some(7));
        assert!(why.is_some_and(|why| why.contains("until the next start")));
        let folder = store.path().parent().map(Path::to_owned);
        store.close().expect("closed");
        let folder = folder.expect("it has one");
        assert!(!folder.starts_with(home.path()));
        fs::remove_dir_all(folder).expect("ours");
    }

    #[test]
    fn shares_that_no_report_has_are_told_by_one_store_only() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("farm.sqlite");
        let (store, _) = Store::open(&path).expect("a new store");
        let total = MinuteTotal {
            minute: 60,
            algorithm: Algorithm::Sha256d,
            pool: "a".into(),
            usd: None,
            counts: Counts {
                accepted: 3,
                difficulty_accepted: 1.0,
                ..Counts::default()
            },
        };
        let count = |store: &Store| {
            store.count_for_reports();
            let totals = vec![total.clone()];
            let books = Books {
                totals,
                ..Books::default()
            };
            assert!(store.record(Record::Books(books)));
            store.flush().expect("written");
        };
        let told = |store: &Store, id: &str| {
            let report = Report {
                id: id.to_owned(),
                created_at: 1,
                appliance: "0.1.0".to_owned(),
                uptime: 1,
                sequence: 0,
                state: FarmState::Trouble,
                algorithms: BTreeMap::new(),
                update: None,
            };
            store.save_report(report).expect("saved");
            let waiting = store.reader().expect("a reader").waiting_reports(9);
            let newest = waiting.expect("read").pop().expect("one");
            let report: Report = serde_json::from_str(&newest.body).expect("JSON");
            report.algorithms[&Algorithm::Sha256d].shares.accepted
        };
        count(&store);
        store.close().expect("closed");
        let lock = with(&path, ".lock");
        fs::remove_file(&lock).expect("it was there");
        fs::create_dir(&lock).expect("free");
        let (copy, _, _) = open(&path).expect("it opens elsewhere");
        count(&copy);
        assert_eq!(told(&copy, "elsewhere"), 3);
        let folder = copy
            .path()
            .parent()
            .map(Path::to_owned)
            .expect("it has one");
        copy.close().expect("closed");
        fs::remove_dir_all(folder).expect("ours");
        // The card comes back.
        fs::remove_dir(&lock).expect("free");
        let (store, _, _) = open(&path).expect("it opens");
        assert_eq!(told(&store, "home"), 3);
    }

    #[test]
    fn a_store_in_use_is_left_to_its_user() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("farm.sqlite");
        let (_store, _, why) = open(&path).expect("a new store");
        assert_eq!(why, None);
        assert!(matches!(open(&path), Err(StoreError::Locked { .. })));
    }
}
