//! Writes a recording.

use super::Line;
use crate::collect::secrets::Secrets;
use crate::source::{Request, Settings};
use crate::transport::fetch::{FetchError, Raw};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// A header of the answer that is as good as a key.
const PRIVATE: [&str; 2] = ["set-cookie", "authorization"];

/// Appends to the file of the day.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    open: Option<Open>,
    /// Whether the log was told already that nothing can be written.
    failing: bool,
}

#[derive(Debug)]
struct Open {
    name: String,
    file: File,
    /// Up to the end of the last whole line.
    length: u64,
}

impl Recorder {
    /// The folder is made if it is not there.
    pub fn create(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let probe = folder.join(".probe");
        File::create(&probe)?;
        std::fs::remove_file(probe)?;
        Ok(Self {
            folder: folder.to_owned(),
            open: None,
            failing: false,
        })
    }

    /// Whoever ranks must not stop because a disk is full: what cannot be written is
    /// missing, and the log says so once.
    pub(in crate::collect) fn record(
        &mut self,
        at: u64,
        source: &str,
        (request, settings): (&Request, &Settings),
        came: &Result<Raw, FetchError>,
    ) {
        let line = line(at, source, request, settings, came);
        match self.append(at, &line) {
            Ok(()) if self.failing => {
                self.failing = false;
                log::info!("the recording in {} goes on", self.folder.display());
            }
            Ok(()) => {}
            Err(error) if !self.failing => {
                self.failing = true;
                let folder = self.folder.display();
                log::error!("the recording in {folder} has gaps from now on: {error}");
            }
            Err(_) => {}
        }
    }

    fn append(&mut self, at: u64, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        let open = self.file_of(at)?;
        // One write a line, straight into the file: a crash can tear only the last.
        if let Err(error) = open.file.write_all(&bytes) {
            open.file.set_len(open.length)?;
            return Err(error);
        }
        open.length += bytes.len() as u64;
        Ok(())
    }

    fn file_of(&mut self, at: u64) -> io::Result<&mut Open> {
        let name = format!("{}.jsonl", day(at));
        let open = match self.open.take() {
            Some(open) if open.name == name => open,
            Some(_) | None => {
                let path = self.folder.join(&name);
                let mut options = OpenOptions::new();
                let mut file = options.create(true).read(true).append(true).open(&path)?;
                let length = whole_lines(&mut file)?;
                if length < file.metadata()?.len() {
                    log::warn!("{} ended in half a line, which is removed", path.display());
                    file.set_len(length)?;
                }
                Open { name, file, length }
            }
        };
        Ok(self.open.insert(open))
    }
}

/// How long the file is up to its last line end.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    const STEP: u64 = 64 * 1024;
    let mut end = file.metadata()?.len();
    while end > 0 {
        let start = end.saturating_sub(STEP);
        let mut piece = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        (&*file).take(end - start).read_to_end(&mut piece)?;
        if let Some(at) = piece.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn day(at: u64) -> String {
    let at = i64::try_from(at).ok();
    let time = at.and_then(|at| jiff::Timestamp::from_second(at).ok());
    let time = time.unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%d").to_string()
}

fn line(
    at: u64,
    source: &str,
    request: &Request,
    settings: &Settings,
    came: &Result<Raw, FetchError>,
) -> Line {
    let secrets = Secrets::of(settings);
    let mut line = Line {
        at,
        source: source.to_owned(),
        kind: request.kind.to_owned(),
        about: request.about.clone(),
        network: request.network.clone(),
        url: secrets.covered(shown_url(&request.url, settings)),
        question: request.body.as_deref().map(|body| secrets.covered(body)),
        error: None,
        status: None,
        headers: Vec::new(),
        body: None,
        body_base64: None,
    };
    let raw = match came {
        Ok(raw) => raw,
        // The kind of the error is known from the record; its words are enough.
        Err(FetchError::Transport(words)) => {
            line.error = Some(secrets.covered(words));
            return line;
        }
        Err(error @ FetchError::Source(_)) => {
            line.error = Some(secrets.covered(&error.to_string()));
            return line;
        }
    };
    line.status = Some(raw.status);
    let headers = raw.headers.iter();
    line.headers = headers
        .filter(|(name, _)| !PRIVATE.contains(&name.to_ascii_lowercase().as_str()))
        .map(|(name, value)| (name.clone(), secrets.covered(value)))
        .collect();
    match std::str::from_utf8(&raw.body) {
        Ok(text) => line.body = Some(secrets.covered(text)),
        Err(_) => line.body_base64 = Some(STANDARD.encode(&raw.body)),
    }
    line
}

/// A configured address may itself be a secret; what stands behind it is not.
fn shown_url<'u>(url: &'u str, settings: &Settings) -> &'u str {
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    let more = settings.more.iter();
    let more = more.filter(|(name, _)| name.starts_with("url.") || *name == "proxy");
    let configured = settings.url.iter().chain(more.map(|(_, base)| base));
    let behind = configured
        .filter_map(|base| plain.strip_prefix(base.trim_end_matches('/')))
        .min_by_key(|rest| rest.len());
    match (behind, plain.rsplit_once('@')) {
        (Some(behind), _) => behind,
        (None, Some((_, without_user))) => without_user,
        (None, None) => plain,
    }
}
