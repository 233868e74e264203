//! What became of the last update that was tried here, as the updater left it in a file:
//!
//! ```text
//!   VERSION=1.1.0
//!   OUTCOME=kept | rolled-back | refused
//!   REASON=the proxy was restarted
//! ```
//!
//! Root writes it, and nothing here changes it. Shell scripts are easily at fault, so a
//! file that is missing, too long or says something else is no update, and a reason is
//! brought into the form in which it may travel.

use crate::events::{Code, Events, Subject};
use crate::files;
use crate::store::{Record, Store};
use smart_mining_wire::release::is_version;
use smart_mining_wire::report::{MAX_REASON, Update, UpdateOutcome};
use std::path::Path;

/// Three short lines have room in it.
const MAX_FILE: u64 = 4096;
/// In the store's `meta`: the outcome that was told last, so that a restart tells it not again.
const TOLD: &str = "update-outcome";

/// The last update that was tried here, if there is one.
pub(crate) fn read(path: &Path) -> Option<Update> {
    match files::read_at_most(path, MAX_FILE) {
        Ok(bytes) => parse(&String::from_utf8_lossy(&bytes?)),
        Err(error) => {
            log::debug!("{} cannot be read: {error}", path.display());
            None
        }
    }
}

fn parse(text: &str) -> Option<Update> {
    let value = |key: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    };
    let outcome = match value("OUTCOME")?.trim() {
        "kept" => UpdateOutcome::Kept,
        "rolled-back" => UpdateOutcome::RolledBack,
        "refused" => UpdateOutcome::Refused,
        _ => return None,
    };
    let release = value("VERSION")?.trim();
    is_version(release).then(|| Update {
        release: release.to_owned(),
        outcome,
        reason: printable(value("REASON").unwrap_or_default().trim()),
    })
}

/// As much of it as travels, with a `?` for each character that does not.
fn printable(text: &str) -> String {
    let plain = |c: char| match c {
        ' '..='~' => c,
        _ => '?',
    };
    text.chars().take(MAX_REASON).map(plain).collect()
}

/// `was rolled back (why)`, for a person.
pub(crate) fn words(update: &Update) -> String {
    let became = match update.outcome {
        UpdateOutcome::Kept => "is kept",
        UpdateOutcome::RolledBack => "was rolled back",
        UpdateOutcome::Refused => "was refused",
    };
    match update.reason.as_str() {
        "" => became.to_owned(),
        reason => format!("{became} ({reason})"),
    }
}

/// Tells each outcome once, also over restarts.
#[derive(Default)]
pub(crate) struct Teller {
    told: Option<String>,
}

impl Teller {
    /// `None`: there is no update to tell of.
    pub fn tell(&mut self, update: Option<&Update>, board: &str, events: &Events, store: &Store) {
        let Some(update) = update else {
            return;
        };
        let text = format!("release {} {}", update.release, words(update));
        if self.told.is_none() {
            // A store that cannot be read knows of none: then each start tells it.
            let stored = store.reader().and_then(|reader| reader.meta(TOLD));
            self.told = stored.unwrap_or_default();
        }
        if self.told.as_ref() == Some(&text) {
            return;
        }
        events.record(Code::Update, Subject::Board(board), text.as_str());
        store.record(Record::Meta {
            key: TOLD,
            value: text.clone(),
        });
        self.told = Some(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smart_mining_wire::report::FarmState;
    use smart_mining_wire::{Report, Reports};
    use std::collections::BTreeMap;

    fn update(outcome: UpdateOutcome, reason: &str) -> Update {
        Update {
            release: "1.1.0".to_owned(),
            outcome,
            reason: reason.to_owned(),
        }
    }

    /// Whatever is taken of a file has to pass at central.
    fn assert_travels(update: Update) {
        let report = Report {
            id: "a".to_owned(),
            created_at: 1,
            appliance: "0.1.0".to_owned(),
            uptime: 1,
            sequence: 0,
            state: FarmState::Mining,
            algorithms: BTreeMap::new(),
            update: Some(update),
        };
        assert_eq!(Reports::new(vec![report]).check(), Ok(()));
    }

    #[test]
    fn what_the_updater_wrote_is_read() {
        for (word, outcome) in [
            ("kept", UpdateOutcome::Kept),
            ("rolled-back", UpdateOutcome::RolledBack),
            ("refused", UpdateOutcome::Refused),
        ] {
            let text = format!("VERSION=1.1.0\nOUTCOME={word}\nREASON=a=b, \"c\"\n");
            assert_eq!(parse(&text), Some(update(outcome, "a=b, \"c\"")));
        }
        let other_order = "OUTCOME=kept\r\nNEWER=1\r\nVERSION=1.1.0\r\n";
        assert_eq!(parse(other_order), Some(update(UpdateOutcome::Kept, "")));
    }

    #[test]
    fn what_says_something_else_is_no_update() {
        for text in [
            "",
            "\0\0\0\0",
            "VERSION=1.1.0\n",
            "OUTCOME=kept\n",
            "VERSION=\nOUTCOME=kept\n",
            "VERSION=../x\nOUTCOME=kept\n",
            "VERSION=1.1.0\nOUTCOME=\n",
            "VERSION=1.1.0\nOUTCOME=perhaps\n",
            "VERSION=1.1.0 OUTCOME=kept",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_odd_reason_is_brought_into_form() {
        for (reason, read) in [
            ("caf\u{e9}\t\u{7f}!", "caf???!"),
            ("  two  ", "two"),
            (&"\u{1f600}".repeat(300), &"?".repeat(200)),
        ] {
            let text = format!("VERSION=1.1.0\nOUTCOME=refused\nREASON={reason}\n");
            let update = parse(&text).expect("an update");
            assert_eq!(update.reason, read);
            assert_travels(update);
        }
    }

    #[test]
    fn only_a_small_plain_file_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("outcome");
        assert_eq!(read(&path), None);
        let text = "VERSION=1.1.0\nOUTCOME=kept\nREASON=\n";
        std::fs::write(&path, text).expect("written");
        assert_eq!(read(&path), Some(update(UpdateOutcome::Kept, "")));
        let bytes = [text.as_bytes(), b"REASON=\xff\xfe\n"].concat();
        std::fs::write(&path, bytes).expect("written");
        assert_eq!(read(&path), Some(update(UpdateOutcome::Kept, "")));
        std::fs::write(&path, format!("{text}{}", " ".repeat(5000))).expect("written");
        assert_eq!(read(&path), None, "too long");
        std::fs::remove_file(&path).expect("it was there");
        std::os::unix::fs::symlink("/dev/zero", &path).expect("a link");
        assert_eq!(read(&path), None, "no file");
        std::fs::remove_file(&path).expect("it was there");
        std::fs::create_dir(&path).expect("free");
        assert_eq!(read(&path), None, "no file");
    }

    #[test]
    fn an_outcome_is_told_once_also_over_restarts() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("farm.sqlite");
        let start = |updates: &[Option<Update>]| -> Vec<String> {
            let (store, _) = Store::open(&path).expect("a store");
            let events = Events::new(store.clone());
            let mut teller = Teller::default();
            for update in updates {
                teller.tell(update.as_ref(), "rpi-arm64", &events, &store);
            }
            let told = events.recent();
            drop(events);
            store.close().expect("closed");
            assert!(told.iter().all(|event| event.code == "update"));
            told.into_iter().rev().map(|event| event.text).collect()
        };
        let back = Some(update(UpdateOutcome::RolledBack, "why"));
        let kept = Some(update(UpdateOutcome::Kept, ""));
        let told_back = "release 1.1.0 was rolled back (why)";
        let told_kept = "release 1.1.0 is kept";
        assert_eq!(start(&[None]), [""; 0]);
        assert_eq!(start(&[back.clone(), back.clone()]), [told_back]);
        assert_eq!(start(std::slice::from_ref(&back)), [""; 0]);
        assert_eq!(start(&[back.clone(), None, kept.clone()]), [told_kept]);
        // The same again, after another, has happened again.
        assert_eq!(start(&[kept, back]), [told_back]);
    }
}
