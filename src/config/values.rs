//! What a value must look like, each with the remedy for when it does not.

use super::problem::{Fault, fault};
use super::{Network, Secret, UserTemplate};
use smart_mining_wire::snapshot::is_name;
use smart_mining_wire::{Algorithm, KeyError, PoolUrl, PoolUrlError, PublicKey};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::de::DeValue;

/// Algorithms that this release mines.
const SERVED: [Algorithm; 3] = [Algorithm::Sha256d, Algorithm::Scrypt, Algorithm::X16r];

type Read<T> = Result<T, Fault>;

pub(super) fn wrong_type(value: &DeValue<'_>, wanted: &str, remedy: impl Into<String>) -> Fault {
    let found = match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    };
    fault(format!("{found} where {wanted} is wanted"), remedy)
}

pub(super) fn quoted<'v>(value: &'v DeValue<'_>) -> Read<&'v str> {
    value
        .as_str()
        .ok_or_else(|| wrong_type(value, "a text", "write it between two straight quotes"))
}

pub(super) fn name(value: &DeValue<'_>) -> Read<String> {
    let text = quoted(value)?;
    if is_name(text) {
        return Ok(text.to_owned());
    }
    Err(fault(
        "not a name",
        "use 1 to 63 of the characters A-Z a-z 0-9 . _ -",
    ))
}

/// Our own coin id; central writes it in upper case.
pub(super) fn coin(value: &DeValue<'_>) -> Read<String> {
    Ok(name(value)?.to_ascii_uppercase())
}

pub(super) fn algorithm(value: &DeValue<'_>) -> Read<Algorithm> {
    let text = quoted(value)?;
    let [first @ .., last] = SERVED.map(|served| format!("\"{served}\""));
    let names = format!("{} or {last}", first.join(", "));
    let algorithm: Algorithm = text
        .parse()
        .map_err(|_| fault("not an algorithm", format!("use {names}")))?;
    if SERVED.contains(&algorithm) {
        return Ok(algorithm);
    }
    Err(fault(
        format!("{algorithm} is not served by this release"),
        format!("use {names}, or remove this section"),
    ))
}

pub(super) fn address(value: &DeValue<'_>, example: &str) -> Read<SocketAddr> {
    let remedy = || format!("write it as \"{example}\"");
    let text = value
        .as_str()
        .ok_or_else(|| wrong_type(value, "an address", remedy()))?;
    text.trim()
        .parse()
        .map_err(|_| fault("not an address", remedy()))
}

pub(super) fn integer(value: &DeValue<'_>, range: RangeInclusive<u64>) -> Read<u64> {
    let remedy = format!(
        "write a whole number from {} to {}, without quotes",
        range.start(),
        range.end()
    );
    let DeValue::Integer(number) = value else {
        return Err(wrong_type(value, "a whole number", remedy));
    };
    u64::from_str_radix(number.as_str().trim_start_matches('+'), number.radix())
        .ok()
        .filter(|number| range.contains(number))
        .ok_or_else(|| fault("out of range", remedy))
}

pub(super) fn seconds(value: &DeValue<'_>, range: RangeInclusive<u64>) -> Read<Duration> {
    integer(value, range).map(Duration::from_secs)
}

fn number(value: &DeValue<'_>, remedy: &str) -> Read<f64> {
    let text = match value {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        DeValue::Integer(_)
        | DeValue::String(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => return Err(wrong_type(value, "a plain number", remedy)),
    };
    let parsed: Option<f64> = text.parse().ok();
    parsed
        .filter(|number| number.is_finite())
        .ok_or_else(|| fault("not a number", remedy))
}

pub(super) fn percent(value: &DeValue<'_>, most: f64) -> Read<f64> {
    let remedy = format!("write a number from 0 to {most}, without quotes or %");
    let number = number(value, &remedy)?;
    if (0.0..=most).contains(&number) {
        return Ok(number);
    }
    Err(fault("out of range", remedy))
}

pub(super) fn fraction(value: &DeValue<'_>) -> Read<f64> {
    let remedy = "write 1 % as 0.01; it must be 0 or more and less than 1";
    let number = number(value, remedy)?;
    if (0.0..1.0).contains(&number) {
        return Ok(number);
    }
    Err(fault("out of range", remedy))
}

pub(super) fn boolean(value: &DeValue<'_>) -> Read<bool> {
    value.as_bool().ok_or_else(|| {
        wrong_type(
            value,
            "true or false",
            "write true or false, without quotes",
        )
    })
}

/// One of a few words.
pub(super) fn choice<T: Copy>(value: &DeValue<'_>, words: &[(&str, T)]) -> Read<T> {
    let names: Vec<String> = words
        .iter()
        .map(|(word, _)| format!("\"{word}\""))
        .collect();
    let remedy = format!("use {}", names.join(" or "));
    let text = value
        .as_str()
        .ok_or_else(|| wrong_type(value, "a text", remedy.clone()))?;
    words
        .iter()
        .find(|(word, _)| *word == text)
        .map(|&(_, meaning)| meaning)
        .ok_or_else(|| fault("not one of the known words", remedy))
}

/// A text that goes out on one line: to a pool, or in a header.
fn plain<'v>(value: &'v DeValue<'_>, most: usize, spaces: bool) -> Read<&'v str> {
    let text = quoted(value)?;
    let visible = text
        .chars()
        .all(|c| c.is_ascii_graphic() || (spaces && c == ' '));
    if text.is_empty() {
        return Err(fault("empty", "write it, or remove the line"));
    }
    if !visible {
        let unwanted = if spaces {
            "control characters or letters"
        } else {
            "spaces or letters"
        };
        return Err(fault(
            format!("has {unwanted} outside plain ASCII"),
            "check what was pasted",
        ));
    }
    if text.len() > most {
        return Err(fault(
            format!("{} characters long", text.len()),
            format!("use at most {most}"),
        ));
    }
    Ok(text)
}

pub(super) fn token(value: &DeValue<'_>) -> Read<Secret> {
    plain(value, 512, false).map(Secret::new)
}

/// Pools take almost anything as a password; an empty one is fine.
pub(super) fn password(value: &DeValue<'_>) -> Read<Secret> {
    match quoted(value)? {
        "" => Ok(Secret::new("")),
        _ => plain(value, 120, true).map(Secret::new),
    }
}

pub(super) fn agent(value: &DeValue<'_>) -> Read<String> {
    plain(value, 120, true).map(str::to_owned)
}

pub(super) fn user(value: &DeValue<'_>) -> Read<UserTemplate> {
    plain(value, UserTemplate::MAX, false)?;
    UserTemplate::parse(quoted(value)?).map_err(|placeholder| {
        fault(
            format!("{placeholder} is not a placeholder"),
            "only {worker} and {farm} are replaced",
        )
    })
}

pub(super) fn public_key(value: &DeValue<'_>) -> Read<PublicKey> {
    quoted(value)?
        .parse()
        .map_err(|error: KeyError| fault(error.to_string(), "copy it again from central"))
}

pub(super) fn pool_url(value: &DeValue<'_>) -> Read<PoolUrl> {
    let text = quoted(value)?;
    text.parse().map_err(|_| not_a_pool_url(text))
}

/// A certificate's SHA-256 as openssl prints it, or as 64 digits in a row.
pub(super) fn fingerprint(value: &DeValue<'_>) -> Read<[u8; 32]> {
    let remedy = "write the 64 hex digits that openssl x509 -noout -fingerprint -sha256 prints";
    // What stands before them in openssl's line is often copied too.
    let text = quoted(value)?.rsplit('=').next().unwrap_or_default();
    let digits: String = text.chars().filter(|&c| c != ':').collect();
    smart_mining_core::hex::array(digits.trim())
        .ok_or_else(|| fault("not a SHA-256 fingerprint", remedy))
}

fn not_a_pool_url(text: &str) -> Fault {
    let (scheme, bare) = text.split_once("://").unwrap_or(("", text));
    let tls = ["ssl", "tls", "https"]
        .iter()
        .any(|name| scheme.ends_with(name));
    let guess = format!("stratum+{}://{bare}", if tls { "ssl" } else { "tcp" });
    let usual = "write it as \"stratum+tcp://host:port\"";
    match guess.parse::<PoolUrl>() {
        Ok(_) => fault("not a pool's address", format!("write it as \"{guess}\"")),
        Err(PoolUrlError::Port(_)) => fault("has no port from 1 to 65535", usual),
        Err(PoolUrlError::Host(_)) => fault("has no DNS name or IP address", usual),
        Err(PoolUrlError::Scheme) => fault("not a pool's address", usual),
    }
}

/// The address of central, without a slash at its end.
pub(super) fn web_url(value: &DeValue<'_>) -> Read<String> {
    let remedy = "write it as \"https://central.example.com\"";
    let text = quoted(value)?.trim_end_matches('/');
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest else {
        return Err(fault("not a web address", remedy));
    };
    let host = rest.split('/').next().unwrap_or("");
    let usable = !host.is_empty()
        && text.len() <= 500
        && text
            .bytes()
            .all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>' | b'\\'));
    if !usable {
        return Err(fault("not a web address", remedy));
    }
    if rest.contains(['@', '?', '#']) {
        return Err(fault("has a user, a query or a fragment in it", remedy));
    }
    Ok(text.to_owned())
}

pub(super) fn path(value: &DeValue<'_>, example: &str) -> Read<std::path::PathBuf> {
    let text = quoted(value)?;
    if text.trim().is_empty() || text.ends_with('/') || text.chars().any(char::is_control) {
        let remedy = format!("write it as \"{example}\"");
        return Err(fault("not a file's name", remedy));
    }
    Ok(text.into())
}

/// A list; the first bad item is what the problem is about.
pub(super) fn networks(value: &DeValue<'_>) -> Read<Vec<Network>> {
    let example = "write it like [\"192.168.0.0/16\"]";
    let Some(items) = value.as_array() else {
        return Err(wrong_type(value, "a list", example));
    };
    if items.is_empty() {
        return Err(fault("nobody could connect", example));
    }
    let mut networks = Vec::new();
    let mut faults: Vec<Fault> = Vec::new();
    for item in items {
        let read = match item.get_ref().as_str() {
            Some(text) => Network::parse(text)
                .map_err(|error| fault(format!("\"{text}\" {}", error.what()), error.remedy())),
            None => Err(wrong_type(item.get_ref(), "a text", example)),
        };
        match read {
            Ok(network) => networks.push(network),
            Err(fault) => faults.push(fault),
        }
    }
    let joined = faults.into_iter().reduce(|all, next| {
        let remedy = if all.remedy.contains(&next.remedy) {
            all.remedy
        } else {
            format!("{}, and {}", all.remedy, next.remedy)
        };
        fault(format!("{}, and {}", all.what, next.what), remedy)
    });
    joined.map_or(Ok(networks), Err)
}
