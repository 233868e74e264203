//! Texts with a rule of their own: secrets that are never shown, and user names with placeholders.

use std::fmt;

/// A text that must not reach a log, the page or a problem.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For the wire only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// Who is paid, as the pool wants it written: `{worker}` and `{farm}` are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserTemplate(String);

impl UserTemplate {
    /// Longest template; with the worker's name it must fit a pool's line.
    pub const MAX: usize = 120;

    /// The placeholder that is not known, if there is one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let from = &rest[at..];
            rest = match ["{worker}", "{farm}"]
                .iter()
                .find_map(|known| from.strip_prefix(known))
            {
                Some(after) => after,
                None => {
                    let end = from.find('}').map_or(from.len(), |end| end + 1);
                    return Err(from[..end].to_owned());
                }
            };
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether each worker gets a name of its own.
    pub fn names_worker(&self) -> bool {
        self.0.contains("{worker}")
    }

    /// The name for one worker. A worker's own name is never searched for placeholders.
    pub fn render(&self, farm: &str, worker: &str) -> String {
        let mut out = String::with_capacity(self.0.len() + farm.len() + worker.len());
        let mut rest = self.0.as_str();
        while let Some(at) = rest.find('{') {
            out.push_str(&rest[..at]);
            let from = &rest[at..];
            rest = if let Some(after) = from.strip_prefix("{worker}") {
                out.push_str(worker);
                after
            } else if let Some(after) = from.strip_prefix("{farm}") {
                out.push_str(farm);
                after
            } else {
                out.push('{');
                &from[1..]
            };
        }
        out.push_str(rest);
        out
    }
}

impl fmt::Display for UserTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
