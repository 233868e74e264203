//! Braiins Pool: its size, its rate and its blocks.
//!
//! - Hashrates are in the unit that the answer names (`Gh/s`); one unknown to us
//!   scales nothing.
//! - `fpps_rate` is BTC per TH/s and day.
//! - Blocks are an object, the key is the height; a block that is still being
//!   confirmed may become invalid and does not count yet.
//! - Needs a token; one request in five seconds.

use super::*;
use crate::source::Budget;
use crate::source::chain::Lax;
use crate::source::rows::{self, Maybe, NamedRows};

pub struct Braiins;

impl Source for Braiins {
    fn name(&self) -> &'static str {
        "braiins-pool"
    }

    /// Documented: one in five seconds.
    fn budget(&self) -> Budget {
        Budget {
            burst: 1,
            per_minute: 10.0,
        }
    }

    fn needs_key(&self) -> bool {
        true
    }

    fn requests(&self, settings: &Settings, _catalog: &Catalog) -> Vec<Request> {
        let url = coin_url(settings, "https://pool.braiins.com", "", "/stats/json/btc/");
        let key = settings.key.clone().unwrap_or_default();
        let mut asked = get("stats", "BTC", url, 300);
        asked.headers.push(("Pool-Auth-Token", key));
        vec![asked]
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
        let said: Said = object(answer)?;
        let mut parsed = Parsed::default();
        if let Some(stats) = &said.btc.0 {
            of_pool(&mut parsed, stats, &place, now);
            of_blocks(&mut parsed, stats, &place, now);
        }
        not_empty(parsed)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    btc: Maybe<Stats>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Stats {
    hash_rate_unit: Text,
    pool_active_workers: Num,
    pool_5m_hash_rate: Num,
    pool_60m_hash_rate: Num,
    pool_24h_hash_rate: Num,
    update_ts: Num,
    blocks: Lax<NamedRows>,
    fpps_rate: Num,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Block {
    date_found: Num,
    state: Text,
    value: Num,
}

fn of_pool(parsed: &mut Parsed, stats: &Stats, place: &Place<'_>, now: u64) {
    let at = stated::seconds(&stats.update_ts, now);
    let pool = &place.pool;
    let hour = stats.pool_60m_hash_rate.not_negative();
    let rate = hour
        .or_else(|| stats.pool_24h_hash_rate.not_negative())
        .or_else(|| stats.pool_5m_hash_rate.not_negative());
    match units::unit(stats.hash_rate_unit.as_str()) {
        Some(power) => parsed.push(pool, Fact::PoolHashrate, shifted(rate, power), at),
        None => parsed.leave_out("hash_rate_unit", UNSCALED),
    }
    let workers = stats.pool_active_workers.not_negative();
    parsed.push(pool, Fact::PoolMiners, workers, at);
    let offer = shifted(stats.fpps_rate.positive(), -12);
    parsed.push(pool, Fact::OfferBtcPerHashDay, offer, at);
}

fn of_blocks(parsed: &mut Parsed, stats: &Stats, place: &Place<'_>, now: u64) {
    let blocks = stats.blocks.0.values();
    let blocks: Vec<Block> = blocks.filter_map(|row| rows::read(row)).collect();
    let state = |block: &Block, word: &str| block.state.as_str() == word;
    let found = |block: &Block| stated::seconds(&block.date_found, now);

    let valid = blocks.iter().filter(|block| !state(block, "invalid"));
    let last = valid.filter_map(found).max();
    parsed.push(
        &place.pool,
        Fact::PoolLastBlock,
        last.map(Decimal::from),
        None,
    );

    let confirmed: Vec<&Block> = blocks.iter().filter(|b| state(b, "confirmed")).collect();
    let orphaned = blocks.iter().filter(|b| state(b, "invalid")).count() as u64;
    let rate = orphan_rate(orphaned.into(), orphaned + confirmed.len() as u64);
    parsed.push(&place.pool, Fact::OrphanRate, rate, None);

    let values: Vec<Decimal> = confirmed
        .iter()
        .filter_map(|b| b.value.positive())
        .collect();
    let at = confirmed.iter().filter_map(|block| found(block)).max();
    parsed.push(&place.chain, Fact::BlockReward, mean(&values), at);
}

#[cfg(test)]
mod tests {
    use super::testing::{fails, left_out, lines, parse};
    use super::*;

    #[test]
    fn the_answer_names_its_unit_and_pays_per_terahash() {
        let body = r#"{"btc":{"hash_rate_unit":"Th/s","pool_active_workers":3,
            "pool_60m_hash_rate":2.5,"pool_24h_hash_rate":9,"update_ts":1700000000,
            "fpps_rate":0.0000005,"blocks":{
            "800000":{"date_found":1699990000,"state":"confirmed","value":"3.25"},
            "800001":{"date_found":1699995000,"state":"confirmed","value":"3.75"},
            "800002":{"date_found":1699999000,"state":"invalid","value":"9"},
            "800003":{"date_found":1699998000,"state":"new","value":null}, "800004":null}}}"#;
        assert_eq!(
            lines(&parse(&Braiins, "stats", "BTC", body)),
            [
                "pool BTC/sha256d PoolHashrate 2500000000000 @1700000000",
                "pool BTC/sha256d PoolMiners 3 @1700000000",
                "pool BTC/sha256d OfferBtcPerHashDay 0.0000000000000000005 @1700000000",
                "pool BTC/sha256d PoolLastBlock 1699998000",
                "pool BTC/sha256d OrphanRate 0.375",
                "BTC/sha256d BlockReward 3.5 @1699995000",
            ]
        );
    }

    #[test]
    fn an_unknown_unit_scales_nothing() {
        let body = r#"{"btc":{"hash_rate_unit":"?","pool_60m_hash_rate":5,"fpps_rate":-1}}"#;
        let parsed = parse(&Braiins, "stats", "BTC", body);
        assert!(parsed.observations.is_empty());
        assert_eq!(left_out(&parsed), ["hash_rate_unit"]);
        let other = fails(&Braiins, "stats", "BTC", "{\"ltc\":{}}");
        assert!(matches!(other, SourceError::Malformed(_)));
    }
}
