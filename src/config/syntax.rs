//! From text to a TOML tree, past the lines that are not TOML.
//!
//! The parser recovers from a bad value by itself. It loses track at a bad line
//! (an open bracket, a key without `=`), so such a line is reported, repaired or
//! blanked, and the text is parsed again: one run of the check shows every
//! mistake, and none that only follows from another.

use super::problem::{self, Fault, Log, Place, fault};
use toml::de::{DeTable, Error};

/// Rounds of repair; a file that needs more is not a farm.toml.
const MAX_ROUNDS: usize = 64;

/// Keys whose values may be repeated even when their line is broken.
const PLAIN_KEYS: [&str; 30] = [
    "name",
    "url",
    "public_key",
    "path",
    "algorithm",
    "bind",
    "max_miners",
    "handshake_seconds",
    "extranonce",
    "hostname",
    "address",
    "gateway",
    "dns",
    "wifi_ssid",
    "wifi_country",
    "keys",
    "coin",
    "pool",
    "user",
    "id",
    "fee",
    "agent",
    "workers",
    "extensions",
    "allow",
    "same_coin_percent",
    "other_coin_percent",
    "minimum_dwell_seconds",
    "confirmations",
    "return_after_seconds",
];

/// Complaints after which the parser's tree is still the one that was meant.
const HARMLESS: [&str; 12] = [
    "string values must be quoted",
    "duplicate key",
    "unexpected key or value",
    "unexpected leading zero",
    "invalid basic string",
    "invalid literal string",
    "invalid escape sequence",
    "missing escaped value",
    "invalid float",
    "invalid boolean",
    "invalid date",
    "invalid mantissa",
];

/// The text to build the tree from, after every syntax problem was reported.
/// `None` when what was meant cannot be guessed.
pub(super) fn repair(log: &Log<'_>) -> Option<String> {
    let mut text = log.text().to_owned();
    for _ in 0..MAX_ROUNDS {
        let (_, errors) = DeTable::parse_recoverable(&text);
        let Some(error) = errors.iter().find(|error| !is_harmless(error)) else {
            report_harmless(log, &errors);
            return Some(text);
        };
        let offset = error.span().map_or(0, |span| span.start);
        let line = line_of(&text, offset, error.message());
        report(log, line, error.message());
        text = without(&text, line, error.message())?;
    }
    None
}

fn is_harmless(error: &Error) -> bool {
    HARMLESS
        .iter()
        .any(|known| error.message().starts_with(known))
}

/// The first complaint of each line; the rest of a line follows from it.
fn report_harmless(log: &Log<'_>, errors: &[Error]) {
    let mut lines: Vec<(usize, &str)> = errors
        .iter()
        .map(|error| {
            let (line, _) = log.position(error.span().map_or(0, |span| span.start));
            (line, error.message())
        })
        .collect();
    lines.sort_by_key(|&(line, _)| line);
    lines.dedup_by_key(|&mut (line, _)| line);
    for (line, message) in lines {
        report(log, line, message);
    }
}

/// An error at the very start of a line means the end of the line before.
fn line_of(text: &str, offset: usize, message: &str) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let unfinished = message.starts_with("unclosed") || message.starts_with("key with no value");
    if unfinished && before.ends_with('\n') && line > 1 {
        line - 1
    } else {
        line
    }
}

/// The text with one bad line made harmless; offsets of other lines stay in their lines.
fn without(text: &str, bad: usize, message: &str) -> Option<String> {
    // An open array or multi-line text swallows what follows; its end cannot be guessed.
    let swallows = ["array", "multi-line", "inline table"]
        .iter()
        .any(|word| message.contains(word));
    if swallows && !message.starts_with("unclosed array table") {
        return None;
    }
    let lines: Vec<String> = text
        .split('\n')
        .enumerate()
        .map(|(index, line)| {
            if index + 1 == bad {
                harmless_line(line)
            } else {
                line.to_owned()
            }
        })
        .collect();
    let repaired = lines.join("\n");
    (repaired != text).then_some(repaired)
}

/// A header gets the brackets it lacks; any other line becomes a blank one.
fn harmless_line(line: &str) -> String {
    let trimmed = line.trim();
    let name: String = trimmed
        .trim_start_matches('[')
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        .collect();
    let fixed = if name.is_empty() {
        String::new()
    } else if trimmed.starts_with("[[") {
        format!("[[{name}]]")
    } else if trimmed.starts_with('[') {
        format!("[{name}]")
    } else {
        String::new()
    };
    if fixed == trimmed {
        String::new()
    } else {
        fixed
    }
}

fn report(log: &Log<'_>, line: usize, message: &str) {
    let text = log.line(line);
    let (key, value) = key_and_value(text);
    let shown = may_be_shown(text, key);
    let fault = explain(message, key, value.filter(|_| shown), text);
    let place = Place {
        line,
        column: 1,
        key: match value {
            Some(_) => format!("{}{key}", section_of(log, line)),
            None => String::new(),
        },
        value: match value {
            _ if !shown => None,
            Some("") => None,
            Some(value) => Some(problem::shown(value)),
            None => Some(problem::shown(text)),
        },
    };
    log.report_syntax(place, key, fault);
}

/// `listener[2].`, as far as the headers above a line tell.
fn section_of(log: &Log<'_>, line: usize) -> String {
    let above = || {
        (1..line)
            .rev()
            .map(|above| log.line(above))
            .filter(|text| text.starts_with('['))
    };
    let Some(header) = above().next() else {
        return String::new();
    };
    let name = |header: &str| -> String {
        let inner = header.trim_start_matches('[');
        inner
            .chars()
            .take_while(|c| !matches!(c, ']' | '#' | ' '))
            .collect()
    };
    if header.starts_with("[[") {
        let count = above().filter(|other| name(other) == name(header)).count();
        format!("{}[{count}].", name(header))
    } else {
        format!("{}.", name(header))
    }
}

/// A broken line is repeated only when it surely holds no secret: a misspelt token is a token.
fn may_be_shown(line: &str, key: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    let header = line.starts_with('[') && !line.contains(['=', '"', '\'']);
    (header || PLAIN_KEYS.contains(&key))
        && !super::SECRET_KEYS
            .iter()
            .any(|secret| lower.contains(secret))
}

/// `key = value # comment`, as far as a broken line shows it.
fn key_and_value(line: &str) -> (&str, Option<&str>) {
    match line.split_once('=') {
        Some((key, value)) => {
            let value = value.split('#').next().unwrap_or("").trim();
            (key.trim(), Some(value))
        }
        None => {
            let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')));
            (line.get(..end.unwrap_or(line.len())).unwrap_or(""), None)
        }
    }
}

fn explain(message: &str, key: &str, value: Option<&str>, line: &str) -> Fault {
    let quoted = match value {
        Some(value) => {
            let bare = value.trim_matches(|c: char| matches!(c, '"' | '\'' | '“' | '”' | '„'));
            format!("write it as {key} = \"{}\"", bare.replace(['"', '\\'], ""))
        }
        None => "put the value between two straight quotes (\")".to_owned(),
    };
    let starts = |text: &str| message.starts_with(text);
    if starts("duplicate key") {
        if line.starts_with('[') {
            let name = line.trim_matches(['[', ']', ' ']);
            return match name {
                "listener" | "account" | "pool" => fault(
                    "this section must have two brackets each time it stands",
                    format!("write every one of them as [[{name}]]"),
                ),
                _ => fault(
                    "this section stands twice",
                    "put its keys into the first one",
                ),
            };
        }
        return fault(
            "this key stands twice in its section",
            "remove one of the two lines",
        );
    }
    if value == Some("") {
        return fault(
            "the value is missing",
            "write it after the =, or remove the line",
        );
    }
    if starts("string values must be quoted")
        || starts("invalid basic string")
        || starts("invalid literal string")
    {
        return fault("a text must stand between two straight quotes", quoted);
    }
    if starts("invalid escape") || starts("missing escaped") {
        return fault(
            "a backslash has a meaning of its own here",
            "write / or \\\\ instead of \\",
        );
    }
    if starts("invalid boolean") {
        return fault(
            "true and false are written in lower case",
            "write true or false",
        );
    }
    if starts("invalid float") || starts("invalid date") {
        return fault("neither a number nor a text", quoted);
    }
    if starts("invalid mantissa") || starts("unexpected leading zero") {
        return fault("not a number", "write it like 0.5 or 15");
    }
    if starts("unexpected key or value") {
        return fault(
            "something follows the value",
            "put each key on a line of its own",
        );
    }
    if starts("unclosed array table") || starts("unclosed table") {
        return fault(
            "the section's bracket is not closed",
            "write it like [farm] or [[listener]]",
        );
    }
    if message.contains("array") {
        return fault(
            "the list is not complete",
            "write it like [\"10.0.0.0/8\", \"192.168.0.0/16\"]",
        );
    }
    if starts("key with no value") {
        return fault("a key without =", "write it like key = \"value\"");
    }
    fault(
        format!("not TOML ({message})"),
        "write it like key = \"value\"",
    )
}
