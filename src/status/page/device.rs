//! How the machine is that the appliance runs on.

use super::facts::Facts;
use super::lanes::Fact;
use crate::device::Device;
use crate::history::OutageKind;
use askama::Template;
use smart_mining_page::words::{bytes, duration, second};

#[derive(Template)]
#[template(path = "device.html")]
struct Page {
    facts: Vec<Fact>,
    addresses: String,
}

pub(super) fn device(facts: &Facts) -> Result<String, askama::Error> {
    let device = facts.status.device.clone().unwrap_or_default();
    let addresses = device.addresses.iter();
    let addresses: Vec<String> = addresses
        .map(|it| format!("{} ({})", it.address, it.interface))
        .collect();
    Page {
        facts: figures(facts, &device),
        addresses: addresses.join(", "),
    }
    .render()
}

fn figures(facts: &Facts, device: &Device) -> Vec<Fact> {
    let mut figures = Vec::new();
    if let Some(degrees) = device.temperature_celsius {
        figures.push(
            Fact::new("Temperature", format!("{degrees:.0} °C")).class(class(facts, &["hot"])),
        );
    }
    figures.extend(power(device));
    if let Some(disk) = device.disk {
        let words = match disk.read_only {
            true => "read-only".to_owned(),
            false => format!(
                "{} of {} free",
                bytes(disk.free_bytes),
                bytes(disk.total_bytes)
            ),
        };
        figures
            .push(Fact::new("Card", words).class(class(facts, &["disk-full", "disk-read-only"])));
    }
    if let Some(memory) = device.memory {
        let (free, all) = (memory.available_bytes, memory.total_bytes);
        figures.push(Fact::new(
            "Memory",
            format!("{} of {} free", bytes(free), bytes(all)),
        ));
    }
    if let Some(load) = device.load {
        figures.push(Fact::new(
            "Load, 1 and 15 min",
            format!("{:.2} and {:.2}", load.load_1m, load.load_15m),
        ));
    }
    let time = format!("{} UTC", second(facts.now));
    figures.push(match device.clock_synchronised {
        Some(true) => Fact::new("Clock, set by a time server", time),
        Some(false) => Fact::new("Clock, not set", time).class("bad"),
        None => Fact::new("Clock", time),
    });
    if let Some(slot) = &device.slot {
        figures.push(Fact::new("System", format!("slot {slot}")));
    }
    if let Some(release) = &device.release {
        figures.push(Fact::new("Release", release.clone()));
    }
    if let Some(cuts) = power_cuts(facts) {
        figures.push(Fact::new("Power cuts, 30 days", cuts.to_string()));
    }
    let runs = facts.now.saturating_sub(facts.status.started_at);
    figures.push(Fact::new("Program runs for", duration(runs)));
    if let Some(up) = device.uptime_seconds {
        figures.push(Fact::new("Machine up for", duration(up)));
    }
    if let Some(board) = &device.board {
        figures.push(Fact::new("Board", board.clone()));
    }
    figures
}

fn power(device: &Device) -> Option<Fact> {
    let power = &device.power;
    let fact = |words: &str| Fact::new("Power", words.to_owned());
    match (power.undervoltage, power.throttled) {
        (Some(true), _) => Some(fact("too weak now").class("bad")),
        (_, Some(true)) => Some(fact("slowed down now").class("bad")),
        (Some(false), _) if power.undervoltage_before == Some(true) => {
            Some(fact("was too weak before").class("warn"))
        }
        (_, Some(false)) if power.throttled_before == Some(true) => {
            Some(fact("was slowed down before").class("warn"))
        }
        (None, None) => None,
        (Some(false) | None, Some(false) | None) => Some(fact("good")),
    }
}

/// One truth of what is wrong: see `view/trouble.rs`.
fn class(facts: &Facts, codes: &[&str]) -> &'static str {
    let wrong = facts
        .status
        .troubles
        .iter()
        .any(|it| codes.contains(&it.code));
    if wrong { "bad" } else { "" }
}

fn power_cuts(facts: &Facts) -> Option<usize> {
    let month = facts.past.month.as_ref()?;
    let cuts = month.outages.iter();
    Some(cuts.filter(|it| it.what == OutageKind::PowerCut).count())
}
