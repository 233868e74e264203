//! A farm on which all is well, for tests.

use super::*;
use crate::counts::Counts;
use crate::device::{Address, Disk, Load, Memory, Power, Process};
use crate::ledger::{Hashrates, Totals};
use std::collections::BTreeMap;

pub fn lane() -> AlgorithmStatus {
    AlgorithmStatus {
        algorithm: Algorithm::Sha256d,
        listener: "0.0.0.0:3333".to_owned(),
        state: FarmState::Mining,
        unpaid: false,
        route: None,
        why: String::new(),
        decision: None,
        switches: 0,
        switches_by_rule: BTreeMap::new(),
        usd_per_day_now: None,
        miners: 20,
        silent: 1,
        no_work_yet: 0,
        offline: 3,
        reject_rate: None,
        totals: Totals {
            counts: Counts::default(),
            hashrates: Hashrates {
                hashrate_1m: 0.0,
                hashrate_10m: 0.0,
                hashrate_1h: 0.0,
                hashrate_24h: 0.0,
            },
        },
        candidates: Vec::new(),
        skipped: Vec::new(),
        pin: None,
        excluded: Vec::new(),
    }
}

pub fn healthy() -> Status {
    Status {
        farm: "barn".to_owned(),
        version: "1.0.0",
        state: FarmState::Mining,
        troubles: Vec::new(),
        started_at: 0,
        algorithms: vec![lane()],
        snapshot: SnapshotStatus {
            sequence: 7,
            age_seconds: Some(40),
            accepted: 3,
            refused: 0,
            last_refusal: None,
        },
        central: CentralStatus {
            state: "reachable",
            last_error: None,
            last_contact_seconds: Some(4),
        },
        reports: None,
        miners: MinerCounts {
            now: 20,
            silent: 1,
            no_work_yet: 0,
            offline: 3,
            connected: 20,
            disconnected: 3,
            refused: 0,
        },
        refused_workers: Vec::new(),
        store: StoreStatus {
            bytes: None,
            power_cuts: 0,
            elsewhere: None,
            dropped: 0,
            last_error: None,
        },
        provisioning: None,
        device: None,
    }
}

/// A board that tells everything.
pub fn device() -> Device {
    Device {
        board: Some("Raspberry Pi 4".to_owned()),
        slot: Some("A".to_owned()),
        release: Some("1.0.0".to_owned()),
        temperature_celsius: Some(48.3),
        power: Power {
            undervoltage: Some(false),
            throttled: Some(false),
            undervoltage_before: Some(true),
            throttled_before: Some(false),
        },
        disk: Some(Disk {
            total_bytes: 1 << 34,
            free_bytes: 1 << 33,
            read_only: false,
        }),
        memory: Some(Memory {
            total_bytes: 1 << 30,
            available_bytes: 1 << 29,
        }),
        load: Some(Load {
            load_1m: 0.5,
            load_5m: 0.4,
            load_15m: 0.3,
        }),
        processors: Some(4),
        uptime_seconds: Some(86_400),
        clock_synchronised: Some(true),
        addresses: vec![Address {
            interface: "eth0".to_owned(),
            address: "192.168.1.5".to_owned(),
        }],
        process: Process {
            open_files: Some(30),
            open_files_limit: Some(65_536),
            resident_bytes: Some(20 << 20),
        },
    }
}
