//! Walks one table: each known key is taken once, what is left over is unknown.
//!
//! Every read records its own problem and goes on, so that a file with nine
//! mistakes shows nine lines and not the first one.

use super::problem::{Fault, Log, Place, fault};
use super::values;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What stood at a key.
pub(super) enum Taken<T> {
    Absent,
    /// Reported already.
    Bad,
    Good(T),
}

impl<T> Taken<T> {
    /// The default where nothing stood; `None` only after a problem was reported.
    pub fn or(self, default: T) -> Option<T> {
        match self {
            Self::Absent => Some(default),
            Self::Bad => None,
            Self::Good(value) => Some(value),
        }
    }

    /// An optional key; the outer `None` only after a problem was reported.
    pub fn optional(self) -> Option<Option<T>> {
        match self {
            Self::Absent => Some(None),
            Self::Bad => None,
            Self::Good(value) => Some(Some(value)),
        }
    }
}

pub(super) struct Reader<'a> {
    pub log: &'a Log<'a>,
    path: String,
    header: Range<usize>,
    table: &'a DeTable<'a>,
    known: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    pub fn root(log: &'a Log<'a>, table: &'a DeTable<'a>) -> Self {
        Self {
            log,
            path: String::new(),
            header: 0..0,
            table,
            known: Vec::new(),
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The section itself, for problems that no single key is to blame for.
    pub fn here(&self) -> Place {
        let mut place = self.log.place(&self.header, self.path.clone(), true);
        place.value = None;
        place
    }

    /// Where a key's value stands, or where the key is missing.
    pub fn place(&self, key: &str) -> Place {
        match self.table.get(key) {
            Some(value) => {
                let secret = super::SECRET_KEYS.contains(&key);
                self.log.place(&value.span(), self.path_of(key), secret)
            }
            None => Place {
                key: self.path_of(key),
                ..self.here()
            },
        }
    }

    pub fn take<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Taken<T> {
        self.known.push(key);
        let Some(value) = self.table.get(key) else {
            return Taken::Absent;
        };
        match read(value.get_ref()) {
            Ok(value) => Taken::Good(value),
            Err(fault) => {
                self.log.report(self.place(key), fault);
                Taken::Bad
            }
        }
    }

    /// A key that must be there; `example` is a value as it would be written.
    pub fn required<T>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<T> {
        match self.take(key, read) {
            Taken::Good(value) => Some(value),
            Taken::Bad => None,
            Taken::Absent => {
                let missing = fault("missing", format!("add a line {key} = {example}"));
                self.log.report_missing(self.place(key), key, missing);
                None
            }
        }
    }

    /// `[key]`, if it is there.
    pub fn section(&mut self, key: &'static str) -> Option<Reader<'a>> {
        self.known.push(key);
        let value = self.table.get(key)?;
        if let Some(table) = value.get_ref().as_table() {
            return Some(self.child(self.path_of(key), value.span(), table));
        }
        let array = value.get_ref().as_array();
        if array.is_some_and(|array| array.iter().any(|item| item.get_ref().is_table())) {
            let once = fault(
                "a section with one pair of brackets",
                format!("write it once, as [{key}]"),
            );
            self.log.report(self.header_place(key, value), once);
        } else {
            let remedy =
                format!("write it as a section: [{key}] on a line of its own, its keys below");
            self.wrong_section(key, value, remedy);
        }
        None
    }

    /// Every `[[key]]`, in the order of the file. `None` after a problem was reported.
    pub fn sections(&mut self, key: &'static str) -> Option<Vec<Reader<'a>>> {
        self.known.push(key);
        let Some(value) = self.table.get(key) else {
            return Some(Vec::new());
        };
        let remedy = format!("write it as [[{key}]], with two brackets on each side");
        if let Some(table) = value.get_ref().as_table() {
            // The keys are meant for a section of the list: read them as such.
            let place = self.header_place(key, value);
            self.log
                .report(place, fault("there can be several of this section", remedy));
            return Some(vec![self.child(format!("{key}[1]"), value.span(), table)]);
        }
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_section(key, value, remedy);
            return None;
        };
        let mut readers = Vec::new();
        for (index, item) in array.iter().enumerate() {
            let Some(table) = item.get_ref().as_table() else {
                self.wrong_section(key, item, remedy);
                return None;
            };
            let path = format!("{}[{}]", self.path_of(key), index + 1);
            readers.push(self.child(path, item.span(), table));
        }
        Some(readers)
    }

    fn wrong_section(&self, key: &str, value: &Spanned<DeValue<'_>>, remedy: String) {
        let wrong = values::wrong_type(value.get_ref(), "a section", remedy);
        self.log.report(self.place(key), wrong);
    }

    fn header_place(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Place {
        let mut place = self.log.place(&value.span(), self.path_of(key), true);
        place.value = None;
        place
    }

    fn child(&self, path: String, header: Range<usize>, table: &'a DeTable<'a>) -> Reader<'a> {
        Reader {
            log: self.log,
            path,
            header,
            table,
            known: Vec::new(),
        }
    }

    /// Report every key that nobody took.
    pub fn finish(self) {
        for (key, value) in self.table.iter() {
            let name = key.get_ref().as_ref();
            if self.known.contains(&name) {
                continue;
            }
            // The value is not repeated: a misspelt token is still a token.
            let mut place = self.log.place(&key.span(), self.path_of(name), true);
            if value.get_ref().is_table() {
                place.column = 1;
            }
            let remedy = match nearest(name, &self.known) {
                Some(known) => format!("did you mean {known}?"),
                None => format!("remove it (known here: {})", self.known.join(", ")),
            };
            self.log.report(place, fault("unknown key", remedy));
        }
    }
}

/// The known name that a slip of the fingers turns into `name`.
pub(super) fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let lower = name.to_ascii_lowercase().replace('-', "_");
    known
        .iter()
        .map(|&candidate| (distance(&lower, candidate), candidate))
        .filter(|&(distance, candidate)| {
            let longest = candidate.len().max(lower.len());
            let begins =
                lower.len() >= 3 && (candidate.starts_with(&lower) || lower.starts_with(candidate));
            distance <= 1 + longest / 4 && distance < longest || begins
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance, over at most 64 characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &cb) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
