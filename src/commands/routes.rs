//! `smart-mining-proxy routes`: on which pools the farm is, and with `--why`, why.

use super::answer::{Candidate, Lane, Wish};
use super::print::{
    BAD, BOLD, DIM, GOOD, Table, clean, figure, painted, show, text, width, wrapped,
};
use super::status::of_state;
use super::target::{Fault, Target};
use serde_json::Value;
use smart_mining_page::words::{duration, hashrate, second};
use std::fmt::Write as _;

pub fn run(target: &Target, algorithm: Option<&str>, why: bool) -> Result<(), Fault> {
    let answer: Vec<Value> = target.ask("/api/routes")?;
    let of = |value: &Value| value["algorithm"].as_str().unwrap_or_default().to_owned();
    let served: Vec<String> = answer.iter().map(of).collect();
    let wanted =
        |value: &Value| algorithm.is_none_or(|wanted| of(value).eq_ignore_ascii_case(wanted));
    let chosen: Vec<Value> = answer.into_iter().filter(wanted).collect();
    if let (Some(algorithm), true) = (algorithm, chosen.is_empty()) {
        return Err(Fault::input(format!(
            "{algorithm} — not an algorithm of this farm; it has {}",
            served.join(", ")
        )));
    }
    if target.json {
        show(&format!("{}\n", Value::from(chosen)));
        return Ok(());
    }
    let lanes = chosen.into_iter().map(serde_json::from_value);
    let lanes: Result<Vec<Lane>, _> = lanes.collect();
    let lanes = lanes.map_err(|error| Fault::failed(format!("cannot be read: {error}")))?;
    show(&match why {
        true => lanes
            .iter()
            .map(|lane| explained(lane, width()))
            .collect::<Vec<_>>()
            .join("\n"),
        false => table(&lanes).draw(width(), 0),
    });
    Ok(())
}

fn table(lanes: &[Lane]) -> Table {
    let mut table = Table::new(&[
        "ALGORITHM",
        "STATE",
        "POOL",
        "COIN",
        "SINCE",
        "HASHRATE",
        "MINERS",
        "SWITCHES",
        "WHY",
    ]);
    for lane in lanes {
        let route = lane.route.as_ref();
        table.row(vec![
            text(&lane.algorithm),
            text(&lane.state).painted(of_state(&lane.state)),
            text(route.map_or("-", |route| &route.pool)).painted(BOLD),
            text(route.map_or("-", |route| &route.coin)),
            figure(route.map_or("-".to_owned(), |route| duration(route.seconds))),
            figure(hashrate(lane.hashrate_10m)),
            figure(lane.miners),
            figure(lane.switches),
            text(&lane.why),
        ]);
    }
    table
}

fn explained(lane: &Lane, width: Option<usize>) -> String {
    let mut out = String::new();
    let algorithm = painted(BOLD, &clean(&lane.algorithm));
    let route = match &lane.route {
        Some(route) => format!(
            "on {} ({}) for {}",
            painted(BOLD, &clean(&route.pool)),
            clean(&route.coin),
            duration(route.seconds)
        ),
        None => painted(BAD, "on no pool; its miners wait"),
    };
    let _ = writeln!(out, "{algorithm} {route}");
    let (rule, noted) = lane.why.split_once(": ").unwrap_or(("", &lane.why));
    let decided = lane.decision.as_ref().map_or(String::new(), |decision| {
        format!(" at {} UTC", second(decision.at))
    });
    let noted = wrapped(&clean(noted), width, 11);
    let _ = writeln!(out, "  decided  {noted}{decided}");
    if let Some(meaning) = meaning(rule) {
        let rule = wrapped(&format!("{}: {meaning}", clean(rule)), width, 11);
        let _ = writeln!(out, "  rule     {rule}");
    }
    if let Some(pin) = &lane.pin {
        let _ = writeln!(out, "  pinned   to {} by the operator", until(pin));
    }
    if !lane.excluded.is_empty() {
        let excluded: Vec<String> = lane.excluded.iter().map(until).collect();
        let _ = writeln!(out, "  excluded {} by the operator", excluded.join(", "));
    }
    let unit = Unit::of(&lane.candidates);
    if !lane.candidates.is_empty() {
        let _ = writeln!(
            out,
            "  candidates, the best first; pay in USD per {} and day",
            unit.name
        );
        out.push_str(&candidates(lane, &unit).draw(width, 2));
    }
    if !lane.skipped.is_empty() {
        let _ = writeln!(out, "  ranked by central and left out");
        let mut table = Table::new(&["POOL", "COIN", "WHY"]);
        for skipped in &lane.skipped {
            table.row(vec![
                text(&skipped.pool),
                text(&skipped.coin),
                text(&skipped.why),
            ]);
        }
        out.push_str(&table.draw(width, 2));
    }
    out
}

fn until(wish: &Wish) -> String {
    let pool = clean(&wish.pool);
    match wish.seconds_left {
        Some(seconds) => format!("{pool} (for {} more)", duration(seconds)),
        None => format!("{pool} (for good)"),
    }
}

/// The rules of docs/events.md, each in a sentence.
fn meaning(rule: &str) -> Option<&'static str> {
    Some(match rule {
        "start" => "there was no pool, and this is the best that was ready",
        "failover" => "the pool before it failed; the best that was ready took over at once",
        "return" => "a pool that ranks before the last one has been well again for long enough",
        "profit" => "another pool paid more by the percentage in [routing], for long enough",
        "hold" => "no pool can be used; miners stay connected and wait for one",
        "pin" => "an operator asked for this pool",
        "exclude" => "an operator excluded the pool before it",
        _ => return None,
    })
}

fn candidates(lane: &Lane, unit: &Unit) -> Table {
    let now = lane.candidates.iter().find(|it| lane.on_route(it));
    let pay = now
        .and_then(|it| it.usd_per_hash_day)
        .filter(|pay| *pay > 0.0);
    let mut table = Table::new(&["", "POOL", "COIN", "PAY", "AGAINST NOW", "STATE"]);
    for candidate in &lane.candidates {
        let is_now = lane.on_route(candidate);
        let lead = match (candidate.usd_per_hash_day, pay) {
            (Some(_), _) if is_now => "now".to_owned(),
            (Some(score), Some(pay)) => format!("{:+.1} %", (score / pay - 1.0) * 100.0),
            (_, _) => "-".to_owned(),
        };
        let state = match (candidate.ready, &candidate.last_failure) {
            (true, _) => text("ready").painted(GOOD),
            (false, Some(failure)) => text(failure).painted(BAD),
            (false, None) => text("is being connected").painted(DIM),
        };
        let own = || "of the farm's own".to_owned();
        table.row(vec![
            text(if is_now { "->" } else { "" }),
            text(&candidate.pool).painted(if is_now { BOLD } else { super::print::PLAIN }),
            text(&candidate.coin),
            figure(
                candidate
                    .usd_per_hash_day
                    .map_or_else(own, |score| unit.figure(score)),
            ),
            figure(lead),
            state,
        ]);
    }
    table
}

/// A hashrate for which the best pay is a number that one can read.
struct Unit {
    factor: f64,
    name: &'static str,
}

impl Unit {
    fn of(candidates: &[Candidate]) -> Self {
        let scores = candidates.iter().filter_map(|it| it.usd_per_hash_day);
        let most = scores.fold(0.0, f64::max);
        let units = [(1.0, "H/s"), (1e3, "kH/s"), (1e6, "MH/s"), (1e9, "GH/s")];
        let fits = units.into_iter().find(|(factor, _)| most * factor >= 0.01);
        let (factor, name) = fits.unwrap_or((1e12, "TH/s"));
        Self { factor, name }
    }

    fn figure(&self, score: f64) -> String {
        format!("{:.4}", score * self.factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstream::adapter::strip_str;
    use serde_json::json;

    fn lane() -> Lane {
        serde_json::from_value(json!({
            "algorithm": "sha256d",
            "state": "mining",
            "route": { "pool": "pool-b", "coin": "BTC", "seconds": 720 },
            "why": "failover: pool-a cannot be used; pool-b is the best that is ready",
            "candidates": [
                { "pool": "pool-a", "coin": "BTC", "usd_per_hash_day": 5.0e-14, "ready": false,
                  "last_failure": "cannot connect: refused" },
                { "pool": "pool-b", "coin": "BTC", "usd_per_hash_day": 4.0e-14, "ready": true },
                { "pool": "barn", "coin": "BTC", "ready": true },
            ],
            "skipped": [{ "pool": "pool-d", "coin": "BCH", "why": "no account in farm.toml" }],
        }))
        .expect("a lane")
    }

    #[test]
    fn a_stranger_reads_why_the_farm_is_on_pool_b() {
        let text = strip_str(&explained(&lane(), None)).to_string();
        assert_eq!(
            text,
            "sha256d on pool-b (BTC) for 12 min 0 s\n\
             \x20 decided  pool-a cannot be used; pool-b is the best that is ready\n\
             \x20 rule     failover: the pool before it failed; the best that was ready took over at once\n\
             \x20 candidates, the best first; pay in USD per TH/s and day\n\
             \x20     POOL    COIN                PAY  AGAINST NOW  STATE\n\
             \x20     pool-a  BTC              0.0500      +25.0 %  cannot connect: refused\n\
             \x20 ->  pool-b  BTC              0.0400          now  ready\n\
             \x20     barn    BTC   of the farm's own            -  ready\n\
             \x20 ranked by central and left out\n\
             \x20 POOL    COIN  WHY\n\
             \x20 pool-d  BCH   no account in farm.toml\n"
        );
    }

    #[test]
    fn what_the_operator_wants_stands_with_the_reasons() {
        let mut lane = lane();
        lane.why = "pin: the operator pinned pool-b".to_owned();
        let wish = |pool: &str, seconds_left| Wish {
            pool: pool.to_owned(),
            seconds_left,
        };
        lane.pin = Some(wish("pool-b", Some(300)));
        lane.excluded = vec![wish("pool-c", None)];
        let text = strip_str(&explained(&lane, None)).to_string();
        assert!(
            text.contains("  rule     pin: an operator asked for this pool\n"),
            "{text}"
        );
        assert!(
            text.contains("  pinned   to pool-b (for 5 min 0 s more) by the operator\n"),
            "{text}"
        );
        assert!(
            text.contains("  excluded pool-c (for good) by the operator\n"),
            "{text}"
        );
    }

    #[test]
    fn holding_has_no_pay_to_compare_with() {
        let mut lane = lane();
        lane.route = None;
        lane.why = "hold: no pool can be used".to_owned();
        let text = strip_str(&explained(&lane, None)).to_string();
        assert!(
            text.starts_with("sha256d on no pool; its miners wait\n"),
            "{text}"
        );
        assert!(!text.contains("%"), "{text}");
    }
}
