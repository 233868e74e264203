//! Walks one table: each known key is taken once, what is left over is unknown.
//!
//! Every read notes its own fault and goes on, so that a file with nine mistakes
//! shows nine lines and not the first one.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Longest piece of the file that is repeated in a fault.
const SHOWN: usize = 60;

/// One mistake: where it is, what stands there, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// From 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// `pools[2].offers[1].fee`: tables of a list are counted from 1. May be empty.
    pub key: String,
    /// As it is written; absent where nothing stands, or a secret does.
    pub value: Option<String>,
    pub what: String,
    pub remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        match (self.key.as_str(), &self.value) {
            ("", None) => {}
            ("", Some(value)) => write!(f, "{value}: ")?,
            (key, None) => write!(f, "{key}: ")?,
            (key, Some(value)) => write!(f, "{key} = {value}: ")?,
        }
        write!(f, "{}; {}", self.what, self.remedy)
    }
}

/// What is wrong with a value and what to write, before it is known where it stands.
pub(super) type Wrong = (String, String);

pub(super) fn wrong(what: impl Into<String>, remedy: impl Into<String>) -> Wrong {
    (what.into(), remedy.into())
}

/// A fault was noted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noted;

/// Collects faults and warnings while a file is walked.
pub(super) struct Log<'t> {
    text: &'t str,
    faults: RefCell<Vec<Fault>>,
    warnings: RefCell<Vec<String>>,
}

impl<'t> Log<'t> {
    pub fn new(text: &'t str) -> Self {
        Self {
            text,
            faults: RefCell::default(),
            warnings: RefCell::default(),
        }
    }

    pub fn line(&self, offset: usize) -> usize {
        let before = self.text.get(..offset).unwrap_or(self.text);
        before.matches('\n').count() + 1
    }

    pub fn warn(&self, warning: String) {
        self.warnings.borrow_mut().push(warning);
    }

    pub fn fault(&self, span: &Range<usize>, key: String, shown: bool, wrong: Wrong) -> Noted {
        let raw = self.text.get(span.clone());
        let value = raw.filter(|raw| shown && !raw.is_empty()).map(excerpt);
        self.faults.borrow_mut().push(Fault {
            line: self.line(span.start),
            key,
            value,
            what: wrong.0,
            remedy: wrong.1,
        });
        Noted
    }

    /// In the order of the file's lines.
    pub fn finish(self) -> (Vec<Fault>, Vec<String>) {
        let mut faults = self.faults.into_inner();
        faults.sort_by_key(|fault| fault.line);
        (faults, self.warnings.into_inner())
    }
}

fn excerpt(raw: &str) -> String {
    let line = raw.lines().next().unwrap_or_default();
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None if line.len() < raw.len() => format!("{line}..."),
        None => line.to_owned(),
    }
}

pub(super) struct Reader<'a> {
    pub log: &'a Log<'a>,
    path: String,
    header: Range<usize>,
    table: &'a DeTable<'a>,
    known: Vec<String>,
}

impl<'a> Reader<'a> {
    pub fn root(log: &'a Log<'a>, table: &'a DeTable<'a>) -> Self {
        Self::at(log, String::new(), 0..0, table)
    }

    fn at(log: &'a Log<'a>, path: String, header: Range<usize>, table: &'a DeTable<'a>) -> Self {
        Self {
            log,
            path,
            header,
            table,
            known: Vec::new(),
        }
    }

    pub fn key(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Every key of the table, in the order of their lines: for tables whose keys
    /// are names.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.table.iter().collect();
        names.sort_by_key(|(key, _)| key.span().start);
        let name = |(key, _): (&Spanned<_>, _)| toml_name(key);
        names.into_iter().map(name).collect()
    }

    fn get(&mut self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.push(key.to_owned());
        self.table.get(key)
    }

    /// A fault of a key that stands there, or of the table where it does not.
    pub fn fault(&self, key: &str, wrong: Wrong) -> Noted {
        let shown = !is_secret(key);
        match self.table.get(key) {
            Some(value) => self.log.fault(&value.span(), self.key(key), shown, wrong),
            None => self.log.fault(&self.header, self.key(key), false, wrong),
        }
    }

    /// A fault of a name as such: the key, not its value.
    pub fn fault_of_name(&mut self, name: &str, wrong: Wrong) -> Noted {
        self.known.push(name.to_owned());
        let found = self.table.iter().find(|(key, _)| toml_name(key) == name);
        let span = found.map_or(self.header.clone(), |(key, _)| key.span());
        self.log.fault(&span, self.key(name), false, wrong)
    }

    pub fn optional<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, Wrong>,
    ) -> Result<Option<T>, Noted> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match read(value.get_ref()) {
            Ok(value) => Ok(Some(value)),
            Err(wrong) => Err(self.fault(key, wrong)),
        }
    }

    /// `example` is a value as it would be written.
    pub fn required<T>(
        &mut self,
        key: &str,
        example: &str,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, Wrong>,
    ) -> Result<T, Noted> {
        match self.optional(key, read)? {
            Some(value) => Ok(value),
            None => Err(self.fault(
                key,
                wrong("is missing", format!("add a line {key} = {example}")),
            )),
        }
    }

    /// A list of texts, each judged by itself; absent is empty.
    pub fn texts(
        &mut self,
        key: &str,
        example: &str,
        read: impl Fn(&str) -> Result<String, Wrong>,
    ) -> Result<Vec<String>, Noted> {
        let Some(value) = self.get(key) else {
            return Ok(Vec::new());
        };
        let as_list = || wrong("not a list of texts", format!("write {key} = {example}"));
        let Some(items) = value.get_ref().as_array() else {
            return Err(self.fault(key, as_list()));
        };
        let mut texts = Vec::new();
        let mut noted = None;
        for item in items.iter() {
            let text = item.get_ref().as_str().ok_or_else(as_list);
            match text.and_then(&read) {
                Ok(text) => texts.push(text),
                Err(wrong) => {
                    let at = self.log.fault(&item.span(), self.key(key), true, wrong);
                    noted = Some(at);
                }
            }
        }
        noted.map_or(Ok(texts), Err)
    }

    /// `[key]`, if it is there.
    pub fn section(&mut self, key: &str) -> Option<Reader<'a>> {
        let value = self.get(key)?;
        match value.get_ref().as_table() {
            Some(table) => Some(Self::at(self.log, self.key(key), value.span(), table)),
            None => {
                let remedy = format!("write it as [{}], its keys below", self.key(key));
                self.fault(key, wrong("not a section", remedy));
                None
            }
        }
    }

    /// Every `[[key]]`, in the order of the file.
    pub fn sections(&mut self, key: &str) -> Vec<Reader<'a>> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let mut readers = Vec::new();
        let items = value.get_ref().as_array();
        for (index, item) in items.into_iter().flat_map(|items| items.iter()).enumerate() {
            if let Some(table) = item.get_ref().as_table() {
                let path = format!("{}[{}]", self.key(key), index + 1);
                readers.push(Self::at(self.log, path, item.span(), table));
            }
        }
        if items.is_none_or(|items| items.len() != readers.len()) {
            let remedy = format!("write each as [[{}]], its keys below", self.plain_key(key));
            self.fault(key, wrong("not a list of sections", remedy));
        }
        readers
    }

    /// As a header is written: without the counts.
    fn plain_key(&self, key: &str) -> String {
        let mut plain = String::new();
        let mut inside = false;
        for c in self.key(key).chars() {
            match c {
                '[' => inside = true,
                ']' => inside = false,
                _ if inside => {}
                c => plain.push(c),
            }
        }
        plain
    }

    /// Note every key that nobody took. A misspelt key is still one: no value is shown.
    pub fn finish(self) {
        for (key, _) in self.table.iter() {
            let name = toml_name(key);
            if !self.known.contains(&name) {
                let remedy = format!("remove it, or use one of: {}", self.known.join(", "));
                let place = self.key(&name);
                let unknown = wrong("unknown key", remedy);
                self.log.fault(&key.span(), place, false, unknown);
            }
        }
    }
}

fn toml_name<T: AsRef<str>>(key: &Spanned<T>) -> String {
    key.get_ref().as_ref().to_owned()
}

/// Also in `more`, where a key may be for one coin: `key.LTC`.
pub(super) fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let file = key.ends_with("_file") || key.ends_with("_env");
    !file
        && ["key", "password", "token", "secret"]
            .iter()
            .any(|word| key.contains(word))
}
