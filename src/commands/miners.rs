//! `smart-mining-proxy miners`: which miner is sick?

use super::answer::Miner;
use super::print::{Table, figure, show, text, width};
use super::status::of_state;
use super::target::{Fault, Target};
use clap::{Args, ValueEnum};
use serde_json::Value;
use smart_mining_page::words::{duration, hashrate, quantity, ratio};
use std::cmp::Ordering;

#[derive(Args)]
pub struct Wanted {
    /// Sort by this column; figures with the largest first
    #[arg(long, value_enum, default_value = "state")]
    sort: Column,
    /// The other way round
    #[arg(long)]
    reverse: bool,
    /// Only those in whose worker, address or firmware this stands
    #[arg(long, value_name = "TEXT")]
    find: Option<String>,
    /// Only those of one algorithm
    #[arg(long)]
    algorithm: Option<String>,
    /// Only those in this state: works, silent, offline, "no work yet"
    #[arg(long)]
    state: Option<String>,
    /// At most so many
    #[arg(long)]
    limit: Option<usize>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Column {
    Worker,
    Address,
    Algorithm,
    Firmware,
    /// The sick first
    State,
    Minute,
    Hour,
    Day,
    Refused,
    LastShare,
    Difficulty,
}

pub fn run(target: &Target, wanted: &Wanted) -> Result<(), Fault> {
    let answer: Vec<Value> = target.ask("/api/miners")?;
    let known = answer.len();
    // As it came, so that `--json` gives all of a miner, also what this release does not know.
    let pair = |value: Value| {
        let miner = serde_json::from_value::<Miner>(value.clone()).unwrap_or_default();
        (miner, value)
    };
    let list = chosen(answer.into_iter().map(pair).collect(), wanted);
    if target.json {
        let values = Value::from_iter(list.into_iter().map(|(_, value)| value));
        show(&format!("{values}\n"));
        return Ok(());
    }
    let count = match (list.len(), known) {
        (0, 0) => "no miner is connected; the listeners' ports are in `status`\n".to_owned(),
        (shown, known) if shown == known => format!("{known} miners\n"),
        (shown, known) => format!("{shown} of {known} miners\n"),
    };
    if !list.is_empty() {
        show(&table(list.iter().map(|(miner, _)| miner)).draw(width(), 0));
    }
    show(&count);
    Ok(())
}

fn chosen<T>(mut list: Vec<(Miner, T)>, wanted: &Wanted) -> Vec<(Miner, T)> {
    let find = wanted.find.as_ref().map(|find| find.to_lowercase());
    list.retain(|(miner, _)| {
        let has = |find: &String| {
            let name = miner.name.as_deref().unwrap_or_default();
            let texts = [&*miner.worker, name, &miner.address, &miner.agent];
            texts.iter().any(|text| text.to_lowercase().contains(find))
        };
        let same = |wanted: &Option<String>, is: &str| {
            wanted
                .as_ref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(is))
        };
        find.as_ref().is_none_or(has)
            && same(&wanted.algorithm, &miner.algorithm)
            && same(&wanted.state, miner.condition())
    });
    list.sort_by(|(a, _), (b, _)| {
        let order = compare(wanted.sort, a, b).then_with(|| a.worker.cmp(&b.worker));
        match wanted.reverse {
            true => order.reverse(),
            false => order,
        }
    });
    list.truncate(wanted.limit.unwrap_or(usize::MAX));
    list
}

fn compare(column: Column, a: &Miner, b: &Miner) -> Ordering {
    let largest = |a: f64, b: f64| b.total_cmp(&a);
    match column {
        Column::Worker => a.worker.cmp(&b.worker),
        Column::Address => address(a).cmp(&address(b)),
        Column::Algorithm => a.algorithm.cmp(&b.algorithm),
        Column::Firmware => a.agent.cmp(&b.agent),
        Column::State => sickness(a).cmp(&sickness(b)),
        Column::Minute => largest(a.hashrate_1m, b.hashrate_1m),
        Column::Hour => largest(a.hashrate_1h, b.hashrate_1h),
        Column::Day => largest(a.hashrate_24h, b.hashrate_24h),
        Column::Refused => largest(
            a.refused_part().unwrap_or(-1.0),
            b.refused_part().unwrap_or(-1.0),
        ),
        Column::LastShare => {
            let since = |miner: &Miner| miner.last_share_seconds.unwrap_or(u64::MAX);
            since(b).cmp(&since(a))
        }
        Column::Difficulty => largest(a.difficulty, b.difficulty),
    }
}

/// 10.0.0.9 before 10.0.0.10.
fn address(miner: &Miner) -> Option<std::net::SocketAddr> {
    miner.address.parse().ok()
}

fn sickness(miner: &Miner) -> u8 {
    match miner.condition() {
        "silent" => 0,
        "offline" => 1,
        "works" => 3,
        _ => 2,
    }
}

fn table<'a>(miners: impl Iterator<Item = &'a Miner>) -> Table {
    let mut table = Table::new(&[
        "WORKER",
        "STATE",
        "1 MIN",
        "1 H",
        "24 H",
        "REFUSED",
        "LAST SHARE",
        "DIFFICULTY",
        "ALGORITHM",
        "ADDRESS",
        "FIRMWARE",
    ]);
    for miner in miners {
        let worker = match &miner.name {
            Some(name) => format!("{name} ({})", miner.worker),
            None => miner.worker.clone(),
        };
        let last = miner.last_share_seconds;
        table.row(vec![
            text(worker),
            text(miner.condition()).painted(of_state(miner.condition())),
            figure(hashrate(miner.hashrate_1m)),
            figure(hashrate(miner.hashrate_1h)),
            figure(hashrate(miner.hashrate_24h)),
            figure(miner.refused_part().map_or("-".to_owned(), ratio)),
            figure(last.map_or("-".to_owned(), duration)),
            figure(quantity(miner.difficulty)),
            text(&miner.algorithm),
            text(&miner.address),
            text(&miner.agent),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn miner(worker: &str, address: &str, rate: f64, silent: bool) -> (Miner, ()) {
        let miner = Miner {
            worker: worker.to_owned(),
            address: address.to_owned(),
            hashrate_1m: rate,
            silent,
            ..Miner::default()
        };
        (miner, ())
    }

    fn farm() -> Vec<(Miner, ())> {
        vec![
            miner("rig1", "10.0.0.10:4000", 5.0, false),
            miner("rig2", "10.0.0.9:4000", 0.0, true),
            miner("shed", "10.0.0.11:4000", 9.0, false),
        ]
    }

    fn wanted(sort: Column) -> Wanted {
        Wanted {
            sort,
            reverse: false,
            find: None,
            algorithm: None,
            state: None,
            limit: None,
        }
    }

    fn names(list: Vec<(Miner, ())>) -> Vec<String> {
        list.into_iter().map(|(miner, ())| miner.worker).collect()
    }

    #[test]
    fn the_sick_stand_first_and_the_strong_where_one_asks_for_them() {
        assert_eq!(
            names(chosen(farm(), &wanted(Column::State))),
            ["rig2", "rig1", "shed"]
        );
        assert_eq!(
            names(chosen(farm(), &wanted(Column::Minute))),
            ["shed", "rig1", "rig2"]
        );
        assert_eq!(
            names(chosen(farm(), &wanted(Column::Address))),
            ["rig2", "rig1", "shed"]
        );
        let weakest = Wanted {
            reverse: true,
            limit: Some(1),
            ..wanted(Column::Minute)
        };
        assert_eq!(names(chosen(farm(), &weakest)), ["rig2"]);
    }

    #[test]
    fn one_finds_a_miner_by_a_part_of_what_one_knows_of_it() {
        let by = |find: &str| Wanted {
            find: Some(find.to_owned()),
            ..wanted(Column::Worker)
        };
        assert_eq!(names(chosen(farm(), &by("SHE"))), ["shed"]);
        assert_eq!(names(chosen(farm(), &by("0.0.9"))), ["rig2"]);
        let silent = Wanted {
            state: Some("Silent".to_owned()),
            ..wanted(Column::Worker)
        };
        assert_eq!(names(chosen(farm(), &silent)), ["rig2"]);
    }
}
