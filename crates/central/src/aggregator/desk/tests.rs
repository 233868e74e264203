use super::*;
use crate::collect::config::OfferTerms;
use crate::source::{Decimal, Fact, Observation, Parsed, SourceError, Subject};
use crate::transport::fetch::FetchError;
use smart_mining_wire::Algorithm;

const START: u64 = 1_900_000_000;

fn desk() -> Desk {
    let offer = OfferTerms {
        coin: "BTC".into(),
        algorithm: Algorithm::Sha256d,
        url: "stratum+tcp://pool.example:3333".into(),
        fee: 0.01,
        scheme: "FPPS".into(),
        merged: Vec::new(),
    };
    let pool = PoolTerms {
        id: "pool".into(),
        name: "Pool".into(),
        offers: vec![offer],
    };
    let publish = Publish {
        heartbeat: 60,
        noise: 0.005,
    };
    Desk::new(Book::default(), vec![pool], publish)
}

fn heard(at: u64, said: &[(Subject, Fact, f64)]) -> Heard {
    let observations = said.iter().map(|(subject, fact, value)| Observation {
        subject: subject.clone(),
        fact: *fact,
        value: value.to_string().parse::<Decimal>().expect("a number"),
        at: None,
    });
    Heard {
        source: "blockchair",
        kind: "stats",
        about: "BTC".into(),
        at,
        result: Ok(Parsed {
            observations: observations.collect(),
            unmapped: Vec::new(),
        }),
    }
}

fn price(at: u64, usd: f64) -> Heard {
    let coin = Subject::Coin { coin: "BTC".into() };
    heard(at, &[(coin, Fact::PriceUsd, usd)])
}

fn everything(at: u64) -> Heard {
    let chain = Subject::Chain {
        coin: "BTC".into(),
        algorithm: "sha256d".into(),
    };
    let mut all = heard(
        at,
        &[
            (chain.clone(), Fact::Difficulty, 1e14),
            (chain, Fact::Subsidy, 3.0),
        ],
    );
    let parsed = all.result.as_mut().expect("good");
    let usd = price(at, 60_000.0).result.expect("good");
    parsed.observations.extend(usd.observations);
    all
}

/// Publish what is due; answers why.
fn turn(desk: &mut Desk, now: u64) -> Option<Why> {
    let edition = desk.edition(now)?;
    desk.published(&edition);
    Some(edition.why)
}

#[test]
fn nothing_is_due_before_everybody_was_asked_and_then_at_once() {
    let mut desk = desk();
    desk.hear(&everything(START));
    assert_eq!(
        (desk.deadline(START), turn(&mut desk, START + 500)),
        (None, None)
    );
    desk.begin();
    assert_eq!(turn(&mut desk, START + 500), Some(Why::First));
}

#[test]
fn noise_waits_for_the_heartbeat_and_news_for_two_seconds() {
    let mut desk = desk();
    desk.hear(&everything(START));
    desk.begin();
    assert_eq!(turn(&mut desk, START), Some(Why::First));
    assert_eq!(desk.deadline(START), Some(START + 60));

    desk.hear(&price(START + 10, 60_000.0 * 1.004));
    assert_eq!(desk.deadline(START + 10), Some(START + 12));
    assert_eq!(
        turn(&mut desk, START + 12),
        None,
        "half a per cent is noise"
    );
    assert_eq!(desk.deadline(START + 12), Some(START + 60));

    // Small steps add up: what counts is the difference to what was published.
    desk.hear(&price(START + 20, 60_000.0 * 1.008));
    assert_eq!(turn(&mut desk, START + 21), None);
    assert_eq!(turn(&mut desk, START + 22), Some(Why::Changed));
    assert_eq!(turn(&mut desk, START + 81), None);
    assert_eq!(turn(&mut desk, START + 82), Some(Why::Heartbeat));
}

#[test]
fn an_edition_that_was_not_stored_is_made_again_with_all_its_rejections() {
    let mut desk = desk();
    desk.hear(&everything(START));
    let mut syncing = everything(START);
    syncing.about = "BCH".into();
    syncing.result = Err(FetchError::Source(SourceError::Syncing(
        "a tip of yesterday".into(),
    )));
    desk.hear(&syncing);
    desk.hear(&syncing);
    desk.begin();
    let edition = desk.edition(START).expect("the first");
    assert_eq!(edition.rejections.len(), 1);
    assert_eq!(edition.rejections[0].1, 2, "the same rejection is one row");
    desk.not_published(edition);
    let again = desk.edition(START + 2).expect("the first, again");
    assert_eq!((again.why, again.rejections.len()), (Why::First, 1));
}

#[test]
fn a_clock_that_is_set_back_does_not_silence_it() {
    let mut desk = desk();
    desk.hear(&everything(START));
    desk.begin();
    assert_eq!(turn(&mut desk, START), Some(Why::First));
    desk.hear(&price(START - 5000, 61_000.0));
    assert_eq!(turn(&mut desk, START - 4998), Some(Why::Heartbeat));
}
