//! What tests of parsers share.

use super::{
    Answer, Catalog, Decimal, Fact, Parsed, Request, Source, SourceError, Subject, number::Num,
};
use std::time::Duration;

pub const NOW: u64 = 1_700_000_000;

pub fn parse(
    source: &dyn Source,
    kind: &'static str,
    status: u16,
    body: &str,
) -> Result<Parsed, SourceError> {
    parse_about(source, kind, "", status, body)
}

pub fn parse_about(
    source: &dyn Source,
    kind: &'static str,
    about: &str,
    status: u16,
    body: &str,
) -> Result<Parsed, SourceError> {
    ask_and_parse(source, kind, (about, None), status, body)
}

/// A good answer of a node that has to be on this network.
pub fn parse_on(
    source: &dyn Source,
    kind: &'static str,
    about: &str,
    network: Option<&str>,
    body: &str,
) -> Result<Parsed, SourceError> {
    ask_and_parse(source, kind, (about, network), 200, body)
}

fn ask_and_parse(
    source: &dyn Source,
    kind: &'static str,
    (about, network): (&str, Option<&str>),
    status: u16,
    body: &str,
) -> Result<Parsed, SourceError> {
    let request = Request {
        kind,
        about: about.to_owned(),
        url: String::new(),
        headers: Vec::new(),
        body: None,
        every: Duration::ZERO,
        network: network.map(str::to_owned),
    };
    let answer = Answer {
        status,
        headers: &[],
        body: body.as_bytes(),
    };
    source.parse(&request, &answer, Catalog::built_in(), NOW)
}

pub fn of_coin(coin: &str) -> Subject {
    Subject::Coin {
        coin: coin.to_owned(),
    }
}

pub fn of_chain(coin: &str, algorithm: &str) -> Subject {
    Subject::Chain {
        coin: coin.to_owned(),
        algorithm: algorithm.to_owned(),
    }
}

pub fn value(parsed: &Parsed, subject: &Subject, fact: Fact) -> Option<Decimal> {
    let mut found = parsed
        .observations
        .iter()
        .filter(|seen| seen.subject == *subject && seen.fact == fact);
    let first = found.next().map(|seen| seen.value.clone());
    assert!(found.next().is_none(), "{subject:?} {fact:?} stands twice");
    first
}

pub fn dec(text: &str) -> Option<Decimal> {
    Num::of_text(text).0
}

pub fn unmapped(parsed: &Parsed) -> Vec<(&str, &'static str)> {
    let rows = parsed.unmapped.iter();
    rows.map(|row| (row.name.as_str(), row.why)).collect()
}
