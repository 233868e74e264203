//! One source asked over real HTTP: what it says, and each way in which it says nothing.

use smart_mining_central::ask;
use smart_mining_central::source::Settings;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

/// A service that gives one answer; the heads of the requests it got.
fn service(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a request");
        let mut head = String::new();
        let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
        while reader.read_line(&mut head).expect("a line") > 2 {}
        stream.write_all(answer.as_bytes()).expect("it reads");
        head
    });
    (url, thread)
}

fn settings(url: String) -> Settings {
    Settings {
        url: Some(url),
        ..Settings::default()
    }
}

#[test]
fn what_a_market_says_is_printed_with_all_its_digits() {
    let (url, service) = service(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\
         [{\"symbol\":\"BTCUSDT\",\"price\":\"64123.45000000000000000001\"},{\"symbol\":\"WHOUSDT\",\"price\":\"1\"}]",
    );
    let mut out = Vec::new();
    ask::ask("binance", &settings(url), &mut out).expect("an answer");
    let out = String::from_utf8(out).expect("text");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 1, "the unknown pair is left out: {out}");
    let row: serde_json::Value = serde_json::from_str(lines[0]).expect("JSON");
    assert_eq!(
        (&row["coin"], &row["fact"]),
        (&"BTC".into(), &"PriceUsd".into())
    );
    assert_eq!(row["value"], "64123.45000000000000000001");
    let head = service.join().expect("it served");
    assert!(head.starts_with("GET /ticker/price"), "{head}");
    assert!(head.contains("smart-mining/"), "it says who asks: {head}");
}

#[test]
fn a_source_that_gives_nothing_is_an_error_with_its_name() {
    let (url, service) =
        service("HTTP/1.1 429 Too Many\r\nretry-after: 5\r\ncontent-length: 2\r\n\r\n{}");
    let mut out = Vec::new();
    let error = ask::ask("binance", &settings(url), &mut out).expect_err("nothing was read");
    assert!(
        error.to_string().contains("binance gave no observation"),
        "{error}"
    );
    assert!(out.is_empty());
    service.join().expect("it served");
}

#[test]
fn what_is_missing_is_named_with_its_remedy() {
    let mut out = Vec::new();
    let mut fault = |name: &str| {
        ask::ask(name, &Settings::default(), &mut out)
            .expect_err("no")
            .to_string()
    };
    assert!(fault("nosuch").contains("`sources` lists them"));
    assert!(fault("coinmarketcap").contains("--key-file"));
    assert!(fault("bitcoind").contains("--url"));
}

#[test]
fn the_list_names_every_source() {
    let mut out = Vec::new();
    ask::list(&mut out).expect("written");
    let out = String::from_utf8(out).expect("text");
    for name in ["bitcoind", "mempool", "zpool", "whattomine", "coingecko"] {
        assert!(
            out.lines().any(|line| line.starts_with(name)),
            "{name} is missing in\n{out}"
        );
    }
}
