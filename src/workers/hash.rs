//! What farm.toml keeps of a worker's password: an argon2id hash as a PHC string.

use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use std::fmt;

/// 8 MiB, two passes: 27 ms of a core of an x86 server. Passwords of miners stand in
/// their web pages, and a farm may have to check thousands after a power cut.
const MEMORY_KIB: u32 = 8 * 1024;
const PASSES: u32 = 2;
/// What a hash made elsewhere may ask of an appliance.
const MOST_MEMORY_KIB: u32 = 64 * 1024;
const MOST_PASSES: u32 = 10;
const MOST_LANES: u32 = 4;
/// A miner's password is not read any further than this and a little.
pub const LONGEST_PASSWORD: usize = 120;

/// A hash that can be checked, within the limits.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPassword(PasswordHash);

impl fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl fmt::Display for StoredPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StoredPassword {
    /// The error says what is wrong, without the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let hash = PasswordHash::new(text).map_err(|_| "not a password hash".to_owned())?;
        if hash.algorithm.as_str() != "argon2id" {
            return Err(format!("a hash by {}, not by argon2id", hash.algorithm));
        }
        if hash.salt.is_none() || hash.hash.is_none() {
            return Err("a hash that was cut short".to_owned());
        }
        let params = Params::try_from(&hash).map_err(|_| "not a password hash".to_owned())?;
        let dear = params.m_cost() > MOST_MEMORY_KIB
            || params.t_cost() > MOST_PASSES
            || params.p_cost() > MOST_LANES;
        if dear {
            return Err(format!(
                "too dear to check: more than m={MOST_MEMORY_KIB}, t={MOST_PASSES} or p={MOST_LANES}"
            ));
        }
        Ok(Self(hash))
    }

    /// Takes its time: never where miners are served.
    pub fn is(&self, password: &str) -> bool {
        let checked = Argon2::default().verify_password(password.as_bytes(), &self.0);
        checked.is_ok()
    }

    pub fn of(password: &str) -> Result<Self, String> {
        let length = password.len();
        if length == 0 {
            return Err("an empty password; write one".to_owned());
        }
        if length > LONGEST_PASSWORD || password.chars().any(char::is_control) {
            return Err(format!(
                "a password of {length} bytes; use at most {LONGEST_PASSWORD}, and no control characters"
            ));
        }
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|error| format!("no random numbers: {error}"))?;
        let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|e| e.to_string())?;
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_with_salt(password.as_bytes(), &salt)
            .map(Self)
            .map_err(|error| format!("the password cannot be hashed: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_read_and_takes_only_its_password() {
        let made = StoredPassword::of("correct horse").expect("made");
        let text = made.to_string();
        assert!(text.starts_with("$argon2id$v=19$m=8192,t=2,p=1$"), "{text}");
        let read = StoredPassword::parse(&text).expect("its own");
        assert!(read.is("correct horse") && !read.is("correct hors"));
        let again = StoredPassword::of("correct horse").expect("made");
        assert_ne!(again.to_string(), text, "the salt is random");
        assert_eq!(format!("{made:?}"), "(hidden)");
    }

    #[test]
    fn what_cannot_be_checked_is_refused() {
        let made = StoredPassword::of("x").expect("made").to_string();
        let cut = made.rsplit_once('$').expect("a hash").0;
        for (text, wanted) in [
            ("hunter2", "not a password hash"),
            ("", "not a password hash"),
            (cut, "cut short"),
            (&made.replace("argon2id", "argon2i"), "by argon2i"),
            (&made.replace("m=8192", "m=1000000"), "too dear"),
            (&made.replace("t=2", "t=200"), "too dear"),
        ] {
            let why = StoredPassword::parse(text).expect_err("unusable");
            assert!(why.contains(wanted), "{text}: {why}");
        }
        assert!(StoredPassword::of("").is_err());
        assert!(StoredPassword::of(&"x".repeat(121)).is_err());
        assert!(StoredPassword::of("a\nb").is_err());
    }
}
