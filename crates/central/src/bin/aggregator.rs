//! `smart-mining-aggregator`: fills the tables and publishes signed snapshots.

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use smart_mining_central::aggregator::replay::Sink;
use smart_mining_central::aggregator::run::Setup;
use smart_mining_central::collect::config::ConfigError;
use smart_mining_central::collect::{Config, Recording};
use smart_mining_central::db::Database;
use smart_mining_central::import::{ImportError, import};
use smart_mining_central::source::Settings;
use smart_mining_central::{aggregator, ask, cli, keyfile};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Ranks coins and pools, and publishes the ranking signed.
#[derive(Parser)]
#[command(name = "smart-mining-aggregator", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Ask the sources, rank and publish, until SIGTERM or SIGINT.
    Run(Run),
    /// Ask every source once, publish, and print the ranking.
    Once(Once),
    /// Put recorded answers (`run --record`) through the same ranking, by their own clock.
    Replay(Replay),
    /// Store a data file and publish a snapshot; exit code 2 when the file is wrong.
    Import(Import),
    /// Make a new signing key; prints the public key, which farms trust.
    Keygen { file: PathBuf },
    /// Print the public key of a signing key.
    PublicKey { file: PathBuf },
    /// List the services that can be read.
    Sources,
    /// Ask one of them now and print what it says, a line of JSON each; stores nothing.
    Ask(Ask),
}

#[derive(Args)]
struct Configured {
    /// TOML; aggregator.example.toml says what it holds.
    #[arg(long, env = "SMART_MINING_AGGREGATOR_CONFIG")]
    config: PathBuf,
    /// The file that `keygen` wrote.
    #[arg(long, env = "SMART_MINING_SIGNING_KEY_FILE")]
    signing_key: PathBuf,
}

#[derive(Args)]
struct Run {
    #[command(flatten)]
    configured: Configured,
    /// postgres://USER:PASSWORD@HOST:5432/NAME
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// Also write every answer into this folder, for `replay`. No keys are written.
    #[arg(long)]
    record: Option<PathBuf>,
}

#[derive(Args)]
struct Once {
    /// TOML; aggregator.example.toml says what it holds.
    #[arg(long, env = "SMART_MINING_AGGREGATOR_CONFIG")]
    config: PathBuf,
    /// Print only; needs neither database nor key.
    #[arg(long)]
    dry_run: bool,
    #[arg(
        long,
        env = "SMART_MINING_SIGNING_KEY_FILE",
        required_unless_present = "dry_run"
    )]
    signing_key: Option<PathBuf>,
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        required_unless_present = "dry_run"
    )]
    database_url: Option<String>,
}

#[derive(Args)]
struct Replay {
    /// The folder with the recording.
    folder: PathBuf,
    #[command(flatten)]
    configured: Configured,
    /// Publish into this empty database instead of printing the snapshots.
    #[arg(long)]
    database_url: Option<String>,
}

#[derive(Args)]
struct Ask {
    /// A name that `sources` lists.
    source: String,
    /// Its address, if not the public one; an own node has no other.
    #[arg(long)]
    url: Option<String>,
    /// A file with the service's key, for those that want one.
    #[arg(long)]
    key_file: Option<PathBuf>,
    /// Coins or pools to ask for, where the service must be told; several by commas.
    #[arg(long, value_delimiter = ',')]
    about: Vec<String>,
    /// The private chain that an own node must be on (regtest, signet, fakechain), in
    /// place of the main network.
    #[arg(long, requires = "about")]
    network: Option<String>,
}

#[derive(Args)]
struct Import {
    /// JSON; the README says what it holds.
    file: PathBuf,
    /// Remove the rows that are not in the file.
    #[arg(long)]
    replace: bool,
    /// postgres://USER:PASSWORD@HOST:5432/NAME
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// The file that `keygen` wrote.
    #[arg(long, env = "SMART_MINING_SIGNING_KEY_FILE")]
    signing_key: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    cli::start_logging();
    let result = match Arguments::parse().command {
        Command::Run(arguments) => run(arguments).await,
        Command::Once(arguments) => once(arguments).await,
        Command::Replay(arguments) => replay(arguments).await,
        Command::Import(arguments) => run_import(arguments).await,
        Command::Keygen { file } => keygen(&file),
        Command::PublicKey { file } => public_key(&file),
        Command::Sources => ask::list(&mut std::io::stdout()),
        Command::Ask(arguments) => tokio::task::block_in_place(|| run_ask(arguments)),
    };
    cli::finish(result, |error| {
        error.is::<ConfigError>()
            || error
                .downcast_ref::<ImportError>()
                .is_some_and(ImportError::is_bad_input)
    })
}

async fn run(arguments: Run) -> anyhow::Result<()> {
    let stop = cli::stop_signal()?;
    let setup = Setup {
        config: Config::read(&arguments.configured.config)?,
        database: Database::lazy(&arguments.database_url)?,
        key: keyfile::read(&arguments.configured.signing_key)?,
        record: arguments.record,
    };
    aggregator::run::run(setup, stop).await?;
    log::info!("stopped");
    Ok(())
}

async fn once(arguments: Once) -> anyhow::Result<()> {
    let config = Config::read(&arguments.config)?;
    let edition = match (
        arguments.dry_run,
        arguments.signing_key,
        arguments.database_url,
    ) {
        (false, Some(key), Some(url)) => {
            let setup = Setup {
                config,
                database: Database::ready(&url).await?,
                key: keyfile::read(&key)?,
                record: None,
            };
            let (edition, published) = aggregator::run::once(&setup).await?;
            match published {
                Some(published) => log::info!("published snapshot {}", published.sequence),
                None => log::warn!("nothing could be ranked, so nothing was published"),
            }
            edition
        }
        (true, _, _) | (false, _, _) => aggregator::run::ask_once(&config).await?.1,
    };
    aggregator::show::ranking(&edition, &mut std::io::stdout())
}

async fn replay(arguments: Replay) -> anyhow::Result<()> {
    let config = Config::read(&arguments.configured.config)?;
    let key = keyfile::read(&arguments.configured.signing_key)?;
    let recording = Recording::open(&arguments.folder)?;
    let mut out = std::io::BufWriter::new(std::io::stdout());
    let sink = match &arguments.database_url {
        Some(url) => Sink::database(&Database::ready(url).await?).await?,
        None => Sink::lines(&mut out),
    };
    let summary = aggregator::replay::replay(recording, &config, &key, sink).await?;
    std::io::Write::flush(&mut out)?;
    log::info!(
        "{} answers and {} failures gave {} snapshots and {} rejections",
        summary.answers,
        summary.failures,
        summary.snapshots,
        summary.rejections
    );
    Ok(())
}

async fn run_import(arguments: Import) -> anyhow::Result<()> {
    let file = arguments.file.display();
    let text = std::fs::read_to_string(&arguments.file)
        .with_context(|| format!("{file} cannot be read; name a JSON data file"))?;
    let key = keyfile::read(&arguments.signing_key)?;
    let database = Database::ready(&arguments.database_url).await?;
    let published = import(&database.pool, &text, arguments.replace, &key)
        .await
        .with_context(|| format!("{file} into {}", database.target))?;
    println!("{}", published.sequence);
    log::info!(
        "published snapshot {} with {} entries, signed by key {}",
        published.sequence,
        published.entries,
        key.public().id()
    );
    Ok(())
}

fn run_ask(arguments: Ask) -> anyhow::Result<()> {
    let key = match &arguments.key_file {
        Some(file) => {
            let text = std::fs::read_to_string(file).with_context(|| {
                format!(
                    "{} cannot be read; name the file with the key",
                    file.display()
                )
            })?;
            Some(text.trim().to_owned())
        }
        None => None,
    };
    let of_coins = arguments.network.iter().flat_map(|network| {
        let coins = arguments.about.iter();
        coins.map(move |coin| (format!("network.{coin}"), network.clone()))
    });
    let settings = Settings {
        more: of_coins.collect(),
        url: arguments.url,
        key,
        about: arguments.about,
    };
    ask::ask(&arguments.source, &settings, &mut std::io::stdout())
}

fn keygen(file: &Path) -> anyhow::Result<()> {
    println!("{}", keyfile::generate(file)?.public());
    Ok(())
}

fn public_key(file: &Path) -> anyhow::Result<()> {
    println!("{}", keyfile::read(file)?.public());
    Ok(())
}
