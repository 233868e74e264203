//! What the demo prints: a greeting, a live line, a closing summary.

use std::collections::VecDeque;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use nix::ifaddrs::getifaddrs;
use smart_mining_farmsim::miner::{Miner, MinerStats};
use smart_mining_farmsim::pool::Pool;
use smart_mining_farmsim::pow::Algorithm;

use super::args::DemoArgs;
use super::command::{HELP, KEYS};
use super::status::View;
use super::world::{NAMES, World};

/// Between two lines when there is no terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// Seconds over which the hashrate is averaged.
const AVERAGE: usize = 5;

/// Where to look, where to connect, what to press.
pub fn greet(args: &DemoArgs) {
    let host = args.advertise.unwrap_or_else(own_address);
    let (sha256d, scrypt) = (args.stratum_sha256d.port(), args.stratum_scrypt.port());
    println!("status page    {}", args.status_url);
    println!(
        "a real miner   stratum+tcp://{host}:{sha256d} (sha256d), stratum+tcp://{host}:{scrypt} (scrypt)"
    );
    if let Some(path) = &args.control {
        println!(
            "commands       smart-mining-farmsim control {} COMMAND",
            path.display()
        );
        println!("               {HELP}");
    }
    println!("keys           {KEYS}");
}

/// The first address that others on the LAN can reach.
fn own_address() -> IpAddr {
    let interfaces = getifaddrs().into_iter().flatten();
    interfaces
        .filter_map(|interface| Some(interface.address?.as_sockaddr_in()?.ip()))
        .find(|ip| !ip.is_loopback() && !ip.is_link_local() && !ip.is_unspecified())
        .unwrap_or(Ipv4Addr::LOCALHOST)
        .into()
}

pub struct Live {
    terminal: bool,
    started: Instant,
    printed: Option<Instant>,
    /// Hashes made until then, by algorithm.
    history: VecDeque<(Instant, [u64; 2])>,
}

impl Live {
    pub fn new(terminal: bool) -> Self {
        Self {
            terminal,
            started: Instant::now(),
            printed: None,
            history: VecDeque::new(),
        }
    }

    /// Called once a second.
    pub fn show(&mut self, world: &World, view: &View) {
        let now = Instant::now();
        let made = [Algorithm::Sha256d, Algorithm::Scrypt]
            .map(|algorithm| total_of(world, algorithm, |stats| stats.hashes));
        self.history.push_back((now, made));
        if self.history.len() > AVERAGE + 1 {
            self.history.pop_front();
        }
        if self.terminal {
            // Without wrapping a line that is too long is cut, not repeated.
            print!("\r\x1b[K\x1b[?7l{}\x1b[?7h", self.line(world, view));
            let _ = std::io::stdout().flush();
        } else if self
            .printed
            .is_none_or(|at| now.duration_since(at) >= PLAIN_EVERY)
        {
            self.printed = Some(now);
            println!("{}", self.line(world, view));
        }
    }

    /// A line of its own, above the live one.
    pub fn say(&self, text: &str) {
        let clear = if self.terminal { "\r\x1b[K" } else { "" };
        println!("{clear}{text}");
    }

    /// Leaves the live line.
    pub fn end(&self) {
        if self.terminal {
            println!();
        }
    }

    fn line(&self, world: &World, view: &View) -> String {
        let [sha256d, scrypt] = self.hashrates();
        let farm = Sums::of(world);
        let mut line = format!(
            "{:>4}s  {}H/s {}H/s  accepted {} (pools {})  rejected {}  unanswered {}  miners {}/{} disconnects {}",
            self.started.elapsed().as_secs(),
            quantity(sha256d),
            quantity(scrypt),
            farm.accepted,
            farm.in_books,
            farm.rejected,
            farm.unanswered,
            farm.working,
            world.miners.len(),
            farm.disconnects,
        );
        if farm.violations > 0 {
            line += &format!("  VIOLATIONS {}", farm.violations);
        }
        line += &format!("  {}", describe(view));
        for trouble in troubles(world) {
            line += &format!("  [{trouble}]");
        }
        line
    }

    fn hashrates(&self) -> [f64; 2] {
        let (Some((from, first)), Some((to, last))) = (self.history.front(), self.history.back())
        else {
            return [0.0; 2];
        };
        let seconds = to.duration_since(*from).as_secs_f64().max(0.001);
        [0, 1].map(|at| (last[at] - first[at]) as f64 / seconds)
    }
}

fn describe(view: &View) -> String {
    if let Some(problem) = &view.problem {
        return format!("status page: {problem}");
    }
    let mut parts = view.routes.clone();
    parts.extend(
        view.snapshot
            .as_ref()
            .map(|text| format!("snapshot {text}")),
    );
    parts.extend(view.central.as_ref().map(|text| format!("central {text}")));
    parts.join("  ")
}

fn troubles(world: &World) -> Vec<String> {
    let mut troubles = Vec::new();
    if world.wan_is_down() {
        troubles.push("WAN down".to_owned());
    }
    if world.central_is_down() {
        troubles.push("central down".to_owned());
    }
    for (site, name) in world.sites.iter().zip(NAMES) {
        if site.condition() != "up" {
            troubles.push(format!("pool {name} {}", site.condition()));
        }
    }
    troubles
}

struct Sums {
    accepted: u64,
    in_books: u64,
    rejected: u64,
    unanswered: u64,
    working: u64,
    disconnects: u64,
    violations: u64,
}

impl Sums {
    fn of(world: &World) -> Self {
        let miners = |of: fn(&MinerStats) -> u64| world.miners.iter().map(|m| m.read(of)).sum();
        let pools = world.sites.iter().flat_map(|site| &site.ports);
        Self {
            accepted: miners(|stats| stats.accepted),
            in_books: pools
                .map(|pool| pool.read(|books| books.total.accepted))
                .sum(),
            rejected: miners(MinerStats::rejected_total),
            unanswered: miners(|stats| stats.unanswered),
            working: miners(|stats| u64::from(stats.working)),
            disconnects: miners(|stats| stats.disconnects),
            violations: miners(|stats| stats.violations.len() as u64),
        }
    }
}

fn total_of(world: &World, algorithm: Algorithm, of: fn(&MinerStats) -> u64) -> u64 {
    let miners = world.miners.iter();
    miners
        .filter(|miner| miner.config().algorithm == algorithm)
        .map(|miner| miner.read(of))
        .sum()
}

/// What was earned where, as the pools and as the miners saw it.
pub fn summary(world: &World) -> String {
    let mut lines = vec!["pools' books:".to_owned()];
    for (site, name) in world.sites.iter().zip(NAMES) {
        lines.extend(site.ports.iter().map(|pool| pool_line(name, pool)));
    }
    let farm = Sums::of(world);
    lines.push(format!(
        "miners' view: accepted {}, rejected {}, unanswered {}, disconnects {}; accepted in the pools' books {}",
        farm.accepted, farm.rejected, farm.unanswered, farm.disconnects, farm.in_books
    ));
    lines.extend(world.miners.iter().filter_map(notable));
    lines.join("\n")
}

fn pool_line(name: &str, pool: &Pool) -> String {
    let algorithm = pool.algorithm();
    pool.read(|books| {
        format!(
            "  {name} {:<8} accepted {:>6}  rejected {:?}  blocks {}  connections opened {}",
            algorithm.name(),
            books.total.accepted,
            books.total.rejected,
            books.total.blocks,
            books.connections_opened
        )
    })
}

/// A miner with something to complain about.
fn notable(miner: &Miner) -> Option<String> {
    miner.read(|stats| {
        let quiet = stats.disconnects == 0 && stats.violations.is_empty() && stats.unanswered == 0;
        (!quiet).then(|| {
            format!(
                "  {}: disconnects {} (last: {}), unanswered {}, violations {:?}",
                miner.name(),
                stats.disconnects,
                stats.last_disconnect.as_deref().unwrap_or("-"),
                stats.unanswered,
                stats.violations.iter().take(3).collect::<Vec<_>>()
            )
        })
    })
}

/// A number with a unit prefix: `281.3 k`.
pub fn quantity(value: f64) -> String {
    let (scaled, prefix) = match value {
        value if value >= 1e9 => (value / 1e9, "G"),
        value if value >= 1e6 => (value / 1e6, "M"),
        value if value >= 1e3 => (value / 1e3, "k"),
        value => (value, ""),
    };
    format!("{scaled:.1} {prefix}")
}

#[cfg(test)]
mod tests {
    use super::quantity;

    #[test]
    fn quantities_are_readable() {
        assert_eq!(quantity(281_340.0), "281.3 k");
        assert_eq!(quantity(12.0), "12.0 ");
        assert_eq!(quantity(3.2e9), "3.2 G");
    }
}
