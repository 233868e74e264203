//! Proxies between thousands of miners and two pools, measured side by side.
//!
//! One thread holds all miners and both pools, so that all times are of one clock
//! and the proxy under test has a processor of its own. What the numbers mean is
//! written down in `docs/performance.md`.

mod args;
mod job;
mod ledger;
mod limits;
mod link;
mod load;
mod miner;
mod pool;
mod process;
mod proxy;
mod report;
mod scan;
mod sockets;
mod speed;
mod stage;
mod takeover;
mod visitors;
mod wan;
mod world;

pub use args::BenchArgs;

use anyhow::{Context, Result, anyhow};
use proxy::Contender;
use report::Column;
use stage::Lab;

pub fn run(args: &BenchArgs) -> Result<()> {
    limits::raise(usize::try_from(args.miners)?)?;
    let lab = Lab::new(args)?;
    let known = args.proxies.iter().copied().map(Contender::Known);
    let external = args.external.iter().cloned().map(Contender::External);
    let mut columns = Vec::new();
    let mut result = Ok(());
    for contender in known.chain(external) {
        let mut column = Column::new(contender.name());
        // The others' numbers are worth having even if one of them fails.
        if let Err(error) = lab.measure(&contender, &mut column) {
            eprintln!("{}: {error:#}", contender.name());
            result = Err(anyhow!("not everything could be measured"));
        }
        columns.push(column);
    }
    print!("{}", report::markdown(args.miners, &columns));
    if let Some(file) = &args.json {
        let text = format!("{:#}\n", report::json(args.miners, &columns));
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    result
}
