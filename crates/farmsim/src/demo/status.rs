//! What the appliance says about itself, read leniently: the demo goes on
//! whatever the status page answers.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

const EVERY: Duration = Duration::from_secs(1);

/// The parts of the status that the demo shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    /// One text for each algorithm: `sha256d -> A (BTC)`.
    pub routes: Vec<String>,
    pub snapshot: Option<String>,
    pub central: Option<String>,
    /// Why there is nothing else.
    pub problem: Option<String>,
}

/// A thread asks once a second; it ends with this value.
pub struct StatusPage {
    view: Arc<Mutex<View>>,
    _end: mpsc::Sender<()>,
}

impl StatusPage {
    pub fn follow(status_url: &str) -> Self {
        let url = format!("{}/api/status", status_url.trim_end_matches('/'));
        let view = Arc::new(Mutex::new(View::default()));
        let (end, ended) = mpsc::channel();
        let seen = Arc::clone(&view);
        std::thread::spawn(move || {
            let agent: ureq::Agent = ureq::Agent::config_builder()
                .timeout_global(Some(Duration::from_secs(2)))
                .build()
                .into();
            loop {
                let now = ask(&agent, &url);
                *seen.lock().unwrap_or_else(PoisonError::into_inner) = now;
                if ended.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        Self { view, _end: end }
    }

    pub fn view(&self) -> View {
        let view = self.view.lock();
        view.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn ask(agent: &ureq::Agent, url: &str) -> View {
    let text = agent.get(url).call().and_then(|mut answer| {
        answer
            .body_mut()
            .with_config()
            .limit(1 << 20)
            .read_to_string()
    });
    let parsed = match text {
        Ok(text) => serde_json::from_str(&text).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match parsed {
        Ok(status) => read(&status),
        Err(problem) => View {
            problem: Some(problem),
            ..View::default()
        },
    }
}

fn read(status: &Value) -> View {
    let algorithms = status["algorithms"].as_array();
    let snapshot = &status["snapshot"];
    View {
        routes: algorithms.into_iter().flatten().map(route).collect(),
        snapshot: snapshot.is_object().then(|| {
            let age = match snapshot["age_seconds"].as_f64() {
                Some(age) => format!("{age:.0} s old"),
                None => "of unknown age".to_owned(),
            };
            format!("#{} {age}", word(&snapshot["sequence"]))
        }),
        central: Some(word(&status["central"]["state"])).filter(|state| state != "?"),
        problem: None,
    }
}

fn route(entry: &Value) -> String {
    let algorithm = word(&entry["algorithm"]);
    let route = &entry["route"];
    if route.is_null() {
        return format!("{algorithm} -> none ({})", word(&entry["state"]));
    }
    let (pool, coin) = (word(&route["pool"]), word(&route["coin"]));
    format!("{algorithm} -> {pool} ({coin})")
}

/// A value as one word, whatever it is.
fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Object(fields) => fields.get("name").map_or_else(|| "?".to_owned(), word),
        Value::Null | Value::Bool(_) | Value::Array(_) => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_status_is_read_leniently() {
        let view = read(&json!({
            "algorithms": [
                {"algorithm": "sha256d", "state": "mining", "route": {"pool": "A", "coin": "BTC"}},
                {"algorithm": "scrypt", "state": "no_candidate", "route": null},
                {"algorithm": 7}
            ],
            "snapshot": {"sequence": 12, "age_seconds": 3.2},
            "central": {"state": "connected"}
        }));
        assert_eq!(
            view.routes,
            [
                "sha256d -> A (BTC)",
                "scrypt -> none (no_candidate)",
                "7 -> none (?)"
            ]
        );
        assert_eq!(view.snapshot.as_deref(), Some("#12 3 s old"));
        assert_eq!(view.central.as_deref(), Some("connected"));
        assert_eq!(read(&json!([])), View::default());
        assert_eq!(
            read(&json!({"snapshot": null, "algorithms": 1})),
            View::default()
        );
    }
}
