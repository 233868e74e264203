//! public-pool: a solo pool; its own figures, and the node's beside them.
//!
//! `fee` is percent (zero). The list of blocks is empty for months and has no
//! times. `network` is the node's plain answer about mining.

use super::*;
use crate::source::Budget;

pub struct PublicPool;

impl Source for PublicPool {
    fn name(&self) -> &'static str {
        "public-pool"
    }

    /// None is documented; answers are kept for five minutes.
    fn budget(&self) -> Budget {
        Budget {
            burst: 2,
            per_minute: 4.0,
        }
    }

    fn requests(&self, settings: &Settings, _catalog: &Catalog) -> Vec<Request> {
        let coin = settings.about.first().map_or("BTC", String::as_str);
        let url = |path| coin_url(settings, "https://public-pool.io:40557", "", path);
        vec![
            get("pool", coin, url("/api/pool"), 300),
            get("network", coin, url("/api/network"), 300),
        ]
    }

    fn parse(
        &self,
        request: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        _now: u64,
    ) -> Result<Parsed, SourceError> {
        let place = Place::of(self.name(), &request.about, catalog)?;
        let mut parsed = Parsed::default();
        match request.kind {
            "pool" => of_pool(&mut parsed, &object(answer)?, &place),
            "network" => of_network(&mut parsed, &object(answer)?, &place),
            other => return Err(chain::no_such_kind(other)),
        }
        not_empty(parsed)
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Pool {
    total_hash_rate: Num,
    total_miners: Num,
    block_height: Num,
    fee: Num,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Network {
    blocks: Num,
    difficulty: Num,
    networkhashps: Num,
}

fn of_pool(parsed: &mut Parsed, said: &Pool, place: &Place<'_>) {
    let pool = &place.pool;
    let hashrate = said.total_hash_rate.not_negative();
    parsed.push(pool, Fact::PoolHashrate, hashrate, None);
    parsed.push(pool, Fact::PoolFee, percent(&said.fee), None);
    parsed.push(
        pool,
        Fact::PoolMiners,
        said.total_miners.not_negative(),
        None,
    );
    parsed.push(
        &place.chain,
        Fact::Height,
        said.block_height.positive(),
        None,
    );
}

fn of_network(parsed: &mut Parsed, said: &Network, place: &Place<'_>) {
    let chain = &place.chain;
    parsed.push(chain, Fact::Difficulty, said.difficulty.positive(), None);
    parsed.push(chain, Fact::Height, said.blocks.positive(), None);
    let hashrate = said.networkhashps.positive();
    parsed.push(chain, Fact::NetworkHashrate, hashrate, None);
}

#[cfg(test)]
mod tests {
    use super::testing::{fails, lines, parse};
    use super::*;

    #[test]
    fn a_fee_of_zero_is_a_fee() {
        let body = r#"{"totalHashRate":1e12,"blockHeight":900,"totalMiners":7,
            "blocksFound":[],"fee":0}"#;
        assert_eq!(
            lines(&parse(&PublicPool, "pool", "BTC", body)),
            [
                "pool BTC/sha256d PoolHashrate 1000000000000",
                "pool BTC/sha256d PoolFee 0",
                "pool BTC/sha256d PoolMiners 7",
                "BTC/sha256d Height 900",
            ]
        );
    }

    #[test]
    fn the_network_is_the_nodes_own_answer() {
        let body = r#"{"blocks":900,"difficulty":1.5e14,"networkhashps":0,"warnings":[]}"#;
        assert_eq!(
            lines(&parse(&PublicPool, "network", "BTC", body)),
            [
                "BTC/sha256d Difficulty 150000000000000",
                "BTC/sha256d Height 900"
            ]
        );
        assert!(matches!(
            fails(&PublicPool, "network", "BTC", "[]"),
            SourceError::Malformed(_)
        ));
    }
}
