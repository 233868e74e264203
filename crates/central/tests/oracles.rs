//! The arithmetic against published results. The numbers here are public facts;
//! where a folder of more worked examples stands beside the project, they hold too.

use serde_json::Value;
use smart_mining_central::profit::{Reward, Scheme, Terms, Work, gross, net, network_hashrate};

const SHA256D: f64 = 4_294_967_296.0;

fn close(got: f64, expected: f64, relative: f64) {
    assert!(
        (got / expected - 1.0).abs() <= relative,
        "{got} is not within {relative} of {expected}"
    );
}

fn by_difficulty(difficulty: f64, hashes_per_difficulty: f64) -> Work {
    Work::Difficulty {
        difficulty,
        hashes_per_difficulty,
    }
}

fn reward(coins: f64) -> Reward {
    Reward {
        subsidy: coins,
        fees: 0.0,
    }
}

#[test]
fn a_calculators_bitcoin_page_is_reproduced_to_its_last_digit() {
    let terms = Terms {
        scheme: Scheme::AsFound,
        fee: 0.02,
        stale: 0.0,
        orphan: 0.0,
    };
    let work = by_difficulty(132_716_002_350_731.3, SHA256D);
    let coins = 580e12 * net(work, reward(3.144_377_883_333_333_6), &terms).expect("sound");
    assert!((coins - 0.000_270_91).abs() < 5e-9, "{coins}");
    assert!((coins * 85_956.45 - 23.29).abs() < 0.005);
}

#[test]
fn a_published_reward_per_hour_agrees_to_twelve_digits() {
    let work = by_difficulty(81_725_299_822_043.0, SHA256D);
    let hourly = gross(work, reward(6.25)).expect("sound") / 24.0;
    close(hourly, 6.410_119_624_668_6e-20, 1e-12);
    let kaspa = Work::Network {
        hashrate: 1.700_795_682_870_5e17,
        block_time: 1.0,
    };
    let hourly = gross(kaspa, reward(130.812_782_7)).expect("sound") / 24.0;
    close(hourly, 2.768_857_085_321_4e-12, 1e-12);
}

#[test]
fn the_hashrate_of_a_day_follows_from_its_blocks() {
    let rate = network_hashrate(225_832_872_179.0, SHA256D, 164.0, 86_400.0).expect("sound");
    close(rate, 1.841_098_926_629_290_8e18, 1e-14);
}

fn more() -> Option<Value> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/fixtures/oracles.json"
    );
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("no folder of further worked examples; only the ones above were checked");
        return None;
    };
    Some(serde_json::from_str(&text).expect("JSON"))
}

/// Each example by its shape, so that examples added later are checked too.
#[test]
fn further_worked_examples_hold() {
    let Some(all) = more() else { return };
    let mut checked = 0;
    for oracle in all["oracles"].as_array().expect("a list") {
        let inputs = &oracle["inputs"];
        let many = inputs
            .as_array()
            .map_or_else(|| vec![inputs], |list| list.iter().collect());
        for input in many {
            checked += usize::from(check(oracle, input));
        }
    }
    println!("{checked} further examples were checked");
    assert!(checked >= 5);
}

fn work_of(input: &Value) -> Option<Work> {
    let number = |name: &str| input[name].as_f64();
    if let (Some(difficulty), Some(k)) = (number("difficulty"), number("hashes_per_difficulty")) {
        return Some(by_difficulty(difficulty, k));
    }
    let block_time =
        number("block_time").or_else(|| number("blocks_per_second").map(|n| 1.0 / n))?;
    Some(Work::Network {
        hashrate: number("network_hashrate")?,
        block_time,
    })
}

/// Compare the first figure of the example that this shape can give.
fn check(oracle: &Value, input: &Value) -> bool {
    let number = |name: &str| input[name].as_f64();
    let Some(work) = work_of(input) else {
        return false;
    };
    let coins = number("block_reward")
        .or_else(|| Some(number("subsidy")? / (1.0 - number("fee_share_of_reward")?)));
    let Some(coins) = coins else { return false };
    let seconds = number("seconds").unwrap_or(86_400.0);
    let hashrate = number("hashrate_hs").unwrap_or(1.0);
    let fee = number("pool_fee").unwrap_or(0.0);
    let got =
        gross(work, reward(coins)).expect("sound") * seconds / 86_400.0 * hashrate * (1.0 - fee);
    let usd = got * number("price_usd").unwrap_or(f64::NAN);
    let expect = &oracle["expect"];
    let coin = input["coin"].as_str().unwrap_or("").to_lowercase();
    let names = [
        coin.as_str(),
        "btc_per_day_net",
        "xmr_per_hour",
        "kas_per_day",
        "coin_per_day",
    ];
    let expected = names
        .iter()
        .find_map(|name| expect[*name].as_f64())
        .map(|it| (it, got));
    let expected = expected.or_else(|| {
        let names = ["usd_per_th_day", "usd_per_day", "usd_per_day_net"];
        names
            .iter()
            .find_map(|name| expect[*name].as_f64())
            .map(|it| (it, usd))
    });
    let Some((expected, got)) = expected else {
        return false;
    };
    // Published figures are rounded; where no tolerance is given five digits were printed.
    close(got, expected, oracle["rel_tol"].as_f64().unwrap_or(2e-5));
    true
}
