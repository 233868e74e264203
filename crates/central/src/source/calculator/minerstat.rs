//! minerstat's table of coins.
//!
//! - -1 means "no data" in every number.
//! - `reward` is coins for one hash per second in an hour; `reward_block` is
//!   without fees. A reward in another coin's unit is left out.
//! - Kaspa's difficulty there is the network's hashrate divided by 2^32 and not
//!   what a node says.
//! - Rows of type `pool` are pools that pay for hashes, whatever they mine.
//! - The table stands bare or in `data`. 402 says that the month's quota is gone.

use super::super::{
    Answer, Budget, Catalog, Coin, Decimal, Fact, Num, Parsed, Request, Settings, Source,
    SourceError, address,
    rows::{self, Rows, Text},
    stated,
};
use serde::Deserialize;
use std::time::Duration;

const SERVICE: &str = "minerstat";
const PUBLIC: &str = "https://api.minerstat.com/v2";

pub const COINS: &str = "coins";

pub struct Minerstat;

#[derive(Deserialize)]
struct Envelope {
    data: Rows,
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    coin: Text,
    #[serde(default, rename = "type")]
    kind: Text,
    #[serde(default)]
    algorithm: Text,
    #[serde(default)]
    network_hashrate: Num,
    #[serde(default)]
    difficulty: Num,
    #[serde(default)]
    reward: Num,
    #[serde(default)]
    reward_unit: Text,
    #[serde(default)]
    reward_block: Num,
    #[serde(default)]
    price: Num,
    #[serde(default)]
    volume: Num,
    #[serde(default)]
    updated: Num,
}

impl Source for Minerstat {
    fn name(&self) -> &'static str {
        SERVICE
    }

    fn budget(&self) -> Budget {
        Budget {
            burst: 1,
            per_minute: 12.0,
        }
    }

    fn needs_key(&self) -> bool {
        true
    }

    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        let ids = catalog.ids(SERVICE, &settings.about).join(",");
        if ids.is_empty() {
            return Vec::new();
        }
        let path = format!("/coins?list={}", address::escaped(&ids));
        let key = settings.key.iter();
        vec![Request {
            kind: COINS,
            about: String::new(),
            url: address::url(settings, PUBLIC, &path),
            headers: key.map(|key| ("x-api-key", key.clone())).collect(),
            body: None,
            every: Duration::from_secs(600),
            network: None,
        }]
    }

    fn parse(
        &self,
        _: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        now: u64,
    ) -> Result<Parsed, SourceError> {
        answer.check_status()?;
        let table: Rows = if answer.text()?.starts_with('{') {
            answer.json::<Envelope>()?.data
        } else {
            answer.json()?
        };
        let mut out = Parsed::default();
        for row in &table {
            let Some(row) = rows::read::<Row>(row) else {
                out.leave_out("", rows::NOT_READABLE);
                continue;
            };
            match catalog.coin_of(SERVICE, row.coin.as_str()) {
                _ if row.kind.as_str() == "pool" => {
                    out.leave_out(row.coin.as_str(), rows::PSEUDO_COIN);
                }
                Some(coin) => push(&row, coin, catalog, now, &mut out),
                None => out.leave_out(row.coin.as_str(), rows::NOT_IN_CATALOG),
            }
        }
        Ok(out)
    }
}

fn push(row: &Row, coin: &Coin, catalog: &Catalog, now: u64, out: &mut Parsed) {
    let Some(chain) = super::chain_subject(catalog, coin, row.algorithm.as_str()) else {
        return out.leave_out(row.coin.as_str(), rows::OTHER_ALGORITHM);
    };
    let at = stated::seconds(&row.updated, now);
    let subject = super::coin_subject(coin);
    out.push(&subject, Fact::PriceUsd, row.price.positive(), at);
    out.push(&subject, Fact::VolumeUsdDay, row.volume.positive(), at);

    let node_difficulty = row.difficulty.positive().filter(|_| coin.id != "KAS");
    let hourly = row.reward.positive();
    let in_own_coin = row.reward_unit == row.coin;
    let daily = hourly
        .filter(|_| in_own_coin)
        .map(|hour| hour * Decimal::from(24));
    for (fact, value) in [
        (Fact::Difficulty, node_difficulty),
        (Fact::NetworkHashrate, row.network_hashrate.positive()),
        (Fact::Subsidy, row.reward_block.positive()),
        (Fact::OfferCoinPerHashDay, daily),
    ] {
        out.push(&chain, fact, value, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::*;

    const ROWS: &str = r#"[{"id":"x","coin":"BTC","name":"Bitcoin","type":"coin",
          "algorithm":"SHA-256","network_hashrate":998375431254214117725,"difficulty":1.3e14,
          "reward":6.5e-20,"reward_unit":"BTC","reward_block":3.125,"price":61000.5,
          "volume":7,"updated":1699999000},
        {"coin":"KAS","type":"coin","algorithm":"kHeavyHash","network_hashrate":4e17,
          "difficulty":93132257,"reward":2e-16,"reward_unit":"BTC","reward_block":"2.5","price":-1},
        {"coin":"LTC","algorithm":"Scrypt","network_hashrate":-1,"difficulty":-1,"reward":-1,
          "reward_block":-1,"price":-1,"volume":-1,"updated":-1},
        {"coin":"NiceHash-Scrypt","type":"pool","algorithm":"Scrypt","reward":1,"reward_unit":"BTC"},
        {"coin":"ZEC","algorithm":"Blake","price":3}, {"coin":"XYZ"}, []]"#;

    #[test]
    fn rewards_are_an_hours_and_kaspas_difficulty_is_not_the_nodes() {
        let parsed = parse(&Minerstat, COINS, 200, ROWS).expect("coins");
        let btc = |fact| value(&parsed, &of_chain("BTC", "sha256d"), fact);
        assert_eq!(btc(Fact::NetworkHashrate), dec("998375431254214117725"));
        assert_eq!(btc(Fact::Difficulty), dec("130000000000000"));
        assert_eq!(btc(Fact::Subsidy), dec("3.125"));
        assert_eq!(btc(Fact::BlockReward), None);
        assert_eq!(btc(Fact::OfferCoinPerHashDay), dec("1.56e-18"));
        assert_eq!(
            value(&parsed, &of_coin("BTC"), Fact::PriceUsd),
            dec("61000.5")
        );
        assert_eq!(parsed.observations[0].at, Some(1_699_999_000));
        let kas = |fact| value(&parsed, &of_chain("KAS", "kheavyhash"), fact);
        assert_eq!(kas(Fact::Difficulty), None);
        assert_eq!(kas(Fact::OfferCoinPerHashDay), None);
        assert_eq!(kas(Fact::NetworkHashrate), dec("400000000000000000"));
        assert_eq!(kas(Fact::Subsidy), dec("2.5"));
        assert_eq!(parsed.observations.len(), 8);
        let left_out = [
            ("NiceHash-Scrypt", rows::PSEUDO_COIN),
            ("ZEC", rows::OTHER_ALGORITHM),
            ("XYZ", rows::NOT_IN_CATALOG),
            ("", rows::NOT_READABLE),
        ];
        assert_eq!(unmapped(&parsed), left_out);
    }

    #[test]
    fn the_table_may_stand_in_data() {
        let bare = parse(&Minerstat, COINS, 200, ROWS);
        let wrapped = parse(&Minerstat, COINS, 200, &format!("{{\"data\":{ROWS}}}"));
        assert!(bare.is_ok());
        assert_eq!(wrapped, bare);
    }

    #[test]
    fn no_key_and_no_quota_are_two_things() {
        let ask = |status, body: &str| parse(&Minerstat, COINS, status, body);
        assert!(matches!(ask(401, "{}"), Err(SourceError::Key(_))));
        assert!(matches!(ask(402, ""), Err(SourceError::Stop(_))));
        assert!(matches!(ask(200, "{}"), Err(SourceError::Malformed(_))));
        assert_eq!(ask(200, ""), Err(SourceError::Empty));
    }
}
