//! The lists that anybody may read, the document that describes them, and their errors.

mod support;

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};
use support::{Api, Central, STARTER, eventually};

fn served() -> (Central, Api) {
    let central = Central::new();
    central.import(STARTER);
    let api = central.serve();
    api.wait_until_ready();
    (central, api)
}

fn list(api: &Api, path: &str) -> Value {
    let answer = api.get(path);
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

fn column(page: &Value, name: &str) -> Vec<String> {
    let items = page["items"].as_array().expect("items");
    let text = |item: &Value| item[name].as_str().expect("text").to_owned();
    items.iter().map(text).collect()
}

/// Follow `next` to the end; answers the pages.
fn pages(api: &Api, path: &str) -> Vec<Value> {
    let mut pages = vec![list(api, path)];
    while let Some(next) = pages[pages.len() - 1]["next"].as_str() {
        let page = list(api, next);
        assert!(pages.len() < 100, "it has an end");
        pages.push(page);
    }
    pages
}

#[test]
fn coins_come_with_prices_and_chains() {
    let (central, api) = served();
    central.sql(
        "UPDATE coins SET price_usd = 65000.5, price_margin = 0.01, price_at = to_timestamp(1790000000),
                          price_sources = '{coingecko,binance}' WHERE id = 'BTC';
         INSERT INTO chains VALUES ('BTC', 'sha256d', 1.2e14, 5.1e23, 8.5e20, 3.125, 0.05, 900000,
                                    5.3e-19, 0.02, 'node', 'mempool', to_timestamp(1790000001)),
                                   ('LTC', 'scrypt', NULL, 1e12, 1e15, 6.25, 0, NULL, 1e-12, 0.1,
                                    'a', 'b', now())",
    );
    let all = list(&api, "/api/v1/coins");
    assert_eq!(column(&all, "id"), ["BCH", "BTC", "LTC"]);
    assert_eq!((&all["total"], &all["next"]), (&json!(3), &Value::Null));
    let one = list(&api, "/api/v1/coins?coin=btc");
    let coin = &one["items"][0];
    assert_eq!(coin["price_usd"], 65000.5);
    assert_eq!(coin["price_at"], 1_790_000_000);
    assert_eq!(coin["price_sources"], json!(["coingecko", "binance"]));
    let chain = &coin["chains"][0];
    assert_eq!(
        (&chain["algorithm"], &chain["height"]),
        (&json!("sha256d"), &json!(900_000))
    );
    assert_eq!(
        (&chain["subsidy"], &chain["observed_at"]),
        (&json!(3.125), &json!(1_790_000_001))
    );
    assert_eq!(
        all["items"][0]["price_usd"],
        Value::Null,
        "not known is null"
    );
    assert_eq!(all["items"][0]["chains"], json!([]));
    let by_price = list(&api, "/api/v1/coins?sort=price&order=desc");
    assert_eq!(
        column(&by_price, "id"),
        ["BTC", "BCH", "LTC"],
        "unknown ones last"
    );
    let sha = list(&api, "/api/v1/coins?algo=SHA-256");
    assert_eq!(column(&sha, "id"), ["BTC"]);
    assert_eq!(list(&api, "/api/v1/coins?algo=zhash")["total"], 0);
    assert_eq!(list(&api, "/api/v1/coins?coin=DOGE")["items"], json!([]));
}

#[test]
fn pools_come_with_their_addresses_and_terms() {
    let (_central, api) = served();
    let all = list(&api, "/api/v1/pools?sort=name&order=desc");
    assert_eq!(column(&all, "id"), ["pool-c", "pool-b", "pool-a"]);
    let scrypt = list(&api, "/api/v1/pools?algo=scrypt&pool=POOL-B");
    let offers = scrypt["items"][0]["offers"].as_array().expect("offers");
    assert_eq!(offers.len(), 1, "only what was asked for");
    let offer = &offers[0];
    assert_eq!(
        (&offer["coin"], &offer["algorithm"]),
        (&json!("LTC"), &json!("scrypt"))
    );
    assert_eq!(
        (&offer["host"], &offer["port"]),
        (&json!("127.0.0.1"), &json!(13342))
    );
    assert_eq!(
        (&offer["tls"], &offer["dialect"]),
        (&json!(false), &json!("sv1"))
    );
    assert_eq!(
        (&offer["fee"], &offer["scheme"]),
        (&json!(0.02), &json!("PPLNS"))
    );
    assert_eq!(
        column(&list(&api, "/api/v1/pools?coin=bch"), "id"),
        ["pool-b"]
    );
    assert_eq!(list(&api, "/api/v1/pools?coin=BCH&algo=scrypt")["total"], 0);
}

#[test]
fn pages_cover_a_list_without_a_gap_or_a_repetition() {
    let (central, api) = served();
    central.sql(
        "INSERT INTO coins (id, name) SELECT 'C' || n, 'Coin' FROM generate_series(1, 97) AS n",
    );
    let pages = pages(&api, "/api/v1/coins?limit=9&sort=name");
    let ids: Vec<String> = pages.iter().flat_map(|page| column(page, "id")).collect();
    assert_eq!((pages.len(), ids.len()), (12, 100));
    assert_eq!(BTreeSet::from_iter(&ids).len(), 100);
    assert_eq!(pages[3]["offset"], 27);
    assert_eq!(list(&api, "/api/v1/coins?offset=5000")["items"], json!([]));
    let filtered = list(&api, "/api/v1/profitability?algo=scrypt&limit=2");
    let next = filtered["next"].as_str().expect("one more");
    assert_eq!(next, "/api/v1/profitability?algo=scrypt&limit=2&offset=2");
    assert_eq!(column(&list(&api, next), "pool"), ["pool-c"]);
}

#[test]
fn current_profitability_is_ranked_and_explained() {
    let (_central, api) = served();
    let rows = list(&api, "/api/v1/profitability?algo=sha256");
    assert_eq!(rows["step"], "now");
    assert_eq!(column(&rows, "pool"), ["pool-a", "pool-b", "pool-c"]);
    let first = &rows["items"][0];
    assert_eq!(first["usd_per_hash_day"], 4.0e-14);
    assert_eq!(first["net_usd_per_hash_day"], 4.0e-14 * 0.99);
    assert_eq!(
        first["display"],
        json!({"value": 0.0396, "unit": "USD/TH/day"})
    );
    assert_eq!(first["now"]["origin"], "import");
    assert_eq!(first["now"]["scheme"], "FPPS");
    assert_eq!(first["now"]["gross_usd_per_hash_day"], Value::Null);
    assert_eq!(first["hour"], Value::Null);
    let by_coin = list(
        &api,
        "/api/v1/profitability?sort=coin&order=asc&coin=BTC,BCH",
    );
    assert_eq!(column(&by_coin, "coin"), ["BCH", "BTC", "BTC"]);
    assert_eq!(
        list(&api, "/api/v1/profitability?step=now&to=1000")["items"],
        json!([])
    );
}

#[test]
fn history_is_read_as_it_was_taken_or_by_the_hour() {
    let (central, api) = served();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock")
        .as_secs();
    let hour = now / 3600 * 3600;
    central.sql(&format!(
        "DELETE FROM profitability_history;
         DELETE FROM profitability_hourly;
         CREATE TABLE history_all PARTITION OF profitability_history DEFAULT;
         INSERT INTO profitability_history
             SELECT to_timestamp({now} - n * 60), 'BTC', pool, 'sha256d', n, n, 0.02
             FROM generate_series(1, 120) AS n, unnest('{{pool-a,pool-b}}'::text[]) AS pool;
         INSERT INTO profitability_hourly
             SELECT to_timestamp({hour} - n * 3600), 'BTC', 'pool-a', 'sha256d', 4, 8, 1, 3, 2
             FROM generate_series(0, 999) AS n"
    ));
    let from = now - 600;
    let raw = list(
        &api,
        &format!("/api/v1/profitability?pool=pool-a&from={from}&to={now}"),
    );
    assert_eq!(
        (&raw["step"], &raw["from"], &raw["to"]),
        (&json!("raw"), &json!(from), &json!(now))
    );
    let at: Vec<u64> = raw["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|row| row["at"].as_u64().expect("seconds"))
        .collect();
    let expected: Vec<u64> = (1..=10).rev().map(|n| now - n * 60).collect();
    assert_eq!(
        at, expected,
        "the first moment is included, the last is not"
    );
    assert_eq!(raw["items"][0]["net_usd_per_hash_day"], 10.0);
    assert_eq!(raw["items"][0]["margin"], 0.02);

    let hourly = pages(&api, "/api/v1/profitability?step=hour&limit=100");
    let rows: usize = hourly.iter().map(|page| column(page, "coin").len()).sum();
    assert_eq!(rows, 168, "a week unless asked for more");
    let row = &hourly[0]["items"][0];
    assert_eq!(
        (&row["net_usd_per_hash_day"], &row["margin"]),
        (&json!(2.0), &Value::Null)
    );
    assert_eq!(
        row["hour"],
        json!({"samples": 4, "min": 1.0, "max": 3.0, "last": 2.0})
    );
    let longest = list(
        &api,
        &format!("/api/v1/profitability?step=hour&from=0&to={now}&limit=1"),
    );
    assert_eq!(longest["from"], now - 400 * 86_400, "cut short, and told");
    let empty = list(&api, &format!("/api/v1/profitability?from={now}&to=5"));
    assert_eq!(empty["items"], json!([]));
    let newest = list(&api, "/api/v1/profitability?step=raw&order=desc&limit=1");
    assert_eq!(newest["items"][0]["at"], now - 60);
}

#[test]
fn sources_and_rejections_tell_an_operator_why() {
    let (central, api) = served();
    central.sql(
        "INSERT INTO source_health (source, state, detail, answers, last_ok_at, updated_at, last_error)
             VALUES ('coingecko', 'ok', '', 7, to_timestamp(1790000000), now(), NULL),
                    ('minerstat', 'no-key', 'no key is set', 0, NULL, now(), 'x');
         INSERT INTO rejections (day, source, coin, fact, rule, value, detail, first_at, last_at, times)
             SELECT current_date, 's', 'C' || n, 'price', 'outlier', '1e9', 'far off',
                    to_timestamp(1000), to_timestamp(2000 + n), n FROM generate_series(1, 30) AS n",
    );
    let sources = list(&api, "/api/v1/sources");
    assert_eq!(column(&sources, "source"), ["coingecko", "minerstat"]);
    assert_eq!(sources["items"][0]["last_ok_at"], 1_790_000_000);
    assert_eq!(sources["items"][0]["answers"], 7);
    let without = list(&api, "/api/v1/sources?state=no-key");
    assert_eq!(column(&without, "detail"), ["no key is set"]);
    let newest = list(&api, "/api/v1/rejections?limit=2");
    assert_eq!(column(&newest, "coin"), ["C30", "C29"]);
    assert_eq!(
        (&newest["total"], &newest["items"][0]["last_at"]),
        (&json!(30), &json!(2030))
    );
    let of_one = list(&api, "/api/v1/rejections?coin=c7&rule=outlier&source=S");
    assert_eq!(
        (&of_one["total"], &of_one["items"][0]["times"]),
        (&json!(1), &json!(7))
    );
}

#[test]
fn every_question_that_cannot_be_answered_is_a_problem() {
    let (_central, api) = served();
    for path in [
        "/api/v1/coins?limit=0",
        "/api/v1/coins?limit=501",
        "/api/v1/coins?offset=100001",
        "/api/v1/coins?limit=ten",
        "/api/v1/coins?limit=1&limit=2",
        "/api/v1/coins?sort=colour",
        "/api/v1/coins?order=up",
        "/api/v1/coins?page=2",
        "/api/v1/coins?coin=%00",
        "/api/v1/coins?coin=a'b",
        "/api/v1/coins?coin=%FF",
        "/api/v1/pools?fee=1",
        "/api/v1/profitability?step=day",
        "/api/v1/profitability?from=-1",
        "/api/v1/profitability?to=253402300800",
        "/api/v1/sources?state=fine",
        "/api/v1/rejections?rule=%0A",
    ] {
        let answer = api.ask("GET", path, None, &[], None);
        assert_eq!(answer.problem(400), "query", "{path}");
    }
    for path in ["/api/v1/pools?algo=ethash", "/api/v1/coins?algo=sha3"] {
        let answer = api.ask("GET", path, None, &[], None);
        assert_eq!(answer.problem(400), "algorithm", "{path}");
        assert!(answer.json()["known"].as_array().expect("names").len() >= 7);
    }
    let nothing = api.ask("GET", "/api/v2/coins", None, &[], None);
    assert_eq!(nothing.problem(404), "no-such-path");
    let method = api.ask("DELETE", "/api/v1/coins", None, &[], None);
    assert_eq!(method.problem(405), "method");
    assert_eq!(method.header("allow"), Some("GET,HEAD"));
    let long = format!("/api/v1/coins?coin={}", "x".repeat(9000));
    assert_eq!(
        api.ask("GET", &long, None, &[], None).problem(414),
        "query-length"
    );
}

#[test]
fn a_query_that_takes_too_long_is_ended() {
    let (central, api) = served();
    // A lock that the query waits for stands for a table that is too large.
    let (postgres, name) = (central.postgres.clone(), central.database.clone());
    let locked = std::thread::spawn(move || {
        let hold = "BEGIN; LOCK TABLE source_health; SELECT pg_sleep(8); COMMIT";
        postgres.sql(&name, hold)
    });
    eventually("the table is locked", || {
        central.sql("SELECT count(*) FROM pg_locks WHERE relation = 'source_health'::regclass AND mode = 'AccessExclusiveLock' AND granted") == "1"
    });
    let answer = api.ask("GET", "/api/v1/sources", None, &[], None);
    assert_eq!(answer.problem(503), "database-slow");
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert_eq!(api.get("/api/v1/coins").status, 200, "others go on");
    locked.join().expect("unlocked");
    assert_eq!(api.get("/api/v1/sources").status, 200);
}

/// The document is made from the routes; this holds it against the running server.
#[test]
fn what_is_described_is_served_and_what_is_served_is_described() {
    let (_central, api) = served();
    let document = list(&api, "/openapi.json");
    assert!(
        document["openapi"]
            .as_str()
            .expect("a version")
            .starts_with("3.")
    );
    let paths = document["paths"].as_object().expect("paths");
    let expected = [
        "/api/best-pool",
        "/api/v1/coins",
        "/api/v1/farms",
        "/api/v1/farms/{name}",
        "/api/v1/farms/{name}/rotate",
        "/api/v1/pools",
        "/api/v1/profitability",
        "/api/v1/rejections",
        "/api/v1/release",
        "/api/v1/releases",
        "/api/v1/releases/{version}",
        "/api/v1/reports",
        "/api/v1/snapshot",
        "/api/v1/sources",
        "/healthz",
        "/metrics",
        "/openapi.json",
        "/readyz",
    ];
    assert_eq!(Vec::from_iter(paths.keys().map(String::as_str)), expected);
    let mut operations = BTreeSet::new();
    for (path, item) in paths {
        let concrete = path.replace("{name}", "x").replace("{version}", "x");
        let described: BTreeSet<String> = item
            .as_object()
            .expect("an item")
            .keys()
            .map(|m| m.to_uppercase())
            .collect();
        // What a path does not describe, it does not answer; and Allow says what it does.
        let refused = api.ask("DELETE", &concrete, None, &[], None);
        assert_eq!(refused.problem(405), "method", "{path}");
        let allowed = refused
            .header("allow")
            .expect("Allow")
            .split(',')
            .map(str::to_owned);
        assert_eq!(BTreeSet::from_iter(allowed), described, "{path}");
        for (method, operation) in item.as_object().expect("an item") {
            let answer = api.ask(&method.to_uppercase(), &concrete, None, &[], None);
            let status = answer.status.to_string();
            let responses = operation["responses"].as_object().expect("responses");
            assert!(
                responses.contains_key(&status),
                "{method} {path} answers {status}"
            );
            let id = operation["operationId"].as_str().expect("an id");
            assert!(operations.insert(id.to_owned()), "{id} stands twice");
            let guarded = operation["security"].is_array();
            assert_eq!(guarded, responses.contains_key("401"), "{method} {path}");
            assert_eq!(guarded, status == "401", "{method} {path} answers {status}");
        }
    }
}
