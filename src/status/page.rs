//! The page at `/`: one glance, no script, no asset, readable on a phone.

use crate::provision::Outcome;
use crate::registry::{MinerState, MinerView};
use crate::view::{AlgorithmStatus, FarmState, Status, Views};
use crate::workers::RefusedWorker;
use axum::Router;
use axum::extract::State;
use axum::response::Html;
use axum::routing::get;
use smart_mining_page::STYLE;
use smart_mining_page::words::{duration, hashrate};
use std::fmt::Write;
use std::sync::Arc;

/// Miners that the page lists; a browser that gets it every 5 s has to draw them.
const ROWS: usize = 1000;

/// Text that came from a miner, a pool or a file must not become markup.
pub(super) fn text(raw: &str) -> String {
    let mut safe = String::with_capacity(raw.len());
    for character in raw.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            other => safe.push(other),
        }
    }
    safe
}

pub(super) fn routes() -> Router<Arc<Views>> {
    Router::new().route(
        "/",
        get(|State(views): State<Arc<Views>>| async move { Html(render(&views)) }),
    )
}

pub fn render(views: &Views) -> String {
    let status = views.status();
    let mut out = String::with_capacity(16 * 1024);
    let class = match status.state {
        FarmState::Holding => "state holding",
        FarmState::Trouble => "state trouble",
        FarmState::MiningFromCache => "state cache",
        FarmState::Mining => "state",
    };
    // Writing to a String does not fail.
    let _ = write!(
        out,
        "<!doctype html><html lang=en><head><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width,initial-scale=1\">\
         <meta http-equiv=refresh content=5><title>{farm}: {state}</title>\
         <style>{STYLE}</style></head><body>\
         <h1>{farm} <span class=\"{class}\">{state}</span></h1>",
        farm = text(&status.farm),
        state = status.state,
    );
    card(&mut out, &status);
    summary(&mut out, &status);
    for algorithm in &status.algorithms {
        lane(&mut out, algorithm);
    }
    refused(&mut out, &status.refused_workers);
    miners(&mut out, views.miners());
    out.push_str(
        "<h2>Events</h2><div class=wide><table><tr><th>Time (UTC)<th>Event<th>About<th>Text</tr>",
    );
    for event in views.events.recent().iter().take(30) {
        let day = event.at % 86_400;
        let _ = write!(
            out,
            "<tr><td>{:02}:{:02}:{:02}<td>{}<td>{}<td>{}</tr>",
            day / 3600,
            day / 60 % 60,
            day % 60,
            event.code,
            text(&event.subject),
            text(&event.text),
        );
    }
    let _ = write!(
        out,
        "</table></div><p>smart-mining-proxy {}</p></body></html>",
        status.version
    );
    out
}

/// What is wrong with the card that was put in.
fn card(out: &mut String, status: &Status) {
    let Some(card) = &status.provisioning else {
        return;
    };
    if card.outcome == Outcome::Refused {
        out.push_str(
            "<h2 class=bad>The card's farm.toml was not taken</h2>\
             <p>The last good one stays in force. Mend these lines on the card, and start again:</p><ul>",
        );
        for problem in &card.problems {
            let _ = write!(out, "<li>{}", text(problem));
        }
        out.push_str("</ul>");
    }
    if let Some(fault) = &card.card_fault {
        let _ = write!(
            out,
            "<p class=bad>{}; passwords may still stand on the card.</p>",
            text(fault)
        );
    }
}

fn summary(out: &mut String, status: &Status) {
    let age = match (status.snapshot.sequence, status.snapshot.age_seconds) {
        (0, _) => "none yet".to_owned(),
        (sequence, Some(age)) => format!("{sequence}, {} old", duration(age)),
        (sequence, None) => format!("{sequence}, of unknown age (the clock is behind)"),
    };
    let _ = write!(
        out,
        "<p>Central: {}. Snapshot: {age}. Miners: {} connected, {} silent, {} turned away.</p>",
        status.central.state, status.miners.now, status.miners.silent, status.miners.refused
    );
    if let Some(reports) = &status.reports {
        let _ = write!(
            out,
            "<p>Reports to central: {}; {} delivered, {} refused, {} dropped.</p>",
            crate::report::line(reports.waiting, reports.oldest_seconds),
            reports.delivered,
            reports.set_aside,
            reports.dropped
        );
    }
    let reports_error = status
        .reports
        .as_ref()
        .and_then(|reports| reports.last_error.clone());
    let errors = [
        &reports_error,
        &status.central.last_error,
        &status.snapshot.last_refusal,
        &status.store.last_error,
    ];
    for error in errors.into_iter().flatten() {
        let _ = write!(out, "<p>{}</p>", text(error));
    }
}

/// Those that `[workers]` of farm.toml keeps out.
fn refused(out: &mut String, workers: &[RefusedWorker]) {
    if workers.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Refused workers</h2><div class=wide><table>\
         <tr><th>Worker<th>Address<th>Why<th class=n>Times<th class=n>Last</tr>",
    );
    for refused in workers {
        let ago = crate::clock::unix_now().saturating_sub(refused.last);
        let _ = write!(
            out,
            "<tr><td>{}<td>{}<td>{}<td class=n>{}<td class=n>{} ago</tr>",
            text(&refused.worker),
            refused.address,
            refused.why,
            refused.count,
            duration(ago)
        );
    }
    out.push_str("</table></div>");
}

fn lane(out: &mut String, lane: &AlgorithmStatus) {
    let _ = write!(
        out,
        "<h2>{} on {}</h2>",
        lane.algorithm,
        text(&lane.listener)
    );
    match &lane.route {
        Some(route) => {
            let _ = write!(
                out,
                "<p><b>{}</b> ({}) for {}. {}</p>",
                text(&route.pool),
                text(&route.coin),
                duration(route.seconds),
                text(&lane.why)
            );
        }
        None => {
            let _ = write!(
                out,
                "<p><b>No pool can be used.</b> {}</p>",
                text(&lane.why)
            );
        }
    }
    if lane.unpaid {
        out.push_str("<p>Miners go on with the last job so that they stay: <b>unpaid</b>.</p>");
    }
    books(out, lane);
    out.push_str(
        "<div class=wide><table><tr><th>Candidate<th>Coin<th class=n>USD per TH/s and day<th>State</tr>",
    );
    for candidate in &lane.candidates {
        let pays = candidate
            .usd_per_hash_day
            .map_or_else(|| "own pool".to_owned(), |usd| format!("{:.4}", usd * 1e12));
        let state = match (&candidate.ready, &candidate.last_failure) {
            (true, _) if candidate.connections > 1 => {
                format!("ready, {} connections", candidate.connections)
            }
            (true, _) => "ready".to_owned(),
            (false, Some(failure)) => failure.clone(),
            (false, None) => "not connected".to_owned(),
        };
        let _ = write!(
            out,
            "<tr><td>{}<td>{}<td class=n>{pays}<td>{}</tr>",
            text(&candidate.pool),
            text(&candidate.coin),
            text(&state)
        );
    }
    for skipped in &lane.skipped {
        let _ = write!(
            out,
            "<tr><td>{}<td>{}<td class=n>-<td>not used: {}</tr>",
            text(&skipped.pool),
            text(&skipped.coin),
            skipped.why
        );
    }
    out.push_str("</table></div>");
}

/// What miners did, and what pools said of it.
fn books(out: &mut String, lane: &AlgorithmStatus) {
    let (counts, rates) = (&lane.totals.counts, &lane.totals.hashrates);
    let silent = match lane.silent {
        0 => String::new(),
        silent => format!(", <b class=bad>{silent} silent</b>"),
    };
    let _ = write!(
        out,
        "<p>{} miners{silent}. Hashrate: {} over 1 min, {} over 10 min, {} over 1 h, {} over 24 h.</p>\
         <p>Shares: {} accepted by pools, {} local, {} rejected and {} stale (by pools {}, here {}), \
         {} unknown, {} lost.</p>",
        lane.miners,
        hashrate(rates.hashrate_1m),
        hashrate(rates.hashrate_10m),
        hashrate(rates.hashrate_1h),
        hashrate(rates.hashrate_24h),
        counts.accepted,
        counts.local,
        counts.rejected,
        counts.stale,
        counts.refused_by_pools(),
        counts.refused_here,
        counts.unknown,
        counts.lost
    );
}

/// Silent ones first: they are what one looks for.
fn miners(out: &mut String, mut miners: Vec<MinerView>) {
    out.push_str(
        "<h2>Miners</h2><div class=wide><table><tr><th>Worker<th>Address<th>Algorithm<th>Firmware<th>State\
         <th class=n>1 min<th class=n>10 min<th class=n>1 h<th class=n>24 h<th class=n>Accepted<th class=n>Local\
         <th class=n>Refused by pools<th class=n>Refused here<th class=n>Unknown<th class=n>Lost\
         <th class=n>Last share</tr>",
    );
    miners.sort_by_key(|miner| miner.state);
    miners.iter().take(ROWS).for_each(|row| miner(out, row));
    out.push_str("</table></div>");
    if let Some(more @ 1..) = miners.len().checked_sub(ROWS) {
        let _ = write!(out, "<p>{more} more are in /api/miners.</p>");
    }
}

fn miner(out: &mut String, miner: &MinerView) {
    let (counts, rates) = (&miner.counts, &miner.hashrates);
    let last = miner.last_share_seconds.map_or_else(
        || "none yet".to_owned(),
        |ago| format!("{} ago", duration(ago)),
    );
    let state = match miner.state {
        MinerState::Silent => "<b class=bad>silent</b>",
        MinerState::Offline | MinerState::NoWorkYet | MinerState::Works => miner.state.word(),
    };
    let _ = write!(
        out,
        "<tr><td>{}<td>{}<td>{}<td>{}<td>{state}",
        text(&miner.worker),
        text(&miner.address),
        miner.algorithm,
        text(&miner.agent)
    );
    for rate in [
        rates.hashrate_1m,
        rates.hashrate_10m,
        rates.hashrate_1h,
        rates.hashrate_24h,
    ] {
        let _ = write!(out, "<td class=n>{}", hashrate(rate));
    }
    for count in [
        counts.accepted,
        counts.local,
        counts.refused_by_pools(),
        counts.refused_here,
        counts.unknown,
        counts.lost,
    ] {
        let _ = write!(out, "<td class=n>{count}");
    }
    let _ = write!(out, "<td class=n>{last}</tr>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_name_cannot_become_markup() {
        assert_eq!(text("<b>\"&"), "&lt;b&gt;&quot;&amp;");
    }
}
