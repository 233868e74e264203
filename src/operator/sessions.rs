//! Who is logged in, until when.
//!
//! ```text
//!   unknown --right password--> Open --12 h, logged out, or 64 newer ones--> unknown
//! ```
//!
//! Kept in memory alone, so that they end with the process; and hashed, so that
//! nothing that reads the memory for a support case finds a usable one. A form's
//! token is made from the cookie under a key of this process: another site can
//! have a browser send the cookie, but cannot know the token.

use sha2::{Digest, Sha256};
use smart_mining_core::{Duration, Instant};
use std::collections::BTreeMap;

/// How long a login lasts.
pub const LASTS: Duration = Duration::from_secs(12 * 60 * 60);
const MOST: usize = 64;

/// 256 random bits, as they stand in a cookie.
#[derive(Clone, PartialEq, Eq)]
pub struct Id(String);

impl Id {
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(hex(&bytes)))
    }

    /// Only what can be one.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        (text.len() == 64 && plain).then(|| Self(text.to_owned()))
    }

    /// For the cookie, or for a program that asked for it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    let digits = |byte: &u8| [digit(byte >> 4), digit(byte & 15)];
    bytes.iter().flat_map(digits).collect()
}

pub struct Sessions {
    key: [u8; 32],
    /// By the hash of the id.
    open: BTreeMap<[u8; 32], Instant>,
}

impl Sessions {
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self {
            key,
            open: BTreeMap::new(),
        })
    }

    fn hash(&self, what: u8, id: &Id) -> [u8; 32] {
        Sha256::new()
            .chain_update(self.key)
            .chain_update([what])
            // Always of one length.
            .chain_update(&id.0)
            .finalize()
            .into()
    }

    pub fn open(&mut self, id: &Id, now: Instant) {
        self.open.retain(|_, until| now < *until);
        if self.open.len() >= MOST
            && let Some(oldest) = self.open.iter().min_by_key(|(_, until)| **until)
        {
            let oldest = *oldest.0;
            self.open.remove(&oldest);
        }
        let hash = self.hash(0, id);
        self.open.insert(hash, now + LASTS);
    }

    pub fn is_open(&self, id: &Id, now: Instant) -> bool {
        // By its hash under a secret key: how long it takes tells nothing of an id.
        let until = self.open.get(&self.hash(0, id));
        until.is_some_and(|until| now < *until)
    }

    pub fn close(&mut self, id: &Id) {
        let hash = self.hash(0, id);
        self.open.remove(&hash);
    }

    /// What a form has to bring along that was made for this cookie.
    pub fn token(&self, cookie: &Id) -> String {
        hex(&self.hash(1, cookie))
    }

    pub fn is_token(&self, cookie: &Id, token: &str) -> bool {
        let (own, other) = (self.hash(1, cookie), Id::parse(token));
        // Of two hashes under the key, nobody can choose a matching start.
        other.is_some_and(|other| self.hash(2, &other) == self.hash(2, &Id(hex(&own))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> Id {
        Id::random().expect("random numbers")
    }

    #[test]
    fn a_session_ends_after_twelve_hours_or_when_it_is_closed() {
        let mut sessions = Sessions::new().expect("random numbers");
        let (first, second, begin) = (id(), id(), Instant::from_secs(1000));
        sessions.open(&first, begin);
        sessions.open(&second, begin);
        assert!(!sessions.is_open(&id(), begin));
        let last = begin + LASTS - Duration::from_ticks(1);
        assert!(sessions.is_open(&first, last) && !sessions.is_open(&first, begin + LASTS));
        sessions.close(&second);
        assert!(!sessions.is_open(&second, begin));
    }

    #[test]
    fn the_newest_64_are_kept() {
        let mut sessions = Sessions::new().expect("random numbers");
        let ids: Vec<Id> = (0..70).map(|_| id()).collect();
        for (second, id) in (0..).zip(&ids) {
            sessions.open(id, Instant::from_secs(second));
        }
        let now = Instant::from_secs(70);
        let open: Vec<bool> = ids.iter().map(|id| sessions.is_open(id, now)).collect();
        assert_eq!(open.iter().filter(|open| **open).count(), MOST);
        assert!(open[..6].iter().all(|open| !open));
    }

    #[test]
    fn a_token_belongs_to_its_cookie_and_to_this_process() {
        let (sessions, restarted) = (Sessions::new(), Sessions::new());
        let (sessions, restarted) = (sessions.expect("made"), restarted.expect("made"));
        let (own, other) = (id(), id());
        let token = sessions.token(&own);
        assert!(sessions.is_token(&own, &token));
        assert!(!sessions.is_token(&other, &token));
        assert!(!sessions.is_token(&own, "") && !sessions.is_token(&own, own.expose()));
        assert!(!restarted.is_token(&own, &token));
    }

    #[test]
    fn only_what_can_be_an_id_is_one() {
        let text = id().expose().to_owned();
        assert!(Id::parse(&text).is_some());
        for wrong in ["", &text[1..], &text.to_uppercase(), "x"] {
            assert!(
                Id::parse(wrong).is_none() || wrong == text,
                "{wrong} is no id"
            );
        }
    }
}
