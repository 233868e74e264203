//! `smart-mining-api`: serves snapshots to farms and keeps the list of farms.

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use smart_mining_central::db::{Database, DatabaseError};
use smart_mining_central::{api, cli, farms};
use std::net::SocketAddr;
use std::process::ExitCode;
use tokio::net::TcpListener;

/// Serves signed snapshots to the farms.
#[derive(Parser)]
#[command(name = "smart-mining-api", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT.
    Serve(Serve),
    /// Make a token for a farm and print it: the only time that it is shown.
    Enrol(Enrol),
    /// List the farms.
    Farms(Target),
}

#[derive(Args)]
struct Target {
    /// postgres://USER:PASSWORD@HOST:5432/NAME
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
}

#[derive(Args)]
struct Serve {
    /// Address and port; port 0 takes a free one, which the log names.
    #[arg(
        long,
        env = "SMART_MINING_API_LISTEN",
        default_value = "127.0.0.1:3000"
    )]
    listen: SocketAddr,
    /// Connections at one time; each farm holds one.
    #[arg(long, env = "SMART_MINING_API_MAX_CONNECTIONS", default_value_t = api::DEFAULT_MAX_CONNECTIONS)]
    max_connections: usize,
    #[command(flatten)]
    target: Target,
}

#[derive(Args)]
struct Enrol {
    /// 1 to 63 characters of A-Z a-z 0-9 . _ -
    name: String,
    /// Give an enrolled farm a new token; the old one ends.
    #[arg(long)]
    rotate: bool,
    #[command(flatten)]
    target: Target,
}

#[tokio::main]
async fn main() -> ExitCode {
    cli::start_logging();
    let result = match Arguments::parse().command {
        Command::Serve(arguments) => serve(arguments).await,
        Command::Enrol(arguments) => enrol(arguments).await,
        Command::Farms(target) => list_farms(target).await,
    };
    cli::finish(result, |error| {
        let url = error.downcast_ref::<DatabaseError>();
        matches!(url, Some(DatabaseError::Url(_)))
    })
}

async fn serve(arguments: Serve) -> anyhow::Result<()> {
    let stop = cli::stop_signal()?;
    let database = Database::lazy(&arguments.target.database_url)?;
    let listener = TcpListener::bind(arguments.listen).await.with_context(|| {
        format!(
            "cannot listen on {}; use another --listen",
            arguments.listen
        )
    })?;
    log::info!("listening on http://{}", listener.local_addr()?);
    api::run(listener, database, arguments.max_connections, stop).await
}

async fn enrol(arguments: Enrol) -> anyhow::Result<()> {
    let database = Database::ready(&arguments.target.database_url).await?;
    let token = match arguments.rotate {
        true => farms::rotate(&database.pool, &arguments.name).await?,
        false => farms::enrol(&database.pool, &arguments.name).await?,
    };
    println!("{}", token.reveal());
    Ok(())
}

async fn list_farms(target: Target) -> anyhow::Result<()> {
    let database = Database::ready(&target.database_url).await?;
    for farm in farms::list(&database.pool).await? {
        let state = if farm.disabled {
            "disabled"
        } else {
            "enrolled"
        };
        println!("{}\t{state}\t{}", farm.name, farm.enrolled_at);
    }
    Ok(())
}
