//! zcashd and zebrad. Rates are solutions per second, amounts whole coins.
//!
//! Traps. zebrad's `getmininginfo` has no difficulty at all. The total subsidy is
//! not the miner's: funding streams and the lockbox take their part before, and
//! `miner` is what is left.

use super::bitcoind::{self, Context};
use super::jsonrpc::{call, post};
use crate::source::chain::{self, no_such_kind};
use crate::source::{
    Answer, Budget, Catalog, Fact, Num, Parsed, Request, Settings, Source, SourceError,
};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::time::Duration;

pub struct Zcashd;

impl Source for Zcashd {
    fn name(&self) -> &'static str {
        "zcashd"
    }

    fn budget(&self) -> Budget {
        bitcoind::Bitcoind.budget()
    }

    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        chain::endpoints(settings, catalog, Some("ZEC"))
            .iter()
            .map(bitcoind::state)
            .collect()
    }

    /// A subsidy does not say of which network it is.
    fn follow_up(&self, settings: &Settings, catalog: &Catalog, parsed: &Parsed) -> Vec<Request> {
        let subsidy = call("getblocksubsidy", &json!([]));
        chain::endpoints(settings, catalog, Some("ZEC"))
            .iter()
            .filter(|node| chain::tells_of(parsed, node.coin))
            .map(|node| post("getblocksubsidy", node, &subsidy, Duration::from_secs(600)))
            .collect()
    }

    fn parse(
        &self,
        request: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        now: u64,
    ) -> Result<Parsed, SourceError> {
        bitcoind::parse(request, answer, catalog, now, read)
    }
}

fn read(
    method: &str,
    raw: &RawValue,
    context: &Context<'_>,
    parsed: &mut Parsed,
) -> Result<(), SourceError> {
    match method {
        "getblockchaininfo" => bitcoind::chain_info(raw, context, parsed),
        "getmininginfo" => bitcoind::mining_info(raw, context, parsed),
        "getblocksubsidy" => subsidy(raw, context, parsed),
        other => Err(no_such_kind(other)),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Subsidy {
    miner: Num,
}

fn subsidy(raw: &RawValue, context: &Context<'_>, parsed: &mut Parsed) -> Result<(), SourceError> {
    let subsidy: Subsidy = chain::shape(raw)?;
    let subject = chain::only(context.coin)?;
    parsed.push(&subject, Fact::Subsidy, subsidy.miner.positive(), None);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::{dec, of_chain, parse_about, value};

    fn read(kind: &'static str, result: &str) -> Parsed {
        let body = format!(r#"{{"jsonrpc":"2.0","result":{result},"id":"x"}}"#);
        parse_about(&Zcashd, kind, "ZEC", 200, &body).expect("good")
    }

    #[test]
    fn the_miner_gets_what_the_others_leave() {
        let parsed = read(
            "getblocksubsidy",
            r#"{"miner":1.5,"fundingstreamstotal":0.25,"lockboxtotal":0.25,"totalblocksubsidy":2}"#,
        );
        let zec = of_chain("ZEC", "equihash-200-9");
        assert_eq!(value(&parsed, &zec, Fact::Subsidy), dec("1.5"));
        let none = read("getblocksubsidy", r#"{"totalblocksubsidy":2}"#);
        assert_eq!(none.observations, []);
    }

    #[test]
    fn a_node_without_difficulty_still_tells_the_rate() {
        let parsed = read(
            "getmininginfo",
            r#"{"blocks":3,"networksolps":21000000000}"#,
        );
        let zec = of_chain("ZEC", "equihash-200-9");
        assert_eq!(value(&parsed, &zec, Fact::NetworkHashrate), dec("2.1e10"));
        assert_eq!(value(&parsed, &zec, Fact::Difficulty), None);
        assert_eq!(value(&parsed, &zec, Fact::Height), None);
    }

    #[test]
    fn it_is_asked_for_the_subsidy_in_place_of_a_template() {
        let settings = Settings {
            url: Some("http://node:8232".to_owned()),
            ..Settings::default()
        };
        let requests = Zcashd.requests(&settings, Catalog::built_in());
        let kinds = |requests: &[Request]| requests.iter().map(|one| one.kind).collect::<Vec<_>>();
        assert_eq!(kinds(&requests), ["state"]);
        let further = |parsed: &Parsed| Zcashd.follow_up(&settings, Catalog::built_in(), parsed);
        assert_eq!(further(&Parsed::default()), []);
        // A node without difficulty has no height either.
        let rate = read("getmininginfo", r#"{"networksolps":21000000000}"#);
        assert_eq!(kinds(&further(&rate)), ["getblocksubsidy"]);
    }
}
