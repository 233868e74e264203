//! MiningPoolHub: tables over all its pools, and one pool's own figures.
//!
//! - `profit` is BTC a day per 1e9 hashes per second, whatever the algorithm.
//! - In the table the hashrates are texts with a suffix, and `-` for none. In
//!   `getpoolstatus` the pool's is a number of *thousands* of hashes per second
//!   while the network's beside it is in hashes.
//! - Equihash difficulties are divided by 2^19; the others are the node's.
//! - A coin that only this pool still mines has a profit beyond all reason.
//! - Asked too often it answers an HTML page with status 200; a failure is
//!   `"success": false` and no word more.

use super::units::Suffixed;
use super::*;
use crate::source::Budget;
use crate::source::chain::{Flag, Lax};
use crate::source::rows::{self, Maybe, NamedRows, Rows};

pub struct MiningPoolHub;

const NAME: &str = "miningpoolhub";
const PUBLIC: &str = "https://miningpoolhub.com";
const ONE_POOL: &str = "https://{coin}.miningpoolhub.com";
const PATH: &str = "/index.php?page=api&action=";

impl Source for MiningPoolHub {
    fn name(&self) -> &'static str {
        NAME
    }

    /// None is documented; this is polite.
    fn budget(&self) -> Budget {
        Budget {
            burst: 1,
            per_minute: 2.0,
        }
    }

    /// One pool's own figures need a key; the tables do not.
    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        let table = |action| coin_url(settings, PUBLIC, "", &format!("{PATH}{action}"));
        let mut asked = vec![
            get("profits", "", table("getminingandprofitsstatistics"), 600),
            get(
                "switching",
                "",
                table("getautoswitchingandprofitsstatistics"),
                600,
            ),
        ];
        let Some(key) = &settings.key else {
            return asked;
        };
        let key = crate::source::address::escaped(key);
        for (coin, id) in wanted(NAME, settings, catalog) {
            let url = |action| {
                let path = format!("{PATH}{action}&api_key={key}");
                coin_url(settings, ONE_POOL, id, &path)
            };
            asked.push(get("status", &coin.id, url("getpoolstatus"), 600));
            asked.push(get("blocks", &coin.id, url("getblockstats"), 3_600));
        }
        asked
    }

    fn parse(
        &self,
        request: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        now: u64,
    ) -> Result<Parsed, SourceError> {
        let mut parsed = Parsed::default();
        match request.kind {
            "profits" => {
                for row in &table(answer)? {
                    match rows::read::<Profit>(row) {
                        Some(row) => profit(&mut parsed, &row, catalog, now),
                        None => parsed.leave_out(excerpt(row.get()), rows::NOT_READABLE),
                    }
                }
            }
            "switching" => {
                for row in &table(answer)? {
                    match rows::read::<Profit>(row) {
                        Some(row) => switching(&mut parsed, &row, catalog),
                        None => parsed.leave_out(excerpt(row.get()), rows::NOT_READABLE),
                    }
                }
            }
            "status" | "blocks" => {
                let place = Place::of(NAME, &request.about, catalog)?;
                let said: OnePool = limited(object(answer))?;
                said.push(&mut parsed, &place, now);
            }
            other => return Err(chain::no_such_kind(other)),
        }
        not_empty(parsed)
    }
}

/// A page where JSON was due is how this service says "too often".
fn limited<T>(read: Result<T, SourceError>) -> Result<T, SourceError> {
    match read {
        Err(SourceError::Html(_)) => Err(SourceError::RateLimited(None)),
        read => read,
    }
}

fn table(answer: &Answer<'_>) -> Result<Rows, SourceError> {
    let said: Table = limited(object(answer))?;
    if said.success.0 == Some(false) {
        let words = "success false, and no word why".to_owned();
        return Err(SourceError::Service(words));
    }
    Ok(said.rows.0)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Table {
    success: Flag,
    #[serde(rename = "return")]
    rows: Lax<Rows>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Profit {
    coin_name: Text,
    current_mining_coin: Text,
    algo: Text,
    profit: Num,
    pool_hash: Suffixed,
    net_hash: Suffixed,
    difficulty: Num,
    last_block: Num,
    fee: Num,
    workers: Num,
}

impl Profit {
    fn offer(&self) -> Option<Decimal> {
        shifted(self.profit.positive(), -9)
    }
}

fn switching(parsed: &mut Parsed, row: &Profit, catalog: &Catalog) {
    let Some(algorithm) = catalog.algorithm(row.algo.as_str()) else {
        let name = format!("{} {}", row.algo.as_str(), row.current_mining_coin.as_str());
        return parsed.leave_out(name, rows::NOT_IN_CATALOG);
    };
    let subject = market(NAME, algorithm);
    parsed.push(&subject, Fact::OfferBtcPerHashDay, row.offer(), None);
}

fn profit(parsed: &mut Parsed, row: &Profit, catalog: &Catalog, now: u64) {
    let name = row.coin_name.as_str();
    let algorithm = catalog.algorithm(row.algo.as_str());
    let coin = catalog.coin_of(NAME, name).or_else(|| {
        // One name for each algorithm of a coin that has several.
        catalog.coin_of(&format!("{NAME}/{}", algorithm?), name)
    });
    let Some(coin) = coin else {
        return parsed.leave_out(name, rows::NOT_IN_CATALOG);
    };
    let Some(algorithm) = algorithm.filter(|algorithm| coin.has(algorithm)) else {
        return parsed.leave_out(name, rows::OTHER_ALGORITHM);
    };
    let place = Place::new(NAME, coin, algorithm);
    let (pool, chain) = (&place.pool, &place.chain);
    let network = row.net_hash.positive();
    if network.is_some() && network == row.pool_hash.positive() {
        parsed.leave_out(name, SAME_AS_NETWORK);
    }
    let last = stated::seconds(&row.last_block, now).map(Decimal::from);
    parsed.push(pool, Fact::OfferBtcPerHashDay, row.offer(), None);
    parsed.push(pool, Fact::PoolHashrate, row.pool_hash.0.clone(), None);
    parsed.push(pool, Fact::PoolFee, percent(&row.fee), None);
    parsed.push(pool, Fact::PoolMiners, row.workers.not_negative(), None);
    parsed.push(pool, Fact::PoolLastBlock, last, None);
    let difficulty = difficulty(&row.difficulty, algorithm);
    parsed.push(chain, Fact::Difficulty, difficulty, None);
    parsed.push(chain, Fact::NetworkHashrate, network, None);
}

/// As the node reports it.
fn difficulty(stated: &Num, algorithm: &str) -> Option<Decimal> {
    let factor = if algorithm.starts_with("equihash") {
        1 << 19
    } else {
        1
    };
    stated.positive().map(|value| value * Decimal::from(factor))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OnePool {
    getpoolstatus: Maybe<Data<Status>>,
    getblockstats: Maybe<Data<NamedRows>>,
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Data<T> {
    #[serde(default)]
    data: Maybe<T>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    hashrate: Num,
    workers: Num,
    currentnetworkblock: Num,
    networkdiff: Num,
    nethashrate: Num,
    lastblock: Num,
    timesincelast: Num,
}

impl OnePool {
    fn push(&self, parsed: &mut Parsed, place: &Place<'_>, now: u64) {
        if let Some(status) = self
            .getpoolstatus
            .0
            .as_ref()
            .and_then(|of| of.data.0.as_ref())
        {
            one_status(parsed, status, place, now);
        }
        if let Some(blocks) = self
            .getblockstats
            .0
            .as_ref()
            .and_then(|of| of.data.0.as_ref())
        {
            one_blocks(parsed, blocks, place);
        }
    }
}

fn one_status(parsed: &mut Parsed, said: &Status, place: &Place<'_>, now: u64) {
    let (pool, chain) = (&place.pool, &place.chain);
    let hashrate = shifted(said.hashrate.not_negative(), 3);
    let age = said.lastblock.positive().and(said.timesincelast.whole());
    let last = age.and_then(|age| now.checked_sub(age));
    parsed.push(pool, Fact::PoolHashrate, hashrate, None);
    parsed.push(pool, Fact::PoolMiners, said.workers.not_negative(), None);
    parsed.push(pool, Fact::PoolLastBlock, last.map(Decimal::from), None);
    let algorithm = place.coin.only_algorithm().unwrap_or_default();
    let difficulty = difficulty(&said.networkdiff, algorithm);
    parsed.push(chain, Fact::Difficulty, difficulty, None);
    parsed.push(
        chain,
        Fact::NetworkHashrate,
        said.nethashrate.positive(),
        None,
    );
    let height = said.currentnetworkblock.positive();
    parsed.push(chain, Fact::Height, height, None);
}

/// Four weeks if they have enough blocks, else a year.
fn one_blocks(parsed: &mut Parsed, said: &NamedRows, place: &Place<'_>) {
    let number = |window: &str, what: &str| {
        let raw = said.get(&format!("{window}{what}"));
        raw.map_or(Num(None), |raw| Num::of_json(raw.get()))
    };
    let blocks = |window: &str| number(window, "Total").whole().unwrap_or_default();
    let enough = |window: &&str| blocks(window) >= BLOCKS_FOR_EFFORT;
    let Some(window) = ["4Weeks", "12Month"].into_iter().find(enough) else {
        return parsed.leave_out(&*place.coin.id, "too few blocks");
    };
    let expected = number(window, "EstimatedShares").positive();
    let effort = ratio(number(window, "Shares").positive(), expected);
    let orphaned = number(window, "Orphan").not_negative();
    let rate = orphaned.and_then(|orphaned| orphan_rate(orphaned, blocks(window)));
    parsed.push(&place.pool, Fact::PoolEffort, effort, None);
    parsed.push(&place.pool, Fact::OrphanRate, rate, None);
}

#[cfg(test)]
mod tests {
    use super::testing::{fails, left_out, lines, parse};
    use super::*;

    #[test]
    fn one_bad_row_spoils_no_other() {
        let body = r#"{"success":true,"return":[
            {"coin_name":"zcash","algo":"Equihash","profit":0,"pool_hash":"-","net_hash":"5G",
             "difficulty":2,"fee":0.9,"workers":0,"last_block":1500000000},
            {"coin_name":"litecoin","algo":"Scrypt","profit":"2.5e-05","pool_hash":"1.5G",
             "net_hash":"1.50G","difficulty":7,"last_block":0},
            {"coin_name":"digibyte-qubit","algo":"Qubit","profit":1e-6,"pool_hash":null},
            {"coin_name":"digibyte-skein","algo":"Skein","profit":2e-6},
            {"coin_name":"zcoin","algo":"Lyra2z","profit":5},
            {"coin_name":"neverheard","algo":"Scrypt"}, null, 5]}"#;
        let parsed = parse(&MiningPoolHub, "profits", "", body);
        assert_eq!(
            lines(&parsed),
            [
                "pool ZEC/equihash-200-9 PoolFee 0.009",
                "pool ZEC/equihash-200-9 PoolMiners 0",
                "pool ZEC/equihash-200-9 PoolLastBlock 1500000000",
                "ZEC/equihash-200-9 Difficulty 1048576",
                "ZEC/equihash-200-9 NetworkHashrate 5000000000",
                "pool LTC/scrypt OfferBtcPerHashDay 0.000000000000025",
                "pool LTC/scrypt PoolHashrate 1500000000",
                "LTC/scrypt Difficulty 7",
                "LTC/scrypt NetworkHashrate 1500000000",
                "pool DGB/qubit OfferBtcPerHashDay 0.000000000000001",
                "pool DGB/skein OfferBtcPerHashDay 0.000000000000002",
            ]
        );
        assert_eq!(
            left_out(&parsed),
            ["litecoin", "zcoin", "neverheard", "null", "5"]
        );
    }

    #[test]
    fn the_switching_table_is_of_algorithms() {
        let body = r#"{"success":true,"return":[{"algo":"Lyra2RE2","profit":0.5},
            {"algo":"Equihash-XYZ","current_mining_coin":"xyz","profit":700}]}"#;
        let parsed = parse(&MiningPoolHub, "switching", "", body);
        assert_eq!(
            lines(&parsed),
            ["market lyra2rev2 OfferBtcPerHashDay 0.0000000005"]
        );
        assert_eq!(left_out(&parsed), ["Equihash-XYZ xyz"]);
    }

    #[test]
    fn a_page_is_the_limit_and_a_failure_has_no_words() {
        let page = "<!doctype html><title>x</title>";
        for kind in ["profits", "switching"] {
            assert_eq!(
                fails(&MiningPoolHub, kind, "", page),
                SourceError::RateLimited(None)
            );
            assert!(matches!(
                fails(&MiningPoolHub, kind, "", r#"{"success":false}"#),
                SourceError::Service(_)
            ));
        }
    }

    #[test]
    fn the_pools_hashrate_is_in_thousands_and_the_networks_is_not() {
        let body = r#"{"getpoolstatus":{"data":{"hashrate":5.5,"workers":3,
            "currentnetworkblock":"100","networkdiff":"40","nethashrate":6000,
            "lastblock":90,"timesincelast":50}}}"#;
        assert_eq!(
            lines(&parse(&MiningPoolHub, "status", "ETC", body)),
            [
                "pool ETC/etchash PoolHashrate 5500",
                "pool ETC/etchash PoolMiners 3",
                "pool ETC/etchash PoolLastBlock 1899999950",
                "ETC/etchash Difficulty 40",
                "ETC/etchash NetworkHashrate 6000",
                "ETC/etchash Height 100",
            ]
        );
    }

    #[test]
    fn effort_and_orphans_are_of_a_window_with_enough_blocks() {
        let body = r#"{"getblockstats":{"data":{"4WeeksTotal":"3","4WeeksShares":"9",
            "4WeeksEstimatedShares":1,"12MonthTotal":"99","12MonthOrphan":"1",
            "12MonthShares":"150","12MonthEstimatedShares":120}}}"#;
        assert_eq!(
            lines(&parse(&MiningPoolHub, "blocks", "ETC", body)),
            [
                "pool ETC/etchash PoolEffort 1.25",
                "pool ETC/etchash OrphanRate 0.015"
            ]
        );
        let few = r#"{"getblockstats":{"data":{"4WeeksTotal":0}}}"#;
        assert_eq!(
            left_out(&parse(&MiningPoolHub, "blocks", "ETC", few)),
            ["ETC"]
        );
    }
}
