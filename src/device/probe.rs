//! Reads the machine. The roots can be others, so that a test shows it a machine of
//! its own making.

use super::{Address, Device, Disk, Load, Memory, Power, Process, parse};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statvfs::{FsFlags, statvfs};
use std::fs;
use std::path::{Path, PathBuf};

/// Longer ones are not what they should be.
const LONGEST: u64 = 64 * 1024;
/// Of addresses one shows so many, whatever a machine has.
const ADDRESSES: usize = 16;

pub struct Probe {
    /// Where `proc`, `sys` and `run` are.
    root: PathBuf,
    /// Whatever disk this is on is looked at.
    store: PathBuf,
    release: Option<String>,
}

impl Probe {
    pub fn here(store: &Path) -> Self {
        let release = std::env::var("SMART_MINING_RELEASE").ok();
        Self::at(Path::new("/"), store, release)
    }

    pub fn at(root: &Path, store: &Path, release: Option<String>) -> Self {
        Self {
            root: root.to_owned(),
            store: store.to_owned(),
            release: release.filter(|release| !release.is_empty()),
        }
    }

    pub fn look(&self) -> Device {
        let text = |path: &str| self.text(Path::new(path));
        Device {
            board: text("proc/device-tree/model").and_then(|model| parse::board(&model)),
            slot: text("proc/cmdline").and_then(|cmdline| parse::slot(&cmdline)),
            release: self.release.clone(),
            temperature_celsius: self.temperature(),
            power: self.power(),
            disk: disk(&self.store),
            memory: text("proc/meminfo").and_then(|it| -> Option<Memory> { parse::memory(&it) }),
            load: text("proc/loadavg").and_then(|it| -> Option<Load> { parse::load(&it) }),
            processors: std::thread::available_parallelism().ok().map(Into::into),
            uptime_seconds: text("proc/uptime").and_then(|it| parse::uptime(&it)),
            clock_synchronised: self.clock(),
            addresses: addresses(),
            process: self.process(),
        }
    }

    fn text(&self, path: &Path) -> Option<String> {
        use std::io::Read;
        let file = fs::File::open(self.root.join(path)).ok()?;
        let mut text = String::new();
        file.take(LONGEST).read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// What is in a folder, by its path below the root; nothing if there is none.
    fn folder(&self, path: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.root.join(path)) else {
            return Vec::new();
        };
        let below = |entry: fs::DirEntry| Path::new(path).join(entry.file_name());
        entries.filter_map(Result::ok).map(below).collect()
    }

    fn temperature(&self) -> Option<f64> {
        let zones = self.folder("sys/class/thermal").into_iter();
        let texts = zones.filter_map(|zone| self.text(&zone.join("temp")));
        let temperatures = texts.filter_map(|text| parse::temperature(&text));
        temperatures.max_by(f64::total_cmp)
    }

    fn power(&self) -> Power {
        let firmware = Path::new("sys/devices/platform/soc/soc:firmware/get_throttled");
        let told = self.text(firmware).and_then(|text| parse::throttled(&text));
        told.unwrap_or_else(|| Power {
            undervoltage: self.voltage_alarm(),
            ..Power::default()
        })
    }

    /// Kernels without the firmware's number have a sensor for the voltage.
    fn voltage_alarm(&self) -> Option<bool> {
        let sensor = self.folder("sys/class/hwmon").into_iter().find(|sensor| {
            let name = self.text(&sensor.join("name"));
            name.is_some_and(|name| name.trim() == "rpi_volt")
        })?;
        let alarm = |name: &str| self.text(&sensor.join(name));
        let text = alarm("in0_lcrit_alarm").or_else(|| alarm("in1_lcrit_alarm"))?;
        parse::alarm(&text)
    }

    /// systemd-timesyncd says so; of other services nothing is known here.
    fn clock(&self) -> Option<bool> {
        let service = self.root.join("run/systemd/timesync");
        let there = service.is_dir();
        there.then(|| service.join("synchronized").exists())
    }

    fn process(&self) -> Process {
        let limit = getrlimit(Resource::RLIMIT_NOFILE).ok();
        let status = self.text(Path::new("proc/self/status"));
        Process {
            open_files: fs::read_dir(self.root.join("proc/self/fd"))
                .ok()
                // The folder itself is open while it is counted.
                .map(|files| files.count().saturating_sub(1) as u64),
            #[allow(clippy::useless_conversion)] // Of 32 bits on some systems.
            open_files_limit: limit.map(|(soft, _)| soft.into()),
            resident_bytes: status.and_then(|status| parse::kilobytes(&status, "VmRSS")),
        }
    }
}

#[allow(clippy::useless_conversion)] // These counts have 32 bits on some systems.
fn disk(store: &Path) -> Option<Disk> {
    let folder = store.parent().filter(|it| !it.as_os_str().is_empty());
    let told = statvfs(folder.unwrap_or(Path::new("."))).ok()?;
    let (blocks, free) = (u64::from(told.blocks()), u64::from(told.blocks_available()));
    let size = u64::from(told.fragment_size());
    Some(Disk {
        total_bytes: blocks.saturating_mul(size),
        free_bytes: free.saturating_mul(size),
        read_only: told.flags().contains(FsFlags::ST_RDONLY),
    })
}

/// Those at which others reach this machine.
fn addresses() -> Vec<Address> {
    let Ok(all) = nix::ifaddrs::getifaddrs() else {
        return Vec::new();
    };
    let outside = all.filter_map(|of| {
        let socket = of.address?;
        let ip: std::net::IpAddr = match (socket.as_sockaddr_in(), socket.as_sockaddr_in6()) {
            (Some(v4), _) => v4.ip().into(),
            (None, Some(v6)) => v6.ip().into(),
            (None, None) => return None,
        };
        let link_local = matches!(ip, std::net::IpAddr::V6(v6) if v6.is_unicast_link_local());
        (!ip.is_loopback() && !link_local).then(|| Address {
            interface: of.interface_name,
            address: ip.to_string(),
        })
    });
    outside.take(ADDRESSES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Machine(tempfile::TempDir);

    impl Machine {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a folder"))
        }

        fn with(self, path: &str, text: &str) -> Self {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("its folder");
            fs::write(path, text).expect("a file");
            self
        }

        fn look(&self) -> Device {
            let store = self.0.path().join("farm.sqlite");
            Probe::at(self.0.path(), &store, None).look()
        }
    }

    #[test]
    fn a_raspberry_pi_with_a_weak_supply_in_a_hot_barn_is_seen_as_such() {
        let seen = Machine::new()
            .with("sys/class/thermal/thermal_zone0/temp", "61834\n")
            .with("sys/class/thermal/thermal_zone1/temp", "83200\n")
            .with(
                "sys/devices/platform/soc/soc:firmware/get_throttled",
                "50005\n",
            )
            .with("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0")
            .with("proc/cmdline", "root=PARTUUID=5 rauc.slot=A quiet\n")
            .with("proc/uptime", "4711.02 9000.00\n")
            .with("run/systemd/timesync/synchronized", "")
            .look();
        assert_eq!(seen.temperature_celsius, Some(83.2));
        assert_eq!(seen.power.undervoltage, Some(true));
        assert_eq!(seen.power.throttled_before, Some(true));
        assert_eq!(
            seen.board.as_deref(),
            Some("Raspberry Pi 4 Model B Rev 1.4")
        );
        assert_eq!(seen.slot.as_deref(), Some("A"));
        assert_eq!(seen.uptime_seconds, Some(4711));
        assert_eq!(seen.clock_synchronised, Some(true));
    }

    #[test]
    fn another_kernel_tells_of_the_voltage_alone() {
        let seen = Machine::new()
            .with("sys/class/hwmon/hwmon0/name", "cpu_thermal\n")
            .with("sys/class/hwmon/hwmon1/name", "rpi_volt\n")
            .with("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n")
            .with("run/systemd/timesync/other", "")
            .look();
        assert_eq!(seen.power.undervoltage, Some(true));
        assert_eq!(
            (seen.power.throttled, seen.power.undervoltage_before),
            (None, None)
        );
        assert_eq!(seen.clock_synchronised, Some(false));
    }

    #[test]
    fn what_a_machine_does_not_tell_is_not_invented() {
        let seen = Machine::new().look();
        assert_eq!(seen.temperature_celsius, None);
        assert_eq!(seen.power, Power::default());
        assert_eq!(
            (seen.memory, seen.load, seen.uptime_seconds),
            (None, None, None)
        );
        assert_eq!((seen.slot, seen.board, seen.release), (None, None, None));
        assert_eq!(seen.clock_synchronised, None);
        assert_eq!(
            (seen.process.open_files, seen.process.resident_bytes),
            (None, None)
        );
        // The disk is the test's own, and a real one.
        let disk = seen.disk.expect("the folder is somewhere");
        assert!(disk.total_bytes >= disk.free_bytes && disk.total_bytes > 0 && !disk.read_only);
    }

    #[test]
    fn this_machine_tells_of_its_memory_and_of_this_process() {
        let seen = Probe::here(Path::new("farm.sqlite")).look();
        let memory = seen.memory.expect("Linux tells it");
        let resident = seen.process.resident_bytes.expect("Linux tells it");
        assert!(resident > 0 && resident < memory.total_bytes);
        assert!(seen.process.open_files.is_some_and(|files| files >= 3));
        assert!(seen.process.open_files <= seen.process.open_files_limit);
        assert!(seen.load.is_some() && seen.uptime_seconds.is_some());
    }
}
