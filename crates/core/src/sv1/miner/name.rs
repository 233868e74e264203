//! Names that miners give: their worker's, and the difficulty in their password.

use crate::hex;
use crate::share::WorkerName;
use heapless::String;

pub fn shorten<const N: usize>(text: &str) -> String<N, u8> {
    let mut short = String::new();
    for character in text.chars().filter(|c| !c.is_control()) {
        if short.push(character).is_err() {
            break;
        }
    }
    short
}

/// The part after the first dot of `account.worker`, or all of it. Characters
/// that some pool would stumble over become `_`; `%2e` and the like, which some
/// firmware sends, are decoded.
pub fn worker_name(user: &str) -> WorkerName {
    let mut decoded: String<256> = String::new();
    let mut rest = user;
    while let Some(first) = rest.chars().next() {
        let escape = rest.strip_prefix('%').and_then(|code| code.get(..2));
        let (character, length) = match escape.and_then(hex::array::<1>) {
            Some([byte]) => (char::from(byte), 3),
            None => (first, first.len_utf8()),
        };
        rest = &rest[length..];
        let plain = character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_');
        if decoded.push(if plain { character } else { '_' }).is_err() {
            break;
        }
    }
    let name = decoded
        .split_once('.')
        .map_or(&*decoded, |(_, worker)| worker);
    let name = if name.is_empty() { "worker" } else { name };
    shorten(name)
}

/// `d=N` among the options of a password, such as `x,d=4096`.
pub fn difficulty_in(password: &str) -> Option<f64> {
    let mut options = password.split([',', ';', ' ', '/']);
    let number: f64 = options
        .find_map(|option| option.trim().strip_prefix("d="))?
        .parse()
        .ok()?;
    (number.is_finite() && number > 0.0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worker_names_follow_the_fields_convention() {
        assert_eq!(worker_name("bc1qxyz.rig07"), "rig07");
        assert_eq!(worker_name("rig07"), "rig07");
        assert_eq!(worker_name("acc.barn.rig07"), "barn.rig07");
        assert_eq!(worker_name("acc%2Erig%207"), "rig_7");
        assert_eq!(worker_name("acc.r\u{e9}g\"1"), "r_g_1");
        assert_eq!(worker_name(""), "worker");
        assert_eq!(worker_name("acc."), "worker");
        assert_eq!(worker_name("100%"), "100_");
        assert_eq!(worker_name(&"x".repeat(500)).len(), 63);
    }

    #[test]
    fn a_password_may_hold_a_difficulty() {
        assert_eq!(difficulty_in("d=4096"), Some(4096.0));
        assert_eq!(difficulty_in("x, d=0.5;m=solo"), Some(0.5));
        for none in ["x", "", "d=", "d=0", "d=-1", "d=inf", "abcd=5"] {
            assert_eq!(difficulty_in(none), None, "{none}");
        }
    }
}
