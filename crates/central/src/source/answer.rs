//! An answer over HTTP, and what can be wrong with it before its content counts.

use serde::de::DeserializeOwned;
use std::time::Duration;

/// Bytes of a body that are read at most; the largest real one is about 1 MB.
pub const MAX_BODY: usize = 8 * 1024 * 1024;

#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    pub status: u16,
    /// Names in lower case.
    pub headers: &'a [(String, String)],
    pub body: &'a [u8],
}

/// Why a source gave nothing. The transport acts on the kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Wait as asked; 60 s if nothing was asked.
    #[error("too many requests; wait {0:?}")]
    RateLimited(Option<Duration>),
    /// Asking on makes it worse: paid quota gone, or banned.
    #[error("stop asking: {0}")]
    Stop(String),
    #[error("the key is missing, wrong or for another host: {0}")]
    Key(String),
    #[error("not served here: {0}")]
    NotFound(String),
    #[error("status {0}")]
    Status(u16),
    #[error("an HTML page instead of JSON: {0:?}")]
    Html(String),
    #[error("an empty body")]
    Empty,
    #[error("not of the expected form: {0}")]
    Malformed(String),
    /// The service's own error, in its words.
    #[error("the service says: {0}")]
    Service(String),
    /// A node that has not caught up tells of old blocks.
    #[error("not in sync yet: {0}")]
    Syncing(String),
}

impl<'a> Answer<'a> {
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON of this shape, with the status looked at first.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, SourceError> {
        self.check_status()?;
        self.json_whatever_status()
    }

    /// For services that put their errors into JSON with an error status.
    pub fn json_whatever_status<T: DeserializeOwned>(&self) -> Result<T, SourceError> {
        let text = self.text()?;
        serde_json::from_str(text).map_err(|error| SourceError::Malformed(error.to_string()))
    }

    /// The body as text that is not empty and no HTML page.
    pub fn text(&self) -> Result<&'a str, SourceError> {
        let text = std::str::from_utf8(self.body)
            .map_err(|_| SourceError::Malformed("not UTF-8".to_owned()))?
            .trim_start_matches('\u{feff}')
            .trim();
        if text.is_empty() {
            return Err(SourceError::Empty);
        }
        if text.starts_with('<') {
            return Err(SourceError::Html(excerpt(text)));
        }
        Ok(text)
    }

    pub fn check_status(&self) -> Result<(), SourceError> {
        let words = || excerpt(&String::from_utf8_lossy(self.body));
        match self.status {
            200..=299 => Ok(()),
            429 => Err(SourceError::RateLimited(self.retry_after())),
            402 | 418 | 430 | 451 => Err(SourceError::Stop(format!(
                "status {}: {}",
                self.status,
                words()
            ))),
            401 | 403 => Err(SourceError::Key(words())),
            404 => Err(SourceError::NotFound(words())),
            status => Err(SourceError::Status(status)),
        }
    }

    /// Only the seconds form: a date would need a clock that both sides trust.
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.header("retry-after")?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}

/// The beginning, on one line, for a log.
pub fn excerpt(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(120)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Result<serde_json::Value, SourceError> {
        let headers = [("retry-after".to_owned(), "7".to_owned())];
        Answer {
            status,
            headers: &headers,
            body: body.as_bytes(),
        }
        .json()
    }

    #[test]
    fn what_is_no_json_has_a_type() {
        assert_eq!(answer(200, ""), Err(SourceError::Empty));
        assert_eq!(answer(200, "  \n"), Err(SourceError::Empty));
        assert!(matches!(
            answer(200, "<!DOCTYPE html><p>slow down"),
            Err(SourceError::Html(_))
        ));
        assert!(matches!(
            answer(200, "{\"a\":"),
            Err(SourceError::Malformed(_))
        ));
        assert_eq!(
            answer(429, "{}"),
            Err(SourceError::RateLimited(Some(Duration::from_secs(7))))
        );
        for banned in [402, 418, 430] {
            assert!(matches!(answer(banned, "{}"), Err(SourceError::Stop(_))));
        }
        assert_eq!(
            answer(503, "Work queue depth exceeded"),
            Err(SourceError::Status(503))
        );
        assert!(answer(200, "\u{feff}{\"a\":1}").is_ok());
    }
}
