//! What the machine allows: networks, disk, files, and how it feels.

use super::running::Running;
use super::{Check, Finding};
use crate::config::{Config, Network};
use nix::net::if_::InterfaceFlags;
use nix::sys::resource::{Resource, getrlimit, rlim_t};
use nix::sys::statvfs::{FsFlags, statvfs};
use smart_mining_core::lane::MAX_DEDICATED;
use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Less room than this, and a day's books or an update may not fit.
const LITTLE_ROOM: u64 = 256 * 1024 * 1024;
/// Boards slow down from here on.
const HOT_CELSIUS: f64 = 80.0;

pub fn look(config: &Config, running: &Running) -> Vec<Finding> {
    let mut found = access(&config.access, &interfaces());
    found.extend(turned_away(&running.turned_away()));
    found.extend(store(&config.store.path));
    found.extend(open_files(config));
    found.extend(device(&config.store.path));
    found
}

/// An address of this machine on a network where miners may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    pub name: String,
    pub address: IpAddr,
}

fn interfaces() -> Vec<Interface> {
    let Ok(all) = nix::ifaddrs::getifaddrs() else {
        return Vec::new();
    };
    let up = InterfaceFlags::IFF_UP;
    let interfaces = all.filter(|it| it.flags.contains(up)).filter_map(|it| {
        let address = it.address?;
        let v4 = address.as_sockaddr_in().map(|it| IpAddr::V4(it.ip()));
        let v6 = address.as_sockaddr_in6().map(|it| IpAddr::V6(it.ip()));
        let address = v4.or(v6).filter(|address| !address.is_loopback())?;
        Some(Interface {
            name: it.interface_name,
            address,
        })
    });
    interfaces.collect()
}

/// Miners have addresses like that of this machine, on one of its networks at least. A
/// public IPv6 address is what each machine has; miners use the private one beside it.
fn access(allowed: &[Network], interfaces: &[Interface]) -> Vec<Finding> {
    let allows = |address| allowed.iter().any(|network| network.contains(address));
    let lans = interfaces.iter().filter(|it| it.address.is_ipv4());
    let (inside, outside): (Vec<_>, Vec<_>) = lans.partition(|it| allows(it.address));
    let of = |it: &&Interface| {
        let text = format!(
            "this machine is {} there, which [access] allow of farm.toml does not have: miners on \
             this network are turned away",
            it.address
        );
        let remedy = "add the network, as \"192.168.0.0/16\", if your miners are on it";
        match inside.is_empty() {
            true => Finding::problem(Check::Access, &*it.name, text, remedy),
            // Another one may well be the way to the internet.
            false => Finding::hint(Check::Access, &*it.name, text, remedy),
        }
    };
    let mut found: Vec<Finding> = outside.iter().map(of).collect();
    if !inside.is_empty() || outside.is_empty() {
        let text = "a network of this machine may connect";
        found.insert(0, Finding::ok(Check::Access, "", text));
    }
    found
}

fn turned_away(addresses: &[IpAddr]) -> Option<Finding> {
    let first = addresses.first()?;
    let others = match addresses.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    Some(Finding::problem(
        Check::Access,
        first.to_string(),
        format!("a miner{others} was turned away lately: not in [access] allow of farm.toml"),
        "add its network there, if it is yours",
    ))
}

fn store(path: &Path) -> Vec<Finding> {
    let folder = match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => Path::new("/"),
    };
    let subject = path.display().to_string();
    if let Err(error) = writable(path, folder) {
        let remedy = if error.kind() == ErrorKind::NotFound {
            "create its folder, or change store.path"
        } else if error.kind() == ErrorKind::ReadOnlyFilesystem {
            "the disk is read-only: a card that turned read-only is worn out, replace it"
        } else {
            "let the user of the appliance write there (chown), or look as that user: sudo -u"
        };
        let text = format!("the store cannot be written here: {error}");
        return vec![Finding::problem(Check::Store, subject, text, remedy)];
    }
    let mut found = vec![Finding::ok(Check::Store, subject, "can be written")];
    found.extend(room(folder));
    found
}

/// Only trying tells: permissions, quotas and worn cards all have a say.
fn writable(path: &Path, folder: &Path) -> std::io::Result<()> {
    if path.exists() {
        OpenOptions::new().append(true).open(path)?;
    }
    let trial: PathBuf = folder.join(format!(".doctor-{}", std::process::id()));
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&trial)?;
    fs::remove_file(trial)
}

fn room(folder: &Path) -> Option<Finding> {
    let disk = statvfs(folder).ok()?;
    // 32 bits on some machines.
    #[allow(clippy::useless_conversion)]
    let (block, blocks) = (
        u64::from(disk.fragment_size()),
        u64::from(disk.blocks_available()),
    );
    let free = block.saturating_mul(blocks);
    let shown = smart_mining_page::words::bytes(free);
    let subject = folder.display().to_string();
    if disk.flags().contains(FsFlags::ST_RDONLY) {
        return Some(Finding::problem(
            Check::Disk,
            subject,
            "the disk is read-only",
            "replace the card: one that turned read-only is worn out",
        ));
    }
    if free < LITTLE_ROOM {
        return Some(Finding::problem(
            Check::Disk,
            subject,
            format!("only {shown} are free"),
            "remove what is not the appliance's, or use a larger card",
        ));
    }
    Some(Finding::ok(Check::Disk, subject, format!("{shown} free")))
}

/// Files that the appliance may need open at once: a miner is one, and where a pool has
/// no room for two each miner has a connection to it, too. Besides, the others.
pub fn open_files_wanted(config: &Config) -> (usize, usize) {
    let listeners = || config.listeners.iter().map(|listener| listener.max_miners);
    let dedicated: usize = listeners().map(|most| most.min(MAX_DEDICATED)).sum();
    (listeners().sum(), dedicated + 256)
}

fn open_files(config: &Config) -> Option<Finding> {
    let (miners, others) = open_files_wanted(config);
    let wanted = rlim_t::try_from(miners + others).unwrap_or(rlim_t::MAX);
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    if hard >= wanted {
        let text = format!("{wanted} may be open for {miners} miners");
        return Some(Finding::ok(Check::OpenFiles, "", text));
    }
    Some(Finding::problem(
        Check::OpenFiles,
        "",
        format!(
            "at most {hard} may be open, and {miners} miners (listener.max_miners) need {wanted}"
        ),
        format!(
            "raise the limit (LimitNOFILE={wanted} of the unit, ulimit -Hn), or lower max_miners"
        ),
    ))
}

fn device(store: &Path) -> Vec<Finding> {
    let device = crate::device::Probe::here(store).look();
    let mut found = Vec::new();
    if let Some(celsius) = device.temperature_celsius {
        let text = format!("{celsius:.0} °C");
        found.push(match celsius >= HOT_CELSIUS {
            true => Finding::problem(
                Check::Device,
                "temperature",
                text,
                "give it air, shade or a heat sink",
            ),
            false => Finding::ok(Check::Device, "temperature", text),
        });
    }
    if device.power.undervoltage == Some(true) {
        let remedy = "use the board's own power supply and a short cable";
        let text = "the power supply is too weak";
        found.push(Finding::problem(Check::Device, "power", text, remedy));
    } else if device.power.undervoltage_before == Some(true) {
        let remedy = "use the board's own power supply and a short cable";
        let text = "the power supply was too weak since the start";
        found.push(Finding::hint(Check::Device, "power", text, remedy));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    fn here(address: &str) -> Vec<Interface> {
        vec![Interface {
            name: "eth0".to_owned(),
            address: address.parse().expect("an address"),
        }]
    }

    fn verdict(found: &[Finding]) -> Verdict {
        let verdicts = found.iter().map(|finding| finding.verdict);
        verdicts.max().unwrap_or(Verdict::Ok)
    }

    #[test]
    fn a_lan_that_farm_toml_does_not_allow_is_found() {
        let allowed = vec![Network::parse("10.1.0.0/16").expect("a network")];
        let found = access(&allowed, &here("192.168.7.2"));
        assert_eq!(verdict(&found), Verdict::Problem);
        assert_eq!(found[0].subject, "eth0");
        assert_eq!(verdict(&access(&allowed, &here("10.1.2.3"))), Verdict::Ok);
        assert_eq!(
            verdict(&access(&Network::private(), &here("192.168.7.2"))),
            Verdict::Ok
        );
        let two = [here("192.168.7.2"), here("192.0.2.9")].concat();
        assert_eq!(verdict(&access(&Network::private(), &two)), Verdict::Hint);
        // Each machine has one of these, and no miner uses it.
        assert_eq!(
            verdict(&access(&Network::private(), &here("2001:db8::1"))),
            Verdict::Ok
        );
    }

    #[test]
    fn a_store_that_nobody_can_write_is_found_and_one_that_can_be_is_left_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let found = store(&folder.path().join("farm.sqlite"));
        assert_eq!(found[0].verdict, Verdict::Ok);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
        let nowhere = store(&folder.path().join("missing/farm.sqlite"));
        assert_eq!(verdict(&nowhere), Verdict::Problem);
        assert!(nowhere[0].remedy.contains("create its folder"));
        // Nobody can create a file there, not even root.
        assert_eq!(
            verdict(&store(Path::new("/proc/farm.sqlite"))),
            Verdict::Problem
        );
    }

    #[test]
    fn addresses_that_were_turned_away_are_one_finding() {
        let addresses = ["192.168.7.9", "192.168.7.10"].map(|it| it.parse().expect("an address"));
        let found = turned_away(&addresses).expect("two");
        assert_eq!(found.subject, "192.168.7.9");
        assert!(
            found.text.starts_with("a miner and 1 more was turned away"),
            "{}",
            found.text
        );
        assert_eq!(turned_away(&[]), None);
    }
}
