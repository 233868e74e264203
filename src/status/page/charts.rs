//! The last day and the last month of each algorithm, drawn.

use super::facts::Facts;
use crate::history::{OutageKind, Point, Series, Switch};
use askama::Template;
use smart_mining_core::Algorithm;
use smart_mining_page::chart::{self, Chart};

/// Marks of one chart; beyond, the newest are shown.
const MARKS: usize = 40;

struct Pair {
    algorithm: &'static str,
    day: String,
    month: String,
}

#[derive(Template)]
#[template(path = "charts.html")]
struct Charts {
    pairs: Vec<Pair>,
}

pub(super) fn charts(facts: &Facts) -> Result<String, askama::Error> {
    let (Some(day), Some(month)) = (&facts.past.day, &facts.past.month) else {
        return Charts { pairs: Vec::new() }.render();
    };
    let pair = |algorithm: Algorithm| Pair {
        algorithm: algorithm.name(),
        day: draw(day, algorithm, "day", "the last 24 hours"),
        month: draw(month, algorithm, "month", "the last 30 days"),
    };
    let served = facts.status.algorithms.iter();
    Charts {
        pairs: served.map(|lane| pair(lane.algorithm)).collect(),
    }
    .render()
}

fn draw(series: &Series, algorithm: Algorithm, range: &str, words: &str) -> String {
    let points = series
        .algorithms
        .iter()
        .find(|it| it.algorithm == algorithm);
    let points = points.map_or(&[][..], |it| known(&it.points));
    let switches: Vec<&Switch> = series
        .switches
        .iter()
        .filter(|it| it.algorithm == algorithm && it.from_pool.is_some() && it.to_pool.is_some())
        .collect();
    let texts: Vec<String> = switches.iter().map(|it| said(it)).collect();
    let marks = switches
        .iter()
        .zip(&texts)
        .map(|(it, text)| chart::Switch { at: it.at, text });
    let marks: Vec<chart::Switch<'_>> = marks.rev().take(MARKS).collect();
    let outages = series.outages.iter().filter(|it| {
        // Without central the farm mines on, by the last ranking.
        it.what != OutageKind::NoCentral && it.algorithm.is_none_or(|of| of == algorithm)
    });
    let outages = outages.rev().take(MARKS).map(|it| chart::Outage {
        from: it.from,
        to: it.to.unwrap_or(series.to),
        text: &it.text,
    });
    // A young farm fills its picture: a tenth of the range at least is shown.
    let first = points.first().map_or(series.from, |it| it.at);
    let least = series.to.saturating_sub((series.to - series.from) / 10);
    chart::figure(&Chart {
        id: &format!("c-{}-{range}", algorithm.name()),
        title: &format!("{}, {words}", algorithm.name()),
        from: first.min(least).max(series.from),
        to: series.to,
        step: series.step_seconds,
        points: &points.iter().map(drawn).collect::<Vec<_>>(),
        routes: &routes(points, series.step_seconds),
        switches: &marks,
        outages: &outages.collect::<Vec<_>>(),
    })
}

/// From the first step on in which anything was counted.
fn known(points: &[Point]) -> &[Point] {
    let is_known = |it: &Point| it.hashrate > 0.0 || it.accepted + it.rejected > 0;
    let first = points.iter().position(is_known);
    first.map_or(&[], |first| &points[first..])
}

fn drawn(point: &Point) -> chart::Point {
    let all = point.accepted + point.rejected + point.lost_or_unknown;
    chart::Point {
        at: point.at,
        hashrate: point.hashrate,
        refused: (all > 0).then(|| point.rejected as f64 / all as f64),
    }
}

/// Steps of the same pool are one stretch.
fn routes(points: &[Point], step: u64) -> Vec<chart::Route<'_>> {
    points
        .chunk_by(|a, b| a.pool == b.pool)
        .filter_map(|stretch| {
            let (first, last) = (stretch.first()?, stretch.last()?);
            Some(chart::Route {
                from: first.at,
                to: last.at + step,
                pool: first.pool.as_deref()?,
                coin: "",
            })
        })
        .collect()
}

fn said(switch: &Switch) -> String {
    let to = switch.to_pool.as_deref().unwrap_or("no pool");
    format!("to {to}: {}", switch.text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{AlgorithmSeries, Outage, Range};

    fn point(hour: u64, pool: Option<&str>) -> Point {
        Point {
            at: hour * 600,
            hashrate: if pool.is_some() { 1e12 } else { 0.0 },
            accepted: 10,
            pool: pool.map(str::to_owned),
            ..Point::default()
        }
    }

    fn series() -> Series {
        let mut points = vec![Point::default(); 3];
        points.extend((3..9).map(|at| point(at, Some("pool-a"))));
        points.extend((9..20).map(|at| point(at, Some("pool-b"))));
        Series {
            range: Range::Day,
            from: 0,
            to: 12_000,
            step_seconds: 600,
            algorithms: vec![AlgorithmSeries {
                algorithm: Algorithm::Sha256d,
                points,
            }],
            switches: vec![Switch {
                at: 5400,
                algorithm: Algorithm::Sha256d,
                from_pool: Some("pool-a".to_owned()),
                to_pool: Some("pool-b".to_owned()),
                coin: None,
                rule: "profit".to_owned(),
                text: "pool-b pays <4 %> more".to_owned(),
            }],
            outages: vec![Outage {
                from: 6000,
                to: None,
                what: OutageKind::NoCentral,
                algorithm: None,
                text: "central away".to_owned(),
            }],
        }
    }

    #[test]
    fn a_day_shows_both_pools_the_switch_and_what_it_was_for() {
        let figure = draw(&series(), Algorithm::Sha256d, "day", "the last 24 hours");
        assert!(figure.contains("sha256d, the last 24 hours"), "{figure}");
        assert!(
            figure.contains("to pool-b: pool-b pays &lt;4 %&gt; more"),
            "{figure}"
        );
        for pool in ["pool-a", "pool-b"] {
            assert!(
                figure.contains(&format!("<title>{pool}</title>")),
                "{figure}"
            );
        }
        assert!(
            !figure.contains("central away"),
            "the farm mined on: {figure}"
        );
    }

    #[test]
    fn an_algorithm_without_a_past_says_so() {
        let figure = draw(&series(), Algorithm::Scrypt, "day", "the last 24 hours");
        assert!(
            figure.contains("Nothing is known of this time yet."),
            "{figure}"
        );
    }
}
