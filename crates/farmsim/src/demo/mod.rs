//! The demo: three pools behind a WAN, a farm of miners, and one appliance
//! between them that is not part of this program.
//!
//! ```text
//! miners --> appliance --> relays (WAN) --> pools A, B, C
//!                    `---> relay  (WAN) --> central's API
//! ```
//! One loop owns the world: keys, control connections, signals and the clock
//! all end there, so commands never run at the same time.

mod args;
mod command;
mod control;
mod live;
mod status;
mod stop;
mod terminal;
mod world;

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::net::TcpStream;

pub use self::args::{ControlArgs, DemoArgs};
pub use self::control::control;
pub use self::live::quantity;
pub use self::stop::Stop;

use self::command::Command;
use self::control::ControlSocket;
use self::live::Live;
use self::status::StatusPage;
use self::terminal::Keys;
use self::world::World;

/// Runs the demo until a key, a signal or `--seconds` ends it.
pub async fn run(args: DemoArgs) -> Result<()> {
    let mut stop = Stop::new()?;
    let mut world = World::build(&args).await?;
    let mut control = ControlSocket::bind(args.control.as_deref())?;
    println!("pools A, B, C are up; waiting for the appliance");
    if !appliance_answers(&args, &mut stop).await? {
        return Ok(());
    }
    world.start_miners(&args);
    live::greet(&args);
    let terminal = std::io::stdout().is_terminal() && !args.plain;
    let mut keys = Keys::listen(terminal);
    let mut live = Live::new(terminal);
    let status = StatusPage::follow(&args.status_url);
    let mut clock = tokio::time::interval(Duration::from_secs(1));
    let end = args
        .seconds
        .map(|seconds| Instant::now() + Duration::from_secs(seconds));
    loop {
        tokio::select! {
            () = stop.asked() => break,
            _ = clock.tick() => {
                live.show(&world, &status.view());
                if end.is_some_and(|end| Instant::now() >= end) {
                    break;
                }
            }
            key = keys.next() => match command::of_key(key, &world) {
                Some(Command::Quit) => break,
                Some(command) => live.say(&outcome(world.obey(command).await)),
                None => {}
            },
            request = control.next() => {
                let answer = match Command::parse(&request.line) {
                    Ok(command) => outcome(world.obey(command).await),
                    Err(problem) => format!("error {problem}"),
                };
                if request.line.trim() != "status" {
                    live.say(&format!("{}: {answer}", request.line.trim()));
                }
                request.answer(answer);
            }
        }
    }
    drop(keys);
    live.end();
    world.settle().await;
    println!("{}", live::summary(&world));
    Ok(())
}

fn outcome(result: Result<String>) -> String {
    match result {
        Ok(text) => format!("ok {text}"),
        Err(error) => format!("error {error:#}"),
    }
}

/// Waits for both Stratum ports; `false` when told to stop.
async fn appliance_answers(args: &DemoArgs, stop: &mut Stop) -> Result<bool> {
    let mut asked: u32 = 0;
    for port in [args.stratum_sha256d, args.stratum_scrypt] {
        while TcpStream::connect(port).await.is_err() {
            asked += 1;
            if asked.is_multiple_of(20) {
                println!("no answer from the appliance at {port} yet: is it running?");
            }
            if stop.within(Duration::from_millis(250)).await {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
