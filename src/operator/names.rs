//! What people call the miners: a name for a worker, shown beside it.

use crate::store::{Record, Store};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Workers that may have a name.
pub const MOST: usize = 10_000;
pub const LONGEST: usize = 40;

pub struct Names {
    names: Mutex<BTreeMap<String, String>>,
    store: Store,
}

impl Names {
    /// Reads what the store has.
    pub fn new(store: &Store) -> Self {
        let names = store.reader().and_then(|reader| reader.names());
        Self {
            names: Mutex::new(names.unwrap_or_else(|error| {
                log::warn!("the miners' names cannot be read: {error}");
                BTreeMap::new()
            })),
            store: store.clone(),
        }
    }

    fn names(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, worker: &str) -> Option<String> {
        self.names().get(worker).cloned()
    }

    /// By the worker.
    pub fn all(&self) -> BTreeMap<String, String> {
        self.names().clone()
    }

    /// `None` takes it back. `false`: there are too many.
    pub fn set(&self, worker: &str, name: Option<&str>) -> bool {
        let mut names = self.names();
        match name {
            Some(name) => {
                if names.len() >= MOST && !names.contains_key(worker) {
                    return false;
                }
                names.insert(worker.to_owned(), name.to_owned());
            }
            None => drop(names.remove(worker)),
        }
        // Within the lock, so that the store has them in the same order.
        self.store.record(Record::Name {
            worker: worker.to_owned(),
            name: name.map(ToOwned::to_owned),
        });
        true
    }
}

/// The error says what is wrong. Letters of every script, and no character that
/// could make a line look like another one.
pub fn check(name: &str) -> Result<(), String> {
    let length = name.chars().count();
    if length > LONGEST {
        return Err(format!(
            "a name of {length} characters; use at most {LONGEST}"
        ));
    }
    let odd = |c: &char| !(c.is_alphanumeric() || " ._-+#/()&':,".contains(*c));
    match name.chars().find(odd) {
        Some(odd) => Err(format!(
            "{} in a name; use letters, digits, spaces and . _ - + # / ( ) & ' : ,",
            odd.escape_default()
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_a_restart_and_can_be_taken_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, _) = Store::open(&folder.path().join("farm.sqlite")).expect("a new store");
        let names = Names::new(&store);
        assert!(names.set("rig07", Some("Shed 3, top left")) && names.set("rig08", Some("old")));
        assert!(names.set("rig08", None) && names.set("rig09", Some("")));
        store.flush().expect("written");
        let again = Names::new(&store).all();
        assert_eq!(again.get("rig07").map(|it| &**it), Some("Shed 3, top left"));
        assert_eq!(again.len(), 2);
    }

    #[test]
    fn a_name_is_short_and_of_characters_that_are_seen() {
        assert_eq!(check("Scheune Süd / 7 (oben)"), Ok(()));
        assert!(check(&"x".repeat(41)).is_err());
        for odd in ["a\nb", "a\u{202e}b", "<b>", "a\"b", "\u{1b}[31m"] {
            assert!(check(odd).is_err(), "{odd:?}");
        }
    }
}
