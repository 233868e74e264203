//! Load for central's API: a crowd of farms, and requests in a row.
//!
//! Both count what they were answered and print it as JSON, for a script to judge.
//! `farms` behaves like the appliance's sync, connection by connection ([`farm`]); what
//! it received is written down in [`book`]. It does not check signatures nor unpack
//! bodies: the crowd usually shares its machine with the API that is measured.

mod book;
mod farm;
mod requests;

use crate::demo::Stop;
use anyhow::{Context, Result, ensure};
use book::Book;
use clap::Args;
use farm::Farm;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::sleep;

pub use requests::{RequestsArgs, requests};

#[derive(Args)]
pub struct FarmsArgs {
    /// http://HOST:PORT; several share the farms evenly
    #[arg(long, required = true)]
    api: Vec<String>,
    /// Tokens of enrolled farms, one a line
    #[arg(long)]
    tokens: PathBuf,
    /// Farms; each has a token and a connection of its own
    #[arg(long)]
    count: usize,
    /// End after so long, if no signal ends it before
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How long the API may hold a poll open; 25 is what the appliance asks for
    #[arg(long, default_value_t = 25)]
    wait: u64,
    /// Farms start evenly spread over so many seconds
    #[arg(long, default_value_t = 2.0)]
    start_within: f64,
    /// Read at the end: lines `SEQUENCE UNIX_SECONDS`, when each snapshot was committed.
    /// Without it, latency counts from the first farm that got the snapshot
    #[arg(long)]
    commits: Option<PathBuf>,
}

pub async fn farms(args: FarmsArgs) -> Result<()> {
    let text = std::fs::read_to_string(&args.tokens)
        .with_context(|| format!("cannot read {}", args.tokens.display()))?;
    let tokens: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    ensure!(
        tokens.len() >= args.count,
        "{} holds {} tokens, which is not enough for --count {}",
        args.tokens.display(),
        tokens.len(),
        args.count
    );
    let mut stop = Stop::new()?;
    let book = Arc::new(Book::default());
    let places: Vec<Place> = args
        .api
        .iter()
        .map(|url| Place::new(url))
        .collect::<Result<_>>()?;
    let starting = async {
        let apart = Duration::from_secs_f64(args.start_within / args.count.max(1) as f64);
        let started = tokio::time::Instant::now();
        for (number, token) in (0..args.count).zip(&tokens) {
            tokio::time::sleep_until(started + apart * u32::try_from(number)?).await;
            let place = places[number % places.len()].clone();
            tokio::spawn(Farm::new(place, token, args.wait, book.clone())?.run());
        }
        std::future::pending::<Result<()>>().await
    };
    tokio::select! {
        result = starting => result?,
        () = sleep(Duration::from_secs(args.seconds)) => {}
        () = stop.asked() => {}
    }
    let commits = match &args.commits {
        Some(file) => std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?,
        None => String::new(),
    };
    println!("{}", book.report(args.count, &book::commits(&commits)?));
    Ok(())
}

/// Where the API is.
#[derive(Clone)]
struct Place {
    /// HOST:PORT
    authority: Arc<str>,
}

impl Place {
    fn new(url: &str) -> Result<Self> {
        let authority = url
            .strip_prefix("http://")
            .with_context(|| format!("{url:?} is no http://HOST:PORT"))?;
        Ok(Self {
            authority: authority.trim_end_matches('/').into(),
        })
    }

    async fn connect(&self) -> std::io::Result<SendRequest<Empty<Bytes>>> {
        let stream = TcpStream::connect(&*self.authority).await?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(std::io::Error::other)?;
        // Its error is told to whoever waits for an answer on it.
        tokio::spawn(connection);
        Ok(sender)
    }
}
