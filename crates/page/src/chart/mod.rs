//! Charts as SVG, made on the server: a browser without script shows them.
//!
//! ```text
//!   hashrate   an area; no point, no area
//!   refused    a bar a point, as a share of that point's work
//!   route      a band, one pool after the other, in colour and pattern
//!   time       UTC
//! ```
//! Switches are dashed lines through all of it, outages shaded columns. Whoever does
//! not see it has a sentence (`<desc>`) and the same figures as a table.

mod picture;
mod scale;
mod table;

use crate::words::{self, escape};
use std::fmt::Write;

/// What there is to see of a time. Times are unix seconds.
#[derive(Clone, Copy, Debug)]
pub struct Chart<'a> {
    /// Of the figure, its own on the page: `A-Z a-z 0-9 -`.
    pub id: &'a str,
    pub title: &'a str,
    pub from: u64,
    pub to: u64,
    /// The time that a point stands for. A wider gap between points is a hole.
    pub step: u64,
    /// In the order of time.
    pub points: &'a [Point],
    /// In the order of time.
    pub routes: &'a [Route<'a>],
    pub switches: &'a [Switch<'a>],
    pub outages: &'a [Outage<'a>],
}

/// What was done in one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When it begins.
    pub at: u64,
    /// Hashes per second.
    pub hashrate: f64,
    /// Shares that were refused, of all that were answered; 0 to 1. `None`: no share.
    pub refused: Option<f64>,
}

/// Who was mined for; `pool` empty: nobody. `coin` empty: it is not known.
#[derive(Clone, Copy, Debug)]
pub struct Route<'a> {
    pub from: u64,
    pub to: u64,
    pub pool: &'a str,
    pub coin: &'a str,
}

impl Route<'_> {
    fn name(&self) -> String {
        match self.coin {
            "" => self.pool.to_owned(),
            coin => format!("{} ({coin})", self.pool),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Switch<'a> {
    pub at: u64,
    pub text: &'a str,
}

#[derive(Clone, Copy, Debug)]
pub struct Outage<'a> {
    pub from: u64,
    pub to: u64,
    pub text: &'a str,
}

/// A `<figure>` with picture, sentence and table.
pub fn figure(chart: &Chart<'_>) -> String {
    let mut out = String::with_capacity(8 * 1024);
    let title = escape(chart.title);
    // Writing to a String does not fail.
    let _ = write!(out, "<figure><figcaption>{title}</figcaption>");
    if chart.points.is_empty() && chart.routes.is_empty() {
        out.push_str("<p class=soft>Nothing is known of this time yet.</p></figure>");
        return out;
    }
    picture::draw(&mut out, chart, &sentence(chart));
    table::write(&mut out, chart);
    out.push_str("</figure>");
    out
}

/// The picture in words.
pub fn sentence(chart: &Chart<'_>) -> String {
    let (mut low, mut high, mut sum) = (f64::INFINITY, 0.0_f64, 0.0);
    for point in chart.points {
        (low, high) = (low.min(point.hashrate), high.max(point.hashrate));
        sum += point.hashrate;
    }
    let mut out = String::new();
    if !chart.points.is_empty() {
        let _ = write!(
            out,
            "Hashrate {} on average, between {} and {}. ",
            words::hashrate(sum / chart.points.len() as f64),
            words::hashrate(low),
            words::hashrate(high)
        );
    }
    let refused: Vec<f64> = chart.points.iter().filter_map(|it| it.refused).collect();
    if !refused.is_empty() {
        let mean = refused.iter().sum::<f64>() / refused.len() as f64;
        let _ = write!(out, "{} of the shares refused. ", words::ratio(mean));
    }
    let _ = write!(
        out,
        "{} of the pool, {}.",
        many(chart.switches.len(), "switch", "switches"),
        many(chart.outages.len(), "outage", "outages")
    );
    out
}

fn many(count: usize, one: &str, more: &str) -> String {
    match count {
        0 => format!("no {one}"),
        1 => format!("1 {one}"),
        count => format!("{count} {more}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    fn day<'a>(points: &'a [Point], routes: &'a [Route<'a>]) -> Chart<'a> {
        Chart {
            id: "day",
            title: "sha256d",
            from: 0,
            to: 24 * HOUR,
            step: HOUR,
            points,
            routes,
            switches: &[],
            outages: &[],
        }
    }

    fn points(hours: std::ops::Range<u64>) -> Vec<Point> {
        let point = |hour| Point {
            at: hour * HOUR,
            hashrate: 1e12 * (hour + 1) as f64,
            refused: (hour == 3).then_some(0.5),
        };
        hours.map(point).collect()
    }

    fn route<'a>(from: u64, to: u64, pool: &'a str) -> Route<'a> {
        Route {
            from: from * HOUR,
            to: to * HOUR,
            pool,
            coin: "BTC",
        }
    }

    #[test]
    fn no_two_labels_of_the_time_are_the_same() {
        let points = points(0..72);
        for hours in [24, 60, 72] {
            let chart = Chart {
                to: hours * HOUR,
                ..day(&points, &[])
            };
            let picture = figure(&chart);
            let labels = picture.split("text-anchor=middle>").skip(1);
            let labels: Vec<&str> = labels.filter_map(|it| it.split('<').next()).collect();
            let days = labels.iter().filter(|it| it.ends_with("Jan"));
            assert_eq!(days.count() as u64, (hours - 1) / 24, "{labels:?}");
            assert!(labels.len() >= 4, "{labels:?}");
        }
    }

    #[test]
    fn a_chart_says_in_words_what_it_shows() {
        let points = points(0..4);
        let switches = [Switch {
            at: HOUR,
            text: "pool-b pays more",
        }];
        let chart = Chart {
            switches: &switches,
            ..day(&points, &[])
        };
        let words = "Hashrate 2.50 TH/s on average, between 1.00 TH/s and 4.00 TH/s. \
                     50.0 % of the shares refused. 1 switch of the pool, no outage.";
        assert_eq!(sentence(&chart), words);
        let figure = figure(&chart);
        assert!(figure.contains(words) && figure.contains("role=img"));
        assert!(figure.contains("pool-b pays more"));
        assert!(figure.contains("<td class=n>4.00 TH/s"), "{figure}");
    }

    #[test]
    fn nothing_known_is_said_and_not_drawn() {
        let figure = figure(&day(&[], &[]));
        assert!(figure.contains("Nothing is known") && !figure.contains("<svg"));
    }

    #[test]
    fn a_hole_is_not_bridged() {
        let mut some = points(0..3);
        some.extend(points(9..12));
        let figure = figure(&day(&some, &[]));
        let curve = figure.split("class=curve d=\"").nth(1);
        let curve = curve.and_then(|rest| rest.split('"').next());
        let pieces = curve.map(|path| path.matches('M').count());
        assert_eq!(pieces, Some(2), "{figure}");
    }

    #[test]
    fn a_pool_keeps_its_colour_and_a_hostile_name_stays_a_name() {
        let routes = [
            route(0, 6, "<pool-a>"),
            route(6, 12, "pool-b"),
            route(12, 24, "<pool-a>"),
        ];
        let figure = figure(&day(&[], &routes));
        assert!(!figure.contains("<pool-a>"), "{figure}");
        let colours: Vec<&str> = figure.split("<rect class=p").skip(1).collect();
        let colour = |index: usize| colours.get(index).and_then(|it| it.chars().next());
        assert_eq!(
            (colour(0), colour(1), colour(2)),
            (Some('1'), Some('2'), Some('1'))
        );
    }

    #[test]
    fn what_lies_outside_of_the_time_is_cut() {
        let outages = [Outage {
            from: 20 * HOUR,
            to: 90 * HOUR,
            text: "no pool",
        }];
        let routes = [route(0, 300, "pool-a")];
        let chart = Chart {
            outages: &outages,
            from: 12 * HOUR,
            to: 36 * HOUR,
            ..day(&[], &routes)
        };
        let figure = figure(&chart);
        assert!(
            figure.contains("<rect class=p1 x=0 y=151 width=400 "),
            "{figure}"
        );
        assert!(
            figure.contains("<rect class=out x=133.3 y=12 width=266.7 "),
            "{figure}"
        );
    }

    #[test]
    fn a_month_of_a_chart_weighs_little() {
        let many: Vec<Point> = (0..720)
            .map(|hour| Point {
                at: hour * HOUR,
                hashrate: 1e15 + hour as f64 * 1.234e12,
                refused: Some(0.0123),
            })
            .collect();
        let chart = Chart {
            to: 720 * HOUR,
            ..day(&many, &[])
        };
        let weight = figure(&chart).len();
        assert!(weight < 10_000, "{weight} bytes");
    }
}
