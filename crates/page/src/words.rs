//! Figures the way a person says them. Times are UTC: the appliance knows no other.

/// `1.23 TH/s`.
pub fn hashrate(per_second: f64) -> String {
    let units = ["H/s", "kH/s", "MH/s", "GH/s", "TH/s", "PH/s", "EH/s"];
    let (value, unit) = scaled(per_second, &units);
    format!("{value:.2} {unit}")
}

/// `512`, `8.19 k`, `1.50 M`: a difficulty, or any number too long to read.
pub fn quantity(number: f64) -> String {
    if number != 0.0 && number.abs() < 1.0 {
        return format!("{number:.2e}");
    }
    let (value, unit) = scaled(number, &["", "k", "M", "G", "T", "P", "E"]);
    match unit {
        "" if value.fract() == 0.0 => format!("{value:.0}"),
        "" => format!("{value:.2}"),
        unit => format!("{value:.2} {unit}"),
    }
}

fn scaled<'a>(number: f64, units: &[&'a str]) -> (f64, &'a str) {
    let mut value = number;
    let mut unit = 0;
    while value.abs() >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    (value, units.get(unit).copied().unwrap_or_default())
}

/// `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `12.34 USD`; what is small keeps digits that say something.
pub fn usd(amount: f64) -> String {
    if amount == 0.0 || amount.abs() >= 0.1 {
        return format!("{amount:.2} USD");
    }
    if amount.abs() >= 0.0001 {
        return format!("{amount:.4} USD");
    }
    format!("{amount:.1e} USD")
}

/// `0.4 %`; `-` of nothing.
pub fn percent(part: u64, whole: u64) -> String {
    match whole {
        0 => "-".to_owned(),
        whole => ratio(part as f64 / whole as f64),
    }
}

/// `0.4 %` of 0.004.
pub fn ratio(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        0.0 => "0 %".to_owned(),
        small if small.abs() < 0.1 => "< 0.1 %".to_owned(),
        percent => format!("{percent:.1} %"),
    }
}

/// `1 h 5 min`, as precise as one cares to know.
pub fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// `3.4 GB`.
pub fn bytes(bytes: u64) -> String {
    let (value, unit) = scaled(bytes as f64, &["B", "kB", "MB", "GB", "TB"]);
    match unit {
        "B" => format!("{value:.0} B"),
        unit => format!("{value:.1} {unit}"),
    }
}

/// `14:03`.
pub fn minute(unix: u64) -> String {
    let day = unix % 86_400;
    format!("{:02}:{:02}", day / 3600, day / 60 % 60)
}

/// `14:03:22`.
pub fn second(unix: u64) -> String {
    format!("{}:{:02}", minute(unix), unix % 60)
}

/// `26 Nov`.
pub fn day(unix: u64) -> String {
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (_, month, day) = date(unix);
    let name = months.get(usize::from(month) - 1).copied();
    format!("{day} {}", name.unwrap_or_default())
}

/// `2026-11-26T14:03:22Z`, for programs.
pub fn stamp(unix: u64) -> String {
    let (year, month, day) = date(unix);
    format!("{year:04}-{month:02}-{day:02}T{}Z", second(unix))
}

/// Year, month (1 to 12) and day of the Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last of its year:
/// H. Hinnant, "chrono-compatible low-level date algorithms".
fn date(unix: u64) -> (u64, u8, u8) {
    let days = unix / 86_400 + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    // Both are bounded by the calendar.
    (year, month as u8, day as u8)
}

/// Text that came from a miner, a pool or a file must not become markup.
pub fn escape(raw: &str) -> String {
    let mut safe = String::with_capacity(raw.len());
    for character in raw.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_like_a_person_says_them() {
        assert_eq!(hashrate(1.5e12), "1.50 TH/s");
        assert_eq!(hashrate(12.0), "12.00 H/s");
        assert_eq!(quantity(512.0), "512");
        assert_eq!(quantity(8192.0), "8.19 k");
        assert_eq!(quantity(0.000_244), "2.44e-4");
        assert_eq!(duration(59), "59 s");
        assert_eq!(duration(3661), "1 h 1 min");
        assert_eq!(bytes(3_400_000_000), "3.4 GB");
    }

    #[test]
    fn long_counts_are_grouped() {
        let said: Vec<String> = [0, 999, 1000, 1_234_567].map(count).into();
        assert_eq!(said, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn money_keeps_the_digits_that_say_something() {
        let said: Vec<String> = [0.0, 12.345, 0.0123, 0.000_001].map(usd).into();
        assert_eq!(said, ["0.00 USD", "12.35 USD", "0.0123 USD", "1.0e-6 USD"]);
    }

    #[test]
    fn a_share_of_nothing_is_no_percentage() {
        assert_eq!(percent(0, 0), "-");
        assert_eq!(percent(0, 7), "0 %");
        assert_eq!(percent(1, 5000), "< 0.1 %");
        assert_eq!(percent(1, 8), "12.5 %");
    }

    #[test]
    fn the_calendar_knows_leap_years() {
        assert_eq!(stamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(stamp(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(stamp(1_795_370_980), "2026-11-22T18:09:40Z");
        assert_eq!(stamp(4_107_542_400), "2100-03-01T00:00:00Z");
        assert_eq!(day(1_795_370_980), "22 Nov");
    }

    #[test]
    fn a_name_cannot_become_markup() {
        assert_eq!(escape("<b>\"&'"), "&lt;b&gt;&quot;&amp;&#39;");
    }
}
