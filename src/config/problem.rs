//! What is wrong with a farm.toml, in words that a technician can act on.
//!
//! A problem always says where it is, what stands there, and what to write
//! instead. Secrets are never repeated: these lines are shown on the status page
//! and are written next to the file on the card.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;

/// Longest piece of the file that is repeated in a problem.
const SHOWN: usize = 60;
/// Longest part of a problem; only a file that was mangled reaches it.
const LONGEST: usize = 300;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// 1-based; 0 when the file as a whole is meant.
    pub line: usize,
    /// 1-based, in characters; 0 when the file as a whole is meant.
    pub column: usize,
    /// `listener[2].bind`: sections of one kind are counted from 1. May be empty.
    pub key: String,
    /// As it is written in the file; `None` when nothing is there, or when it is secret.
    pub value: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.key.as_str(), &self.value) {
            ("", None) => {}
            ("", Some(value)) => write!(f, "{value} — ")?,
            (key, None) => write!(f, "{key} — ")?,
            (key, Some(value)) => write!(f, "{key} = {value} — ")?,
        }
        write!(f, "{}; {}", self.what, self.remedy)
    }
}

/// Every mistake of one file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    /// The file's name as it stands in front of each line.
    pub file: String,
    pub list: Vec<Problem>,
}

impl Problems {
    /// A problem of the whole file.
    pub(crate) fn whole(file: String, what: String, remedy: &str) -> Self {
        let problem = Problem {
            line: 0,
            column: 0,
            key: String::new(),
            value: None,
            what,
            remedy: remedy.to_owned(),
        };
        Self {
            file,
            list: vec![problem],
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            match problem.line {
                0 => write!(f, "{}: {problem}", self.file)?,
                line => write!(f, "{}:{line}: {problem}", self.file)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// What is wrong with a value, before it is known where the value stands.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub what: String,
    pub remedy: String,
}

pub(super) fn fault(what: impl Into<String>, remedy: impl Into<String>) -> Fault {
    Fault {
        what: what.into(),
        remedy: remedy.into(),
    }
}

/// Where a value stands, kept for the checks that need several values at once.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub line: usize,
    pub column: usize,
    pub key: String,
    pub value: Option<String>,
}

/// A line that is not TOML: faults that follow from it are not mistakes of their own.
#[derive(Clone)]
struct Broken {
    line: usize,
    key: String,
}

/// Collects problems while a file is walked.
pub(super) struct Log<'t> {
    text: &'t str,
    /// Byte offset at which each line starts.
    starts: Vec<usize>,
    problems: RefCell<Vec<Problem>>,
    broken: RefCell<Vec<Broken>>,
}

impl<'t> Log<'t> {
    pub fn new(text: &'t str) -> Self {
        let starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self {
            text,
            starts,
            problems: RefCell::default(),
            broken: RefCell::default(),
        }
    }

    pub fn text(&self) -> &'t str {
        self.text
    }

    /// 1-based line and column of a byte offset.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|&start| start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let column = self
            .text
            .get(start..offset)
            .map_or(0, |t| t.chars().count());
        (line, column + 1)
    }

    pub fn line(&self, line: usize) -> &'t str {
        let start = self.starts.get(line.wrapping_sub(1)).copied();
        let end = self.starts.get(line).copied().unwrap_or(self.text.len());
        let text = start.and_then(|start| self.text.get(start..end));
        text.unwrap_or("").trim_start_matches('\u{feff}').trim()
    }

    pub fn place(&self, span: &Range<usize>, key: String, secret: bool) -> Place {
        let (line, column) = self.position(span.start);
        let value = self
            .text
            .get(span.clone())
            .filter(|raw| !secret && !raw.is_empty());
        Place {
            line,
            column,
            key,
            value: value.map(shown),
        }
    }

    /// A log over a repaired text, in which lines but not offsets are the same.
    pub fn over<'r>(&self, repaired: &'r str) -> Log<'r> {
        Log {
            broken: RefCell::new(self.broken.borrow().clone()),
            ..Log::new(repaired)
        }
    }

    /// Take over what was found in a repaired text.
    pub fn adopt(&self, other: Log<'_>) {
        self.problems
            .borrow_mut()
            .append(&mut other.problems.into_inner());
    }

    pub fn report(&self, place: Place, fault: Fault) {
        self.problems.borrow_mut().push(Problem {
            line: place.line,
            column: place.column,
            key: printable(&place.key),
            value: place.value,
            what: printable(&fault.what),
            remedy: printable(&fault.remedy),
        });
    }

    /// A key that is not there, unless a broken line of the same section names it.
    pub fn report_missing(&self, place: Place, name: &str, fault: Fault) {
        if !self.names_a_broken_line(place.line, name) {
            self.report(place, fault);
        }
    }

    /// A line that is not TOML. Later problems on the same line are dropped.
    pub fn report_syntax(&self, place: Place, key: &str, fault: Fault) {
        self.broken.borrow_mut().push(Broken {
            line: place.line,
            key: key.to_owned(),
        });
        self.report(place, fault);
    }

    fn names_a_broken_line(&self, header: usize, name: &str) -> bool {
        let next = (header + 1..=self.starts.len())
            .find(|&line| self.line(line).starts_with('['))
            .unwrap_or(usize::MAX);
        let broken = self.broken.borrow();
        broken
            .iter()
            .any(|b| b.key == name && b.line >= header && b.line < next)
    }

    /// Everything that was found, in the order of the lines, one problem a value.
    pub fn finish(self) -> Vec<Problem> {
        let mut said: Vec<usize> = Vec::new();
        let mut list: Vec<Problem> = Vec::new();
        // Syntax problems were reported first: the first of a broken line is the one to keep.
        // A header that was mended stands for its whole section, which may lack keys.
        let headers: Vec<usize> = (1..=self.starts.len())
            .filter(|&line| self.line(line).starts_with('['))
            .collect();
        let broken = self.broken.into_inner();
        for problem in self.problems.into_inner() {
            let line = problem.line;
            if !headers.contains(&line) && broken.iter().any(|b| b.line == line) {
                if said.contains(&line) {
                    continue;
                }
                said.push(line);
            }
            list.push(problem);
        }
        list.sort_by_key(|problem| (problem.line, problem.column));
        list
    }
}

/// One line of text, whatever was pasted into the file.
fn printable(text: &str) -> String {
    let one_line = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(LONGEST).map(one_line).collect()
}

/// A piece of the file on one line, not too long, and without a login that stands in a URL.
pub(super) fn shown(raw: &str) -> String {
    let first = raw.lines().next().unwrap_or("");
    let mut out = String::new();
    for (index, c) in first.chars().enumerate() {
        if index == SHOWN {
            break;
        }
        out.push(if c.is_control() { ' ' } else { c });
    }
    if out.len() < raw.len() {
        out.push('…');
    }
    match (out.find("://"), out.find('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            out.replace_range(scheme + 3..at, "(hidden)");
            out
        }
        (Some(_) | None, Some(_) | None) => out,
    }
}
