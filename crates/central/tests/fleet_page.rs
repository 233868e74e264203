//! The operator's pages: what a browser is shown, and who is let in.

mod support;

use serde_json::{Value, json};
use smart_mining_central::testing::PrivatePostgres;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use support::request::{Full, ask};
use support::{Api, Central, OPERATOR, STARTER, eventually};

/// A browser: it keeps the cookie that it was given.
struct Browser {
    address: String,
    cookie: Option<String>,
}

impl Browser {
    fn at(api: &Api) -> Self {
        Self {
            address: api.address.clone(),
            cookie: None,
        }
    }

    fn signed_in(api: &Api) -> Self {
        let mut browser = Self::at(api);
        let answer = browser.sign_in(OPERATOR, "/fleet");
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, Some("/fleet"))
        );
        browser
    }

    fn get(&self, path: &str) -> Full {
        let cookie = self.cookie.iter().map(|it| ("cookie", it.as_str()));
        ask(
            &self.address,
            "GET",
            path,
            None,
            &cookie.collect::<Vec<_>>(),
            None,
        )
    }

    fn post(&mut self, path: &str, form: &str, more: &[(&str, &str)]) -> Full {
        let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
        headers.extend(self.cookie.iter().map(|it| ("cookie", it.as_str())));
        headers.extend(more);
        let answer = ask(
            &self.address,
            "POST",
            path,
            None,
            &headers,
            Some(form.as_bytes()),
        );
        if let Some(set) = answer.header("set-cookie") {
            let pair = set.split(';').next().expect("a pair");
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        answer
    }

    fn sign_in(&mut self, token: &str, next: &str) -> Full {
        self.post("/login", &format!("token={token}&next={next}"), &[])
    }

    /// A page that must be there.
    fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        text(&answer)
    }

    /// The farms of the table, in order.
    fn farms(&self, query: &str) -> Vec<String> {
        let page = self.page(&format!("/fleet?{query}"));
        let links = page.split("<a href=\"/fleet/").skip(1);
        links
            .map(|rest| rest.split('"').next().expect("a name").to_owned())
            .collect()
    }
}

fn text(answer: &Full) -> String {
    assert_eq!(
        answer.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    String::from_utf8(answer.bytes.clone()).expect("text")
}

/// What stands between two marks.
fn between<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let rest = text
        .split_once(from)
        .unwrap_or_else(|| panic!("no {from:?} in {text}"))
        .1;
    rest.split_once(to)
        .unwrap_or_else(|| panic!("no {to:?} in {rest}"))
        .0
}

fn row<'t>(page: &'t str, farm: &str) -> &'t str {
    between(page, &format!("<a href=\"/fleet/{farm}\""), "</tr>")
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("later")
        .as_secs()
}

fn report(state: &str, at: u64, algorithms: &Value) -> Value {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    json!({"id": format!("r{id}"), "created_at": at, "appliance": "0.1.0", "uptime": 60, "sequence": 0,
           "state": state, "algorithms": algorithms})
}

fn mines(pool: &str, hashrate: f64, since: u64) -> Value {
    json!({"route": {"pool": pool, "coin": "BTC", "since": since}, "hashrate": hashrate, "miners": 3,
           "shares": {"accepted": 90, "rejected": 6, "stale": 4, "unknown": 0, "lost": 0}})
}

fn tells(api: &Api, token: &str, reports: &[Value]) {
    let body = json!({"version": 1, "reports": reports});
    let answer = api.send("POST", "/api/v1/reports", token, &body);
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// One farm in each state, named after it.
fn every_state(central: &Central, api: &Api) -> u64 {
    let sequence = central.import(STARTER);
    let at = now();
    for state in [
        "mining",
        "mining-from-cache",
        "holding",
        "trouble",
        "silent",
        "disabled",
        "new",
    ] {
        let token = central.enrol(&format!("farm-{state}"));
        if state == "new" {
            continue;
        }
        let told = match state {
            "silent" | "disabled" => "mining",
            state => state,
        };
        let mut sent = report(
            told,
            at,
            &json!({"sha256d": mines("pool-a", 2e14, at - 60)}),
        );
        sent["sequence"] = json!(sequence);
        // Asked for through one replica, the board is written with the rest.
        api.ask(
            "GET",
            "/api/v1/release?board=pi-armv7",
            Some(&token),
            &[],
            None,
        );
        tells(api, &token, &[sent]);
    }
    eventually("what was seen is written", || {
        central.sql("SELECT count(*) FROM farm_state WHERE board = 'pi-armv7'") == "6"
    });
    central.sql("UPDATE farms SET disabled = true WHERE name = 'farm-disabled'");
    central.sql(
        "UPDATE farm_state SET last_seen_at = now() - interval '3 hours', reported_at = now() - interval '3 hours'
         WHERE farm = (SELECT id FROM farms WHERE name = 'farm-silent')",
    );
    sequence
}

fn started() -> (Central, Api) {
    let central = Central::new();
    let api = central.serve_with(&["--seen-every", "1", "--address-burst", "10000"]);
    api.wait_for_log("following database");
    (central, api)
}

#[test]
fn one_glance_tells_how_each_farm_fares() {
    let (central, api) = started();
    let empty = Browser::signed_in(&api).page("/fleet");
    assert!(
        empty.contains("no farm mines yet")
            && empty.contains("no snapshot was published yet")
            && empty.contains("smart-mining-api enrol NAME")
    );

    every_state(&central, &api);
    let browser = Browser::signed_in(&api);
    eventually("the page has all farms", || browser.farms("").len() == 7);
    let page = browser.page("/fleet");
    assert!(page.contains("<span class=\"state trouble\">3 farms need attention</span>"));
    for (farm, pill, words) in [
        ("farm-mining", "mining", "mining"),
        ("farm-mining-from-cache", "cache", "mining from cache"),
        ("farm-holding", "holding", "holding"),
        ("farm-trouble", "trouble", "trouble"),
        ("farm-silent", "silent", "not seen"),
        ("farm-disabled", "off", "disabled"),
        ("farm-new", "new", "no report yet"),
    ] {
        let row = row(&page, farm);
        assert!(
            row.contains(&format!("<span class=\"state {pill}\">{words}</span>")),
            "{row}"
        );
    }
    assert!(page.contains("newest snapshot "), "{page}");
    let mining = row(&page, "farm-mining");
    for words in [
        "sha256d: pool-a (BTC)",
        "200.00 TH/s",
        "10.0 %",
        "0.1.0<small>pi-armv7</small>",
        "the newest",
        "1 min ago",
    ] {
        assert!(mining.contains(words), "{words}: {mining}");
    }
    let silent = row(&page, "farm-silent");
    assert!(
        silent.contains("was mining") && silent.contains("reported 3 h ago"),
        "{silent}"
    );
    assert!(row(&page, "farm-new").contains("never"));
    // Four farms are heard of and hash.
    let work = between(&page, "<h2>Hashrate</h2>", "</section>");
    assert!(
        work.contains("800.00 TH/s") && work.contains("4 farms, 12 miners"),
        "{work}"
    );

    // The next publication leaves them behind.
    central.import(STARTER);
    eventually("they are said to be behind", || {
        row(&browser.page("/fleet"), "farm-mining").contains("1 behind")
    });
}

#[test]
fn farms_are_filtered_sorted_and_cut_into_pages_by_the_address() {
    let (central, api) = started();
    every_state(&central, &api);
    central.sql(
        "INSERT INTO farms (name, token_sha256)
         SELECT 'more-' || to_char(n, 'FM000'), sha256(n::text::bytea) FROM generate_series(1, 120) n",
    );
    let browser = Browser::signed_in(&api);
    eventually("the page has all farms", || {
        browser.page("/fleet").contains("127 farms enrolled")
    });
    assert_eq!(browser.farms("state=holding"), ["farm-holding"]);
    assert_eq!(browser.farms("q=FROM-cache"), ["farm-mining-from-cache"]);
    assert_eq!(browser.farms("version=0.1.0&q=pool-a").len(), 6);
    assert_eq!(
        browser.farms("")[0],
        "farm-trouble",
        "what wants attention comes first"
    );
    assert_eq!(
        browser.farms("algorithm=sha256d&state=&q=&version=&sort=state")[..3],
        ["farm-trouble", "farm-silent", "farm-holding"]
    );
    assert_eq!(browser.farms("algorithm=kawpow"), [""; 0]);
    assert!(
        browser
            .page("/fleet?q=nowhere")
            .contains("No farm is like that.")
    );

    let first = browser.page("/fleet?sort=name&order=desc");
    assert!(
        first.contains(
            "<th scope=\"col\" aria-sort=\"descending\"><a href=\"/fleet?sort=name\">Farm</a>"
        ),
        "{first}"
    );
    assert!(first.contains("Farms 1 to 50 of 127") && first.contains("Page 1 of 3"));
    assert!(
        first.contains("href=\"/fleet?sort=name&#38;order=desc&#38;page=2\""),
        "{first}"
    );
    let all: Vec<String> = (1..=3)
        .flat_map(|n| browser.farms(&format!("sort=name&order=desc&page={n}")))
        .collect();
    let mut sorted = all.clone();
    sorted.sort_by(|a, b| b.cmp(a));
    sorted.dedup();
    assert_eq!((all.len(), &all), (127, &sorted), "each farm once");
    // A page that is no more is the last one.
    assert_eq!(browser.farms("sort=name&order=desc&page=99"), all[100..]);

    for bad in [
        "state=ill",
        "sort=luck",
        "page=0",
        "page=-1",
        "algorithm=md5",
        "order=up",
    ] {
        let refused = browser.get(&format!("/fleet?{bad}"));
        assert_eq!(refused.status, 400, "{bad}");
        assert!(text(&refused).contains("which is none"), "{bad}");
    }
    let long = browser.get(&format!("/fleet?q={}", "x".repeat(65)));
    assert_eq!(long.status, 400);
}

#[test]
fn a_farm_has_a_page_with_its_history() {
    let (central, api) = started();
    central.import(STARTER);
    let token = central.enrol("hill");
    let at = now() - 7200;
    let told =
        |minute: u64, state: &str, algorithms: Value| report(state, at + minute * 60, &algorithms);
    let mut last = told(
        115,
        "mining",
        json!({"sha256d": mines("pool-a", 3e14, at + 108 * 60)}),
    );
    last["update"] =
        json!({"release": "0.2.0", "outcome": "rolled-back", "reason": "not healthy <yet>"});
    let release = json!({"version": "0.2.0", "board": "pi", "url": "https://x.example/i.img",
        "sha256": "0".repeat(64), "size": 5, "rollback_index": 1, "wave_percent": 10});
    assert_eq!(
        api.send("POST", "/api/v1/releases", OPERATOR, &release)
            .status,
        201
    );
    tells(
        &api,
        &token,
        &[
            told(
                0,
                "mining",
                json!({"sha256d": mines("pool-a", 1e14, at - 600)}),
            ),
            told(
                50,
                "mining",
                json!({"sha256d": mines("pool-b", 2e14, at + 48 * 60)}),
            ),
            told(
                60,
                "holding",
                json!({"sha256d": {"hashrate": 0.0, "miners": 3,
            "shares": {"accepted": 0, "rejected": 0, "stale": 0, "unknown": 0, "lost": 9}}}),
            ),
            told(
                110,
                "mining",
                json!({"sha256d": mines("pool-a", 3e14, at + 108 * 60)}),
            ),
            last,
        ],
    );

    let browser = Browser::signed_in(&api);
    let page = browser.page("/fleet/hill");
    assert!(
        page.contains("<h1>hill</h1>")
            && page.contains("<span class=\"state mining\">mining</span>")
    );
    assert!(page.contains("role=img"), "a chart: {page}");
    let switches = between(&page, "<h2>Switches</h2>", "</section>");
    let steps: Vec<&str> = switches.split("<tr><td>").skip(1).collect();
    assert_eq!(steps.len(), 3, "{switches}");
    for (line, from, to) in [
        (steps[0], "no pool", "pool-a (BTC)"),
        (steps[1], "pool-b (BTC)", "no pool"),
        (steps[2], "pool-a (BTC)", "pool-b (BTC)"),
    ] {
        assert!(
            line.contains(&format!("<td>{from}</td><td>{to}</td>")),
            "{line}"
        );
    }
    let states = between(&page, "<h2>States</h2>", "</section>");
    let order: Vec<&str> = states.split("<span class=\"state ").skip(1).collect();
    let order: Vec<&str> = order.iter().filter_map(|it| it.split('"').next()).collect();
    assert_eq!(order, ["mining", "holding", "mining"]);
    let releases = between(&page, "<h2>Releases</h2>", "</section>");
    assert!(
        releases.contains("rolled back") && releases.contains("not healthy &#60;yet&#62;"),
        "{releases}"
    );
    assert!(
        browser
            .page("/fleet/hill?range=30d")
            .contains("<span aria-current=\"true\">30 days</span>")
    );

    // The release halted itself, and the fleet page says why.
    let fleet = browser.page("/fleet");
    let releases = between(&fleet, "<h2>Releases</h2>", "</section>");
    assert!(
        releases.contains("<span class=\"bad\">halted</span> rolled back by 1 of 1 farms"),
        "{releases}"
    );

    assert_eq!(browser.get("/fleet/hill?range=9y").status, 400);
    for unknown in ["/fleet/dale", "/fleet/%3Cscript%3E", "/fleet/%FF"] {
        let answer = browser.get(unknown);
        assert_eq!(answer.status, 404, "{unknown}");
        assert!(!text(&answer).contains("<script>e"), "{unknown}");
    }
}

#[test]
fn text_of_strangers_stays_text_and_the_page_stays_small() {
    let (central, api) = started();
    central.import(STARTER);
    let evil = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>";
    let long = "W".repeat(63);
    let algorithms = [
        "sha256d",
        "scrypt",
        "etchash",
        "kawpow",
        "randomx",
        "kheavyhash",
        "equihash",
        "x16r",
    ];
    let told = |pool: &str| -> Value {
        algorithms.iter().map(|name| ((*name).to_owned(), json!({
            "route": {"pool": pool, "coin": pool, "since": 5}, "hashrate": 1e29, "miners": 4_000_000_000_u32,
            "shares": {"accepted": i64::MAX, "rejected": i64::MAX, "stale": i64::MAX, "unknown": 0, "lost": i64::MAX}}))).collect()
    };
    // Straight into the database: an older central may have stored what this one refuses.
    let store = |farms: &str, pool: &str, version: &str| {
        let mut body = report("trouble", now(), &told(pool));
        body["appliance"] = json!(version);
        body["update"] = json!({"release": "0.2.0", "outcome": "rolled-back", "reason": pool});
        let body = body.to_string().replace('\'', "''");
        central.sql(&format!(
            "INSERT INTO farms (name, token_sha256) SELECT name, sha256(name::bytea) FROM ({farms}) AS f (name);
             INSERT INTO farm_state (farm, last_seen_at, reported_at, report)
                 SELECT id, now(), now(), '{body}' FROM farms WHERE name IN ({farms});
             INSERT INTO reports (farm, id, body_sha256, created_at, body)
                 SELECT id, 'a', sha256('a'), now() - interval '1 minute', '{body}' FROM farms WHERE name IN ({farms})"
        ));
    };
    store("SELECT 'evil'", evil, evil);
    store(
        "SELECT lpad(n::text, 63, 'W') FROM generate_series(1, 60) n",
        &long,
        &long,
    );
    central.sql(&format!(
        "INSERT INTO releases (version, board, url, sha256, size, rollback_index, wave_percent, halted, halted_reason)
         VALUES ('0.2.0', 'pi', 'https://x.example/i', repeat('0', 64), 5, 1, 100, true, '{}')",
        evil.replace('\'', "''")
    ));
    // A month in which every report tells another pool.
    let other = json!(told(&long.replace('W', "M"))).to_string();
    central.sql(&format!(
        "INSERT INTO reports (farm, id, body_sha256, created_at, body)
         SELECT reports.farm, 'n' || n, sha256('a'), now() - n * interval '5 minutes',
             CASE WHEN n % 2 = 0 THEN body ELSE jsonb_set(body, '{{algorithms}}', '{other}') END
         FROM reports JOIN farms ON farms.id = reports.farm, generate_series(1, 3000) n
         WHERE farms.name = 'evil'"
    ));
    let browser = Browser::signed_in(&api);
    eventually("the page has all farms", || {
        browser.page("/fleet").contains("61 farms enrolled")
    });
    let query = "%22%27%3E%3Cscript%3Ealert(1)%3C/script%3E%3Cimg%20src=x%20onerror=alert(2)%3E";
    for path in [
        "/fleet?q=evil".to_owned(),
        "/fleet".to_owned(),
        format!("/fleet?q={query}&version={query}"),
        "/fleet/evil".to_owned(),
        "/fleet/evil?range=30d".to_owned(),
        format!("/fleet/{}1", "W".repeat(62)),
        format!("/login?next={query}"),
    ] {
        let page = browser.page(&path);
        assert!(page.len() < 100 * 1024, "{path}: {} bytes", page.len());
        assert!(
            !page.contains("<script>alert") && !page.contains("<img"),
            "{path}: {page}"
        );
        assert_eq!(page.matches("<script").count(), 1, "{path}");
    }
    assert!(
        browser
            .page("/fleet/evil")
            .contains("&#60;script&#62;alert(1)")
    );
    // What cannot be shown at all.
    for path in [
        format!("/fleet?state={query}"),
        format!("/fleet/{}", query.replace('/', "%2F")),
        format!("/fleet/evil?range={query}"),
    ] {
        let page = text(&browser.get(&path));
        assert!(
            !page.contains("<script>alert") && !page.contains("<img"),
            "{path}"
        );
    }
    let answer = browser.get("/fleet");
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe-inline"),
        "{policy}"
    );
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
    // What the OpenAPI document describes is what it was.
    let document = api.get("/openapi.json").json();
    assert!(
        document["paths"]
            .as_object()
            .expect("paths")
            .keys()
            .all(|path| !path.starts_with("/fleet"))
    );
}

#[test]
fn the_operator_signs_in_once_for_all_replicas_and_out_of_all() {
    let (central, first) = started();
    let second = central.serve_with(&["--address-burst", "10000"]);
    central.import(STARTER);
    second.wait_until_ready();
    central.enrol("hill");
    let stranger = Browser::at(&first);
    for (path, next) in [
        ("/fleet", "%2Ffleet"),
        ("/fleet/hill?range=30d", "%2Ffleet%2Fhill%3Frange%3D30d"),
    ] {
        let answer = stranger.get(path);
        let location = format!("/login?next={next}");
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, Some(location.as_str()))
        );
        assert!(!String::from_utf8_lossy(&answer.bytes).contains("hill"));
    }
    assert_eq!(stranger.get("/").header("location"), Some("/fleet"));

    let mut browser = Browser::at(&first);
    let wrong = browser.sign_in("operator-token-of-a-tesT", "/fleet/hill");
    assert_eq!((wrong.status, wrong.header("set-cookie")), (401, None));
    let form = text(&wrong);
    assert!(
        form.contains("This is not the operator's token")
            || form.contains("This is not the operator&#39;s token"),
        "{form}"
    );
    assert!(form.contains("value=\"/fleet/hill\"") && !form.contains("tesT"));
    let right = browser.sign_in(OPERATOR, "/fleet/hill");
    assert_eq!(
        (right.status, right.header("location")),
        (303, Some("/fleet/hill"))
    );
    let cookie = right.header("set-cookie").expect("a cookie").to_owned();
    assert!(
        cookie.contains("HttpOnly; SameSite=Strict") && !cookie.contains(OPERATOR),
        "{cookie}"
    );
    assert!(browser.page("/fleet/hill").contains("<h1>hill</h1>"));
    let stored = central.sql("SELECT encode(sha256, 'base64') FROM operator_sessions");
    let secret = browser.cookie.clone().expect("kept");
    assert!(
        !secret.contains(stored.trim_end_matches('=')),
        "only a hash is stored"
    );

    // Another replica knows the session; a changed cookie is none.
    let mut elsewhere = Browser {
        address: second.address.clone(),
        cookie: Some(secret.clone()),
    };
    assert_eq!(elsewhere.get("/fleet").status, 200);
    let (name, value) = secret.split_once('=').expect("a pair");
    let other = value.chars().rev().collect::<String>();
    for forged in [
        format!("{name}={other}"),
        format!("{name}="),
        format!("x={value}"),
    ] {
        let forged = Browser {
            address: first.address.clone(),
            cookie: Some(forged),
        };
        assert_eq!(forged.get("/fleet").status, 303);
    }
    // Neither does a token of a farm, nor the operator's as a header, open a page.
    let bearer = first.ask("GET", "/fleet", Some(OPERATOR), &[], None);
    assert_eq!(bearer.status, 303);

    // It ends at both.
    let out = elsewhere.post("/logout", "", &[]);
    assert_eq!((out.status, out.header("location")), (303, Some("/login")));
    assert!(
        out.header("set-cookie")
            .expect("removed")
            .contains("Max-Age=0")
    );
    assert_eq!(
        browser.get("/fleet").status,
        303,
        "the old cookie, at the first"
    );
    assert_eq!(central.sql("SELECT count(*) FROM operator_sessions"), "0");

    // And by itself.
    let browser = Browser::signed_in(&first);
    central.sql("UPDATE operator_sessions SET expires_at = now() - interval '1 second'");
    assert_eq!(browser.get("/fleet").status, 303);
    Browser::signed_in(&second);
    assert_eq!(
        central.sql("SELECT count(*) FROM operator_sessions"),
        "1",
        "the old one is gone"
    );

    // A replica with another token knows none of them.
    let mut command = central.api_command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("SMART_MINING_OPERATOR_TOKEN", "another-operators-token");
    let third = Api::start(command);
    third.wait_until_ready();
    let kept = Browser::signed_in(&second);
    let moved = Browser {
        address: third.address.clone(),
        cookie: kept.cookie.clone(),
    };
    assert_eq!(
        (kept.get("/fleet").status, moved.get("/fleet").status),
        (200, 303)
    );
}

#[test]
fn forms_of_other_sites_and_guesses_are_refused() {
    let (central, api) = started();
    let mut browser = Browser::at(&api);
    let form = format!("token={OPERATOR}&next=//evil.example");
    for foreign in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let refused = browser.post("/login", &form, &[foreign]);
        assert_eq!(
            (refused.status, refused.header("set-cookie")),
            (403, None),
            "{foreign:?}"
        );
    }
    let own = api.address.clone();
    let taken = browser.post("/login", &form, &[("origin", &own)]);
    assert_eq!(
        (taken.status, taken.header("location")),
        (303, Some("/fleet")),
        "nobody is led elsewhere"
    );
    let kept = browser.cookie.clone();
    let refused = browser.post("/logout", "", &[("sec-fetch-site", "cross-site")]);
    assert_eq!(refused.status, 403);
    browser.cookie = kept;
    assert_eq!(
        browser.get("/fleet").status,
        200,
        "and nobody is signed out"
    );
    assert_eq!(browser.get("/logout").status, 405);
    let by_tls = browser.post("/login", &form, &[("x-forwarded-proto", "https")]);
    assert!(
        by_tls
            .header("set-cookie")
            .expect("a cookie")
            .ends_with("; Secure")
    );

    // Two of five were used up, and the right token does not help who guessed too often.
    let mut guesser = Browser::at(&api);
    let guesses: Vec<u16> = (0..4)
        .map(|n| guesser.sign_in(&format!("guess-{n}"), "").status)
        .collect();
    assert_eq!(guesses, [401, 401, 401, 429]);
    let late = guesser.sign_in(OPERATOR, "");
    assert_eq!((late.status, late.header("set-cookie")), (429, None));
    let wait: u64 = late
        .header("retry-after")
        .expect("told")
        .parse()
        .expect("seconds");
    assert!((1..=11).contains(&wait));
    assert!(text(&late).contains("Too many tries"));
    assert_eq!(browser.get("/fleet").status, 200, "who is in stays in");
    for odd in [
        "",
        "token",
        "token=%FF%FE",
        "a=b&c=d",
        &"token=x&".repeat(40_000),
    ] {
        let refused = guesser.post("/login", odd, &[]).status;
        assert!((400..500).contains(&refused), "{refused}");
    }

    let mut command = central.api_command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("SMART_MINING_OPERATOR_TOKEN", "");
    let closed = Api::start(command);
    for path in ["/fleet", "/fleet/hill", "/login"] {
        let refused = Browser::at(&closed).get(path);
        assert_eq!(refused.status, 403, "{path}");
        assert!(text(&refused).contains("SMART_MINING_OPERATOR_TOKEN_FILE"));
    }
    assert_eq!(Browser::at(&closed).sign_in("", "").status, 403);
}

#[test]
fn without_the_database_the_page_says_so_and_comes_back() {
    let central = Central::on(Arc::new(PrivatePostgres::start()));
    let api = central.serve();
    central.import(STARTER);
    api.wait_until_ready();
    central.enrol("hill");
    let browser = Browser::signed_in(&api);
    assert!(browser.page("/fleet").contains("hill"));
    central.postgres.stop();
    eventually("the page says so", || {
        let answer = browser.get("/fleet");
        answer.status == 503 && text(&answer).contains("Central cannot look at its farms now")
    });
    for path in ["/fleet", "/fleet/hill"] {
        let away = browser.get(path);
        assert_eq!(away.status, 503, "{path}");
        assert!(away.header("retry-after").is_some());
        let page = text(&away);
        assert!(
            page.contains("<p>The database is away") && page.contains("they mine on"),
            "{page}"
        );
        assert!(
            page.contains("http-equiv=\"refresh\""),
            "it comes back by itself"
        );
    }
    let mut other = Browser::at(&api);
    assert_eq!(other.sign_in(OPERATOR, "").status, 503);
    central.postgres.start_again();
    eventually("the page is back, and so is the session", || {
        browser.get("/fleet").status == 200
    });
}

#[test]
fn ten_thousand_farms_are_read_for_all_who_look_at_once() {
    let (central, api) = started();
    let sequence = central.import(STARTER);
    let body = {
        let algorithms =
            json!({"sha256d": mines("pool-a", 2e14, 5), "scrypt": mines("pool-b", 3e9, 5)});
        let mut body = report("mining", now(), &algorithms);
        body["sequence"] = json!(sequence);
        body.to_string()
    };
    central.sql(&format!(
        "INSERT INTO farms (name, token_sha256)
             SELECT 'farm-' || to_char(n, 'FM00000'), sha256(n::text::bytea) FROM generate_series(1, 10000) n;
         INSERT INTO farm_state (farm, last_seen_at, reported_at, report, board)
             SELECT id, now(), now(), '{body}', 'pi' FROM farms;
         ANALYZE farms; ANALYZE farm_state"
    ));
    let browser = Browser::signed_in(&api);
    // Reading may fail where the machine is busy, and is tried again then.
    let shown = |browser: &Browser, path: &str| {
        let mut page = String::new();
        eventually("the fleet is shown", || {
            let answer = browser.get(path);
            assert!([200, 503].contains(&answer.status), "{answer:?}");
            page = text(&answer);
            answer.status == 200
        });
        page
    };
    let page = shown(&browser, "/fleet?sort=hashrate");
    assert!(
        page.contains("Farms 1 to 50 of 10,000") && page.contains("10,000 farms, 30,000 miners")
    );
    assert!(page.contains("2.00 EH/s") && page.contains("all mine"));
    assert!(page.len() < 100 * 1024, "{} bytes", page.len());
    api.log_until("10000 farms were read");
    let started = std::time::Instant::now();
    let threads: Vec<_> = (0..8)
        .map(|n| {
            let browser = Browser {
                address: browser.address.clone(),
                cookie: browser.cookie.clone(),
            };
            std::thread::spawn(move || {
                for turn in 0..10 {
                    let path = format!("/fleet?sort=seen&page={}", n * 10 + turn + 1);
                    let page = shown(&browser, &path);
                    assert!(page.contains("of 10,000"));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("all were shown");
    }
    let took = started.elapsed();
    // The mark after all of them.
    Browser::signed_in(&api);
    let log = api.log_until("signed in");
    let reads = log.iter().filter(|line| line.contains("farms were read"));
    // What is there holds for five seconds or longer.
    let (reads, most) = (reads.count() as u64, took.as_secs() / 5 + 1);
    assert!(
        reads <= most,
        "80 pages in {took:?} led to {reads} looks at the fleet, more than {most}"
    );
}
