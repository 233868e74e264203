//! HeroMiners: one address per coin, descended from the CryptoNote pool software.
//!
//! - `network.difficulty` is the node's own, in the coin's own scale.
//! - A block is one text with `:` between its columns, and every coin has other
//!   columns. A word of state stands among them; the reward follows it. The time
//!   is the first column that can be one, difficulty and shares follow it.
//! - A reward is in the smallest unit, of which `config.coinUnits` make a coin.
//! - `config.fee` is percent; the pool's last block is in milliseconds.
//! - `averageReward` is null much of the time, and is not needed.

use super::*;
use crate::source::Budget;
use crate::source::chain::Lax;
use crate::source::rows::{self, Maybe, Rows};

pub struct HeroMiners;

impl Source for HeroMiners {
    fn name(&self) -> &'static str {
        "herominers"
    }

    /// None is documented; this is polite.
    fn budget(&self) -> Budget {
        Budget {
            burst: 4,
            per_minute: 20.0,
        }
    }

    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        wanted("herominers", settings, catalog)
            .map(|(coin, id)| {
                let public = "https://{coin}.herominers.com";
                let url = coin_url(settings, public, id, "/api/stats");
                get("stats", &coin.id, url, 120)
            })
            .collect()
    }

    fn parse(
        &self,
        request: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        now: u64,
    ) -> Result<Parsed, SourceError> {
        if request.kind != "stats" {
            return Err(chain::no_such_kind(request.kind));
        }
        let place = Place::of(self.name(), &request.about, catalog)?;
        let said: Stats = object(answer)?;
        let mut parsed = Parsed::default();
        if let Some(pool) = &said.pool.0 {
            of_pool(&mut parsed, &said, pool, &place, now);
            of_blocks(&mut parsed, &said, pool, &place, catalog, now);
        }
        if let Some(network) = &said.network.0 {
            let chain = &place.chain;
            let height = network.height.whole().filter(|height| *height > 0);
            parsed.push(chain, Fact::Difficulty, network.difficulty.positive(), None);
            parsed.push(chain, Fact::Height, height.map(Decimal::from), None);
        }
        not_empty(parsed)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Stats {
    config: Maybe<Config>,
    network: Maybe<Network>,
    pool: Maybe<Pool>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Config {
    coin_units: Num,
    fee: Num,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Network {
    difficulty: Num,
    height: Num,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pool {
    hashrate: Num,
    miners: Num,
    blocks: Lax<Rows>,
    stats: Maybe<PoolStats>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PoolStats {
    last_block_found: Num,
}

fn of_pool(parsed: &mut Parsed, said: &Stats, pool: &Pool, place: &Place<'_>, now: u64) {
    let subject = &place.pool;
    let fee = said
        .config
        .0
        .as_ref()
        .and_then(|config| percent(&config.fee));
    let hashrate = pool.hashrate.not_negative();
    parsed.push(subject, Fact::PoolHashrate, hashrate, None);
    parsed.push(subject, Fact::PoolFee, fee, None);
    parsed.push(subject, Fact::PoolMiners, pool.miners.not_negative(), None);
    let stats = pool.stats.0.as_ref();
    let last = stats.and_then(|stats| seconds_or_milliseconds(&stats.last_block_found, now));
    let listed = records(pool, now).filter(|block| block.state != State::Orphaned);
    let last = last.max(listed.map(|block| block.time).max());
    parsed.push(subject, Fact::PoolLastBlock, last.map(Decimal::from), None);
}

fn of_blocks(
    parsed: &mut Parsed,
    said: &Stats,
    pool: &Pool,
    place: &Place<'_>,
    catalog: &Catalog,
    now: u64,
) {
    let blocks: Vec<Block> = records(pool, now).collect();
    let unread = texts(pool).count() - blocks.len();
    if unread > 0 {
        parsed.leave_out(format!("{unread} blocks"), rows::NOT_READABLE);
    }
    let count = |state| blocks.iter().filter(|block| block.state == state).count() as u64;
    let (good, orphaned) = (count(State::Unlocked), count(State::Orphaned));
    let rate = orphan_rate(orphaned.into(), good + orphaned);
    parsed.push(&place.pool, Fact::OrphanRate, rate, None);

    // Shares are expected hashes; so is the difficulty of these algorithms alone.
    let algorithm = place.coin.only_algorithm().unwrap_or_default();
    if catalog.hashes_per_difficulty(algorithm) == Some(1.0) {
        let efforts: Vec<Decimal> = blocks.iter().filter_map(Block::effort).collect();
        let effort = mean(&efforts).filter(|_| efforts.len() as u64 >= BLOCKS_FOR_EFFORT);
        parsed.push(&place.pool, Fact::PoolEffort, effort, None);
    }

    let paid = blocks.iter().filter(|block| block.state != State::Orphaned);
    let rewards: Vec<Decimal> = paid.clone().filter_map(|b| b.reward.positive()).collect();
    let units = said
        .config
        .0
        .as_ref()
        .and_then(|config| config.coin_units.positive());
    let reward = match units {
        Some(units) => ratio(mean(&rewards), Some(units)),
        None => shifted(mean(&rewards), -place.coin.decimals),
    };
    let at = paid.map(|block| block.time).max();
    parsed.push(&place.chain, Fact::BlockReward, reward, at);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Pending,
    Unlocked,
    Orphaned,
}

struct Block {
    time: u64,
    difficulty: Num,
    shares: Num,
    state: State,
    reward: Num,
}

impl Block {
    fn effort(&self) -> Option<Decimal> {
        ratio(self.shares.positive(), self.difficulty.positive())
    }

    fn read(text: &str, now: u64) -> Option<Self> {
        let columns: Vec<&str> = text.split(':').collect();
        let (state_at, state) = columns
            .iter()
            .enumerate()
            .find_map(|(at, word)| Some((at, state(word)?)))?;
        // The first column is the hash, which may be all digits.
        let time = |at: &usize| stated::seconds(&Num::of_text(columns[*at]), now);
        let time_at = (1..state_at).find(|at| time(at).is_some())?;
        let between = |at: usize| {
            let column = columns.get(at).filter(|_| at < state_at);
            column.map_or(Num(None), |text| Num::of_text(text))
        };
        Some(Self {
            time: time(&time_at)?,
            difficulty: between(time_at + 1),
            shares: between(time_at + 2),
            state,
            reward: columns
                .get(state_at + 1)
                .map_or(Num(None), |text| Num::of_text(text)),
        })
    }
}

fn state(word: &str) -> Option<State> {
    Some(match word {
        "pending" => State::Pending,
        "unlocked" | "confirmed" | "matured" => State::Unlocked,
        "orphan" | "orphaned" => State::Orphaned,
        _ => return None,
    })
}

/// Bare heights may stand between the records.
fn texts(pool: &Pool) -> impl Iterator<Item = String> {
    pool.blocks
        .0
        .iter()
        .filter_map(|row| serde_json::from_str::<String>(row.get()).ok())
        .filter(|text| text.contains(':'))
}

fn records(pool: &Pool, now: u64) -> impl Iterator<Item = Block> {
    texts(pool).filter_map(move |text| Block::read(&text, now))
}

#[cfg(test)]
mod tests {
    use super::testing::{left_out, lines, parse};
    use super::*;

    #[test]
    fn columns_are_found_whatever_stands_between_them() {
        let body = r#"{"config":{"coinUnits":1000,"fee":0.9},"network":{"difficulty":500,"height":7},
            "pool":{"hashrate":8,"miners":"3","stats":{"lastBlockFound":"1700000500000"},"blocks":[
            "aa:1700000000:500:400:390:nonce:unlocked:3007:addr:eu:prop",
            "12:7342453:1700000100:500:600:600:ff:4:pending:3009:addr:eu:prop", "7342453",
            "bb:1700000200:500.5:600:orphaned:0:addr:eu",
            "cc:unlocked:5", "dd:1700000200:1:2:mystery:4", 5, null]}}"#;
        let parsed = parse(&HeroMiners, "stats", "ERG", body);
        assert_eq!(
            lines(&parsed),
            [
                "pool ERG/autolykos2 PoolHashrate 8",
                "pool ERG/autolykos2 PoolFee 0.009",
                "pool ERG/autolykos2 PoolMiners 3",
                "pool ERG/autolykos2 PoolLastBlock 1700000500",
                "pool ERG/autolykos2 OrphanRate 0.5",
                "ERG/autolykos2 BlockReward 3.008 @1700000100",
                "ERG/autolykos2 Difficulty 500",
                "ERG/autolykos2 Height 7",
            ]
        );
        assert_eq!(left_out(&parsed), ["2 blocks"]);
    }

    #[test]
    fn effort_is_the_mean_of_enough_blocks_in_one_scale() {
        let blocks = |n: usize| {
            let block = "\"ab:1700000000:200:300:pending:1:x\"";
            let list = vec![block; n].join(",");
            format!(r#"{{"pool":{{"blocks":[{list}]}}}}"#)
        };
        let says = |coin, n| {
            lines(&parse(&HeroMiners, "stats", coin, &blocks(n)))
                .into_iter()
                .find(|line| line.contains("PoolEffort"))
        };
        let effort = "pool XMR/randomx PoolEffort 1.5".to_owned();
        assert_eq!(says("XMR", 16), Some(effort));
        assert_eq!(says("XMR", 15), None);
        assert_eq!(says("RVN", 16), None);
    }

    #[test]
    fn without_its_units_a_reward_is_in_the_coins_own() {
        let body = r#"{"pool":{"blocks":["ab:1700000000:2:3:pending:2500000000:x"]}}"#;
        let read = lines(&parse(&HeroMiners, "stats", "BEAM", body));
        assert_eq!(read[1], "BEAM/beamhash3 BlockReward 25 @1700000000");
    }
}
