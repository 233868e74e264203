//! Times that answers state, as Unix seconds.

use super::Num;

/// Before the first coin nothing was mined.
const FIRST: u64 = 1_230_940_800;
/// Clocks differ; more than this ahead is no time but a mistake.
const AHEAD: u64 = 3600;

/// `2025-03-29T10:22:52.578Z`, with or without a fraction, in any zone.
pub fn iso8601(text: &str) -> Option<u64> {
    let time: jiff::Timestamp = text.trim().parse().ok()?;
    u64::try_from(time.as_second()).ok()
}

pub fn seconds(value: &Num, now: u64) -> Option<u64> {
    believable(value.whole(), now)
}

pub fn milliseconds(value: &Num, now: u64) -> Option<u64> {
    believable(value.whole().map(|value| value / 1000), now)
}

/// A time that can be; else the value counts as undated.
pub fn believable(at: Option<u64>, now: u64) -> Option<u64> {
    at.filter(|at| (FIRST..=now.saturating_add(AHEAD)).contains(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_times_are_unix_seconds() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2024-02-29T12:00:00Z", Some(1_709_208_000)),
            ("2024-02-29T12:00:00.999Z", Some(1_709_208_000)),
            ("2024-02-29T13:00:00+01:00", Some(1_709_208_000)),
            ("2024-02-29T12:00:00", None),
            ("2023-02-29T12:00:00Z", None),
            ("1969-12-31T23:59:59Z", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(iso8601(text), expected, "{text}");
        }
    }

    #[test]
    fn a_time_that_cannot_be_is_none() {
        let now = 1_700_000_000;
        let of = |text: &str| Num::of_text(text);
        assert_eq!(seconds(&of("1699999990"), now), Some(1_699_999_990));
        assert_eq!(milliseconds(&of("1699999990123"), now), Some(1_699_999_990));
        // Milliseconds where seconds belong, a year, a sentinel.
        for wrong in ["1699999990123", "2018", "-1", "0", "1.5", "x"] {
            assert_eq!(seconds(&of(wrong), now), None, "{wrong}");
        }
    }
}
