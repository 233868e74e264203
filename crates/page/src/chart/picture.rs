//! The drawing. Units are those of the view box, which a phone shows about 1:1.

use super::scale::{round_up, thin, ticks};
use super::{Chart, Point, Route};
use crate::words::{self, escape};
use std::fmt::Write;

const WIDTH: f64 = 400.0;
/// Top and height of each part.
const HASHRATE: (f64, f64) = (12.0, 86.0);
const REFUSED: (f64, f64) = (112.0, 26.0);
const BAND: (f64, f64) = (151.0, 16.0);
const BOTTOM: f64 = 167.0;
const HEIGHT: f64 = 182.0;
/// Letters of a pool's name take about so much.
const LETTER: f64 = 5.6;
const COLOURS: usize = 6;

pub(super) fn draw(out: &mut String, chart: &Chart<'_>, sentence: &str) {
    let (id, title) = (chart.id, escape(chart.title));
    let _ = write!(
        out,
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=img aria-labelledby=\"{id}-t {id}-d\">\
         <title id={id}-t>{title}</title><desc id={id}-d>{}</desc>\
         <defs><pattern id={id}-h width=6 height=6 patternUnits=userSpaceOnUse>\
         <path class=hatch d=\"M0 6 6 0\"/></pattern></defs>",
        escape(sentence)
    );
    times(out, chart);
    outages(out, chart);
    if !chart.points.is_empty() {
        let (points, step) = thin(chart.points, chart.step);
        hashrate(out, chart, &points, step);
        refused(out, chart, &points, step);
    }
    band(out, chart);
    switches(out, chart);
    out.push_str("</svg>");
}

/// Rounded: a tenth of a unit is less than a dot of a screen.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn x(chart: &Chart<'_>, at: u64) -> f64 {
    let span = chart.to.saturating_sub(chart.from).max(1) as f64;
    let at = at.clamp(chart.from, chart.to.max(chart.from));
    round((at - chart.from) as f64 / span * WIDTH)
}

fn times(out: &mut String, chart: &Chart<'_>) {
    for at in ticks(chart.from, chart.to) {
        let x = x(chart, at);
        // Labels at the edges would be cut.
        if !(16.0..=WIDTH - 16.0).contains(&x) {
            continue;
        }
        let label = match at % 86_400 {
            0 => words::day(at),
            _ => words::minute(at),
        };
        let _ = write!(
            out,
            "<path class=grid d=\"M{x} {}V{BOTTOM}\"/><text x={x} y={} text-anchor=middle>{label}</text>",
            HASHRATE.0,
            HEIGHT - 4.0
        );
    }
}

fn outages(out: &mut String, chart: &Chart<'_>) {
    for outage in chart.outages {
        let (from, to) = (x(chart, outage.from), x(chart, outage.to));
        if outage.to <= chart.from || outage.from >= chart.to {
            continue;
        }
        let width = round((to - from).max(1.0));
        let _ = write!(
            out,
            "<g><title>{} to {}: {}</title>\
             <rect class=out x={from} y={top} width={width} height={height} />\
             <rect class=edge x={from} y={top} width={width} height=2 /></g>",
            words::minute(outage.from),
            words::minute(outage.to),
            escape(outage.text),
            top = HASHRATE.0,
            height = BOTTOM - HASHRATE.0,
        );
    }
}

/// Pieces between the holes.
fn pieces(points: &[Point], step: u64) -> impl Iterator<Item = &[Point]> {
    points.chunk_by(move |a, b| b.at.saturating_sub(a.at) <= step * 2)
}

fn hashrate(out: &mut String, chart: &Chart<'_>, points: &[Point], step: u64) {
    let top = points.iter().map(|it| it.hashrate).fold(0.0, f64::max);
    let top = round_up(top);
    let base = HASHRATE.0 + HASHRATE.1;
    let y = |value: f64| round(base - (value / top).clamp(0.0, 1.0) * HASHRATE.1);
    let (mut curve, mut area) = (String::new(), String::new());
    for piece in pieces(points, step) {
        let (Some(first), Some(last)) = (piece.first(), piece.last()) else {
            continue;
        };
        // A point is what was done in its whole step.
        let end = x(chart, last.at + step);
        let mut line = String::new();
        for point in piece {
            let _ = write!(
                line,
                "L{} {}",
                x(chart, point.at + step / 2),
                y(point.hashrate)
            );
        }
        let start = x(chart, first.at);
        let (left, right) = (y(first.hashrate), y(last.hashrate));
        let _ = write!(curve, "M{start} {left}{line}L{end} {right}");
        let _ = write!(area, "M{start} {base}V{left}{line}L{end} {right}V{base}Z");
    }
    let half = HASHRATE.0 + HASHRATE.1 / 2.0;
    let _ = write!(
        out,
        "<path class=grid d=\"M0 {}H{WIDTH}M0 {half}H{WIDTH}M0 {base}H{WIDTH}\"/>\
         <path class=area d=\"{area}\"/><path class=curve d=\"{curve}\"/>\
         <text x=2 y=9>{}</text><text x=2 y={}>{}</text>",
        HASHRATE.0,
        words::hashrate(top),
        half - 3.0,
        words::hashrate(top / 2.0)
    );
}

fn refused(out: &mut String, chart: &Chart<'_>, points: &[Point], step: u64) {
    let top = points
        .iter()
        .filter_map(|it| it.refused)
        .fold(0.0, f64::max);
    // A single refused share must not look like a disaster.
    let top = round_up(top.max(0.02));
    let base = REFUSED.0 + REFUSED.1;
    let mut bars = String::new();
    for point in points {
        let height = round(point.refused.unwrap_or(0.0) / top * REFUSED.1);
        if height > 0.0 {
            let _ = write!(bars, "M{} {base}v-{height}", x(chart, point.at + step / 2));
        }
    }
    let _ = write!(
        out,
        "<path class=grid d=\"M0 {base}H{WIDTH}\"/><path class=bars d=\"{bars}\"/>\
         <text x=2 y={}>refused, up to {}</text>",
        REFUSED.0 - 3.0,
        words::ratio(top)
    );
}

fn band(out: &mut String, chart: &Chart<'_>) {
    let mut known: Vec<&str> = Vec::new();
    for route in chart.routes {
        if route.to <= chart.from || route.from >= chart.to || route.pool.is_empty() {
            continue;
        }
        let index = known.iter().position(|pool| *pool == route.pool);
        let index = index.unwrap_or_else(|| {
            known.push(route.pool);
            known.len() - 1
        });
        stretch(out, chart, route, index);
    }
    let _ = write!(out, "<path class=grid d=\"M0 {BOTTOM}H{WIDTH}\"/>");
}

/// One pool's part of the band: a colour, every other one hatched, its name where it fits.
fn stretch(out: &mut String, chart: &Chart<'_>, route: &Route<'_>, index: usize) {
    let (from, to) = (x(chart, route.from), x(chart, route.to));
    let (width, (top, height)) = (round((to - from).max(1.0)), BAND);
    let plain = route.name();
    let name = escape(&plain);
    let _ = write!(
        out,
        "<g><title>{name}</title><rect class=p{} x={from} y={top} width={width} height=5 />",
        index % COLOURS + 1
    );
    if index % 2 == 1 {
        let _ = write!(
            out,
            "<rect x={from} y={top} width={width} height=5 fill=\"url(#{}-h)\"/>",
            chart.id
        );
    }
    let letters = plain.chars().count() as f64;
    if letters * LETTER <= width {
        let _ = write!(
            out,
            "<text class=name x={} y={}>{name}</text>",
            from + 2.0,
            top + height - 2.0
        );
    }
    out.push_str("</g>");
}

fn switches(out: &mut String, chart: &Chart<'_>) {
    for switch in chart.switches {
        if switch.at < chart.from || switch.at > chart.to {
            continue;
        }
        let x = x(chart, switch.at);
        let _ = write!(
            out,
            "<g><title>{}: {}</title><path class=switch d=\"M{x} {}V{BOTTOM}\"/>\
             <path class=tip d=\"M{x} {}l-4-6h8z\"/></g>",
            words::minute(switch.at),
            escape(switch.text),
            HASHRATE.0,
            HASHRATE.0
        );
    }
}
