//! `/metrics`: the view as numbers. Label values come from this program, from farm.toml and
//! from the ranking, so their number is bounded; a worker's name is never one.
//! docs/metrics.md says what each means, and a test holds it to this.

mod device;
mod lanes;
#[cfg(test)]
mod tests;
mod text;

pub use text::Format;

use crate::view::{FarmState, Status, trouble};
use text::{Family, Kind, Labels, write};

pub fn render(status: &Status, format: Format) -> String {
    write(&families(status), format)
}

fn families(status: &Status) -> Vec<Family<'_>> {
    let mut all = appliance(status);
    all.extend(lanes::families(&status.algorithms));
    all.extend(miners(status));
    all.extend(central(status));
    all.extend(reports(status));
    all.extend(store(status));
    all.extend(status.device.iter().flat_map(device::families));
    all
}

/// One gauge or counter without labels; no sample if there is no value.
fn plain<'a>(
    name: &'static str,
    kind: Kind,
    help: &'static str,
    value: impl Into<Option<f64>>,
) -> Family<'a> {
    let value = value.into();
    Family {
        name,
        kind,
        unit: None,
        help,
        samples: value.into_iter().map(|it| (Vec::new(), it)).collect(),
    }
}

impl Family<'_> {
    const fn in_unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

fn appliance(status: &Status) -> Vec<Family<'_>> {
    let version: Labels<'_> = vec![("version", status.version.into())];
    let state = |state: FarmState| {
        let labels: Labels<'_> = vec![("state", state.word().into())];
        (labels, flag(status.state == state))
    };
    let code = |code: &'static str| {
        let there = status.troubles.iter().any(|it| it.code == code);
        let labels: Labels<'_> = vec![("code", code.into())];
        (labels, flag(there))
    };
    vec![
        Family {
            name: "smart_mining_build",
            kind: Kind::Info,
            unit: None,
            help: "The program that runs.",
            samples: vec![(version, 1.0)],
        },
        Family {
            name: "smart_mining_state",
            kind: Kind::Gauge,
            unit: None,
            help: "1 for the state the appliance is in.",
            samples: FarmState::ALL.into_iter().map(state).collect(),
        },
        Family {
            name: "smart_mining_trouble",
            kind: Kind::Gauge,
            unit: None,
            help: "1 while there is such a trouble.",
            samples: trouble::CODES.into_iter().map(code).collect(),
        },
        plain(
            "process_start_time_seconds",
            Kind::Gauge,
            "When the process started, in unix time.",
            status.started_at as f64,
        )
        .in_unit("seconds"),
    ]
}

fn miners(status: &Status) -> Vec<Family<'_>> {
    let miners = &status.miners;
    vec![
        plain(
            "smart_mining_miners_connected",
            Kind::Counter,
            "Connections of miners that were taken.",
            miners.connected as f64,
        ),
        plain(
            "smart_mining_miners_disconnected",
            Kind::Counter,
            "Connections of miners that ended.",
            miners.disconnected as f64,
        ),
        plain(
            "smart_mining_miners_refused",
            Kind::Counter,
            "Connections turned away.",
            miners.refused as f64,
        ),
    ]
}

fn central(status: &Status) -> Vec<Family<'_>> {
    let (snapshot, central) = (&status.snapshot, &status.central);
    let reachable = match central.state {
        "reachable" => Some(1.0),
        "unreachable" => Some(0.0),
        _ => None,
    };
    vec![
        plain(
            "smart_mining_central_reachable",
            Kind::Gauge,
            "1 while central answers; absent without a central, and before it was asked.",
            reachable,
        ),
        plain(
            "smart_mining_central_last_contact_seconds",
            Kind::Gauge,
            "Since central answered last.",
            central.last_contact_seconds.map(|it| it as f64),
        )
        .in_unit("seconds"),
        plain(
            "smart_mining_snapshot_sequence",
            Kind::Gauge,
            "Sequence of the snapshot in force; 0 if there is none.",
            snapshot.sequence as f64,
        ),
        plain(
            "smart_mining_snapshot_age_seconds",
            Kind::Gauge,
            "Since the snapshot in force was received.",
            snapshot.age_seconds.map(|it| it as f64),
        )
        .in_unit("seconds"),
        plain(
            "smart_mining_snapshots_accepted",
            Kind::Counter,
            "Snapshots that came into force.",
            snapshot.accepted as f64,
        ),
        plain(
            "smart_mining_snapshots_refused",
            Kind::Counter,
            "Snapshots that the gate refused.",
            snapshot.refused as f64,
        ),
    ]
}

/// Without a central there are none.
fn reports(status: &Status) -> Vec<Family<'_>> {
    let Some(reports) = &status.reports else {
        return Vec::new();
    };
    vec![
        plain(
            "smart_mining_reports_waiting",
            Kind::Gauge,
            "Reports that central does not have yet.",
            reports.waiting as f64,
        ),
        plain(
            "smart_mining_reports_oldest_seconds",
            Kind::Gauge,
            "Since the oldest of them was made.",
            reports.oldest_seconds.map(|it| it as f64),
        )
        .in_unit("seconds"),
        plain(
            "smart_mining_reports_delivered",
            Kind::Counter,
            "Reports that central has, since the start.",
            reports.delivered as f64,
        ),
        plain(
            "smart_mining_reports_set_aside",
            Kind::Gauge,
            "Reports that central refused and that are kept.",
            reports.set_aside as f64,
        ),
        plain(
            "smart_mining_reports_dropped",
            Kind::Counter,
            "Reports dropped for want of room, since the store was made.",
            reports.dropped as f64,
        ),
    ]
}

fn store(status: &Status) -> Vec<Family<'_>> {
    let store = &status.store;
    vec![
        plain(
            "smart_mining_store_failing",
            Kind::Gauge,
            "1 while the store cannot be written.",
            flag(store.last_error.is_some()),
        ),
        plain(
            "smart_mining_store_elsewhere",
            Kind::Gauge,
            "1 while the books are not kept where farm.toml says, and end with this run.",
            flag(store.elsewhere.is_some()),
        ),
        plain(
            "smart_mining_power_cuts",
            Kind::Counter,
            "Times that the machine lost its power, since the store was made.",
            store.power_cuts as f64,
        ),
        plain(
            "smart_mining_store_dropped",
            Kind::Counter,
            "Records that did not fit the store's queue.",
            store.dropped as f64,
        ),
        plain(
            "smart_mining_store_size_bytes",
            Kind::Gauge,
            "The store's file with its log.",
            store.bytes.map(|it| it as f64),
        )
        .in_unit("bytes"),
    ]
}
