//! The example that is shipped is one that the program takes, every option of it.

use smart_mining_central::collect::Config;
use smart_mining_central::collect::config::{History, Publish};
use smart_mining_wire::Algorithm;
use std::collections::BTreeSet;
use std::path::Path;

const EXAMPLE: &str = include_str!("../../../aggregator.example.toml");

/// With each option that is shown but not used: `#` and a word right behind it.
fn with_every_option(secrets: &Path) -> String {
    let used = |line: &str| {
        let option = line.strip_prefix('#').filter(|rest| {
            rest.starts_with(|first: char| first.is_ascii_lowercase() || first == '[')
        });
        option.unwrap_or(line).to_owned()
    };
    let lines: Vec<String> = EXAMPLE.lines().map(used).collect();
    let folder = format!("{}/", secrets.display());
    lines.join("\n").replace("/run/secrets/", &folder)
}

#[test]
fn the_example_works_as_it_is_and_says_what_holds_without_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("aggregator.toml");
    std::fs::write(&path, EXAMPLE).expect("written");
    let config = Config::read(&path).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.publish, Publish::default());
    assert_eq!(config.history, History::default());
    assert_eq!(config.warnings, [""; 0]);
    let asked = |name: &str| config.sources.iter().any(|one| one.source.name() == name);
    assert!(asked("coingecko") && asked("mempool") && asked("whattomine"));
    let offered: BTreeSet<Algorithm> = config
        .pools
        .iter()
        .flat_map(|pool| &pool.offers)
        .map(|offer| offer.algorithm)
        .collect();
    // No coin of the catalog is mined with x16r any more.
    let offerable = Algorithm::ALL
        .into_iter()
        .filter(|algorithm| *algorithm != Algorithm::X16r);
    assert_eq!(offered, offerable.collect(), "an offer for each");
}

#[test]
fn every_option_that_it_shows_is_taken() {
    let secrets = tempfile::tempdir().expect("a folder");
    for name in ["coingecko", "coinmarketcap", "f2pool", "litecoin"] {
        std::fs::write(secrets.path().join(name), "s3cret\n").expect("written");
    }
    let text = with_every_option(secrets.path());
    let config = Config::parse(&text, Path::new("")).unwrap_or_else(|error| panic!("{error}"));
    let asked = |name: &str| {
        let found = config.sources.iter().find(|one| one.source.name() == name);
        found.unwrap_or_else(|| panic!("{name} is not asked"))
    };
    assert_eq!(asked("coinmarketcap").missing, None);
    let bitcoind = asked("bitcoind");
    assert_eq!(bitcoind.settings.about, ["BTC", "LTC"]);
    assert_eq!(bitcoind.settings.more["key.LTC"], "aggregator:s3cret");
    assert_eq!(bitcoind.settings.more["network.LTC"], "regtest");
    assert!(bitcoind.cookies["BTC"].ends_with("bitcoin-cookie"));
    let off = config
        .sources
        .iter()
        .all(|one| one.source.name() != "whattomine");
    assert!(off, "it is switched off");
    // The variable is not set here, and that is no mistake.
    assert_eq!(asked("minerstat").missing, Some("a key"));
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
}

#[test]
fn no_option_is_left_out_of_it() {
    let words: BTreeSet<&str> = EXAMPLE
        .lines()
        .map(|line| line.trim_start().trim_start_matches('#'))
        .filter_map(|line| line.split_once(" = "))
        .map(|(key, _)| key)
        .collect();
    for key in [
        "heartbeat",
        "noise",
        "keep_days",
        "keep_hourly_days",
        "sources",
        "enabled",
        "url",
        "key_file",
        "key_env",
        "about",
        "more",
        "kind",
        "coin",
        "user",
        "password_file",
        "cookie_file",
        "network",
        "id",
        "name",
        "algorithm",
        "fee",
        "scheme",
        "merged",
    ] {
        assert!(words.contains(key), "{key} is not shown");
    }
}
