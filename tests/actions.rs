//! What the operator does, through the shipped binary: over HTTP, with its forms, in
//! the terminal; and that nobody else can.

mod support;

use serde_json::{Value, json};
use smart_mining_farmsim::miner::{Miner, MinerConfig, Personality};
use smart_mining_farmsim::pool::Pool;
use smart_mining_farmsim::pow::Algorithm;
use smart_mining_proxy::operator::basic;
use smart_mining_proxy::workers::hash::StoredPassword;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use support::central::{Central, pool};
use support::{Appliance, Farm, PATIENCE, route};

const PASSWORD: &str = "correct horse";
const ROUTING: &str =
    "[routing]\nminimum_dwell_seconds = 1\nconfirmations = 1\nreturn_after_seconds = 1\n";
const ACTIONS: [(&str, &str); 9] = [
    ("pin", r#"{"algorithm":"sha256d","pool":"b","minutes":60}"#),
    ("unpin", r#"{"algorithm":"sha256d"}"#),
    ("exclude", r#"{"algorithm":"sha256d","pool":"a"}"#),
    ("include", r#"{"algorithm":"sha256d","pool":"a"}"#),
    ("sync", "{}"),
    ("name", r#"{"worker":"rig0","name":"First"}"#),
    ("reboot", "{}"),
    ("update", r#"{"url":"https://x.example/r.raucb"}"#),
    ("support-bundle", "{}"),
];

fn operator() -> String {
    let hash = StoredPassword::of(PASSWORD).expect("made");
    format!("[operator]\npassword_hash = \"{hash}\"\n")
}

struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The kind of a problem.
    fn kind(&self) -> Option<String> {
        let kind = self.json()["type"].as_str()?.to_owned();
        let kind = kind.strip_prefix("urn:smart-mining:problem:")?;
        Some(kind.to_owned())
    }

    /// What a browser would send along next time.
    fn cookie(&self, name: &str) -> Option<String> {
        let lines = self.head.lines();
        let mut set = lines.filter_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case("set-cookie").then_some(value)
        });
        let value = set.find(|value| value.starts_with(&format!("{name}=")))?;
        assert!(value.contains("HttpOnly") && value.contains("SameSite=Strict"));
        Some(value.split(';').next().expect("a first part").to_owned())
    }

    /// Of the form on this page.
    fn token(&self) -> String {
        let text = self.text();
        let rest = text.split("name=token value=\"").nth(1).expect("a form");
        rest.split('"').next().expect("its end").to_owned()
    }
}

/// One request with exactly these headers, and its answer.
fn ask(appliance: &Appliance, line: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut stream = TcpStream::connect(appliance.farm.status).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE * 4)).expect("set");
    let mut text = format!(
        "{line} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    if headers.iter().all(|(name, _)| *name != "Host") {
        text.push_str(&format!("Host: {}\r\n", appliance.farm.status));
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    stream
        .write_all(format!("{text}\r\n{body}").as_bytes())
        .expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a head");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Reply {
        status: status.expect("a status"),
        head,
        body: answer[end + 4..].to_vec(),
    }
}

/// As a program does that knows the password.
fn act(appliance: &Appliance, what: &str, body: &str) -> Reply {
    let authorization = basic(PASSWORD);
    let headers = [
        ("Authorization", &*authorization),
        ("Content-Type", "application/json"),
    ];
    ask(
        appliance,
        &format!("POST /api/actions/{what}"),
        &headers,
        body,
    )
}

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// As a browser does: with its cookie.
fn submit(appliance: &Appliance, what: &str, cookie: &str, body: &str) -> Reply {
    let line = format!("POST /operator/{what}");
    ask(appliance, &line, &[FORM, ("Cookie", cookie)], body)
}

fn look(appliance: &Appliance, cookie: &str) -> Reply {
    ask(appliance, "GET /operator", &[("Cookie", cookie)], "")
}

/// Logged in with the form: the cookie, and the token of the page's forms.
fn logged_in(appliance: &Appliance) -> (String, String) {
    let door = look(appliance, "");
    let (visit, token) = (door.cookie("visit").expect("a cookie"), door.token());
    let form = format!("token={token}&password=correct+horse");
    let page = submit(appliance, "login", &visit, &form);
    assert_eq!(page.status, 200, "{}", page.text());
    (page.cookie("operator").expect("a session"), page.token())
}

fn miner(appliance: &Appliance) -> Miner {
    let (port, kind) = (appliance.farm.sha256d, Personality::Cgminer);
    Miner::start(MinerConfig::new(port, "x.rig0", kind, Algorithm::Sha256d))
}

/// Two pools of its own, a before b.
async fn farm(more: &str) -> (Pool, Pool, Appliance) {
    let (a, b) = (pool("a", 1).await, pool("b", 2).await);
    let farm = Farm::new()
        .pool("a", a.address(), "")
        .pool("b", b.address(), "")
        .text(&format!("{ROUTING}{more}"));
    let appliance = farm.start();
    appliance.on_pool("a").await;
    (a, b, appliance)
}

fn events(appliance: &Appliance) -> Vec<(String, String)> {
    let text = appliance.get("/api/events").expect("it answers");
    let events: Vec<Value> = serde_json::from_str(&text).expect("a list");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pair = |event: &Value| (text(&event["code"]), text(&event["text"]));
    events.iter().map(pair).collect()
}

fn lane(appliance: &Appliance) -> Value {
    appliance.status().expect("it answers")["algorithms"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_moves_the_miners_and_survives_a_power_cut_until_it_is_taken_back() {
    let (a, b, mut appliance) = farm(&operator()).await;
    let miner = miner(&appliance);
    a.next_accepted(PATIENCE).await.expect("work at a");
    let reply = act(
        &appliance,
        "pin",
        r#"{"algorithm":"sha256","pool":"b","minutes":60}"#,
    );
    assert_eq!(reply.status, 200, "{}", reply.text());
    let text = reply.json()["text"].as_str().expect("a text").to_owned();
    assert!(
        text.starts_with("b is pinned for sha256d for 1 h; it is ready"),
        "{text}"
    );
    let status = appliance.on_pool("b").await;
    let why = &status["algorithms"][0]["why"];
    assert_eq!(why, "pin: the operator pinned it, for another 1 h");
    b.next_accepted(PATIENCE).await.expect("work at b");
    assert_eq!(miner.stats().disconnects, 0);
    let told = events(&appliance);
    let pinned = told.iter().find(|(code, _)| code == "operator-pin");
    assert!(
        pinned.is_some_and(|(_, text)| text.ends_with("(from 127.0.0.1)")),
        "{told:?}"
    );

    // Written within a second, like every record.
    until_stored(&appliance, "wishes", "\"pool\":\"b\"").await;
    appliance.kill();
    appliance.start_again();
    let status = appliance.on_pool("b").await;
    let left = status["algorithms"][0]["pin"]["seconds_left"].as_u64();
    assert!(
        left.is_some_and(|left| (3300..=3600).contains(&left)),
        "{left:?}"
    );
    b.next_accepted(PATIENCE).await.expect("work at b");

    assert_eq!(
        act(&appliance, "unpin", r#"{"algorithm":"sha256d"}"#).status,
        200
    );
    appliance.on_pool("a").await;
    let again = act(&appliance, "unpin", r#"{"algorithm":"sha256d"}"#);
    assert_eq!(
        (again.status, again.kind().as_deref()),
        (409, Some("no-pin"))
    );
}

/// Until the store's file has it: only then a power cut can come.
async fn until_stored(appliance: &Appliance, key: &str, part: &str) {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let deadline = std::time::Instant::now() + PATIENCE;
    let mut again = tokio::time::interval(std::time::Duration::from_millis(50));
    loop {
        again.tick().await;
        let store =
            rusqlite::Connection::open_with_flags(appliance.farm.store(), flags).expect("a store");
        let value = "SELECT value FROM meta WHERE key = ?1";
        let value: Result<String, _> = store.query_row(value, [key], |row| row.get(0));
        if value.is_ok_and(|value| value.contains(part)) {
            return;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "{part} of {key} is not written"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_excluded_pool_is_left_and_the_last_one_cannot_be_excluded() {
    let (a, _b, mut appliance) = farm(&operator()).await;
    let exclude = r#"{"algorithm":"sha256d","pool":"a","minutes":90}"#;
    assert_eq!(act(&appliance, "exclude", exclude).status, 200);
    let status = appliance.on_pool("b").await;
    let lane_now = &status["algorithms"][0];
    assert_eq!(
        lane_now["why"],
        "exclude: the operator excluded a, for another 1 h 30 min; b is the best that is ready"
    );
    assert_eq!(lane_now["skipped"][0]["why"], "the operator excluded it");
    let pinned = act(
        &appliance,
        "pin",
        r#"{"algorithm":"sha256d","pool":"a","minutes":5}"#,
    );
    assert_eq!(
        (pinned.status, pinned.kind().as_deref()),
        (409, Some("excluded"))
    );
    let last = act(
        &appliance,
        "exclude",
        r#"{"algorithm":"sha256d","pool":"b"}"#,
    );
    assert_eq!(
        (last.status, last.kind().as_deref()),
        (409, Some("last-pool"))
    );
    let unknown = act(
        &appliance,
        "exclude",
        r#"{"algorithm":"sha256d","pool":"<c>"}"#,
    );
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["remedy"], "say one of: b (BTC)");
    // Also after a restart it is never worked for, not even for a moment.
    until_stored(&appliance, "wishes", "\"pool\":\"a\"").await;
    appliance.kill();
    let before = a.books().identities().len();
    appliance.start_again();
    let miner = miner(&appliance);
    appliance.on_pool("b").await;
    miner.next_accepted(PATIENCE).await.expect("work at b");
    assert_eq!(a.books().identities().len(), before);
    let include = r#"{"algorithm":"sha256d","pool":"a"}"#;
    assert_eq!(act(&appliance, "include", include).status, 200);
    appliance.on_pool("a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_changes_nothing() {
    let (_a, _b, appliance) = farm(&operator()).await;
    let (session, token) = logged_in(&appliance);
    let own = basic(PASSWORD);
    let unknown = format!("Bearer {}", "0".repeat(64));
    let foreign = [("Origin", "http://evil.example"), ("Authorization", &*own)];
    let fetched = [("Sec-Fetch-Site", "cross-site"), ("Authorization", &*own)];
    let rebound = [("Host", "evil.example"), ("Authorization", &*own)];
    for (what, body) in ACTIONS {
        let line = format!("POST /api/actions/{what}");
        let mut tried = vec![
            (401, ask(&appliance, &line, &[], body)),
            (
                401,
                ask(&appliance, &line, &[("Authorization", &unknown)], body),
            ),
            (
                401,
                ask(&appliance, &line, &[("Authorization", "Basic ???")], body),
            ),
            // A session's cookie is not enough where no token comes along.
            (401, ask(&appliance, &line, &[("Cookie", &session)], body)),
            (403, ask(&appliance, &line, &foreign, body)),
            (403, ask(&appliance, &line, &fetched, body)),
            (403, ask(&appliance, &line, &rebound, body)),
        ];
        for reply in tried.iter().map(|(_, reply)| reply) {
            let problem = reply.json();
            assert!(
                problem["remedy"].as_str().is_some_and(|it| !it.is_empty()),
                "{problem}"
            );
            assert!(
                reply.head.contains("application/problem+json"),
                "{}",
                reply.head
            );
        }
        let object: Value = serde_json::from_str(body).expect("JSON");
        let fields = object.as_object().expect("an object").iter();
        let form: String = fields
            .map(|(key, value)| format!("{key}={}&", value.to_string().trim_matches('"')))
            .collect();
        let with = |token: &str| format!("{form}sure=yes&token={token}");
        let line = format!("POST /operator/{what}");
        let evil = [FORM, ("Cookie", &*session), ("Origin", "null")];
        tried.extend([
            (401, submit(&appliance, what, "", &with(&token))),
            (
                401,
                submit(
                    &appliance,
                    what,
                    &format!("operator={}", "0".repeat(64)),
                    &with(&token),
                ),
            ),
            (403, submit(&appliance, what, &session, &form)),
            (
                403,
                submit(&appliance, what, &session, &with(&"0".repeat(64))),
            ),
            (403, ask(&appliance, &line, &evil, &with(&token))),
        ]);
        for (status, reply) in &tried {
            assert_eq!(
                reply.status,
                *status,
                "{what}: {}\n{}",
                reply.head,
                reply.text()
            );
        }
    }
    let lane = lane(&appliance);
    assert_eq!(
        (&lane["pin"], &lane["excluded"]),
        (&Value::Null, &json!([]))
    );
    assert_eq!(lane["route"]["pool"], "a");
    let done = [
        "operator-pin",
        "operator-exclude",
        "operator-name",
        "operator-bundle",
        "operator-sync",
    ];
    let told = events(&appliance);
    assert!(
        told.iter().all(|(code, _)| !done.contains(&&**code)),
        "{told:?}"
    );
    assert!(
        told.iter().any(|(code, _)| code == "operator-refused"),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_visitor_sets_the_password_and_everybody_is_told() {
    let (_a, _b, mut appliance) = farm("").await;
    let unset = act(&appliance, "sync", "{}");
    assert_eq!(
        (unset.status, unset.kind().as_deref()),
        (403, Some("password-unset"))
    );
    let door = look(&appliance, "");
    assert!(
        door.text().contains("Set the operator") && door.head.contains("frame-ancestors 'none'")
    );
    let (visit, token) = (door.cookie("visit").expect("a cookie"), door.token());
    let set = |body: &str| {
        submit(
            &appliance,
            "password",
            &visit,
            &format!("token={token}&{body}"),
        )
    };
    assert_eq!(
        set("password=correct+horse&again=another+horse").status,
        400
    );
    assert_eq!(set("password=short&again=short").status, 400);
    // Another site's form has no token, and a visitor that came by its name gets no form.
    let blind = submit(
        &appliance,
        "password",
        &visit,
        "password=evil+horse&again=evil+horse",
    );
    assert_eq!(blind.status, 403);
    let rebound = ask(&appliance, "GET /operator", &[("Host", "evil.example")], "");
    assert!(rebound.status == 403 && !rebound.text().contains("<form"));
    let page = set("password=correct+horse&again=correct+horse");
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.text().contains("password is set, from 127.0.0.1"));
    let session = page.cookie("operator").expect("logged in at once");
    assert!(look(&appliance, &session).text().contains("Log out"));
    assert_eq!(set("password=second+horse&again=second+horse").status, 409);
    let told = events(&appliance);
    let was_set = told.iter().find(|(code, _)| code == "operator-password");
    assert!(
        was_set.is_some_and(|(_, text)| text.contains("127.0.0.1")),
        "{told:?}"
    );
    // After a restart it is the password still, and the session is over.
    appliance.kill();
    appliance.start_again();
    appliance.on_pool("a").await;
    assert!(
        look(&appliance, &session)
            .text()
            .contains("<h2>Log in</h2>")
    );
    let pin = r#"{"algorithm":"sha256d","pool":"b","minutes":5}"#;
    assert_eq!(act(&appliance, "pin", pin).status, 200);
    let log =
        std::fs::read_to_string(appliance.farm.folder.path().join("appliance.log")).expect("a log");
    assert!(
        !log.contains("horse") && !log.contains("argon2id"),
        "no password is told"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_slowed_and_whoever_is_logged_in_goes_on() {
    let (_a, _b, appliance) = farm(&operator()).await;
    let session = ask(
        &appliance,
        "POST /api/session",
        &[],
        r#"{"password":"correct horse"}"#,
    );
    let token = session.json()["token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let bearer = format!("Bearer {token}");
    for guess in ["a", "b", "c", "d", "e"] {
        let body = json!({"password": guess}).to_string();
        let wrong = ask(&appliance, "POST /api/session", &[], &body);
        assert_eq!(
            (wrong.status, wrong.kind().as_deref()),
            (401, Some("password"))
        );
    }
    let slowed = ask(
        &appliance,
        "POST /api/session",
        &[],
        r#"{"password":"correct horse"}"#,
    );
    assert_eq!(slowed.status, 429);
    assert!(
        slowed.head.to_lowercase().contains("retry-after: 6"),
        "{}",
        slowed.head
    );
    assert_eq!(
        act(&appliance, "unpin", r#"{"algorithm":"sha256d"}"#).status,
        429
    );
    let own = [("Authorization", &*bearer)];
    let name = r#"{"worker":"rig0","name":"First"}"#;
    assert_eq!(
        ask(&appliance, "POST /api/actions/name", &own, name).status,
        200
    );
    assert_eq!(ask(&appliance, "DELETE /api/session", &own, "").status, 204);
    assert_eq!(
        ask(&appliance, "POST /api/actions/name", &own, name).status,
        401
    );
    let much = format!("{{\"password\":\"{}\"}}", "x".repeat(9_000));
    assert_eq!(ask(&appliance, "POST /api/session", &[], &much).status, 413);
    let told = events(&appliance);
    assert!(
        told.iter().any(|(code, _)| code == "operator-refused"),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_forms_do_all_of_it_and_say_what_came_of_it() {
    let (_a, _b, appliance) = farm(&operator()).await;
    let _miner = miner(&appliance);
    let (session, token) = logged_in(&appliance);
    let send = |what: &str, form: &str| {
        let page = submit(&appliance, what, &session, &format!("token={token}&{form}"));
        (page.status, page.text())
    };
    let page = look(&appliance, &session).text();
    assert!(
        page.contains("<option value=\"b BTC\">b (BTC)</option>"),
        "{page}"
    );
    let (status, page) = send("pin", "algorithm=sha256d&pool=b+BTC&minutes=30");
    assert!(
        status == 200 && page.contains("b is pinned for sha256d for 30 min"),
        "{page}"
    );
    appliance.on_pool("b").await;
    let (_, page) = send("unpin", "algorithm=sha256d");
    assert!(page.contains("not pinned for sha256d any more"), "{page}");
    let (_, page) = send("exclude", "algorithm=sha256d&pool=b&minutes=");
    assert!(
        page.contains("until it is included again") && page.contains("Include b"),
        "{page}"
    );
    let (status, page) = send("exclude", "algorithm=sha256d&pool=a&minutes=");
    assert!(
        status == 409 && page.contains("only pool that is left") && page.contains("What to do")
    );
    let (status, page) = send("name", "worker=rig0&name=Shed+3%2C+%C3%BCber+der+T%C3%BCr");
    assert!(
        status == 200 && page.contains("Shed 3, über der Tür"),
        "{page}"
    );
    let (status, page) = send("name", "worker=rig0&name=%3Cscript%3E");
    assert!(status == 400 && !page.contains("<script>"), "{page}");
    appliance
        .until("the miner works", |status| status["miners"]["now"] == 1)
        .await;
    let miners: Value =
        serde_json::from_str(&appliance.get("/api/miners").expect("it answers")).expect("JSON");
    assert_eq!(miners[0]["name"], "Shed 3, über der Tür");
    let (status, page) = send("reboot", "sure=yes");
    assert!(
        status == 501 && page.contains("not started from the card"),
        "{page}"
    );
    let (_, page) = send("sync", "");
    assert!(page.contains("This farm has no central"), "{page}");
    let (_, page) = send("logout", "");
    assert!(page.contains("You are logged out"), "{page}");
    assert_eq!(send("unpin", "algorithm=sha256d").0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_says_what_came_of_it() {
    let mut central = Central::start("actions").await;
    let a = pool("a", 1).await;
    let first = central.publish(&[(&a, 4e-14)]).await;
    let appliance = central
        .farm_at(central.address, "")
        .text(&operator())
        .start();
    appliance.on_pool("a").await;
    let reply = tokio::task::block_in_place(|| act(&appliance, "sync", "{}"));
    let answer = reply.json();
    assert_eq!(reply.status, 200, "{answer}");
    assert_eq!(
        (&answer["outcome"], &answer["sequence"]),
        (&json!("nothing-new"), &json!(first))
    );
    central.stop().await;
    let reply = tokio::task::block_in_place(|| act(&appliance, "sync", "{}"));
    let answer = reply.json();
    assert_eq!(
        (&answer["outcome"], &answer["sequence"]),
        (&json!("unreachable"), &json!(first))
    );
    // It is back with a new one, while the appliance waits before it asks again by itself.
    let second = central.publish(&[(&a, 5e-14)]).await;
    central.serve().await;
    let reply = tokio::task::block_in_place(|| act(&appliance, "sync", "{}"));
    let answer = reply.json();
    let came = answer["outcome"] == "new" || answer["outcome"] == "nothing-new";
    assert!(came && answer["sequence"] == second, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_restarts_and_updates_after_it_was_asked_twice() {
    let (a, b) = (pool("a", 1).await, pool("b", 2).await);
    let farm = Farm::new()
        .updatable()
        .pool("a", a.address(), "")
        .pool("b", b.address(), "")
        .text(&operator());
    let asked = farm.folder.path().join("asked");
    let appliance = farm.start();
    appliance.on_pool("a").await;
    let (session, token) = logged_in(&appliance);
    let send = |what: &str, form: &str| {
        let page = submit(&appliance, what, &session, &format!("token={token}&{form}"));
        (page.status, page.text())
    };
    // What the image's path unit does.
    let take = |path: std::path::PathBuf| {
        std::thread::spawn(move || {
            loop {
                match std::fs::read_to_string(&path) {
                    Ok(text) if text.ends_with('\n') => {
                        std::fs::remove_file(&path).expect("it is there");
                        return text;
                    }
                    Ok(_) | Err(_) => std::thread::yield_now(),
                }
            }
        })
    };
    let (status, page) = send("reboot", "");
    assert!(status == 200 && page.contains("Are you sure?"), "{page}");
    assert!(!asked.exists(), "nothing happens before the second time");
    let taken = take(asked.clone());
    let (status, page) = send("reboot", "sure=yes");
    assert!(
        status == 200 && page.contains("the machine restarts"),
        "{page}"
    );
    assert_eq!(taken.join().expect("no panic"), "reboot\n");
    let (_, page) = send("update", "url=https%3A%2F%2Fx.example%2Fr.raucb");
    assert!(page.contains("Are you sure?") && page.contains("value=\"https://x.example/r.raucb\""));
    let taken = take(asked.clone());
    let (status, page) = send("update", "sure=yes&url=https%3A%2F%2Fx.example%2Fr.raucb");
    assert_eq!(status, 200, "{page}");
    assert_eq!(
        taken.join().expect("no panic"),
        "update https://x.example/r.raucb\n"
    );
    // Nobody takes it: that is said, and it is not done later.
    let reply = act(&appliance, "reboot", "{}");
    assert_eq!(
        (reply.status, reply.kind().as_deref()),
        (503, Some("machine"))
    );
    assert!(!asked.exists());
}

/// The parts of a bundle, by their names.
fn unpacked(bytes: &[u8]) -> Vec<(String, String)> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
    let mut parts = Vec::new();
    for entry in archive.entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let name = entry.path().expect("a name").display().to_string();
        let mut text = String::new();
        entry.read_to_string(&mut text).expect("text");
        parts.push((name, text));
    }
    parts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_support_bundle_has_what_helps_and_no_secret() {
    let secrets = "[[account]]\ncoin = \"LTC\"\nuser = \"ltc1qsecretaddress.{worker}\"\npassword = \"secretpass\"\n\
                   [central]\nurl = \"http://127.0.0.1:9\"\ntoken = \"secrettoken\"\n\
                   public_key = \"iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=\"\n";
    let (_a, _b, appliance) = farm(&format!("{}{secrets}", operator())).await;
    let name = r#"{"worker":"rig0","name":"First"}"#;
    assert_eq!(act(&appliance, "name", name).status, 200);
    let reply = act(&appliance, "support-bundle", "{}");
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.head.contains("support-barn.tar.gz") && reply.body.len() < 5_000_000);
    let parts = unpacked(&reply.body);
    let names: Vec<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
    let wanted = [
        "README.txt",
        "about.json",
        "farm.toml",
        "status.json",
        "miners.json",
        "events.json",
        "decisions.json",
        "journal.txt",
    ];
    assert_eq!(
        names,
        wanted.map(|name| format!("smart-mining-support/{name}"))
    );
    for (name, text) in &parts {
        for secret in [
            "secretaddress",
            "secretpass",
            "secrettoken",
            "farmer",
            "argon2",
            PASSWORD,
        ] {
            assert!(!text.contains(secret), "{secret} in {name}: {text}");
        }
    }
    let part = |wanted: &str| {
        let part = parts.iter().find(|(name, _)| name.ends_with(wanted));
        part.map(|(_, text)| text.as_str()).expect("a part")
    };
    assert!(part("farm.toml").contains("127.0.0.1:9"));
    let status: Value = serde_json::from_str(part("status.json")).expect("JSON");
    assert_eq!(route(&status), Some("a"));
    let decisions: Value = serde_json::from_str(part("decisions.json")).expect("JSON");
    assert!(decisions.is_array());
    assert!(
        part("events.json").contains("\"code\":\"started\""),
        "{}",
        part("events.json")
    );
}

/// A command of the shipped binary, with the password in its environment.
fn run(appliance: &Appliance, password: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_smart-mining-proxy"))
        .args(arguments)
        .args(["--url", &format!("http://{}", appliance.farm.status)])
        .env("SMART_MINING_PASSWORD", password)
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_can_do_the_same() {
    let (_a, _b, appliance) = farm(&operator()).await;
    let (code, text) = run(
        &appliance,
        PASSWORD,
        &["pin", "sha256d", "b", "--minutes", "60"],
    );
    assert!(
        code == Some(0) && text.starts_with("b is pinned"),
        "{code:?} {text}"
    );
    appliance.on_pool("b").await;
    let (code, text) = run(&appliance, PASSWORD, &["exclude", "sha256d", "a", "--json"]);
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    assert!(code == Some(0) && answer["text"].is_string(), "{text}");
    let (code, text) = run(
        &appliance,
        PASSWORD,
        &["pin", "sha256d", "c", "--minutes", "60"],
    );
    assert!(
        code == Some(2) && text.contains("what to do: say one of: b (BTC)"),
        "{code:?} {text}"
    );
    let (code, text) = run(&appliance, "wrong", &["include", "sha256d", "a"]);
    assert!(
        code == Some(1) && text.contains("the password is wrong"),
        "{code:?} {text}"
    );
    assert_eq!(
        run(&appliance, PASSWORD, &["include", "sha256d", "a"]).0,
        Some(0)
    );
    let file = appliance.farm.folder.path().join("bundle.tar.gz");
    let path = file.display().to_string();
    let (code, text) = run(&appliance, PASSWORD, &["support-bundle", &path]);
    assert!(code == Some(0), "{text}");
    assert_eq!(unpacked(&std::fs::read(&file).expect("written")).len(), 8);
    let (code, _) = run(&appliance, PASSWORD, &["support-bundle", &path]);
    assert_eq!(code, Some(2), "what is there is not overwritten");
}
