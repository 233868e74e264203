//! open-ethereum-pool, and the shapes of the pools that descend from it.
//!
//! - Numbers of a node are strings.
//! - `now` is in milliseconds in some builds, in seconds in others.
//! - `luck` of a window of blocks is a ratio of shares to difficulty (effort), the
//!   key is how many blocks it covers; a plain `luck` beside the hashrate is the
//!   same in percent.
//! - A block's reward is in the coin's smallest unit; wei are beyond 2^53, so
//!   some builds write a string. A list that would be empty may be null.
//! - An uncle is a found block of a smaller reward, not an orphan. What is not
//!   matured may still become one, so only matured blocks count.
//!
//! Every deployment has its own address; there is no public one.

use super::*;
use crate::source::Budget;
use crate::source::chain::{Flag, Lax};
use crate::source::rows::{self, Maybe, NamedRows, Rows};

pub struct OpenEthereum;

impl Source for OpenEthereum {
    fn name(&self) -> &'static str {
        "open-ethereum-pool"
    }

    fn budget(&self) -> Budget {
        Budget {
            burst: 2,
            per_minute: 6.0,
        }
    }

    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        let ask = |endpoint: chain::Endpoint<'_>| {
            let get = |kind, path: &str, every| {
                let url = format!("{}{path}", endpoint.url);
                get(kind, &endpoint.coin.id, url, every)
            };
            [
                get("stats", "/api/stats", 120),
                get("blocks", "/api/blocks", 600),
            ]
        };
        chain::endpoints(settings, catalog, None)
            .into_iter()
            .flat_map(ask)
            .collect()
    }

    /// The kinds: `stats`, `blocks`, and `all` of the builds that put both in one.
    fn parse(
        &self,
        request: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        now: u64,
    ) -> Result<Parsed, SourceError> {
        let place = Place::of(self.name(), &request.about, catalog)?;
        match request.kind {
            "stats" => stats(&object(answer)?, &place, now),
            "blocks" => blocks(&object(answer)?, &place, now),
            "all" => all(&object(answer)?, &place, now),
            other => Err(chain::no_such_kind(other)),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Stats {
    now: Num,
    hashrate: Num,
    miners_total: Num,
    luck: Num,
    nodes: Lax<Rows>,
    stats: Maybe<Round>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Round {
    last_block_found: Num,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Node {
    avg_block_time: Num,
    difficulty: Num,
    height: Num,
    networkhashps: Num,
    last_beat: Num,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Blocks {
    matured: Lax<Rows>,
    immature: Lax<Rows>,
    candidates: Lax<Rows>,
    luck: Lax<NamedRows>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Block {
    timestamp: Num,
    reward: Num,
    orphan: Flag,
    uncle: Flag,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Window {
    luck: Num,
    orphan_rate: Num,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct All {
    now: Num,
    blocks: Maybe<Blocks>,
    miners: Maybe<Stats>,
    nodes: Lax<Rows>,
}

pub(super) fn stats(said: &Stats, place: &Place<'_>, now: u64) -> Result<Parsed, SourceError> {
    let mut parsed = Parsed::default();
    let at = seconds_or_milliseconds(&said.now, now);
    of_pool(&mut parsed, said, place, at, now);
    let effort = shifted(said.luck.positive(), -2);
    parsed.push(&place.pool, Fact::PoolEffort, effort, at);
    of_node(&mut parsed, &said.nodes.0, place, at, now);
    not_empty(parsed)
}

pub(super) fn blocks(said: &Blocks, place: &Place<'_>, now: u64) -> Result<Parsed, SourceError> {
    let mut parsed = Parsed::default();
    of_blocks(&mut parsed, said, place, now);
    not_empty(parsed)
}

fn all(said: &All, place: &Place<'_>, now: u64) -> Result<Parsed, SourceError> {
    let mut parsed = Parsed::default();
    let at = seconds_or_milliseconds(&said.now, now);
    if let Some(miners) = &said.miners.0 {
        of_pool(&mut parsed, miners, place, at, now);
    }
    of_node(&mut parsed, &said.nodes.0, place, at, now);
    if let Some(blocks) = &said.blocks.0 {
        of_blocks(&mut parsed, blocks, place, now);
    }
    not_empty(parsed)
}

fn of_pool(parsed: &mut Parsed, said: &Stats, place: &Place<'_>, at: Option<u64>, now: u64) {
    let pool = &place.pool;
    parsed.push(pool, Fact::PoolHashrate, said.hashrate.not_negative(), at);
    parsed.push(pool, Fact::PoolMiners, said.miners_total.not_negative(), at);
    let round = said.stats.0.as_ref();
    let last = round.and_then(|round| seconds_or_milliseconds(&round.last_block_found, now));
    parsed.push(pool, Fact::PoolLastBlock, last.map(Decimal::from), at);
}

/// Of several nodes the one that is furthest.
fn of_node(parsed: &mut Parsed, nodes: &Rows, place: &Place<'_>, at: Option<u64>, now: u64) {
    let nodes = nodes.iter().filter_map(|row| rows::read::<Node>(row));
    let Some(node) = nodes.max_by_key(|node| node.height.whole()) else {
        return;
    };
    let at = seconds_or_milliseconds(&node.last_beat, now).or(at);
    let chain = &place.chain;
    let height = node.height.whole().filter(|height| *height > 0);
    parsed.push(chain, Fact::Difficulty, node.difficulty.positive(), at);
    parsed.push(chain, Fact::Height, height.map(Decimal::from), at);
    let hashrate = node.networkhashps.positive();
    parsed.push(chain, Fact::NetworkHashrate, hashrate, at);
    parsed.push(chain, Fact::BlockTime, node.avg_block_time.positive(), at);
}

fn of_blocks(parsed: &mut Parsed, said: &Blocks, place: &Place<'_>, now: u64) {
    let read = |rows: &Lax<Rows>| -> Vec<Block> {
        rows.0.iter().filter_map(|row| rows::read(row)).collect()
    };
    let matured = read(&said.matured);
    let good = |block: &&Block| block.orphan.0 != Some(true);
    let time = |block: &Block| seconds_or_milliseconds(&block.timestamp, now);

    let young = [read(&said.immature), read(&said.candidates)].concat();
    let last = matured
        .iter()
        .chain(&young)
        .filter(good)
        .filter_map(time)
        .max();
    parsed.push(
        &place.pool,
        Fact::PoolLastBlock,
        last.map(Decimal::from),
        None,
    );
    luck(parsed, said, &matured, place);

    let whole = |block: &&Block| good(block) && block.uncle.0 != Some(true);
    let paid = matured.iter().filter(whole);
    let rewards: Vec<Decimal> = paid
        .clone()
        .filter_map(|block| block.reward.positive())
        .collect();
    let reward = shifted(mean(&rewards), -place.coin.decimals);
    parsed.push(
        &place.chain,
        Fact::BlockReward,
        reward,
        paid.filter_map(time).max(),
    );
}

/// The longest window; the listed blocks only where no window tells of orphans.
fn luck(parsed: &mut Parsed, said: &Blocks, matured: &[Block], place: &Place<'_>) {
    let windows = said.luck.0.iter().filter_map(|(key, row)| {
        let blocks = key.parse::<u64>().ok().filter(|blocks| *blocks > 0)?;
        Some((blocks, rows::read::<Window>(row)?))
    });
    let longest = windows.max_by_key(|(blocks, _)| *blocks);
    let effort = longest
        .as_ref()
        .filter(|(blocks, _)| *blocks >= BLOCKS_FOR_EFFORT)
        .and_then(|(_, window)| window.luck.positive());
    parsed.push(&place.pool, Fact::PoolEffort, effort, None);

    let of_window = longest.and_then(|(blocks, window)| {
        let share = window.orphan_rate.not_negative()?;
        orphan_rate(share * Decimal::from(blocks), blocks)
    });
    let orphaned = matured.iter().filter(|block| block.orphan.0 == Some(true));
    let of_list = || orphan_rate((orphaned.count() as u64).into(), matured.len() as u64);
    let rate = of_window.or_else(of_list);
    parsed.push(&place.pool, Fact::OrphanRate, rate, None);
}

#[cfg(test)]
mod tests {
    use super::testing::{NOW, fails, lines, parse};
    use super::*;

    #[test]
    fn a_clock_in_seconds_or_milliseconds_is_the_same_time() {
        for now in [NOW - 5, (NOW - 5) * 1000] {
            let body = format!(
                r#"{{"now":{now},"hashrate":7000,"minersTotal":2,"stats":{{"lastBlockFound":{}}},
                "nodes":[{{"difficulty":"900","height":"41","lastBeat":"{}"}}]}}"#,
                NOW - 100,
                NOW - 7
            );
            assert_eq!(
                lines(&parse(&OpenEthereum, "stats", "ETC", &body)),
                [
                    "pool ETC/etchash PoolHashrate 7000 @1899999995",
                    "pool ETC/etchash PoolMiners 2 @1899999995",
                    "pool ETC/etchash PoolLastBlock 1899999900 @1899999995",
                    "ETC/etchash Difficulty 900 @1899999993",
                    "ETC/etchash Height 41 @1899999993",
                ]
            );
        }
    }

    #[test]
    fn rewards_beyond_2_to_53_keep_every_digit() {
        let body = r#"{"candidates":null,"immature":null,"luck":{},"matured":[
            {"timestamp":1700000001,"reward":2048000000000000007,"orphan":false,"uncle":false},
            {"timestamp":1700000002,"reward":"2048000000000000009","orphan":false},
            {"timestamp":1700000003,"reward":1500000000000000000,"orphan":false,"uncle":true},
            {"timestamp":1700000004,"reward":0,"orphan":true},
            null, 7]}"#;
        assert_eq!(
            lines(&parse(&OpenEthereum, "blocks", "ETC", body)),
            [
                "pool ETC/etchash PoolLastBlock 1700000003",
                "pool ETC/etchash OrphanRate 0.3",
                "ETC/etchash BlockReward 2.048000000000000008 @1700000002",
            ]
        );
    }

    #[test]
    fn luck_over_a_handful_of_blocks_is_none() {
        let body =
            |blocks: u32| format!(r#"{{"luck":{{"{blocks}":{{"luck":3.5,"orphanRate":0}}}}}}"#);
        let few = parse(&OpenEthereum, "blocks", "ETC", &body(4));
        assert_eq!(lines(&few), ["pool ETC/etchash OrphanRate 0.1"]);
        let many = parse(&OpenEthereum, "blocks", "ETC", &body(49));
        assert_eq!(
            lines(&many),
            [
                "pool ETC/etchash PoolEffort 3.5",
                "pool ETC/etchash OrphanRate 0.01"
            ]
        );
    }

    #[test]
    fn all_in_one_and_its_furthest_node() {
        let body = r#"{"now":1700000000,"miners":{"hashrate":"12","minersTotal":1},
            "nodes":[{"height":"9","difficulty":"5"},{"height":"11","difficulty":"6"},
            {"height":null,"difficulty":"7"}],
            "blocks":{"matured":[{"timestamp":1699999000,"reward":"5","orphan":false}]}}"#;
        let read = lines(&parse(&OpenEthereum, "all", "ETC", body));
        assert!(read.contains(&"ETC/etchash Difficulty 6 @1700000000".to_owned()));
        assert!(read.contains(&"pool ETC/etchash PoolHashrate 12 @1700000000".to_owned()));
        assert!(read.contains(&"pool ETC/etchash OrphanRate 0.25".to_owned()));
    }

    #[test]
    fn what_is_no_pool_is_an_error() {
        assert!(matches!(
            fails(&OpenEthereum, "stats", "ETC", "{}"),
            SourceError::Malformed(_)
        ));
        assert!(matches!(
            fails(&OpenEthereum, "stats", "DERO", "{}"),
            SourceError::NotFound(_)
        ));
        assert!(matches!(
            fails(&OpenEthereum, "stats", "DGB", "{}"),
            SourceError::NotFound(_)
        ));
    }
}
