use super::*;

const STARTER: &str = include_str!("../../data/starter.json");

fn faults(text: &str) -> Vec<String> {
    let (data, mut faults) = Dataset::parse(text);
    faults.extend(data.dangling(&Known::default()));
    faults.iter().map(Fault::to_string).collect()
}

#[test]
fn the_starter_set_is_good_and_says_what_it_is() {
    let (data, wrong) = Dataset::parse(STARTER);
    assert_eq!(wrong, []);
    assert_eq!(data.dangling(&Known::default()), []);
    assert_eq!((data.coins.len(), data.pools.len()), (3, 3));
    assert_eq!((data.offers.len(), data.profitability.len()), (6, 6));
    assert!(STARTER.contains("not market data"));
}

#[test]
fn every_mistake_is_reported_at_once_with_place_value_and_remedy() {
    let found = faults(
        r#"{
        "coins": [{"id": "btc", "name": "Bitcoin"}, {"id": "LTC", "name": ""}, 7],
        "pools": [{"id": "pool-a", "name": "A", "offers": [
            {"coin": "LTC", "algorithm": "md5", "url": "http://a:1", "fee": 1.5, "scheme": "FPPS", "tls": true}
        ]}, {"name": "B"}],
        "profitability": [{"coin": "LTC", "pool": "pool-a", "algorithm": "scrypt",
            "usd_per_hash_day": -1, "margin": "2 %"}],
        "prices": []
    }"#,
    );
    let starts = [
        "the file: member \"prices\": not known here; use note, coins, pools, profitability",
        "coins[0].id: \"btc\": write a coin id",
        "coins[1].name: \"\": write a name",
        "coins[2]: 7: write an object",
        "pools[0].offers[0]: member \"tls\": not known here",
        "pools[0].offers[0].algorithm: \"md5\": write one of sha256d",
        "pools[0].offers[0].url: \"http://a:1\": write stratum+tcp://host:port",
        "pools[0].offers[0].fee: 1.5: write the fee as a fraction",
        "pools[1].id: is missing: write a pool id",
        "pools[1].offers: is missing: write a list",
        "profitability[0].usd_per_hash_day: -1: write a positive number",
        "profitability[0].margin: \"2 %\": write the margin of error as a fraction",
        "profitability[0]: LTC on \"pool-a\" with scrypt: no such offer",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (found, start) in found.iter().zip(starts) {
        assert!(
            found.starts_with(start),
            "{found}\nshould start with\n{start}"
        );
    }
}

#[test]
fn what_stands_twice_is_a_mistake() {
    let row = r#"{"coin": "BTC", "pool": "a", "algorithm": "sha256", "usd_per_hash_day": 1e-14}"#;
    let offer = r#"{"coin": "BTC", "algorithm": "sha256d", "url": "stratum+tcp://a:1", "fee": 0, "scheme": "PPS+"}"#;
    let coin = r#"{"id": "BTC", "name": "Bitcoin"}"#;
    let text = format!(
        r#"{{"coins": [{coin}, {coin}], "profitability": [{row}, {row}],
            "pools": [{{"id": "a", "name": "A", "offers": [{offer}, {offer}]}}]}}"#
    );
    let found = faults(&text);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].starts_with("coins[1]: \"BTC\": this coin stands twice"));
    assert!(
        found[1].starts_with("pools[0].offers[1]: BTC with sha256d: this pool offers it twice")
    );
    assert!(found[2].starts_with("profitability[1]: BTC on \"a\" with sha256d: stands twice"));
}

#[test]
fn a_reference_may_lead_to_a_row_that_is_known_already() {
    let text = r#"{"profitability": [
        {"coin": "BTC", "pool": "a", "algorithm": "sha256d", "usd_per_hash_day": 1e-14}]}"#;
    let (data, wrong) = Dataset::parse(text);
    assert_eq!(wrong, []);
    assert_eq!(data.dangling(&Known::default()).len(), 1);
    let mut known = Known::default();
    known
        .offers
        .insert(("BTC".into(), "a".into(), Algorithm::Sha256d));
    assert_eq!(data.dangling(&known), []);
}

#[test]
fn broken_json_names_the_line() {
    let found = faults("{\n  \"coins\": [}\n");
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("line 2, column 13: "), "{found:?}");
}
