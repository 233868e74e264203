//! Each scenario has a stage of its own: fresh pools, a fresh proxy, fresh miners.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::args::{BenchArgs, Scenario};
use super::proxy::{Contender, Running, free_port};
use super::report::{Column, Figure};
use super::world::World;
use super::{speed, takeover, wan};

/// So low that every hash is a share: what is measured is not mining.
const EVERY_HASH: f64 = 1e-10;

pub struct Lab<'a> {
    pub args: &'a BenchArgs,
    addresses: [SocketAddr; 2],
}

pub struct Stage {
    pub world: World,
    pub proxy: Running,
}

impl<'a> Lab<'a> {
    /// The pools keep their addresses over all stages: a proxy that runs already
    /// cannot be told new ones.
    pub fn new(args: &'a BenchArgs) -> Result<Self> {
        let mut addresses = [args.pool_a, args.pool_b];
        for address in &mut addresses {
            if address.port() == 0 {
                address.set_port(free_port()?);
            }
        }
        Ok(Self { args, addresses })
    }

    /// Fills the column as far as the proxy gets.
    pub fn measure(&self, contender: &Contender, column: &mut Column) -> Result<()> {
        for (scenario, scene) in [
            (Scenario::Connect, speed::connect as Scene),
            (Scenario::Notify, speed::notify),
            (Scenario::Rtt, speed::rtt),
            (Scenario::Max, speed::max),
            (Scenario::Rss, takeover::rss),
            (Scenario::Wan, wan::run),
            (Scenario::Kill, takeover::kill),
            (Scenario::Blackhole, takeover::blackhole),
        ] {
            if !self.args.wants(scenario) {
                continue;
            }
            eprintln!("{}: {scenario:?}", contender.name());
            if let Some(key) = hopeless(contender, scenario) {
                column.set(key, Figure::Never);
                continue;
            }
            let mut stage = self.stage(contender, self.difficulty(contender, scenario))?;
            let result = scene(&mut stage, self.args, column);
            stage.proxy.must_live()?;
            result.with_context(|| format!("{scenario:?}"))?;
            stage.book(scenario, column);
        }
        Ok(())
    }

    fn difficulty(&self, contender: &Contender, scenario: Scenario) -> f64 {
        match scenario {
            // Miners ask the appliance for less than the pool asks for. What passes
            // everything on has one difficulty at both sides.
            Scenario::Wan if contender.is_appliance() => wan::pool_difficulty(self.args.miners),
            Scenario::Wan => wan::miner_difficulty(),
            Scenario::Connect
            | Scenario::Notify
            | Scenario::Rtt
            | Scenario::Max
            | Scenario::Rss
            | Scenario::Kill
            | Scenario::Blackhole => EVERY_HASH,
        }
    }

    pub fn stage(&self, contender: &Contender, difficulty: f64) -> Result<Stage> {
        let miners = usize::try_from(self.args.miners)?;
        let mut world = World::new(self.addresses, miners, difficulty)?;
        let mut proxy = Running::start(contender, self.args, self.addresses)?;
        proxy.wait(&mut world)?;
        if let Some(address) = proxy.address {
            world.target = address;
        }
        Ok(Stage { world, proxy })
    }
}

type Scene = fn(&mut Stage, &BenchArgs, &mut Column) -> Result<()>;

/// Miners that know pool A alone stay there.
fn hopeless(contender: &Contender, scenario: Scenario) -> Option<&'static str> {
    match scenario {
        Scenario::Kill if contender.is_none() => Some("kill_ms"),
        Scenario::Blackhole if contender.is_none() => Some("blackhole_ms"),
        Scenario::Connect
        | Scenario::Notify
        | Scenario::Rtt
        | Scenario::Max
        | Scenario::Rss
        | Scenario::Wan
        | Scenario::Kill
        | Scenario::Blackhole => None,
    }
}

impl Stage {
    /// Switches all miners on; how long it takes until all have a job.
    pub fn connect(&mut self) -> Result<Duration> {
        const BOUND: Duration = Duration::from_secs(60);
        let started = Instant::now();
        let all = self.world.miners.len();
        self.world.connect_all()?;
        if !self
            .world
            .until(started + BOUND, |world| world.working() >= all)?
        {
            bail!(
                "{} of {all} miners have a job after {BOUND:?}",
                self.world.working()
            );
        }
        Ok(started.elapsed())
    }

    fn book(&self, scenario: Scenario, column: &mut Column) {
        let ledger = &self.world.floor.ledger;
        // A pool that fails has rows of its own for that.
        if !matches!(scenario, Scenario::Kill | Scenario::Blackhole) {
            let refused = ledger.outcome(0..ledger.len()).refused;
            column.add("refused", refused);
            if let Some(line) = &ledger.refusal {
                eprintln!("  {refused} shares refused, the first with {line}");
            }
        }
        column.add("strays", ledger.strays);
        column.add("false_accepts", ledger.lies());
    }
}
