//! The FAT partition of the card, as a technician leaves it.

use super::preseed;
use crate::files;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Windows hides the ending that its editor adds.
const NAMES: [&str; 3] = ["farm.toml", "farm.toml.txt", "farm.txt"];
/// Read by whoever opens the card on a computer.
const STATUS: &str = "STATUS.TXT";
/// FAT knows no owners; the mount decides.
const MODE: u32 = 0o600;
const MAX_BYTES: u64 = 256 * 1024;

#[derive(Debug)]
pub struct Card {
    folder: PathBuf,
}

/// What stands there for a farm.toml.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    Nothing,
    One(PathBuf),
    /// Which of them is meant?
    Several(Vec<String>),
}

impl Card {
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Whatever case the names are in.
    pub fn find(&self) -> Result<Found> {
        let mut names = Vec::new();
        let entries = fs::read_dir(&self.folder)
            .with_context(|| format!("{} cannot be read", self.folder.display()))?;
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)) {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(match &*names {
            [] => self.interrupted(),
            [name] => Found::One(self.folder.join(name)),
            _ => Found::Several(names),
        })
    }

    /// Power failed between the two names of a file that was being replaced.
    fn interrupted(&self) -> Found {
        let new = files::beside(&self.folder.join(NAMES[0]));
        match new.is_file() {
            true => Found::One(new),
            false => Found::Nothing,
        }
    }

    /// `None`: so long is no farm.toml.
    pub fn read(path: &Path) -> Result<Option<Vec<u8>>> {
        let what = || format!("{} cannot be read", path.display());
        if fs::metadata(path).with_context(what)?.len() > MAX_BYTES {
            return Ok(None);
        }
        fs::read(path).map(Some).with_context(what)
    }

    /// What Imager left, if it can be read.
    pub fn preseed(&self) -> Option<String> {
        let mut names = preseed::NAMES.iter();
        names.find_map(|name| fs::read_to_string(self.folder.join(name)).ok())
    }

    /// A file that farm.toml names, beside it.
    pub fn beside(&self, name: &Path) -> PathBuf {
        self.folder.join(name)
    }

    /// The text in place of the one that was found.
    pub fn put(&self, path: &Path, text: &str) -> Result<()> {
        // One that was found under its half name gets its whole one.
        let whole = match path.extension().is_some_and(|end| end == "new") {
            true => self.folder.join(NAMES[0]),
            false => path.to_owned(),
        };
        files::replace(&whole, text.as_bytes(), MODE)
            .with_context(|| format!("{} cannot be written", whole.display()))
    }

    /// Written only if it says something else: each write wears the card.
    pub fn tell(&self, text: &str) -> Result<()> {
        let path = self.folder.join(STATUS);
        let text = text.replace('\n', "\r\n");
        if fs::read(&path).is_ok_and(|before| before == text.as_bytes()) {
            return Ok(());
        }
        files::replace(&path, text.as_bytes(), MODE)
            .with_context(|| format!("{} cannot be written", path.display()))
    }
}
