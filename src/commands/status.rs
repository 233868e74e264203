//! `smart-mining-proxy status`: the farm at a glance, once or until one has seen enough.

use super::answer::{Lane, Status};
use super::print::{BAD, BOLD, DIM, GOOD, WARN, clean, painted, show, width, wrapped};
use super::target::{Fault, Target};
use super::watch;
use anstyle::Style;
use smart_mining_page::words::{duration, hashrate, percent, usd};
use smart_mining_proxy::report;
use std::fmt::Write as _;

pub fn run(target: &Target, watches: bool) -> Result<(), Fault> {
    if target.json {
        let answer = target.get("/api/status")?;
        show(&format!("{}\n", answer.trim_end()));
        return Ok(());
    }
    let url = target.url()?;
    if watches {
        let mut ask = || match target.ask::<Status>("/api/status") {
            Ok(status) => table(&status, width()),
            // It may be starting again: the next look tells.
            Err(fault) => wrapped(&fault.text, width(), 0) + "\n",
        };
        return watch::run(&url, &mut ask);
    }
    let status = target.ask("/api/status")?;
    show(&table(&status, width()));
    Ok(())
}

pub fn of_state(state: &str) -> Style {
    match state {
        "mining" | "works" => GOOD,
        "mining from cache" | "trouble" | "silent" => WARN,
        "holding" | "offline" => BAD,
        _ => Style::new(),
    }
}

fn table(status: &Status, width: Option<usize>) -> String {
    let mut out = String::new();
    head(&mut out, status);
    for trouble in &status.troubles {
        let text = wrapped(&clean(&trouble.text), width, 2);
        let remedy = wrapped(&clean(&trouble.remedy), width, 2);
        let _ = writeln!(out, "{}\n  {remedy}", painted(WARN, &format!("! {text}")));
    }
    if let Some(error) = &status.store.last_error {
        let text = format!("! the store cannot be written: {}", clean(error));
        let _ = writeln!(out, "{}", painted(BAD, &text));
    }
    for lane in &status.algorithms {
        self::lane(&mut out, lane, width);
    }
    out
}

fn head(out: &mut String, status: &Status) {
    let state = painted(of_state(&status.state), &clean(&status.state));
    let farm = painted(BOLD, &clean(&status.farm));
    let _ = writeln!(out, "{farm}: {state}");
    let snapshot = match (status.snapshot.sequence, status.snapshot.age_seconds) {
        (0, _) => "no snapshot yet".to_owned(),
        (sequence, Some(age)) => format!("snapshot {sequence} ({} old)", duration(age)),
        (sequence, None) => format!("snapshot {sequence}"),
    };
    let mut line = format!(
        "central {}, {snapshot}, {} miners, {} silent",
        clean(&status.central.state),
        status.miners.now,
        status.miners.silent
    );
    if status.miners.offline > 0 {
        let _ = write!(line, ", {} offline", status.miners.offline);
    }
    let _ = writeln!(out, "{line}, version {}", clean(&status.version));
    if let Some(error) = &status.central.last_error {
        let _ = writeln!(
            out,
            "{}",
            painted(DIM, &format!("central: {}", clean(error)))
        );
    }
    if let Some(reports) = &status.reports {
        let waiting = report::line(reports.waiting, reports.oldest_seconds);
        let _ = writeln!(out, "reports: {waiting}, {} delivered", reports.delivered);
    }
}

fn lane(out: &mut String, lane: &Lane, width: Option<usize>) {
    let route = match &lane.route {
        Some(route) => format!(
            "on {} ({}) for {}",
            painted(BOLD, &clean(&route.pool)),
            clean(&route.coin),
            duration(route.seconds)
        ),
        None => painted(BAD, "no pool can be used; its miners wait"),
    };
    let _ = writeln!(out, "\n{} {route}", painted(BOLD, &clean(&lane.algorithm)));
    if lane.unpaid {
        let _ = writeln!(
            out,
            "  {}",
            painted(BAD, "miners are kept busy with work nobody pays")
        );
    }
    let _ = writeln!(out, "  {}", wrapped(&clean(&lane.why), width, 2));
    let mut earns = format!("  {}", hashrate(lane.hashrate_10m));
    if let Some(amount) = lane.usd_per_day_now {
        let _ = write!(earns, ", {} a day by the ranking", usd(amount));
    }
    let _ = writeln!(
        out,
        "{earns}, {} of {} miners silent",
        lane.silent, lane.miners
    );
    let _ = writeln!(
        out,
        "  shares: {} accepted, {} local, {} rejected, {} stale ({}), {} unknown, {} lost",
        lane.accepted,
        lane.local,
        lane.rejected,
        lane.stale,
        percent(lane.refused(), lane.judged()),
        lane.unknown,
        lane.lost
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstream::adapter::strip_str;
    use serde_json::json;

    fn shown(status: serde_json::Value) -> String {
        let status = serde_json::from_value(status).expect("a status");
        strip_str(&table(&status, None)).to_string()
    }

    #[test]
    fn an_answer_of_another_release_is_shown_as_far_as_it_goes() {
        let text = shown(
            json!({ "farm": "barn", "state": "holding", "algorithms": [{ "algorithm": "sha256d" }] }),
        );
        assert!(text.starts_with("barn: holding\n"), "{text}");
        assert!(text.contains("sha256d no pool can be used"), "{text}");
    }

    #[test]
    fn trouble_stands_first_with_what_to_do() {
        let text = shown(json!({
            "farm": "barn", "state": "trouble",
            "troubles": [{ "code": "hot", "text": "the board is at 85 °C", "remedy": "Give it air." }],
        }));
        assert!(
            text.contains("! the board is at 85 °C\n  Give it air.\n"),
            "{text}"
        );
    }

    #[test]
    fn a_miner_s_words_cannot_drive_the_terminal() {
        let text = table(
            &serde_json::from_value(json!({ "farm": "a\u{1b}[2Jb", "state": "mining" }))
                .expect("a status"),
            None,
        );
        assert!(!text.contains("\u{1b}[2J"), "{text:?}");
    }
}
