//! Runs a recording: each line once more through its source's parser, with the time
//! that stands in the line. Nothing else tells the time here, so the same files
//! always give the same answers.

use super::Line;
use crate::collect::Heard;
use crate::source::{Catalog, Request, registry};
use crate::transport::fetch::{FetchError, Raw, parse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// No source's name of a question is longer; a damaged file's might be.
const LONGEST_KIND: usize = 64;

/// What cannot be read, and where.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    #[error("{path} cannot be read ({error}); name a folder that `run --record` wrote")]
    Folder { path: PathBuf, error: io::Error },
    #[error("{path} holds no .jsonl file; name a folder that `run --record` wrote")]
    Nothing { path: PathBuf },
    #[error("{path}: line {line}: cannot be read ({error})")]
    Read {
        path: PathBuf,
        line: usize,
        error: io::Error,
    },
    #[error("{path}: line {line}: {what}; remove the line, or take the file from a copy")]
    Line {
        path: PathBuf,
        line: usize,
        what: String,
    },
}

/// Files in the order of their names, lines in their order.
#[derive(Debug)]
pub struct Recording {
    files: VecDeque<PathBuf>,
    now: Option<Opened>,
}

#[derive(Debug)]
struct Opened {
    path: PathBuf,
    reader: BufReader<File>,
    line: usize,
}

impl Recording {
    pub fn open(folder: &Path) -> Result<Self, RecordingError> {
        let failed = |error| RecordingError::Folder {
            path: folder.to_owned(),
            error,
        };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|ending| ending == "jsonl") {
                files.push(path);
            }
        }
        if files.is_empty() {
            let path = folder.to_owned();
            return Err(RecordingError::Nothing { path });
        }
        files.sort();
        Ok(Self {
            files: files.into(),
            now: None,
        })
    }

    /// The next line of all, or the end.
    fn advance(&mut self) -> Result<Option<Heard>, RecordingError> {
        loop {
            if let Some(opened) = &mut self.now {
                match opened.next()? {
                    Some(heard) => return Ok(Some(heard)),
                    None => self.now = None,
                }
            }
            let Some(path) = self.files.pop_front() else {
                return Ok(None);
            };
            let file = File::open(&path).map_err(|error| RecordingError::Read {
                path: path.clone(),
                line: 0,
                error,
            })?;
            self.now = Some(Opened {
                path,
                reader: BufReader::new(file),
                line: 0,
            });
        }
    }
}

impl Iterator for Recording {
    type Item = Result<Heard, RecordingError>;

    /// Ends after an error: what stands behind it might depend on what is missing.
    fn next(&mut self) -> Option<Self::Item> {
        let step = self.advance().transpose();
        if let Some(Err(_)) = &step {
            self.files.clear();
            self.now = None;
        }
        step
    }
}

impl Opened {
    fn next(&mut self) -> Result<Option<Heard>, RecordingError> {
        loop {
            let mut bytes = Vec::new();
            self.line += 1;
            let read = self.reader.read_until(b'\n', &mut bytes);
            let read = read.map_err(|error| RecordingError::Read {
                path: self.path.clone(),
                line: self.line,
                error,
            })?;
            if read == 0 {
                return Ok(None);
            }
            let whole = bytes.ends_with(b"\n");
            if bytes.trim_ascii().is_empty() {
                continue;
            }
            match heard(&bytes) {
                Ok(heard) => return Ok(Some(heard)),
                // Whoever wrote it was cut off in the middle of it.
                Err(what) if !whole => {
                    let (path, line) = (self.path.display(), self.line);
                    log::warn!("{path}: line {line} is not complete and left out ({what})");
                    return Ok(None);
                }
                Err(what) => {
                    return Err(RecordingError::Line {
                        path: self.path.clone(),
                        line: self.line,
                        what,
                    });
                }
            }
        }
    }
}

fn heard(bytes: &[u8]) -> Result<Heard, String> {
    let line: Line = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let source = registry::find(&line.source)
        .ok_or_else(|| format!("no source is called {:?} in this build", line.source))?;
    let kind = lasting(&line.kind)?;
    let at = line.at;
    let request = Request {
        kind,
        about: line.about,
        url: line.url,
        headers: Vec::new(),
        body: line.question,
        every: Duration::ZERO,
        network: line.network,
    };
    let result = match (line.error, line.status) {
        (Some(words), None) => Err(FetchError::Transport(words)),
        (None, Some(status)) => {
            let body = match (line.body, line.body_base64) {
                (Some(text), None) => text.into_bytes(),
                (None, Some(text)) => STANDARD
                    .decode(text)
                    .map_err(|error| format!("body_base64 is not: {error}"))?,
                (Some(_), Some(_)) | (None, None) => {
                    return Err("neither one body nor one body_base64".to_owned());
                }
            };
            let raw = Raw {
                status,
                headers: line.headers,
                body,
            };
            parse(source, &request, &raw, Catalog::built_in(), at)
        }
        (Some(_), Some(_)) | (None, None) => {
            return Err("neither a status nor an error".to_owned());
        }
    };
    Ok(Heard {
        source: source.name(),
        kind,
        about: request.about,
        at,
        result,
    })
}

/// Kinds are names in the program; there are few, and each is kept once.
fn lasting(kind: &str) -> Result<&'static str, String> {
    static KINDS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    if kind.len() > LONGEST_KIND {
        return Err(format!("a kind of {} characters", kind.len()));
    }
    let mut kinds = KINDS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kinds.get(kind) {
        return Ok(known);
    }
    let kept: &'static str = Box::leak(kind.to_owned().into_boxed_str());
    kinds.insert(kept);
    Ok(kept)
}
