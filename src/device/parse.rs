//! What the kernel writes about a machine, as facts. Text in, facts out; text of
//! another form is no fact.

use super::{Load, Memory, Power};

/// Millidegrees. What no board survives is a sensor that is not there.
pub fn temperature(text: &str) -> Option<f64> {
    let celsius = text.trim().parse::<i64>().ok()? as f64 / 1000.0;
    (-40.0..=150.0).contains(&celsius).then_some(celsius)
}

/// A Raspberry Pi's firmware writes a hexadecimal number: what is so now, and 16 bits
/// higher what was so since it got power.
pub fn throttled(text: &str) -> Option<Power> {
    const UNDERVOLTAGE: u32 = 1;
    /// The frequency is capped, the processor throttled, the soft limit of heat reached.
    const SLOWED: u32 = 0b1110;
    let digits = text.trim();
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    let bits = u32::from_str_radix(digits, 16).ok()?;
    Some(Power {
        undervoltage: Some(bits & UNDERVOLTAGE != 0),
        throttled: Some(bits & SLOWED != 0),
        undervoltage_before: Some((bits >> 16) & UNDERVOLTAGE != 0),
        throttled_before: Some((bits >> 16) & SLOWED != 0),
    })
}

/// `0` or `1`, as hwmon writes an alarm.
pub fn alarm(text: &str) -> Option<bool> {
    match text.trim() {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

/// A line `Name:  123 kB` of `/proc/meminfo` or `/proc/self/status`, in bytes.
pub fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let number = value.trim().strip_suffix("kB")?.trim_end();
    number.parse::<u64>().ok()?.checked_mul(1024)
}

pub fn memory(meminfo: &str) -> Option<Memory> {
    Some(Memory {
        total_bytes: kilobytes(meminfo, "MemTotal")?,
        available_bytes: kilobytes(meminfo, "MemAvailable")?,
    })
}

pub fn load(loadavg: &str) -> Option<Load> {
    let mut numbers = loadavg.split(' ').map(|word| word.parse::<f64>().ok());
    let mut next = || numbers.next()?.filter(|load| load.is_finite());
    Some(Load {
        load_1m: next()?,
        load_5m: next()?,
        load_15m: next()?,
    })
}

/// Whole seconds.
pub fn uptime(text: &str) -> Option<u64> {
    let (seconds, _) = text.split_once('.')?;
    seconds.parse().ok()
}

/// The slot that the boot script told the kernel.
pub fn slot(cmdline: &str) -> Option<String> {
    let mut words = cmdline.split_ascii_whitespace();
    let slot = words.find_map(|word| word.strip_prefix("rauc.slot="))?;
    matches!(slot, "A" | "B").then(|| slot.to_owned())
}

/// A name that ends with a zero byte, as the device tree keeps it.
pub fn board(model: &str) -> Option<String> {
    let name = model.trim_end_matches('\0').trim();
    let printable = !name.is_empty() && name.len() <= 100 && !name.contains(char::is_control);
    printable.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temperature_is_in_thousandths_and_a_missing_sensor_is_none() {
        assert_eq!(temperature("48312\n"), Some(48.312));
        assert_eq!(temperature("-5000"), Some(-5.0));
        assert_eq!(temperature("-273150\n"), None);
        assert_eq!(temperature("warm"), None);
    }

    #[test]
    fn the_firmware_s_number_tells_now_from_before() {
        let says = |text| {
            let power = throttled(text).expect("a number");
            [
                power.undervoltage,
                power.throttled,
                power.undervoltage_before,
                power.throttled_before,
            ]
            .map(|it| it.expect("it is told"))
        };
        assert_eq!(says("0\n"), [false; 4]);
        assert_eq!(says("50005"), [true; 4]);
        assert_eq!(says("0x50000\n"), [false, false, true, true]);
        // Too warm, and never short of power.
        assert_eq!(says("80008"), [false, true, false, true]);
        assert_eq!(throttled("throttled"), None);
        assert_eq!(
            (alarm("1\n"), alarm("0\n"), alarm("")),
            (Some(true), Some(false), None)
        );
    }

    #[test]
    fn memory_is_in_bytes_and_needs_both_of_its_lines() {
        let text = "MemTotal:         948304 kB\nMemFree:   10 kB\nMemAvailable:     612000 kB\n";
        let memory_there = memory(text).expect("both are there");
        assert_eq!(memory_there.total_bytes, 948_304 * 1024);
        assert_eq!(memory_there.available_bytes, 612_000 * 1024);
        assert_eq!(memory("MemTotal: 1 kB\n"), None);
        assert_eq!(memory("MemTotal: 1\nMemAvailable: 1 kB"), None);
        assert_eq!(
            kilobytes("VmRSS:\t   18800 kB\n", "VmRSS"),
            Some(18_800 * 1024)
        );
    }

    #[test]
    fn load_and_uptime_are_read_as_the_kernel_writes_them() {
        let expected = Load {
            load_1m: 0.52,
            load_5m: 0.4,
            load_15m: 1.25,
        };
        assert_eq!(load("0.52 0.40 1.25 1/203 4711\n"), Some(expected));
        assert_eq!(load("0.52 NaN 1"), None);
        assert_eq!(uptime("86412.07 170012.33\n"), Some(86_412));
        assert_eq!(uptime(""), None);
    }

    #[test]
    fn slot_and_board_are_taken_only_as_they_can_be() {
        assert_eq!(
            slot("root=PARTUUID=1-02 rauc.slot=B quiet\n"),
            Some("B".to_owned())
        );
        assert_eq!(slot("root=/dev/sda1 quiet"), None);
        assert_eq!(slot("rauc.slot=<b>"), None);
        let name = "Raspberry Pi 4 Model B Rev 1.4";
        assert_eq!(board(&format!("{name}\0")), Some(name.to_owned()));
        assert_eq!((board("\0"), board("a\x1b[2J")), (None, None));
    }
}
