//! The proxies: started with a configuration of their own, ended on drop.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::args::{BenchArgs, External, Known};
use super::world::World;
use super::{limits, visitors};

/// How long a proxy may take to listen.
const START: Duration = Duration::from_secs(20);
/// Time for a started proxy to find its pools.
const SETTLE: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
pub enum Contender {
    Known(Known),
    External(External),
}

impl Contender {
    pub fn name(&self) -> &str {
        match self {
            Self::Known(Known::None) => "none",
            Self::Known(Known::Haproxy) => "haproxy",
            Self::Known(Known::Appliance) => "appliance",
            Self::Known(Known::Watched) => "appliance, watched",
            Self::External(external) => &external.name,
        }
    }

    /// Whether the pools' failures are anybody's business.
    pub fn is_none(&self) -> bool {
        match self {
            Self::Known(Known::None) => true,
            Self::Known(Known::Haproxy | Known::Appliance | Known::Watched) | Self::External(_) => {
                false
            }
        }
    }

    /// Whether it can be asked to judge shares that are too easy for the pool.
    pub fn is_appliance(&self) -> bool {
        match self {
            Self::Known(Known::Appliance | Known::Watched) => true,
            Self::Known(Known::None | Known::Haproxy) | Self::External(_) => false,
        }
    }
}

/// A proxy that runs for one stage.
pub struct Running {
    pub address: Option<SocketAddr>,
    pub pid: Option<u32>,
    /// Where its page is to be held open.
    watched: Option<SocketAddr>,
    child: Option<(Child, TempDir)>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.child {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Running {
    pub fn start(contender: &Contender, args: &BenchArgs, pools: [SocketAddr; 2]) -> Result<Self> {
        match contender {
            Contender::Known(Known::None) => Ok(Self {
                address: None,
                pid: None,
                watched: None,
                child: None,
            }),
            Contender::Known(Known::Haproxy) => haproxy(args, pools),
            Contender::Known(Known::Appliance) => appliance(args, pools, false),
            Contender::Known(Known::Watched) => appliance(args, pools, true),
            Contender::External(external) => Ok(Self {
                address: Some(external.address),
                pid: external.pid,
                watched: None,
                child: None,
            }),
        }
    }

    /// Turns the world until the proxy listens and had time to settle.
    pub fn wait(&mut self, world: &mut World) -> Result<()> {
        let Some(address) = self.address else {
            return Ok(());
        };
        let end = Instant::now() + START;
        while TcpStream::connect(address).is_err() {
            self.must_live()?;
            if Instant::now() > end {
                bail!("nothing listens on {address}");
            }
            world.until(Instant::now() + Duration::from_millis(20), |_| false)?;
        }
        if let Some(page) = self.watched {
            visitors::visit(page).context("the page cannot be held open")?;
        }
        if self.child.is_some() {
            world.until(Instant::now() + SETTLE, |_| false)?;
        }
        Ok(())
    }

    /// An error with its last words, if it has ended by itself.
    pub fn must_live(&mut self) -> Result<()> {
        if let Some((child, dir)) = &mut self.child
            && let Some(status) = child.try_wait()?
        {
            let log = std::fs::read_to_string(log_file(dir.path())).unwrap_or_default();
            bail!("the proxy ended ({status}):\n{log}");
        }
        Ok(())
    }

    fn spawn(
        program: &Path,
        words: &[&str],
        args: &BenchArgs,
        dir: TempDir,
        port: u16,
    ) -> Result<Self> {
        let log = File::create(log_file(dir.path()))?;
        // Should this program be killed, the kernel ends the proxy.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "taskset", "-c"])
            .arg(args.proxy_cpu.to_string())
            .arg(program)
            .args(words)
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self {
            address: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
            pid: Some(child.id()),
            watched: None,
            child: Some((child, dir)),
        })
    }
}

fn log_file(dir: &Path) -> PathBuf {
    dir.join("log")
}

pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

fn haproxy(args: &BenchArgs, [a, b]: [SocketAddr; 2]) -> Result<Running> {
    let dir = tempfile::tempdir()?;
    let port = free_port()?;
    // In a storm the old connections are still there; each takes two files.
    let most = (limits::open_files().saturating_sub(100) / 2).max(args.miners.into());
    let room = most.min(u64::from(args.miners) * 2 + 50);
    let config = format!(
        "global\n  nbthread 1\n  maxconn {room}\n\
         defaults\n  mode tcp\n  timeout connect 2s\n  timeout client 1h\n  timeout server 1h\n  \
         option redispatch\n  retries 3\n  maxconn {room}\n\
         listen stratum\n  bind 127.0.0.1:{port}\n  \
         default-server inter 500ms fall 2 rise 2 on-marked-down shutdown-sessions\n{}{}",
        servers("a", a, args.miners, ""),
        servers("b", b, args.miners, " backup"),
    );
    std::fs::write(dir.path().join("haproxy.cfg"), config)?;
    // Not on everybody's PATH.
    let program = Path::new("/usr/sbin/haproxy");
    Running::spawn(program, &["-db", "-f", "haproxy.cfg"], args, dir, port)
}

/// One line, unless there are more miners than a source address has ports for.
fn servers(name: &str, pool: SocketAddr, miners: u32, role: &str) -> String {
    let groups = miners.div_ceil(25_000);
    let line = |group| match groups {
        1 => format!("  server {name} {pool} check{role}\n"),
        _ => format!("  server {name}{group} {pool} check source 127.0.1.{group}{role}\n"),
    };
    let all = if groups > 1 && !role.is_empty() {
        "  option allbackups\n"
    } else {
        ""
    };
    (1..=groups).map(line).chain([all.to_owned()]).collect()
}

fn appliance(args: &BenchArgs, [a, b]: [SocketAddr; 2], watched: bool) -> Result<Running> {
    let dir = tempfile::tempdir()?;
    let (port, status) = (free_port()?, free_port()?);
    let pool = |id: &str, address| {
        format!(
            "[[pool]]\nid = \"{id}\"\nalgorithm = \"sha256d\"\ncoin = \"BTC\"\n\
             url = \"stratum+tcp://{address}\"\nuser = \"account.{{worker}}\"\n"
        )
    };
    let config = format!(
        "[farm]\nname = \"bench\"\n[store]\npath = \"farm.sqlite\"\n\
         [[listener]]\nalgorithm = \"sha256d\"\nbind = \"127.0.0.1:{port}\"\nmax_miners = {}\n\
         {}{}[status]\nbind = \"127.0.0.1:{status}\"\n[access]\nallow = [\"127.0.0.0/8\"]\n",
        args.miners + 100,
        pool("a", a),
        pool("b", b),
    );
    std::fs::write(dir.path().join("farm.toml"), config)?;
    let program = std::path::absolute(&args.proxy_binary)?;
    let program = if program.exists() {
        program
    } else {
        args.proxy_binary.clone()
    };
    let mut running = Running::spawn(&program, &["run", "--config", "farm.toml"], args, dir, port)?;
    running.watched = watched.then(|| SocketAddr::from((Ipv4Addr::LOCALHOST, status)));
    Ok(running)
}
