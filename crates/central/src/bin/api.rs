//! `smart-mining-api`: serves snapshots to farms and keeps the list of farms.

use anyhow::Context as _;
use axum::http::HeaderName;
use clap::{Args, Parser, Subcommand};
use smart_mining_central::api::{Operator, Options, Rate, Rates};
use smart_mining_central::db::{Database, DatabaseError};
use smart_mining_central::{api, cli, farms};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
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
    /// Refuse a farm's token until it is enabled again.
    Disable(Named),
    /// Take a disabled farm's token again.
    Enable(Named),
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
    /// File with the token that opens what is the operator's; without one nothing does.
    #[arg(long, env = "SMART_MINING_OPERATOR_TOKEN_FILE", value_name = "FILE")]
    operator_token_file: Option<PathBuf>,
    // No flag: an argument can be read by every user of the machine.
    /// Requests a second for long that a token is good for.
    #[arg(long, env = "SMART_MINING_API_TOKEN_RATE", default_value_t = api::TOKEN_RATE.per_second)]
    token_rate: NonZeroU32,
    /// Requests at once that a token is good for.
    #[arg(long, env = "SMART_MINING_API_TOKEN_BURST", default_value_t = api::TOKEN_RATE.burst)]
    token_burst: NonZeroU32,
    /// Requests a second for long from one address without a known token.
    #[arg(long, env = "SMART_MINING_API_ADDRESS_RATE", default_value_t = api::ADDRESS_RATE.per_second)]
    address_rate: NonZeroU32,
    /// Requests at once from one address without a known token.
    #[arg(long, env = "SMART_MINING_API_ADDRESS_BURST", default_value_t = api::ADDRESS_RATE.burst)]
    address_burst: NonZeroU32,
    /// Take the client's address from the last item of this header, X-Forwarded-For for
    /// instance. Only behind a proxy that writes it: anybody else could write it too.
    #[arg(
        long,
        env = "SMART_MINING_API_FORWARDED_HEADER",
        value_name = "HEADER",
        value_parser = header_name
    )]
    forwarded_header: Option<HeaderName>,
    /// Seconds between two writes of when farms were seen.
    #[arg(long, env = "SMART_MINING_API_SEEN_EVERY", default_value_t = api::SEEN_EVERY.as_secs(),
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    seen_every: u64,
    #[command(flatten)]
    target: Target,
}

fn header_name(text: &str) -> Result<HeaderName, String> {
    text.parse().map_err(|error| format!("{error}"))
}

impl Serve {
    fn options(&self) -> anyhow::Result<Options> {
        Ok(Options {
            max_connections: self.max_connections,
            operator: operator(self.operator_token_file.as_deref())?,
            rates: Rates {
                token: Rate {
                    per_second: self.token_rate,
                    burst: self.token_burst,
                },
                address: Rate {
                    per_second: self.address_rate,
                    burst: self.address_burst,
                },
                forwarded: self.forwarded_header.clone(),
            },
            seen_every: Duration::from_secs(self.seen_every),
        })
    }
}

/// By file, else by the environment, else nobody is the operator. An empty value is
/// none: that is how a compose file passes on what was not set.
fn operator(file: Option<&Path>) -> anyhow::Result<Operator> {
    match (file, std::env::var("SMART_MINING_OPERATOR_TOKEN")) {
        (Some(file), _) if !file.as_os_str().is_empty() => Operator::from_file(file),
        (Some(_) | None, Ok(token)) if !token.is_empty() => {
            Operator::from_token(&token).context("SMART_MINING_OPERATOR_TOKEN cannot be used")
        }
        (Some(_) | None, _) => {
            log::info!("no operator's token is set up: what is the operator's is closed");
            Ok(Operator::default())
        }
    }
}

#[derive(Args)]
struct Named {
    /// The farm's name.
    name: String,
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
        Command::Disable(named) => set_disabled(named, true).await,
        Command::Enable(named) => set_disabled(named, false).await,
    };
    cli::finish(result, |error| {
        let url = error.downcast_ref::<DatabaseError>();
        matches!(url, Some(DatabaseError::Url(_)))
    })
}

async fn serve(arguments: Serve) -> anyhow::Result<()> {
    let stop = cli::stop_signal()?;
    let options = arguments.options()?;
    cli::allow_connections(options.max_connections);
    let database = Database::lazy(&arguments.target.database_url)?;
    let listener = TcpListener::bind(arguments.listen).await.with_context(|| {
        format!(
            "cannot listen on {}; use another --listen",
            arguments.listen
        )
    })?;
    log::info!("listening on http://{}", listener.local_addr()?);
    api::serve(listener, database, options, stop).await
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

async fn set_disabled(named: Named, disabled: bool) -> anyhow::Result<()> {
    let database = Database::ready(&named.target.database_url).await?;
    farms::set_disabled(&database.pool, &named.name, disabled).await?;
    Ok(())
}
