//! The same figures as a table, folded away.

use super::scale::mean;
use super::{Chart, Point, Route};
use crate::words::{self, escape};
use std::fmt::Write;

/// Rows at most; more is in `/api/history`.
const ROWS: u64 = 24;

pub(super) fn write(out: &mut String, chart: &Chart<'_>) {
    let _ = write!(
        out,
        "<details id={0}-f><summary>{1} as a table</summary><div class=wide tabindex=0 role=region \
         aria-label=\"{1}\"><table><caption>{1}, UTC</caption><thead><tr><th scope=col>From\
         <th scope=col class=n>Hashrate<th scope=col class=n>Refused<th scope=col>Pool</thead><tbody>",
        chart.id,
        escape(chart.title)
    );
    let span = chart.to.saturating_sub(chart.from);
    let days = span > 2 * 86_400;
    let row = (span / ROWS).max(chart.step).max(1);
    let mut rest = chart.points;
    while let Some(first) = rest.first() {
        let count = rest.iter().take_while(|it| it.at < first.at + row).count();
        let (group, others) = rest.split_at(count.clamp(1, rest.len()));
        line(out, chart, &mean(first.at, group), first.at + row, days);
        rest = others;
    }
    out.push_str("</tbody></table></div>");
    marks(out, chart, days);
    out.push_str("</details>");
}

fn moment(at: u64, days: bool) -> String {
    if days {
        format!("{} {}", words::day(at), words::minute(at))
    } else {
        words::minute(at)
    }
}

fn line(out: &mut String, chart: &Chart<'_>, point: &Point, end: u64, days: bool) {
    let in_row = |route: &&Route<'_>| route.from < end && route.to > point.at;
    let mut pools: Vec<&str> = Vec::new();
    for route in chart.routes.iter().filter(in_row) {
        if !pools.contains(&route.pool) && !route.pool.is_empty() {
            pools.push(route.pool);
        }
    }
    let _ = write!(
        out,
        "<tr><th scope=row>{}<td class=n>{}<td class=n>{}<td>{}",
        moment(point.at, days),
        words::hashrate(point.hashrate),
        point.refused.map_or_else(|| "-".to_owned(), words::ratio),
        escape(&pools.join(", "))
    );
}

fn marks(out: &mut String, chart: &Chart<'_>, days: bool) {
    if chart.switches.is_empty() && chart.outages.is_empty() {
        return;
    }
    out.push_str("<ul>");
    for switch in chart.switches {
        let _ = write!(
            out,
            "<li>{}: {}",
            moment(switch.at, days),
            escape(switch.text)
        );
    }
    for outage in chart.outages {
        let _ = write!(
            out,
            "<li>{} to {}: {}",
            moment(outage.from, days),
            moment(outage.to, days),
            escape(outage.text)
        );
    }
    out.push_str("</ul>");
}
