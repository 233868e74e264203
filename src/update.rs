//! The release that central wants this appliance to run.
//!
//! ```text
//!   after a poll, every 10 min: GET /api/v1/release?board=..
//!       200, another version  --> written down --> the updater fetches, checks, installs
//!         \                                         `--> and says in a file what became of it
//!          '- that one was rolled back or refused <--' --> nothing is wanted
//!       200, an older one     --> nothing is wanted: a halt elsewhere sends nobody back
//!       200, this version     --> nothing is wanted
//!       204                   --> nothing is wanted: none is offered, or it was halted
//! ```
//!
//! A release that did not prove itself here would not the next time either: written down
//! again it would be installed and rolled back for ever. Whoever wants it tried once more
//! removes the updater's file.
//!
//! The proxy installs nothing: it may not write the system, and what central says is
//! only where a bundle lies. Whether that may be installed its own signature says, and
//! its rollback index.

use crate::config::Central;
use crate::events::{Code, Events, Subject};
use crate::files;
use crate::outcome::{self, Teller};
use crate::store::Store;
use smart_mining_wire::Release;
use smart_mining_wire::report::{Update, UpdateOutcome};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use ureq::Agent;

const EVERY: Duration = Duration::from_secs(600);
const MAX_ANSWER: u64 = 64 * 1024;

/// An appliance that can be updated: what it is, and where its updater looks.
#[derive(Clone, Debug)]
pub struct Updatable {
    /// As central calls this kind of appliance.
    pub board: String,
    /// The release that was started.
    pub running: String,
    /// Read by the updater; there while another release is wanted.
    pub wanted: PathBuf,
    /// Written by the updater: what became of the last release it tried.
    pub outcome: Option<PathBuf>,
}

pub(crate) struct Updates {
    appliance: Updatable,
    due: Instant,
    /// What was told last, so that it is told once.
    told: Option<String>,
    outcomes: Teller,
}

impl Updates {
    pub fn new(appliance: Updatable) -> Self {
        Self {
            appliance,
            due: Instant::now(),
            told: None,
            outcomes: Teller::default(),
        }
    }

    /// Ask at the next occasion.
    pub fn hurry(&mut self) {
        self.due = Instant::now();
    }

    /// What central's last answer came to.
    pub fn told(&self) -> Option<String> {
        self.told.clone()
    }

    /// What became of the last update, told if it is new.
    pub fn look(&mut self, events: &Events, store: &Store) -> Option<Update> {
        let path = self.appliance.outcome.as_deref()?;
        let update = outcome::read(path);
        self.outcomes
            .tell(update.as_ref(), &self.appliance.board, events, store);
        update
    }

    /// Central was just reached. A fault here is no outage: it is asked again later.
    pub fn ask_if_due(&mut self, agent: &Agent, central: &Central, events: &Events, store: &Store) {
        let now = Instant::now();
        if now < self.due {
            return;
        }
        self.due = now + EVERY;
        let last = self.look(events, store);
        let answer = ask(agent, central, &self.appliance.board)
            .map(|release| self.judge(release, last.as_ref()));
        let text = match answer {
            Ok(wish) => match self.write_down(wish.wanted()) {
                Ok(()) => wish.text(&self.appliance.running),
                Err(error) => Some(error),
            },
            Err(error) => Some(error),
        };
        if self.told != text
            && let Some(text) = &text
        {
            let board = Subject::Board(&self.appliance.board);
            events.record(Code::Update, board, text.as_str());
        }
        self.told = text;
    }

    fn judge(&self, release: Option<Release>, last: Option<&Update>) -> Wish {
        let other = release.filter(|release| release.version != self.appliance.running);
        let Some(release) = other else {
            return Wish::Nothing;
        };
        if is_older(&release.version, &self.appliance.running) {
            return Wish::Older(release.version);
        }
        match last.filter(|last| last.release == release.version) {
            Some(last) if failed(last.outcome) => Wish::NotAgain(last.clone()),
            // Kept, and yet another one runs: somebody went back, by hand.
            Some(_) | None => Wish::Release(release),
        }
    }

    /// One line a value: the updater reads it without a parser.
    fn write_down(&self, release: Option<&Release>) -> Result<(), String> {
        let path = &self.appliance.wanted;
        let written = match release {
            None => files::remove(path),
            Some(release) => {
                let text = format!(
                    "VERSION={}\nURL={}\nSHA256={}\nSIZE={}\nROLLBACK_INDEX={}\n",
                    release.version,
                    release.url,
                    release.sha256,
                    release.size,
                    release.rollback_index
                );
                match files::read(path) {
                    // Written again it would start the updater again.
                    Ok(Some(before)) if before == text.as_bytes() => Ok(()),
                    Ok(_) => files::replace(path, text.as_bytes(), 0o644),
                    Err(error) => Err(error),
                }
            }
        };
        written.map_err(|error| format!("{} cannot be written: {error}", path.display()))
    }
}

const fn failed(outcome: UpdateOutcome) -> bool {
    match outcome {
        UpdateOutcome::RolledBack | UpdateOutcome::Refused => true,
        UpdateOutcome::Kept => false,
    }
}

/// Only where their numbers say so: `1.9.3` before `1.10.0`, nothing about `1.2-rc` and `1.2`.
fn is_older(version: &str, than: &str) -> bool {
    let numbers = |text: &str| -> Vec<Option<u64>> {
        let parts = text.split(['.', '-', '+', '_']);
        parts.map(|part| part.parse().ok()).collect()
    };
    let (version, than) = (numbers(version), numbers(than));
    let mut parts = version.iter().zip(&than);
    let differ = parts.find(|(a, b)| a != b || a.is_none());
    matches!(differ, Some((Some(a), Some(b))) if a < b)
}

/// What central's answer comes to here.
enum Wish {
    Nothing,
    Release(Release),
    /// Central wants a release that failed here.
    NotAgain(Update),
    /// What runs here has proved itself here, whatever it did to others.
    Older(String),
}

impl Wish {
    const fn wanted(&self) -> Option<&Release> {
        match self {
            Self::Release(release) => Some(release),
            Self::Nothing | Self::NotAgain(_) | Self::Older(_) => None,
        }
    }

    /// For a person.
    fn text(&self, running: &str) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Release(release) => {
                let wanted = &release.version;
                Some(format!("release {wanted} is wanted; {running} is running"))
            }
            Self::NotAgain(last) => Some(format!(
                "release {} is offered and not tried again: it {}",
                last.release,
                outcome::words(last)
            )),
            Self::Older(version) => Some(format!(
                "release {version} is offered and {running} is running: an older one is only installed by hand"
            )),
        }
    }
}

fn ask(agent: &Agent, central: &Central, board: &str) -> Result<Option<Release>, String> {
    let mut response = agent
        .get(format!("{}/api/v1/release", central.url))
        .query("board", board)
        .header(
            "Authorization",
            format!("Bearer {}", central.token.expose()),
        )
        .call()
        .map_err(|error| format!("central cannot be asked for a release: {error}"))?;
    match response.status().as_u16() {
        200 => {}
        204 => return Ok(None),
        status => {
            return Err(format!(
                "central answered with status {status} to the question for a release"
            ));
        }
    }
    let body = response.body_mut().with_config().limit(MAX_ANSWER);
    let text = body
        .read_to_string()
        .map_err(|error| format!("central's release did not come whole: {error}"))?;
    let release: Release = serde_json::from_str(&text)
        .map_err(|error| format!("central's release cannot be read: {error}"))?;
    release
        .check()
        .map_err(|fault| format!("central's release is refused: {fault}"))?;
    if release.board != board {
        return Err(format!(
            "central's release is for {}, and this is {board}",
            release.board
        ));
    }
    Ok(Some(release))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use crate::store::Store;
    use smart_mining_wire::SecretKey;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    fn release(version: &str) -> Release {
        Release {
            version: version.to_owned(),
            board: "rpi-arm64".to_owned(),
            url: "https://releases.example/b.raucb".to_owned(),
            sha256: "5".repeat(64),
            size: 90_000_000,
            rollback_index: 3,
            notes: String::new(),
        }
    }

    struct Appliance {
        updates: Updates,
        central: Central,
        listener: TcpListener,
        events: Events,
        store: Store,
        folder: tempfile::TempDir,
    }

    impl Appliance {
        fn new() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let folder = tempfile::tempdir().expect("a folder");
            let (store, _) = Store::open(&folder.path().join("farm.sqlite")).expect("a new store");
            Self {
                updates: Updates::new(Updatable {
                    board: "rpi-arm64".to_owned(),
                    running: "1.0.0".to_owned(),
                    wanted: folder.path().join("wanted"),
                    outcome: Some(folder.path().join("outcome")),
                }),
                central: Central {
                    url: format!("http://{}", listener.local_addr().expect("bound")),
                    token: Secret::new("t"),
                    public_key: SecretKey::from_bytes(&[7; 32]).public(),
                    report_every: Duration::from_secs(300),
                },
                listener,
                events: Events::new(store.clone()),
                store,
                folder,
            }
        }

        /// Ask once, and be answered so; what the question was.
        fn asks(&mut self, status: &str, body: &str) -> String {
            self.updates.due = Instant::now();
            let listener = self.listener.try_clone().expect("a second handle");
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let central = std::thread::spawn(move || {
                let (stream, _) = listener.accept().expect("a connection");
                let mut stream = BufReader::new(stream);
                let mut question = String::new();
                while !question.ends_with("\r\n\r\n") {
                    stream.read_line(&mut question).expect("a request");
                }
                stream.get_mut().write_all(answer.as_bytes()).expect("sent");
                question
            });
            let config = Agent::config_builder().http_status_as_error(false).build();
            self.updates
                .ask_if_due(&config.into(), &self.central, &self.events, &self.store);
            central.join().expect("central answered")
        }

        fn tried(&self, version: &str, outcome: &str) {
            let text = format!("VERSION={version}\nOUTCOME={outcome}\nREASON=why\n");
            std::fs::write(self.folder.path().join("outcome"), text).expect("written");
        }

        fn wanted(&self) -> Option<String> {
            std::fs::read_to_string(self.folder.path().join("wanted")).ok()
        }

        fn told(&self) -> Vec<String> {
            let events = self.events.recent();
            events.iter().map(|event| event.text.clone()).collect()
        }
    }

    fn json(release: &Release) -> String {
        serde_json::to_string(release).expect("JSON")
    }

    #[test]
    fn another_release_is_written_down_for_the_updater_and_told_once() {
        let mut appliance = Appliance::new();
        for _ in 0..2 {
            let question = appliance.asks("200 OK", &json(&release("1.1.0")));
            assert!(
                question.starts_with("GET /api/v1/release?board=rpi-arm64 "),
                "{question}"
            );
            assert!(question.to_lowercase().contains("authorization: bearer t"));
        }
        let wanted = appliance.wanted().expect("written");
        assert_eq!(
            wanted,
            format!(
                "VERSION=1.1.0\nURL=https://releases.example/b.raucb\nSHA256={}\nSIZE=90000000\nROLLBACK_INDEX=3\n",
                "5".repeat(64)
            )
        );
        assert_eq!(
            appliance.told(),
            ["release 1.1.0 is wanted; 1.0.0 is running"]
        );
    }

    #[test]
    fn it_is_asked_for_every_ten_minutes_and_not_more_often() {
        let mut appliance = Appliance::new();
        appliance.asks("204 No Content", "");
        let agent = Agent::new_with_defaults();
        // Nobody answers: it would be told.
        appliance.updates.ask_if_due(
            &agent,
            &appliance.central,
            &appliance.events,
            &appliance.store,
        );
        assert_eq!(appliance.told(), Vec::<String>::new());
        assert!(appliance.updates.due > Instant::now() + EVERY / 2);
    }

    #[test]
    fn a_release_that_is_halted_or_running_is_not_wanted_any_more() {
        for (status, body) in [
            ("204 No Content", String::new()),
            ("200 OK", json(&release("1.0.0"))),
        ] {
            let mut appliance = Appliance::new();
            appliance.asks("200 OK", &json(&release("1.1.0")));
            assert!(appliance.wanted().is_some());
            appliance.asks(status, &body);
            assert_eq!(appliance.wanted(), None);
        }
    }

    #[test]
    fn an_older_release_is_not_gone_back_to_by_central_s_word() {
        let mut appliance = Appliance::new();
        for _ in 0..2 {
            appliance.asks("200 OK", &json(&release("0.10.0")));
        }
        assert_eq!(appliance.wanted(), None);
        assert_eq!(
            appliance.told(),
            [
                "release 0.10.0 is offered and 1.0.0 is running: an older one is only installed by hand"
            ]
        );
        appliance.asks("200 OK", &json(&release("1.0.1")));
        assert!(appliance.wanted().is_some());
    }

    #[test]
    fn only_numbers_say_which_release_is_older() {
        for (version, than) in [
            ("1.9.3", "1.10.0"),
            ("0.9", "1.0.0"),
            ("2026-11-01", "2026-11-26"),
        ] {
            assert!(is_older(version, than), "{version}");
            assert!(!is_older(than, version), "{version}");
        }
        for (version, than) in [
            ("1.2", "1.2"),
            ("1.2-rc1", "1.2"),
            ("1.2", "1.2.1"),
            ("a.1", "b.2"),
        ] {
            assert!(!is_older(version, than), "{version}");
        }
    }

    #[test]
    fn what_is_no_release_for_this_board_changes_nothing_and_is_told() {
        let mut appliance = Appliance::new();
        appliance.asks("200 OK", &json(&release("1.1.0")));
        let wanted = appliance.wanted();
        let other = Release {
            board: "x86".to_owned(),
            ..release("2.0.0")
        };
        let plain = Release {
            url: "http://plain.example/b".to_owned(),
            ..release("2.0.0")
        };
        for (status, body, told) in [
            ("200 OK", json(&other), "is for x86"),
            ("200 OK", json(&plain), "url must be https"),
            ("200 OK", "{}".to_owned(), "cannot be read"),
            ("500 Oops", String::new(), "status 500"),
        ] {
            appliance.asks(status, &body);
            assert_eq!(appliance.wanted(), wanted);
            assert!(
                appliance.told().iter().any(|text| text.contains(told)),
                "{told}"
            );
        }
    }
    #[test]
    fn a_release_that_failed_here_is_not_wanted_again_and_that_is_told_once() {
        for (outcome, words) in [
            ("rolled-back", "was rolled back"),
            ("refused", "was refused"),
        ] {
            let mut appliance = Appliance::new();
            appliance.asks("200 OK", &json(&release("1.1.0")));
            assert!(appliance.wanted().is_some());
            appliance.tried("1.1.0", outcome);
            for _ in 0..3 {
                appliance.asks("200 OK", &json(&release("1.1.0")));
                assert_eq!(appliance.wanted(), None);
            }
            let mut told = appliance.told();
            told.reverse();
            assert_eq!(
                told,
                [
                    "release 1.1.0 is wanted; 1.0.0 is running".to_owned(),
                    format!("release 1.1.0 {words} (why)"),
                    format!("release 1.1.0 is offered and not tried again: it {words} (why)"),
                ]
            );
            // The next one is another matter.
            appliance.asks("200 OK", &json(&release("1.2.0")));
            let wanted = appliance.wanted().expect("written");
            assert!(wanted.starts_with("VERSION=1.2.0\n"), "{wanted}");
        }
    }

    #[test]
    fn an_outcome_that_is_none_or_good_or_of_another_release_keeps_nothing_back() {
        for (version, outcome) in [("1.1.0", "kept"), ("1.1.0", "?"), ("1.0.5", "rolled-back")] {
            let mut appliance = Appliance::new();
            appliance.tried(version, outcome);
            appliance.asks("200 OK", &json(&release("1.1.0")));
            assert!(appliance.wanted().is_some(), "{version} {outcome}");
        }
    }

    #[test]
    fn what_became_of_the_last_update_is_told_at_the_start_also_without_central() {
        let mut appliance = Appliance::new();
        appliance.tried("1.1.0", "rolled-back");
        for _ in 0..2 {
            let last = appliance.updates.look(&appliance.events, &appliance.store);
            assert_eq!(last.expect("one").release, "1.1.0");
        }
        assert_eq!(appliance.told(), ["release 1.1.0 was rolled back (why)"]);
    }
}
