//! `smart-mining-proxy events`: what happened, the newest last, as a log is read.

use super::answer::Event;
use super::print::{DIM, Table, painted, show, text, width};
use super::target::{Fault, Target};
use clap::Args;
use serde_json::{Value, json};
use smart_mining_page::words::{day, second};
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(2);

#[derive(Args)]
pub struct Wanted {
    /// At most so many, the newest
    #[arg(long, default_value_t = 30)]
    limit: usize,
    /// Only those with this code, such as route-changed; docs/events.md has them all
    #[arg(long)]
    code: Option<String>,
    /// Only those about this pool, algorithm, address or worker
    #[arg(long)]
    about: Option<String>,
    /// Go on, and show each as it happens, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
}

pub fn run(target: &Target, wanted: &Wanted) -> Result<(), Fault> {
    let mut known = ask(target)?;
    let mut shown = chosen(&known, wanted);
    let skip = shown.len().saturating_sub(wanted.limit);
    print(target, &shown.split_off(skip), wanted.follow);
    if !wanted.follow {
        return Ok(());
    }
    loop {
        std::thread::sleep(EVERY);
        // One that starts again has no answer for a moment, and then a shorter list.
        let Ok(now) = ask(target) else { continue };
        let new = news(&known, &now);
        print(target, &chosen(new, wanted), true);
        known = now;
    }
}

/// Oldest first.
fn ask(target: &Target) -> Result<Vec<Event>, Fault> {
    let mut events: Vec<Event> = target.ask("/api/events")?;
    events.reverse();
    Ok(events)
}

/// What came after the last known one; all of it, if that is not there any more.
fn news<'a>(known: &[Event], now: &'a [Event]) -> &'a [Event] {
    let Some(last) = known.last() else {
        return now;
    };
    let place = now.iter().rposition(|event| event == last);
    now.get(place.map_or(0, |place| place + 1)..).unwrap_or(now)
}

fn chosen(events: &[Event], wanted: &Wanted) -> Vec<Event> {
    let is = |wanted: &Option<String>, text: &str| wanted.as_ref().is_none_or(|it| it == text);
    let fits = |event: &&Event| is(&wanted.code, &event.code) && is(&wanted.about, &event.subject);
    events.iter().filter(fits).cloned().collect()
}

fn print(target: &Target, events: &[Event], one_by_one: bool) {
    if target.json && one_by_one {
        let lines = events.iter().map(|event| format!("{}\n", value(event)));
        return show(&lines.collect::<String>());
    }
    if target.json {
        return show(&format!("{}\n", Value::from_iter(events.iter().map(value))));
    }
    if one_by_one {
        let line = |event: &Event| {
            let time = painted(DIM, &time(event));
            let words = format!("{}  {}: {}", event.code, event.subject, event.text);
            format!("{time}  {}\n", super::print::clean(&words))
        };
        return show(&events.iter().map(line).collect::<String>());
    }
    let mut table = Table::new(&["TIME (UTC)", "EVENT", "ABOUT", "TEXT"]);
    for event in events {
        table.row(vec![
            text(time(event)).painted(DIM),
            text(&event.code),
            text(&event.subject),
            text(&event.text),
        ]);
    }
    show(&table.draw(width(), 0));
}

fn value(event: &Event) -> Value {
    json!({ "at": event.at, "code": event.code, "subject": event.subject, "text": event.text })
}

fn time(event: &Event) -> String {
    format!("{} {}", day(event.at), second(event.at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(times: &[u64]) -> Vec<Event> {
        let event = |at: &u64| Event {
            at: *at,
            ..Event::default()
        };
        times.iter().map(event).collect()
    }

    #[test]
    fn following_tells_each_event_once_also_over_a_restart() {
        assert_eq!(
            news(&events(&[1, 2]), &events(&[1, 2, 3, 4])),
            events(&[3, 4])
        );
        assert_eq!(news(&events(&[1, 2]), &events(&[1, 2])), []);
        // The oldest ones fell out of the list.
        assert_eq!(news(&events(&[1, 2]), &events(&[2, 3])), events(&[3]));
        // It was started again.
        assert_eq!(news(&events(&[1, 2]), &events(&[7])), events(&[7]));
        assert_eq!(news(&[], &events(&[1])), events(&[1]));
    }
}
