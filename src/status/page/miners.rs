//! The table of miners: of thousands, the fifty that were asked for.

use super::query::{Column, Query};
use crate::registry::{MinerState, MinerView};
use askama::Template;
use smart_mining_core::Algorithm;
use smart_mining_page::words::{count, duration, hashrate, quantity, ratio};
use std::cmp::Ordering;

/// Rows of a page.
const ROWS: usize = 50;
/// What a firmware calls itself may be long; the whole stands in `/api/miners`.
const FIRMWARE: usize = 28;

const fn class(state: MinerState) -> &'static str {
    match state {
        MinerState::Silent => "bad",
        MinerState::Offline => "warn",
        MinerState::NoWorkYet => "soft",
        MinerState::Works => "good",
    }
}

struct Row {
    worker: String,
    /// Given by the operator.
    name: Option<String>,
    address: String,
    algorithm: Algorithm,
    firmware: String,
    state: String,
    class: &'static str,
    away: bool,
    minute: String,
    hour: String,
    day: String,
    refused: String,
    last: String,
    difficulty: String,
}

impl From<&MinerView> for Row {
    fn from(miner: &MinerView) -> Self {
        let mut firmware: String = miner.agent.chars().take(FIRMWARE).collect();
        if firmware.len() < miner.agent.len() {
            firmware.push('…');
        }
        Self {
            worker: match miner.worker.as_str() {
                "" => "(no name)".to_owned(),
                name => name.to_owned(),
            },
            name: miner.name.clone(),
            address: miner.address.clone(),
            algorithm: miner.algorithm,
            firmware,
            state: match miner.state {
                MinerState::Offline => format!("offline for {}", duration(miner.last_seen_seconds)),
                MinerState::Silent | MinerState::NoWorkYet | MinerState::Works => {
                    miner.state.word().to_owned()
                }
            },
            class: class(miner.state),
            away: miner.state == MinerState::Offline,
            minute: hashrate(miner.hashrates.hashrate_1m),
            hour: hashrate(miner.hashrates.hashrate_1h),
            day: hashrate(miner.hashrates.hashrate_24h),
            refused: miner.reject_rate.map_or_else(|| "-".to_owned(), ratio),
            last: miner.last_share_seconds.map_or_else(
                || "none yet".to_owned(),
                |ago| format!("{} ago", duration(ago)),
            ),
            difficulty: match miner.difficulty {
                0.0 => "-".to_owned(),
                difficulty => quantity(difficulty),
            },
        }
    }
}

struct Head {
    title: &'static str,
    name: &'static str,
    figure: bool,
    /// For `aria-sort`.
    order: Option<&'static str>,
    link: String,
}

#[derive(Template)]
#[template(path = "miners.html")]
struct Table {
    heads: Vec<Head>,
    rows: Vec<Row>,
    caption: String,
    before: Option<String>,
    after: Option<String>,
    page: usize,
    pages: usize,
    empty: &'static str,
}

/// The part of the table that was asked for.
pub(super) fn table(miners: &[MinerView], query: &Query) -> Result<String, askama::Error> {
    let mut found: Vec<&MinerView> = miners.iter().filter(|it| is_wanted(it, query)).collect();
    found.sort_unstable_by(|a, b| {
        let order = compare(a, b, query.sort);
        let order = if query.descending {
            order.reverse()
        } else {
            order
        };
        order
            .then_with(|| a.worker.cmp(&b.worker))
            .then_with(|| a.address.cmp(&b.address))
    });
    let pages = found.len().div_ceil(ROWS).max(1);
    let page = query.page.min(pages - 1);
    let shown = found.iter().skip(page * ROWS).take(ROWS);
    let link = |page: usize| format!("/{}#h-miners", query.at_page(page));
    Table {
        heads: Column::ALL.map(|column| head(column, query)).into(),
        rows: shown.map(|miner| Row::from(*miner)).collect(),
        caption: caption(miners.len(), found.len(), page),
        before: (page > 0).then(|| link(page - 1)),
        after: (page + 1 < pages).then(|| link(page + 1)),
        page: page + 1,
        pages,
        empty: if miners.is_empty() {
            "No miner is connected."
        } else {
            "No miner is like that."
        },
    }
    .render()
}

fn caption(all: usize, found: usize, page: usize) -> String {
    let first = (page * ROWS + 1).min(found);
    let last = (page * ROWS + ROWS).min(found);
    let of = |number: usize| count(number as u64);
    let filtered = if found < all {
        format!(" that match, {} in all", of(all))
    } else {
        String::new()
    };
    format!(
        "{} to {} of {} miners{filtered}; hashrates of each miner over the time named",
        of(first),
        of(last),
        of(found)
    )
}

fn head(column: Column, query: &Query) -> Head {
    let order = if query.descending {
        "descending"
    } else {
        "ascending"
    };
    Head {
        title: column.title(),
        name: column.name(),
        figure: column.is_figure(),
        order: (query.sort == column).then_some(order),
        link: format!("/{}#h-miners", query.sorted_by(column)),
    }
}

fn is_wanted(miner: &MinerView, query: &Query) -> bool {
    let has = |text: &str| text.to_lowercase().contains(&query.find);
    query.algorithm.is_none_or(|it| it == miner.algorithm)
        && query.state.is_none_or(|it| it == miner.state)
        && (query.find.is_empty()
            || has(&miner.worker)
            || miner.name.as_deref().is_some_and(has)
            || has(&miner.address)
            || has(&miner.agent))
}

fn compare(a: &MinerView, b: &MinerView, column: Column) -> Ordering {
    let rates = (&a.hashrates, &b.hashrates);
    match column {
        Column::Worker => a.worker.cmp(&b.worker),
        Column::Address => a.address.cmp(&b.address),
        Column::Algorithm => a.algorithm.cmp(&b.algorithm),
        Column::Firmware => a.agent.cmp(&b.agent),
        Column::State => a.state.cmp(&b.state),
        Column::Minute => rates.0.hashrate_1m.total_cmp(&rates.1.hashrate_1m),
        Column::Hour => rates.0.hashrate_1h.total_cmp(&rates.1.hashrate_1h),
        Column::Day => rates.0.hashrate_24h.total_cmp(&rates.1.hashrate_24h),
        Column::Refused => {
            let rate = |miner: &MinerView| miner.reject_rate.unwrap_or(-1.0);
            rate(a).total_cmp(&rate(b))
        }
        Column::LastShare => {
            let ago = |miner: &MinerView| miner.last_share_seconds.unwrap_or(u64::MAX);
            ago(a).cmp(&ago(b))
        }
        Column::Difficulty => a.difficulty.total_cmp(&b.difficulty),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::Counts;
    use crate::ledger::Hashrates;

    fn miner(number: u64) -> MinerView {
        let rate = number as f64 * 1e12;
        MinerView {
            algorithm: if number.is_multiple_of(10) {
                Algorithm::Scrypt
            } else {
                Algorithm::Sha256d
            },
            address: format!("10.0.{}.{}:4028", number / 250, number % 250),
            worker: format!("rig{number:04}"),
            name: (number == 7).then(|| "Left of the door".to_owned()),
            agent: format!("bmminer/{}.0", number % 3),
            difficulty: 512.0,
            connected_seconds: Some(100),
            last_seen_seconds: 3700 * (number % 2),
            last_share_seconds: Some(number % 60),
            silent: number.is_multiple_of(100),
            state: match number % 100 {
                0 => MinerState::Silent,
                1 => MinerState::Offline,
                _ => MinerState::Works,
            },
            reject_rate: Some((number % 2) as f64 / 100.0),
            hashrates: Hashrates {
                hashrate_1m: rate,
                hashrate_10m: rate,
                hashrate_1h: rate,
                hashrate_24h: rate,
            },
            counts: Counts::default(),
        }
    }

    fn shed() -> Vec<MinerView> {
        (0..5000).map(miner).collect()
    }

    fn workers(html: &str) -> Vec<&str> {
        let cells = html.split("<th scope=row class=cut>").skip(1);
        cells.filter_map(|cell| cell.split('<').next()).collect()
    }

    #[test]
    fn of_five_thousand_fifty_are_shown_and_the_sick_come_first() {
        let html = table(&shed(), &Query::default()).expect("a table");
        let shown = workers(&html);
        assert_eq!(shown.len(), 50);
        assert_eq!(shown[0], "rig0000");
        assert!(html.contains("1 to 50 of 5,000 miners"), "{html}");
        assert_eq!(html.matches(">silent<").count(), 50);
        assert!(html.len() < 50_000, "{} bytes", html.len());
    }

    #[test]
    fn the_best_of_an_algorithm_are_found_and_paged() {
        let query = Query {
            algorithm: Some(Algorithm::Scrypt),
            sort: Column::Hour,
            descending: true,
            page: 1,
            ..Query::default()
        };
        let html = table(&shed(), &query).expect("a table");
        assert_eq!(workers(&html)[0], "rig4490");
        assert!(html.contains("51 to 100 of 500 miners that match, 5,000 in all"));
        assert!(html.contains("aria-sort=descending"), "{html}");
        let back = "/?algorithm=scrypt&#38;sort=hour&#38;dir=down#h-miners";
        assert!(html.contains(back), "{html}");
    }

    #[test]
    fn whoever_left_is_kept_and_marked() {
        let query = Query {
            state: Some(MinerState::Offline),
            ..Query::default()
        };
        let html = table(&shed(), &query).expect("a table");
        assert_eq!(html.matches("<tr class=away>").count(), 50);
        assert!(html.contains("offline for 1 h 1 min"), "{html}");
    }

    #[test]
    fn text_is_looked_for_in_name_address_and_firmware() {
        let find = |find: &str| {
            let query = Query {
                find: find.to_owned(),
                ..Query::default()
            };
            let html = table(&shed(), &query).expect("a table");
            workers(&html).len()
        };
        assert_eq!(find("rig4711"), 1);
        assert_eq!(find("10.0.19.249:"), 1);
        assert_eq!(find("of the door"), 1);
        assert_eq!(find("nobody"), 0);
    }

    #[test]
    fn a_page_beyond_the_last_is_the_last() {
        let html = table(&shed(), &Query::default().at_page(9999)).expect("a table");
        assert!(html.contains("4,951 to 5,000 of 5,000"), "{html}");
    }

    #[test]
    fn a_worker_name_cannot_become_markup() {
        let mut rig = miner(1);
        rig.worker = "<script>\"".to_owned();
        rig.agent = "<i>".repeat(40);
        let html = table(&[rig], &Query::default()).expect("a table");
        assert!(!html.contains("<script") && !html.contains("<i>"), "{html}");
    }
}
