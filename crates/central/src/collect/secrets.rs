//! Keys out of what is logged or written down: services repeat a wrong key in their
//! answer, and some want it in the address.

use crate::source::address::escaped;
use crate::source::{Settings, SourceError};
use crate::transport::fetch::FetchError;

/// Shorter ones stand in any text by chance.
const SHORTEST: usize = 6;
const COVER: &str = "[key]";

#[derive(Clone, Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    pub fn of(settings: &Settings) -> Self {
        let more = settings.more.iter();
        let more = more.filter(|(name, _)| name.starts_with("key") || name.starts_with("password"));
        let whole = settings.key.iter().chain(more.map(|(_, value)| value));
        let mut all: Vec<String> = whole
            .flat_map(|key| {
                // Of `user:password` the second part counts by itself.
                let password = key.split_once(':').map(|(_, password)| password.to_owned());
                [Some(key.clone()), Some(escaped(key)), password]
            })
            .flatten()
            .filter(|key| key.len() >= SHORTEST)
            .collect();
        // The longest first, so that no half of one is left.
        all.sort_by_key(|key| std::cmp::Reverse(key.len()));
        all.dedup();
        Self(all)
    }

    pub fn covered(&self, text: &str) -> String {
        let cover = |text: String, key: &String| text.replace(key, COVER);
        self.0.iter().fold(text.to_owned(), cover)
    }

    pub fn covered_error(&self, error: FetchError) -> FetchError {
        let cover = |text: String| self.covered(&text);
        FetchError::Source(match error {
            FetchError::Transport(words) => return FetchError::Transport(cover(words)),
            FetchError::Source(SourceError::Stop(words)) => SourceError::Stop(cover(words)),
            FetchError::Source(SourceError::Key(words)) => SourceError::Key(cover(words)),
            FetchError::Source(SourceError::NotFound(words)) => SourceError::NotFound(cover(words)),
            FetchError::Source(SourceError::Html(words)) => SourceError::Html(cover(words)),
            FetchError::Source(SourceError::Malformed(words)) => {
                SourceError::Malformed(cover(words))
            }
            FetchError::Source(SourceError::Service(words)) => SourceError::Service(cover(words)),
            FetchError::Source(SourceError::Syncing(words)) => SourceError::Syncing(cover(words)),
            FetchError::Source(
                error @ (SourceError::RateLimited(_) | SourceError::Status(_) | SourceError::Empty),
            ) => error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_covered_wherever_it_is_repeated() {
        let mut settings = Settings {
            key: Some("abc def+123".to_owned()),
            ..Settings::default()
        };
        let more = [("key.BTC", "user:hunter22"), ("wallet.XMR", "4wallet4")];
        let more = more.map(|(name, value)| (name.to_owned(), value.to_owned()));
        settings.more.extend(more);
        let secrets = Secrets::of(&settings);
        let said = "no key abc def+123 (abc%20def%2B123), no password hunter22, wallet 4wallet4";
        assert_eq!(
            secrets.covered(said),
            "no key [key] ([key]), no password [key], wallet 4wallet4"
        );
        let error = FetchError::Source(SourceError::Key("bad hunter22".to_owned()));
        assert!(
            !secrets
                .covered_error(error)
                .to_string()
                .contains("hunter22")
        );
    }
}
