//! What a person should see to, from what the appliance knows of itself.
//!
//! Only what is so now, and only what somebody can do something about: that a pool
//! or central is away for a while is not trouble, the appliance was made for it.

use super::{AlgorithmStatus, Status};
use crate::device::Device;
use crate::provision::Outcome;
use serde::Serialize;

/// The board slows down from here on.
const HOT_CELSIUS: f64 = 80.0;
/// Less room than this, and an update or a day's books may not fit.
const LITTLE_ROOM: u64 = 256 * 1024 * 1024;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Trouble {
    /// Stable.
    pub code: &'static str,
    pub text: String,
    /// What to do.
    pub remedy: &'static str,
}

/// All there are: what is counted has a series for each, also while there is none.
pub const CODES: [&str; 11] = [
    "unpaid",
    "store-failing",
    "store-elsewhere",
    "ranking-refused",
    "undervoltage",
    "hot",
    "throttled",
    "disk-read-only",
    "disk-full",
    "miners-silent",
    "card-refused",
];

fn trouble(code: &'static str, text: impl Into<String>, remedy: &'static str) -> Trouble {
    Trouble {
        code,
        text: text.into(),
        remedy,
    }
}

/// All that there is, the worst first. `status.troubles` and `status.state` are not looked at.
pub fn troubles(status: &Status) -> Vec<Trouble> {
    let mut found = Vec::new();
    found.extend(unpaid(&status.algorithms));
    found.extend(store(status));
    found.extend(ranking_refused(status).map(|why| {
        let text = format!("central's ranking is refused: {why}");
        let remedy = "Compare central.public_key of farm.toml with central's key, and both clocks.";
        trouble("ranking-refused", text, remedy)
    }));
    found.extend(status.device.iter().flat_map(device));
    found.extend(silent(&status.algorithms));
    found.extend(card(status));
    found
}

fn unpaid(lanes: &[AlgorithmStatus]) -> impl Iterator<Item = Trouble> {
    let unpaid = lanes.iter().filter(|lane| lane.unpaid);
    unpaid.map(|lane| {
        let text = format!(
            "{}: no pool can be reached, and miners work without pay",
            lane.algorithm
        );
        let remedy = "Look at the WAN and at what the candidates say of their last failure.";
        trouble("unpaid", text, remedy)
    })
}

fn store(status: &Status) -> impl Iterator<Item = Trouble> {
    let failing = status.store.last_error.as_ref().map(|error| {
        let text = format!("the store cannot be written: {error}");
        let remedy = "See whether its disk is full or read-only; replace a card that is worn out.";
        trouble("store-failing", text, remedy)
    });
    let elsewhere = status.store.elsewhere.as_ref().map(|why| {
        let remedy = "Mend or replace the disk, and start again: what is written now is lost then.";
        trouble("store-elsewhere", why.as_str(), remedy)
    });
    failing.into_iter().chain(elsewhere)
}

/// For its signature or its age; then it stays refused until somebody looks.
pub fn ranking_refused(status: &Status) -> Option<&str> {
    let error = status.central.last_error.as_deref()?;
    let refusal = status.snapshot.last_refusal.as_deref()?;
    error.contains(refusal).then_some(refusal)
}

fn device(device: &Device) -> Vec<Trouble> {
    let mut found = Vec::new();
    if device.power.undervoltage == Some(true) {
        let remedy = "Use the board's own power supply and a short cable.";
        found.push(trouble(
            "undervoltage",
            "the power supply is too weak",
            remedy,
        ));
    }
    let hot = device.temperature_celsius.filter(|it| *it >= HOT_CELSIUS);
    if let Some(celsius) = hot {
        let text = format!("the board is at {celsius:.0} °C");
        found.push(trouble("hot", text, "Give it air, shade or a heat sink."));
    }
    if device.power.throttled == Some(true) {
        let remedy = "See to its power supply and its cooling.";
        found.push(trouble("throttled", "the processor is slowed down", remedy));
    }
    if let Some(disk) = device.disk {
        let remedy = "Replace the card: one that went read-only is worn out.";
        if disk.read_only {
            found.push(trouble(
                "disk-read-only",
                "the store's disk is read-only",
                remedy,
            ));
        } else if disk.free_bytes < LITTLE_ROOM {
            let free = disk.free_bytes / (1024 * 1024);
            let text = format!("the store's disk has {free} MiB left");
            let remedy = "Remove what is not the appliance's, or use a larger card.";
            found.push(trouble("disk-full", text, remedy));
        }
    }
    found
}

/// Chance alone makes a miner quiet for a minute: one in ten is no chance, and a lone
/// one is told by its row and its event.
fn silent(lanes: &[AlgorithmStatus]) -> impl Iterator<Item = Trouble> {
    let many = lanes.iter().filter(|lane| {
        let working = lane.miners - lane.no_work_yet.min(lane.miners);
        lane.silent >= 2 && lane.silent * 10 >= working
    });
    many.map(|lane| {
        let text = format!(
            "{}: {} of {} miners find no shares",
            lane.algorithm, lane.silent, lane.miners
        );
        let remedy = "Look at their power, cooling and firmware; the table of miners names them.";
        trouble("miners-silent", text, remedy)
    })
}

fn card(status: &Status) -> Option<Trouble> {
    let card = status.provisioning.as_ref()?;
    let refused = card.outcome == Outcome::Refused;
    refused.then(|| {
        let text = format!(
            "the card's farm.toml was not taken: {} mistakes",
            card.problems.len()
        );
        let remedy = "Mend the lines that the page names, on the card, and start again.";
        trouble("card-refused", text, remedy)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{Disk, Power};
    use crate::provision::Report;
    use crate::view::FarmState;
    use crate::view::samples::{healthy, lane};
    use crate::view::state;

    fn codes(status: &Status) -> Vec<&'static str> {
        let found = troubles(status);
        assert!(
            found
                .iter()
                .all(|it| !it.text.is_empty() && !it.remedy.is_empty())
        );
        let codes: Vec<_> = found.iter().map(|it| it.code).collect();
        assert!(codes.iter().all(|code| CODES.contains(code)));
        codes
    }

    fn with_device(device: Device) -> Status {
        Status {
            device: Some(device),
            ..healthy()
        }
    }

    #[test]
    fn a_farm_on_which_all_is_well_has_no_trouble_also_while_central_is_away() {
        let mut status = healthy();
        status.central.state = "unreachable";
        status.central.last_error = Some("connection refused".to_owned());
        status.snapshot.last_refusal = Some("an older one".to_owned());
        assert_eq!(codes(&status), [""; 0]);
        assert_eq!(codes(&with_device(Device::default())), [""; 0]);
    }

    #[test]
    fn a_board_that_suffers_is_trouble_only_while_it_does() {
        let mut device = Device {
            temperature_celsius: Some(84.6),
            power: Power {
                undervoltage: Some(true),
                throttled: Some(true),
                ..Power::default()
            },
            ..Device::default()
        };
        let status = with_device(device.clone());
        assert_eq!(codes(&status), ["undervoltage", "hot", "throttled"]);
        assert!(troubles(&status)[1].text.contains("85 °C"));
        device.temperature_celsius = Some(79.9);
        device.power = Power {
            undervoltage: Some(false),
            undervoltage_before: Some(true),
            throttled: Some(false),
            throttled_before: Some(true),
        };
        assert_eq!(codes(&with_device(device)), [""; 0]);
    }

    #[test]
    fn a_disk_is_trouble_when_it_is_nearly_full_or_takes_nothing() {
        let disk = |free_bytes, read_only| {
            with_device(Device {
                disk: Some(Disk {
                    total_bytes: 1 << 33,
                    free_bytes,
                    read_only,
                }),
                ..Device::default()
            })
        };
        assert_eq!(codes(&disk(LITTLE_ROOM, false)), [""; 0]);
        assert_eq!(codes(&disk(LITTLE_ROOM - 1, false)), ["disk-full"]);
        assert_eq!(codes(&disk(1 << 32, true)), ["disk-read-only"]);
    }

    #[test]
    fn a_store_that_fails_and_a_ranking_that_is_refused_are_trouble() {
        let mut status = healthy();
        status.store.last_error = Some("disk I/O error".to_owned());
        status.store.elsewhere = Some("it is read-only".to_owned());
        status.central.last_error = Some("snapshot refused: the signature is wrong".to_owned());
        status.snapshot.last_refusal = Some("the signature is wrong".to_owned());
        let expected = ["store-failing", "store-elsewhere", "ranking-refused"];
        assert_eq!(codes(&status), expected);
    }

    #[test]
    fn one_silent_miner_is_no_trouble_and_a_tenth_of_them_is() {
        let of = |miners, silent, no_work_yet| {
            let mut status = healthy();
            status.algorithms[0] = AlgorithmStatus {
                miners,
                silent,
                no_work_yet,
                ..lane()
            };
            codes(&status)
        };
        assert_eq!(of(1, 1, 0), [""; 0]);
        assert_eq!(of(100, 9, 0), [""; 0]);
        assert_eq!(of(100, 10, 0), ["miners-silent"]);
        assert_eq!(of(100, 9, 10), ["miners-silent"]);
        assert_eq!(of(2, 2, 0), ["miners-silent"]);
    }

    #[test]
    fn a_card_that_was_not_taken_is_trouble() {
        let mut status = healthy();
        status.provisioning = Some(Report {
            outcome: Outcome::Refused,
            in_force: true,
            problems: vec!["farm.toml:3: odd; mend it".to_owned()],
            card_fault: None,
        });
        assert_eq!(codes(&status), ["card-refused"]);
    }

    #[test]
    fn holding_is_worse_than_trouble_and_trouble_worse_than_the_cache() {
        let mut status = healthy();
        assert_eq!(state::of(&status), FarmState::Mining);
        status.algorithms[0].state = FarmState::MiningFromCache;
        assert_eq!(state::of(&status), FarmState::MiningFromCache);
        status.troubles.push(trouble("hot", "warm", "air"));
        assert_eq!(state::of(&status), FarmState::Trouble);
        status.algorithms.push(AlgorithmStatus {
            state: FarmState::Holding,
            ..lane()
        });
        assert_eq!(state::of(&status), FarmState::Holding);
        status.algorithms[1].unpaid = true;
        assert_eq!(codes(&status), ["unpaid"]);
    }
}
