//! dcrdata, Decred's explorer. Amounts are in the smallest unit (1e-8).
//!
//! Trap. Work gets one hundredth of the subsidy: `work_reward` is that part
//! already, `total` is what everyone gets together.

use crate::source::chain::{self, fresh, get, no_such_kind, push_tip};
use crate::source::number::shifted;
use crate::source::{
    Answer, Budget, Catalog, Coin, Fact, Num, Parsed, Request, Settings, Source, SourceError,
};
use serde::Deserialize;
use std::time::Duration;

pub struct Dcrdata;

const PUBLIC: &str = "https://dcrdata.decred.org/api";

impl Source for Dcrdata {
    fn name(&self) -> &'static str {
        "dcrdata"
    }

    /// Nothing is printed; this is what a polite reader does.
    fn budget(&self) -> Budget {
        Budget {
            burst: 2,
            per_minute: 6.0,
        }
    }

    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        let mut requests = Vec::new();
        for host in chain::public(settings, catalog, "DCR", PUBLIC) {
            for (kind, path, seconds) in [
                ("block", "block/best", 120),
                ("subsidy", "block/best/subsidy", 3_600),
            ] {
                let url = format!("{}/{path}", host.url);
                requests.push(get(kind, &host.coin.id, url, Duration::from_secs(seconds)));
            }
        }
        requests
    }

    fn parse(
        &self,
        request: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        now: u64,
    ) -> Result<Parsed, SourceError> {
        let coin = chain::coin(&request.about, catalog)?;
        match request.kind {
            "block" => block(chain::object(answer)?, coin, now),
            "subsidy" => subsidy(&chain::object(answer)?, coin),
            other => Err(no_such_kind(other)),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Block {
    height: Num,
    diff: Num,
    time: Num,
}

fn block(block: Block, coin: &Coin, now: u64) -> Result<Parsed, SourceError> {
    let at = block.time.whole();
    fresh(at, coin, now)?;
    let mut parsed = Parsed::default();
    let subject = chain::only(coin)?;
    let (difficulty, height) = (block.diff.positive(), block.height.whole());
    push_tip(&mut parsed, &subject, difficulty, height, at);
    Ok(parsed)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Subsidy {
    work_reward: Num,
    total: Num,
}

fn subsidy(subsidy: &Subsidy, coin: &Coin) -> Result<Parsed, SourceError> {
    let work = subsidy.work_reward.positive();
    let part = work.or_else(|| chain::miners_part(subsidy.total.positive(), coin));
    let mut parsed = Parsed::default();
    let coins = shifted(part, -coin.decimals);
    parsed.push(&chain::only(coin)?, Fact::Subsidy, coins, None);
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::{NOW, dec, of_chain, parse_about, value};

    #[test]
    fn work_gets_its_hundredth_once() {
        let dcr = of_chain("DCR", "blake3-decred");
        let read = |body| parse_about(&Dcrdata, "subsidy", "DCR", 200, body).expect("good");
        let parsed = read(r#"{"work_reward":6200000,"stake_reward":551800000,"total":620000000}"#);
        assert_eq!(value(&parsed, &dcr, Fact::Subsidy), dec("0.062"));
        let parsed = read(r#"{"work_reward":null,"total":620000000}"#);
        assert_eq!(value(&parsed, &dcr, Fact::Subsidy), dec("0.062"));
    }

    #[test]
    fn the_best_block_tells_difficulty_height_and_time() {
        let dcr = of_chain("DCR", "blake3-decred");
        let time = NOW - 60;
        let body = format!(r#"{{"height":900000,"diff":420000.5,"time":{time}}}"#);
        let parsed = parse_about(&Dcrdata, "block", "DCR", 200, &body).expect("good");
        assert_eq!(value(&parsed, &dcr, Fact::Difficulty), dec("420000.5"));
        assert_eq!(value(&parsed, &dcr, Fact::Height), dec("900000"));
        assert_eq!(value(&parsed, &dcr, Fact::TipTime), Some(time.into()));
        let old = r#"{"height":900000,"diff":420000.5,"time":1600000000}"#;
        let answer = parse_about(&Dcrdata, "block", "DCR", 200, old);
        assert!(matches!(answer, Err(SourceError::Syncing(_))));
    }
}
