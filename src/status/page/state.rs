//! One glance: the state in a word and a sentence, what is wrong, and the farm in figures.

use super::facts::Facts;
use super::lanes::Fact;
use crate::provision::Outcome;
use crate::view::{FarmState, MinerCounts, Status, Trouble};
use askama::Template;
use smart_mining_page::words::{count, duration, usd};

#[derive(Template)]
#[template(path = "state.html")]
struct Line {
    words: &'static str,
    class: &'static str,
    sentence: String,
}

/// The state line. It holds no time, for it is read aloud when it changes.
pub(super) fn line(facts: &Facts) -> Result<String, askama::Error> {
    let state = facts.status.state;
    Line {
        words: state.word(),
        class: class(state),
        sentence: sentence(&facts.status),
    }
    .render()
}

const fn class(state: FarmState) -> &'static str {
    match state {
        FarmState::Mining => "mining",
        FarmState::MiningFromCache => "cache",
        FarmState::Trouble => "trouble",
        FarmState::Holding => "holding",
    }
}

fn sentence(status: &Status) -> String {
    match status.state {
        FarmState::Holding => {
            let without = status.algorithms.iter().filter(|it| it.route.is_none());
            let names: Vec<&str> = without.map(|it| it.algorithm.name()).collect();
            format!(
                "No pool can be used for {}. Miners stay connected and wait.",
                names.join(", ")
            )
        }
        FarmState::Trouble => "The farm is mining, and something needs a person.".to_owned(),
        FarmState::MiningFromCache => {
            "Central cannot be reached; the farm mines by the last ranking it has.".to_owned()
        }
        FarmState::Mining => "Every algorithm has a pool.".to_owned(),
    }
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct Troubles<'a> {
    troubles: &'a [Trouble],
    /// What is wrong with the card's farm.toml, line by line.
    problems: &'a [String],
    fault: Option<&'a str>,
}

pub(super) fn list(facts: &Facts) -> Result<String, askama::Error> {
    let card = facts.status.provisioning.as_ref();
    let refused = card.filter(|it| it.outcome == Outcome::Refused);
    Troubles {
        troubles: &facts.status.troubles,
        problems: refused.map_or(&[], |it| &it.problems),
        fault: card.and_then(|it| it.card_fault.as_deref()),
    }
    .render()
}

#[derive(Template)]
#[template(path = "sum.html")]
struct Sum {
    facts: Vec<Fact>,
    errors: Vec<String>,
}

/// The farm as a whole, in figures.
pub(super) fn sum(facts: &Facts) -> Result<String, askama::Error> {
    let status = &facts.status;
    let mut figures = Vec::new();
    let earns = status.algorithms.iter().filter_map(|it| it.usd_per_day_now);
    if let Some(amount) = earns.reduce(|sum, more| sum + more) {
        figures.push(Fact::new("A day at this rate", usd(amount)).big());
    }
    if let Some(amount) = facts.farm_usd_today() {
        figures.push(Fact::new("Today (UTC)", usd(amount)).big());
    }
    figures.push(Fact::new("Miners", count(status.miners.now as u64)).big());
    figures.extend(absent(&status.miners));
    figures.push(central(status));
    figures.push(snapshot(status));
    if let Some(reports) = &status.reports {
        let waiting = crate::report::line(reports.waiting, reports.oldest_seconds);
        figures.push(Fact::new("Reports to central", waiting));
    }
    Sum {
        facts: figures,
        errors: errors(status),
    }
    .render()
}

fn absent(miners: &MinerCounts) -> Option<Fact> {
    let told = [
        (miners.silent, "silent"),
        (miners.offline, "offline"),
        (miners.no_work_yet, "without work yet"),
    ];
    let told = told.iter().filter(|(number, _)| *number > 0);
    let told: Vec<String> = told
        .map(|(number, word)| format!("{} {word}", count(*number as u64)))
        .collect();
    (!told.is_empty()).then(|| Fact::new("Not working", told.join(", ")).class("warn"))
}

fn central(status: &Status) -> Fact {
    let central = &status.central;
    let words = match (central.state, central.last_contact_seconds) {
        ("unreachable", Some(ago)) => format!("unreachable for {}", duration(ago)),
        (state, _) => state.to_owned(),
    };
    let class = match central.state {
        "reachable" => "good",
        "unreachable" => "warn",
        _ => "",
    };
    Fact::new("Central", words).class(class)
}

fn snapshot(status: &Status) -> Fact {
    let snapshot = &status.snapshot;
    let words = match (snapshot.sequence, snapshot.age_seconds) {
        (0, _) => "none yet".to_owned(),
        (_, Some(age)) => format!("{} old", duration(age)),
        (_, None) => "of unknown age (the clock is behind)".to_owned(),
    };
    Fact::new("Ranking (snapshot)", words)
}

/// What central or its answers said last; those that need a person are troubles.
fn errors(status: &Status) -> Vec<String> {
    let reports = status.reports.as_ref();
    let mut errors: Vec<String> = Vec::new();
    let told = [
        ("Central", status.central.last_error.as_ref()),
        ("Reports", reports.and_then(|it| it.last_error.as_ref())),
    ];
    for (whom, error) in told {
        if let Some(error) = error {
            errors.push(format!("{whom}: {error}"));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::samples::healthy;

    fn facts(state: FarmState) -> Facts {
        Facts {
            status: Status { state, ..healthy() },
            policies: Vec::new(),
            events: Vec::new(),
            past: Default::default(),
            now: 1_795_370_980,
        }
    }

    #[test]
    fn each_state_is_a_word_and_a_sentence_that_stand_still_while_it_lasts() {
        for state in FarmState::ALL {
            let first = line(&facts(state)).expect("a line");
            let mut later = facts(state);
            later.now += 60;
            later.status.central.last_contact_seconds = Some(64);
            assert!(first.contains(&format!(">{state}</span>")), "{first}");
            assert_eq!(
                first,
                line(&later).expect("a line"),
                "it would be read aloud again"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_what_to_do_and_hostile_text_stays_text() {
        let mut sick = facts(FarmState::Trouble);
        sick.status.troubles = vec![Trouble {
            code: "store-failing",
            text: "the store cannot be written: <disk full>".to_owned(),
            remedy: "Replace the card.",
        }];
        let html = list(&sick).expect("a list");
        assert!(
            html.contains("&#60;disk full&#62;") && html.contains("Replace the card."),
            "{html}"
        );
        assert_eq!(list(&facts(FarmState::Mining)).expect("nothing").trim(), "");
    }

    #[test]
    fn the_farm_s_day_is_the_sum_of_what_has_a_price() {
        let mut facts = facts(FarmState::Mining);
        assert!(!sum(&facts).expect("figures").contains("USD"));
        facts.status.algorithms[0].usd_per_day_now = Some(12.5);
        assert!(sum(&facts).expect("figures").contains(">12.50 USD<"));
    }
}
