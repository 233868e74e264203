//! Does central answer, and know this farm? And is this machine's clock right?

use super::{Check, Finding};
use crate::clock::unix_now;
use crate::config::{Central, Config};
use smart_mining_core::route::Gate;
use smart_mining_wire::Snapshot;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use ureq::{Agent, Error};

const WITHIN: Duration = Duration::from_secs(10);
const MOST: u64 = 800 * 1024;
/// Certificates and charts bear that much.
const ABOUT_RIGHT: i64 = 60;
/// Central's clock may be wrong as well, a little.
const FROM_THE_FUTURE: u64 = 300;

#[derive(Default)]
pub struct Answer {
    pub findings: Vec<Finding>,
    pub snapshot: Option<Snapshot>,
    /// How far central's clock is ahead of this machine's; negative if it is behind.
    pub ahead_seconds: Option<i64>,
}

pub async fn ask(config: &Config) -> Answer {
    let Some(central) = config.central.clone() else {
        return Answer::default();
    };
    let asked = tokio::task::spawn_blocking(move || ask_now(&central));
    asked.await.unwrap_or_default()
}

fn ask_now(central: &Central) -> Answer {
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(WITHIN))
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(crate::rules::AGENT)
        .build()
        .into();
    let asked = agent
        .get(format!("{}/api/v1/snapshot", central.url))
        .query("after", "0")
        .query("wait", "0")
        .header(
            "Authorization",
            format!("Bearer {}", central.token.expose()),
        )
        .call();
    let mut response = match asked {
        Ok(response) => response,
        Err(error) => return Answer::of(unreachable(central, &error)),
    };
    let date = response.headers().get("date");
    let date = date.and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    let mut answer = Answer {
        ahead_seconds: date.and_then(ahead),
        ..Answer::default()
    };
    let problem =
        |text: String, remedy: &str| Finding::problem(Check::Central, &*central.url, text, remedy);
    let finding = match response.status().as_u16() {
        200 => {
            let body = response.body_mut().with_config().limit(MOST);
            match body.read_to_string().map_err(|error| error.to_string()) {
                Ok(envelope) => answer.judge(central, &envelope),
                Err(error) => problem(format!("its answer ended early: {error}"), "ask again"),
            }
        }
        204 => Finding::ok(
            Check::Central,
            &*central.url,
            "answers; it has no snapshot yet",
        ),
        401 | 403 => problem(
            "does not know this farm's token".to_owned(),
            "write central.token as `smart-mining-api enrol` printed it; `enrol --rotate` gives a new one",
        ),
        status => problem(
            format!("answered with status {status}"),
            "is central.url right, or does something between answer in its place?",
        ),
    };
    answer.findings.push(finding);
    answer
}

impl Answer {
    fn of(finding: Finding) -> Self {
        Self {
            findings: vec![finding],
            ..Self::default()
        }
    }

    fn judge(&mut self, central: &Central, envelope: &str) -> Finding {
        match Gate::new(central.public_key.clone()).judge(envelope.as_bytes()) {
            Ok(snapshot) => {
                let text = format!("answers; snapshot {} is good", snapshot.sequence);
                self.snapshot = Some(snapshot);
                Finding::ok(Check::Central, &*central.url, text)
            }
            Err(refusal) => Finding::problem(
                Check::Central,
                &*central.url,
                format!("its snapshot is refused: {refusal}"),
                "does central.public_key belong to this central? `smart-mining-aggregator` prints it when it starts",
            ),
        }
    }
}

fn ahead(date: SystemTime) -> Option<i64> {
    let theirs = date.duration_since(UNIX_EPOCH).ok()?.as_secs();
    i64::try_from(theirs).ok()?.checked_sub_unsigned(unix_now())
}

fn unreachable(central: &Central, error: &Error) -> Finding {
    let words = error.to_string();
    let is_certificate = words.to_lowercase().contains("certificate");
    let remedy = if is_certificate && words.contains("xpired") {
        "its certificate is out of its time: is this machine's clock right (timedatectl)? \
         If it is, central's operator has to renew it"
    } else if is_certificate {
        "its certificate is not one for this name that a known authority signed: \
         is central.url right, and what is between?"
    } else if matches!(error, Error::HostNotFound) {
        "its name is not known: is the WAN up, does DNS work, is central.url right?"
    } else if matches!(error, Error::Timeout(_)) {
        "nothing answers in time: is the WAN up, does a firewall swallow it?"
    } else {
        "is the WAN up, and is central.url right? Mining goes on from the stored snapshot"
    };
    Finding::problem(
        Check::Central,
        &*central.url,
        format!("cannot be reached: {words}"),
        remedy,
    )
}

/// `ahead`: of central's clock.
pub fn clock(snapshot: Option<&Snapshot>, ahead: Option<i64>) -> Option<Finding> {
    let remedy = "set it (timedatectl set-ntp true, or date): certificates, charts and the age of \
                  snapshots need it; without a battery it starts in the past after each power cut";
    let problem = |text: String| Some(Finding::problem(Check::Clock, "", text, remedy));
    let apart = |seconds: u64| smart_mining_page::words::duration(seconds);
    match ahead {
        Some(ahead) if ahead > ABOUT_RIGHT => {
            return problem(format!(
                "is {} behind central's",
                apart(ahead.unsigned_abs())
            ));
        }
        Some(ahead) if ahead < -ABOUT_RIGHT => {
            return problem(format!(
                "is {} ahead of central's",
                apart(ahead.unsigned_abs())
            ));
        }
        Some(_) | None => {}
    }
    let snapshot = snapshot.map(|it| it.created_at.saturating_sub(unix_now()));
    if let Some(future) = snapshot.filter(|future| *future > FROM_THE_FUTURE) {
        let future = apart(future);
        return problem(format!(
            "is behind: the snapshot was made {future} from now"
        ));
    }
    ahead.map(|_| Finding::ok(Check::Clock, "", "agrees with central's"))
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_clock_that_started_in_the_past_is_found_by_what_it_stored() {
        let snapshot = |created_at| Snapshot {
            version: 1,
            sequence: 7,
            created_at,
            entries: Vec::new(),
        };
        let found = clock(Some(&snapshot(unix_now() + 7200)), None).expect("a finding");
        assert_eq!(found.verdict, Verdict::Problem);
        assert!(found.text.contains("made 2 h"), "{}", found.text);
        assert_eq!(clock(Some(&snapshot(unix_now() - 7200)), None), None);
    }

    #[test]
    fn a_minute_is_no_matter_and_an_hour_is() {
        let verdict = |ahead| clock(None, Some(ahead)).map(|finding| finding.verdict);
        assert_eq!(verdict(30), Some(Verdict::Ok));
        assert_eq!(verdict(-59), Some(Verdict::Ok));
        assert_eq!(verdict(3600), Some(Verdict::Problem));
        assert_eq!(verdict(-3600), Some(Verdict::Problem));
    }
}
