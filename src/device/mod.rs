//! How the machine is that the appliance runs on: warm, short of power, full?
//!
//! One thread looks every ten seconds ([`run`]) and publishes what it saw; who shows
//! it only reads. A fact that this machine does not tell is `None`, never a guess.

pub mod parse;
mod probe;

pub use probe::Probe;

use serde::Serialize;
use std::time::Duration;
use tokio::sync::watch;

const EVERY: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Device {
    /// What the board calls itself.
    pub board: Option<String>,
    /// The system that was started, `A` or `B`, and the release it is.
    pub slot: Option<String>,
    pub release: Option<String>,
    /// Of the hottest place that is measured.
    pub temperature_celsius: Option<f64>,
    pub power: Power,
    /// Where the store is.
    pub disk: Option<Disk>,
    pub memory: Option<Memory>,
    pub load: Option<Load>,
    pub processors: Option<usize>,
    pub uptime_seconds: Option<u64>,
    /// A time server set the clock since the start of the system. `None`: whether
    /// one does cannot be seen here.
    pub clock_synchronised: Option<bool>,
    pub addresses: Vec<Address>,
    pub process: Process,
}

/// As a Raspberry Pi tells it; other boards tell nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Power {
    /// The supply is too weak at this moment.
    pub undervoltage: Option<bool>,
    /// The processor is slowed down at this moment, for heat or for power.
    pub throttled: Option<bool>,
    /// The same at any time since the board got power.
    pub undervoltage_before: Option<bool>,
    pub throttled_before: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Disk {
    pub total_bytes: u64,
    pub free_bytes: u64,
    pub read_only: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Memory {
    pub total_bytes: u64,
    /// What programs could still have.
    pub available_bytes: u64,
}

/// Programs that wanted a processor, averaged over these times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Load {
    pub load_1m: f64,
    pub load_5m: f64,
    pub load_15m: f64,
}

/// Where the machine can be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Address {
    pub interface: String,
    pub address: String,
}

/// The appliance's own process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Process {
    pub open_files: Option<u64>,
    pub open_files_limit: Option<u64>,
    pub resident_bytes: Option<u64>,
}

/// Look for ever. To be run on a thread that may wait for a disk.
pub fn run(probe: &Probe, seen: &watch::Sender<Option<Device>>) {
    loop {
        seen.send_replace(Some(probe.look()));
        std::thread::sleep(EVERY);
    }
}
