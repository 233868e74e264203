//! The support bundle: what a supporter asks for, in one `.tar.gz`, without secrets.
//!
//! Made in memory and bounded: each part has its share of [`MOST`], and what is
//! longer is cut, the oldest first. Nothing leaves unscrubbed (`scrub`).

mod journal;
mod scrub;

use super::Trouble;
use crate::clock::unix_now;
use crate::store::StoreError;
use crate::view::Views;
use flate2::Compression;
use flate2::write::GzEncoder;
use scrub::Scrubber;
use serde_json::{Value, json};
use std::sync::Arc;

/// Of all parts together, before they are compressed.
pub const MOST: usize = 4_500_000;
const FARM_TOML: usize = 256 * 1024;
const STATUS: usize = 500_000;
const MINERS: usize = 1_000_000;
const EVENTS: usize = 700_000;
const DECISIONS: usize = 1_000_000;
const JOURNAL: usize = 1_000_000;
const _: () = assert!(FARM_TOML + STATUS + MINERS + EVENTS + DECISIONS + JOURNAL < MOST);
/// Newest events and decisions.
const NEWEST: usize = 1000;

const README: &str = "Made by smart-mining-proxy for whoever helps with this farm.\n\n\
    about.json      which program, where and since when\n\
    farm.toml       the configuration; what is or may be a secret is (hidden), comments are left out\n\
    status.json     what the status page shows, with the state of the device\n\
    miners.json     the miners that are connected\n\
    events.json     the newest events, newest first\n\
    decisions.json  the newest changes of the route with their numbers, newest first\n\
    journal.txt     the newest lines of the log, if it can be read\n";

/// One at a time.
pub async fn make(views: &Arc<Views>) -> Result<Vec<u8>, Trouble> {
    let _one = views.operator.bundling.try_acquire().map_err(|_| {
        let detail = "a support bundle is being made already";
        Trouble::new(503, "busy", detail, "try again in a few seconds")
    })?;
    let views = views.clone();
    let made = tokio::task::spawn_blocking(move || pack(parts(&views)));
    let made = made.await.map_err(|fault| fault.to_string());
    made.and_then(|packed| packed.map_err(|error| error.to_string()))
        .map_err(|why| {
            let detail = format!("the bundle cannot be made: {why}");
            Trouble::new(500, "bundle", detail, "look at the journal")
        })
}

struct Part {
    name: &'static str,
    text: String,
}

fn parts(views: &Views) -> Vec<Part> {
    // What happened a moment ago is often what it is about. A store that is sick says so below.
    let _ = views.store.flush();
    let config = &views.operator.config;
    let scrubber = Scrubber::of(config);
    let part = |name, text: &str, most| Part {
        name,
        text: cut(scrubber.scrub(text), most),
    };
    let status = serde_json::to_string_pretty(&views.status());
    let farm_toml = match std::fs::read_to_string(&config.file) {
        Ok(text) => scrub::configuration(&text),
        Err(error) => format!("# cannot be read: {error}\n"),
    };
    let miners: Vec<_> = (views.miners().into_iter())
        .map(|miner| json!(miner))
        .collect();
    vec![
        part("README.txt", README, README.len()),
        part("about.json", &pretty(&about(views)), 16 * 1024),
        part("farm.toml", &farm_toml, FARM_TOML),
        part("status.json", &status.unwrap_or_default(), STATUS),
        part("miners.json", &list(&miners, MINERS), MINERS),
        part("events.json", &list(&read(events(views)), EVENTS), EVENTS),
        part(
            "decisions.json",
            &list(&read(decisions(views)), DECISIONS),
            DECISIONS,
        ),
        part("journal.txt", &journal::read(JOURNAL), JOURNAL),
    ]
}

fn about(views: &Views) -> Value {
    let system = nix::sys::utsname::uname().ok();
    let system = system.map(|it| {
        let text = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
        json!({
            "kernel": text(it.sysname()),
            "release": text(it.release()),
            "machine": text(it.machine()),
        })
    });
    json!({
        "program": "smart-mining-proxy",
        "version": env!("CARGO_PKG_VERSION"),
        "made_at": unix_now(),
        "started_at": views.started_at,
        "system": system,
        "is_image": views.operator.machine.is_some(),
        "names": views.operator.names.all(),
    })
}

fn events(views: &Views) -> Result<Vec<Value>, StoreError> {
    let rows = views.store.reader()?.events(NEWEST)?;
    let row = |row: crate::store::EventRow| json!({"at": row.at, "code": row.code, "subject": row.subject, "text": row.text});
    Ok(rows.into_iter().map(row).collect())
}

fn decisions(views: &Views) -> Result<Vec<Value>, StoreError> {
    let rows = views.store.reader()?.decisions(NEWEST)?;
    let row = |row: crate::store::DecisionRow| {
        let it = row.decision;
        json!({
            "at": it.at, "algorithm": it.algorithm, "from": it.from_pool, "to": it.to_pool,
            "coin": it.coin, "rule": it.rule, "why": it.text,
            "detail": serde_json::from_str::<Value>(&it.detail).unwrap_or_default(),
        })
    };
    Ok(rows.into_iter().map(row).collect())
}

fn read(rows: Result<Vec<Value>, StoreError>) -> Vec<Value> {
    rows.unwrap_or_else(|error| vec![json!({"cannot be read": error.to_string()})])
}

/// One a line, as many of the first ones as there is room for.
fn list(values: &[Value], most: usize) -> String {
    let mut out = String::from("[");
    for (index, value) in values.iter().enumerate() {
        let line = value.to_string();
        if out.len() + line.len() + 4 > most {
            break;
        }
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        out.push_str(&line);
    }
    out.push_str("\n]\n");
    out
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn cut(mut text: String, most: usize) -> String {
    let end = (0..=most.min(text.len()))
        .rev()
        .find(|&end| text.is_char_boundary(end));
    text.truncate(end.unwrap_or(0));
    text
}

fn pack(parts: Vec<Part>) -> std::io::Result<Vec<u8>> {
    // A Pi has other things to do: the best compression takes ten times as long.
    let packed = GzEncoder::new(Vec::new(), Compression::fast());
    let mut archive = tar::Builder::new(packed);
    for part in parts {
        let mut header = tar::Header::new_gnu();
        header.set_size(part.text.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(unix_now());
        let path = format!("smart-mining-support/{}", part.name);
        archive.append_data(&mut header, path, part.text.as_bytes())?;
    }
    archive.into_inner()?.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_too_long_keeps_its_start_and_stays_json() {
        let values: Vec<Value> = (0..1000).map(|n| json!({"n": n})).collect();
        let text = list(&values, 1000);
        assert!(text.len() <= 1000);
        let read: Vec<Value> = serde_json::from_str(&text).expect("JSON");
        assert!(read.len() > 50 && read[0]["n"] == 0);
        assert_eq!(
            serde_json::from_str::<Value>(&list(&[], 10)).ok(),
            Some(json!([]))
        );
    }

    #[test]
    fn what_is_packed_is_bounded_also_where_nothing_can_be_compressed() {
        let mut state = 1_u64;
        let noise = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b' ' + (state >> 33) as u8 % 95)
        });
        let text: String = noise.take(MOST).collect();
        let packed = pack(vec![Part {
            name: "noise",
            text,
        }])
        .expect("packed");
        assert!(packed.len() < 5_000_000, "{}", packed.len());
    }
}
