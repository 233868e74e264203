//! Figures the way a person says them.

/// `1.23 TH/s`.
pub fn hashrate(per_second: f64) -> String {
    let units = ["H/s", "kH/s", "MH/s", "GH/s", "TH/s", "PH/s", "EH/s"];
    let mut value = per_second;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.2} {}", units[unit])
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_like_a_person_says_them() {
        assert_eq!(hashrate(1.5e12), "1.50 TH/s");
        assert_eq!(hashrate(12.0), "12.00 H/s");
        assert_eq!(duration(59), "59 s");
        assert_eq!(duration(3661), "1 h 1 min");
    }
}
