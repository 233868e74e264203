//! One request to central, and what its answer means for the reports in it.

use crate::config::Central;
use crate::store::Waiting;
use serde::Deserialize;
use smart_mining_wire::report::{MAX_BODY, MAX_REPORTS};
use std::time::Duration;
use ureq::Agent;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// All of it, with the name looked up and both bodies.
const DONE_WITHIN: Duration = Duration::from_secs(60);
/// Central's answers are ids or a problem.
const MAX_ANSWER: u64 = 64 * 1024;
/// The form of central's own errors; whatever else answers in its place has another.
const PROBLEM: &str = "application/problem+json";
/// When central asks for patience and does not say how much.
const USUAL_PATIENCE: Duration = Duration::from_secs(60);
const LONGEST_PATIENCE: Duration = Duration::from_secs(3600);

/// What became of the reports of one request.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Central has these.
    Delivered(Vec<String>),
    /// It will never take these, or some that it does not name.
    Refused { ids: Vec<String>, why: String },
    /// Ask again: after so long, if it said so.
    Later {
        after: Option<Duration>,
        why: String,
    },
    /// As `Later`, but it takes a person to mend it.
    Person(String),
}

pub struct Post {
    agent: Agent,
    url: String,
    authorization: String,
}

/// The part of an answer that matters.
#[derive(Clone, Copy, Debug)]
struct Answer<'a> {
    status: u16,
    content_type: &'a str,
    retry_after: Option<&'a str>,
    body: &'a str,
}

impl Post {
    pub fn new(central: &Central) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(DONE_WITHIN))
            .timeout_connect(Some(CONNECT_WITHIN))
            .timeout_send_request(Some(CONNECT_WITHIN))
            .timeout_send_body(Some(ANSWER_WITHIN))
            .timeout_recv_response(Some(ANSWER_WITHIN))
            .timeout_recv_body(Some(ANSWER_WITHIN))
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(crate::rules::AGENT)
            .build();
        Self {
            agent: agent.into(),
            url: format!("{}/api/v1/reports", central.url),
            authorization: format!("Bearer {}", central.token.expose()),
        }
    }

    pub fn send(&self, reports: &[Waiting]) -> Outcome {
        let later = |error: ureq::Error| Outcome::Later {
            after: None,
            why: error.to_string(),
        };
        let sent = self
            .agent
            .post(&self.url)
            .header("Authorization", &self.authorization)
            .header("Content-Type", "application/json")
            .send(body(reports));
        let mut response = match sent {
            Ok(response) => response,
            Err(error) => return later(error),
        };
        let text = match response
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER)
            .read_to_string()
        {
            Ok(text) => text,
            Err(error) => return later(error),
        };
        let header = |name| {
            let value = response.headers().get(name);
            value.and_then(|value| value.to_str().ok())
        };
        let answer = Answer {
            status: response.status().as_u16(),
            content_type: header("content-type").unwrap_or(""),
            retry_after: header("retry-after"),
            body: &text,
        };
        judge(reports, answer)
    }
}

/// As many of the oldest as fit one body; at least one.
pub fn fitting(reports: &[Waiting], at_most: usize) -> &[Waiting] {
    let mut room = MAX_BODY.saturating_sub(body(&[]).len());
    let fits = |report: &&Waiting| {
        let left = room.checked_sub(report.body.len() + 1);
        room = left.unwrap_or(0);
        left.is_some()
    };
    let count = reports.iter().take_while(fits).count();
    &reports[..count.min(at_most).max(1).min(reports.len())]
}

/// [`smart_mining_wire::Reports`], of the very bytes that were stored: a report that was
/// written by another release is the same report when it is sent again.
fn body(reports: &[Waiting]) -> String {
    let bodies: Vec<&str> = reports.iter().map(|report| report.body.as_str()).collect();
    let version = smart_mining_wire::report::VERSION;
    format!(
        "{{\"version\":{version},\"reports\":[{}]}}",
        bodies.join(",")
    )
}

fn judge(sent: &[Waiting], answer: Answer<'_>) -> Outcome {
    let status = answer.status;
    let is_problem = answer.content_type.starts_with(PROBLEM);
    match status {
        200 => delivered(sent, answer.body),
        401 | 403 => Outcome::Person(
            "central does not know this farm's token; check central.token in farm.toml".to_owned(),
        ),
        400 | 409 | 413 | 422 if is_problem => refused(sent, answer),
        // It says when, or is busy or broken for now.
        408 | 429 | 500..=599 => Outcome::Later {
            after: patience(answer),
            why: format!("central answered with status {status}"),
        },
        _ => Outcome::Person(format!(
            "central answered a report with status {status}; is central.url right, \
             and is central of a release that takes reports?"
        )),
    }
}

#[derive(Deserialize)]
struct Accepted {
    accepted: Vec<String>,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    detail: String,
    #[serde(default)]
    known: Vec<String>,
}

/// A login page may answer 200 too: only what central names is deleted.
fn delivered(sent: &[Waiting], body: &str) -> Outcome {
    let accepted = serde_json::from_str(body).map_or(Vec::new(), |a: Accepted| a.accepted);
    let ids = among(sent, &accepted);
    if ids.is_empty() {
        return Outcome::Person(
            "something answered 200 that names none of the reports; is central.url right?"
                .to_owned(),
        );
    }
    Outcome::Delivered(ids)
}

fn refused(sent: &[Waiting], answer: Answer<'_>) -> Outcome {
    let problem: Option<Problem> = serde_json::from_str(answer.body).ok();
    let (detail, known) = problem.map_or_else(Default::default, |p| (p.detail, p.known));
    Outcome::Refused {
        // Elsewhere `known` lists what would have been accepted.
        ids: match answer.status {
            409 => among(sent, &known),
            _ => Vec::new(),
        },
        why: format!("{}: {detail}", answer.status),
    }
}

fn among(sent: &[Waiting], ids: &[String]) -> Vec<String> {
    let named = sent.iter().filter(|report| ids.contains(&report.id));
    named.map(|report| report.id.clone()).collect()
}

fn patience(answer: Answer<'_>) -> Option<Duration> {
    // A date is for clocks that can be trusted.
    let seconds = answer.retry_after.and_then(|text| text.trim().parse().ok());
    let usual = (answer.status == 429).then_some(USUAL_PATIENCE);
    seconds
        .map(|seconds| Duration::from_secs(seconds).min(LONGEST_PATIENCE))
        .or(usual)
}

/// How many reports one body may have.
pub const MOST: usize = MAX_REPORTS;

#[cfg(test)]
mod tests {
    use super::*;

    fn reports(count: usize, bytes: usize) -> Vec<Waiting> {
        let report = |n| Waiting {
            id: format!("r{n}"),
            body: "x".repeat(bytes),
        };
        (0..count).map(report).collect()
    }

    fn answer<'a>(status: u16, body: &'a str) -> Answer<'a> {
        Answer {
            status,
            content_type: PROBLEM,
            retry_after: None,
            body,
        }
    }

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    #[test]
    fn only_what_central_names_is_delivered() {
        let sent = reports(3, 1);
        let judged = judge(&sent, answer(200, r#"{"accepted":["r2","r0","other"]}"#));
        assert_eq!(judged, Outcome::Delivered(ids(&["r0", "r2"])));
        for login in ["<html>Welcome</html>", "", "{}", r#"{"accepted":[]}"#] {
            assert!(matches!(
                judge(&sent, answer(200, login)),
                Outcome::Person(_)
            ));
        }
    }

    #[test]
    fn a_refusal_names_the_reports_or_not() {
        let sent = reports(2, 1);
        let body = r#"{"detail":"it is there already","known":["r1"]}"#;
        let refused = |status, named: &[&str]| {
            let why = format!("{status}: it is there already");
            let ids = ids(named);
            assert_eq!(
                judge(&sent, answer(status, body)),
                Outcome::Refused { ids, why }
            );
        };
        refused(409, &["r1"]);
        for status in [400, 413, 422] {
            refused(status, &[]);
        }
        // Whoever else refuses does not speak for central.
        let other = Answer {
            content_type: "text/html",
            ..answer(400, "Bad Request")
        };
        assert!(matches!(judge(&sent, other), Outcome::Person(_)));
    }

    #[test]
    fn central_is_given_the_time_that_it_asks_for() {
        let sent = reports(1, 1);
        let after = |status, retry_after| {
            let answer = Answer {
                retry_after,
                ..answer(status, "")
            };
            let Outcome::Later { after, .. } = judge(&sent, answer) else {
                panic!("{answer:?} is no reason to wait");
            };
            after.map(|after| after.as_secs())
        };
        assert_eq!(after(429, Some("7")), Some(7));
        assert_eq!(after(429, None), Some(60));
        assert_eq!(after(503, Some(" 5 ")), Some(5));
        assert_eq!(after(503, Some("999999999999")), Some(3600));
        assert_eq!(after(503, Some("Wed, 21 Oct 2026 07:28:00 GMT")), None);
        assert_eq!(after(500, None), None);
        for status in [302, 401, 403, 404] {
            let judged = judge(&sent, answer(status, ""));
            assert!(matches!(judged, Outcome::Person(_)), "{judged:?}");
        }
    }

    #[test]
    fn a_body_is_within_the_bounds_of_the_contract() {
        assert_eq!(fitting(&reports(80, 10), MOST).len(), 50);
        assert_eq!(fitting(&reports(80, 10), 4).len(), 4);
        let many = reports(80, 20_000);
        let some = fitting(&many, MOST);
        assert!(body(some).len() <= MAX_BODY && some.len() == 13);
        // One that is too large by itself is for central to refuse.
        assert_eq!(fitting(&reports(2, MAX_BODY), MOST).len(), 1);
        assert!(fitting(&[], MOST).is_empty());
        let both = [("a", "{\"id\":\"a\"}"), ("b", "{}")].map(|(id, body)| Waiting {
            id: id.to_owned(),
            body: body.to_owned(),
        });
        assert_eq!(body(&both), r#"{"version":1,"reports":[{"id":"a"},{}]}"#);
    }
}
