//! Where log lines go: to journald with their fields, or to stderr in one line each.
//!
//! `SMART_MINING_LOG` (off, error, warn, info, debug or trace; info when unset)
//! says how much. Fields of a line are journald's: `POOL`, `ALGORITHM`, `MINER`,
//! `WORKER`, `EVENT`, in upper case.

use log::kv::{Error, Key, Value, VisitSource};
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};
use systemd_journal_logger::{JournalLog, connected_to_journal};

const VARIABLE: &str = "SMART_MINING_LOG";

/// Send every log line of this process on its way. The second call does nothing.
pub fn install() {
    let wanted = std::env::var(VARIABLE).unwrap_or_default();
    let level = level(&wanted);
    let sink = match connected_to_journal().then(JournalLog::new) {
        Some(Ok(journal)) => Sink::Journal(journal),
        Some(Err(_)) | None => Sink::Stderr,
    };
    if log::set_boxed_logger(Box::new(Logger { sink })).is_err() {
        return;
    }
    log::set_max_level(level.unwrap_or(LevelFilter::Info));
    if level.is_none() {
        log::warn!(
            "{VARIABLE}={wanted:?} is not a level; use off, error, warn, info, debug or trace"
        );
    }
}

fn level(text: &str) -> Option<LevelFilter> {
    match text.trim() {
        "" => Some(LevelFilter::Info),
        name => name.parse().ok(),
    }
}

enum Sink {
    Journal(JournalLog),
    Stderr,
}

struct Logger {
    sink: Sink,
}

impl Log for Logger {
    /// Below a warning, only what this project itself says.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Warn || metadata.target().starts_with("smart_mining")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        match &self.sink {
            Sink::Journal(journal) => journal.log(record),
            Sink::Stderr => {
                let mut line = line(record);
                line.push('\n');
                // There is nowhere left to complain to.
                let _ = std::io::stderr().lock().write_all(line.as_bytes());
            }
        }
    }

    fn flush(&self) {}
}

/// `LEVEL target message KEY=value ...`; what a miner sends cannot make a line of its own.
fn line(record: &Record<'_>) -> String {
    let mut line = format!("{} {} ", record.level(), record.target());
    push_escaped(&mut line, &record.args().to_string());
    // The visitor below never fails.
    let _ = record.key_values().visit(&mut Fields(&mut line));
    line
}

fn push_escaped(line: &mut String, text: &str) {
    for c in text.chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
}

struct Fields<'l>(&'l mut String);

impl<'kvs> VisitSource<'kvs> for Fields<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        let text = value.to_string();
        let plain = !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_alphanumeric() || "._-:/@+%[]".contains(c));
        self.0.push(' ');
        self.0.push_str(key.as_str());
        self.0.push('=');
        if plain {
            self.0.push_str(&text);
        } else {
            // Writing into a String cannot fail.
            let _ = write!(self.0, "{text:?}");
        }
        Ok(())
    }
}

/// Lets one line of a kind through in a while, and counts the others: an open
/// port attracts scanners, and a log on a card is worn by them.
#[derive(Clone, Debug)]
pub struct RateLimit {
    every: Duration,
    last: Option<Instant>,
    suppressed: u64,
}

impl RateLimit {
    pub const fn new(every: Duration) -> Self {
        Self {
            every,
            last: None,
            suppressed: 0,
        }
    }

    /// `Some(n)`: write the line, and that `n` were left out since the last one.
    pub fn allow(&mut self, now: Instant) -> Option<u64> {
        let since = self.last.map(|last| now.saturating_duration_since(last));
        if since.is_some_and(|since| since < self.every) {
            self.suppressed = self.suppressed.saturating_add(1);
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }
}

/// What goes at the end of a line that a [`RateLimit`] let through.
pub fn and_more(suppressed: u64) -> String {
    match suppressed {
        0 => String::new(),
        more => format!(" ({more} more since the last line)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_level_target_message_and_fields() {
        let fields = [("POOL", "barn-solo"), ("WORKER", "shed 3"), ("EVENT", "")];
        let record = Record::builder()
            .level(Level::Warn)
            .target("smart_mining_proxy::lane")
            .args(format_args!("pool is down"))
            .key_values(&fields)
            .build();
        assert_eq!(
            line(&record),
            r#"WARN smart_mining_proxy::lane pool is down POOL=barn-solo WORKER="shed 3" EVENT="""#
        );
    }

    #[test]
    fn a_miner_cannot_forge_a_line() {
        let fields = [("WORKER", "a\nERROR b")];
        let record = Record::builder()
            .args(format_args!("from \u{1b}[31mx\r\ny"))
            .key_values(&fields)
            .build();
        let line = line(&record);
        assert_eq!(line, r#"INFO  from \u{1b}[31mx\r\ny WORKER="a\nERROR b""#);
        assert!(!line.contains('\n'));
    }

    #[test]
    fn levels_are_read_as_people_write_them() {
        assert_eq!(level(""), Some(LevelFilter::Info));
        assert_eq!(level(" Debug "), Some(LevelFilter::Debug));
        assert_eq!(level("off"), Some(LevelFilter::Off));
        assert_eq!(level("loud"), None);
    }

    #[test]
    fn libraries_speak_only_when_something_is_wrong() {
        let logger = Logger { sink: Sink::Stderr };
        let enabled = |target, level| {
            let metadata = Metadata::builder().target(target).level(level).build();
            logger.enabled(&metadata)
        };
        assert!(enabled("smart_mining_proxy::sync", Level::Trace));
        assert!(enabled("rustls", Level::Warn) && !enabled("rustls", Level::Info));
    }

    #[test]
    fn installing_twice_is_harmless() {
        install();
        install();
        log::info!(POOL = "barn-solo"; "a line");
        log::logger().flush();
    }

    #[test]
    fn one_line_a_minute_and_the_number_of_the_others() {
        let start = Instant::now();
        let mut limit = RateLimit::new(Duration::from_secs(60));
        let mut allow = |seconds| limit.allow(start + Duration::from_secs(seconds));
        assert_eq!(allow(0), Some(0));
        assert_eq!(allow(1), None);
        assert_eq!(allow(59), None);
        assert_eq!(allow(60), Some(2));
        assert_eq!(allow(61), None);
        assert_eq!(allow(600), Some(1));
        // A time that goes back is not a panic.
        assert_eq!(allow(0), None);
    }
}
