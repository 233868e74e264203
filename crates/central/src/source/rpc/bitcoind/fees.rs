//! What the last day's blocks paid beside the subsidy.
//!
//! One block's fees jump about and a full memory pool is not a day's average, so the
//! mean over many blocks is told. The node reads each of them from its disk, with all
//! that they spend: about 20 ms for a full block on a desktop, a quarter of a second
//! on a small board, and the answer has to be there within 20 s. Of the main network's
//! 144 blocks of a day every second one is asked for: that doubles no error that
//! matters and halves the work. On a private chain few blocks pay anything, and all
//! are small: there each counts.
//!
//! What a pruned node no longer has is left out of the mean.

use super::{Context, block};
use crate::source::chain::{self, Endpoint};
use crate::source::rpc::jsonrpc::{Reply, call, post};
use crate::source::{Decimal, Fact, Parsed, Request, SourceError};
use serde_json::json;
use std::time::Duration;

/// A day on the main network of Bitcoin.
const BLOCKS: u64 = 144;
/// Fewer say too little of a day, where it costs money.
const ENOUGH: usize = 24;
const EVERY: Duration = Duration::from_secs(600);

/// The blocks up to this height, newest first, in one body.
pub(super) fn ask(node: &Endpoint<'_>, height: u64) -> Request {
    let step = if node.network.is_some() { 1 } else { 2 };
    // The first block of all pays nobody.
    let oldest = height.saturating_sub(BLOCKS - 1).max(1);
    let calls: Vec<_> = (oldest..=height)
        .rev()
        .step_by(step)
        .map(|height| {
            let fields = json!([height, ["height", "time", "subsidy", "totalfee"]]);
            call("getblockstats", &fields)
        })
        .collect();
    post("fees", node, &json!(calls), EVERY)
}

pub(super) fn read(
    replies: Vec<Reply>,
    context: &Context<'_>,
    parsed: &mut Parsed,
) -> Result<(), SourceError> {
    let subject = chain::only(context.coin)?;
    let asked = replies.len();
    let (mut blocks, mut fees, mut failed) = (Vec::new(), Vec::new(), None);
    for reply in replies {
        let paid = reply
            .result
            .and_then(|raw| block::Paid::read(&raw, context));
        match paid {
            Ok(paid) => {
                fees.extend(paid.fees.clone());
                blocks.push(paid);
            }
            Err(error @ SourceError::Syncing(_)) => return Err(error),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    if let Some(error) = failed {
        if blocks.is_empty() {
            return Err(error);
        }
        let missing = asked - blocks.len();
        parsed.leave_out(
            format!("{missing} of {asked} blocks: {error}"),
            "the call failed",
        );
    }
    let newest = blocks.iter().max_by_key(|block| block.height);
    let at = newest.and_then(|block| block.at);
    let subsidy = newest.and_then(|block| block.subsidy.clone());
    parsed.push(&subject, Fact::Subsidy, subsidy, at);
    if fees.len() < ENOUGH && !context.network.is_private() {
        let words = format!("fees of {} blocks", fees.len());
        parsed.leave_out(words, "too few for an average");
        return Ok(());
    }
    let mean = chain::ratio(
        Some(fees.iter().sum()),
        Some(Decimal::from(fees.len() as u64)),
    );
    parsed.push(&subject, Fact::FeesPerBlock, mean, at);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Bitcoind;
    use super::*;
    use crate::source::testing::{NOW, dec, of_chain, parse_on, value};
    use crate::source::{Catalog, Settings, Source};
    use std::collections::BTreeMap;

    /// Heights upwards from 1000; `None`: pruned.
    fn body(fees: &[Option<u64>]) -> String {
        let replies = fees.iter().zip(1000..).map(|(fee, height)| match fee {
            Some(fee) => format!(
                r#"{{"id":"getblockstats","result":{{"height":{height},"time":{},"subsidy":{},"totalfee":{fee}}}}}"#,
                NOW + height,
                if height < 1020 { 625_000_000 } else { 312_500_000 },
            ),
            None => r#"{"id":"getblockstats","error":{"code":-1,"message":"pruned data"}}"#.to_owned(),
        });
        format!("[{}]", replies.collect::<Vec<_>>().join(","))
    }

    fn read(network: Option<&str>, body: &str) -> Result<Parsed, SourceError> {
        parse_on(&Bitcoind, "fees", "BTC", network, body)
    }

    fn asked(network: Option<&str>, height: u64) -> Vec<u64> {
        let network = network.map(|name| ("network.BTC".to_owned(), name.to_owned()));
        let settings = Settings {
            url: Some("http://node:8332".to_owned()),
            about: vec!["BTC".to_owned()],
            more: BTreeMap::from_iter(network),
            ..Settings::default()
        };
        let mut parsed = Parsed::default();
        let subject = of_chain("BTC", "sha256d");
        parsed.push(&subject, Fact::Height, Some(height.into()), None);
        let requests = Bitcoind.follow_up(&settings, Catalog::built_in(), &parsed);
        let kinds: Vec<_> = requests.iter().map(|request| request.kind).collect();
        assert_eq!(kinds, ["getblocktemplate", "fees"]);
        let body = requests[1].body.as_deref().expect("a POST");
        let calls: Vec<serde_json::Value> = serde_json::from_str(body).expect("a batch");
        let heights = calls.iter().map(|call| call["params"][0].as_u64());
        heights.map(|height| height.expect("a height")).collect()
    }

    #[test]
    fn a_day_is_asked_for_and_no_more_than_there_is() {
        let day = asked(None, 800_001);
        assert_eq!((day.len(), day[0], day[71]), (72, 800_001, 799_859));
        let day = asked(Some("regtest"), 800_001);
        assert_eq!((day.len(), day[143]), (144, 799_858));
        assert_eq!(asked(Some("regtest"), 3), [3, 2, 1]);
        assert_eq!(asked(None, 1), [1]);
        let none = Parsed::default();
        let settings = Settings {
            url: Some("http://node:8332".to_owned()),
            about: vec!["BTC".to_owned()],
            ..Settings::default()
        };
        assert_eq!(
            Bitcoind.follow_up(&settings, Catalog::built_in(), &none),
            []
        );
    }

    #[test]
    fn the_mean_is_over_what_there_is_and_the_subsidy_of_the_newest() {
        let mut fees = vec![Some(100_000_000); 20];
        fees.extend([None, None]);
        fees.extend([Some(400_000_000); 10]);
        let parsed = read(None, &body(&fees)).expect("good");
        let btc = of_chain("BTC", "sha256d");
        assert_eq!(value(&parsed, &btc, Fact::FeesPerBlock), dec("2"));
        assert_eq!(value(&parsed, &btc, Fact::Subsidy), dec("3.125"));
        assert_eq!(parsed.observations[0].at, Some(NOW + 1031));
        let row = &parsed.unmapped[0];
        assert!(row.name.starts_with("2 of 32 blocks"), "{row:?}");
    }

    #[test]
    fn few_blocks_make_no_average_but_on_a_private_chain() {
        let few = body(&[Some(100_000_000); 23]);
        let btc = of_chain("BTC", "sha256d");
        let parsed = read(None, &few).expect("good");
        assert_eq!(value(&parsed, &btc, Fact::FeesPerBlock), None);
        assert_eq!(value(&parsed, &btc, Fact::Subsidy), dec("3.125"));
        let parsed = read(Some("regtest"), &few).expect("good");
        assert_eq!(value(&parsed, &btc, Fact::FeesPerBlock), dec("1"));
        assert_eq!(parsed.observations[0].at, None);
        let parsed = read(None, &body(&[Some(0); 24])).expect("good");
        assert_eq!(value(&parsed, &btc, Fact::FeesPerBlock), dec("0"));
    }

    #[test]
    fn a_node_that_has_none_of_them_says_why() {
        let answer = read(None, &body(&[None; 30]));
        assert!(
            matches!(&answer, Err(SourceError::Service(words)) if words.contains("pruned")),
            "{answer:?}"
        );
        assert_eq!(read(Some("regtest"), "[]"), Ok(Parsed::default()));
    }
}
