//! What is around the sections: style, script, and what the browser may do with them.
//!
//! Everything is in one answer. Style and script are named to the browser by their
//! hash, and nothing else is allowed: no other script, no other host.

use super::facts::Facts;
use super::press::Sheet;
use super::query::Query;
use super::section::Section;
use crate::registry::MinerState;
use askama::Template;
use axum::http::{HeaderName, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use smart_mining_core::Algorithm;
use smart_mining_page::STYLE;
use std::sync::{Arc, LazyLock};

const SCRIPT: &str = include_str!("live.js");

fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}

/// Names this build of the page: one that was opened before an update loads itself anew.
pub static BUILD: LazyLock<String> = LazyLock::new(|| {
    let all = format!("{}{STYLE}{SCRIPT}", env!("CARGO_PKG_VERSION"));
    hash(&all)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(12)
        .collect()
});

static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; \
         img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    HeaderValue::from_str(&policy).ok()
});

/// For every page of the appliance.
pub fn headers() -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    ];
    let policy = POLICY
        .clone()
        .map(|it| (header::CONTENT_SECURITY_POLICY, it));
    fixed
        .map(|(name, value)| (name, HeaderValue::from_static(value)))
        .into_iter()
        .chain(policy)
}

struct Choice {
    name: &'static str,
    words: &'static str,
    chosen: bool,
}

struct Part {
    id: &'static str,
    sheet: Arc<Sheet>,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Shell<'a> {
    build: &'a str,
    style: &'static str,
    script: &'static str,
    farm: &'a str,
    words: &'static str,
    version: &'static str,
    query: String,
    find: &'a str,
    sort: &'static str,
    direction: &'static str,
    algorithms: Vec<Choice>,
    states: Vec<Choice>,
    parts: Vec<Part>,
}

impl Shell<'_> {
    fn part(&self, id: &str) -> &str {
        let part = self.parts.iter().find(|part| part.id == id);
        part.map_or("", |part| part.sheet.html.as_str())
    }
}

pub(super) fn render(facts: &Facts, query: &Query, parts: Vec<(Section, Arc<Sheet>)>) -> String {
    let served = facts.status.algorithms.iter().map(|lane| lane.algorithm);
    let algorithm = |algorithm: Algorithm| Choice {
        name: algorithm.name(),
        words: algorithm.name(),
        chosen: query.algorithm == Some(algorithm),
    };
    let state = |state: MinerState| Choice {
        name: state.word(),
        words: state.word(),
        chosen: query.state == Some(state),
    };
    let shell = Shell {
        build: &BUILD,
        style: STYLE,
        script: SCRIPT,
        farm: &facts.status.farm,
        words: facts.status.state.word(),
        version: facts.status.version,
        query: query.to_string(),
        find: &query.find,
        sort: query.sort.name(),
        direction: if query.descending { "down" } else { "up" },
        algorithms: served.map(algorithm).collect(),
        states: MinerState::ALL.map(state).into(),
        parts: parts
            .into_iter()
            .map(|(section, sheet)| Part {
                id: section.id(),
                sheet,
            })
            .collect(),
    };
    // A template writes into a String, which does not fail.
    shell.render().unwrap_or_default()
}

/// A page without live sections, for the guide.
#[derive(Template)]
#[template(path = "guide.html")]
struct Guide {
    state: &'static str,
    what: &'static str,
    problems: Vec<String>,
    style: &'static str,
    version: &'static str,
}

pub fn guide(state: &'static str, what: &'static str, problems: Vec<String>) -> String {
    let guide = Guide {
        state,
        what,
        problems,
        style: STYLE,
        version: env!("CARGO_PKG_VERSION"),
    };
    guide.render().unwrap_or_default()
}
