//! What happened, and whom farm.toml keeps out.

use super::facts::Facts;
use askama::Template;
use smart_mining_page::words::{day, duration, minute, second, stamp};

struct Row<'a> {
    stamp: String,
    time: String,
    code: &'a str,
    subject: &'a str,
    text: &'a str,
}

#[derive(Template)]
#[template(path = "events.html")]
struct Events<'a> {
    events: Vec<Row<'a>>,
}

pub(super) fn events(facts: &Facts) -> Result<String, askama::Error> {
    let today = facts.now / 86_400;
    let time = |at: u64| match at / 86_400 == today {
        true => second(at),
        false => format!("{} {}", day(at), minute(at)),
    };
    let rows = facts.events.iter().map(|event| Row {
        stamp: stamp(event.at),
        time: time(event.at),
        code: event.code,
        subject: &event.subject,
        text: &event.text,
    });
    Events {
        events: rows.collect(),
    }
    .render()
}

struct Worker<'a> {
    worker: &'a str,
    address: String,
    why: &'static str,
    count: u64,
    ago: String,
}

#[derive(Template)]
#[template(path = "refused.html")]
struct Refused<'a> {
    workers: Vec<Worker<'a>>,
}

pub(super) fn refused(facts: &Facts) -> Result<String, askama::Error> {
    let row = |it: &'_ crate::workers::RefusedWorker| {
        (it.address.to_string(), facts.now.saturating_sub(it.last))
    };
    let rows = facts.status.refused_workers.iter().map(|it| {
        let (address, ago) = row(it);
        Worker {
            worker: &it.worker,
            address,
            why: it.why,
            count: it.count,
            ago: duration(ago),
        }
    });
    Refused {
        workers: rows.collect(),
    }
    .render()
}
