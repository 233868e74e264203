//! What is known of the machine. What it does not tell has no sample.

use super::text::{Family, Kind, Labels};
use super::{flag, plain};
use crate::device::Device;

pub fn families(device: &Device) -> Vec<Family<'_>> {
    let mut all = vec![facts(device)];
    all.extend(board(device));
    all.extend(system(device));
    all.extend(process(device));
    all
}

fn gauge<'a>(name: &'static str, help: &'static str, value: Option<f64>) -> Family<'a> {
    plain(name, Kind::Gauge, help, value)
}

fn facts(device: &Device) -> Family<'_> {
    let known = [
        ("board", &device.board),
        ("slot", &device.slot),
        ("release", &device.release),
    ];
    let known = known.into_iter();
    let labels: Labels<'_> = known
        .filter_map(|(name, value)| Some((name, value.as_deref()?.into())))
        .collect();
    let there = !labels.is_empty();
    Family {
        name: "smart_mining_device",
        kind: Kind::Info,
        unit: None,
        help: "The board, the slot that was started, and its release.",
        samples: there.then_some((labels, 1.0)).into_iter().collect(),
    }
}

fn board(device: &Device) -> Vec<Family<'_>> {
    vec![
        gauge(
            "smart_mining_device_temperature_celsius",
            "Of the hottest place that is measured.",
            device.temperature_celsius,
        )
        .in_unit("celsius"),
        gauge(
            "smart_mining_device_undervoltage",
            "1 while the power supply is too weak.",
            device.power.undervoltage.map(flag),
        ),
        gauge(
            "smart_mining_device_throttled",
            "1 while the processor is slowed down, for heat or for power.",
            device.power.throttled.map(flag),
        ),
        gauge(
            "smart_mining_device_clock_synchronised",
            "1 if a time server has set the clock since the system started.",
            device.clock_synchronised.map(flag),
        ),
    ]
}

fn system(device: &Device) -> Vec<Family<'_>> {
    let (disk, memory) = (device.disk, device.memory);
    let load = device.load.map(|load| {
        let windows = [
            ("1m", load.load_1m),
            ("5m", load.load_5m),
            ("15m", load.load_15m),
        ];
        windows.map(|(window, load)| (vec![("window", window.into())], load))
    });
    vec![
        gauge(
            "smart_mining_device_disk_size_bytes",
            "The disk that the store is on.",
            disk.map(|disk| disk.total_bytes as f64),
        )
        .in_unit("bytes"),
        gauge(
            "smart_mining_device_disk_free_bytes",
            "Of it, what is free.",
            disk.map(|disk| disk.free_bytes as f64),
        )
        .in_unit("bytes"),
        gauge(
            "smart_mining_device_disk_read_only",
            "1 if nothing can be written to it.",
            disk.map(|disk| flag(disk.read_only)),
        ),
        gauge(
            "smart_mining_device_memory_size_bytes",
            "Memory of the machine.",
            memory.map(|memory| memory.total_bytes as f64),
        )
        .in_unit("bytes"),
        gauge(
            "smart_mining_device_memory_available_bytes",
            "Of it, what programs could still have.",
            memory.map(|memory| memory.available_bytes as f64),
        )
        .in_unit("bytes"),
        Family {
            name: "smart_mining_device_load",
            kind: Kind::Gauge,
            unit: None,
            help: "Programs that wanted a processor, on average.",
            samples: load.into_iter().flatten().collect(),
        },
        gauge(
            "smart_mining_device_uptime_seconds",
            "Since the system started.",
            device.uptime_seconds.map(|it| it as f64),
        )
        .in_unit("seconds"),
    ]
}

/// By the names that all programs use for these.
fn process(device: &Device) -> Vec<Family<'_>> {
    let process = device.process;
    vec![
        gauge(
            "process_open_fds",
            "Open files of the process.",
            process.open_files.map(|it| it as f64),
        ),
        gauge(
            "process_max_fds",
            "How many it may have.",
            process.open_files_limit.map(|it| it as f64),
        ),
        gauge(
            "process_resident_memory_bytes",
            "Memory that the process has in use.",
            process.resident_bytes.map(|it| it as f64),
        )
        .in_unit("bytes"),
    ]
}
