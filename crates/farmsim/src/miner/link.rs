//! The socket side of a miner: connect, work, lose the connection, back off,
//! connect again. One task does all of it, hashing included: the hashes that
//! are due are made in small portions between lines.

use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::{Duration, Instant, MissedTickBehavior};

use super::firmware::{Firmware, HangUp};
use super::search::Searcher;
use super::{Desk, Order};
use crate::lines::LineReader;

/// How often due hashes are made.
const PORTION: Duration = Duration::from_millis(40);

const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// The reason for giving up on a pool that says nothing.
const SILENT: &str = "the pool is silent";

/// A buffer that real firmware has.
const LINE_LIMIT: usize = 64 * 1024;

pub(super) async fn run(desk: Arc<Desk>) {
    let config = &desk.config;
    let mut searcher = Searcher::new(config.algorithm, config.hashrate, config.seed);
    let mut session = None;
    let mut wait = config.backoff.0;
    let mut order = desk.order.subscribe();
    loop {
        match connect(&desk).await {
            Ok(stream) => {
                let reason = converse(&desk, &mut searcher, stream, &mut session).await;
                if disconnected(&desk, reason) {
                    wait = config.backoff.0;
                }
            }
            Err(problem) => desk.change(|stats| {
                stats.connects_failed += 1;
                stats.last_disconnect = Some(problem);
            }),
        }
        order.mark_unchanged();
        if order
            .wait_for(|order| *order != Order::Leave)
            .await
            .is_err()
        {
            return;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(config.backoff.1);
    }
}

async fn connect(desk: &Desk) -> Result<TcpStream, String> {
    let address = desk.config.pool;
    let connecting = TcpStream::connect(address);
    let stream = tokio::time::timeout(CONNECT_PATIENCE, connecting)
        .await
        .map_err(|_| format!("connecting to {address}: no answer in {CONNECT_PATIENCE:?}"))?
        .map_err(|error| format!("connecting to {address}: {error}"))?;
    let _ = stream.set_nodelay(true);
    desk.change(|stats| {
        stats.connects += 1;
        stats.connected = true;
    });
    Ok(stream)
}

/// Settles the accounts of a connection; whether it had got to work.
fn disconnected(desk: &Desk, reason: String) -> bool {
    desk.change(|stats| {
        let worked = stats.working;
        stats.disconnects += 1;
        stats.last_disconnect = Some(reason);
        stats.unanswered += stats.in_flight;
        stats.in_flight = 0;
        stats.connected = false;
        stats.working = false;
        worked
    })
}

/// One connection; returns why it ended.
async fn converse(
    desk: &Desk,
    searcher: &mut Searcher,
    stream: TcpStream,
    session: &mut Option<String>,
) -> String {
    let (reader, mut writer) = stream.into_split();
    let mut lines = LineReader::new(reader, LINE_LIMIT);
    let mut firmware = Firmware::start(&desk.config, session.take());
    let mut order = desk.order.subscribe();
    let mut portions = tokio::time::interval(PORTION);
    portions.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let opened = Instant::now();
    let mut heard = opened;
    let reason = loop {
        if let Err(error) = send(&mut firmware, &mut writer).await {
            break format!("sending: {error}");
        }
        let give_up = give_up_at(desk, &firmware, opened, heard);
        tokio::select! {
            biased;
            line = lines.next() => match line {
                Ok(Some(line)) => {
                    heard = Instant::now();
                    if let Err(HangUp(reason)) = hear(desk, &mut firmware, searcher, &line) {
                        break reason;
                    }
                }
                Ok(None) => break "closed by the pool".to_owned(),
                Err(error) => break format!("reading: {error}"),
            },
            _ = tokio::time::sleep_until(give_up) => break SILENT.to_owned(),
            _ = order.wait_for(|order| *order == Order::Leave) => break "told to leave".to_owned(),
            _ = portions.tick() => hash(desk, &mut firmware, searcher),
        }
    };
    *session = firmware.session.take();
    reason
}

/// The handshake has its own limit, the silence of a pool another.
fn give_up_at(desk: &Desk, firmware: &Firmware, opened: Instant, heard: Instant) -> Instant {
    let personality = desk.config.personality;
    let patience = desk.config.patience;
    if firmware.has_logged_in() {
        heard + patience.unwrap_or_else(|| personality.patience())
    } else {
        opened + patience.unwrap_or_else(|| personality.handshake_patience())
    }
}

async fn send(firmware: &mut Firmware<'_>, writer: &mut OwnedWriteHalf) -> std::io::Result<()> {
    if firmware.out.is_empty() {
        return Ok(());
    }
    // One write, as firmware that pipelines does.
    let mut bytes = Vec::new();
    for line in firmware.out.drain(..) {
        bytes.extend_from_slice(line.to_string().as_bytes());
        bytes.push(b'\n');
    }
    writer.write_all(&bytes).await
}

fn hear(
    desk: &Desk,
    firmware: &mut Firmware<'_>,
    searcher: &mut Searcher,
    line: &str,
) -> Result<(), HangUp> {
    desk.change(|stats| {
        stats.last_line = Some(std::time::Instant::now());
        let jobs = stats.jobs;
        let heard = firmware.line(line, stats);
        if stats.jobs != jobs {
            searcher.job_changed();
        }
        stats.in_flight = firmware.in_flight();
        heard
    })
}

fn hash(desk: &Desk, firmware: &mut Firmware<'_>, searcher: &mut Searcher) {
    if *desk.order.borrow() != Order::Work {
        searcher.idle();
        desk.rest();
        return;
    }
    let Some(job) = firmware.job() else {
        searcher.idle();
        return;
    };
    let (found, hashes) = searcher.run(job, firmware.version_mask(), firmware.rolls_time());
    if found.is_empty() {
        desk.count_hashes(hashes);
        return;
    }
    desk.change(|stats| {
        stats.hashes += hashes;
        for share in &found {
            firmware.submit(share, stats);
        }
        stats.in_flight = firmware.in_flight();
    });
}
