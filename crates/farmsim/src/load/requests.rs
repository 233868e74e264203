//! The same request again and again, to learn what one costs.

use super::Place;
use super::book::spread;
use anyhow::{Context, Result, bail};
use clap::Args;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::HOST;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

#[derive(Args)]
pub struct RequestsArgs {
    /// http://HOST:PORT/PATH
    url: String,
    /// Connections; each asks again as soon as it was answered
    #[arg(long, default_value_t = 16)]
    connections: usize,
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

pub async fn requests(args: RequestsArgs) -> Result<()> {
    let rest = args.url.strip_prefix("http://").unwrap_or_default();
    let (authority, path) = rest
        .split_once('/')
        .with_context(|| format!("{:?} is no http://HOST:PORT/PATH", args.url))?;
    let place = Place::new(&format!("http://{authority}"))?;
    let started = Instant::now();
    let end = started + Duration::from_secs(args.seconds);
    let mut asking = JoinSet::new();
    for _ in 0..args.connections {
        asking.spawn(ask(place.clone(), format!("/{path}"), end));
    }
    let mut took = Vec::new();
    while let Some(times) = asking.join_next().await {
        took.extend(times??);
    }
    let seconds = started.elapsed().as_secs_f64();
    took.sort_by(f64::total_cmp);
    let report = json!({
        "requests": took.len(),
        "per_second": (took.len() as f64 / seconds).round(),
        "ms": spread(&took, 0.0),
    });
    println!("{report}");
    Ok(())
}

/// How long each answer took, in seconds. An answer other than 200 ends the measurement:
/// what an error costs is no figure for what an answer does.
async fn ask(place: Place, path: String, end: Instant) -> Result<Vec<f64>> {
    let mut connection = place.connect().await?;
    let mut took = Vec::new();
    while Instant::now() < end {
        let asked = Instant::now();
        let request = Request::get(&path)
            .header(HOST, &*place.authority)
            .body(Empty::<Bytes>::new())?;
        connection.ready().await?;
        let response = connection.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if status != 200 {
            bail!("answered with {status}: {}", String::from_utf8_lossy(&body));
        }
        took.push(asked.elapsed().as_secs_f64());
    }
    Ok(took)
}
