//! `smart-mining-aggregator sources` and `ask`: what can be read, and what it says now.

use crate::collect::secrets::Secrets;
use crate::source::{Catalog, Observation, Parsed, Request, Settings, Source, Subject, registry};
use crate::transport::fetch::{client, fetch};
use anyhow::{Context, bail};
use serde::Serialize;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// One line a source: name, key, documented limit, requests with these settings.
pub fn list(out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(
        out,
        "{:<22} {:<4} {:>12} {:>9}",
        "SOURCE", "KEY", "PER MINUTE", "REQUESTS"
    )?;
    for source in registry::all() {
        let requests = source
            .requests(&Settings::default(), Catalog::built_in())
            .len();
        let needs = if source.needs_key() { "yes" } else { "no" };
        // A node has no public address, some sources must be told what to ask for.
        let requests = match requests {
            0 => "set up".to_owned(),
            some => some.to_string(),
        };
        let (name, limit) = (source.name(), source.budget().per_minute);
        writeln!(out, "{name:<22} {needs:<4} {limit:>12.2} {requests:>9}")?;
    }
    Ok(())
}

/// An observation as one line of JSON.
#[derive(Serialize)]
struct Row<'a> {
    source: &'a str,
    request: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    coin: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    algorithm: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pool: Option<&'a str>,
    fact: String,
    /// Digits as they are: a number of JSON would lose some.
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<u64>,
}

/// Ask one source everything it would be asked, once, and print what it says.
/// Blocks. What failed or was left out goes to the log; nothing read is an error.
pub fn ask(name: &str, settings: &Settings, out: &mut impl Write) -> anyhow::Result<()> {
    let source = registry::find(name)
        .with_context(|| format!("no source is called {name:?}; `sources` lists them"))?;
    if source.needs_key() && settings.key.is_none() {
        bail!("{name} answers only with a key; give it by --key-file");
    }
    let catalog = Catalog::built_in();
    let requests = source.requests(settings, catalog);
    if requests.is_empty() {
        bail!("nothing to ask {name}; give its address by --url, or what to ask for by --about");
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let client = client();
    let (mut read, mut asked) = (0, 0);
    for request in &requests {
        let parsed = ask_once(&client, (source, settings), request, now, out)?;
        let further = source.follow_up(settings, catalog, &parsed);
        asked += 1 + further.len();
        read += parsed.observations.len();
        for request in &further {
            read += ask_once(&client, (source, settings), request, now, out)?
                .observations
                .len();
        }
    }
    if read == 0 {
        bail!("{name} gave no observation in {asked} requests");
    }
    Ok(())
}

fn ask_once(
    client: &ureq::Agent,
    (source, settings): (&dyn Source, &Settings),
    request: &Request,
    now: u64,
    out: &mut impl Write,
) -> anyhow::Result<Parsed> {
    let (name, kind) = (source.name(), request.kind);
    let parsed = match fetch(client, source, request, Catalog::built_in(), now) {
        Ok(parsed) => parsed,
        Err(error) => {
            // Some services repeat a wrong key.
            let error = Secrets::of(settings).covered_error(error);
            log::warn!("{name} {kind} {}: {error}", request.about);
            return Ok(Parsed::default());
        }
    };
    if !parsed.unmapped.is_empty() {
        let first = &parsed.unmapped[0];
        let count = parsed.unmapped.len();
        log::info!(
            "{name} {kind}: {count} rows left out, the first: {} ({})",
            first.name,
            first.why
        );
    }
    for observation in &parsed.observations {
        writeln!(
            out,
            "{}",
            serde_json::to_string(&row(name, kind, observation))?
        )?;
    }
    Ok(parsed)
}

fn row<'a>(source: &'a str, request: &'a str, observation: &'a Observation) -> Row<'a> {
    let (coin, algorithm, pool) = match &observation.subject {
        Subject::Coin { coin } => (Some(coin), None, None),
        Subject::Chain { coin, algorithm } => (Some(coin), Some(algorithm), None),
        Subject::Pool {
            pool,
            coin,
            algorithm,
        } => (Some(coin), Some(algorithm), Some(pool)),
        Subject::Market { market, algorithm } => (None, Some(algorithm), Some(market)),
    };
    Row {
        source,
        request,
        coin: coin.map(String::as_str),
        algorithm: algorithm.map(String::as_str),
        pool: pool.map(String::as_str),
        fact: format!("{:?}", observation.fact),
        value: observation.value.normalized().to_plain_string(),
        at: observation.at,
    }
}
